// Photos of a folder: uploaded under names that begin alike, and handed in as one bulk job, whose document says how far it is.
import { collection, limit, orderBy, query, ref, uploadBytesResumable, where } from "../vendor/firebase.js";
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { date, plural, relative, whole } from "../lib/format.js";
import { rowsOf, useLive, useNow } from "../lib/live.js";
import { ofTeam, Payer } from "./payer.js";
import { Presets, usePresets } from "./presets.js";
import { asJpeg } from "./submit.js";

const PHOTOS_MAX = 10_000;
const AT_ONCE = 4;
const SHOWN = 5;

/** Returns the pictures of a folder, in the order of their names. */
function pictures(files) {
  const found = [...files].filter((file) => file.type.startsWith("image/"));
  return found.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
}

/** `chosen`: who pays for single photos, to begin with. */
export function Bulk({ cloud, teams, chosen, close }) {
  const [payer, setPayer] = useState(chosen);
  const presets = usePresets(cloud).value ?? {};
  const [name, setName] = useState(null);
  const [folder, setFolder] = useState(null);
  const [sent, setSent] = useState(null);
  const [said, setSaid] = useState({});
  const title = useRef(null);
  const looked = useRef(0);
  useEffect(() => title.current.focus(), []);
  const priced = async (wanted, who) => {
    const turn = ++looked.current; // a slow answer must not bring another payer's price back
    setFolder({ ...wanted, quote: null });
    try {
      const quote = await cloud.call("quote", { photos: wanted.photos.length, ...(who && { payer: who }) });
      if (turn === looked.current) setFolder({ ...wanted, quote, prices: [quote.bulk.price, quote.bulk.anyTimePrice] });
    } catch (error) {
      if (turn === looked.current) setSaid({ bad: error.message });
    }
  };
  const preset = presets[name] ?? {};
  const pay = (who, changes = {}) => {
    if (!("anyTime" in changes) && who !== (preset.payer ?? null)) setName(null); // its payer would be taken for nobody
    setPayer(who);
    setSaid({});
    if (folder) priced({ ...folder, ...changes }, who);
  };
  const wish = (chosen, wanted = presets[chosen]) => {
    setName(chosen);
    if (wanted) pay(wanted.payer ?? null, { anyTime: wanted.lane === "any_time" });
  };
  const choose = async (files) => {
    const photos = pictures(files);
    setSaid(photos.length > PHOTOS_MAX ? { bad: `Choose at most ${whole(PHOTOS_MAX)} photos.` } : photos.length ? {} : { bad: "There is no photo in this folder." });
    if (!photos.length || photos.length > PHOTOS_MAX) return;
    await priced({ photos, prefix: crypto.randomUUID(), anyTime: preset.lane === "any_time", next: 0 }, payer);
  };
  const price = folder?.quote && folder.prices[Number(folder.anyTime)];
  const tooDear = preset.maxTokens && price > preset.maxTokens * folder?.photos.length;
  const start = async (event) => {
    event.preventDefault();
    const { anyTime } = folder;
    setSaid({});
    setSent(folder.next);
    try {
      await upload(cloud, folder, setSent);
      await cloud.call("start_bulk", { requestId: folder.prefix, prefix: folder.prefix, maxTokens: price, anyTime, ...(presets[name] && { preset: name }), ...(!preset.language && { language: navigator.language }), ...(payer && { payer }) });
      setFolder(null);
    } catch (error) {
      if (error.reason === "PRICE_CHANGED") setFolder({ ...folder, prices: folder.prices.map((each, n) => (n === Number(anyTime) ? error.details.price : each)) });
      setSaid({ bad: error.reason ? error.message : "The upload was interrupted. Try again: it goes on where it was." });
    }
    setSent(null);
  };
  return html`
    <section class="card" aria-labelledby="bulk">
      <div class="row"><button class="button small" onClick=${close}>Back</button><h2 id="bulk" tabindex="-1" ref=${title}>Photos of a folder</h2></div>
      <p class="quiet">Up to ${whole(PHOTOS_MAX)} photos, answered later, with a report as a table.</p>
      ${sent === null && html`
        <${Payer} cloud=${cloud} teams=${teams} payer=${payer} pay=${pay} quote=${folder?.quote} />
        <${Presets} cloud=${cloud} presets=${presets} chosen=${name in presets ? name : null} choose=${wish} payer=${payer} />
        <div class="drop"><input id="folder" type="file" multiple webkitdirectory accept="image/*" onChange=${(event) => { choose(event.target.files); event.target.value = ""; }} />
        <label class="button" for="folder">Choose a folder</label></div>`}
      ${folder && !folder.quote && !said.bad && html`<div class="skeleton" role="status" aria-label="Loading"></div>`}
      ${folder && !folder.quote && said.bad && html`<div><button class="button small" onClick=${() => pay(payer)}>Look again</button></div>`}
      ${folder?.quote && sent === null && html`
        <form class="stack" onSubmit=${start}>
          <label class="choice"><input type="checkbox" checked=${folder.anyTime} onChange=${(event) => setFolder({ ...folder, anyTime: event.target.checked })} /><span>They may take some days${folder.prices[1] < folder.prices[0] && `, for ${plural(folder.prices[1], "token")}`}</span></label>
          ${tooDear && html`<p class="bad" role="alert">This is more than the ${plural(preset.maxTokens, "token")} a photo of your preset.</p>`}
          <button class="button primary" disabled=${tooDear}>Upload ${plural(folder.photos.length, "photo")} for ${plural(price, "token")}${ofTeam(payer)}</button>
        </form>`}
      ${sent !== null && html`<label><span>${whole(sent)} of ${plural(folder.photos.length, "photo")} uploaded. Leave this page open.</span><progress max=${folder.photos.length} value=${sent}></progress></label>`}
      <div aria-live="polite">${said.bad && html`<p class="bad" role="alert">${said.bad}</p>`}</div>
    </section>
    <${Folders} cloud=${cloud} />
  `;
}

/** Uploads what is left of a folder, a few photos at once. What is uploaded stays so, whatever goes wrong. */
async function upload(cloud, folder, progress) {
  const done = (folder.done ??= new Set());
  const left = folder.photos.map((_, n) => n).filter((n) => !done.has(n));
  const one = async () => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) {
      const photo = await asJpeg(folder.photos[n]);
      const name = folder.photos[n].name.replace(/[^\w.-]+/g, "_").slice(-80);
      const path = `users/${cloud.uid}/uploads/${folder.prefix}-${String(n).padStart(5, "0")}-${name}`;
      await uploadBytesResumable(ref(cloud.storage, path), photo, { contentType: photo.type || "image/jpeg" });
      progress(done.add(n).size);
    }
  };
  const stop = (error) => {
    left.length = 0;
    throw error;
  };
  // All of them have ended before anything is said: one that went on would upload, and show, beside the next try.
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => one().catch(stop)));
  for (const { reason } of ends) if (reason) throw reason;
}

const WAITING = {
  queue: "waiting for room in the queue",
  budget: "waiting for today's AI budget",
  limit: "waiting: you have had enough photos for today",
  blocked: "waiting: this account is blocked",
};
const STATES = { taking: "on the way", working: "on the way", cancelling: "being cancelled", done: "done", cancelled: "cancelled" };

function Folders({ cloud }) {
  const bulks = useLive(() => query(collection(cloud.db, "bulkJobs"), where("uid", "==", cloud.uid), orderBy("createdAt", "desc"), limit(SHOWN)), rowsOf, [cloud.uid]);
  const [bad, setBad] = useState(null);
  const now = useNow();
  const act = (name, bulkId, then = () => setBad(null)) => cloud.call(name, { bulkId }).then(then, (refusal) => setBad(refusal.message));
  return html`
    <section aria-labelledby="folders">
      <h2 id="folders">Your folders</h2>
      ${bulks.error && html`<p class="notice error" role="alert">Your folders cannot be shown now. Reload the page.</p>`}
      <div aria-live="polite">${bad && html`<p class="bad" role="alert">${bad}</p>`}</div>
      ${bulks.value?.length === 0 && html`<p class="quiet">None yet.</p>`}
      <ul class="list">
        ${bulks.value?.map((bulk) => html`
          <li class="stack" key=${bulk.id}>
            <label><span>${whole(ended(bulk))} of ${plural(bulk.count, "photo")} answered, ${(bulk.state === "taking" && WAITING[bulk.waiting]) || STATES[bulk.state] || bulk.state}</span><progress max=${bulk.count} value=${bulk.completedAt ? bulk.count : ended(bulk)}></progress></label>
            <p class="quiet">${plural(bulk.tokensCost - bulk.refunded, "token")}${ofTeam(bulk.payer)}, ${relative(date(bulk.createdAt), now)}${bulk.failed ? `, ${whole(bulk.failed)} failed` : ""}</p>
            <div class="row">
              ${bulk.completedAt && html`<button class="button small" onClick=${() => act("get_bulk", bulk.id, ({ reportUrl }) => location.assign(reportUrl))}>Report</button>`}
              ${["taking", "working"].includes(bulk.state) && html`<button class="button small" onClick=${() => act("cancel_bulk", bulk.id)}>Cancel</button>`}
            </div>
          </li>`)}
      </ul>
    </section>
  `;
}

const ended = ({ done, failed, cancelled }) => done + failed + cancelled;
