// The web SDK under Node, over gRPC: what an app does, against the server that FIRESTORE_HOST names. test_node_sdk.py runs this.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { deleteApp, initializeApp } from 'firebase/app';
import * as fs from 'firebase/firestore';

const [host, port] = process.env.FIRESTORE_HOST.split(':');
const apps = [];
let number = 0;
let projectId;
let db;
let things;

/** Connect a device: an app of its own with a cache of its own, which outlives its listeners. */
function device() {
  const app = initializeApp({ projectId, apiKey: 'none' }, `app${(number += 1)}`);
  apps.push(app);
  const garbageCollector = fs.memoryLruGarbageCollector();
  const firestore = fs.initializeFirestore(app, { localCache: fs.memoryLocalCache({ garbageCollector }) });
  fs.connectFirestoreEmulator(firestore, host, Number(port), { mockUserToken: 'owner' });
  return firestore;
}

/** What a listener hears; `until` waits for a snapshot about which something holds, by default one that is the server's
 * in every document. One that shows this device's own writes, acknowledged but not yet heard of, must be asked for, and
 * may have passed: who goes offline with it keeps a document for ever that somebody else then deletes. */
class Heard {
  constructor(query) {
    this.snapshots = [];
    this.waiting = () => {};
    const next = (snapshot) => this.waiting(this.snapshots.push(snapshot));
    this.stop = fs.onSnapshot(query, { includeMetadataChanges: true }, next, (error) => this.waiting((this.error = error)));
  }

  async until(holds, { fromCache = false, pending = false } = {}) {
    const ends = Date.now() + 30_000;
    for (;;) {
      if (this.error) throw this.error;
      const last = this.snapshots.slice(-1);
      const found = (pending ? this.snapshots : last).find(
        (each) => each.metadata.fromCache === fromCache && each.metadata.hasPendingWrites === pending && holds(each),
      );
      if (found) return found;
      assert.ok(Date.now() < ends, `not within 30 s; the last one is ${last.map(seen)}`);
      await new Promise((resolve) => {
        this.waiting = resolve;
        setTimeout(resolve, 100).unref();
      });
    }
  }
}

const seen = (snapshot) => JSON.stringify({ ...snapshot.metadata, documents: snapshot.docs?.map((each) => [each.id, each.data()]) });
const ids = (snapshot) => snapshot.docs.map((document) => document.id).join();
const is = (expected) => (snapshot) => ids(snapshot) === expected;

beforeEach(() => {
  projectId = `demo-node-${Date.now()}-${(number += 1)}`;
  db = device();
  things = fs.collection(db, 'c');
});

afterEach(async () => {
  for (const app of apps.splice(0)) {
    await fs.terminate(fs.getFirestore(app));
    await deleteApp(app);
  }
});

test('a write is seen at once, and then as the server has it', async () => {
  const document = fs.doc(things, 'a');
  const heard = new Heard(document);
  await heard.until((snapshot) => !snapshot.exists());
  const written = fs.setDoc(document, { n: 1, at: fs.serverTimestamp() });
  const pending = await heard.until((snapshot) => snapshot.exists(), { pending: true });
  assert.equal(pending.data().at, null);
  await written;
  const stored = await heard.until((snapshot) => snapshot.exists());
  assert.ok(stored.data().at instanceof fs.Timestamp);
});

test('documents enter and leave queries, and windows slide from both ends', async () => {
  const filtered = new Heard(fs.query(things, fs.where('n', '<', 5), fs.orderBy('n')));
  const first = new Heard(fs.query(things, fs.orderBy('n'), fs.limit(2)));
  const last = new Heard(fs.query(things, fs.orderBy('n'), fs.limitToLast(2)));
  const batch = fs.writeBatch(db);
  for (const [id, n] of Object.entries({ a: 10, b: 0, x: 3 })) batch.set(fs.doc(things, id), { n });
  await batch.commit();
  await Promise.all([filtered.until(is('b,x')), first.until(is('b,x')), last.until(is('x,a'))]);
  await fs.deleteDoc(fs.doc(things, 'b'));
  await fs.updateDoc(fs.doc(things, 'a'), { n: fs.increment(-9) });
  await Promise.all([filtered.until(is('a,x')), first.until(is('a,x')), last.until(is('a,x'))]);
  await fs.setDoc(fs.doc(things, 'z'), { n: 99 });
  await last.until(is('x,z'));
});

test('what happened while a device was offline is made up for, in both directions', async () => {
  const heard = new Heard(fs.query(things, fs.orderBy('n')));
  for (const [id, n] of Object.entries({ changes: 1, goes: 2, stays: 3 })) await fs.setDoc(fs.doc(things, id), { n });
  await heard.until(is('changes,goes,stays'));
  await fs.disableNetwork(db);
  const written = fs.setDoc(fs.doc(things, 'offline'), { n: 0 });
  await heard.until(is('offline,changes,goes,stays'), { fromCache: true, pending: true });
  const other = fs.collection(device(), 'c');
  await fs.deleteDoc(fs.doc(other, 'goes'));
  await fs.setDoc(fs.doc(other, 'comes'), { n: 4 });
  await fs.updateDoc(fs.doc(other, 'changes'), { n: 5 });
  await fs.enableNetwork(db);
  await written;
  await heard.until(is('offline,stays,comes,changes'));
});

test('a query is taken up again from the cache', async () => {
  for (const id of ['a', 'b', 'c']) await fs.setDoc(fs.doc(things, id), { n: 1 });
  const before = new Heard(things);
  await before.until(is('a,b,c'));
  before.stop();
  const other = fs.collection(device(), 'c');
  await fs.deleteDoc(fs.doc(other, 'a'));
  await fs.setDoc(fs.doc(other, 'd'), { n: 1 });
  const again = new Heard(things);
  assert.deepEqual(ids(await again.until(is('b,c,d'))), 'b,c,d');
  assert.equal(ids(again.snapshots[0]), 'a,b,c');
});

test('transactions of one device at once lose no update', async () => {
  const counter = fs.doc(things, 'counter');
  await fs.setDoc(counter, { n: 0 });
  const count = () =>
    fs.runTransaction(db, async (transaction) => {
      const { n } = (await transaction.get(counter)).data();
      transaction.update(counter, { n: n + 1 });
    });
  await Promise.all([count(), count(), count()]);
  assert.equal((await fs.getDoc(counter)).data().n, 3);
});

test('many writes are stored in order, and one that fails does not hold up the others', async () => {
  const writes = Array.from({ length: 60 }, (_, n) => fs.setDoc(fs.doc(things, `d${n % 3}`), { n }));
  const failing = assert.rejects(fs.updateDoc(fs.doc(things, 'missing'), { n: 1 }), { code: 'not-found' });
  const later = fs.setDoc(fs.doc(things, 'later'), { n: 100 });
  await Promise.all([...writes, failing, later]);
  const found = await fs.getDocsFromServer(fs.query(things, fs.orderBy('n')));
  assert.deepEqual(found.docs.map((document) => document.data().n), [57, 58, 59, 100]);
});
