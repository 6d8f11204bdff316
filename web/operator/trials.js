// Trials: a recommendation that changes answers, asked of recent photos in one batch, against the answers they had.
import { html } from "../vendor/ui.js";
import { date, day, dollars, percent, plural, whole } from "../lib/format.js";
import { now as timeNow } from "../lib/clock.js";

export const PHOTOS = 100;
const VALID_MS = 30 * 24 * 3_600_000;

const same = (one, other) => {
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return one === other;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => name in other && same(one[name], other[name]));
};

/** Whether what a trial tried is what is recommended now, against what was asked when that was reckoned, and not too long ago. */
const isOf = (trial, changes, asked) =>
  Boolean(trial?.found) && same(trial.changes, changes) && trial.base === asked.model && (trial.basePrompt || trial.prompt) === asked.prompt && [null, undefined, asked.sideMax].includes(trial.baseSideMax) && [asked.prompt, asked.promptNext].includes(trial.prompt) && timeNow() - date(trial.found.at) <= VALID_MS;

/** Whether these changes were tried against what is `asked` now, and passed. */
export const passed = (trial, changes, asked) => isOf(trial, changes, asked) && trial.found.passed;

export function Trial({ kind, words, changes, trials, asked, micros, busy, attempt }) {
  const running = trials?.running;
  const ended = isOf(trials?.ended?.[kind], changes, asked) ? trials.ended[kind] : null;
  const cost = micros === undefined ? "" : `, about ${dollars(Math.round(PHOTOS * micros))} at the price of batches`;
  return html`
    ${ended && html`<${Found} ...${ended} />`}
    ${!ended && !running && html`<p class="quiet">Answers may change: it is offered once it was tried on ${PHOTOS} recent photos, in one batch that no user pays for or sees${cost}.</p>`}
    ${running?.kind === kind
      ? html`<p role="status">Being tried on ${plural(running.photos, "photo")} since ${day(date(running.at))}, by ${running.by}.</p>`
      : html`<div><button class="button" disabled=${busy || Boolean(running)} onClick=${() => attempt(kind)}>${ended ? "Try again" : `Try on ${PHOTOS} photos`}: ${words}</button></div>`}
  `;
}

/** What came of a trial: agreement in nine of ten cases, tokens and cost before and after, and why it is offered or not. */
function Found({ kind, found, photos }) {
  const { answered, low, high, leftOut, before, after, bar } = found;
  const each = (sum) => whole(Math.round(sum / answered));
  const share = (part) => percent(part, 1);
  if (!answered) return html`<p class="bad">Tried ${day(date(found.at))}: none of ${plural(photos, "photo")} could be compared.</p>`;
  return html`
    <p>
      Tried ${day(date(found.at))}: <strong>${whole(found.same)} of ${plural(answered, "answer")}</strong> send their user the same way, between ${share(low)} and ${share(high)} in nine of ten cases.
      ${leftOut > 0 && ` ${plural(leftOut, "photo")} left out: gone by then, or not answered.`}
    </p>
    <p class="quiet">Tokens a photo: ${each(before.input)} → ${each(after.input)} in, ${each(before.output)} → ${each(after.output)} out. Cost a batch photo: ${each(before.micros)} → ${each(after.micros)} µ$.</p>
    ${kind !== "itself" &&
    html`<p class=${found.passed ? "good" : "bad"}>
      ${found.passed ? "It passed" : "It did not pass, and is not offered"}: the lower bound ${share(low)} is ${found.passed ? "not " : ""}below ${share(bar)}, which is 97 % of how often the model agrees with itself.
    </p>`}
  `;
}

export function Itself({ trials, asked, micros, busy, attempt }) {
  return html`
    <section class="card" aria-labelledby="itself">
      <h2 id="itself">How often the model agrees with itself</h2>
      <p class="quiet">The same photos asked the same way again. Trials are held against this; while nobody has looked it counts as always.</p>
      <${Trial} kind="itself" words="the same way again" changes=${{}} trials=${trials} asked=${asked} micros=${micros} busy=${busy} attempt=${attempt} />
    </section>
  `;
}
