// What tokens buy beside answers: priority for a day, and a day that may be left out of a streak.
import { html, useRef, useState } from "../vendor/ui.js";
import { date, exact, localTime, plural, whole } from "../lib/format.js";
import { now } from "../lib/clock.js";

const PERKS = {
  priorityDay: { name: "Priority for a day", does: "Your own photos for later go before others. Days add up; folders, and photos that a team pays, wait as before." },
  streakSaver: { name: "Streak saver", does: "A day without the bonus does not end your days in a row. It is used by itself." },
};

/** Nothing where none is sold and none is left. `full`: what get_wallet answers; `changed` asks for it anew. */
export function Perks({ cloud, full: { perks, priorityUntil, streakSavers }, changed }) {
  const [said, setSaid] = useState({});
  const [busy, setBusy] = useState(false);
  const keys = useRef({});
  const until = date(priorityUntil) > now() && priorityUntil;
  const has = {
    priorityDay: until && html`<span title=${exact(until)}>Active until ${localTime(until).replace(/^(at|on) /, "")}.</span>`,
    streakSaver: streakSavers > 0 && `You have ${whole(streakSavers)}.`,
  };
  const shown = Object.keys(PERKS).filter((perk) => perks[perk] !== null || has[perk]);
  if (!shown.length) return null;
  const buy = (perk) => {
    setBusy(true);
    keys.current[perk] ??= crypto.randomUUID();
    cloud.call("buy_perk", { requestId: keys.current[perk], perk, maxTokens: perks[perk] }).then(
      ({ entry }) => {
        delete keys.current[perk]; // the next one is another purchase
        setSaid({ good: `${PERKS[perk].name} bought for ${plural(-entry.delta, "token")}.` });
      },
      (refusal) => {
        if (!refusal.mayRepeat) delete keys.current[perk];
        setSaid({ bad: refusal.message });
      },
    ).finally(() => (setBusy(false), changed()));
  };
  return html`
    <section class="card" aria-labelledby="perks">
      <h2 id="perks">Extras for tokens</h2>
      <ul class="list">
        ${shown.map((perk) => html`
          <li class="row" key=${perk}>
            <div class="grow"><p>${PERKS[perk].name}. ${has[perk]}</p><p class="quiet">${PERKS[perk].does}</p></div>
            ${perks[perk] !== null && html`<button class="button small" disabled=${busy} onClick=${() => buy(perk)} aria-label=${`${PERKS[perk].name}: buy for ${plural(perks[perk], "token")}`}>${plural(perks[perk], "token")}</button>`}
          </li>`)}
      </ul>
      <div aria-live="polite">${said.good && html`<p class="good">${said.good}</p>`}${said.bad && html`<p class="bad" role="alert">${said.bad}</p>`}</div>
    </section>
  `;
}
