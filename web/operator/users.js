// Users: find one by uid, a photo by its job's id, or a team by its own; tokens, entries, photos, members. Looking is all this page does: money by hand is a command.
import { collection, doc, limit, orderBy, query, where } from "../vendor/firebase.js";
import { html, useRef, useState } from "../vendor/ui.js";
import { date, day, dollars, duration, exact, plural, relative, whole } from "../lib/format.js";
import { dataOf, rowsOf, useLive, useNow } from "../lib/live.js";
import { Table } from "../lib/table.js";
import { signed } from "./counts.js";

const SHOWN = 20;
const JOB_OR_TEAM_ID = /^[0-9a-f]{32}$/;

export function Users({ cloud }) {
  const [wanted, setWanted] = useState("");
  const field = useRef(null);
  const find = (event) => {
    event.preventDefault();
    setWanted(new FormData(event.target).get("wanted").trim());
  };
  const show = (uid) => {
    field.current.value = uid;
    field.current.focus(); // what was pressed is gone
    setWanted(uid);
  };
  return html`
    <form class="row" onSubmit=${find}>
      <label class="grow">Find a user, a photo or a team<input type="search" name="wanted" placeholder="uid, jobId or teamId" autocomplete="off" required ref=${field} /></label>
      <button class="button primary">Find</button>
    </form>
    ${wanted && (JOB_OR_TEAM_ID.test(wanted) ? html`<${Job} key=${wanted} cloud=${cloud} id=${wanted} find=${show} />` : html`<${User} key=${wanted} cloud=${cloud} uid=${wanted} />`)}
  `;
}

function User({ cloud, uid }) {
  const now = useNow();
  const wallet = useLive(() => doc(cloud.db, "users", uid, "wallet", "main"), dataOf, [uid]);
  const newest = (path, by, ...more) => query(collection(cloud.db, ...path), ...more, orderBy(by, "desc"), limit(SHOWN));
  const entries = useLive(() => newest(["users", uid, "ledger"], "seq"), rowsOf, [uid]);
  const jobs = useLive(() => newest(["aiJobs"], "createdAt", where("uid", "==", uid)), rowsOf, [uid]);
  if (wallet.error) return html`<p class="bad" role="alert">This cannot be shown: ${wallet.error.code}.</p>`;
  if (wallet.value === undefined) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
  if (wallet.value === null) return html`<p class="notice" role="status">There is no wallet of ${uid}: this user has never called.</p>`;
  const { balance, points, plan, scans, streakDays, createdAt, blockedAt, nextRefreshAt } = wallet.value;
  return html`
    <section class="card" aria-labelledby="user">
      <h2 id="user" class="cut">${uid}</h2>
      ${blockedAt && html`<p class="bad">Blocked ${relative(blockedAt, now)}: photos are refused.</p>`}
      <p><span class="figure">${whole(balance)}</span> tokens, ${plural(points, "point")}, plan ${plan}</p>
      <p class="quiet">
        ${plural(scans, "photo")} since ${exact(createdAt)}; ${plural(streakDays, "day")} in a row
        ${nextRefreshAt && html`; next tokens <span title=${exact(nextRefreshAt)}>${relative(nextRefreshAt, now)}</span>`}
      </p>
    </section>
    <section class="card" aria-labelledby="photos">
      <h2 id="photos">Photos</h2>
      <${Table} heading=${3} columns=${["Asked for (UTC)", "Lane", "Status", "What", ">Tokens", ">Cost"]} rows=${(jobs.value ?? []).map(jobCells)} />
      ${jobs.value?.length === 0 && html`<p class="quiet">None in the last 90 days.</p>`}
    </section>
    <section class="card" aria-labelledby="ledger">
      <h2 id="ledger">Ledger</h2>
      <${Table} heading=${1} columns=${["When (UTC)", "Entry", ">Tokens", ">Balance"]} rows=${(entries.value ?? []).map(({ ts, id, delta, balanceAfter }) => [exact(ts), id, signed(delta), whole(balanceAfter)])} />
    </section>
  `;
}

const jobCells = (job) => [
  exact(job.createdAt),
  `${job.mode}${job.mode === job.requestedMode ? "" : ", upgraded"}`,
  job.status,
  job.result?.itemName ?? job.error?.code ?? job.id,
  whole(job.tokensCost),
  dollars(job.costMicros),
];

/** One photo as a timeline: what happened to it, and when; a team, if there is no photo of this id. */
function Job({ cloud, id, find }) {
  const job = useLive(() => doc(cloud.db, "aiJobs", id), dataOf, [id]);
  if (job.error) return html`<p class="bad" role="alert">This cannot be shown: ${job.error.code}.</p>`;
  if (job.value === undefined) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
  if (job.value === null) return html`<${Team} cloud=${cloud} id=${id} find=${find} />`;
  const { uid, payer, createdAt, completedAt, requestedMode, mode, status, attempts, batchId, queuedAt, leaseUntil, result, error, tokensCost, costMicros } = job.value;
  const steps = [
    [createdAt, `asked for in the lane ${requestedMode}, for ${plural(tokensCost, "token")}`],
    mode !== requestedMode && [null, `taken into the lane ${mode}`],
    attempts > 0 && [null, `${plural(attempts, "attempt")}${batchId ? `, the last in batch ${batchId}` : ""}`],
    queuedAt && [queuedAt, "its turn in the queue"],
    leaseUntil && [leaseUntil, "its lease ends: then it is refunded"],
    error && [null, `${error.code}: ${error.message}`],
    completedAt && [completedAt, `${status} after ${duration((date(completedAt) - date(createdAt)) / 1000)}, at a cost of ${dollars(costMicros)}${result ? `: ${result.itemName}` : ""}`],
  ].filter(Boolean);
  return html`
    <section class="card" aria-labelledby="job">
      <h2 id="job" class="cut">Photo ${id}</h2>
      <p class="quiet cut">of ${uid}${payer && `, paid for by the team ${payer}`}</p>
      <ol class="list">${steps.map(([at, words]) => html`<li key=${words}><span class="quiet">${at ? exact(at) : "then"}</span><br />${words}</li>`)}</ol>
    </section>
  `;
}

/** A team's tokens, its members and what it has paid for. Entries are those that its wallet keeps: the
 * rules give its whole ledger to nobody. */
function Team({ cloud, id, find }) {
  const now = useNow();
  const team = useLive(() => doc(cloud.db, "teams", id, "wallet", "main"), dataOf, [id]);
  const jobs = useLive(() => query(collection(cloud.db, "aiJobs"), where("payer", "==", id), orderBy("createdAt", "desc"), limit(SHOWN)), rowsOf, [id]);
  if (team.error) return html`<p class="bad" role="alert">This cannot be shown: ${team.error.code}.</p>`;
  if (team.value === undefined) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
  if (team.value === null) return html`<p class="notice" role="status">There is no job and no team ${id}. Jobs are kept for 90 days.</p>`;
  const { name, balance, purchased, owed, plan, members, recent, closedAt } = team.value;
  const person = (uid) => html`<button class="link wraps" onClick=${() => find(uid)}>${uid}</button>`;
  const used = ({ month, used: tokens }) => (month >= day().slice(0, 7) ? tokens : 0);
  const rows = Object.entries(members).sort(([one], [other]) => one.localeCompare(other));
  return html`
    <section class="card" aria-labelledby="team">
      <h2 id="team" class="cut">Team ${name}</h2>
      ${closedAt && html`<p class="bad">Closed ${relative(closedAt, now)}: it has no members any more.</p>`}
      <p><span class="figure">${whole(balance)}</span> tokens, ${whole(purchased)} of them bought, plan ${plan}</p>
      ${owed > 0 && html`<p class="warn">It owes ${plural(owed, "token")} of purchases that were taken back.</p>`}
    </section>
    <section class="card" aria-labelledby="members">
      <h2 id="members">${plural(rows.length, "member")}</h2>
      <${Table} columns=${["Member", "Role", ">Used this month", ">Limit", "Since (UTC)"]}
        rows=${rows.map(([uid, each]) => [person(uid), `${each.role}${each.blockedAt ? ", blocked" : ""}`, whole(used(each)), each.monthlyLimit === null ? "none" : whole(each.monthlyLimit), exact(each.joinedAt)])} />
    </section>
    <section class="card" aria-labelledby="photos">
      <h2 id="photos">Photos that it has paid for</h2>
      <${Table} heading=${3} columns=${["Asked for (UTC)", "Lane", "Status", "What", ">Tokens", ">Cost", "Whose"]} rows=${(jobs.value ?? []).map((job) => [...jobCells(job), job.uid ? person(job.uid) : "erased"])} />
      ${jobs.value?.length === 0 && html`<p class="quiet">None in the last 90 days.</p>`}
    </section>
    <section class="card" aria-labelledby="ledger">
      <h2 id="ledger">Last entries</h2>
      <${Table} heading=${1} columns=${["When (UTC)", "Entry", ">Tokens"]} rows=${recent.map(({ ts, entryId, delta }) => [exact(ts), entryId, signed(delta)])} />
      ${recent.length === 0 && html`<p class="quiet">None yet.</p>`}
    </section>
  `;
}
