// Settings: every field of config/runtime with its range; a change shows before and after, and has an undo.
import { doc } from "../vendor/firebase.js";
import { html, useEffect, useMemo, useState } from "../vendor/ui.js";
import { useLive } from "../lib/live.js";
import { WhatIf } from "./what_if.js";

const SECTIONS = { tokens: "Tokens", plans: "Plans", images: "Photos", instant: "Instant lane", providers: "Providers", batch: "Batch lane", budget: "Budget", refresh: "Allowances", model: "Model", flags: "Rollouts", cache: "Cache", ahead: "Forecast", billing: "Sales", achievements: "Achievements", leaderboard: "Leaderboard", shop: "Perks", bulk: "Bulk jobs", "": "Defaults" };

/** Returns what is stored in a field by its dotted name; null for a default. */
export const storedAt = (config, field) => field.split(".").reduce((part, name) => part?.[name], config) ?? null;

/** A default as far as it is read at a glance: a list of products is long. */
const brief = (value) => (said(value).length > 60 ? `${said(value).slice(0, 60)}…` : said(value));

export const said = (value) => (value === null ? "default" : typeof value === "string" ? value : JSON.stringify(value));

/** Returns {tokens: {welcome: 12}} for [["tokens.welcome", 12]]. */
export function changesOf(changes) {
  const result = {};
  for (const [field, value] of changes) {
    const names = field.split(".");
    const last = names.pop();
    names.reduce((part, name) => (part[name] ??= {}), result)[last] = value;
  }
  return result;
}

/** Returns what was written in a field, as its type; undefined for what is none. */
function parsed({ type, choices }, text) {
  if (text === "") return null;
  if (type === "boolean") return text === "true";
  if (type === "integer" || type === "number") return Number.isFinite(Number(text)) ? Number(text) : undefined;
  if (choices || type === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function Settings({ cloud }) {
  const stored = useLive(() => doc(cloud.db, "config/runtime"), (snapshot) => snapshot.data() ?? {}, []);
  const [fields, setFields] = useState(null);
  const [edits, setEdits] = useState({});
  const [search, setSearch] = useState("");
  const [notice, setNotice] = useState({});
  const [undo, setUndo] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const missing = () => setNotice({ bad: "The list of settings could not be loaded. Reload the page." });
    fetch("/operator/settings.json").then((answer) => answer.json()).then(setFields, missing);
  }, []);
  const shown = useMemo(() => fields?.filter(({ field }) => field.toLowerCase().includes(search.toLowerCase())), [fields, search]);
  if (stored.error) return html`<p class="notice error" role="alert">The settings cannot be shown: ${stored.error.code}.</p>`;
  if (notice.bad && !shown) return html`<p class="notice error" role="alert">${notice.bad}</p>`;
  if (!shown || !stored.value) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;

  const edit = (field, value) =>
    setEdits(({ [field]: _, ...others }) => (said(value ?? null) === said(storedAt(stored.value, field)) ? others : { ...others, [field]: value }));
  const apply = async (changes, seen) => {
    setBusy(true);
    try {
      const { changed } = await cloud.call("admin_set_config", { changes: changesOf(changes), seen: Object.fromEntries(seen) });
      setNotice({ good: changed.length ? `Applied: ${changed.map(({ field }) => field).join(", ")}. It is in force within 30 seconds.` : "It was so already." });
      setUndo(changed.length ? changed : null);
      setEdits({});
    } catch (refusal) {
      setNotice({ bad: refusal.forOperators });
    }
    setBusy(false);
  };
  const changes = Object.entries(edits);
  const wrong = changes.filter(([, value]) => value === undefined);
  return html`
    <section class="card" aria-labelledby="pending">
      <h2 id="pending">Changes</h2>
      ${changes.length === 0 && html`<p class="quiet">Change a field below: before and after stand here first.</p>`}
      <ul class="list">
        ${changes.map(([field, value]) => html`<li key=${field}>${field}: ${said(storedAt(stored.value, field))} → <strong>${value === undefined ? "not readable" : said(value)}</strong></li>`)}
      </ul>
      <${WhatIf} cloud=${cloud} changes=${changes.length && !wrong.length ? changesOf(changes) : null} />
      <div class="row">
        <button class="button primary" disabled=${busy || !changes.length || wrong.length > 0} onClick=${() => apply(changes, changes.map(([field]) => [field, storedAt(stored.value, field)]))}>
          Apply ${changes.length || ""}
        </button>
        ${changes.length > 0 && html`<button class="button" onClick=${() => setEdits({})}>Leave as it is</button>`}
        ${undo && html`<button class="button" disabled=${busy} onClick=${() => apply(undo.map(({ field, before }) => [field, before]), undo.map(({ field, after }) => [field, after]))}>Undo the last change</button>`}
      </div>
      <div aria-live="polite">
        ${notice.good && html`<p class="good">${notice.good}</p>`}
        ${notice.bad && html`<p class="bad" role="alert">${notice.bad}</p>`}
      </div>
    </section>
    <label>Find a setting<input type="search" value=${search} onInput=${(event) => setSearch(event.target.value)} /></label>
    ${Object.entries(SECTIONS).map(([section, title]) => {
      const own = shown.filter(({ field }) => (field.includes(".") ? field.split(".")[0] : "") === section);
      return own.length > 0 && html`
        <section class="card" key=${section} aria-labelledby=${`section-${section}`}>
          <h2 id=${`section-${section}`}>${title}</h2>
          <div class="grid">
            ${own.map((field) => html`<${Field} key=${field.field} of=${field} now=${storedAt(stored.value, field.field)} edited=${field.field in edits} value=${edits[field.field]} edit=${edit} />`)}
          </div>
        </section>
      `;
    })}
  `;
}

function Field({ of, now, edited, value, edit }) {
  const { field, type, choices, least, most } = of;
  const shown = edited ? (value === undefined ? null : value) : now;
  const text = shown === null ? "" : typeof shown === "string" ? shown : JSON.stringify(shown);
  const change = (event) => edit(field, parsed(of, event.target.value));
  const options = choices ?? (type === "boolean" ? ["true", "false"] : null);
  const range = least !== null || most !== null ? `${least ?? "…"} to ${most ?? "…"}; ` : "";
  const wrong = edited && value === undefined;
  return html`
    <label>
      <span class="cut">${field}</span>
      ${options
        ? html`<select value=${text} onChange=${change}><option value="">default</option>${options.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select>`
        : html`<input type="text" inputmode=${type === "integer" ? "numeric" : undefined} value=${text} placeholder=${brief(of.default)} aria-invalid=${wrong} onChange=${change} />`}
      <span class=${wrong ? "bad" : "quiet wraps"}>${wrong ? "This is no value of this field." : `${range}default ${brief(of.default)}`}</span>
    </label>
  `;
}
