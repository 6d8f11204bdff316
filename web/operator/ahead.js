// Ahead: what the next weeks bring and cost, whether a limit stops them, and what operators know that no forecast can.
import { doc } from "../vendor/firebase.js";
import { html } from "../vendor/ui.js";
import { date, dollars, exact, percent, plural, relative, whole } from "../lib/format.js";
import { dataOf, useLive, useNow } from "../lib/live.js";
import { Table } from "../lib/table.js";
import { Band } from "./band.js";
import { Events } from "./events.js";
import { total } from "./figures.js";

const LATE_MS = 26 * 3600 * 1000;
const LANES = { instant: "Instant", batch: "Later" };
export const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SHADES = 4;

export function Ahead({ cloud }) {
  const now = useNow();
  const live = useLive(() => doc(cloud.db, "forecasts/current"), dataOf, []);
  const config = useLive(() => doc(cloud.db, "config/runtime"), (snapshot) => snapshot.data() ?? {}, []);
  const plan = live.value;
  if (live.error) return html`<p class="notice error" role="alert">The forecast cannot be shown: ${live.error.code}.</p>`;
  if (plan === undefined) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
  return html`
    <${Sentence} plan=${plan} now=${now} />
    ${plan?.lanes.instant && html`<${Figures} plan=${plan} config=${config.value ?? {}} />`}
    ${config.value && html`<${Events} cloud=${cloud} config=${config.value} />`}
  `;
}

function Sentence({ plan, now }) {
  if (!plan) return html`<p class="say" role="status">There is no forecast yet. The first one is made at 00:20 UTC.</p>`;
  const late = now - date(plan.madeAt).getTime() > LATE_MS;
  const asOf = html`
    <p class=${late ? "warn" : "quiet"} title=${exact(plan.madeAt)}>
      Made ${relative(plan.madeAt, now)} from ${plural(plan.known, "day")}${plan.filled > 0 && `, ${whole(plan.filled)} of which were not noted: the same weekday of the week before stands for each`}.
      ${late && " It is made anew at 00:20 UTC each day: plan_ahead is late."}
    </p>
  `;
  if (!plan.month)
    return html`<p class="say" role="status">Too few days for a forecast: ${plan.known} of ${plan.daysMin} are known.</p>${asOf}`;
  const { month, days } = plan;
  const waiting = days.find((each) => each.waiting > 0);
  const range = month.low === null ? "" : ` (${dollars(month.low)} to ${dollars(month.high)})`;
  return html`
    <p class=${waiting ? "say warn" : "say"} role="status">
      This month ends at ${dollars(month.expected)}${range} of ${dollars(month.limit)}.
      ${waiting ? ` ${plural(waiting.waiting, "photo")} would wait on ${waiting.day}${days.filter((each) => each.waiting > 0).length > 1 ? ", the first of such days" : ""}.` : " No photo has to wait for a limit."}
    </p>
    <p>${chanceOf(month)}</p>
    ${asOf}
  `;
}

function chanceOf({ chance, reachedOn }) {
  if (chance === null) return "How likely the month's limit is reached cannot be said yet: eight forecasts of five weeks have to be over for that.";
  if (!reachedOn) return "In none of the ways in which earlier forecasts went wrong is the month's limit reached.";
  return `The month's limit is reached with a chance of ${percent(chance, 1, 0)}, about ${reachedOn}.`;
}

function Figures({ plan, config }) {
  return html`
    <div class="grid">
      ${Object.entries(LANES).map(([lane, words]) => html`<${LaneCard} key=${lane} lane=${lane} words=${words} plan=${plan} />`)}
      <section class="card" aria-labelledby="planning">
        <h2 id="planning">Which limit would do</h2>
        <${Planning} planning=${plan.planning} limit=${config.budget?.dailyLimitMicros} />
      </section>
      <section class="card wide" aria-labelledby="calendar">
        <h2 id="calendar">Cost by day (UTC)</h2>
        <${Calendar} plan=${plan} />
      </section>
      <section class="card wide" aria-labelledby="seasons">
        <h2 id="seasons">Busier and quieter</h2>
        <${Seasons} plan=${plan} />
      </section>
    </div>
  `;
}

function LaneCard({ lane, words, plan }) {
  const { shown, errorToNaive, expected, low, high, photoMicros } = plan.lanes[lane];
  const days = plan.days.map(({ day }) => day);
  const record =
    errorToNaive === null
      ? "It has no record yet: that takes eight weeks of forecasts."
      : shown === "naive"
        ? `The last week again is shown: over eight weeks the forecast missed by ${percent(errorToNaive, 1, 0)} of what that missed by.`
        : `Over eight weeks it missed by ${percent(errorToNaive, 1, 0)} of what repeating the last week would have missed by.`;
  const rows = expected.map((photos, n) => [days[n], photos.toFixed(1), low ? `${low[n].toFixed(1)} to ${high[n].toFixed(1)}` : "–"]);
  return html`
    <section class="card" aria-labelledby=${`ahead-${lane}`}>
      <h2 id=${`ahead-${lane}`}>${words}: photos a day</h2>
      <p><span class="figure">${whole(Math.round(total(expected)))}</span> in ${plural(expected.length, "day")}, at ${dollars(Math.round(photoMicros))} each</p>
      <${Band} past=${plan.past.map((each) => each.asked[lane] ?? 0)} expected=${expected} low=${low} high=${high} words=${words} />
      <p class="quiet">${low ? "Band: nine of ten days lie within." : "No band yet: it comes from four weeks of forecasts that were issued."} ${record}</p>
      <details><summary class="link">Show as table</summary><${Table} columns=${["Day", ">Photos", ">Nine of ten days"]} rows=${rows} /></details>
    </section>
  `;
}

function Planning({ planning, limit }) {
  if (!planning) return html`<p class="quiet">This takes eight forecasts of five weeks that are over.</p>`;
  const set = limit === undefined ? "the default limit" : dollars(limit);
  return html`
    <p><span class="figure">${dollars(planning.instantLimit)}</span> a day closes the instant lane on at most one day in a hundred</p>
    <p>${dollars(planning.limit)} does for the batch lane alone. With ${set}, instant closes on ${percent(planning.instantClosedShare, 1)} of days, and both lanes on ${percent(planning.closedShare, 1)}.</p>
    <p class="quiet">By what the five weeks bring in each way in which earlier forecasts went wrong, with all batches of a day held at the most that they can cost. <a href="#settings">Set the limit</a></p>
  `;
}

/** Days from the first of this month to the last one of the forecast, in weeks from Monday on. */
function Calendar({ plan }) {
  const begins = `${plan.first.slice(0, 7)}-01`;
  const past = plan.past.filter(({ day }) => day >= begins).map((each) => ({ ...each, over: true }));
  const all = [...past, ...plan.days];
  const most = Math.max(...all.map(({ micros }) => micros), 1);
  const byDay = Object.fromEntries(all.map((each) => [each.day, each]));
  const weeks = weeksOf(all[0].day, all.at(-1).day);
  const rows = weeks.map((week) => [week[0], ...week.map((day) => (byDay[day] ? html`<${Cell} of=${byDay[day]} most=${most} />` : ""))]);
  return html`
    <${Table} columns=${["Week of", ...WEEKDAYS]} rows=${rows} />
    <p class="quiet">≈ is expected, under the limits; darker is more. ${dollars(total(past.map(({ micros }) => micros)))} were spent this month before ${plan.first}.</p>
  `;
}

function Cell({ of: { day, micros, low, high, waiting, over }, most }) {
  const shade = Math.ceil((SHADES * micros) / most);
  return html`
    <span class=${`shade shade-${shade}`} title=${low == null ? day : `${day}: ${dollars(low)} to ${dollars(high)}`}>
      ${Number(day.slice(8))} <strong>${over ? "" : "≈ "}${dollars(micros)}</strong>${waiting > 0 && html` <span class="warn">${whole(waiting)} wait</span>`}
    </span>
  `;
}

function weeksOf(first, last) {
  const day = new Date(`${first}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  const weeks = [];
  while (day.toISOString().slice(0, 10) <= last) {
    weeks.push(WEEKDAYS.map((_, n) => new Date(day.getTime() + n * 86_400_000).toISOString().slice(0, 10)));
    day.setUTCDate(day.getUTCDate() + 7);
  }
  return weeks;
}

function Seasons({ plan: { weekdays, hours, months } }) {
  if (!weekdays) return html`<p class="quiet">This takes a week with photos.</p>`;
  const times = (n) => `${n.toFixed(2)} ×`;
  const most = Math.max(...(hours ?? [1]));
  const cell = (n) => html`<span class=${`shade shade-${Math.ceil((SHADES * n) / most)}`}>${n.toFixed(1)}</span>`;
  const rows = WEEKDAYS.map((name, day) => [name, times(weekdays[day]), ...(hours ?? []).slice(24 * day, 24 * day + 24).map(cell)]);
  const named = Object.entries(months).map(([month, n]) => `${MONTHS[month - 1]} ${times(n)}`);
  return html`
    <${Table} columns=${["UTC", ">Whole day", ...(hours ? Array.from({ length: 24 }, (_, hour) => `${hour}`) : [])]} rows=${rows} />
    <p class="quiet">Times a mean day, and times a mean hour of the week, by the last eight weeks. ${named.length ? `Months, times a mean month: ${named.join(", ")}.` : "Months are compared after a year."}</p>
  `;
}
