// A flag's two paths side by side: what their calls came to, and a test's result. While a test is on, how far it is.
import { html } from "../vendor/ui.js";
import { dollars, exact, percent, plural, relative, whole } from "../lib/format.js";
import { total } from "./figures.js";

const ARMS = { old: "Old path", new: "New path" };
const NOTHING = { started: 0, ended: 0, failed: 0, micros: 0, ms: {} };
const METRICS = { failed: "failed calls", slow: "calls slower than the old path's slowest 5 %" };
const PERCENTS = [0.5, 0.95];

const share = (rate) => percent(rate, 1, 2);
const points = (difference) => `${difference < 0 ? "−" : "+"}${Math.abs(100 * difference).toFixed(2)}`;
const sumOf = (times) => total(Object.values(times));
const rateOf = ({ hit, calls }) => `${share(hit / calls)} (${whole(hit)} of ${whole(calls)})`;

/** Within how many seconds this share of the calls had ended, in words. Bucket n ends at `firstMs` times 2^n. */
function within(counts, wanted, { firstMs, last }) {
  const all = sumOf(counts.ms);
  let seen = 0;
  for (let bucket = 0; all && bucket <= last; bucket++) {
    seen += counts.ms[bucket] ?? 0;
    if (seen >= wanted * all) return bucket < last ? `${(firstMs * 2 ** bucket) / 1000} s` : `over ${(firstMs * 2 ** (last - 1)) / 1000} s`;
  }
  return "–";
}

/** Whether nothing of what the paths came to may be shown: an operator who looks early finds what is not there. */
export const hidden = (state) => Boolean(state?.watch?.test && !state.watch.test.result && !state.stopped);

export function Paths({ flag, rules, state, times, now }) {
  const { watch } = state;
  if (!watch) return html`<p class="quiet">Nothing is counted yet: the guard looks once a minute while a flag is on.</p>`;
  if (hidden(state)) return html`<${TestSoFar} flag=${flag} test=${watch.test} totals=${watch.totals} now=${now} />`;
  const columns = Object.keys(ARMS).map((arm) => ({ arm, counts: watch.totals[arm] ?? NOTHING, bounds: watch.bounds[arm] ?? [0, 1] }));
  const limit = rules && rules.errorPercentMax / 100;
  return html`
    <${Intervals} columns=${columns} limit=${limit} />
    <${SideBySide} flag=${flag} columns=${columns} times=${times} />
    <p class="quiet">
      Counted until <span title=${exact(watch.at)}>${relative(watch.at, now)}</span>. Bounds hold with 95 % certainty however often one looks.
    </p>
    ${watch.test?.result && html`<${Result} test=${watch.test} />`}
  `;
}

/** The share of failed calls of each path as an interval; the table beside it has the same. */
function Intervals({ columns, limit }) {
  const top = Math.min(1.1 * Math.max(limit ?? 0, ...columns.map(({ bounds }) => bounds[1])), 1);
  const x = (rate) => `${(100 * Math.min(rate, top)) / top}%`;
  const said = columns.map(({ arm, counts, bounds }) => `${ARMS[arm]} ${failedShare(counts)}, between ${bounds.map(share).join(" and ")}`);
  const right = limit > top / 2;
  return html`
    <p class="quiet">Failed, of all calls: line from bound to bound, dot where it is${limit ? "; dashed: the limit" : ""}.</p>
    <svg class="intervals" width="100%" height="136" role="img" aria-label=${`Failed, of all calls. ${said.join(". ")}.${limit ? ` Limit ${share(limit)}.` : ""}`}>
      ${limit &&
      html`
        <line class="limit" x1=${x(limit)} x2=${x(limit)} y1="18" y2="112" />
        <text x=${x(limit)} y="12" text-anchor=${right ? "end" : "start"}>limit ${share(limit)}</text>
      `}
      ${columns.map(({ arm, counts, bounds }, row) => {
        const y = 52 + 44 * row;
        return html`
          <text x="0" y=${y - 14}>${ARMS[arm]} ${failedShare(counts)}</text>
          <line class=${arm} x1=${x(bounds[0])} x2=${x(bounds[1])} y1=${y} y2=${y} />
          ${counts.ended > 0 && html`<circle class=${arm} cx=${x(counts.failed / counts.ended)} cy=${y} r="3" />`}
        `;
      })}
      <line class="axis" x1="0" x2="100%" y1="112" y2="112" />
      <text x="0" y="130">0 %</text>
      <text x="100%" y="130" text-anchor="end">${share(top)}</text>
    </svg>
  `;
}

const failedShare = ({ failed, ended }) => (ended ? share(failed / ended) : "no call yet");

function SideBySide({ flag, columns, times }) {
  const rows = {
    Calls: ({ counts }) => whole(counts.ended),
    "In flight": ({ counts }) => whole(Math.max(counts.started - counts.ended, 0)),
    Failed: ({ counts }) => whole(counts.failed),
    "Failed, of all": ({ counts }) => failedShare(counts),
    "Between, with 95 % certainty": ({ bounds }) => bounds.map(share).join(" to "),
    ...Object.fromEntries(PERCENTS.map((each) => [each === 0.5 ? "Half within" : "95 % within", ({ counts }) => within(counts, each, times)])),
    "Cost of a call": ({ counts }) => (counts.ended ? dollars(Math.round(counts.micros / counts.ended)) : "–"),
  };
  return html`
    <div class="scroll" tabindex="0">
      <table class="prose">
        <caption class="quiet">Both paths of ${flag}; times are of instant calls</caption>
        <thead><tr><td></td>${columns.map(({ arm }) => html`<th key=${arm} scope="col" class="number">${ARMS[arm]}</th>`)}</tr></thead>
        <tbody>
          ${Object.entries(rows).map(
            ([name, of]) => html`<tr key=${name}><th scope="row">${name}</th>${columns.map((column) => html`<td key=${column.arm} class="number">${of(column)}</td>`)}</tr>`,
          )}
        </tbody>
      </table>
    </div>
  `;
}

function TestSoFar({ flag, test, totals, now }) {
  const calls = (counts) => (test.metric === "slow" ? sumOf(counts.ms) : counts.ended);
  const since = (arm) => calls(totals[arm] ?? NOTHING) - calls(test.first[arm] ?? NOTHING);
  const done = Math.min(...Object.keys(ARMS).map(since));
  const said = `${whole(done)} of ${whole(test.calls)} calls of each path`;
  return html`
    <p class="notice" role="status">
      A test of ${METRICS[test.metric] ?? test.metric} is on since <span title=${exact(test.since)}>${relative(test.since, now)}</span>: ${said}.
      Its result, and what the paths came to, are shown after them.
    </p>
    <progress max=${test.calls} value=${done} aria-label=${`Test of ${flag}: ${said}`}></progress>
  `;
}

function Result({ test: { metric, since, result } }) {
  const { old, new: fresh, difference, low, high } = result;
  const found = low > 0 ? "The new path has more of them." : high < 0 ? "The new path has fewer of them." : "No difference is proven.";
  return html`
    <p class="notice" role="status">
      The test of ${METRICS[metric] ?? metric} has ended: ${found} Old path ${rateOf(old)}, new path ${rateOf(fresh)}: a difference of
      ${" "}${points(difference)} percentage points, between ${points(low)} and ${points(high)} with 95 % certainty.
      <span class="quiet"> It began on ${exact(since)} and took ${plural(old.calls + fresh.calls, "call")}.</span>
    </p>
  `;
}
