// Which of a flag's two paths a user takes: the same decision as functions/core/rollouts/arms.py, which a test compares.

/** Returns the percentage of users who get the new path under a flag's rules; `stages` are those of rollouts.json. */
export function shareOf({ cohort, percent, holdbackPercent }, stages) {
  if (percent !== null) return cohort === "off" ? 0 : percent;
  return cohort === "all" ? 100 - holdbackPercent : stages[cohort].percent;
}

/** Returns a unit's place among a flag's `buckets`: the first 64 bits of a SHA-256. */
export async function bucketOf(flag, salt, unit, buckets) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${salt}|${flag}|${unit}`));
  return Number(new DataView(digest).getBigUint64(0) % BigInt(buckets));
}

/** Returns {arm, why} of one flag for one user. `rules` and `epoch` are null if they cannot be read. */
export async function decide(flag, rules, unit, { stages, buckets }, { ceiling = 100, epoch = 0, stopped = false } = {}) {
  if (rules === null || epoch === null) return { arm: "old", why: "ERROR" };
  if (stopped || !ceiling || rules.cohort === "off") return { arm: "old", why: "DISABLED" };
  if (rules.deny.includes(unit)) return { arm: "old", why: "TARGETING_MATCH" };
  if (rules.allow.includes(unit)) return { arm: "listed", why: "TARGETING_MATCH" };
  const percent = Math.min(shareOf(rules, stages), ceiling);
  const within = (await bucketOf(flag, rules.salt, unit, buckets)) < (percent * buckets) / 100;
  return within ? { arm: "new", why: "SPLIT" } : { arm: "old", why: "DEFAULT" };
}
