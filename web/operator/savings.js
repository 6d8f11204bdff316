// Savings: what would cost less, how that is computed and what it risks; one click, undo, and what it has come to.
import { doc } from "../vendor/firebase.js";
import { html, useState } from "../vendor/ui.js";
import { date, dollars, exact, percent, plural } from "../lib/format.js";
import { dataOf, useLive } from "../lib/live.js";
import { Table } from "../lib/table.js";
import { changesOf, said, storedAt } from "./settings.js";
import { Itself, Trial, passed } from "./trials.js";

const WORDS = {
  lane_share: "Move instant photos to Later",
  image_side: "Send smaller photos",
  answer_length: "Ask for shorter answers",
  model: "Ask a cheaper model",
  provider: "Ask another provider first",
  attempts: "Try a failed photo less often",
  cache: "Answer the same photo from the cache",
  batch_size: "Larger batches",
  waiting: "Batches that wait for more photos",
  allowance: "Fewer free tokens",
  prompt_cache: "The provider's prompt cache",
  off_peak: "Quiet hours",
};
// Who gets the photos people decide.
const BY_PEOPLE = new Set(["provider"]);
const VERDICTS = { measuring: "being measured", saves: "it saves", costs: "it costs more", undecided: "no difference can be told" };

/** Whether a field is as a change has left it, or at a later stage of its flag. */
const stands = ({ field, after }, now) => said(now) === said(after) || (/^flags\.\w+\.cohort$/.test(field) && ![null, "off"].includes(now));

/** The leaves of nested changes as [[dotted name, value]]. */
const leavesOf = (changes, prefix = "") =>
  Object.entries(changes).flatMap(([name, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value) ? leavesOf(value, `${prefix}${name}.`) : [[prefix + name, value]],
  );

export function Savings({ cloud }) {
  const trials = useLive(() => doc(cloud.db, "stats/trials"), dataOf, []);
  const live = useLive(() => doc(cloud.db, "forecasts/current"), dataOf, []);
  const config = useLive(() => doc(cloud.db, "config/runtime"), (snapshot) => snapshot.data() ?? {}, []);
  const [notice, setNotice] = useState({});
  const [busy, setBusy] = useState(false);
  if (live.error) return html`<p class="notice error" role="alert">The savings cannot be shown: ${live.error.code}.</p>`;
  if (live.value === undefined || !config.value) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
  const change = async (changes, seen, because, done) => {
    setBusy(true);
    try {
      await cloud.call("admin_set_config", { changes, seen: Object.fromEntries(seen), ...(because && { because }) });
      setNotice({ good: done });
    } catch (refusal) {
      setNotice({ bad: refusal.forOperators });
    }
    setBusy(false);
  };
  const attempt = async (kind) => {
    setBusy(true);
    try {
      const { begun, photos, why } = await cloud.call("admin_try_saving", { kind });
      setNotice(begun ? { good: `Being tried on ${plural(photos, "photo")}. What comes of it stands here within a day.` } : { bad: why });
    } catch (refusal) {
      setNotice({ bad: refusal.forOperators });
    }
    setBusy(false);
  };
  const lineMicros = live.value?.lanes?.batch?.photoMicros;
  const automatic = storedAt(config.value, "ahead.automatic.kinds");
  const byItself = (kind, on) => {
    const kinds = on ? [...(automatic ?? []), kind] : automatic.filter((other) => other !== kind);
    return change({ ahead: { automatic: { kinds } } }, [["ahead.automatic.kinds", automatic]], null, `${WORDS[kind]}: ${on ? "applies itself from now on" : "no longer applies itself"}.`);
  };
  const { savings, measured = [] } = live.value ?? {};
  const of = (way) => savings?.list.filter((each) => (each.way === "nothing") === (way === "nothing")) ?? [];
  const apply = (saving) =>
    change(
      saving.changes,
      leavesOf(saving.changes).map(([field]) => [field, storedAt(config.value, field)]),
      { kind: saving.kind, promised: saving.share },
      `Applied: ${WORDS[saving.kind] ?? saving.kind}. What it comes to stands below in a week.`,
    );
  const undo = ({ change: { kind, changed } }) =>
    change(changesOf(changed.map(({ field, before }) => [field, before])), changed.map(({ field }) => [field, storedAt(config.value, field)]), null, `Undone: ${WORDS[kind] ?? kind}.`);
  return html`
    <${Sentence} savings=${savings} madeAt=${live.value?.madeAt} />
    <div aria-live="polite">
      ${notice.good && html`<p class="good">${notice.good}</p>`}
      ${notice.bad && html`<p class="bad" role="alert">${notice.bad}</p>`}
    </div>
    <div class="grid">${of("some").map((each) => html`<${Saving} key=${each.kind} of=${each} cost=${savings.cost} config=${config.value} busy=${busy} apply=${apply} trials=${trials.value} asked=${savings} attempt=${attempt} micros=${lineMicros} automatic=${automatic ?? []} byItself=${byItself} refused=${live.value.refused ?? []} />`)}</div>
    ${savings?.list.some((each) => each.way === "trial") && html`<${Itself} trials=${trials.value} asked=${savings} micros=${lineMicros} busy=${busy} attempt=${attempt} />`}
    ${measured.length > 0 && html`<${Measured} measured=${measured} refused=${live.value.refused ?? []} config=${config.value} busy=${busy} undo=${undo} />`}
    ${savings &&
    html`
      <section class="card prose" aria-labelledby="nothing">
        <h2 id="nothing">What saves nothing, or nobody can know</h2>
        <${Table} columns=${["What", "Why"]} rows=${of("nothing").map((each) => [WORDS[each.kind] ?? each.kind, `${each.arithmetic}. ${each.risk}`])} />
      </section>
    `}
  `;
}

function Sentence({ savings, madeAt }) {
  if (!savings) return html`<p class="say" role="status">Nothing can be said of savings yet: it takes a forecast, and a photo that cost something.</p>`;
  const { cost, together, model, prompt, sideMax } = savings;
  return html`
    <p class="say" role="status">
      The next 30 days are expected to cost ${dollars(cost)}. All changes together would save ${percent(together, 1, 0)} of it, ${dollars(Math.round(cost * together))}.
    </p>
    <p class="quiet">Each is reckoned alone; together they are applied one after another, so they never come to more than the cost. What applies itself does so one at a time, on record; what costs more is undone.</p>
    ${model && html`<p class="quiet">As of ${exact(date(madeAt))}: ${model} is asked, in the wording ${prompt}${sideMax ? `, with photos of ${sideMax} pixels a side` : ""}. Trials are held against that; what has been changed since, the next plan looks at.</p>`}
  `;
}

function Saving({ of, cost, config, busy, apply, trials, asked, attempt, micros, automatic, byItself, refused }) {
  const { kind, way, share, low, high, arithmetic, risk, changes } = of;
  const offered = way === "apply" || (way === "trial" && passed(trials?.ended?.[kind], changes, asked));
  const money = (part) => dollars(Math.round(part * cost));
  return html`
    <section class="card" aria-labelledby=${`saving-${kind}`}>
      <h2 id=${`saving-${kind}`}>${WORDS[kind] ?? kind}</h2>
      <p><span class="figure">${money(share)}</span> in 30 days, ${percent(share, 1)} of the cost</p>
      <p class="quiet">${low === high ? "" : `Between ${money(low)} and ${money(high)}. `}Risk: ${risk}</p>
      <details><summary class="link">How this is computed</summary><p>${arithmetic}</p></details>
      ${way === "trial" && html`<${Trial} kind=${kind} words=${WORDS[kind] ?? kind} changes=${changes} trials=${trials} asked=${asked} attempt=${attempt} micros=${micros} busy=${busy} />`}
      ${offered &&
      html`
        <ul class="list">${leavesOf(changes).map(([field, value]) => html`<li key=${field}>${field}: ${said(storedAt(config, field))} → <strong>${said(value)}</strong></li>`)}</ul>
        <div><button class="button primary" disabled=${busy || leavesOf(changes).every(([field, value]) => said(storedAt(config, field)) === said(value))} onClick=${() => apply(of)}>Apply: ${WORDS[kind] ?? kind}</button></div>
      `}
      ${refused.includes(kind) && html`<p class="warn">It was to apply itself, and was refused: the log says why (change_refused). Tomorrow's plan looks again.</p>`}
      ${!BY_PEOPLE.has(kind) &&
      html`
        <label>
          <input type="checkbox" checked=${automatic.includes(kind)} disabled=${busy} onChange=${(event) => byItself(kind, event.target.checked)} />
          <span>${WORDS[kind] ?? kind} by itself from now on, up to ${storedAt(config, "ahead.automatic.percentMax") ?? 15} % of the cost</span>
        </label>
      `}
    </section>
  `;
}

function Measured({ measured, refused, config, busy, undo }) {
  const rows = measured.map((each) => {
    const { auditId, kind, day, by, promised, changed, until } = each.change;
    const still = !until && changed.every((one) => stands(one, storedAt(config, one.field)));
    return [
      WORDS[kind] ?? kind,
      `${day} by ${by}`,
      percent(promised, 1),
      each.share === null ? "–" : `${percent(each.share, 1)} (${percent(each.low, 1)} to ${percent(each.high, 1)})`,
      `${VERDICTS[each.verdict] ?? each.verdict}, ${plural(each.days, "day")} known${refused.includes(auditId) ? "; undoing it was refused: the log says why (change_refused)" : ""}`,
      still ? html`<button class="link" disabled=${busy} onClick=${() => undo(each)}>Undo ${WORDS[kind] ?? kind}</button>` : "changed since",
    ];
  });
  return html`
    <section class="card" aria-labelledby="measured">
      <h2 id="measured">What changes have come to</h2>
      <${Table} columns=${["Change", "Made", ">Promised", ">Came about", "Verdict", "Undo"]} rows=${rows} />
      <p class="quiet">A photo's cost in the two weeks after against the two before, in nine of ten cases between these bounds. What came about corrects later promises of the same kind.</p>
    </section>
  `;
}
