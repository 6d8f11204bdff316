// Days so far and days to come in one picture: a line, and the band in which nine of ten days lie.
import { html } from "../vendor/ui.js";
import { plural, whole } from "../lib/format.js";

const SIZE = 100;

/** `past` and `expected` are photos a day, oldest first; `low` and `high` those of the band, null without one. */
export function Band({ past, expected, low, high, words }) {
  const count = past.length + expected.length;
  const most = Math.max(...past, ...expected, ...(high ?? []), 1);
  const x = (n) => (SIZE * n) / Math.max(count - 1, 1);
  const points = (values, first) => values.map((value, n) => `${x(first + n)},${SIZE - (SIZE * value) / most}`);
  const begins = past.length;
  const joined = past.length ? [past.at(-1), ...expected] : expected;
  const area = low && [...points(high, begins), ...points(low, begins).toReversed()].join(" ");
  const said = `${words}: ${plural(past.length, "day")} so far, the last with ${whole(past.at(-1) ?? 0)} photos; ${plural(expected.length, "day")} to come, from ${Math.round(Math.min(...expected))} to ${Math.round(Math.max(...expected))} photos`;
  return html`
    <svg class="band" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label=${said}>
      ${area && html`<polygon points=${area} />`}
      <polyline class="past" points=${points(past, 0).join(" ")} />
      <polyline class="ahead" points=${points(joined, begins - (past.length ? 1 : 0)).join(" ")} />
    </svg>
    <p class="quiet bar"><span>Solid: so far. Dashed: expected.</span> <span>Top of the picture: ${plural(Math.ceil(most), "photo")} a day</span></p>
  `;
}
