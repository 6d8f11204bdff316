// Alerts, open ones first, and what was changed by hand.
import { collection, limit, orderBy, query } from "../vendor/firebase.js";
import { html, useState } from "../vendor/ui.js";
import { exact, plural, relative } from "../lib/format.js";
import { rowsOf, useLive, useNow } from "../lib/live.js";

const SHOWN = 50;

const newest = (cloud, path, by) => () => query(collection(cloud.db, path), orderBy(by, "desc"), limit(SHOWN));
const said = (value) =>
  value === null || value === undefined ? "the default" : typeof value === "object" ? JSON.stringify(value) : String(value);

export function Alerts({ cloud }) {
  const now = useNow();
  const alerts = useLive(newest(cloud, "alerts", "createdAt"), rowsOf, []);
  const changes = useLive(newest(cloud, "config/runtime/audit", "at"), rowsOf, []);
  const sorted = alerts.value?.filter(({ kind }) => kind !== "day_closed").toSorted((a, b) => Number(b.open ?? false) - Number(a.open ?? false));
  return html`
    <section class="card" aria-labelledby="alerts">
      <h2 id="alerts">Alerts</h2>
      ${alerts.value && html`<${Record} alerts=${alerts.value} />`}
      <${Rows} live=${alerts} empty="There was none in the last weeks.">
        ${sorted?.map((alert) => html`<${Alert} key=${alert.id} alert=${alert} now=${now} cloud=${cloud} />`)}
      <//>
    </section>
    <section class="card" aria-labelledby="changes">
      <h2 id="changes">Changed settings</h2>
      <${Rows} live=${changes} empty="Nobody has changed anything.">
        ${changes.value?.map(
          (entry) => html`
            <li key=${entry.id}>
              <span class="quiet" title=${exact(entry.at)}>${relative(entry.at, now)} by ${entry.by}</span>
              ${entry.changed.map(
                ({ field, before, after }) =>
                  html`<p key=${field}>${field}: ${said(before)} → <strong>${said(after)}</strong></p>`,
              )}
            </li>
          `,
        )}
      <//>
    </section>
  `;
}

function Rows({ live, empty, children }) {
  if (live.error) return html`<p class="bad" role="alert">These cannot be shown: ${live.error.code}.</p>`;
  if (!live.value) return html`<div class="skeleton" role="status" aria-label="Loading"></div>`;
  return live.value.length ? html`<ul class="list">${children}</ul>` : html`<p class="quiet">${empty}</p>`;
}

const VERDICTS = { useful: "Useful", expected: "Expected" };
const MARKED = /_unusual$/;

/** Of how many unusual hours and days operators have said something, and of how many that they were useful. */
function Record({ alerts }) {
  const marked = alerts.filter((alert) => MARKED.test(alert.kind) && alert.verdict);
  const useful = marked.filter((alert) => alert.verdict === "useful");
  return marked.length > 0 && html`<p class="quiet">Of ${plural(marked.length, "unusual hour or day", "unusual hours or days")} that you marked, ${useful.length} ${useful.length === 1 ? "was" : "were"} useful.</p>`;
}

/** What an operator says of an alert of what is unusual. */
function Mark({ cloud, alert }) {
  const [state, setState] = useState({});
  const mark = async (verdict) => {
    setState({ busy: true });
    try {
      const { marked } = await cloud.call("admin_mark_alert", { alert: alert.id, verdict });
      setState(marked ? {} : { bad: "This alert is no longer there." });
    } catch (refusal) {
      setState({ bad: refusal.forOperators });
    }
  };
  return html`
    <div class="row" role="group" aria-label=${`Was this of use? ${alert.kind.replaceAll("_", " ")}, ${alert.day}`}>
      ${Object.entries(VERDICTS).map(
        ([verdict, words]) =>
          html`<button key=${verdict} class="button" aria-pressed=${alert.verdict === verdict} disabled=${state.busy} onClick=${() => mark(verdict)}>${words}</button>`,
      )}
    </div>
    ${state.bad && html`<p class="bad" role="alert">${state.bad}</p>`}
  `;
}

/** One alert, as everywhere on these pages; with a `cloud` it can be marked. */
export function Alert({ alert, now, cloud }) {
  const since = alert.since ?? alert.createdAt;
  return html`
    <li>
      <strong class=${alert.open ? "warn" : ""}>${alert.open ? "Open: " : ""}${alert.kind.replaceAll("_", " ")}</strong>${" "}
      <span class="quiet" title=${exact(since)}>${relative(since, now)}${alert.overAt ? `, over ${relative(alert.overAt, now)}` : ""}</span>
      <p>${alert.text}</p>
      ${cloud && MARKED.test(alert.kind) && html`<${Mark} cloud=${cloud} alert=${alert} />`}
    </li>
  `;
}
