// Sums of rows: a day's shards, its slots, and what follows from them. Money is integer micro-dollars.

export const DAY_SECONDS = 86_400;
const PACE_SECONDS = 3 * 3600;

export const total = (numbers) => numbers.reduce((sum, n) => sum + n, 0);

/** The sum of a day's shards: {limit, reserved, spent, excess}, and `lanes`, their counters by lane with `micros`. */
export function sumOfShards(shards) {
  const sum = { limit: 0, reserved: 0, spent: 0, excess: 0 };
  for (const shard of shards) for (const name of Object.keys(sum)) sum[name] += shard[name] ?? 0;
  const costs = shards.map((shard) => withMicros(shard.costs ?? {}));
  return { ...sum, lanes: byLane([...shards.map((shard) => shard.tally ?? {}), ...costs]) };
}

function withMicros(costs) {
  const models = (lane) => Object.fromEntries(Object.entries(lane).map(([model, micros]) => [model, { micros }]));
  return Object.fromEntries(Object.entries(costs).map(([lane, byModel]) => [lane, models(byModel)]));
}

/** Counters by lane, over models and tallies: {instant: {done: 3, ...}, batch: {...}}. */
export function byLane(tallies) {
  const lanes = { instant: {}, batch: {} };
  for (const tally of tallies)
    for (const [lane, models] of Object.entries(tally))
      for (const counters of Object.values(models))
        for (const [name, n] of Object.entries(counters)) {
          lanes[lane] ??= {};
          lanes[lane][name] = (lanes[lane][name] ?? 0) + n;
        }
  return lanes;
}

/** The sum of the counters of a kind: `failed` of failed:INVALID_IMAGE, failed:LINE_MISSING, ... */
export const ofKind = (counters, kind) =>
  Object.entries(counters).reduce((sum, [name, n]) => (name.startsWith(`${kind}:`) ? sum + n : sum), 0);

/** Within how many seconds a share of the jobs had ended; null if none has. Bucket n ends at 2^(n/2) seconds. */
export function waitWithin(counters, share) {
  const waits = Object.entries(counters)
    .filter(([name]) => name.startsWith("wait:"))
    .map(([name, n]) => [Number(name.slice(5)), n])
    .sort(([a], [b]) => a - b);
  const all = total(waits.map(([, n]) => n));
  let seen = 0;
  for (const [bucket, n] of waits) {
    seen += n;
    if (seen >= share * all) return 2 ** (bucket / 2);
  }
  return null;
}

/** A day's slots as rows of {at, micros}: what had been spent by then. What batches brought after the day is left out. */
export function course(slots, day) {
  const ends = Date.parse(`${day}T00:00:00Z`) / 1000 + DAY_SECONDS;
  let micros = 0;
  return slots
    .filter((slot) => slot.until.toMillis() / 1000 <= ends)
    .map((slot) => {
      for (const counters of Object.values(byLane([slot.tally]))) micros += counters.micros ?? 0;
      return { at: slot.until.toMillis() / 1000, micros };
    });
}

/** Photos asked for, by lane, and cost, by hour of the UTC day: 24 rows. */
export function hours(slots) {
  const rows = Array.from({ length: 24 }, (_, hour) => ({ hour, instant: 0, batch: 0, micros: 0 }));
  for (const slot of slots) {
    const row = rows[new Date(slot.until.toMillis() - 1).getUTCHours()];
    row.instant += slot.arrivals.instant ?? 0;
    row.batch += slot.arrivals.batch ?? 0;
    for (const counters of Object.values(byLane([slot.tally]))) row.micros += counters.micros ?? 0;
  }
  return rows;
}

/** What the day will have cost by midnight UTC if its last three hours go on; null before there is an hour to go by. */
export function atThisPace(rows, micros, seconds) {
  const since = rows.findLast((row) => row.at <= seconds - PACE_SECONDS) ?? rows[0];
  if (!since || seconds - since.at < 3600) return null;
  const left = DAY_SECONDS - (seconds % DAY_SECONDS);
  return Math.round(micros + ((micros - since.micros) * left) / (seconds - since.at));
}
