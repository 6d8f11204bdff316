// A page that uses Firestore as an app does. `test_web_sdk.py` calls its functions and reads what its listener has seen.

import { initializeApp } from "/firebase-app.js";
import * as lite from "/firebase-firestore-lite.js";
import * as sdk from "/firebase-firestore.js";

const TOKEN = { sub: "ada" };
const seen = []; // of each snapshot the documents by id, and whether it comes from the cache
let db, simple;

Object.assign(globalThis, { connect, listen, read, write, restCalls, refusal, seen });

/** Open Firestore on `port`, with a cache that outlives the page if `persistent`. */
function connect({ port, project, settings = {}, persistent = false }) {
  const app = initializeApp({ projectId: project, apiKey: "local" });
  const localCache = sdk.persistentLocalCache({ tabManager: sdk.persistentMultipleTabManager() });
  db = sdk.initializeFirestore(app, persistent ? { ...settings, localCache } : settings);
  simple = lite.initializeFirestore(initializeApp({ projectId: project, apiKey: "local" }, "lite"), {});
  sdk.connectFirestoreEmulator(db, "127.0.0.1", port, { mockUserToken: TOKEN });
  lite.connectFirestoreEmulator(simple, "127.0.0.1", port, { mockUserToken: TOKEN });
}

/** Listen to a collection. */
function listen(path) {
  sdk.onSnapshot(
    sdk.collection(db, path),
    { includeMetadataChanges: true },
    (snapshot) => {
      const docs = Object.fromEntries(snapshot.docs.map((found) => [found.id, plain(found.data())]));
      seen.push({ docs, cached: snapshot.metadata.fromCache, changed: snapshot.docChanges().map((each) => each.doc.id) });
    },
    (error) => seen.push({ error: error.code }),
  );
}

/** Write a document. With `wait` until the server has it. */
async function write({ path, data, wait = true }) {
  const written = sdk.setDoc(sdk.doc(db, path), data);
  if (wait) await written;
}

/** Return a document as the server has it. */
async function read(path) {
  return plain((await sdk.getDocFromServer(sdk.doc(db, path))).data());
}

/** Make the calls that go over REST; return what they answer. */
async function restCalls() {
  const rooms = sdk.collection(db, "rooms");
  const hall = sdk.doc(rooms, "hall");
  const transaction = await sdk.runTransaction(db, async (open) => {
    const before = (await open.get(hall)).data().n;
    open.update(hall, { n: before + 1 });
    return before;
  });
  const counted = await sdk.getAggregateFromServer(rooms, { count: sdk.count(), total: sdk.sum("n") });
  await lite.setDoc(lite.doc(simple, "rooms/attic"), { n: 10, when: lite.serverTimestamp() });
  const found = await lite.getDocs(lite.query(lite.collection(simple, "rooms"), lite.where("n", ">", 5)));
  return { transaction, counted: counted.data(), found: found.docs.map((each) => each.id) };
}

/** Return the code of the error that changing a missing document ends with: streamed, and over REST. */
async function refusal() {
  const missing = [sdk.updateDoc(sdk.doc(db, "rooms/none"), { n: 1 }), lite.updateDoc(lite.doc(simple, "rooms/none"), { n: 1 })];
  return (await Promise.allSettled(missing)).map((each) => each.reason?.code);
}

function plain(data) {
  return JSON.parse(JSON.stringify(data ?? null));
}
