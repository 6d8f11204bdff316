// Now: is all well, and what proves it.
import { collection, doc, limit, query, where } from "../vendor/firebase.js";
import { html, useEffect, useMemo } from "../vendor/ui.js";
import { date, day, dollars, duration, exact, percent, plural, relative, whole } from "../lib/format.js";
import { dataOf, remember, remembered, rowsOf, useLive, useNow } from "../lib/live.js";
import { Table, bar } from "../lib/table.js";
import { Alert } from "./alerts.js";
import { DayCurve } from "./chart.js";
import { AGES, Returns, Tokens } from "./counts.js";
import { atThisPace, course, hours, ofKind, sumOfShards, waitWithin } from "./figures.js";

const SHARDS_MAX = 512;
const ALERTS_SHOWN = 20;
const GUARD_LATE_MS = 35 * 60 * 1000;
const MODES = { batch_only: "Instant is closed", closed: "Nothing is sent to the provider" };
const LANES = { instant: "Instant", batch: "Later" };

function useFigures(cloud, today) {
  const documents = (path) => useLive(() => doc(cloud.db, path), dataOf, [path]);
  const open = [where("open", "==", true), limit(ALERTS_SHOWN)];
  return {
    shards: useLive(() => query(collection(cloud.db, `budget/${today}/shards`), limit(SHARDS_MAX)), rowsOf, [today]),
    usage: documents(`usage/${today}`),
    state: documents("stats/budget"),
    queue: documents("stats/queue"),
    crons: documents("stats/crons"),
    open: useLive(() => query(collection(cloud.db, "alerts"), ...open), rowsOf, []),
  };
}

export function Now({ cloud }) {
  const now = useNow();
  const today = day(new Date(now));
  const live = useFigures(cloud, today);
  const before = useMemo(() => remembered("now"), []);
  const fresh = useMemo(() => live.shards.value && sumOfShards(live.shards.value), [live.shards.value]);
  useEffect(() => {
    if (fresh && !live.shards.stale) remember("now", { today, sum: fresh, at: now });
  }, [fresh]);
  const sum = fresh ?? (before?.today === today ? before.sum : null);
  const failed = Object.values(live).find(({ error }) => error);
  if (failed) return html`<${Denied} error=${failed.error} />`;
  if (!sum) return html`<${Skeleton} />`;
  const slots = live.usage.value?.slots ?? [];
  const spent = sum.spent + sum.excess;
  const upToNow = { at: now / 1000, micros: spent };
  const dayCourse = course(slots, today);
  return html`
    <${Sentence} state=${live.state.value} sum=${sum} pace=${atThisPace(dayCourse, spent, now / 1000)} alerts=${live.open.value ?? []} today=${today} />
    <${AsOf} live=${live} since=${before?.at} now=${now} />
    <div class="grid">
      <section class="card tall" aria-labelledby="spend">
        <h2 id="spend">Spend today</h2>
        <p><span class="figure fresh" key=${spent}>${dollars(spent)}</span> of ${dollars(sum.limit)}${sum.reserved > 0 && `, ${dollars(sum.reserved)} held back`}</p>
        <${DayCurve} rows=${dayCourse} now=${upToNow} limit=${sum.limit} day=${today} />
      </section>
      <${Lanes} lanes=${sum.lanes} queue=${live.queue.value} />
      <${Answers} lanes=${sum.lanes} spent=${spent} />
      <${NeedsYou} alerts=${live.open.value ?? []} crons=${live.crons.value} now=${now} />
      <${Counted} rows=${live.usage.value?.rows} now=${now} />
      <${Hours} slots=${slots} />
    </div>
  `;
}

function Denied({ error }) {
  const why = error.code === "permission-denied" ? "you are no operator any more. Sign out, and in again." : "the connection failed. Reload the page.";
  return html`<p class="notice error" role="alert">These figures cannot be shown: ${why}</p>`;
}

function Sentence({ state, sum, pace, alerts, today }) {
  const used = sum.reserved + sum.spent + sum.excess;
  const money = `${dollars(used)} of ${dollars(sum.limit)} today`;
  const end = pace === null ? "" : `; at this pace ${dollars(Math.max(pace, used))} by midnight UTC`;
  const closed = state?.day === today ? MODES[state.mode] : undefined;
  if (closed) {
    const until = state.reopensAt ? exact(state.reopensAt) : "the limit is raised";
    return html`<p class="say bad" role="status">${closed} until ${until}: ${money}.</p>`;
  }
  if (alerts.length)
    return html`<p class="say warn" role="status">${alerts.length === 1 ? "One thing needs you" : `${alerts.length} things need you`}. ${money}${end}.</p>`;
  if (pace !== null && pace > sum.limit) return html`<p class="say warn" role="status">Today's limit will not last: ${money}${end}.</p>`;
  return html`<p class="say" role="status">All is well. ${money}${end}.</p>`;
}

function AsOf({ live: { shards, usage }, since, now }) {
  const last = usage.value?.slots?.at(-1)?.until.toMillis();
  const late = last !== undefined && now - last > GUARD_LATE_MS;
  if (!shards.value) return html`<p class="quiet" role="status">As of ${relative(since, now)}; loading what is new.</p>`;
  if (shards.stale) return html`<p class="warn" role="status">Connection lost. These figures are from ${relative(shards.at ?? now, now)}.</p>`;
  return html`
    <p class="quiet" role="status">
      As of ${new Date(now).toISOString().slice(11, 19)} UTC · live
      ${late && html` · <span class="warn">the guard is late: it looked last ${relative(last, now)}</span>`}
    </p>
  `;
}

function Lanes({ lanes, queue }) {
  const { instant } = lanes;
  const ended = (instant.done ?? 0) + ofKind(instant, "failed");
  return html`
    <section class="card" aria-labelledby="lanes">
      <h2 id="lanes">Lanes</h2>
      <${Table}
        columns=${["Lane", ">Answered", ">Median wait", ">95 % within", ">A photo"]}
        rows=${Object.entries(LANES).map(([lane, words]) => [words, ...laneCells(lanes[lane] ?? {})])}
      />
      <p class="quiet">
        ${whole(Math.max((instant.started ?? 0) - ended, 0))} being answered now;
        ${" "}${whole(queue?.queued ?? 0)} were in the queue when the last submitter looked.
      </p>
    </section>
  `;
}

function laneCells(counters) {
  const waits = [0.5, 0.95].map((share) => waitWithin(counters, share));
  const photo = counters.done ? dollars(Math.round((counters.micros ?? 0) / counters.done)) : "–";
  return [whole(counters.done ?? 0), ...waits.map((seconds) => (seconds === null ? "–" : duration(seconds))), photo];
}

function Answers({ lanes, spent }) {
  const all = Object.values(lanes);
  const done = all.reduce((sum, counters) => sum + (counters.done ?? 0), 0);
  const failed = all.reduce((sum, counters) => sum + ofKind(counters, "failed"), 0);
  return html`
    <section class="card" aria-labelledby="answers">
      <h2 id="answers">Answers</h2>
      <p><span class="figure">${percent(done, done + failed)}</span> of ${plural(done + failed, "photo")} answered</p>
      <p class="quiet">
        ${percent(failed, done + failed)} failed · ${percent(lanes.batch.done ?? 0, done)} came later, at half the price ·
        ${" "}${done ? `${dollars(Math.round(spent / done))} a photo` : "no photo yet"}
      </p>
    </section>
  `;
}

function NeedsYou({ alerts, crons, now }) {
  const failing = ([, { failedAt, finishedAt }]) => failedAt && (!finishedAt || date(failedAt) > date(finishedAt));
  const broken = Object.entries(crons?.runs ?? {}).filter(failing);
  return html`
    <section class="card rest" aria-labelledby="needs">
      <h2 id="needs">Needs you</h2>
      ${alerts.length + broken.length === 0 && html`<p class="quiet">Nothing.</p>`}
      <ul class="list">
        ${alerts.map((alert) => html`<${Alert} key=${alert.id} alert=${alert} now=${now} />`)}
        ${broken.map(
          ([name, { failedAt }]) =>
            html`<li key=${name}><strong>${name}</strong> failed <span class="quiet" title=${exact(failedAt)}>${relative(failedAt, now)}</span></li>`,
        )}
      </ul>
    </section>
  `;
}

const SINCE = { 0: "New today", ...AGES };

/** What the guard has counted of the day's rows, hourly: users and tokens. */
function Counted({ rows, now }) {
  if (!rows) return null;
  const { visits, tokens, countedAt } = rows;
  const asOf = html`<p class="quiet" title=${exact(countedAt)}>Counted ${relative(countedAt, now)}, once an hour.</p>`;
  return html`
    <section class="card" aria-labelledby="users">
      <h2 id="users">Users today</h2>
      <p><span class="figure">${whole(visits.all)}</span> with a photo</p>
      <${Returns} rows=${Object.entries(SINCE).map(([age, words]) => ({ words, back: visits[age] ?? 0, of: visits.all }))} came="Users" could="Of" />
      ${asOf}
    </section>
    <section class="card rest" aria-labelledby="tokens">
      <h2 id="tokens">Tokens today</h2>
      <${Tokens} tokens=${tokens} />
      ${asOf}
    </section>
  `;
}

function Hours({ slots }) {
  const filled = hours(slots).filter((row) => row.instant + row.batch + row.micros > 0);
  const most = Math.max(...filled.map((row) => row.instant + row.batch));
  const rows = filled.map(({ hour, instant, batch, micros }) => [
    `${String(hour).padStart(2, "0")}:00`,
    bar(instant + batch, most, plural(instant + batch, "photo")),
    whole(instant),
    whole(batch),
    dollars(micros),
  ]);
  return html`
    <section class="card wide" aria-labelledby="hours">
      <h2 id="hours">Photos and cost by hour (UTC)</h2>
      ${filled.length
        ? html`<${Table} columns=${["Hour", "Photos asked for", ">Instant", ">Later", ">Cost"]} rows=${rows} />`
        : html`<p class="quiet">No photo yet today. The guard notes them every 15 minutes.</p>`}
    </section>
  `;
}

function Skeleton() {
  return html`
    <div class="stack" role="status" aria-label="Loading">
      <div class="skeleton say"></div>
      <div class="grid">
        ${[1, 2, 3, 4].map((n) => html`<div class="card" key=${n}><div class="skeleton figure"></div><div class="skeleton"></div></div>`)}
      </div>
    </div>
  `;
}
