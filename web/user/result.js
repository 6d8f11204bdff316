// What it is, and what to do with it.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { date, duration, exact, percent, plural, relative } from "../lib/format.js";
import { Picture, method } from "./jobs.js";
import { ofTeam } from "./payer.js";

export function Result({ job, cloud, close }) {
  const { result } = job;
  const { disposal } = result;
  const title = useRef(null);
  useEffect(() => title.current.focus(), []);
  const took = (date(job.completedAt) - date(job.createdAt)) / 1000;
  const again = job.cache?.served && job.cache.answeredAt;
  const [said, setSaid] = useState(job.dispute ? "You said that this is wrong." : "");
  const [problem, setProblem] = useState("");
  const dispute = () =>
    cloud.call("report_answer", { jobId: job.jobId, reason: "other" }).then(
      () => setSaid(again ? `${plural(job.tokensCost, "token")} came back. Send the photo again for a new answer.` : "Send the photo again for a new answer."),
      (refusal) => setProblem(refusal.message),
    );
  const kind = [result.category, ...result.materials].join(" · ");
  return html`
    <article class="card" aria-labelledby="item">
      <div class="row">
        <button class="button small" onClick=${close}>Back</button>
        <h2 id="item" tabindex="-1" ref=${title}>${result.itemName}</h2>
      </div>
      <${Picture} job=${job} cloud=${cloud} />
      <p>${kind} · ${percent(result.confidence, 1, 0)} sure</p>
      ${again && html`<p class="quiet" title=${exact(again)}>Answered from your photo, ${relative(again)}</p>`}
      ${result.needsReview && html`<p class="notice">Look twice: this answer is not certain.</p>`}
      <p class="say">${method(result)}${disposal.location ? `: ${disposal.location}` : ""}${disposal.urgent ? ", soon" : ""}</p>
      <ol>${disposal.steps.map((step) => html`<li key=${step}>${step}</li>`)}</ol>
      ${disposal.warnings.map((warning) => html`<p class="notice" key=${warning}><strong>Careful:</strong> ${warning}</p>`)}
      ${disposal.tips.length > 0 && html`<details><summary class="link">Tips</summary><ul>${disposal.tips.map((tip) => html`<li key=${tip}>${tip}</li>`)}</ul></details>`}
      ${result.alternatives.length > 0 && html`<details>
        <summary class="link">Might also be (${result.alternatives.length})</summary>
        <ul>${result.alternatives.map((each) => html`<li key=${each.subcategory}>${each.subcategory}, ${each.category}: ${each.reason}</li>`)}</ul>
      </details>`}
      <p class="quiet">${result.explanation}</p>
      <p class="quiet">${job.mode === "instant" ? "Instant" : "Later"} · ${plural(job.tokensCost, "token")}${ofTeam(job.payer)} · ${duration(took)} · rules of ${result.region}</p>
      ${!said && problem && html`<p role="alert" class="bad">${problem}</p>`}
      ${said ? html`<p role="status" class="quiet">${said}</p>` : html`<button class="button small" onClick=${dispute}>This is wrong</button>`}
    </article>
  `;
}
