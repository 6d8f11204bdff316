// Users: find one by uid or by a job's id; tokens, entries, photos. Looking is all this page does: money by hand is a command.
import { collection, doc, limit, orderBy, query, where } from "../vendor/firebase.js";
import { html, useState } from "../vendor/ui.js";
import { date, dollars, duration, exact, plural, relative, whole } from "../lib/format.js";
import { useLive, useNow } from "../lib/live.js";

const SHOWN = 20;
const JOB_ID = /^[0-9a-f]{32}$/;

const rows = (snapshot) => snapshot.docs.map((each) => ({ id: each.id, ...each.data() }));
const data = (snapshot) => snapshot.data() ?? null;

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
  const wallet = useLive(() => doc(cloud.db, "users", uid, "wallet", "main"), data, [uid]);
  const newest = (path, by, ...more) => query(collection(cloud.db, ...path), ...more, orderBy(by, "desc"), limit(SHOWN));
  const entries = useLive(() => newest(["users", uid, "ledger"], "seq"), rows, [uid]);
  const jobs = useLive(() => newest(["aiJobs"], "createdAt", where("uid", "==", uid)), rows, [uid]);
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
      <div class="scroll" tabindex="0">
        <table>
          <thead><tr><th scope="col">Asked for (UTC)</th><th scope="col">Lane</th><th scope="col">Status</th><th scope="col">What</th><th scope="col" class="number">Tokens</th><th scope="col" class="number">Cost</th></tr></thead>
          <tbody>${jobs.value?.map((job) => html`<${JobRow} key=${job.id} job=${job} />`)}</tbody>
        </table>
      </div>
      ${jobs.value?.length === 0 && html`<p class="quiet">None in the last 90 days.</p>`}
    </section>
    <section class="card" aria-labelledby="ledger">
      <h2 id="ledger">Ledger</h2>
      <div class="scroll" tabindex="0">
        <table>
          <thead><tr><th scope="col">When (UTC)</th><th scope="col">Entry</th><th scope="col" class="number">Tokens</th><th scope="col" class="number">Balance</th></tr></thead>
          <tbody>
            ${entries.value?.map(
              (entry) =>
                html`<tr key=${entry.id}><td>${exact(entry.ts)}</td><th scope="row">${entry.id}</th><td class="number">${entry.delta > 0 ? "+" : ""}${whole(entry.delta)}</td><td class="number">${whole(entry.balanceAfter)}</td></tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>
  `;
}

function JobRow({ job }) {
  return html`
    <tr>
      <td>${exact(job.createdAt)}</td>
      <td>${job.mode}${job.mode === job.requestedMode ? "" : ", upgraded"}</td>
      <td>${job.status}</td>
      <th scope="row">${job.result?.itemName ?? job.error?.code ?? job.id}</th>
      <td class="number">${whole(job.tokensCost)}</td>
      <td class="number">${dollars(job.costMicros)}</td>
    </tr>
  `;
}

/** One photo as a timeline: what happened to it, and when. */
function Job({ cloud, id }) {
  const job = useLive(() => doc(cloud.db, "aiJobs", id), data, [id]);
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
