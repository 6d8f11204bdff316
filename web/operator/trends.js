// Trends: the last days, as the guard has counted their rows: photos, cost, tokens by reason, users who came back.
import { html, useEffect, useState } from "../vendor/ui.js";
import { dollars, percent, plural, whole } from "../lib/format.js";
import { bill } from "../lib/live.js";
import { Table, bar } from "../lib/table.js";
import { AGES, REASONS, Returns, Tokens, earned, signed, spent, tokensOf } from "./counts.js";
import { total } from "./figures.js";
import { Models } from "./models.js";
import { Plans } from "./plans.js";

const LOOK_READS = 56;
const COHORT_LEAST = 30;

export function Trends({ cloud }) {
  const [answer, setAnswer] = useState(null);
  const [problem, setProblem] = useState("");
  const look = () => {
    setProblem("");
    bill.reads += LOOK_READS;
    cloud.call("admin_days").then(setAnswer, (refusal) => setProblem(refusal.message));
  };
  useEffect(look, []);
  const days = answer && answer.days;
  const tokens = tokensOf((days ?? []).map((row) => row.tokens));
  const returns = Object.entries(AGES).map(([age, words]) => returned(days ?? [], age, words));
  const shown = (content) => (days?.length ? content : !days && !problem && html`<div class="skeleton"></div>`);
  return html`
    ${problem ? html`<${Refused} problem=${problem} look=${look} />` : html`<${Sentence} days=${days} next=${returns[0]} />`}
    <div class="grid">
      <section class="card" aria-labelledby="tokens">
        <h2 id="tokens">Tokens by reason</h2>
        ${shown(html`<${Tokens} tokens=${tokens} />`)}
      </section>
      <section class="card rest" aria-labelledby="returns">
        <h2 id="returns">Users who came back</h2>
        ${shown(html`<${Returns} rows=${returns} came="Came back" could="Were new" least=${COHORT_LEAST} />`)}
        <p class="quiet">Of users whose first photo was so many days before, those who sent one on that very day; a share is said from ${COHORT_LEAST} users on. A day whose new users were not counted is left out.</p>
      </section>
      <section class="card wide" aria-labelledby="plans">
        <h2 id="plans">By plan</h2>
        ${shown(html`<${Plans} days=${days} least=${COHORT_LEAST} />`)}
      </section>
      <section class="card wide" aria-labelledby="models">
        <h2 id="models">By lane and model</h2>
        ${shown(html`<${Models} models=${answer?.models ?? []} least=${COHORT_LEAST} />`)}
      </section>
      <section class="card wide" aria-labelledby="days">
        <h2 id="days">Day by day (UTC)</h2>
        ${shown(html`<${Days} days=${days} reasons=${Object.keys(REASONS).filter((reason) => tokens[reason])} />`)}
      </section>
    </div>
  `;
}

function Refused({ problem, look }) {
  return html`
    <div class="stack">
      <p class="notice error" role="alert">The last days cannot be shown: ${problem}</p>
      <div><button class="button" onClick=${look}>Look again</button></div>
    </div>
  `;
}

function Sentence({ days, next: { back, of } }) {
  if (!days) return html`<div class="skeleton say" role="status" aria-label="Loading"></div>`;
  if (!days.length)
    return html`<p class="say" role="status">No day is over yet. The first one stands here after midnight UTC, once the guard has noted it.</p>`;
  const photos = total(days.map((row) => row.asked.instant + row.asked.batch));
  return html`
    <p class="say" role="status">
      The last ${plural(days.length, "day")} brought ${plural(photos, "photo")} for ${dollars(total(days.map((row) => row.micros)))};
      ${" "}${of >= COHORT_LEAST ? `${percent(back, of, 0)} of new users came back on the next day` : of ? "too few new users to say how many come back" : "nobody new could come back yet"}.
    </p>
    <p class="quiet">Days are UTC, up to yesterday's: ${days[0].day} to ${days.at(-1).day}. Batches may still add to the last two.</p>
  `;
}

/** How many users came back at an age, of those who were new so many days before, over all days that know both. */
function returned(days, age, words) {
  const known = days.filter((row) => age in row.cohorts && age in row.visits);
  return { words, back: total(known.map((row) => row.visits[age])), of: total(known.map((row) => row.cohorts[age])) };
}

function Days({ days, reasons }) {
  const most = Math.max(...days.map(({ asked }) => asked.instant + asked.batch));
  const cell = (n, said = whole) => (n === undefined ? "–" : said(n));
  const figures = ["Instant", "Later", "Cost", "Users", "New", ...Object.values(AGES), "Earned", "Spent", ...reasons.map((reason) => REASONS[reason])];
  const rows = days.toReversed().map(({ day, asked, micros, visits, tokens }) => {
    const photos = asked.instant + asked.batch;
    const counted = Object.entries(tokens);
    return [
      day,
      bar(photos, most, plural(photos, "photo")),
      whole(asked.instant),
      whole(asked.batch),
      dollars(micros),
      ...["all", 0, ...Object.keys(AGES)].map((age) => cell(visits[age])),
      ...[earned, spent].map((sum) => cell(counted.length ? sum(counted) : undefined)),
      ...reasons.map((reason) => cell(tokens[reason], signed)),
    ];
  });
  return html`<${Table} columns=${["Day", "Photos asked for", ...figures.map((words) => `>${words}`)]} rows=${rows} />`;
}
