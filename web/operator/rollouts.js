// Rollouts: where each flag stands and why, both of its paths side by side, and what an operator can do about it.
import { doc } from "../vendor/firebase.js";
import { html, useEffect, useState } from "../vendor/ui.js";
import { day, exact, plural, relative, whole } from "../lib/format.js";
import { useLive, useNow } from "../lib/live.js";
import { decide, shareOf } from "./arms.js";
import { FlagActions } from "./flag_actions.js";
import { storedAt } from "./settings.js";
import { hidden, Paths } from "./paths.js";
import { readBy } from "./reading.js";

const BY = { detector: "the guard", process: "a process that saw it fail", operator: "an operator" };
const OLD = "Everybody is on the old path.";
const LACKS = "without a value";

/** What this browser has of a document: undefined before the server has said whether there is one. */
const known = (snapshot) => (snapshot.exists() || !snapshot.metadata.fromCache ? (snapshot.data() ?? {}) : undefined);

const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Returns {value}, or {value: null, problem: the field that cannot be read}; {} while it is not known. */
function attempt(read) {
  try {
    return { value: read() };
  } catch (unreadable) {
    return { value: null, problem: unreadable.message };
  }
}

function rulesOf(flag, config, facts) {
  if (!config) return {};
  const section = config.flags ?? {};
  if (!isMap(section)) return { value: null, problem: "flags" };
  const found = attempt(() => readBy(facts.rules, section[flag] === undefined ? {} : section[flag], facts.rules.$defs, `flags.${flag}`));
  const uid = new RegExp(facts.uid, "u");
  const strange = found.value && [...found.value.allow, ...found.value.deny].some((each) => !uid.test(each));
  return strange ? { value: null, problem: `a user's id in flags.${flag}` } : found;
}

const stateOf = (flag, stored, facts) =>
  stored ? attempt(() => readBy(facts.state, stored[flag] === undefined ? {} : stored[flag], facts.state.$defs, flag)) : {};

/** The share of users that the guard has seen, null if it has not looked: it knows the deploy's ceiling, this page does not. */
const shareSeen = ({ value }) => (value?.watch && value.watch.epoch === value.epoch ? value.watch.stage.share : null);

/** Everything known of one flag: its facts, `rules` and `state` as {value, problem}, `share` of users
 * by the rules, of whom the new path `serves` so many percent, and `standing`: what it is in words. */
export function flagView(flag, config, stored, facts) {
  const [rules, state] = [rulesOf(flag, config, facts), stateOf(flag, stored, facts)];
  const { brings } = facts.flags[flag];
  const lacks = brings !== "" && !storedAt(config ?? {}, brings);
  const view = { flag, ...facts.flags[flag], rules, state, lacks, share: rules.value ? shareOf(rules.value, facts.stages) : null };
  const served = { ...view, serves: Math.min(view.share, shareSeen(state) ?? view.share) };
  return { ...served, standing: standingOf(served) };
}

function standingOf({ rules, state, lacks, brings, share, serves }) {
  const { stopped, watch } = state.value ?? {};
  if (stopped) return { word: "stopped", tone: "warn", why: `Stopped by ${BY[stopped.by] ?? stopped.by}: ${stopped.why}.`, at: stopped.at };
  if (state.value === null) return unreadable(state.problem, "stats/rollouts", "Stop it, which writes a state that can be read; then restart it.");
  if (rules.value === null) return unreadable(rules.problem, "config/runtime", "Mend it there, or in Settings.");
  if (!state.value || !rules.value) return { word: "loading" };
  if (rules.value.cohort === "off") return { word: "off", why: OLD };
  if (lacks) return { word: LACKS, tone: "warn", why: `${brings} names none: set it in Settings. ${OLD}` };
  const who = serves ? `${serves} % of users take` : share ? "Nobody takes" : "Only users who are named take";
  if (watch?.verdict !== "hold") return { word: "running", why: `${who} the new path.` };
  const why = hidden(state.value) ? "the reason has figures of the test, and is shown when it has ended" : watch.why;
  return { word: "on hold", tone: "warn", why: `No stage begins by itself: ${why}.` };
}

const unreadable = (field, path, mend) => ({ word: "cannot be read", tone: "bad", why: `${field} in ${path} is not valid. ${OLD} ${mend}` });

export function Rollouts({ cloud }) {
  const now = useNow();
  const config = useLive(() => doc(cloud.db, "config/runtime"), known, []);
  const states = useLive(() => doc(cloud.db, "stats/rollouts"), known, []);
  const [facts, setFacts] = useState(null);
  const [missing, setMissing] = useState(false);
  useEffect(() => {
    fetch("/operator/rollouts.json").then((answer) => answer.json()).then(setFacts, () => setMissing(true));
  }, []);
  if (missing) return html`<p class="notice error" role="alert">The list of flags could not be loaded. Reload the page; <code>admin rollout stop</code> works without it.</p>`;
  if (!facts) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
  const views = Object.keys(facts.flags).map((flag) => flagView(flag, config.value, states.value, facts));
  return html`
    <${Sentence} views=${views} />
    <${AsOf} of=${[config, states]} now=${now} />
    <div class="grid">
      ${views.map((view) => html`<${FlagCard} key=${view.flag} cloud=${cloud} view=${view} facts=${facts} stored=${config.value} unsure=${config.stale || Boolean(config.error)} now=${now} />`)}
    </div>
    <${Explain} views=${views} facts=${facts} />
  `;
}

function Sentence({ views }) {
  if (views.some(({ standing }) => standing.word === "loading")) return html`<div class="skeleton say" role="status" aria-label="Loading"></div>`;
  const of = (word) => views.filter(({ standing }) => standing.word === word).map(({ flag }) => flag);
  const said = ["cannot be read", "stopped", "on hold", LACKS].flatMap((word) => of(word).map((flag) => `${flag} ${word === "cannot be read" ? word : `is ${word}`}`));
  const running = views.filter(({ standing }) => standing.word === "running").map(({ flag, share, serves }) => `${flag} runs for ${share ? `${serves} % of users` : "named users"}`);
  const tone = of("cannot be read").length ? "bad" : said.length ? "warn" : "";
  return html`<p class=${`say ${tone}`} role="status">${[...said, ...running].join("; ") || "Nothing is being rolled out"}.</p>`;
}

function AsOf({ of, now }) {
  const denied = of.find(({ error }) => error);
  if (denied) return html`<p class="notice error" role="alert">Some of this cannot be shown: ${denied.error.code}. A flag can still be stopped.</p>`;
  if (of.some(({ value }) => value === undefined)) return html`<p class="quiet" role="status">Loading. A flag can be stopped meanwhile.</p>`;
  if (of.some(({ stale }) => stale)) return html`<p class="warn" role="status">Connection lost. This is from ${relative(Math.min(...of.map(({ at }) => at ?? now)), now)}.</p>`;
  return html`<p class="quiet" role="status">As of ${new Date(now).toISOString().slice(11, 19)} UTC · live</p>`;
}

function FlagCard({ cloud, view, facts, stored, unsure, now }) {
  const { flag, does, owner, until, rules, state, standing } = view;
  const late = day(new Date(now)) > until;
  return html`
    <section class="card" aria-labelledby=${`flag-${flag}`}>
      <h2 id=${`flag-${flag}`} tabindex="-1">${flag}: <span class=${standing.tone ?? ""}>${standing.word}</span></h2>
      ${standing.why && html`<p>${standing.why}${standing.at && html`${" "}<span class="quiet" title=${exact(standing.at)}>${relative(standing.at, now)}</span>`}</p>`}
      <${Stage} view=${view} facts=${facts} now=${now} />
      <${FlagActions} cloud=${cloud} view=${view} facts=${facts} stored=${stored} unsure=${unsure} />
      ${state.value && html`<${Paths} flag=${flag} rules=${rules.value} state=${state.value} times=${facts.times} now=${now} />`}
      <p class="quiet">
        ${does} Owner: ${owner}. ${" "}
        <span class=${late ? "bad" : ""}>It has to be gone from the code by ${until}${late ? ", which is past" : ""}.</span>
      </p>
    </section>
  `;
}

function Stage({ view: { flag, rules, state, share, serves }, facts, now }) {
  if (!rules.value || rules.value.cohort === "off") return null;
  const { cohort, percent, autoAdvance, hoursPerStage, callsPerStageMin, testMetric } = rules.value;
  if (state.value?.stopped) return html`<p class="quiet">The settings say ${cohort}, ${share} % of users: a restart begins there.</p>`;
  const { stage, totals } = (shareSeen(state) !== null && state.value.watch) || {};
  const following = percent === null && testMetric === null ? facts.stages[cohort].next : null;
  return html`
    <p>
      Stage <strong>${cohort}, ${share} % of users</strong>${percent === null ? "" : ` (by flags.${flag}.percent)`}
      ${stage && html`, since <span title=${exact(stage.since)}>${relative(stage.since, now)}</span>: ${plural((totals.new?.ended ?? 0) - stage.ended, "call")} of its new path`}.
    </p>
    ${serves < share && html`<p class="warn">The guard has seen ${serves} %: the deploy's ceiling, FLAGS, keeps it there, or this has changed within the last minute.</p>`}
    ${testMetric !== null && !state.value?.watch?.test && html`<p>A test of ${testMetric} begins with the guard's next look, or when there are enough calls to say what is slow.</p>`}
    ${following &&
    html`<p class="quiet">
      ${autoAdvance
        ? `The next one, ${following} (${shareOf({ ...rules.value, cohort: following }, facts.stages)} %), begins by itself after ${plural(hoursPerStage, "hour")} and ${whole(callsPerStageMin)} calls, once the new path is proven to be no worse.`
        : "No stage begins by itself."}
    </p>`}
  `;
}

const REASONS = {
  ERROR: () => "the rules or the state cannot be read, or its new path has no value",
  DISABLED: () => "it is off, stopped, or closed by FLAGS",
  TARGETING_MATCH: () => "the user is on a list",
  SPLIT: (percent) => `the user is among ${percent} %`,
  DEFAULT: (percent) => `the user is not among ${percent} %`,
};

/** Which path a user takes: under the rules, and under what the guard has seen of the deploy's ceiling. */
async function explain(uid, { flag, rules, state, lacks, share, serves }, facts) {
  if (rules.value === undefined || state.value === undefined) return "not known yet: the page is still loading.";
  const { epoch, stopped } = state.value ?? { epoch: null };
  const usable = lacks && rules.value?.cohort !== "off" ? null : rules.value;
  const under = async (ceiling) => ({ ceiling, ...(await decide(flag, usable, uid, facts, { epoch, stopped: Boolean(stopped), ceiling })) });
  const [ruled, capped] = [await under(100), await under(serves < share ? serves : 100)];
  const told = ({ arm, why, ceiling }) => `${arm === "old" ? "the old path" : "the new path"}. ${why}: ${REASONS[why](Math.min(share, ceiling))}`;
  if (ruled.arm === capped.arm && ruled.why === capped.why) return `${told(ruled)}.`;
  return `${told(capped)}, as the guard has seen it. Without the deploy's ceiling, FLAGS, or if this has changed within the last minute: ${told(ruled)}.`;
}

function Explain({ views, facts }) {
  const [uid, setUid] = useState("");
  const [told, setTold] = useState([]);
  const wrong = uid !== "" && !new RegExp(facts.uid, "u").test(uid);
  const seen = JSON.stringify(views.map(({ flag, rules, state, lacks }) => [flag, rules, state.value?.epoch, state.value?.stopped, shareSeen(state), lacks]));
  useEffect(() => {
    let current = true;
    const lines = uid === "" || wrong ? [] : views.map(async (view) => [view.flag, await explain(uid, view, facts)]);
    Promise.all(lines).then((found) => current && setTold(found));
    return () => {
      current = false;
    };
  }, [uid, seen]);
  const ask = (event) => {
    event.preventDefault();
    setUid(new FormData(event.target).get("uid").trim());
  };
  return html`
    <section class="card" aria-labelledby="explain">
      <h2 id="explain">Which path does a user take?</h2>
      <form class="row" onSubmit=${ask}>
        <label class="grow">Id of the user (uid)<input type="search" name="uid" autocomplete="off" required /></label>
        <button class="button">Explain</button>
      </form>
      <div aria-live="polite">
        ${wrong && html`<p class="bad">This is no user's id.</p>`}
        ${told.length > 0 && html`<ul class="list">${told.map(([flag, words]) => html`<li key=${flag}><strong>${flag}</strong>: ${uid} takes ${words}</li>`)}</ul>`}
      </div>
      <p class="quiet">As new calls are decided now. This page knows the deploy's ceiling, FLAGS, only by what the guard has seen; <code>admin flag explain</code> knows it.</p>
    </section>
  `;
}
