// Who pays for photos: the user, or a team that the user is in. Nobody else's tokens are ever taken in the payer's place.
import { doc } from "../vendor/firebase.js";
import { html } from "../vendor/ui.js";
import { plural } from "../lib/format.js";
import { dataOf, useLive } from "../lib/live.js";

/** The code of the invite that a link has brought; null without one. */
export const invited = () => new URLSearchParams(location.hash.slice(1)).get("invite");

/** The ids of the user's teams, live. */
export const useTeams = (cloud) =>
  useLive(() => doc(cloud.db, `users/${cloud.uid}`), (snapshot) => snapshot.data()?.teams ?? [], [cloud.uid]);

/** A team's wallet, which has its members, live; `gone` once the user is not in it. */
export function useTeam(cloud, id) {
  const found = useLive(() => doc(cloud.db, `teams/${id}/wallet/main`), dataOf, [id]);
  const value = found.value ?? undefined; // nothing in this browser's memory yet
  return { ...found, value, gone: found.error?.code === "permission-denied" || (value && !(cloud.uid in value.members)) };
}

/** Whose the tokens are, after their number. */
export const ofTeam = (payer) => (payer ? " from the team" : "");

export function Payer({ cloud, teams, payer, pay, quote }) {
  if (!teams.length && !payer) return null;
  const gone = payer && !teams.includes(payer);
  return html`
    <label>Who pays <select value=${payer ?? ""} onChange=${({ target }) => pay(target.value || null)}>
      <option value="">You, with your own tokens</option>
      ${teams.map((id) => html`<${Choice} key=${id} cloud=${cloud} id=${id} />`)}
      ${gone && html`<option value=${payer} disabled>Choose who pays</option>`}
    </select></label>
    ${payer && quote && html`<p class="quiet" role="status">The team has ${plural(quote.balance, "token")}${quote.member.left === null ? "" : `; you may spend ${quote.member.left} of them this month`}.</p>`}
  `;
}

function Choice({ cloud, id }) {
  const team = useTeam(cloud, id);
  return html`<option value=${id}>${team.value ? `The team ${team.value.name}` : "A team"}</option>`;
}
