// Signing in: without an account at once, or with an e-mail address.
import { createUserWithEmailAndPassword, signInAnonymously, signInWithEmailAndPassword } from "../vendor/firebase.js";
import { html, useState } from "../vendor/ui.js";
import { signInProblem } from "../lib/refusals.js";

export function SignIn({ auth, byLink }) {
  const [problem, setProblem] = useState(byLink);
  const [busy, setBusy] = useState(false);
  const attempt = async (enter) => {
    setBusy(true);
    setProblem("");
    await enter().catch((error) => setProblem(signInProblem(error)));
    setBusy(false);
  };
  const submit = (event) => {
    event.preventDefault();
    const { email, password } = Object.fromEntries(new FormData(event.target));
    const enter = event.submitter.value === "new" ? createUserWithEmailAndPassword : signInWithEmailAndPassword;
    attempt(() => enter(auth, email, password));
  };
  return html`
    <main class="page narrow">
      <h1>Ecolane</h1>
      <p class="say">Take a photo of waste. Learn what it is and where it goes.</p>
      <button class="button primary" disabled=${busy} onClick=${() => attempt(() => signInAnonymously(auth))}>
        Start without an account
      </button>
      <details>
        <summary class="link">Use an e-mail address</summary>
        <form class="stack" onSubmit=${submit}>
          <label>E-mail<input type="email" name="email" required autocomplete="email" /></label>
          <label>Password<input type="password" name="password" required minlength="6" autocomplete="current-password" /></label>
          <div class="row">
            <button class="button" value="in" disabled=${busy}>Sign in</button>
            <button class="button" value="new" disabled=${busy}>Make an account</button>
          </div>
        </form>
      </details>
      ${problem && html`<p class="notice error" role="alert">${problem}</p>`}
    </main>
  `;
}
