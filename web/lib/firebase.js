// The project that has served this page: its config is at Firebase's reserved address, so the same files serve all projects.
import {
  connectAuthEmulator,
  connectFirestoreEmulator,
  connectFunctionsEmulator,
  connectStorageEmulator,
  getAuth,
  getFirestore,
  getFunctions,
  getStorage,
  httpsCallable,
  initializeApp,
  signInWithCustomToken,
} from "../vendor/firebase.js";
import { setClock } from "./clock.js";
import { Refusal } from "./refusals.js";

/** Where the functions are deployed: the deploy's REGION. */
export const REGION = "us-central1";

const LOCAL = new Set(["localhost", "127.0.0.1"]);

/** Returns Firebase's services of the project, at its emulators on a developer's machine. */
export async function connect() {
  const [found, at] = await Promise.all([fetch("/__/firebase/init.json"), emulators()]);
  setClock(found);
  const config = await found.json();
  const app = initializeApp(config);
  // Each is told of its emulator at once: a user who is still signed in is looked up with the next tick.
  const auth = getAuth(app);
  if (at.auth) connectAuthEmulator(auth, `http://${at.auth.host}:${at.auth.port}`, { disableWarnings: true });
  const db = getFirestore(app);
  if (at.firestore) connectFirestoreEmulator(db, at.firestore.host, at.firestore.port);
  const functions = getFunctions(app, REGION);
  if (at.functions) connectFunctionsEmulator(functions, at.functions.host, at.functions.port);
  const storage = getStorage(app);
  if (at.storage) connectStorageEmulator(storage, at.storage.host, at.storage.port);
  return { auth, db, functions, storage };
}

/** Signs in with the token that a link of a developer's machine carries, and takes it out of the address. Returns what
 * is wrong with the link, if anything. */
export async function signInByLink({ auth }) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return "";
  history.replaceState(null, "", location.pathname);
  return signInWithCustomToken(auth, token).then(
    () => "",
    () => "This link is not good any more. Take a new one, or sign in.",
  );
}

/** Returns where the emulators are, by name: none for a page that is deployed. */
async function emulators() {
  if (!LOCAL.has(location.hostname)) return {};
  const script = await (await fetch("/__/firebase/init.js?useEmulator=true")).text();
  const found = script.match(/firebaseEmulators = (\{.*?\});?\s*$/ms);
  return found ? JSON.parse(found[1]) : {};
}

/** Returns a function that calls a callable by name, and throws a Refusal for whatever is not an answer. `payer`: the team
 * that pays, if it is not among the data. */
export function caller({ functions }) {
  return async (name, data = {}, seconds = 60, payer = data.payer) => {
    try {
      return (await httpsCallable(functions, name, { timeout: seconds * 1000 })(data)).data;
    } catch (error) {
      throw Refusal.of(error, payer);
    }
  };
}
