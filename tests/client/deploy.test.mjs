// What `firebase deploy` does before it talks to Google, by the official CLI's own code: it needs no account.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const cli = (module) => require(`firebase-tools/lib/${module}`);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const { declared } = JSON.parse(process.env.ECOLANE_CLIENT_TEST);
const text = (name) => readFileSync(join(ROOT, name), "utf8");
const functions = JSON.parse(text("firebase.json")).functions[0];

const SHOP = [
  "get_billing", "start_checkout", "set_pay_per_use", "open_billing_portal", "sync_purchases", "stripe_webhook", "revenuecat_webhook",
  "reconcile_billing",
];
const settings = () => cli("functions/env").parseStrict(text(".env.example"));

/** What a deploy asks for, and what it makes of the functions with these settings. */
async function prepared(changes = {}) {
  const { Delegate } = cli("deploy/functions/runtimes/python");
  const { toBackend } = cli("deploy/functions/build");
  const { allEndpoints, empty } = cli("deploy/functions/backend");
  const { resolveCpuAndConcurrency } = cli("deploy/functions/prepare");
  const { endpointsAreValid } = cli("deploy/functions/validate");
  const { ParamValue } = cli("deploy/functions/params");

  const build = await new Delegate("my-ecolane", ROOT, functions.runtime).discoverBuild({}, {});
  const given = { ...settings(), ...changes };
  const asked = build.params.filter(({ type }) => type !== "secret").map(({ name }) => name);
  const types = { string: true, number: true, boolean: true };
  const values = Object.fromEntries(asked.map((name) => [name, new ParamValue(given[name], false, types)]));
  const wanted = toBackend(build, values);
  resolveCpuAndConcurrency(wanted);
  endpointsAreValid(wanted, empty());
  const secrets = build.params.filter(({ type }) => type === "secret").map(({ name }) => name);
  return { asked, secrets, endpoints: allEndpoints(wanted) };
}

describe("firebase deploy, as far as it goes without an account", () => {
  test("finds every function and accepts what each asks of the platform, with the settings of .env.example", async () => {
    const { asked, endpoints } = await prepared({ SELLS: "on" });
    assert.deepEqual(asked.filter((name) => !(name in settings())), [], "deploys without a terminal stop at these");
    assert.deepEqual(endpoints.map(({ id }) => id).toSorted(), declared.map(([name]) => name).toSorted());
    const { formatServiceAccount } = cli("gcp/proto");
    for (const { id, cpu, concurrency, region, scheduleTrigger, serviceAccount } of endpoints) {
      const account = formatServiceAccount(serviceAccount, "my-ecolane", true);
      assert.match(account, /^ecolane-[a-z]+@my-ecolane\.iam\.gserviceaccount\.com$/, id);
      assert.deepEqual([cpu, region], [1, settings().REGION], id);
      assert.equal(concurrency > 1, !scheduleTrigger, id);
    }
  });

  test("has no function, no secret and no cron of the shop for who sells nothing", async () => {
    const [without, selling] = [await prepared(), await prepared({ SELLS: "on" })];
    const [names, all] = [without, selling].map(({ endpoints }) => endpoints.map(({ id }) => id));
    assert.deepEqual(all.filter((name) => !names.includes(name)).toSorted(), SHOP.toSorted());
    const keys = ({ endpoints }) => new Set(endpoints.flatMap((each) => each.secretEnvironmentVariables.map(({ key }) => key)));
    const shops = [...keys(selling)].filter((key) => !keys(without).has(key));
    assert.deepEqual(shops.toSorted(), [
      "REVENUECAT_API_KEY", "REVENUECAT_WEBHOOK_SECRET", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET",
    ]);
    // What the CLI asks for in the terminal, and has no way to leave out, is what these functions use.
    assert.deepEqual(without.secrets.toSorted(), [...keys(without)].toSorted());
    assert.deepEqual(selling.secrets, without.secrets);
  });

  test("uploads main.py, functions/ and the locked requirements, and nothing else", async () => {
    const { readdirRecursive } = cli("fsAsync");
    const files = await readdirRecursive({ path: ROOT, ignoreStrings: functions.ignore });
    const names = files.map(({ name }) => relative(ROOT, name)).filter((name) => !/^functions\/.*\.py$/.test(name));
    assert.deepEqual(names.toSorted(), ["main.py", "requirements.txt"]);
  });

  test("accepts the indexes and the TTL policies", () => {
    const { FirestoreApi } = cli("firestore/api");
    const indexes = JSON.parse(text("firestore.indexes.json"));
    new FirestoreApi().validateSpec(indexes);
    // Which collections these are is compared with the code in tests/house/test_manifest.py.
    assert.ok(indexes.fieldOverrides.some(({ ttl }) => ttl));
  });
});
