// What the last days would have been under settings that are not applied: asked of the functions, which go by what the
// guard has noted. Every figure is a sum of the rows below it.
import { html, useEffect, useState } from "../vendor/ui.js";
import { dollars, plural, whole } from "../lib/format.js";
import { bill } from "../lib/live.js";
import { Table } from "../lib/table.js";
import { total } from "./figures.js";

const PAUSE_MS = 400;
const LOOK_READS = 66;

/** Asks what `changes` (nested, as they are applied) would have meant; null while there are none. Returns undefined while
 * the answer comes, {problem} in words, or the answer of admin_days. */
function useTrial(cloud, changes) {
  const asked = changes && JSON.stringify(changes);
  const [trial, setTrial] = useState({});
  useEffect(() => {
    if (!asked) return undefined;
    let gone = false;
    const ask = () => {
      bill.reads += LOOK_READS;
      cloud.call("admin_days", { changes: JSON.parse(asked) }).then(
        (answer) => gone || setTrial({ asked, answer }),
        (refusal) => gone || setTrial({ asked, answer: { problem: refusal.forOperators } }),
      );
    };
    const timer = setTimeout(ask, PAUSE_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [asked]);
  return trial.asked === asked ? trial.answer : undefined;
}

export function WhatIf({ cloud, changes }) {
  const answer = useTrial(cloud, changes);
  if (!changes) return null;
  return html`
    <section class="stack" aria-labelledby="what-if">
      <h3 id="what-if">What it would have meant</h3>
      <div class="stack" aria-live="polite">
        ${!answer && html`<p class="quiet">Going through the last days …</p>`}
        ${answer?.problem && html`<p class="bad">${answer.problem}</p>`}
        ${answer && !answer.problem && html`<${Said} ...${answer} />`}
      </div>
      ${answer?.whatIf && html`<${Days} days=${answer.days} ...${answer.whatIf} /><${Figures} figures=${answer.whatIf.figures} />`}
    </section>
  `;
}

/** The sums, in words. */
function Said({ days, daysLeast, whatIf }) {
  if (!whatIf)
    return html`<p class="quiet">Too few days: ${plural(days.length, "day")} can be gone through so far, and a trial needs ${daysLeast} with photos.</p>`;
  const [before, after] = [whatIf.asSet, whatIf.changed].map((each) => Object.values(each));
  const sum = (rows, name) => total(rows.map((row) => row[name]));
  const asked = total(days.map((row) => row.asked.instant));
  const fate = (rows) => [
    `${whole(sum(rows, "moved"))} of ${plural(asked, "instant photo")} moved to Later`,
    `${whole(sum(rows, "waiting"))} waited over a midnight`,
    `${whole(sum(rows, "refunded"))} refunded for want of room`,
  ];
  return html`
    <p>
      The last ${plural(days.length, "day")} would have cost <strong>${dollars(sum(after, "micros"))}</strong> with this change,
      ${" "}${dollars(sum(before, "micros"))} as it is set now; they did cost ${dollars(total(days.map((row) => row.micros)))}.
    </p>
    <p>With this change: ${fate(after).join(", ")}. As it is set now: ${fate(before).join(", ")}.</p>
    <p class="quiet">
      Users would have paid ${plural(sum(after, "tokens"), "token")} instead of ${whole(sum(before, "tokens"))}. Nobody is assumed to ask for
      more or fewer photos.${whatIf.notInDays.length > 0 && html` <strong>Not in these days: ${whatIf.notInDays.join(", ")}.</strong>`}
    </p>
  `;
}

const COLUMNS = { instant: "Instant", batch: "Later", moved: "Moved", waiting: "Waiting", refunded: "Refunded" };

function Days({ days, asSet, changed }) {
  const columns = ["Day (UTC)", ">Did cost", ">As set now", ">With the change", ...Object.values(COLUMNS).map((words) => `>${words}`)];
  const rows = days.map(({ day, micros }) => [
    day,
    ...[micros, asSet[day].micros, changed[day].micros].map(dollars),
    ...Object.keys(COLUMNS).map((name) => whole(changed[day][name])),
  ]);
  return html`<details><summary class="link">Day by day</summary><${Table} columns=${columns} rows=${rows} /></details>`;
}

/** What changes for a photo and a user, as `simulate-price` says it. */
function Figures({ figures }) {
  if (!figures.length) return null;
  const said = (unit, value) => (unit === "micros" ? dollars(value) : `${whole(value)} ${unit}`);
  const rows = figures.map(({ name, unit, now, then, arithmetic }) => [name, said(unit, now), said(unit, then), arithmetic]);
  return html`
    <details>
      <summary class="link">For a photo and a user</summary>
      <${Table} columns=${["Figure", ">Now", ">Then", "How it comes about"]} rows=${rows} />
    </details>
  `;
}
