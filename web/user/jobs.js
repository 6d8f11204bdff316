// The user's photos, newest first, live: uploads on top, then jobs with their place in the queue.
import { collection, getDownloadURL, limit, orderBy, query, ref, where } from "../vendor/firebase.js";
import { html, useEffect, useState } from "../vendor/ui.js";
import { date, exact, plural, relative } from "../lib/format.js";
import { useLive, useNow } from "../lib/live.js";
import { failureText } from "../lib/refusals.js";
import { ofTeam } from "./payer.js";

const SHOWN = 20;

export function Jobs({ cloud, quote, uploads, show, changed }) {
  const jobs = useLive(
    () => query(collection(cloud.db, "aiJobs"), where("uid", "==", cloud.uid), orderBy("createdAt", "desc"), limit(SHOWN)),
    (found) => found.docs.map((each) => ({ ...each.data(), jobId: each.id })),
    [cloud.uid],
  );
  const now = useNow();
  const ended = (jobs.value ?? []).filter((job) => job.completedAt).length;
  useEffect(() => {
    if (ended) changed(); // the queue is shorter, and the price may have changed
  }, [ended]);
  const known = new Set((jobs.value ?? []).map((job) => job.imagePath));
  const sending = uploads.items.filter((item) => !known.has(item.path) || item.problem);
  return html`
    <section id="photos" aria-labelledby="yours">
      <div class="bar"><h2 id="yours">Your photos</h2>${jobs.value && jobs.stale && html`<span class="quiet">connecting again …</span>`}</div>
      ${jobs.error && html`<p class="notice error" role="alert">Your photos cannot be shown now. Reload the page.</p>`}
      <ul class="list" aria-live="polite">
        ${sending.map((item) => html`<${Sending} key=${item.id} item=${item} uploads=${uploads} quote=${quote} />`)}
        ${jobs.value?.map((job) => html`<${Job} key=${job.jobId} job=${job} cloud=${cloud} quote=${quote} now=${now} preview=${uploads.preview(job.imagePath)} show=${show} changed=${changed} />`)}
        ${!jobs.value && !jobs.error && [1, 2, 3].map((n) => html`<li key=${n}><div class="skeleton thumb"></div></li>`)}
      </ul>
      ${jobs.value?.length === 0 && !sending.length && html`<p class="quiet">No photo yet. Your first ones are on the house.</p>`}
    </section>
  `;
}

function Sending({ item, uploads, quote }) {
  const myself = item.payer && ["TEAM_NOT_FOUND", "MEMBER_LIMIT", "INSUFFICIENT_TOKENS"].includes(item.reason);
  const elsewhere = ["INSTANT_CLOSED", "BUDGET_EXHAUSTED", "PROVIDER_UNAVAILABLE", "INSUFFICIENT_TOKENS"].includes(item.reason);
  return html`
    <li class="row">
      <img class="thumb" src=${item.preview} alt="" />
      <div class="grow stack">
        ${item.problem
          ? html`<p role="alert" class="bad">${item.problem}</p>
              <div class="row">
                <button class="button small" onClick=${() => uploads.again(item.id)}>${item.reason === "PRICE_CHANGED" ? `Accept ${plural(item.price, "token")}` : "Try again"}</button>
                ${elsewhere && item.lane === "instant" && quote && html`<button class="button small" onClick=${() => uploads.again(item.id, { lane: "batch", price: quote.batch.price })}>Later, ${plural(quote.batch.price, "token")}${ofTeam(item.payer)}</button>`}
                ${myself && html`<button class="button small" onClick=${() => uploads.again(item.id, { payer: null })}>Pay yourself, ${plural(item.price, "token")}</button>`}
                <button class="button small" onClick=${() => uploads.drop(item.id)}>Remove</button>
              </div>`
          : html`<p>${item.share < 1 ? "Uploading" : item.lane === "instant" ? "Being classified" : "Joining the queue"}</p>
              <progress max="1" value=${item.share < 1 ? item.share : undefined} aria-label="Progress"></progress>`}
      </div>
    </li>
  `;
}

const UNDER_WAY = { queued: "in the queue", processing: "being classified" };

function Job({ job, cloud, quote, now, preview, show, changed }) {
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState("");
  const act = async (name, data) => {
    setBusy(name);
    setProblem("");
    await cloud.call(name, { jobId: job.jobId, ...data }, 120, job.payer).catch((refusal) => setProblem(refusal.message));
    setBusy("");
    changed();
  };
  const difference = quote && Math.max(quote.instant.price - job.tokensCost, 0);
  const due = job.estimatedCompletion && date(job.estimatedCompletion) > now ? relative(job.estimatedCompletion, now) : "any moment";
  return html`
    <li class="row">
      <${Picture} job=${job} cloud=${cloud} preview=${preview} small />
      <div class="grow stack">
        <div class="bar">
          ${job.status === "done"
            ? html`<button class="link cut" onClick=${() => show(job)}>${job.result.itemName}</button>`
            : html`<span>${{ failed: "Not classified", cancelled: "Cancelled" }[job.status] ?? "Photo"}</span>`}
          <span class="quiet" title=${exact(job.createdAt)}>${job.completedAt ? relative(job.completedAt, now) : UNDER_WAY[job.status] ?? job.status}</span>
        </div>
        ${job.status === "done" && html`<p class="quiet">${job.result.category} · ${method(job.result)}</p>`}
        ${job.status === "failed" && html`<p class="quiet">${failureText(job)} ${!job.chargeStands && `${plural(job.tokensCost, "token")} came back${job.payer ? " to the team" : ""}.`}</p>`}
        ${job.status === "cancelled" && job.chargeStands && html`<p class="quiet">${failureText(job)}</p>`}
        ${job.status === "queued" && html`
          <p class="quiet">Answer expected ${due}.</p>
          <div class="row">
            ${quote?.instant.open && html`<button class="button small" disabled=${busy} onClick=${() => act("upgrade_job", { maxTokens: difference })}>${busy === "upgrade_job" ? "Classifying …" : `Now, ${plural(difference, "token")}${ofTeam(job.payer)}`}</button>`}
            <button class="button small" disabled=${busy} onClick=${() => act("cancel_job", {})}>Cancel</button>
          </div>`}
        ${job.status === "processing" && html`<progress aria-label="Being classified"></progress>`}
        ${problem && html`<p role="alert" class="bad">${problem}</p>`}
      </div>
    </li>
  `;
}

const METHODS = { recycle: "Recycle", compost: "Compost", hazardous: "Hazardous waste point", landfill: "Residual waste", donate: "Give away", medical: "Pharmacy" };

export const method = (result) => METHODS[result.disposal.primaryMethod] ?? result.disposal.primaryMethod;

/** A job's photo: from this visit's upload, or from Storage. */
export function Picture({ job, cloud, preview, small }) {
  const [url, setUrl] = useState(preview ?? null);
  useEffect(() => {
    let gone = false;
    if (!preview) getDownloadURL(ref(cloud.storage, job.imagePath)).then((found) => gone || setUrl(found), () => gone || setUrl(null));
    return () => {
      gone = true;
    };
  }, [job.imagePath, preview]);
  const about = job.result?.itemName ?? "Your photo";
  if (!url) return html`<div class=${small ? "thumb" : "photo"} role="img" aria-label=${about}></div>`;
  return html`<img class=${small ? "thumb" : "photo"} src=${url} alt=${small ? "" : about} loading="lazy" />`;
}
