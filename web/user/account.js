// The user's data and account: to take along, and to leave. Comes when somebody opens it.
import { getDownloadURL, ref, signOut } from "../vendor/firebase.js";
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { localTime, plural } from "../lib/format.js";

export function Account({ cloud, balance }) {
  const [said, setSaid] = useState({});
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const title = useRef(null);
  useEffect(() => title.current.focus(), []);
  const take = () => {
    setBusy(true);
    setSaid({ good: "Collecting your data…" });
    all(cloud)
      .then(save)
      .then(
        () => setSaid({ good: "Your data is in the file ecolane.json." }),
        (refusal) => setSaid({ bad: refusal.message }),
      )
      .finally(() => setBusy(false));
  };
  return html`
    <section class="card" aria-labelledby="account">
      <h2 id="account" tabindex="-1" ref=${title}>Your data and account</h2>
      <p class="quiet">All that is held of you, in one file: profile, tokens, photos and their answers.</p>
      <div class="row">
        <button class="button" disabled=${busy} onClick=${take}>Download your data</button>
        <button class="button" disabled=${busy} onClick=${() => setAsking(true)}>Delete your account</button>
      </div>
      <div aria-live="polite">${said.good && html`<p class="good">${said.good}</p>`}${said.bad && html`<p class="bad" role="alert">${said.bad}</p>`}</div>
      ${asking && html`<${Leave} cloud=${cloud} balance=${balance} close=${() => setAsking(false)} />`}
    </section>
  `;
}

/** Asks first. The dialog keeps the keyboard to itself, and Escape keeps the account. */
function Leave({ cloud, balance, close }) {
  const [state, setState] = useState({});
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  const leave = () => {
    setState({ busy: true });
    cloud.call("delete_account", { confirm: "DELETE" }).then(
      ({ erasedBy }) => setState({ erasedBy }),
      (refusal) => setState({ bad: refusal.message }),
    );
  };
  const over = () => (state.erasedBy ? signOut(cloud.auth) : close());
  return html`
    <dialog ref=${dialog} onClose=${over} aria-labelledby="leave" class="card">
      <h2 id="leave">${state.erasedBy ? "Your account is deleted" : "Delete your account?"}</h2>
      ${state.erasedBy
        ? html`<p>Everything that names you is erased by ${localTime(state.erasedBy)}. Goodbye.</p>
            <button class="button primary" onClick=${() => dialog.current.close()}>Sign out</button>`
        : html`
            <p>${balance > 0 ? `You give up ${plural(balance, "token")}, bought ones as well. ` : ""}Photos, answers and your sign-in are erased. This cannot be undone.</p>
            <p class="quiet">A plan that you bought on the web is cancelled. One of an app store you have to cancel there.</p>
            ${state.bad && html`<p class="bad" role="alert">${state.bad}</p>`}
            <div class="row">
              <button class="button primary" disabled=${state.busy} onClick=${() => dialog.current.close()}>Keep my account</button>
              <button class="button" disabled=${state.busy} onClick=${leave}>Delete it for good</button>
            </div>`}
    </dialog>
  `;
}

/** All pages of the export, by kind, each photo with a link that this user's sign-in opens. */
async function all(cloud) {
  const found = {};
  let cursor;
  do {
    const { kind, items, nextCursor } = await cloud.call("export_account", cursor ? { cursor } : {});
    (found[kind] ??= []).push(...items);
    cursor = nextCursor;
  } while (cursor);
  for (const photo of found.photos) photo.link = await getDownloadURL(ref(cloud.storage, photo.imagePath)).catch(() => null);
  return found;
}

function save(found) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(found, null, 2)], { type: "application/json" }));
  link.download = "ecolane.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // once the browser has begun to read it
}
