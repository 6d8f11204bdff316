// Users by plan: photos, tokens, and how many of one day came again on the next.
import { html } from "../vendor/ui.js";
import { percent, whole } from "../lib/format.js";
import { Table, bar } from "../lib/table.js";
import { total } from "./figures.js";

const DAY_MS = 24 * 3_600_000;
const dayBefore = (day) => new Date(Date.parse(`${day}T00:00:00Z`) - DAY_MS).toISOString().slice(0, 10);

/** A plan's sums over days; of users who came again, over the days whose day before was counted, too. */
function sumsOf(plan, days) {
  const counted = Object.fromEntries(days.filter(({ plans }) => Object.keys(plans).length).map(({ day, plans }) => [day, plans[plan] ?? { photos: 0, tokens: 0, users: 0, again: 0 }]));
  const pairs = Object.entries(counted).flatMap(([day, rows]) => (dayBefore(day) in counted ? [[rows.again, counted[dayBefore(day)].users]] : []));
  const sum = (name) => total(Object.values(counted).map((rows) => rows[name]));
  return {
    ...Object.fromEntries(["photos", "tokens", "users"].map((name) => [name, sum(name)])),
    busiest: Math.max(...Object.values(counted).map(({ users }) => users)),
    again: total(pairs.map(([again]) => again)),
    of: total(pairs.map(([, users]) => users)),
  };
}

/** Rows of `admin_days`. What a user of a plan did is said if it had the `least` users on some day: so many people, whoever came how often. */
export function Plans({ days, least }) {
  const plans = [...new Set(days.flatMap(({ plans: of }) => Object.keys(of)))];
  if (!plans.length) return html`<p class="quiet">No day was counted by plan yet.</p>`;
  const rows = plans.map((plan) => {
    const { photos, tokens, users, busiest, again, of } = sumsOf(plan, days);
    const said = (words) => (busiest < least ? "too few" : words);
    const share = said(of ? percent(again, of) : "–");
    return [plan, whole(photos), whole(tokens), whole(busiest), ...[photos, tokens].map((n) => said((n / users).toFixed(1))), bar(busiest < least ? 0 : again, Math.max(of, 1), share), share];
  });
  return html`
    <${Table} columns=${["Plan", ">Photos", ">Tokens for them", ">Users, busiest day", ">Photos a user and day", ">Tokens a user and day", "As a bar", ">Came again next day"]} rows=${rows} />
    <p class="quiet">Users with a photo, by the plan that they had on that day; tokens before refunds. Of all users of a day, those with a photo on the next; figures per user are said from ${least} users on the busiest day on.</p>
  `;
}
