// Tokens by reason and users by how long they have been there: tables whose bars are their charts.
import { html } from "../vendor/ui.js";
import { percent, whole } from "../lib/format.js";
import { Table, bar } from "../lib/table.js";
import { total } from "./figures.js";

export const REASONS = {
  welcome: "Welcome",
  bonus: "Daily bonus",
  convert: "Points converted",
  manual: "Things named by hand",
  refresh: "Allowance",
  grant: "Granted by operators",
  buy: "Bought",
  period: "Subscriptions",
  achieve: "Achievements",
  perk: "Perks",
  bulk: "Bulk jobs",
  give: "Given within teams",
  got: "Got within teams",
  allot: "Allotted by teams",
  return: "Returned to teams",
  close: "Given up by users who left",
  charge: "Photos",
  upgrade: "Upgrades",
  refund: "Refunds",
};

/** What users are called by the age of their wallet in days. */
export const AGES = { 1: "Back after 1 day", 7: "Back after 7 days", 28: "Back after 28 days" };

export const SPENDING = new Set(["charge", "upgrade", "refund", "bulk", "perk"]);

/** Tokens by reason, added up over days. */
export function tokensOf(days) {
  const sums = {};
  for (const tokens of days) for (const [reason, n] of Object.entries(tokens)) sums[reason] = (sums[reason] ?? 0) + n;
  return sums;
}

export const signed = (n) => `${n < 0 ? "−" : n > 0 ? "+" : ""}${whole(Math.abs(n))}`;

/** Returns the tokens earned and spent, of rows [reason, tokens]. */
export const earned = (rows) => total(rows.filter(([reason]) => !SPENDING.has(reason)).map(([, n]) => n));
export const spent = (rows) => -total(rows.filter(([reason]) => SPENDING.has(reason)).map(([, n]) => n));

export function Tokens({ tokens }) {
  const order = Object.keys(REASONS);
  const moved = Object.entries(tokens).filter(([, n]) => n);
  const rows = moved.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)); // a newer release's come first
  const most = Math.max(...rows.map(([, n]) => Math.abs(n)));
  return html`
    <p><span class="figure">${whole(earned(rows))}</span> earned, <span class="figure">${whole(spent(rows))}</span> spent</p>
    ${rows.length > 0 &&
    html`
      <${Table}
        columns=${["Why", "As a bar", ">Tokens"]}
        rows=${rows.map(([reason, n]) => [REASONS[reason] ?? reason, bar(Math.abs(n), most, `${signed(n)} tokens`), signed(n)])}
      />
    `}
  `;
}

/** Rows of {words, back, of}: how many users came, of how many. */
export const Returns = ({ rows, came, could, least = 1 }) => html`
  <${Table}
    columns=${["Users", "As a bar", `>${came}`, `>${could}`, ">Share"]}
    rows=${rows.map(({ words, back, of }) => {
      const share = of < least ? "too few" : percent(back, of);
      return [words, bar(back, of, share), whole(back), whole(of), share];
    })}
  />
`;
