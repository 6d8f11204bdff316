// The user's teams: which there are, a new one, and the way into another one's. Comes when somebody opens it.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { plural } from "../lib/format.js";
import { invited, useTeam } from "./payer.js";
import { ROLES, Team } from "./team.js";

/** `bought`: how many bought tokens the user has. */
export function Teams({ cloud, teams, bought, close }) {
  const [open, setOpen] = useState(null);
  const [said, setSaid] = useState({});
  const title = useRef(null);
  useEffect(() => void title.current?.focus(), [open]);
  const back = (words) => {
    setOpen(null);
    setSaid(words ? { good: words } : {});
  };
  if (open) return html`<${Team} key=${open} cloud=${cloud} id=${open} bought=${bought} close=${back} />`;
  const enter = (asked) =>
    asked.then(
      ({ teamId }) => {
        history.replaceState(null, "", location.pathname); // an invite that has brought somebody in is used up
        setOpen(teamId);
      },
      (refusal) => setSaid({ bad: refusal.message }),
    );
  const ids = teams.value ?? [];
  const known = teams.value && (ids.length > 0 || !teams.stale);
  return html`
    <section class="card" aria-labelledby="teams">
      <div class="row"><button class="button small" onClick=${close}>Back</button><h2 id="teams" tabindex="-1" ref=${title}>Teams</h2></div>
      <p class="quiet">A team has tokens of its own, which its members spend on photos, each up to a limit a month.</p>
      <div aria-live="polite">${said.good && html`<p class="good">${said.good}</p>`}${said.bad && html`<p class="bad" role="alert">${said.bad}</p>`}</div>
      ${teams.error && html`<p class="bad" role="alert">Your teams cannot be shown now. Reload the page.</p>`}
      ${!known && !teams.error && html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`}
      ${known && !ids.length && html`<p role="status">You are in no team yet. Begin one, or join one with an invite.</p>`}
      <ul class="list">${ids.map((id) => html`<${Row} key=${id} cloud=${cloud} id=${id} open=${() => setOpen(id)} />`)}</ul>
    </section>
    <${Join} cloud=${cloud} enter=${enter} />
    <${Begin} cloud=${cloud} enter=${enter} />
  `;
}

function Row({ cloud, id, open }) {
  const team = useTeam(cloud, id);
  if (team.error) return html`<li class="quiet">${team.gone ? "You are not in this team any more." : "This team cannot be shown now. Reload the page."}</li>`;
  if (!team.value) return html`<li><div class="skeleton" role="status" aria-label="Loading"></div></li>`;
  const { name, balance, members, associate } = team.value;
  return html`
    <li class="bar">
      <button class="link wraps" onClick=${open}>${name}</button>
      <span class="quiet">${!associate && `${plural(balance, "token")}, ${plural(Object.keys(members).length, "member")}; `}you are ${ROLES[members[cloud.uid]?.role] ?? ROLES.member}</span>
    </li>
  `;
}

/** Joins when the user says so: a link alone brings nobody in. */
function Join({ cloud, enter }) {
  const [busy, setBusy] = useState(false);
  const join = (event) => {
    event.preventDefault();
    const text = new FormData(event.target).get("code");
    const code = /[A-Z2-7]{26}/i.exec(text)?.[0].toUpperCase() ?? text.trim();
    setBusy(true);
    enter(cloud.call("join_team", { code })).finally(() => setBusy(false));
  };
  return html`
    <form class="card" aria-labelledby="join" onSubmit=${join}>
      <h2 id="join">Join a team</h2>
      ${invited() && html`<p role="status">Somebody has invited you. You come in when you join.</p>`}
      <label>The invite's code, or its link<input type="text" name="code" required maxlength="300" autocomplete="off" autocapitalize="characters" spellcheck="false" defaultValue=${invited() ?? ""} /></label>
      <p class="quiet">Its members see your user id, and which photos the team has paid for you.</p>
      <div><button class="button primary" disabled=${busy}>Join</button></div>
    </form>
  `;
}

function Begin({ cloud, enter }) {
  const [busy, setBusy] = useState(false);
  const keys = useRef({});
  const begin = (event) => {
    event.preventDefault();
    const name = new FormData(event.target).get("name").trim();
    keys.current[name] ??= crypto.randomUUID(); // a name whose answer was lost founds no second team
    setBusy(true);
    enter(cloud.call("create_team", { requestId: keys.current[name], name })).finally(() => setBusy(false));
  };
  return html`
    <form class="card" aria-labelledby="begin" onSubmit=${begin}>
      <h2 id="begin">Begin a team</h2>
      <label>Its name, as all members see it<input type="text" name="name" required maxlength="60" autocomplete="organization" /></label>
      <div><button class="button" disabled=${busy}>Begin the team</button></div>
    </form>
  `;
}
