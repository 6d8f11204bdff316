// The user's page: a reference client. Photo in, two lanes, live list, result, wallet.
import { onIdTokenChanged } from "../vendor/firebase.js";
import { html, render, useCallback, useEffect, useRef, useState } from "../vendor/ui.js";
import { caller, connect, signInByLink } from "../lib/firebase.js";
import { plural } from "../lib/format.js";
import { Jobs } from "./jobs.js";
import { invited, useTeams } from "./payer.js";
import { returned } from "./shop.js";
import { Result } from "./result.js";
import { SignIn } from "./sign_in.js";
import { Submit, useUploads } from "./submit.js";
import { Usage } from "./usage.js";
import { Wallet, rememberWallet, useWallet } from "./wallet.js";

function App({ cloud }) {
  const [user, setUser] = useState(undefined);
  useEffect(() => onIdTokenChanged(cloud.auth, setUser), [cloud]);
  if (user === undefined) return html`<main class="page narrow"><div class="skeleton figure" role="status" aria-label="Loading"></div></main>`;
  if (user === null) return html`<${SignIn} auth=${cloud.auth} byLink=${cloud.byLink} />`;
  return html`<${Home} key=${user.uid} cloud=${{ ...cloud, uid: user.uid, user }} />`;
}

function Home({ cloud }) {
  const [view, setView] = useState(returned() ? "wallet" : invited() ? "teams" : null);
  const [{ payer, quote, problem }, setPrices] = useState({ payer: null, quote: null });
  const wallet = useWallet(cloud);
  const teams = useTeams(cloud);
  const asked = useRef({ turn: 0, payer: null });
  const refresh = useCallback(() => {
    const turn = ++asked.current.turn; // a slow answer must not bring another payer's balance back
    const latest = (fields) => turn === asked.current.turn && setPrices((old) => ({ ...old, ...fields }));
    return cloud.call("quote", asked.current.payer ? { payer: asked.current.payer } : {}).then(
      (found) => latest({ quote: found, problem: null }),
      (refusal) => latest({ ...(refusal.reason === "TEAM_NOT_FOUND" && { quote: null }), problem: refusal.message }), // prices that were known stay
    );
  }, [cloud.uid]);
  const pay = (who) => {
    asked.current.payer = who;
    setPrices({ payer: who, quote: null });
    refresh();
  };
  const uploads = useUploads(cloud, refresh);
  useEffect(() => {
    // A first contact brings the welcome tokens; a listener that began meanwhile may not hear of it (Google's emulator).
    cloud.call("get_wallet").then((found) => (rememberWallet(cloud.uid, found), refresh()), refresh);
  }, [cloud.uid]);

  const close = () => setView(null);
  const ids = teams.value ?? [];
  return html`
    <a class="skip" href="#main">To the page</a>
    <header class="page narrow bar">
      <h1>Ecolane</h1>
      <button class="button small" onClick=${() => setView(view === "wallet" ? null : "wallet")} aria-expanded=${view === "wallet"}>
        ${wallet.value ? html`<span class="fresh" key=${wallet.value.balance}>${plural(wallet.value.balance, "token")}</span>` : "Your tokens"}
      </button>
    </header>
    <main id="main" class="page narrow" tabindex="-1">
      ${!navigator.onLine && html`<p class="notice" role="status">You are offline. What you see is from before.</p>`}
      ${view === "wallet"
        ? html`<${Wallet} cloud=${cloud} wallet=${wallet} close=${close} usage=${() => setView("usage")} board=${() => setView("board")} />`
        : view === "board"
        ? html`<${Later} file="board" part="Board" cloud=${cloud} close=${() => setView("wallet")} />`
        : view === "bulk"
        ? html`<${Later} file="bulk" part="Bulk" cloud=${cloud} teams=${ids} chosen=${payer} close=${close} />`
        : view === "teams"
        ? html`<${Later} file="teams" part="Teams" cloud=${cloud} teams=${teams} bought=${wallet.value?.purchased ?? 0} close=${close} />`
        : view === "usage"
        ? html`<${Usage} cloud=${cloud} quote=${quote} close=${() => setView("wallet")} />`
        : view
          ? html`<${Result} job=${view} cloud=${cloud} close=${close} />`
          : html`<${Submit} cloud=${cloud} quote=${quote} problem=${problem} refresh=${refresh} uploads=${uploads} teams=${ids} payer=${payer} pay=${pay} /><${Jobs} cloud=${cloud} quote=${quote} uploads=${uploads} show=${setView} changed=${refresh} /><div class="row"><button class="button" onClick=${() => setView("bulk")}>Photos of a folder</button><button class="button" onClick=${() => setView("teams")}>Teams</button></div>`}
    </main>
  `;
}

/** A part of the page that is loaded when it is opened. */
function Later({ file, part, ...given }) {
  const [Part, setPart] = useState(null);
  useEffect(() => void import(`./${file}.js`).then((module) => setPart(() => module[part]), () => location.reload()), [file]);
  return Part ? html`<${Part} ...${given} />` : html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
}

const cloud = await connect();
const byLink = await signInByLink(cloud);
render(html`<${App} cloud=${{ ...cloud, byLink, call: caller(cloud) }} />`, document.getElementById("app"));
