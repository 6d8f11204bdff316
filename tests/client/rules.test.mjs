// firestore.rules by the table that test_rules.py reads too, here as the app's SDK meets them: on Google's emulators, and
// in the local cloud.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import {
  collection, collectionGroup, deleteDoc, doc, getDoc, getDocs, limit, query, setDoc, updateDoc, where,
} from "firebase/firestore";

import { App, closeAll, facts, operatorSets } from "./app.mjs";

const table = JSON.parse(await readFile(new URL("../rules/rules_table.json", import.meta.url)));
const clouds = { "Google's emulators": facts, "the local cloud": { ...facts, ...facts.local } };

after(closeAll);

const operations = (uid) => ({
  get: (db, path) => getDoc(doc(db, path)),
  list: (db, path) => getDocs(query(collection(db, parent(path)), limit(100))),
  listOwn: (db, path) => getDocs(query(collection(db, parent(path)), own(uid), limit(100))),
  listMore: (db, path) => getDocs(query(collection(db, parent(path)), own(uid), limit(101))),
  listAll: (db, path) => getDocs(query(collection(db, parent(path)), own(uid))),
  group: (db, path) => getDocs(query(collectionGroup(db, name(path)), own(uid), limit(100))),
  create: (db, path) => setDoc(doc(db, `${path}-new`), { uid }),
  update: (db, path) => updateDoc(doc(db, path), { balance: 1000 }),
  delete: (db, path) => deleteDoc(doc(db, path)),
});
const own = (uid) => where("uid", "==", uid);
const parent = (path) => path.split("/").slice(0, -1).join("/");
const name = (path) => path.split("/").at(-2);

for (const [place, cloud] of Object.entries(clouds)) {
  describe(`the rules' table on ${place}`, () => {
    const callers = {};
    const ofOwner = (path) => path.replace("{owner}", callers.owner.uid);

    before(async () => {
      callers.owner = await App.signedIn(cloud);
      callers.other = await App.signedIn(cloud);
      callers.nobody = new App(cloud);
      callers.admin = await App.ofAdmin(cloud);
      for (const path of Object.keys(table.documents)) {
        await operatorSets(ofOwner(path), "uid", callers.owner.uid, cloud);
        const members = { mapValue: { fields: { [callers.owner.uid]: { booleanValue: true } } } };
        await operatorSets(ofOwner(path), "members", members, cloud);
      }
    });

    test("has the operations and callers of this test", () => {
      assert.deepEqual(Object.keys(operations("")).toSorted(), table.operations.toSorted());
      assert.deepEqual(Object.keys(callers).toSorted(), table.callers.toSorted());
    });

    for (const [path, allowed] of Object.entries(table.documents)) {
      test(path, async () => {
        for (const [operation, attempt] of Object.entries(operations(callers.owner.uid))) {
          for (const [caller, { db }] of Object.entries(callers)) {
            const code = await attempt(db, ofOwner(path)).then(() => "allowed", (error) => error.code);
            const expected = allowed[operation]?.includes(caller) ? "allowed" : "permission-denied";
            assert.equal(code, expected, `${operation} by ${caller}`);
          }
        }
      });
    }
  });
}
