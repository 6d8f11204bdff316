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
} from "../vendor/firebase.js";
import { Refusal } from "./refusals.js";

/** Where the functions are deployed: the deploy's REGION. */
export const REGION = "us-central1";

const LOCAL = new Set(["localhost", "127.0.0.1"]);

/** Returns Firebase's services of the project, at its emulators on a developer's machine. */
export async function connect() {
  const config = await (await fetch("/__/firebase/init.json")).json();
  const app = initializeApp(config);
  const cloud = {
    auth: getAuth(app),
    db: getFirestore(app),
    functions: getFunctions(app, REGION),
    storage: getStorage(app),
  };
  if (LOCAL.has(location.hostname)) await useEmulators(cloud);
  return cloud;
}

async function useEmulators({ auth, db, functions, storage }) {
  const script = await (await fetch("/__/firebase/init.js?useEmulator=true")).text();
  const found = script.match(/firebaseEmulators = (\{.*?\});?\s*$/ms);
  const at = found ? JSON.parse(found[1]) : {};
  if (at.auth) connectAuthEmulator(auth, `http://${at.auth.host}:${at.auth.port}`, { disableWarnings: true });
  if (at.firestore) connectFirestoreEmulator(db, at.firestore.host, at.firestore.port);
  if (at.functions) connectFunctionsEmulator(functions, at.functions.host, at.functions.port);
  if (at.storage) connectStorageEmulator(storage, at.storage.host, at.storage.port);
}

/** Returns a function that calls a callable by name, and throws a Refusal for whatever is not an answer. */
export function caller({ functions }) {
  return async (name, data = {}, seconds = 60) => {
    try {
      return (await httpsCallable(functions, name, { timeout: seconds * 1000 })(data)).data;
    } catch (error) {
      throw Refusal.of(error);
    }
  };
}
