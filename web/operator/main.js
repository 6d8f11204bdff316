// The operators' page: one sentence first, then what proves it. It shows what it costs itself, and rests when hidden.
import { onIdTokenChanged, signInWithEmailAndPassword, signOut } from "../vendor/firebase.js";
import { html, render, useEffect, useState } from "../vendor/ui.js";
import { caller, connect, signInByLink } from "../lib/firebase.js";
import { dollars } from "../lib/format.js";
import { bill, useNow } from "../lib/live.js";
import { signInProblem } from "../lib/refusals.js";

// Each is a module of its own, named like its page, and comes when somebody opens it: the first figures wait for none.
const PAGES = ["Now", "Savings", "Ahead", "Trends", "Providers", "Cache", "Payments", "Rollouts", "Alerts", "Users", "Settings"];
const hashOf = (page) => `#${page.toLowerCase()}`;
const READ_MICROS = 0.3;

function App({ cloud }) {
  const [user, setUser] = useState(undefined);
  const [admin, setAdmin] = useState(false);
  useEffect(
    () =>
      onIdTokenChanged(cloud.auth, async (found) => {
        const claims = found ? (await found.getIdTokenResult()).claims : {};
        setAdmin(claims.admin === true);
        setUser(found);
      }),
    [cloud],
  );
  if (user === undefined) return html`<main class="page"><div class="skeleton figure" role="status" aria-label="Loading"></div></main>`;
  if (user === null) return html`<${SignIn} auth=${cloud.auth} byLink=${cloud.byLink} />`;
  if (!admin) return html`<${NotAnOperator} cloud=${cloud} user=${user} />`;
  return html`<${Pages} cloud=${{ ...cloud, user }} />`;
}

const named = () => PAGES.find((each) => hashOf(each) === location.hash) ?? "Now";

function Pages({ cloud }) {
  const [name, setName] = useState(named());
  useEffect(() => {
    const turn = () => setName(named());
    addEventListener("hashchange", turn);
    return () => removeEventListener("hashchange", turn);
  }, []);
  useEffect(() => {
    document.title = `${name} · Ecolane`;
  }, [name]);
  return html`
    <a class="skip" href="#main">To the figures</a>
    <header class="page bar">
      <h1>Ecolane</h1>
      <nav aria-label="Pages">
        <ul>
          ${PAGES.map(
            (each) =>
              html`<li key=${each}><a href=${hashOf(each)} aria-current=${each === name ? "page" : undefined}>${each}</a></li>`,
          )}
        </ul>
      </nav>
    </header>
    <main id="main" class="page" tabindex="-1">
      <${Loaded} key=${name} name=${name} cloud=${cloud} />
      <${OwnCost} cloud=${cloud} />
    </main>
  `;
}

function Loaded({ name, cloud }) {
  const [{ Page, failed }, setFound] = useState({});
  useEffect(() => {
    import(`./${name.toLowerCase()}.js`).then(
      (module) => setFound({ Page: module[name] }),
      () => setFound({ failed: true }),
    );
  }, []);
  if (failed) return html`<p class="notice error" role="alert">This page could not be loaded. Reload it when you are online again.</p>`;
  if (!Page) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
  return html`<${Page} cloud=${cloud} />`;
}

function OwnCost({ cloud }) {
  useNow(1);
  return html`
    <p class="quiet bar">
      <span>This page has cost ${dollars(Math.round(bill.reads * READ_MICROS))} in ${bill.reads} reads since you opened it.</span>
      <span><a href="/">The user's page</a> · <button class="link" onClick=${() => signOut(cloud.auth)}>Sign out</button></span>
    </p>
  `;
}

function NotAnOperator({ cloud, user }) {
  const again = () => user.getIdToken(true).then(() => location.reload());
  return html`
    <main class="page narrow">
      <h1>Not an operator</h1>
      <p>You are signed in as ${user.email ?? user.uid}, who is no operator of this project.</p>
      <p>Whoever deploys it makes you one: <code>python -m scripts.admin operator ${user.uid}</code></p>
      <div class="row">
        <button class="button primary" onClick=${again}>Look again</button>
        <button class="button" onClick=${() => signOut(cloud.auth)}>Sign in as somebody else</button>
      </div>
    </main>
  `;
}

function SignIn({ auth, byLink }) {
  const [problem, setProblem] = useState(byLink);
  const submit = (event) => {
    event.preventDefault();
    const { email, password } = Object.fromEntries(new FormData(event.target));
    signInWithEmailAndPassword(auth, email, password).catch((error) => setProblem(signInProblem(error)));
  };
  return html`
    <main class="page narrow">
      <h1>Ecolane for operators</h1>
      <form class="stack" onSubmit=${submit}>
        <label>E-mail<input type="email" name="email" required autocomplete="email" /></label>
        <label>Password<input type="password" name="password" required autocomplete="current-password" /></label>
        <button class="button primary">Sign in</button>
      </form>
      ${problem && html`<p class="notice error" role="alert">${problem}</p>`}
    </main>
  `;
}

const cloud = await connect();
const byLink = await signInByLink(cloud);
render(html`<${App} cloud=${{ ...cloud, byLink, call: caller(cloud) }} />`, document.getElementById("app"));
