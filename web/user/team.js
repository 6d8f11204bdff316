// One team: its tokens, who is in it with which limit, who comes in, and which photos it has paid.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { day, exact, plural, whole } from "../lib/format.js";
import { useNow } from "../lib/live.js";
import { Table } from "../lib/table.js";
import { Board } from "./board.js";
import { Give } from "./give.js";
import { useTeam } from "./payer.js";
import { TeamShop } from "./team_shop.js";
import { Entries } from "./wallet.js";

export const ROLES = { owner: "an owner", admin: "an admin", member: "a member", associate: "an associate" };
const LANES = { instant: "Instant", batch: "Later" };
const LIMIT_MAX = 1_000_000;
const PHOTOS = 20;
const ASSOCIATES = 100;

/** A role of a newer release counts as a member's. */
const roleOf = ({ role }) => (role in ROLES ? role : "member");
const ordinary = (member) => ["member", "associate"].includes(roleOf(member));
const short = (uid) => (uid.length > 12 ? `${uid.slice(0, 8)}…` : uid);
const usedNow = ({ month, used }) => (month >= day().slice(0, 7) ? used : 0);

export function Team({ cloud, id, bought, close }) {
  const team = useTeam(cloud, id);
  const [said, setSaid] = useState({});
  const [busy, setBusy] = useState(false);
  const [ranks, setRanks] = useState(false);
  const now = useNow();
  const title = useRef(null);
  useEffect(() => void title.current?.focus(), [ranks]);
  const { value, gone } = team;
  const shown = !gone && value;
  const act = (name, data, done) => {
    setBusy(true);
    return cloud.call(name, { teamId: id, ...data }).then(
      (answer) => {
        setSaid({});
        done(answer);
        return true;
      },
      (refusal) => {
        setSaid({ bad: refusal.message });
        return refusal.mayRepeat ? null : false;
      },
    ).finally(() => setBusy(false));
  };
  const leave = () => act("change_member", { uid: cloud.uid, remove: true }, () => close(`You have left the team ${value.name}.`));
  const me = shown && value.members[cloud.uid];
  const people = shown && { cloud, id, bought, teams: value.purchased, mine: roleOf(me), uid: cloud.uid, busy, act };
  if (shown && ranks) return html`<${Board} cloud=${cloud} team=${id} leads=${!ordinary(me)} close=${() => setRanks(false)} />`;
  return html`
    <section class="card" aria-labelledby="team">
      <div class="row"><button class="button small" onClick=${() => close()}>Back</button><h2 id="team" class="wraps" tabindex="-1" ref=${title}>${shown ? value.name : "Team"}</h2>${shown && team.stale && html`<span class="quiet">connecting again …</span>`}</div>
      ${gone && html`<p class="notice" role="status">You are not in this team any more. What you had in the queue at its expense is cancelled. Ask for a new invite if you should be in it.</p>`}
      ${team.error && !gone && html`<p class="bad" role="alert">This team cannot be shown now. Reload the page.</p>`}
      ${!value && !team.error && html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`}
      ${shown?.associate && html`<p>You are an associate: you pay with tokens of your own, such as the team allots to you. ${plural(me.allotted, "token")} of them can be returned to it.</p>`}
      ${shown && !shown.associate && html`
        <p><span class="figure fresh" key=${value.balance}>${whole(value.balance)}</span> tokens${value.purchased > 0 ? `, ${whole(value.purchased)} of them bought` : ""}</p>
        ${value.balance === 0 && html`<p class="quiet">The team has no tokens: its members pay themselves until it gets some.</p>`}
        <p>You are ${ROLES[roleOf(me)]}: ${share(me)}.</p>`}
      <div aria-live="polite">${said.good && html`<p class="good">${said.good}</p>`}${said.bad && html`<p class="bad" role="alert">${said.bad}</p>`}</div>
    </section>
    ${shown && html`
      <${Members} ...${people} heading="members" title=${shown.associate ? "You" : plural(Object.keys(value.members).length, "member")} members=${value.members} say=${setSaid} />
      ${!ordinary(me) && value.associateCount > 0 && html`<${Associates} ...${people} count=${value.associateCount} say=${setSaid} />`}
      ${!ordinary(me) && html`<${Invite} owner=${roleOf(me) === "owner"} busy=${busy} act=${act} />`}
      ${!ordinary(me) && html`<${TeamShop} cloud=${cloud} id=${id} name=${value.name} />`}
      ${!shown.associate && html`
        <${Photos} cloud=${cloud} id=${id} />
        <section class="card" aria-labelledby="lately">
          <h2 id="lately">Lately</h2>
          ${value.recent.length === 0 && html`<p class="quiet">Nothing has come or gone yet.</p>`}
          <${Entries} recent=${value.recent} now=${now} />
        </section>
        <div><button class="button" onClick=${() => setRanks(true)}>Leaderboard of teams</button></div>`}
      <${Ask} words="Leave the team" title=${`Leave the team ${value.name}?`} yes="Leave it" busy=${busy} then=${leave}>
        You spend nothing of it any more, and photos that you have in the queue at its expense are cancelled. To come back you need a new invite.
      <//>
      <p class="quiet wraps">For questions to support: this is the team ${id}.</p>`}
  `;
}

function share(member) {
  if (roleOf(member) === "associate") return `${plural(member.allotted, "token")} allotted`;
  const used = usedNow(member);
  return member.monthlyLimit === null ? `${plural(used, "token")} used this month, without a limit` : `${whole(used)} of ${plural(member.monthlyLimit, "token")} used this month`;
}

/** Associates come in pages, when somebody asks for them, and again when one has changed. */
function Associates({ count, say, ...people }) {
  const [found, setFound] = useState(null);
  const [asking, setAsking] = useState(false);
  const look = (cursor) => {
    setAsking(true);
    people.cloud.call("get_team", { teamId: people.id, limit: ASSOCIATES, ...(cursor && { cursor }) }).then(
      ({ associates, nextCursor }) => setFound({ members: { ...(cursor && found.members), ...Object.fromEntries(associates.map((each) => [each.uid, each])) }, nextCursor }),
      (refusal) => say({ bad: refusal.message }),
    ).finally(() => setAsking(false));
  };
  const told = (words) => {
    say(words);
    if (words.good) look();
  };
  return html`
    <${Members} ...${people} heading="associates" title=${plural(count, "associate")} members=${found?.members ?? {}} say=${told}>
      <div class="row">
        ${!found && html`<button class="button small" disabled=${asking} onClick=${() => look()}>Show associates</button>`}
        ${found?.nextCursor && html`<button class="button small" disabled=${asking} onClick=${() => look(found.nextCursor)}>More associates</button>`}
      </div>
    <//>
  `;
}

/** `bought` tokens are the user's, `teams` the team's; `mine` is the user's role. */
function Members({ cloud, id, bought, teams, mine, heading, title: words, members, uid, busy, act, say, children }) {
  const [giving, setGiving] = useState(null);
  const [open, setOpen] = useState(null);
  const title = useRef(null);
  const buttons = useRef({});
  // Or the keyboard would be nowhere. The last associate goes with their list; whoever is left stands among the members.
  const focus = (there) => (there ?? title.current ?? document.getElementById("members"))?.focus();
  const close = (other, gone) => {
    setOpen(null);
    focus(gone ? title.current : buttons.current[other]);
  };
  const order = Object.keys(ROLES);
  const all = Object.entries(members).sort(([one, a], [other, b]) => (other === uid) - (one === uid) || order.indexOf(roleOf(a)) - order.indexOf(roleOf(b)) || one.localeCompare(other));
  const moves = (other, each) =>
    [
      other !== uid && ["gift", "Give tokens", bought],
      may(each) && ["allot", "Allot tokens", teams],
      other === uid && ["back", "Return tokens", Math.min(bought, each.allotted ?? 0)],
    ].filter((move) => move && move[2] > 0);
  const may = (each) => mine === "owner" || (mine === "admin" && ordinary(each));
  return html`
    <section class="card" aria-labelledby=${heading}>
      <h2 id=${heading} tabindex="-1" ref=${title}>${words}</h2>
      <ul class="list">
        ${all.map(([other, each]) => {
          const name = other === uid ? "You" : short(other);
          return html`
            <li class="stack" key=${other}>
              <div class="bar">
                <span title=${other}>${name}, ${ROLES[roleOf(each)]}${each.blockedAt || each.blocked ? html`, <span class="bad">blocked by our support</span>` : ""}<br /><span class="quiet">${share(each)}${each.allotted > 0 && roleOf(each) !== "associate" ? `, ${whole(each.allotted)} allotted` : ""}</span></span>
                ${moves(other, each).map(([kind, words]) => html`<button key=${kind} class="button small" aria-expanded=${giving === `${kind} ${other}`} aria-label=${kind === "back" ? words : `${words} to ${name}`} onClick=${() => setGiving(giving === `${kind} ${other}` ? null : `${kind} ${other}`)}>${words}</button>`)}
                ${may(each) && html`<button class="button small" aria-expanded=${open === other} aria-label=${`Change ${name}`} ref=${(button) => (buttons.current[other] = button)} onClick=${() => setOpen(open === other ? null : other)}>Change</button>`}
              </div>
              ${each.monthlyLimit > 0 && html`<progress max=${each.monthlyLimit} value=${usedNow(each)} aria-label=${`Used by ${name} this month`}></progress>`}
              ${moves(other, each).map(([kind, , most]) => giving === `${kind} ${other}` && html`<${Give} key=${kind} cloud=${cloud} id=${id} kind=${kind} other=${other} name=${name} bought=${most} say=${say} close=${() => (setGiving(null), focus())} />`)}
              ${open === other && may(each) && html`<${Change} key=${other} other=${other} name=${name} self=${other === uid} each=${each} owner=${mine === "owner"} busy=${busy} act=${act} say=${say} close=${(gone) => close(other, gone)} />`}
            </li>`;
        })}
      </ul>
      ${children}
    </section>
  `;
}

/** The form of one member: what is there stands in it, and nothing changes before it is saved. */
function Change({ other, name, self, each, owner, busy, act, say, close }) {
  const [role, setRole] = useState(roleOf(each));
  const [limit, setLimit] = useState(each.monthlyLimit === null ? "" : String(each.monthlyLimit));
  const first = useRef(null);
  useEffect(() => first.current.focus(), []);
  const change = (event) => {
    event.preventDefault();
    const wanted = { ...(role !== roleOf(each) && { role }), ...(limit === "" ? { noLimit: true } : { monthlyLimit: Number(limit) }) };
    act("change_member", { uid: other, ...wanted }, () => {
      say({ good: `${name}: ${ROLES[role]}, ${limit === "" ? "no limit" : `${plural(Number(limit), "token")} a month`}.` });
      close();
    });
  };
  const remove = () =>
    act("change_member", { uid: other, remove: true }, ({ cancelled }) => {
      say({ good: `${name} is out of the team${cancelled ? `; ${plural(cancelled, "photo")} cancelled, and paid back to the team` : ""}.` });
      close(true);
    });
  return html`
    <form class="stack" onSubmit=${change} aria-label=${`Change ${name}`}>
      <${Role} value=${role} set=${setRole} owner=${owner} />
      <label>Most tokens a month<input ref=${first} type="number" min="0" max=${LIMIT_MAX} step="1" value=${limit} onInput=${({ target }) => setLimit(target.value)} /></label>
      <p class="quiet">Empty for no limit. Months are UTC.</p>
      <div class="row">
        <button class="button primary small" disabled=${busy}>Save</button>
        <button class="button small" type="button" onClick=${() => close()}>Keep as it is</button>
        ${!self && html`<${Ask} small words="Remove" title=${`Remove ${name} from the team?`} yes="Remove" busy=${busy} then=${remove}>
          They spend nothing of the team's from now on. What they have in the queue at its expense is cancelled, and paid back to the team.
        <//>`}
      </div>
    </form>
  `;
}

function Role({ value, set, owner }) {
  return html`
    <label>Role <select value=${value} onChange=${({ target }) => set(target.value)}>
      <option value="member">Member: spends and sees</option>
      <option value="associate">Associate: gets tokens, and spends none of the team's</option>
      ${owner && html`<option value="admin">Admin: invites and changes members, too</option><option value="owner">Owner: may do everything</option>`}
    </select></label>
  `;
}

function Invite({ owner, busy, act }) {
  const [role, setRole] = useState("member");
  const [made, setMade] = useState(null);
  const [copied, setCopied] = useState("");
  const keys = useRef({});
  const invite = (event) => {
    event.preventDefault();
    const monthlyLimit = Number(new FormData(event.target).get("limit"));
    const name = `${role} ${monthlyLimit}`;
    keys.current[name] ??= crypto.randomUUID();
    setCopied("");
    act("invite_member", { requestId: keys.current[name], role, monthlyLimit }, (invite) => setMade({ ...invite, role, monthlyLimit })).then((answered) => {
      if (answered !== null) delete keys.current[name]; // the next one is another invite
    });
  };
  const link = made && `${location.origin}/#invite=${made.code}`;
  const copy = () =>
    navigator.clipboard.writeText(link).then(
      () => setCopied("Copied."),
      () => setCopied("This browser does not copy: select the link, and copy it."),
    );
  return html`
    <section class="card" aria-labelledby="invite">
      <h2 id="invite">Invite somebody</h2>
      <form class="stack" onSubmit=${invite}>
        <${Role} value=${role} set=${setRole} owner=${owner} />
        <label>Most tokens a month<input type="number" name="limit" required min="0" max=${LIMIT_MAX} step="1" /></label>
        <div><button class="button" disabled=${busy}>Make an invite</button></div>
      </form>
      ${made && html`
        <div class="stack" role="status">
          <p>For one person, as ${ROLES[made.role]} with ${plural(made.monthlyLimit, "token")} a month. Pass it on only to whom you mean: whoever has it can use it, <span title=${exact(made.expiresAt)}>until ${new Date(made.expiresAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}</span>.</p>
          <label>Link<input type="text" readonly value=${link} onFocus=${({ target }) => target.select()} /></label>
          <label>Code<input type="text" readonly value=${made.code} onFocus=${({ target }) => target.select()} /></label>
          <div class="row"><button class="button small" onClick=${copy}>Copy the link</button><span class="quiet">${copied}</span></div>
        </div>`}
    </section>
  `;
}

/** What the team has paid for, of all members: read when somebody asks for it. */
function Photos({ cloud, id }) {
  const [found, setFound] = useState(null);
  const [bad, setBad] = useState("");
  const [busy, setBusy] = useState(false);
  const look = (cursor) => {
    setBusy(true);
    cloud.call("list_jobs", { team: id, limit: PHOTOS, fields: ["mode", "status", "tokensCost", "createdAt", "result"], ...(cursor && { cursor }) }).then(
      ({ jobs, nextCursor }) => {
        setFound({ jobs: [...(cursor ? found.jobs : []), ...jobs], nextCursor });
        setBad("");
      },
      (refusal) => setBad(refusal.message),
    ).finally(() => setBusy(false));
  };
  const whose = (uid) => (uid === cloud.uid ? "You" : uid ? html`<span title=${uid}>${short(uid)}</span>` : "Somebody who has left us");
  return html`
    <section class="card" aria-labelledby="paid">
      <h2 id="paid">Photos that the team has paid</h2>
      ${found && html`<${Table} heading=${2} columns=${["Sent (UTC)", "Whose", "What", "Lane", ">Tokens"]}
        rows=${found.jobs.map(({ createdAt, uid, result, status, mode, tokensCost }) => [exact(createdAt).slice(0, 16), whose(uid), result?.itemName ?? STATUS[status] ?? status, LANES[mode] ?? mode, whole(tokensCost)])} />`}
      ${found?.jobs.length === 0 && html`<p class="quiet" role="status">None in the last 90 days.</p>`}
      <div aria-live="polite">${bad && html`<p class="bad" role="alert">${bad}</p>`}</div>
      <div class="row">
        <button class="button small" disabled=${busy} onClick=${() => look()}>${found ? "Look again" : "Show them"}</button>
        ${found?.nextCursor && html`<button class="button small" disabled=${busy} onClick=${() => look(found.nextCursor)}>Older ones</button>`}
      </div>
    </section>
  `;
}

const STATUS = { queued: "in the queue", processing: "being classified", failed: "not classified", cancelled: "cancelled" };

/** A button that asks first. The dialog keeps the keyboard to itself, and Escape changes nothing. */
function Ask({ words, title, yes, busy, then, small, children }) {
  const dialog = useRef(null);
  const act = () => {
    dialog.current.close();
    then();
  };
  return html`
    <div>
      <button class=${small ? "button small" : "button"} type="button" disabled=${busy} onClick=${() => dialog.current.showModal()}>${words}</button>
      <dialog ref=${dialog} class="card" aria-label=${title}>
        <h2>${title}</h2>
        <p>${children}</p>
        <div class="row">
          <button class="button primary" type="button" onClick=${() => dialog.current.close()}>No, go back</button>
          <button class="button" type="button" onClick=${act}>${yes}</button>
        </div>
      </dialog>
    </div>
  `;
}
