// What the last days would have been under settings that are not applied: asked of the functions, which go by what the
// guard has noted. Every figure is a sum of the rows below it.
import { html, useEffect, useState } from "../vendor/ui.js";
import { dollars, plural, whole } from "../lib/format.js";
import { bill } from "../lib/live.js";
import { total } from "./figures.js";

const PAUSE_MS = 400;
const LOOK_READS = 64;

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
  return html`
    <details>
      <summary class="link">Day by day</summary>
      <div class="scroll" tabindex="0">
        <table>
          <thead>
            <tr>
              <th scope="col">Day (UTC)</th>
              <th scope="col" class="number">Did cost</th>
              <th scope="col" class="number">As set now</th>
              <th scope="col" class="number">With the change</th>
              ${Object.entries(COLUMNS).map(([name, words]) => html`<th scope="col" class="number" key=${name}>${words}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${days.map(
              ({ day, micros }) => html`
                <tr key=${day}>
                  <th scope="row">${day}</th>
                  <td class="number">${dollars(micros)}</td>
                  <td class="number">${dollars(asSet[day].micros)}</td>
                  <td class="number">${dollars(changed[day].micros)}</td>
                  ${Object.keys(COLUMNS).map((name) => html`<td class="number" key=${name}>${whole(changed[day][name])}</td>`)}
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </details>
  `;
}

/** What changes for a photo and a user, as `simulate-price` says it. */
function Figures({ figures }) {
  if (!figures.length) return null;
  const said = (unit, value) => (unit === "micros" ? dollars(value) : `${whole(value)} ${unit}`);
  return html`
    <details>
      <summary class="link">For a photo and a user</summary>
      <div class="scroll" tabindex="0">
        <table>
          <thead>
            <tr><th scope="col">Figure</th><th scope="col" class="number">Now</th><th scope="col" class="number">Then</th><th scope="col">How it comes about</th></tr>
          </thead>
          <tbody>
            ${figures.map(
              ({ name, unit, now, then, arithmetic }) => html`
                <tr key=${name}>
                  <th scope="row">${name}</th>
                  <td class="number">${said(unit, now)}</td>
                  <td class="number">${said(unit, then)}</td>
                  <td>${arithmetic}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </details>
  `;
}
