// Cache: what photos that come again have saved, how often they were wrong, and what more it could do. The guard counts.
import { doc } from "../vendor/firebase.js";
import { html } from "../vendor/ui.js";
import { dollars, exact, percent, plural, relative, whole } from "../lib/format.js";
import { dataOf, useLive, useNow } from "../lib/live.js";
import { Table, bar } from "../lib/table.js";
import { total } from "./figures.js";

const LANES = { instant: "Instant", batch: "Later" };

export function Cache({ cloud }) {
  const now = useNow();
  const { value, error } = useLive(() => doc(cloud.db, "stats", "cacheReport"), dataOf, []);
  if (error) return html`<p class="notice error" role="alert">The cache's figures cannot be shown: ${error.code}.</p>`;
  if (value === undefined) return html`<div class="skeleton say" role="status" aria-label="Loading"></div>`;
  if (!value?.report?.lanes)
    return html`<p class="say" role="status">Nothing was counted yet. Set cache.exact and cache.near to shadow or on, in Settings; the guard then counts every 15 minutes.</p>`;
  const { report } = value;
  return html`
    <${Sentence} report=${report} now=${now} />
    <div class="grid">
      <section class="card" aria-labelledby="lanes">
        <h2 id="lanes">Photos that came again</h2>
        <${Lanes} lanes=${report.lanes} />
        ${report.sampled > 0 && html`<p>${percent(report.shared, report.sampled)} of ${plural(report.sampled, "sampled photo")} had been sent by somebody else, too.</p>`}
        <p class="quiet">Would have been: the model was asked, and the cache had an answer. In shadow these are all that come again.</p>
      </section>
      <section class="card" aria-labelledby="believed">
        <h2 id="believed">How often it was wrong</h2>
        <${Believed} rows=${report.believed} serves=${report.serves} />
        <p class="quiet">The same file shows how often the model does not agree with itself. What was compared within more bits than are served shows what a looser threshold would bring. The share lies between the last two with 95 %.</p>
      </section>
      <section class="card wide" aria-labelledby="disputed">
        <h2 id="disputed">Answers that users dispute</h2>
        <${Disputed} rows=${report.disputed} />
      </section>
      <section class="card wide" aria-labelledby="days">
        <h2 id="days">Day by day (UTC)</h2>
        <${Days} days=${report.days} />
      </section>
    </div>
  `;
}

const hitsOf = (rows) => total(rows.map(({ exact: same, near }) => same + near));

function Sentence({ report, now }) {
  const photos = total(report.lanes.map((lane) => lane.photos));
  const hits = hitsOf(report.lanes);
  const came = hits + total(report.lanes.map((lane) => lane.would));
  return html`
    <p class="say" role="status">
      Of ${plural(photos, "photo")} in ${plural(report.days.length, "day")}, ${percent(hits, photos)} were answered by an earlier answer, which
      ${" "}saved ${dollars(report.savedMicros)} net of ${plural(report.checks, "check")}; ${percent(came, photos)} came again.
    </p>
    <p class="quiet" title=${exact(report.at)}>Counted ${relative(report.at, now)}.</p>
  `;
}

function Lanes({ lanes }) {
  const share = (n, { photos }) => `${whole(n)} (${percent(n, photos)})`;
  const rows = lanes.map((lane) => [
    LANES[lane.lane] ?? lane.lane,
    whole(lane.photos),
    share(lane.exact, lane),
    share(lane.near, lane),
    share(lane.would, lane),
    dollars(lane.savedMicros),
  ]);
  return html`<${Table} columns=${["Lane", ">Photos", ">Same file", ">Nearly the same", ">Would have been", ">Saved"]} rows=${rows} />`;
}

function Believed({ rows, serves }) {
  if (!rows.length) return html`<p class="quiet">Nothing was compared yet.</p>`;
  const said = ({ what, bits }) => (bits === null ? what : `${what}, ${bits} bits`);
  const shares = ({ low, high, checked }) => (checked ? [low, high].map((share) => percent(share, 1, 2)) : ["–", "–"]);
  return html`
    ${Object.entries(serves).map(([family, bits]) => html`<p key=${family}>${family} serves ${bits === null ? "the same file alone" : `photos within ${bits} of 256 bits`}.</p>`)}
    <${Table}
      heading=${1}
      columns=${["Family", "What", ">Compared", ">Wrong", ">From", ">To"]}
      rows=${rows.map((row) => [row.family, said(row), whole(row.checked), whole(row.wrong), ...shares(row)])}
    />
  `;
}

function Disputed({ rows }) {
  if (!rows.length) return html`<p class="quiet">The model has answered nothing in these days.</p>`;
  return html`
    <${Table}
      heading=${2}
      columns=${["Model", "Prompt", "Category", ">Answers", ">Disputed", ">Share"]}
      rows=${rows.map((row) => [row.model, row.prompt, row.category, whole(row.answers), whole(row.disputed), percent(row.disputed, row.answers, 2)])}
    />
  `;
}

function Days({ days }) {
  const rows = days.toReversed().map(({ day, photos, hits, would }) => [
    day,
    bar(hits, photos, percent(hits, photos)),
    whole(photos),
    whole(hits),
    percent(hits, photos),
    percent(hits + would, photos),
  ]);
  return html`<${Table} columns=${["Day", "Answered again", ">Photos", ">Hits", ">Hit rate", ">Came again"]} rows=${rows} />`;
}
