// My usage: photos and tokens by month and lane, what waiting has saved, and the whole ledger as a file. Everything is the
// sum of the user's own entries.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { plural, whole } from "../lib/format.js";
import { Table } from "../lib/table.js";
import { WORDS } from "./wallet.js";

const PAGE = 100;
const PAGES_AT_ONCE = 10;
const SPENT = new Set(["charge", "bulk", "upgrade", "refund"]);
const LANES = { instant: "Instant", batch: "Later", cached: "Known photo", unknown: "Older" };

/** Reads pages of a list until its end, or so many at the most. Returns {rows, next}: the cursor of what is left. */
async function pages(cloud, name, of, options, cursor) {
  const rows = [];
  for (let page = 0; page < PAGES_AT_ONCE; page++) {
    const answer = await cloud.call(name, { limit: PAGE, ...options, ...(cursor && { cursor }) });
    rows.push(...answer[of]);
    cursor = answer.nextCursor;
    if (!cursor) break;
  }
  return { rows, next: cursor };
}

/** Sums by month and lane, the latest first: photos, tokens, and those that a lane slower than instant has saved. What is
 * paid is a photo, or a bulk job, some of whose photos have a refund or an upgrade of their own. */
export function usage(entries, jobs, instantPrice, all) {
  const paid = {};
  for (const { reason, ref, delta, detail, ts } of entries)
    if (SPENT.has(reason)) {
      const month = ts.slice(0, 7);
      const each = (paid[ref.split(":")[0]] ??= { tokens: 0, photos: 0, refunded: 0, charged: false, month });
      const photos = Number(detail?.photos ?? 1);
      each.tokens -= delta;
      if (reason === "refund") each.refunded += photos;
      if (reason === "charge" || reason === "bulk") Object.assign(each, { month, photos, charged: true, bulk: reason === "bulk" });
    }
  const sums = {};
  for (const [id, { tokens, photos, refunded, charged, bulk, month }] of Object.entries(paid)) {
    if (!charged && !all) continue; // its charge is on a page that was not read
    const job = jobs[id];
    const lane = bulk || !charged ? "batch" : !job ? "unknown" : job.servedFrom ? "cached" : job.mode;
    const row = ((sums[month] ??= {})[lane] ??= { photos: 0, tokens: 0, refunded: 0, saved: 0 });
    row.photos += photos;
    row.tokens += tokens;
    row.refunded += refunded;
    if (lane === "batch" || lane === "cached") row.saved += Math.max(instantPrice * (photos - refunded) - tokens, 0);
  }
  return Object.entries(sums)
    .sort(([a], [b]) => b.localeCompare(a))
    .flatMap(([month, lanes]) => Object.keys(LANES).flatMap((lane) => (lanes[lane] ? [{ month, lane, ...lanes[lane] }] : [])));
}

/** A cell of a CSV file that a spreadsheet shows and does not calculate. */
const cell = (value) => {
  const text = String(value ?? "");
  const safe = typeof value === "string" && /^\s*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** The ledger as CSV, oldest first. */
export function csv(entries) {
  const lines = entries.toReversed().map(({ ts, reason, delta, balanceAfter, ref, detail }) => [ts, WORDS[reason] ?? reason, delta, balanceAfter, ref, detail?.why].map(cell).join(","));
  return `${["time", "what", "tokens", "balance", "reference", "why"].join(",")}\n${lines.join("\n")}\n`;
}

export function Usage({ cloud, quote, close }) {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const title = useRef(null);
  const more = async (before) => {
    setBusy(true);
    try {
      const ledger = await pages(cloud, "list_ledger", "entries", {}, before?.next);
      const jobs = before?.jobs ?? (await pages(cloud, "list_jobs", "jobs", { fields: ["mode", "servedFrom"] })).rows;
      setFound({ entries: [...(before?.entries ?? []), ...ledger.rows], next: ledger.next, jobs });
      setProblem("");
    } catch (refusal) {
      setProblem(refusal.message);
    }
    setBusy(false);
  };
  useEffect(() => {
    title.current.focus();
    more();
  }, []);
  return html`
    <section class="card" aria-labelledby="usage">
      <div class="row"><button class="button small" onClick=${close}>Back</button><h2 id="usage" tabindex="-1" ref=${title}>Your usage</h2></div>
      ${problem && html`<p class="bad" role="alert">${problem}</p><div><button class="button" onClick=${() => more(found)}>Look again</button></div>`}
      ${!found && !problem && html`<div class="skeleton" role="status" aria-label="Loading"></div>`}
      ${found && html`<${Months} found=${found} price=${quote?.instant.price ?? 0} />`}
      ${found?.next && html`<div><button class="button" disabled=${busy} onClick=${() => more(found)}>Read older entries</button></div>`}
    </section>
  `;
}

function Months({ found: { entries, next, jobs }, price }) {
  const rows = usage(entries, Object.fromEntries(jobs.map((job) => [job.jobId, job])), price, !next);
  const sum = (name) => rows.reduce((all, row) => all + row[name], 0);
  const file = useFile(csv(entries));
  if (!rows.length) return html`<p class="quiet" role="status">No photo has cost anything yet.</p>`;
  return html`
    <p role="status"><span class="figure">${whole(sum("photos"))}</span> ${sum("photos") === 1 ? "photo" : "photos"} for ${plural(sum("tokens"), "token")}${sum("saved") > 0 && html`; <strong class="good">${plural(sum("saved"), "token")} saved</strong> against instant`}</p>
    <${Table}
      columns=${["Month (UTC)", "Lane", ">Photos", ">Tokens", ">Refunded", ">Saved"]}
      rows=${rows.map(({ month, lane, photos, tokens, refunded, saved }) => [month, LANES[lane], whole(photos), whole(tokens), whole(refunded), whole(saved)])}
    />
    <p class="quiet">Saved is what these photos would have cost at once, at today's ${plural(price, "token")}, and did not. Of photos older than 90 days the lane is no longer known.</p>
    <p><a class="button" download="ecolane-ledger.csv" href=${file}>Save ${next ? "these" : "all"} ${plural(entries.length, "entry", "entries")} as CSV</a></p>
  `;
}

/** The address of a file with this text, for as long as it is shown. */
function useFile(text) {
  const [address, setAddress] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [text]);
  return address;
}
