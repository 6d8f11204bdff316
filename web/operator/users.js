// Users: find one by uid or by a job's id; tokens, entries, photos. Looking is all this page does: money by hand is a command.
import { collection, doc, limit, orderBy, query, where } from "../vendor/firebase.js";
import { html, useState } from "../vendor/ui.js";
import { date, dollars, duration, exact, plural, relative, whole } from "../lib/format.js";
import { dataOf, rowsOf, useLive, useNow } from "../lib/live.js";
import { Table } from "../lib/table.js";
import { signed } from "./counts.js";

const SHOWN = 20;
const JOB_ID = /^[0-9a-f]{32}$/;

export function Users({ cloud }) {
  const [wanted, setWanted] = useState("");
  const find = (event) => {
    event.preventDefault();
    setWanted(new FormData(event.target).get("wanted").trim());
  };
  return html`
    <form class="row" onSubmit=${find}>
      <label class="grow">Find a user or a photo<input type="search" name="wanted" placeholder="uid, or jobId" autocomplete="off" required /></label>
      <button class="button primary">Find</button>
    </form>
    ${wanted && (JOB_ID.test(wanted) ? html`<${Job} key=${wanted} cloud=${cloud} id=${wanted} />` : html`<${User} key=${wanted} cloud=${cloud} uid=${wanted} />`)}
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

/** One photo as a timeline: what happened to it, and when. */
function Job({ cloud, id }) {
  const job = useLive(() => doc(cloud.db, "aiJobs", id), dataOf, [id]);
  if (job.error) return html`<p class="bad" role="alert">This cannot be shown: ${job.error.code}.</p>`;
  if (job.value === undefined) return html`<div class="skeleton figure" role="status" aria-label="Loading"></div>`;
  if (job.value === null) return html`<p class="notice" role="status">There is no job ${id}. Jobs are kept for 90 days.</p>`;
  const { uid, createdAt, completedAt, requestedMode, mode, status, attempts, batchId, queuedAt, leaseUntil, result, error, tokensCost, costMicros } = job.value;
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
      <p class="quiet cut">of ${uid}</p>
      <ol class="list">${steps.map(([at, words]) => html`<li key=${words}><span class="quiet">${at ? exact(at) : "then"}</span><br />${words}</li>`)}</ol>
    </section>
  `;
}
