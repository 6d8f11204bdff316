// Bought tokens that move within a team: of a member to another one, of the team to a member, or back to it.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { plural, whole } from "../lib/format.js";

const KINDS = {
  gift: { label: "Tokens of yours to give", yes: "Give them", no: "Keep them", after: "They are theirs for good", done: (name, tokens) => `${name} got ${tokens} from you.` },
  allot: { label: "Tokens of the team's to allot", yes: "Allot them", no: "Leave them", after: "They are the member's own then, beside the monthly limit", done: (name, tokens) => `${name} got ${tokens} from the team.` },
  back: { label: "Tokens to return", yes: "Return them", no: "Keep them", after: "They are the team's again", done: (_, tokens) => `You have returned ${tokens} to the team.` },
};

/** `bought`: how many there are to move. How many of one's own may be given today is asked for when the form opens. */
export function Give({ cloud, id, kind, other, name, bought, say, close }) {
  const words = KINDS[kind];
  const gift = kind === "gift";
  const [today, setToday] = useState(gift ? null : { limit: bought, used: 0 });
  const [bad, setBad] = useState("");
  const [busy, setBusy] = useState(false);
  const keys = useRef({});
  const first = useRef(null);
  useEffect(() => void (gift && cloud.call("get_wallet").then(({ today: { givenTokens } }) => setToday(givenTokens), (refusal) => setBad(refusal.message))), []);
  useEffect(() => void first.current?.focus(), [today]);
  const most = today && (gift ? Math.min(bought, Math.max(today.limit - today.used, 0)) : bought);
  const give = (event) => {
    event.preventDefault();
    const tokens = Number(new FormData(event.target).get("tokens"));
    keys.current[tokens] ??= crypto.randomUUID(); // an answer that was lost gives nothing twice
    setBusy(true);
    cloud.call("give_tokens", { requestId: keys.current[tokens], teamId: id, tokens, ...(kind !== "back" && { uid: other }), ...(kind === "allot" && { fromTeam: true }) }).then(
      () => {
        say({ good: words.done(name, plural(tokens, "token")) });
        close();
      },
      (refusal) => {
        if (!refusal.mayRepeat) delete keys.current[tokens];
        setBad(refusal.reason === "INSUFFICIENT_TOKENS" ? `There ${refusal.details.balance === 1 ? "is" : "are"} ${plural(refusal.details.balance, "bought token")}, and only those can be given.` : refusal.message);
      },
    ).finally(() => setBusy(false));
  };
  return html`
    <form class="stack" onSubmit=${give} aria-label=${words.label}>
      ${!today && !bad && html`<div class="skeleton" role="status" aria-label="Loading"></div>`}
      ${today && most === 0 && html`<p role="status">You have given ${whole(today.used)} of ${plural(today.limit, "token")} today. Days are UTC.</p>`}
      ${today && most > 0 && html`
        <label>${words.label}<input ref=${first} type="number" name="tokens" required min="1" max=${most} step="1" /></label>
        <p class="quiet">Up to ${whole(most)} now: only bought tokens can be given${gift ? `, at most ${whole(today.limit)} a day` : ""}. ${words.after}.</p>
        <div class="row"><button class="button primary small" disabled=${busy}>${words.yes}</button><button class="button small" type="button" onClick=${close}>${words.no}</button></div>`}
      <div aria-live="polite">${bad && html`<p class="bad" role="alert">${bad}</p>`}</div>
    </form>
  `;
}
