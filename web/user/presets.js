// Presets: what a user wants of a folder's photos, kept under a name. What is chosen on the page counts before its preset.
import { doc } from "../vendor/firebase.js";
import { html, useState } from "../vendor/ui.js";
import { useLive } from "../lib/live.js";

/** The user's presets by name, live. */
export const usePresets = (cloud) =>
  useLive(() => doc(cloud.db, `users/${cloud.uid}`), (snapshot) => snapshot.data()?.presets ?? {}, [cloud.uid]);

/** Chooses a preset, saves one with who pays as `payer`, and removes it. `choose(name, preset)`; null is none. */
export function Presets({ cloud, presets, chosen, choose, payer }) {
  const [said, setSaid] = useState({});
  const names = Object.keys(presets).sort();
  const { lane, region, language, maxTokens } = presets[chosen] ?? {};
  const call = (request, then) =>
    cloud.call("save_preset", request).then(then, (refusal) => setSaid({ bad: refusal.message }));
  const save = (event) => {
    event.preventDefault();
    const filled = [...new FormData(event.target)].filter(([, value]) => value);
    const { preset, maxTokens: most, ...rest } = Object.fromEntries(filled);
    call({ preset, ...rest, ...(most && { maxTokens: Number(most) }), ...(payer && { payer }) }, (saved) => {
      setSaid({ good: `${preset} is saved.` });
      choose(preset, saved.presets[preset]);
    });
  };
  const remove = () =>
    call({ preset: chosen, remove: true }, () => {
      setSaid({ good: `${chosen} is removed.` });
      choose(null);
    });
  return html`
    ${names.length > 0 && html`
      <label>Preset <select value=${chosen ?? ""} onChange=${({ target }) => choose(target.value || null)}>
        <option value="">None</option>
        ${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select></label>`}
    <details>
      <summary class="link">${chosen ? "Change this preset" : "Save a preset"}</summary>
      <form class="stack" key=${chosen} onSubmit=${save}>
        <label>Name <input type="text" name="preset" required maxlength="40" defaultValue=${chosen ?? ""} /></label>
        <label>How soon <select name="lane"><option value="">As chosen for a folder</option>
          <option value="batch" selected=${lane === "batch"}>Later</option>
          <option value="any_time" selected=${lane === "any_time"}>Any time in the next days</option></select></label>
        <label>Most tokens a photo <input type="number" name="maxTokens" min="1" defaultValue=${maxTokens ?? ""} /></label>
        <label>Language of the answers <input type="text" name="language" placeholder=${navigator.language} defaultValue=${language ?? ""} /></label>
        <label>Region whose rules count <input type="text" name="region" defaultValue=${region ?? ""} /></label>
        <p class="quiet">It keeps who pays, too: ${payer ? "the team" : "you"}, as chosen on this page.</p>
        <div class="row"><button class="button small">Save</button>${chosen && html`<button type="button" class="button small" onClick=${remove}>Remove</button>`}</div>
      </form>
    </details>
    <div aria-live="polite">${said.good && html`<p class="good">${said.good}</p>`}${said.bad && html`<p class="bad" role="alert">${said.bad}</p>`}</div>
  `;
}
