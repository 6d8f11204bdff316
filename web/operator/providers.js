// Providers: who answers, how fast, how often not, at what price a photo; and who is known to fail. The guard has counted.
import { doc } from "../vendor/firebase.js";
import { html } from "../vendor/ui.js";
import { date, day, dollars, duration, exact, percent, plural, relative, whole } from "../lib/format.js";
import { dataOf, useLive, useNow } from "../lib/live.js";
import { Table, bar } from "../lib/table.js";
import { ofKind, total, waitWithin } from "./figures.js";

const DAYS = [0, 1, 2, 3, 4, 5, 6];
const DAY_MS = 86_400_000;
const LANES = { instant: "Instant", batch: "Later" };
const LABELS = { openai: "OpenAI", azure: "Azure", anthropic: "Anthropic" };

const DOORS = {
  instant: "Instant photos at OpenAI",
  anthropic: "Instant photos at Anthropic",
  azure: "Instant photos at Azure",
  submit: "Handing batches to OpenAI",
  poll: "Results of batches from OpenAI",
  anthropic_submit: "Handing batches to Anthropic",
  anthropic_poll: "Results of batches from Anthropic",
};
const CALLS = new Set(["instant", "anthropic", "azure"]);

export function Providers({ cloud }) {
  const now = useNow();
  const days = DAYS.map((back) => day(new Date(now - back * DAY_MS)));
  const books = days.map((each) => useLive(() => doc(cloud.db, "budget", each), dataOf, [each]));
  const queue = useLive(() => doc(cloud.db, "stats/queue"), dataOf, []);
  const config = useLive(() => doc(cloud.db, "config/runtime"), dataOf, []);
  const live = [...books, queue, config];
  const failed = live.find(({ error }) => error);
  if (failed) return html`<p class="notice error" role="alert">The providers' figures cannot be shown: ${failed.error.code}.</p>`;
  if (live.some(({ value }) => value === undefined)) return html`<div class="skeleton say" role="status" aria-label="Loading"></div>`;
  const outages = standing(queue.value?.provider ?? {}, now);
  const [today, week] = [books.slice(0, 1), books].map((some) => modelsOf(some.map(({ value }) => value ?? {})));
  return html`
    <${Sentence} models=${today} outages=${outages} />
    <${Orders} rules=${config.value?.providers} reviewed=${books[0].value?.reviewedAt} now=${now} />
    <div class="grid">
      <section class="card wide" aria-labelledby="outages">
        <h2 id="outages">Known outages</h2>
        <${Outages} outages=${outages} now=${now} />
      </section>
      <${Models} id="today" title="Today (UTC)" models=${today} />
      <${Models} id="week" title="Seven days, today included" models=${week} />
    </div>
  `;
}

/** What is no accident, by door, as the guard tells it: core/model/provider_outage.py. */
function standing(notes, now) {
  const age = (value) => now - date(value).getTime();
  const lasts = (door, note) => !CALLS.has(door) && age(note.since ?? note.lastAt) >= 180_000;
  return Object.entries(notes).filter(
    ([door, note]) => age(note.lastAt) < 7_200_000 && (note.trouble === "key_refused" || note.failures >= 3 || lasts(door, note)),
  );
}

/** Each model's counters in each lane, with `micros`, over days: [{lane, model, counters}], the busiest first. */
function modelsOf(books) {
  const found = {};
  const add = (lane, model, counters) => {
    const sums = (found[`${lane} ${model}`] ??= { lane, model, counters: {} }).counters;
    for (const [name, n] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + n;
  };
  for (const { tally = {}, costs = {} } of books) {
    for (const [lane, models] of Object.entries(tally)) for (const [model, counters] of Object.entries(models)) add(lane, model, counters);
    for (const [lane, models] of Object.entries(costs)) for (const [model, micros] of Object.entries(models)) add(lane, model, { micros });
  }
  return Object.values(found).sort((a, b) => b.lane.localeCompare(a.lane) || done(b) - done(a));
}

const done = ({ counters }) => counters.done ?? 0;
const inLane = (models, lane) => models.filter((each) => each.lane === lane);

/** A model's provider and its own name: OpenAI's go by their own alone. */
function called(model) {
  const [prefix, ...rest] = model.split("/");
  return rest.length && LABELS[prefix] ? [LABELS[prefix], rest.join("/")] : [LABELS.openai, model];
}

function Sentence({ models, outages }) {
  if (outages.length)
    return html`<p class="say bad" role="status">${outages.map(([door, note]) => `${DOORS[door] ?? door}: failing since ${exact(note.since ?? note.lastAt)}.`).join(" ")}</p>`;
  const instant = inLane(models, "instant");
  const all = total(instant.map(done));
  if (!all) return html`<p class="say" role="status">No provider is known to fail. No instant photo was answered yet today.</p>`;
  const shares = instant.filter(done).map((each) => `${called(each.model)[0]} ${percent(done(each), all)}`);
  return html`<p class="say" role="status">No provider is known to fail. Of today's ${plural(all, "instant photo")}: ${shares.join(", ")}.</p>`;
}

function Orders({ rules, reviewed, now }) {
  const said = (order = ["openai"]) => order.map((each) => LABELS[each] ?? each).join(", then ");
  return html`
    <p class="quiet">
      Instant: ${said(rules?.order)} · Later: ${said(rules?.batchOrder)} · <a href="#settings">change</a>
      ${reviewed && html` · <span title=${exact(reviewed)}>counted ${relative(reviewed, now)}</span>`}
    </p>
  `;
}

function Outages({ outages, now }) {
  if (!outages.length) return html`<p class="quiet">None.</p>`;
  const rows = outages.map(([door, { since, lastAt, failures, problem }]) => [
    DOORS[door] ?? door,
    exact(since ?? lastAt),
    relative(lastAt, now),
    `at least ${whole(failures ?? 0)}`,
    problem,
  ]);
  return html`<${Table} columns=${["What fails", "Since", "Last noted", ">Failures", "With"]} rows=${rows} />`;
}

function Models({ id, title, models }) {
  return html`
    <section class="card wide" aria-labelledby=${id}>
      <h2 id=${id}>${title}</h2>
      ${models.length
        ? html`<${Table} heading=${2} columns=${["Lane", "Provider", "Model", "Share", ">Of the lane", ">Answered", ">Failed", ">No answer", ">Median wait", ">95 % within", ">A photo"]} rows=${models.map((each) => cells(each, total(inLane(models, each.lane).map(done))))} />`
        : html`<p class="quiet">Nobody was asked.</p>`}
    </section>
  `;
}

function cells(each, all) {
  const { lane, model, counters } = each;
  const waits = [0.5, 0.95].map((share) => waitWithin(counters, share));
  const share = percent(done(each), all);
  return [
    LANES[lane] ?? lane,
    ...called(model),
    bar(done(each), all, share),
    share,
    whole(done(each)),
    whole(ofKind(counters, "failed")),
    whole((counters.down ?? 0) + (counters.doubtful ?? 0)),
    ...waits.map((seconds) => (seconds === null ? "–" : duration(seconds))),
    done(each) ? dollars(Math.round(((counters.micros ?? 0) - (counters.checkedMicros ?? 0)) / done(each))) : "–",
  ];
}
