// Bought tokens for another member of a team.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { plural, whole } from "../lib/format.js";

/** What may be given today is asked for when the form opens. */
export function Give({ cloud, id, other, name, bought, say, close }) {
  const [today, setToday] = useState(null);
  const [bad, setBad] = useState("");
  const [busy, setBusy] = useState(false);
  const keys = useRef({});
  const first = useRef(null);
  useEffect(() => void cloud.call("get_wallet").then(({ today: { givenTokens } }) => setToday(givenTokens), (refusal) => setBad(refusal.message)), []);
  useEffect(() => void first.current?.focus(), [today]);
  const most = today && Math.min(bought, Math.max(today.limit - today.used, 0));
  const give = (event) => {
    event.preventDefault();
    const tokens = Number(new FormData(event.target).get("tokens"));
    keys.current[tokens] ??= crypto.randomUUID(); // an answer that was lost gives nothing twice
    setBusy(true);
    cloud.call("give_tokens", { requestId: keys.current[tokens], teamId: id, uid: other, tokens }).then(
      () => {
        say({ good: `${name} got ${plural(tokens, "token")} from you.` });
        close();
      },
      (refusal) => {
        if (!refusal.mayRepeat) delete keys.current[tokens];
        setBad(refusal.reason === "INSUFFICIENT_TOKENS" ? `You have ${plural(refusal.details.balance, "bought token")}, and only those can be given.` : refusal.message);
      },
    ).finally(() => setBusy(false));
  };
  return html`
    <form class="stack" onSubmit=${give} aria-label=${`Give ${name} tokens`}>
      ${!today && !bad && html`<div class="skeleton" role="status" aria-label="Loading"></div>`}
      ${today && most === 0 && html`<p role="status">You have given ${whole(today.used)} of ${plural(today.limit, "token")} today. Days are UTC.</p>`}
      ${today && most > 0 && html`
        <label>Tokens of yours to give<input ref=${first} type="number" name="tokens" required min="1" max=${most} step="1" /></label>
        <p class="quiet">Up to ${whole(most)} now: only bought tokens can be given, at most ${whole(today.limit)} a day. They are ${name}'s for good.</p>
        <div class="row"><button class="button primary small" disabled=${busy}>Give them</button><button class="button small" type="button" onClick=${close}>Keep them</button></div>`}
      <div aria-live="polite">${bad && html`<p class="bad" role="alert">${bad}</p>`}</div>
    </form>
  `;
}
