// What an operator can do with a flag. Stopping takes one confirmation and a reason, and nothing else that can be read.
import { signOut } from "../vendor/firebase.js";
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { shareOf } from "./arms.js";
import { changesOf, storedAt } from "./settings.js";

const WHY_MAX = 300;
const SEEN_WITHIN = "Functions see it within 30 seconds.";

const said = (value) => (value === null ? "none" : Array.isArray(value) ? value.join(", ") || "nobody" : typeof value === "boolean" ? (value ? "yes" : "no") : String(value));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export function FlagActions({ cloud, view, facts, stored, unsure }) {
  const { flag, rules, state, standing, share, brings, becomes } = view;
  const [asked, setAsked] = useState(null);
  const [notice, setNotice] = useState({});
  const [undo, setUndo] = useState(null);
  const [busy, setBusy] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (asked) box.current.querySelector("input, button").focus();
  }, [asked]);
  /** The place of whoever has no pointer is the card's heading then: the button that was there may be gone. */
  const close = () => {
    setAsked(null);
    document.getElementById(`flag-${flag}`).focus();
  };

  const act = async (work) => {
    setBusy(true);
    try {
      setNotice({ good: await work() });
      close();
    } catch (refusal) {
      const unanswered = "No answer has come: look at the state above, and press again if nothing has changed.";
      setNotice({ bad: refusal.reason ? refusal.forOperators : unanswered, signIn: refusal.details?.problem === "signInAgain" });
    }
    setBusy(false);
  };
  const decideOn = (action, words) => (why) =>
    act(async () => {
      const { changed } = await cloud.call("admin_rollout", { flag, action, why });
      setUndo(null);
      return changed ? `${words} ${SEEN_WITHIN}` : "It was so already.";
    });
  const apply = (changes, seen) =>
    act(async () => {
      const { changed } = await cloud.call("admin_set_config", { changes: changesOf(changes), seen: Object.fromEntries(seen) });
      setUndo(changed.length ? changed : null);
      return changed.length ? `Done. ${SEEN_WITHIN}` : "It was so already.";
    });

  const stop = {
    title: `Stop ${flag}?`,
    lines: ["Everybody goes back to the old path. Calls under way end as they began."],
    reason: true,
    button: `Stop ${flag} for everybody`,
    danger: true,
    go: decideOn("stop", `${flag} is stopped: everybody is on the old path.`),
  };
  const restart = {
    title: `Restart ${flag}?`,
    lines: [`It starts anew at ${rules.value ? `${rules.value.cohort}, ${share} % of users` : "the stage that the settings say"}. What was counted before does not count.`],
    reason: true,
    button: `Restart ${flag}`,
    go: decideOn("restart", `${flag} is running anew.`),
  };
  /** Asks for a change of these fields, leaving out those that are so already; null takes one back to its default. */
  const change = (title, button, fields, ...notes) => {
    const after = (name) => fields[name] ?? facts.rules.properties[name].default;
    const names = Object.keys(fields).filter((name) => !same(rules.value[name], after(name)));
    if (!names.length) return setNotice({ good: "It is so already." });
    const dotted = (name) => `flags.${flag}.${name}`;
    const rows = names.map((name) => `${dotted(name)}: ${said(rules.value[name])} → ${said(after(name))}`);
    const seen = names.map((name) => [dotted(name), storedAt(stored, dotted(name))]);
    return open({ title, lines: [...rows, ...notes], button, go: () => apply(names.map((name) => [dotted(name), fields[name]]), seen) });
  };
  const open = (question) => {
    setNotice({});
    setAsked(question);
  };

  const isStopped = Boolean(state.value?.stopped);
  const isOff = rules.value?.cohort === "off" && !unsure;
  const settable = rules.value && !isStopped && state.value !== null;
  const next = settable && facts.stages[rules.value.cohort].next;
  const nextShare = next && shareOf({ ...rules.value, cohort: next, percent: null }, facts.stages);
  const advance = () => {
    const held = standing.word === "on hold" ? [`It is on hold. ${standing.why}`] : [];
    const button = held.length ? `Begin ${next} all the same` : `Begin ${next}`;
    change(`Begin the stage ${next} of ${flag}?`, button, { cohort: next, percent: null }, `${share} % of users → ${nextShare} %`, ...held);
  };
  const hold = () => change(`Hold ${flag} at its stage?`, "Hold it", { autoAdvance: false }, "It is still stopped if it fails.");
  /** A value of the config takes the old one's place, and the flag is off. */
  const settle = () => {
    const rows = [[becomes, storedAt(stored, brings)], [brings, null], [`flags.${flag}.cohort`, null], [`flags.${flag}.percent`, null]].filter(([field, value]) => !same(storedAt(stored, field), value));
    const lines = rows.map(([field, value]) => `${field}: ${said(storedAt(stored, field))} → ${said(value)}`);
    const note = `${share} % of users → 100 %. From then on nothing is left to compare it with, and the flag is free for the next.`;
    open({ title: `Finish ${flag}?`, lines: [...lines, note], button: `Finish ${flag}`, go: () => apply(rows, rows.map(([field]) => [field, storedAt(stored, field)])) });
  };
  const finish = () =>
    becomes ? settle() : change(`Finish ${flag}?`, `Finish ${flag}`, { cohort: "all", percent: null, holdbackPercent: 0 }, `${share} % of users → 100 %. From then on nothing is left to compare it with.`);
  const endTest = () => change(`End the test of ${flag}?`, "End the test", { testMetric: null, testCalls: null }, "It ends without a result.");

  return html`
    <div class="stack" ref=${box}>
      ${asked
        ? html`<${Question} of=${asked} busy=${busy} leave=${close} />`
        : html`
            ${!isStopped && !isOff && html`<button class="button stop" onClick=${() => open(stop)}>Stop ${flag}</button>`}
            <div class="row">
              ${(isStopped || state.value === null) && html`<button class="button" onClick=${() => open(restart)}>Restart ${flag}…</button>`}
              ${next && html`<button class="button" onClick=${advance}>Next stage: ${next}, ${nextShare} %…</button>`}
              ${settable && rules.value.autoAdvance && html`<button class="button" onClick=${hold}>Hold at this stage…</button>`}
              ${settable && rules.value.cohort === "all" && share < 100 && html`<button class="button" onClick=${finish}>Finish: everybody…</button>`}
              ${settable && rules.value.testMetric !== null && html`<button class="button" onClick=${endTest}>End the test…</button>`}
              ${undo && html`<button class="button" disabled=${busy} onClick=${() => apply(undo.map(({ field, before }) => [field, before]), undo.map(({ field, after }) => [field, after]))}>Undo the last change</button>`}
            </div>
            ${rules.value && html`<${Lists} flag=${flag} rules=${rules.value} uid=${new RegExp(facts.uid, "u")} change=${change} />`}
          `}
      <div aria-live="polite">
        ${notice.good && html`<p class="good">${notice.good}</p>`}
        ${notice.bad && html`<p class="bad" role="alert">${notice.bad}</p>`}
        ${notice.signIn && html`<button class="button" onClick=${() => signOut(cloud.auth)}>Sign in again</button>`}
      </div>
    </div>
  `;
}

function Question({ of: { title, lines, reason, button, danger, go }, busy, leave }) {
  const submit = (event) => {
    event.preventDefault();
    go(new FormData(event.target).get("why")?.trim());
  };
  const escape = (event) => event.key === "Escape" && leave();
  return html`
    <form class="notice stack" aria-label=${title} onSubmit=${submit} onKeyDown=${escape}>
      <p><strong>${title}</strong></p>
      ${lines.map((line) => html`<p key=${line}>${line}</p>`)}
      ${reason && html`<label>Why, for the record<input type="text" name="why" required pattern=".*\\S.*" maxlength=${WHY_MAX} autocomplete="off" /></label>`}
      <button class=${`button ${danger ? "stop" : "primary"}`} disabled=${busy}>${button}</button>
      <button type="button" class="button" onClick=${leave}>Leave it as it is</button>
    </form>
  `;
}

/** Users who are named: allowed ones are always on the new path, denied ones never. Neither counts. */
function Lists({ flag, rules: { allow, deny }, uid: isUid, change }) {
  const [problem, setProblem] = useState("");
  const without = (list, uid) => list.filter((each) => each !== uid);
  const name = (event) => {
    event.preventDefault();
    const uid = new FormData(event.target).get("uid").trim();
    if (!isUid.test(uid)) return setProblem("This is no user's id.");
    setProblem("");
    if (event.submitter.value === "deny") change(`Never give ${flag} to ${uid}?`, "Deny", { allow: without(allow, uid), deny: [...without(deny, uid), uid] });
    else change(`Always give ${flag} to ${uid}?`, "Allow", { allow: [...without(allow, uid), uid], deny: without(deny, uid) }, "In every stage but off. Their calls do not count.");
    return undefined;
  };
  const unname = (uid) => change(`Take ${uid} off the lists of ${flag}?`, "Take off", { allow: without(allow, uid), deny: without(deny, uid) });
  const named = [...allow.map((uid) => [uid, "always the new path"]), ...deny.map((uid) => [uid, "never the new path"])];
  return html`
    <details>
      <summary class="link">Named users (${named.length})</summary>
      <ul class="list">
        ${named.map(([uid, words]) => html`<li key=${uid + words} class="bar"><span>${uid}: ${words}</span><button class="button small" aria-label=${`Take ${uid} off`} onClick=${() => unname(uid)}>Take off…</button></li>`)}
      </ul>
      <form class="stack" onSubmit=${name}>
        <label>User to name in ${flag} (uid)<input type="text" name="uid" required autocomplete="off" aria-invalid=${problem !== ""} /></label>
        ${problem && html`<p class="bad" role="alert">${problem}</p>`}
        <div class="row"><button class="button" value="allow">Allow…</button><button class="button" value="deny">Deny…</button></div>
      </form>
    </details>
  `;
}
