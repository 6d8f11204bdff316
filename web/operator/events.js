// The operators' calendar: days that bring more or fewer photos than usual, which no forecast can know.
import { html, useState } from "../vendor/ui.js";
import { plural } from "../lib/format.js";
import { storedAt } from "./settings.js";

const FIELD = "ahead.events";

export function Events({ cloud, config }) {
  const [notice, setNotice] = useState({});
  const [busy, setBusy] = useState(false);
  const stored = storedAt(config, FIELD);
  const events = stored ?? [];
  const store = async (next, done) => {
    setBusy(true);
    try {
      await cloud.call("admin_set_config", { changes: { ahead: { events: next } }, seen: { [FIELD]: stored } });
      setNotice({ good: `${done} The forecast has it from 00:20 UTC on.` });
      setBusy(false);
      return true;
    } catch (refusal) {
      setNotice({ bad: refusal.forOperators });
      setBusy(false);
      return false;
    }
  };
  const add = async (event) => {
    event.preventDefault();
    const form = event.target;
    const { name, since, until, percent } = Object.fromEntries(new FormData(form));
    if (await store([...events, { name, since, until, percent: Number(percent) }], `${name} is added.`)) form.reset();
  };
  return html`
    <section class="card" aria-labelledby="events">
      <h2 id="events">Days that you know more about</h2>
      <p class="quiet">A campaign or a holiday: photos as percent of a usual day. Such days teach the forecast what they would have brought without it.</p>
      <ul class="list">
        ${events.map(
          (each) => html`
            <li key=${JSON.stringify(each)} class="bar">
              <span><strong>${each.name}</strong>: ${each.since} to ${each.until}, ${each.percent} %</span>
              <button class="link" disabled=${busy} onClick=${() => store(events.filter((other) => other !== each), `${each.name} is removed.`)}>Remove ${each.name}</button>
            </li>
          `,
        )}
      </ul>
      <details>
        <summary class="link">Add days${events.length > 0 ? ` to these ${plural(events.length, "entry", "entries")}` : ""}</summary>
        <form class="stack" onSubmit=${add}>
          <label>Name<input name="name" required maxlength="80" /></label>
          <label>First day (UTC)<input type="date" name="since" required /></label>
          <label>Last day (UTC)<input type="date" name="until" required /></label>
          <label>Percent of a usual day<input type="number" name="percent" min="10" max="1000" defaultValue="150" required /></label>
          <div><button class="button primary" disabled=${busy}>Add</button></div>
        </form>
      </details>
      <div aria-live="polite">
        ${notice.good && html`<p class="good">${notice.good}</p>`}
        ${notice.bad && html`<p class="bad" role="alert">${notice.bad}</p>`}
      </div>
    </section>
  `;
}
