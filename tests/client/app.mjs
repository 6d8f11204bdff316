// What the app does, through the SDK; and what an operator and the cron clock do, through the emulators' own APIs.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { deleteApp, initializeApp } from "firebase/app";
import { connectAuthEmulator, getAuth, signInAnonymously, signInWithCustomToken } from "firebase/auth";
import { connectFirestoreEmulator, getFirestore, onSnapshot, setLogLevel, terminate } from "firebase/firestore";
import { connectFunctionsEmulator, getFunctions, httpsCallable } from "firebase/functions";
import { connectStorageEmulator, getStorage, ref, uploadBytes } from "firebase/storage";

export const facts = JSON.parse(process.env.ECOLANE_CLIENT_TEST);
const WAIT_SECONDS = 60;
const CUSTOM_TOKEN_AUDIENCE =
  "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit";

setLogLevel("silent"); // refusals are what is tested, and the SDK warns of each

const apps = [];
const provoked = new Set();

/** One installation of the app. Nobody is signed in yet. */
export class App {
  /** `cloud` has the addresses that are not those of Google's emulators. */
  constructor(cloud = {}) {
    const { auth, bucket, firestore, functions, storage } = { ...facts, ...cloud };
    this.app = initializeApp(
      { apiKey: "local", projectId: facts.project, storageBucket: bucket, appId: "client-test" },
      randomUUID(),
    );
    this.auth = getAuth(this.app);
    this.db = getFirestore(this.app);
    this.functions = getFunctions(this.app, facts.region);
    this.storage = getStorage(this.app);
    connectAuthEmulator(this.auth, `http://${auth}`, { disableWarnings: true });
    connectFirestoreEmulator(this.db, ...address(firestore));
    connectFunctionsEmulator(this.functions, ...address(functions));
    connectStorageEmulator(this.storage, ...address(storage));
    apps.push(this);
  }

  /** A fresh anonymous user's app. */
  static async signedIn(cloud) {
    const app = new App(cloud);
    await signInAnonymously(app.auth);
    return app;
  }

  /** An operator's app: a custom token brings the claim. Emulators take unsigned ones. */
  static async ofAdmin(cloud) {
    const app = new App(cloud);
    const part = (content) => Buffer.from(JSON.stringify(content)).toString("base64url");
    const content = { aud: CUSTOM_TOKEN_AUDIENCE, uid: `admin-${randomUUID()}`, claims: { admin: true } };
    const token = `${part({ alg: "none", typ: "JWT" })}.${part(content)}.`;
    await signInWithCustomToken(app.auth, token);
    return app;
  }

  get uid() {
    return this.auth.currentUser.uid;
  }

  /** Call a function and return its answer. */
  async call(name, data = {}) {
    return (await httpsCallable(this.functions, name)(data)).data;
  }

  /** Upload a photo and return its path. */
  async upload(photo = "bottle.jpg", { path, contentType = "image/jpeg", content } = {}) {
    const to = path ?? `users/${this.uid}/uploads/${randomUUID()}.jpg`;
    await uploadBytes(ref(this.storage, to), content ?? (await photoBytes(photo)), { contentType });
    return to;
  }

  /** Classify a photo; uploads one if none is named. */
  async classify(mode, more = {}) {
    const imagePath = more.imagePath ?? (await this.upload());
    return this.call("classify_image", { requestId: randomUUID(), mode, ...more, imagePath });
  }
}

/** What a listener has seen, in order, and a way to wait for what it has yet to see. */
export class Listener {
  /** Listen, and return as soon as the first snapshot is there. */
  static async on(what) {
    const listener = new Listener(what);
    await eventually(() => listener.error ?? listener.seen.length, "the first snapshot");
    return listener;
  }

  constructor(what) {
    this.seen = [];
    this.error = null;
    this.stop = onSnapshot(
      what,
      (snapshot) => this.seen.push(snapshot.docs ? snapshot.docs.map((doc) => doc.data()) : snapshot.data()),
      (error) => (this.error = error),
    );
  }

  /** Wait until a snapshot satisfies `holds`, and return it. */
  async until(holds, what) {
    const look = () => {
      if (this.error) throw this.error;
      return this.seen.find((data) => data !== undefined && holds(data));
    };
    return eventually(look, () => `${what}; seen: ${JSON.stringify(this.seen)}`);
  }
}

/** Call what must be refused, and compare all that the app is told: code, reason and details. */
export async function refused(call, reason, details = {}) {
  const error = await call.then(
    (answer) => assert.fail(`${reason} expected, and answered ${JSON.stringify(answer)}`),
    (refusal) => refusal,
  );
  assert.equal(error.details?.reason, reason, `${error.code}: ${error.message} ${JSON.stringify(error.details)}`);
  assert.equal(error.code, `functions/${facts.reasons[reason]}`);
  assert.ok(error.message.length > 10, "the message is for people");
  const { reason: _, ...told } = error.details;
  assert.deepEqual(Object.keys(told).sort(), Object.keys(details).sort(), `the details of ${reason}`);
  for (const [name, expected] of Object.entries(details)) {
    if (typeof expected === "function") assert.ok(expected(told[name]), `${reason}: ${name} is ${told[name]}`);
    else assert.deepEqual(told[name], expected, `${reason}: ${name}`);
  }
  provoked.add(reason);
  return error;
}

/** The reasons that were met on the way. */
export function provokedReasons() {
  return [...provoked].sort();
}

/** Ask until there is an answer, which is returned. `what` is waited for: a text, or a function that returns it. */
export async function eventually(ask, what) {
  const end = Date.now() + WAIT_SECONDS * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) assert.fail(`waited ${WAIT_SECONDS} s for ${typeof what === "string" ? what : what()}`);
    await sleep(50);
  }
}

/** Run a scheduled function now, in Google's emulator, as Scheduler does. */
export async function tick(name) {
  const now = new Date().toISOString();
  const answer = await fetch(
    `http://${facts.functions}/functions/projects/${facts.project}/triggers/${facts.region}-${name}-0`,
    {
      method: "POST",
      headers: {
        "User-Agent": "Google-Cloud-Scheduler",
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": `firebase-schedule-${name}-${facts.region}`,
        "X-CloudScheduler-ScheduleTime": `${now.slice(0, 19)}Z`,
      },
    },
  );
  assert.equal(answer.status, 200, `${name}: ${await answer.text()}`);
}

/** Let time pass in the local cloud: its crons fire and its batches come through on the way. */
export async function advance(minutes) {
  const answer = await fetch(`${facts.local.control}/advance`, { method: "POST", body: JSON.stringify({ minutes }) });
  assert.deepEqual((await answer.json()).failed, []);
}

/** Have the next call to the AI provider fail. */
export async function breakProvider(kind) {
  const answer = await fetch(`${facts.openai}/faults`, {
    method: "POST",
    body: JSON.stringify({ kind, endpoint: "POST /v1/chat/completions", count: 1 }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Set a field of a document, to a text or to a value in Firestore's own form, as the project's owner, for whom there are no rules. */
export async function operatorSets(path, field, value, { firestore } = facts) {
  const documents = `http://${firestore}/v1/projects/${facts.project}/databases/(default)/documents`;
  const answer = await fetch(`${documents}/${path}?updateMask.fieldPaths=${field}`, {
    method: "PATCH",
    headers: { Authorization: "Bearer owner", "Content-Type": "application/json" },
    body: JSON.stringify({ fields: { [field]: typeof value === "string" ? { stringValue: value } : value } }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Close every connection, so that Node ends. */
export async function closeAll() {
  for (const { app, db } of apps) {
    await terminate(db);
    await deleteApp(app);
  }
}

export function photoBytes(name) {
  return readFile(`${facts.photos}/${name}`);
}

function address(host) {
  const [name, port] = host.split(":");
  return [name, Number(port)];
}
