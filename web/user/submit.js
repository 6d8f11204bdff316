// A photo on its way: made small in the browser, uploaded, classified. A request keeps its id until its answer is known.
import { ref, uploadBytesResumable } from "../vendor/firebase.js";
import { html, useCallback, useEffect, useRef, useState } from "../vendor/ui.js";
import { localTime, plural, wait } from "../lib/format.js";
import { Refusal } from "../lib/refusals.js";
import { ofTeam, Payer } from "./payer.js";

const SIDE_MAX = 1024;
const QUALITY = 0.85;
const TRIES = 4;
const CALL_SECONDS = 120;

/** Returns the photo as a JPEG of at most SIDE_MAX pixels: the functions use no more of it. */
export async function asJpeg(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
  if (!bitmap) return file; // the functions say what is wrong with it
  const scale = Math.min(1, SIDE_MAX / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(Math.round(bitmap.width * scale), 1), Math.max(Math.round(bitmap.height * scale), 1));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
}

/** Returns the photos on their way, and `add(files, {lane, price, payer})`, `again(id)`, which may have others of these,
 * `drop(id)`. `preview(path)` is the picture of an upload of this visit. */
export function useUploads(cloud, changed) {
  const [items, setItems] = useState([]);
  const previews = useRef(new Map());
  const change = (id, fields) => setItems((all) => all.map((each) => (each.id === id ? { ...each, ...fields } : each)));
  const drop = useCallback((id) => setItems((all) => all.filter((each) => each.id !== id)), []);

  const send = async (item) => {
    try {
      change(item.id, { problem: null });
      item.path ??= await upload(item, (share) => change(item.id, { share }));
      previews.current.set(item.path, item.preview);
      change(item.id, { path: item.path, share: 1 });
      await classify(item);
      drop(item.id);
    } catch (error) {
      const refusal = error instanceof Refusal ? error : uploadRefusal(error);
      const requestId = refusal.mayRepeat ? item.requestId : crypto.randomUUID();
      const price = refusal.reason === "PRICE_CHANGED" ? refusal.details.price : item.price;
      change(item.id, { requestId, price, problem: refusal.message, reason: refusal.reason });
    }
    changed();
  };

  const upload = async (item, progress) => {
    const photo = await asJpeg(item.file);
    const path = `users/${cloud.uid}/uploads/${item.id}.jpg`;
    const task = uploadBytesResumable(ref(cloud.storage, path), photo, { contentType: photo.type || "image/jpeg" });
    task.on("state_changed", ({ bytesTransferred, totalBytes }) => progress(bytesTransferred / Math.max(totalBytes, 1)));
    await task;
    return path;
  };

  const classify = async (item) => {
    const request = {
      requestId: item.requestId,
      imagePath: item.path,
      mode: item.lane,
      maxTokens: item.price,
      allowBatch: false,
      language: navigator.language,
      ...(item.payer && { payer: item.payer }),
    };
    for (let n = 1; ; n += 1) {
      try {
        return await cloud.call("classify_image", request, CALL_SECONDS);
      } catch (error) {
        if (n === TRIES || !error.mayRepeat) throw error;
        await new Promise((later) => setTimeout(later, 1000 * (error.details.retryAfter ?? 2 ** n)));
      }
    }
  };

  const add = (files, how) => {
    const added = [...files].map((file) => ({
      id: crypto.randomUUID(),
      requestId: crypto.randomUUID(),
      file,
      ...how,
      share: 0,
      problem: null,
      preview: URL.createObjectURL(file),
    }));
    setItems((all) => [...added, ...all]);
    for (const item of added) send(item);
  };
  const again = (id, otherwise) => {
    const item = items.find((each) => each.id === id);
    if (otherwise) Object.assign(item, otherwise, { requestId: crypto.randomUUID() });
    change(id, item);
    send(item);
  };
  return { items, add, again, drop, preview: (path) => previews.current.get(path) };
}

function uploadRefusal(error) {
  const text =
    error.code === "storage/unauthorized"
      ? "This file is not taken: a JPEG, PNG or WebP of at most 10 MB is."
      : "The upload was interrupted. Try again.";
  return new Refusal(text, error.code, {});
}

/** The card to hand photos in, with who pays, and both lanes with their prices. `problem`: why there are no prices. */
export function Submit({ cloud, quote, problem, refresh, uploads, teams, payer, pay }) {
  const [lane, setLane] = useState(null);
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (quote) setLane((chosen) => chosen ?? quote.recommended); // once: a price must not change under a finger
  }, [quote]);
  const open = quote && lane && (lane !== "instant" || quote.instant.open);
  const take = (files) => open && files.length && uploads.add(files, { lane, price: quote[lane].price, payer });
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take([...event.dataTransfer.files]);
  };
  return html`
    <section class="card" aria-labelledby="take">
      <h2 id="take">What is it, and where does it go?</h2>
      <${Payer} cloud=${cloud} teams=${teams} payer=${payer} pay=${pay} quote=${quote} />
      ${!quote && problem && html`<p class="bad" role="alert">${problem}</p><div><button class="button small" onClick=${refresh}>Look again</button></div>`}
      <fieldset>
        <legend class="quiet">How soon</legend>
        <${Choice} name="instant" label="Instant" lane=${lane} set=${setLane} quote=${quote}
          when=${quote && !quote.instant.open ? closed(quote.instant) : "seconds"} closed=${quote && !quote.instant.open} />
        <${Choice} name="batch" label="Later" lane=${lane} set=${setLane} quote=${quote} when=${quote ? wait(quote.batch.waitMinutes) : "hours"} />
      </fieldset>
      <div class=${over ? "drop over" : "drop"} onDrop=${drop} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}>
        <p>Take a photo, or drop one here</p>
        <input id="file" type="file" accept="image/*" multiple disabled=${!open}
          onChange=${(event) => { take([...event.target.files]); event.target.value = ""; }} />
        <label class="button primary" for="file">${lane === "instant" ? "Classify now" : "Classify later"}${quote && lane ? `, ${plural(quote[lane].price, "token")}${ofTeam(payer)}` : ""}</label>
      </div>
    </section>
  `;
}

const closed = ({ opensAt }) => (opensAt ? `opens ${localTime(opensAt)}` : "closed for now");

function Choice({ name, label, lane, set, quote, when, closed: shut }) {
  return html`
    <label class="choice">
      <input type="radio" name="lane" value=${name} checked=${lane === name} disabled=${shut} onChange=${() => set(name)} />
      <span>${label}</span>
      <span class="quiet">${when}</span>
      <span class="number">${quote ? plural(quote[name].price, "token") : "…"}</span>
    </label>
  `;
}
