// Tokens: what there is, what comes, what went where.
import { doc } from "../vendor/firebase.js";
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { day, exact, plural, relative, whole } from "../lib/format.js";
import { Perks } from "./perks.js";
import { Shop } from "./shop.js";
import { dataOf, remember, remembered, useLive, useNow } from "../lib/live.js";

export const WORDS = {
  welcome: "Welcome",
  charge: "Photo",
  upgrade: "Answered at once",
  refund: "Refund",
  bonus: "Daily bonus",
  convert: "Points turned into tokens",
  manual: "You named a thing",
  refresh: "Allowance",
  grant: "From our team",
  buy: "Tokens bought",
  period: "Subscription",
  achieve: "Achievement",
  perk: "Priority, or a saved streak",
  bulk: "Photos in bulk",
  give: "Given to a member of your team",
  got: "From a member of your team",
  allot: "From your team",
  return: "Returned to your team",
  close: "Account deleted",
};

const nameOf = (uid) => `wallet of ${uid}`;

/** Keeps what is shown until the listener brings the wallet. */
export const rememberWallet = (uid, { balance, points }) => remember(nameOf(uid), { balance, points });

export function useWallet(cloud) {
  const found = useLive(() => doc(cloud.db, `users/${cloud.uid}/wallet/main`), dataOf, [cloud.uid]);
  useEffect(() => {
    if (found.value) rememberWallet(cloud.uid, found.value);
  }, [found.value?.balance, found.value?.points]);
  return { ...found, value: found.value ?? remembered(nameOf(cloud.uid)) };
}

function deviceId() {
  const name = "device";
  const id = remembered(name) ?? crypto.randomUUID();
  remember(name, id);
  return id;
}

export function Wallet({ cloud, wallet, close, usage, board }) {
  const [full, setFull] = useState(null);
  const [said, setSaid] = useState({});
  const now = useNow();
  const [Account, setAccount] = useState(null);
  const title = useRef(null);
  useEffect(() => title.current.focus(), []);
  const look = () => cloud.call("get_wallet").then(setFull, (refusal) => setSaid({ bad: refusal.message }));
  useEffect(() => void look(), [wallet.value?.balance]);
  const act = (name, data) =>
    cloud.call(name, data).then(
      ({ entry }) => setSaid({ good: `${WORDS[entry.reason]}: ${plural(entry.delta, "token")}.` }),
      (refusal) => setSaid({ bad: refusal.message }),
    );
  const points = full ? full.pointsPerToken * convertible(full) : 0;
  const { balance, bonusDay, recent = [], nextRefreshAt } = wallet.value ?? {};
  return html`
    <section class="card" aria-labelledby="tokens">
      <div class="row"><button class="button small" onClick=${close}>Back</button><h2 id="tokens" tabindex="-1" ref=${title}>Your tokens</h2></div>
      <p><span class="figure">${balance === undefined ? "…" : whole(balance)}</span> ${balance === 1 ? "token" : "tokens"}${full && `, ${plural(full.points, "point")}`}</p>
      ${bonusDay !== undefined && (bonusDay < day() ? html`<button class="button primary" onClick=${() => act("claim_daily_bonus", { deviceId: deviceId() })}>Claim today's bonus</button>` : html`<p class="quiet">Today's bonus is claimed${full?.streakDays > 1 ? `: ${plural(full.streakDays, "day")} in a row` : ""}. The next one comes at 00:00 UTC.</p>`)}
      ${nextRefreshAt && html`<p class="quiet" title=${exact(nextRefreshAt)}>More tokens come ${relative(nextRefreshAt, now)}.</p>`}
      ${points > 0 && html`<button class="button" onClick=${() => act("convert_points", { requestId: crypto.randomUUID(), points })}>Turn ${whole(points)} points into ${plural(points / full.pointsPerToken, "token")}</button>`}
      <div aria-live="polite">${said.good && html`<p class="good">${said.good}</p>`}${said.bad && html`<p class="bad" role="alert">${said.bad}</p>`}</div>
      ${full && html`<${Limits} today=${full.today} />`}
      ${full?.achievements.length > 0 && html`<${Achievements} all=${full.achievements} />`}
      <div class="row"><button class="button" onClick=${usage}>Your usage by month</button><button class="button" onClick=${board}>Leaderboard</button></div>
    </section>
    ${full && html`<${Perks} cloud=${cloud} full=${full} changed=${look} />`}
    <${Shop} cloud=${cloud} bought=${wallet.value?.purchased} />
    <section aria-labelledby="history">
      <h2 id="history">Lately</h2>
      ${wallet.value && recent.length === 0 && html`<p class="quiet">Nothing has come or gone yet.</p>`}
      <${Entries} recent=${recent} now=${now} />
    </section>
    ${Account
      ? html`<${Account} cloud=${cloud} balance=${balance} />`
      : html`<div><button class="button" onClick=${() => import("./account.js").then((module) => setAccount(() => module.Account), () => setSaid({ bad: "This could not be loaded. Reload the page when you are online again." }))}>Your data and account</button></div>`}
  `;
}

/** The last entries of a wallet. */
export function Entries({ recent, now }) {
  return html`
    <ul class="list">
      ${recent.map((entry) => html`
        <li class="bar" key=${entry.entryId}>
          <span>${WORDS[entry.reason] ?? entry.reason}${entry.detail?.why ? `: ${entry.detail.why}` : ""}<br /><span class="quiet" title=${exact(entry.ts)}>${relative(entry.ts, now)}</span></span>
          <span class="number">${entry.delta > 0 ? "+" : "−"}${whole(Math.abs(entry.delta))}</span>
        </li>`)}
    </ul>
  `;
}

/** How many tokens the points buy today. */
function convertible({ pointsAvailable, pointsPerToken, today: { convertedTokens } }) {
  return Math.min(Math.floor(pointsAvailable / pointsPerToken), Math.max(convertedTokens.limit - convertedTokens.used, 0));
}

const COUNTED = { scans: "photo", streakDays: "day in a row", points: "point", corrections: "thing named" };
const MANY = { streakDays: "days in a row", corrections: "things named" };

function Achievements({ all }) {
  return html`
    <details>
      <summary class="link">Achievements: ${all.filter(({ unlocked }) => unlocked).length} of ${all.length}</summary>
      <div class="stack">
        ${all.map(({ name, counter, atLeast, reached, tokens, unlocked }) => html`
          <label key=${name}><span>${plural(atLeast, COUNTED[counter] ?? counter, MANY[counter])}${tokens ? `, for ${plural(tokens, "token")}` : ""}: ${unlocked ? "done" : `${whole(reached)} so far`}</span><progress max=${atLeast} value=${unlocked ? atLeast : reached}></progress></label>`)}
      </div>
    </details>
  `;
}

const LIMITS = { instant: "instant photos", batch: "photos for later", manual: "things named", convertedTokens: "tokens bought with points", givenTokens: "tokens given within teams" };

function Limits({ today }) {
  return html`
    <details>
      <summary class="link">Today's limits</summary>
      <div class="stack">
        ${Object.entries(LIMITS).map(([name, words]) => html`
          <label key=${name}><span>${whole(today[name].used)} of ${whole(today[name].limit)} ${words}</span><progress max=${today[name].limit} value=${today[name].used}></progress></label>`)}
        <p class="quiet">Days are UTC: they begin at 00:00 UTC.</p>
      </div>
    </details>
  `;
}
