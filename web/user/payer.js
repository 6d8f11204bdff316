// Who pays for photos: the user, or a team that the user is in. Nobody else's tokens are ever taken in the payer's place.
import { doc } from "../vendor/firebase.js";
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { plural } from "../lib/format.js";
import { dataOf, useLive } from "../lib/live.js";

/** The code of the invite that a link has brought; null without one. */
export const invited = () => new URLSearchParams(location.hash.slice(1)).get("invite");

/** The ids of the user's teams, live. */
export const useTeams = (cloud) =>
  useLive(() => doc(cloud.db, `users/${cloud.uid}`), (snapshot) => snapshot.data()?.teams ?? [], [cloud.uid]);

/** A team's wallet, which has its members, live; `gone` once the user is not in it. An associate sees the team's name and
 * what it keeps of them: then `value.associate` is true. */
export function useTeam(cloud, id) {
  const [round, setRound] = useState(0);
  const [name, setName] = useState("");
  const was = useRef(false);
  const found = useLive(() => doc(cloud.db, `teams/${id}/wallet/main`), dataOf, [id, round]);
  const denied = found.error?.code === "permission-denied";
  const mine = useLive(() => denied && doc(cloud.db, `teams/${id}/associations/${cloud.uid}`), dataOf, [id, denied]);
  useEffect(() => {
    if (denied && mine.value && !name) cloud.call("get_team", { teamId: id }).then((team) => setName(team.name), () => {});
    if (was.current && mine.value === null) setRound(round + 1); // a member now, or out of the team
    was.current = Boolean(mine.value);
  }, [mine.value]);
  if (denied && mine.value !== null) return { ...mine, gone: false, value: mine.value && { name: name || "A team", associate: true, members: { [cloud.uid]: mine.value } } };
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
  return !team.value?.associate && html`<option value=${id}>${team.value ? `The team ${team.value.name}` : "A team"}</option>`;
}
