// Live documents: one listener each, counted, resting while nobody looks.
import { onSnapshot } from "../vendor/firebase.js";
import { useEffect, useState } from "../vendor/ui.js";
import { now as timeNow } from "./clock.js";

const IDLE_MS = 30 * 60 * 1000;

/** What this page has cost in reads: a document for each that came or changed, one for a look that found nothing. */
export const bill = { reads: 0 };

const resting = new Set();
let awake = true;
let idle;

function wake(on) {
  if (on === awake) return;
  awake = on;
  for (const each of resting) each(on);
}

function stir() {
  clearTimeout(idle);
  if (!document.hidden) {
    wake(true);
    idle = setTimeout(() => wake(false), IDLE_MS);
  }
}

document.addEventListener("visibilitychange", () => (document.hidden ? wake(false) : stir()));
for (const event of ["pointerdown", "keydown"]) addEventListener(event, stir, { passive: true });
stir();

/** Returns a function that says how many reads a snapshot of one listener was: a document for each that came or changed,
 * and one for a first look that finds none. What only says whether the connection stands is none. */
function counter() {
  let last = null;
  return (snapshot) => {
    const first = last === null;
    if (snapshot.docChanges) {
      last = "";
      return snapshot.docChanges().length || (first && snapshot.empty ? 1 : 0);
    }
    const before = last;
    last = JSON.stringify(snapshot.data() ?? null);
    return last === before ? 0 : 1;
  };
}

/** What a snapshot has: a document, null for none; a query's documents with their ids. */
export const dataOf = (snapshot) => snapshot.data() ?? null;
export const rowsOf = (snapshot) => snapshot.docs.map((each) => ({ id: each.id, ...each.data() }));

/** Listens to a query or document while the page is looked at. Returns {value, stale, error, at}: `value` is what `read`
 * makes of the snapshot, undefined before the first; `stale` while it comes from this browser's memory alone. */
export function useLive(make, read, keys) {
  const [state, setState] = useState({ value: undefined, stale: true, error: null, at: null });
  useEffect(() => {
    const target = make();
    if (!target) return undefined;
    let stop = null;
    let came;
    const listen = (on) => {
      stop?.();
      stop = null;
      if (!on) return setState((before) => ({ ...before, stale: true }));
      came = counter();
      stop = onSnapshot(
        target,
        { includeMetadataChanges: true },
        (snapshot) => {
          const { fromCache } = snapshot.metadata;
          bill.reads += came(snapshot);
          setState({ value: read(snapshot), stale: fromCache, error: null, at: timeNow() });
        },
        (error) => setState((before) => ({ ...before, error, stale: true })),
      );
    };
    resting.add(listen);
    listen(awake);
    return () => {
      resting.delete(listen);
      stop?.();
    };
  }, keys);
  return state;
}

/** The last value of this name, from this browser's own memory: what a page shows before anything has come. */
export function remembered(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null");
  } catch {
    return null; // not written by us, or by an earlier release: it is worth nothing
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing shows skeletons instead.
  }
}

/** The time, anew every few seconds, for what is said relative to it. */
export function useNow(seconds = 5) {
  const [now, setNow] = useState(timeNow());
  useEffect(() => {
    const timer = setInterval(() => setNow(timeNow()), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return now;
}
