// The app's SDK against Google's emulators: what a user of the app does, and every refusal that it can meet.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { appendFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { EmailAuthProvider, linkWithCredential, signInWithEmailAndPassword } from "firebase/auth";
import { collection, doc, getDoc, limit, orderBy, query, setDoc, Timestamp, where } from "firebase/firestore";
import { deleteObject, getDownloadURL, getMetadata, listAll, ref, uploadBytesResumable } from "firebase/storage";

import {
  advance, App, breakProvider, closeAll, eventually, facts, Listener, operatorSets, photoBytes, provokedReasons, refused,
  tick,
} from "./app.mjs";

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const isTime = (value) => ISO.test(value);
const CALLABLES = facts.declared.filter(([, kind]) => kind === "callable").map(([name]) => name);

const CONFIG = {
  tokens: { pointsPerToken: 10, bonusesPerDevice: 1 },
  plans: { plus: { instantPerDay: 60, batchPerDay: 300, manualPerDay: 10, callsPerMinute: 1, priority: 1 } },
  refresh: { allowances: { free: { kind: "add", amount: 0, every: "day" } } },
};

// A whole number as the web's SDK writes it, and as those of Android and Apple write FlutterFire's `int`.
const SPELLINGS = {
  plain: (number) => number,
  wrapped: (number) => ({ "@type": "type.googleapis.com/google.protobuf.Int64Value", value: String(number) }),
};

/** A call of a callable as `scripts/sample_calls.py` has it, this user's, its numbers in this spelling. */
function sampleCall(name, { uid }, spell) {
  const numbers = (_, value) => (typeof value === "number" ? spell(value) : value);
  const own = JSON.stringify(facts.samples[name]).replaceAll("{uid}", uid);
  return JSON.parse(own, numbers);
}

let admin;

before(async () => {
  admin = await App.ofAdmin();
  const { changed } = await admin.call("admin_set_config", { changes: CONFIG });
  assert.ok(changed.some(({ field, after }) => field === "tokens.pointsPerToken" && after === 10));
});

after(closeAll);

describe("the official CLI", () => {
  test("discovers every function that main.py declares, with its trigger and schedule", () => {
    assert.deepEqual(facts.discovered.toSorted(), facts.declared.toSorted());
    assert.ok(facts.discovered.length > 20);
  });
});

describe("signing in", () => {
  test("nobody may call anything: every callable answers UNAUTHENTICATED", async () => {
    const nobody = new App();
    // One after another: the emulator looks for a free port for each function, and takes it a while later.
    for (const name of CALLABLES) await refused(nobody.call(name), "UNAUTHENTICATED");
  });

  test("a first call opens the wallet with its welcome tokens", async () => {
    const app = await App.signedIn();
    const wallet = await app.call("get_wallet");
    assert.equal(wallet.balance, 10);
    assert.deepEqual(wallet.recent.map(({ reason, delta }) => [reason, delta]), [["welcome", 10]]);
    assert.ok(isTime(wallet.createdAt));
  });

  test("an anonymous user who takes an e-mail address stays the same user, on another device too", async () => {
    const [app, other] = [await App.signedIn(), new App()];
    await app.classify("batch");
    const [email, password] = [`${app.uid}@example.com`, randomUUID()];
    await linkWithCredential(app.auth.currentUser, EmailAuthProvider.credential(email, password));
    await signInWithEmailAndPassword(other.auth, email, password);
    assert.equal(other.uid, app.uid);
    assert.equal((await other.call("get_wallet")).balance, 9);
  });

  test("operators' calls are for operators", async () => {
    const app = await App.signedIn();
    await refused(app.call("admin_stats"), "NOT_ADMIN");
    await refused(app.call("admin_days"), "NOT_ADMIN");
    await refused(app.call("admin_set_config", { changes: {} }), "NOT_ADMIN");
    const stats = await admin.call("admin_stats");
    assert.ok("queue" in stats && "costs" in stats);
    const { days, daysLeast, whatIf } = await admin.call("admin_days", { changes: { tokens: { instantPrice: 6 } } });
    assert.deepEqual([days, daysLeast, whatIf], [[], 7, null]);
  });
});

describe("uploading", () => {
  test("a photo goes up, in one request or in pieces, shows its metadata, has a link, and can be deleted", async () => {
    const app = await App.signedIn();
    const path = await app.upload("can.jpg");
    const photo = await photoBytes("can.jpg");
    const metadata = await getMetadata(ref(app.storage, path));
    assert.deepEqual([metadata.size, metadata.contentType], [photo.length, "image/jpeg"]);
    const link = await fetch(await getDownloadURL(ref(app.storage, path)));
    assert.deepEqual(Buffer.from(await link.arrayBuffer()), photo);
    await deleteObject(ref(app.storage, path));
    await assert.rejects(getMetadata(ref(app.storage, path)), { code: "storage/object-not-found" });

    const large = Buffer.concat([photo, Buffer.alloc(3 * 1024 * 1024)]);
    const task = uploadBytesResumable(ref(app.storage, path), large, { contentType: "image/jpeg" });
    const progress = [];
    task.on("state_changed", ({ bytesTransferred }) => progress.push(bytesTransferred));
    assert.equal((await task).metadata.size, large.length);
    assert.ok(progress.length > 2, `progress was told ${progress.length} times`);
  });

  test("another user's folder, another type and a list are refused", async () => {
    const [app, other] = [await App.signedIn(), await App.signedIn()];
    const denied = { code: "storage/unauthorized" };
    await assert.rejects(app.upload("can.jpg", { path: `users/${other.uid}/uploads/p.jpg` }), denied);
    await assert.rejects(app.upload("can.jpg", { contentType: "text/html" }), denied);
    await assert.rejects(app.upload("can.jpg", { content: Buffer.alloc(10 * 1024 * 1024 + 1) }), denied);
    await assert.rejects(getMetadata(ref(app.storage, await other.upload())), denied);
    await assert.rejects(listAll(ref(app.storage, `users/${app.uid}/uploads`)), denied);
  });
});

describe("the instant lane", () => {
  test("a quote, a photo, an answer; the wallet's listener sees the price", async () => {
    const app = await App.signedIn();
    const quote = await app.call("quote");
    assert.deepEqual([quote.balance, quote.recommended], [10, "instant"]);
    assert.deepEqual([quote.instant.price, quote.batch.price], [5, 1]);
    const { bulk } = await app.call("quote", { photos: 200 });
    assert.deepEqual([bulk.price, bulk.anyTimePrice, bulk.photosMax], [200, 200, 10_000]);
    assert.deepEqual([quote.instant.open, quote.instant.closedBecause], [true, null]);

    const wallet = await Listener.on(doc(app.db, `users/${app.uid}/wallet/main`));
    const job = await app.classify("instant", { maxTokens: quote.instant.price, region: "Germany", language: "de" });
    assert.deepEqual([job.status, job.mode, job.tokensCost, job.balance], ["done", "instant", 5, 5]);
    assert.deepEqual([job.result.region, job.result.language], ["Germany", "de"]);
    assert.ok(job.result.disposal.steps.length > 0);
    assert.ok(isTime(job.createdAt) && isTime(job.completedAt) && isTime(job.result.classifiedAt));

    const seen = await wallet.until(({ balance }) => balance === 5, "the price to leave the wallet");
    assert.ok(seen.updatedAt instanceof Timestamp, "times are Timestamps in documents");
    assert.deepEqual([seen.points, seen.recent[0].reason], [10, "charge"]);
    wallet.stop();
    const stored = await app.call("get_job", { jobId: job.jobId });
    assert.deepEqual([stored.status, stored.result], ["done", job.result]);
  });

  test("a call whose answer was lost is repeated with its requestId: the same job, charged once", async () => {
    const app = await App.signedIn();
    const request = { requestId: randomUUID(), imagePath: await app.upload() };
    const [first, again] = [await app.classify("instant", request), await app.classify("instant", request)];
    assert.equal(again.jobId, first.jobId);
    assert.equal("balance" in again, false, "nothing was charged");
    assert.equal((await app.call("get_wallet")).balance, 5);
    const another = { ...request, imagePath: await app.upload("jar.jpg") };
    await refused(app.classify("instant", another), "KEY_REUSED", { field: "imagePath" });
  });

  test("a provider that is down costs nothing", async () => {
    const app = await App.signedIn();
    await breakProvider("unavailable");
    const more = { retryAfter: (seconds) => seconds > 0, jobId: (id) => /^[0-9a-f]{32}$/.test(id) };
    const { details } = await refused(app.classify("instant"), "PROVIDER_UNAVAILABLE", more);
    assert.equal((await app.call("get_wallet")).balance, 10);
    assert.equal((await app.call("get_job", { jobId: details.jobId })).status, "failed");
  });

  test("a photo that the model refuses costs nothing", async () => {
    const app = await App.signedIn();
    await breakProvider("refusal");
    const { details } = await refused(app.classify("instant"), "PHOTO_REFUSED", { jobId: (id) => /^[0-9a-f]{32}$/.test(id), refunded: true });
    assert.equal((await app.call("get_wallet")).balance, 10);
    assert.equal((await app.call("get_job", { jobId: details.jobId })).error.code, "PROVIDER_REJECTED");
  });
});

describe("the batch lane", () => {
  test("the listener sees a photo queue, leave, and come back with its result; then it is too late to change", async () => {
    const app = await App.signedIn();
    const job = await app.classify("batch", { imagePath: await app.upload("battery.jpg") });
    assert.deepEqual([job.status, job.mode, job.tokensCost, job.balance], ["queued", "batch", 1, 9]);
    assert.ok(isTime(job.estimatedCompletion));

    const own = await Listener.on(doc(app.db, `aiJobs/${job.jobId}`));
    const recent = query(
      collection(app.db, "aiJobs"), where("uid", "==", app.uid), orderBy("createdAt", "desc"), limit(20),
    );
    const list = await Listener.on(recent);
    await own.until(({ status }) => status === "queued", "the job to be queued");
    await tick("submit_batches");
    await own.until(({ status }) => status === "processing", "the job to leave the queue");
    // OpenAI's webhook brings the poll forward; the cron clock does the rest.
    const done = await eventually(async () => {
      await tick("poll_batches");
      return own.seen.find(({ status }) => status === "done");
    }, "the result");

    assert.ok(done.completedAt instanceof Timestamp && done.createdAt instanceof Timestamp);
    assert.ok(isTime(done.result.classifiedAt), "inside a result, times are text");
    assert.deepEqual(own.seen.map(({ status }) => status), ["queued", "processing", "done"]);
    await list.until((jobs) => jobs.some(({ status }) => status === "done"), "the list to show it");
    own.stop();
    list.stop();
    const shown = await app.call("get_job", { jobId: job.jobId });
    assert.deepEqual([shown.status, shown.result.itemName], ["done", done.result.itemName]);
    await refused(app.call("cancel_job", { jobId: job.jobId }), "JOB_NOT_CANCELLABLE", { status: "done" });
    await refused(app.call("upgrade_job", { jobId: job.jobId }), "JOB_NOT_UPGRADABLE", { status: "done" });
  });

  test("a queued photo is upgraded for the difference", async () => {
    const app = await App.signedIn();
    const { jobId } = await app.classify("batch");
    const own = await Listener.on(doc(app.db, `aiJobs/${jobId}`));
    await own.until(({ status }) => status === "queued", "the job to be queued");
    const job = await app.call("upgrade_job", { jobId, maxTokens: 4 });
    assert.deepEqual([job.status, job.mode, job.requestedMode, job.tokensCost], ["done", "instant", "batch", 5]);
    await own.until(({ status, mode }) => status === "done" && mode === "instant", "the listener to see the result");
    own.stop();
    assert.equal((await app.call("get_wallet")).balance, 5);
  });

  test("a queued photo is cancelled, and the wallet's listener sees its price come back", async () => {
    const app = await App.signedIn();
    const { jobId } = await app.classify("batch");
    const wallet = await Listener.on(doc(app.db, `users/${app.uid}/wallet/main`));
    await wallet.until(({ balance }) => balance === 9, "the price to be there");
    const job = await app.call("cancel_job", { jobId });
    assert.equal(job.status, "cancelled");
    await wallet.until(({ balance, recent }) => balance === 10 && recent[0].reason === "refund", "the refund");
    wallet.stop();
    assert.equal((await app.call("cancel_job", { jobId })).status, "cancelled", "cancelling again is fine");
  });

  test("many photos go in with one call; one that is missing keeps nobody back", async () => {
    const app = await App.signedIn();
    const paths = [await app.upload(), `users/${app.uid}/uploads/missing.jpg`, await app.upload("can.jpg")];
    const images = paths.map((imagePath) => ({ requestId: randomUUID(), imagePath }));
    const { results, balance } = await app.call("classify_images", { images });
    assert.equal(balance, 8);
    const outcomes = results.map(({ job, error }) => job?.status ?? error.reason);
    assert.deepEqual(outcomes, ["queued", "IMAGE_NOT_FOUND", "queued"]);
    assert.deepEqual(results.map(({ requestId }) => requestId), images.map(({ requestId }) => requestId));
  });
});

describe("tokens", () => {
  test("points are converted, a bonus is claimed, a classification of one's own is rewarded", async () => {
    const app = await App.signedIn();
    await app.classify("batch");
    const { entry } = await app.call("convert_points", { requestId: randomUUID(), points: 10 });
    assert.deepEqual([entry.reason, entry.delta, entry.balanceAfter], ["convert", 1, 10]);
    const limits = { tokensLeftToday: 4, pointsAvailable: 0, room: 190 };
    const tooMany = app.call("convert_points", { requestId: randomUUID(), points: 1000 });
    await refused(tooMany, "CONVERSION_LIMIT", limits);

    const bonus = await app.call("claim_daily_bonus", { deviceId: `device-${app.uid}` });
    assert.deepEqual([bonus.entry.reason, bonus.entry.delta], ["bonus", 2]);
    const again = await app.call("claim_daily_bonus", { deviceId: `device-${app.uid}` });
    assert.deepEqual(again, bonus, "claiming again the same day brings the same entry");
    const friend = await App.signedIn();
    const sameDevice = friend.call("claim_daily_bonus", { deviceId: `device-${app.uid}` });
    await refused(sameDevice, "DAILY_LIMIT", { limit: 1, resetsAt: isTime });

    const manual = await app.call("record_manual_classification", {
      requestId: randomUUID(), deviceId: `device-${app.uid}`, itemName: "Milk carton", category: "Dry Waste",
    });
    assert.deepEqual([manual.entry.reason, manual.entry.delta, manual.entry.balanceAfter], ["manual", 1, 13]);

    const wallet = await app.call("get_wallet");
    assert.deepEqual([wallet.balance, wallet.points, wallet.pointsAvailable, wallet.streakDays], [13, 20, 10, 1]);
    assert.deepEqual(wallet.today.convertedTokens, { used: 1, limit: 5 });
  });

  test("jobs and the ledger come in pages", async () => {
    const app = await App.signedIn();
    const jobs = [await app.classify("batch"), await app.classify("batch"), await app.classify("batch")];
    const asked = { limit: 2, fields: ["status", "createdAt"] };
    const pages = await allPages((cursor) => app.call("list_jobs", { ...asked, cursor }));
    const listed = pages.flatMap((page) => page.jobs);
    assert.deepEqual(listed.map(({ jobId }) => jobId), jobs.map(({ jobId }) => jobId).reverse());
    assert.deepEqual(Object.keys(listed[0]).sort(), ["createdAt", "jobId", "status"]);

    const ledger = await allPages((cursor) => app.call("list_ledger", { limit: 3, cursor }));
    assert.deepEqual(ledger.map(({ entries }) => entries.length), [3, 1]);
    assert.deepEqual(ledger.flatMap(({ entries }) => entries).map(({ seq }) => seq), [4, 3, 2, 1]);
  });

  test("a device is registered for pushes", async () => {
    const app = await App.signedIn();
    const answer = await app.call("register_device", {
      deviceId: `device-${app.uid}`, pushToken: "a-token-of-messaging", platform: "android", language: "de",
    });
    assert.deepEqual(answer, { devices: 1, preferences: { notifications: true, language: "de" } });
    const profile = await getDoc(doc(app.db, `users/${app.uid}`));
    assert.deepEqual(profile.data().preferences, { notifications: true, language: "de" });
    assert.deepEqual(await app.call("unregister_device", { deviceId: `device-${app.uid}` }), { devices: 0 });
  });

  test("a telephone that somebody else signs in on is theirs", async () => {
    const [app, next] = [await App.signedIn(), await App.signedIn()];
    const phone = { deviceId: `device-${app.uid}`, pushToken: `token-${app.uid}`, platform: "ios" };
    await app.call("register_device", phone);
    await next.call("register_device", phone);
    const tokens = async ({ db, uid }) => (await getDoc(doc(db, `users/${uid}/wallet/main`))).data().pushTokens;
    assert.deepEqual([await tokens(app), await tokens(next)], [[], [phone.pushToken]]);
  });
});

describe("whole numbers, as the SDKs of the web, of Android and of Apple write them", () => {
  for (const name of CALLABLES) {
    test(`${name} takes both spellings`, async () => {
      const outcomes = [];
      for (const spell of Object.values(SPELLINGS)) {
        const app = name.startsWith("admin") ? admin : await App.signedIn();
        if (name.startsWith("classify")) await app.upload("can.jpg", { path: `users/${app.uid}/uploads/photo.jpg` });
        outcomes.push(
          await app.call(name, sampleCall(name, app, spell)).then(
            (answer) => Object.keys(answer).toSorted(),
            ({ details }) => details.reason,
          ),
        );
      }
      assert.deepEqual(outcomes[0], outcomes[1]);
      assert.notEqual(outcomes[0], "INVALID_REQUEST");
    });
  }

  test("what is no number is refused by its field, in words", async () => {
    const app = await App.signedIn();
    const limit = { ...SPELLINGS.wrapped(5), value: "five" };
    const error = await refused(app.call("list_jobs", { limit }), "INVALID_REQUEST", { field: "limit" });
    assert.match(error.message, /^limit: must be a whole number\./);
  });
});

describe("the rules", () => {
  test("another user's wallet, ledger and jobs are closed to listeners, and nothing can be written", async () => {
    const [app, other] = [await App.signedIn(), await App.signedIn()];
    const { jobId } = await other.classify("batch");
    const jobsOfOthers = query(collection(app.db, "aiJobs"), where("uid", "==", other.uid), limit(20));
    const closed = [
      doc(app.db, `users/${other.uid}/wallet/main`),
      query(collection(app.db, `users/${other.uid}/ledger`), limit(20)),
      doc(app.db, `aiJobs/${jobId}`),
      jobsOfOthers,
      query(collection(app.db, "aiJobs"), limit(20)),
      query(collection(app.db, "aiJobs"), where("uid", "==", app.uid)), // all that there are
      doc(app.db, "config/runtime"),
    ];
    for (const what of closed) {
      assert.equal((await Listener.on(what)).error?.code, "permission-denied");
    }
    const denied = { code: "permission-denied" };
    await assert.rejects(setDoc(doc(app.db, `users/${app.uid}/wallet/main`), { balance: 1000 }), denied);
    await assert.rejects(setDoc(doc(app.db, `aiJobs/${jobId}`), { status: "done" }, { merge: true }), denied);
    await refused(app.call("get_job", { jobId }), "JOB_NOT_FOUND");
    await refused(app.call("cancel_job", { jobId }), "JOB_NOT_FOUND");
    await refused(app.call("upgrade_job", { jobId }), "JOB_NOT_FOUND");
  });
});

describe("refusals", () => {
  test("a wrong field is named", async () => {
    const app = await App.signedIn();
    await refused(app.classify("slow"), "INVALID_REQUEST", { field: "mode" });
    await refused(app.call("get_job", { jobId: "../x" }), "INVALID_REQUEST", { field: "jobId" });
    await refused(app.call("quote", { extra: true }), "INVALID_REQUEST", { field: "extra" });
  });

  test("a photo that is missing, another's or none is not charged for", async () => {
    const [app, other] = [await App.signedIn(), await App.signedIn()];
    const missing = { imagePath: `users/${app.uid}/uploads/missing.jpg` };
    await refused(app.classify("instant", missing), "IMAGE_NOT_FOUND");
    await refused(app.classify("batch", { imagePath: await other.upload() }), "NOT_YOUR_IMAGE");
    const text = await app.upload("", { content: Buffer.from("not a photo"), contentType: "image/png" });
    await refused(app.classify("instant", { imagePath: text }), "INVALID_IMAGE", { problem: "notAnImage" });
    assert.equal((await app.call("get_wallet")).balance, 10);
  });

  test("a price above the one agreed to is asked about, and one above the balance refused", async () => {
    const app = await App.signedIn();
    const agreed = { price: 5, maxTokens: 4, priceVersion: "5-1" };
    await refused(app.classify("instant", { maxTokens: 4 }), "PRICE_CHANGED", agreed);
    await app.classify("instant");
    await app.classify("instant");
    await refused(app.classify("instant"), "INSUFFICIENT_TOKENS", { balance: 0, price: 5 });
  });

  test("too many photos in a minute are slowed down", async () => {
    const app = await App.signedIn();
    await app.call("get_wallet");
    await operatorSets(`users/${app.uid}/wallet/main`, "plan", "plus"); // here: one a minute
    const photos = { imagePath: await app.upload() };
    await app.classify("batch", photos);
    // If a new minute begins between the first and the second call, none does before the third.
    const second = await app.classify("batch", photos).catch((error) => error);
    const refusal = second instanceof Error ? Promise.reject(second) : app.classify("batch", photos);
    await refused(refusal, "RATE_LIMITED", { retryAfter: (seconds) => seconds > 0 && seconds <= 60 });
  });

  test("a user whose wallet is damaged is told that it is known, and other users notice nothing", async () => {
    const app = await App.signedIn();
    await app.call("get_wallet");
    await operatorSets(`users/${app.uid}/wallet/main`, "balance", "ten");
    await refused(app.call("get_wallet"), "DATA_DAMAGED");
    await refused(app.classify("batch"), "DATA_DAMAGED");
    assert.equal((await (await App.signedIn()).call("get_wallet")).balance, 10);
  });

  test("a user whom an operator has blocked keeps the wallet, and has no photo classified", async () => {
    const app = await App.signedIn();
    await app.call("get_wallet");
    await operatorSets(`users/${app.uid}/wallet/main`, "blockedAt", { timestampValue: "2026-01-01T00:00:00Z" });
    await refused(app.classify("batch"), "ACCOUNT_BLOCKED");
    assert.equal((await app.call("get_wallet")).balance, 10);
  });

  test("a user who leaves is let in nowhere any more", async () => {
    const app = await App.signedIn();
    await app.call("get_wallet");
    const { closedAt, erasedBy } = await app.call("delete_account", { confirm: "DELETE" });
    assert.ok(Date.parse(closedAt) < Date.parse(erasedBy));
    await refused(app.call("get_wallet"), "ACCOUNT_DELETED");
    assert.equal((await app.call("delete_account", { confirm: "DELETE" })).closedAt, closedAt);
  });

  test("a budget that is used up closes the instant lane at once, and says until when", async () => {
    const app = await App.signedIn();
    await admin.call("admin_set_config", { changes: { budget: { dailyLimitMicros: 0 } } });
    try {
      await refused(app.classify("instant", { allowBatch: false }), "BUDGET_EXHAUSTED", { resetsAt: isTime });
      const job = await app.classify("instant");
      assert.deepEqual([job.mode, job.requestedMode], ["batch", "instant"]);
      assert.deepEqual([job.tokensCost, job.closedBecause], [1, "BUDGET"]);
    } finally {
      await admin.call("admin_set_config", { changes: { budget: { dailyLimitMicros: null } } });
    }
  });
});

test("an operator closes the instant lane", async () => {
  const late = { changes: { instant: { open: false } }, seen: { "instant.open": false } };
  await refused(admin.call("admin_set_config", late), "SETTINGS_CHANGED", {
    field: "instant.open",
    value: (now) => now !== false,
  });
  const { config } = await admin.call("admin_set_config", { changes: { instant: { open: false } } });
  assert.equal(config.instant.open, false); // functions that are running see it within half a minute: looked at below
});

test("a team's members spend within their limits, and what they may not is refused", async () => {
  const [owner, member] = [await App.signedIn(), await App.signedIn()];
  const found = () => owner.call("create_team", { requestId: randomUUID(), name: "Green Street" });
  const { teamId } = await found();
  const invite = (app) => app.call("invite_member", { requestId: randomUUID(), teamId, monthlyLimit: 0 });
  await refused(owner.call("change_member", { teamId, uid: owner.uid, remove: true }), "LAST_OWNER");
  await refused(member.call("get_team", { teamId }), "TEAM_NOT_FOUND");
  await refused(member.call("join_team", { code: "A".repeat(26) }), "INVITE_INVALID");
  const { code } = await invite(owner);
  assert.equal((await member.call("join_team", { code })).members.length, 2);
  await refused(invite(member), "NOT_TEAM_ADMIN", { role: "member" });
  const listing = { listed: true, displayName: "Green Street", team: teamId };
  await refused(member.call("set_leaderboard", listing), "NOT_TEAM_ADMIN", { role: "member" });
  assert.equal((await owner.call("set_leaderboard", listing)).displayName, "Green Street");
  await refused(owner.call("get_leaderboard", { team: "0".repeat(32) }), "TEAM_NOT_FOUND");
  assert.equal((await member.call("get_leaderboard", { team: teamId })).you.displayName, "Green Street");
  await refused(member.classify("batch", { payer: teamId }), "MEMBER_LIMIT", { limit: 0, used: 0, resetsAt: isTime });
  const images = [await member.upload()];
  const bulk = (payer) => member.call("start_bulk", { requestId: randomUUID(), images, payer });
  await refused(bulk(teamId), "MEMBER_LIMIT", { limit: 0, used: 0, resetsAt: isTime });
  await refused(bulk("0".repeat(32)), "TEAM_NOT_FOUND");
  const role = (name) => owner.call("change_member", { teamId, uid: member.uid, role: name });
  assert.equal((await role("associate")).team.associateCount, 1);
  const seen = await member.call("get_team", { teamId });
  assert.deepEqual([seen.role, seen.balance, seen.members.length], ["associate", null, 1]);
  await refused(member.classify("batch", { payer: teamId }), "TEAM_NOT_FOUND");
  await refused(member.call("get_team", { teamId, limit: 1 }), "NOT_TEAM_ADMIN", { role: "associate" });
  const { associates, nextCursor } = await owner.call("get_team", { teamId, limit: 1 });
  assert.deepEqual([associates[0].uid, nextCursor], [member.uid, member.uid]);
  const beyond = { teamId, limit: 1, cursor: nextCursor };
  assert.deepEqual((await owner.call("get_team", beyond)).associates, []);
  assert.equal((await role("member")).team.associateCount, 0);
  for (let more = 1; more < 10; more += 1) await found();
  await refused(found(), "TEAM_FULL", { limit: 10, of: "user" });
});

describe("purchases", () => {
  const buy = (app, product) => app.call("start_checkout", { requestId: randomUUID(), product });
  const pro = { plan: "pro", status: "active", provider: "revenuecat", periodEnd: "2100-01-01T00:00:00Z" };

  test("what is not sold, and whoever has bought nothing, are told so", async () => {
    const app = await App.signedIn();
    assert.equal((await app.call("get_billing")).plan, "free");
    await refused(app.call("open_billing_portal"), "NOTHING_BOUGHT");
    await refused(buy(app, "tokens_25"), "PURCHASE_NOT_HERE", { sellOn: [] });
  });

  test("what a plan does not have is refused", async () => {
    const app = await App.signedIn();
    const changes = { plans: { plus: { photosPerMonth: 0, features: [] } } };
    await admin.call("admin_set_config", { changes });
    await app.call("get_wallet"); // opens it
    await operatorSets(`users/${app.uid}/wallet/main`, "plan", "plus");
    const imagePath = await app.upload();
    await sleep(31_000); // functions that are running have read the config anew by then
    await refused(app.classify("batch", { imagePath }), "MONTHLY_LIMIT", { limit: 0, resetsAt: isTime });
    const bulk = app.call("start_bulk", { requestId: randomUUID(), images: [imagePath] });
    await refused(bulk, "PLAN_REQUIRED", { feature: "bulk", plan: "free" });
  });

  test("what is sold cannot be bought twice, or while Stripe does not answer", async () => {
    const app = await App.signedIn();
    const products = [{ name: "pro", tokens: 10, minor: 899, plan: "pro", stripePrice: "price_1" }];
    await admin.call("admin_set_config", { changes: { billing: { sellOn: ["web"], products } } });
    const waiting = await App.signedIn(); // who asks so often that they are slowed down
    const known = ({ details }) => details.reason === "UNKNOWN_PRODUCT";
    await eventually(() => buy(waiting, "gold").catch(known), "the config to be read");
    await refused(buy(app, "gold"), "UNKNOWN_PRODUCT", { product: "gold" });
    const allow = (who) => who.call("set_pay_per_use", { monthMaxMinor: 1_000 });
    const open = ({ details }) => details.reason === "PAYMENT_METHOD_NEEDED";
    await eventually(() => allow(waiting).catch(open), "the config to be read");
    await refused(allow(app), "PAYMENT_METHOD_NEEDED");
    await refused(buy(app, "pro"), "BILLING_UNAVAILABLE", { retryAfter: (seconds) => seconds > 0 });
    const fields = Object.entries(pro).map(([name, text]) => [
      name, name === "periodEnd" ? { timestampValue: text } : { stringValue: text },
    ]);
    const held = { mapValue: { fields: { s: { mapValue: { fields: Object.fromEntries(fields) } } } } };
    await operatorSets(`billing/${app.uid}`, "subscriptions", held);
    await refused(buy(app, "pro"), "ALREADY_SUBSCRIBED", { plan: "pro", seller: "revenuecat" });
  });
});

describe("bad days and other deploys", () => {
  const cutOff = { functions: facts.cutOff };

  test("without Auth, and without Firestore, an app is told to come back with the same requestId", async () => {
    const [operator, app] = [await App.ofAdmin(cutOff), await App.signedIn(cutOff)];
    const soon = { retryAfter: (seconds) => seconds > 0 };
    await refused(operator.call("admin_stats"), "AUTH_UNAVAILABLE", soon);
    await refused(app.call("get_wallet"), "STORE_UNAVAILABLE", soon);
  });

  test("a deploy that enforces App Check takes no call without its token", async () => {
    const app = await App.signedIn(cutOff);
    await appendFile(facts.cutOffSettings, "ENFORCE_APP_CHECK=true\n");
    await refused(app.call("quote"), "APP_NOT_VERIFIED");
  });
});

describe("make dev", () => {
  test("the local cloud serves the same app: uploads, both lanes, listeners", async () => {
    const app = await App.signedIn(facts.local);
    const imagePath = await app.upload("battery.jpg");
    assert.equal((await app.classify("instant", { imagePath })).status, "done");
    const { jobId } = await app.classify("batch", { imagePath });
    const own = await Listener.on(doc(app.db, `aiJobs/${jobId}`));
    await advance(240);
    const done = await own.until(({ status }) => status === "done", "the result");
    assert.ok(done.completedAt instanceof Timestamp);
    const stranger = await App.signedIn(facts.local);
    const denied = await Listener.on(doc(stranger.db, `aiJobs/${jobId}`));
    assert.equal(denied.error?.code, "permission-denied");
  });

  test("a pack that is bought for a team is in the team's wallet", async () => {
    const [owner, stranger] = [await App.signedIn(facts.local), await App.signedIn(facts.local)];
    const { teamId } = await owner.call("create_team", { requestId: randomUUID(), name: "Green Street" });
    const wanted = { requestId: randomUUID(), product: "tokens_25", payer: teamId };
    await refused(stranger.call("start_checkout", wanted), "TEAM_NOT_FOUND");
    const { url } = await owner.call("start_checkout", wanted);
    const body = new URLSearchParams({ number: "4242424242424242" });
    assert.equal((await fetch(url, { method: "POST", body, redirect: "manual" })).status, 303);
    await advance(1); // Stripe's events arrive
    const { balance, purchased } = await owner.call("get_team", { teamId });
    assert.deepEqual([balance, purchased, (await owner.call("get_billing")).purchased], [25, 25, 0]);
    const allotted = { teamId, tokens: 20, uid: owner.uid, fromTeam: true };
    assert.equal((await owner.call("give_tokens", { requestId: randomUUID(), ...allotted })).entry.reason, "allot");
    const back = { teamId, tokens: 5 };
    assert.equal((await owner.call("give_tokens", { requestId: randomUUID(), ...back })).entry.reason, "return");
    const { members, purchased: left } = await owner.call("get_team", { teamId });
    assert.deepEqual([members[0].allotted, left], [15, 10]);
  });

  test("a member gives bought tokens to another one, and no others", async () => {
    const [giver, other] = [await App.signedIn(facts.local), await App.signedIn(facts.local)];
    const { teamId } = await giver.call("create_team", { requestId: randomUUID(), name: "Green Street" });
    const gift = { requestId: randomUUID(), teamId, uid: other.uid, tokens: 20 };
    const give = () => giver.call("give_tokens", gift);
    await refused(give(), "INVALID_REQUEST", { field: "uid" });
    await refused(other.call("give_tokens", gift), "TEAM_NOT_FOUND");
    const { code } = await giver.call("invite_member", { requestId: randomUUID(), teamId, monthlyLimit: 0 });
    await other.call("join_team", { code });
    await refused(give(), "INSUFFICIENT_TOKENS", { balance: 0, price: 20 });
    await refused(giver.call("give_tokens", { ...gift, tokens: 51 }), "DAILY_LIMIT", { limit: 50, resetsAt: isTime });
    const { url } = await giver.call("start_checkout", { requestId: randomUUID(), product: "tokens_25" });
    const body = new URLSearchParams({ number: "4242424242424242" });
    assert.equal((await fetch(url, { method: "POST", body, redirect: "manual" })).status, 303);
    await advance(1); // Stripe's events arrive
    const { entry } = await give();
    assert.deepEqual([entry.reason, entry.bought, entry.entryId], ["give", -20, (await give()).entry.entryId]);
    const purchased = async (app) => (await app.call("get_billing")).purchased;
    assert.deepEqual([await purchased(giver), await purchased(other)], [5, 20]);
    const { recent } = await other.call("get_wallet");
    assert.deepEqual([recent[0].reason, recent[0].bought], ["got", 20]);
  });

  test("a saved card pays for packs up to the user's own limit", async () => {
    const app = await App.signedIn(facts.local);
    const wanted = { requestId: randomUUID(), product: "tokens_25", saveCard: true };
    const { url } = await app.call("start_checkout", wanted);
    const body = new URLSearchParams({ number: "4242424242424242" });
    assert.equal((await fetch(url, { method: "POST", body, redirect: "manual" })).status, 303);
    await advance(1); // Stripe's events arrive
    for (let photo = 0; photo < 7; photo += 1) await app.classify("instant", { imagePath: await app.upload() });
    const allow = () => app.call("set_pay_per_use", { monthMaxMinor: 200 });
    const bought = await allow(); // no tokens are left for another photo
    assert.ok(bought.balance >= 5, JSON.stringify(bought));
    while ((await app.call("get_wallet")).balance >= 5) await app.classify("instant", { imagePath: await app.upload() });
    const spent = { monthMaxMinor: 200, spentMinor: 200, currency: "usd", resetsAt: isTime };
    await refused(allow(), "SPENDING_LIMIT", spent);
  });
});

test("functions that were running have seen that the instant lane is closed", async () => {
  const app = await App.signedIn();
  const imagePath = await app.upload();
  // Nothing is charged while it is still open: one token is too little.
  const attempt = () => app.classify("instant", { allowBatch: false, maxTokens: 1, imagePath });
  await eventually(() => attempt().catch(({ details }) => details.reason === "INSTANT_CLOSED"), "the lane to close");
  await refused(attempt(), "INSTANT_CLOSED");
  assert.equal((await app.call("get_wallet")).balance, 10);
});

test("no reason of functions/core/shared/errors.py was left out", () => {
  assert.deepEqual(provokedReasons(), Object.keys(facts.reasons).sort());
});

async function allPages(ask) {
  const pages = [];
  let cursor;
  do {
    pages.push(await ask(cursor));
    cursor = pages.at(-1).nextCursor ?? undefined;
  } while (cursor);
  return pages;
}
