// Tokens by reason and users by how long they have been there: tables whose bars are their charts.
import { html } from "../vendor/ui.js";
import { percent, whole } from "../lib/format.js";
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
  charge: "Photos",
  upgrade: "Upgrades",
  refund: "Refunds",
};

export const SPENDING = new Set(["charge", "upgrade", "refund"]);

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
  const rows = Object.entries(tokens).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)); // a newer release's come first
  const most = Math.max(...rows.map(([, n]) => Math.abs(n)), 1);
  return html`
    <p><span class="figure">${whole(earned(rows))}</span> earned, <span class="figure">${whole(spent(rows))}</span> spent</p>
    <div class="scroll" tabindex="0">
      <table>
        <thead><tr><th scope="col">Why</th><th scope="col">As a bar</th><th scope="col" class="number">Tokens</th></tr></thead>
        <tbody>
          ${rows.map(
            ([reason, n]) => html`
              <tr key=${reason}>
                <th scope="row">${REASONS[reason] ?? reason}</th>
                <td><progress max=${most} value=${Math.abs(n)} aria-label=${`${signed(n)} tokens`}></progress></td>
                <td class="number">${signed(n)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** Rows of {words, back, of}: how many users came, of how many. */
export function Returns({ rows, came, could }) {
  return html`
    <div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">Users</th><th scope="col">As a bar</th>
            <th scope="col" class="number">${came}</th><th scope="col" class="number">${could}</th><th scope="col" class="number">Share</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ words, back, of }) => html`
              <tr key=${words}>
                <th scope="row">${words}</th>
                <td><progress max=${Math.max(of, 1)} value=${back} aria-label=${percent(back, of)}></progress></td>
                <td class="number">${whole(back)}</td>
                <td class="number">${whole(of)}</td>
                <td class="number">${percent(back, of)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
