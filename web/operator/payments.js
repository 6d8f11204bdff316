// Payments: what was sold and taken back, day by day, how soon it was credited, and whether the books agree.
import { doc } from "../vendor/firebase.js";
import { html } from "../vendor/ui.js";
import { duration, exact, plural, relative, whole } from "../lib/format.js";
import { dataOf, useLive, useNow } from "../lib/live.js";
import { Table } from "../lib/table.js";
import { total } from "./figures.js";

export function Payments({ cloud }) {
  const now = useNow();
  const { value, error } = useLive(() => doc(cloud.db, "stats", "sales"), dataOf, []);
  if (error) return html`<p class="notice error" role="alert">Payments cannot be shown: ${error.code}.</p>`;
  if (value === undefined) return html`<div class="skeleton say" role="status" aria-label="Loading"></div>`;
  if (!value?.at) return html`<p class="say" role="status">Nothing was counted yet. Where something is sold, each day is counted once it is over.</p>`;
  return html`
    <${Sentence} sales=${value} now=${now} />
    <div class="grid">
      <section class="card" aria-labelledby="books">
        <h2 id="books">Do the books agree?</h2>
        <${Books} sales=${value} />
      </section>
      <section class="card" aria-labelledby="products">
        <h2 id="products">By product</h2>
        <${Products} days=${value.days} />
      </section>
      <section class="card wide" aria-labelledby="days">
        <h2 id="days">Day by day (UTC)</h2>
        <${Days} days=${value.days} />
        <p class="quiet">A refund or dispute is in the day on which we first heard of it. Soon: half of a day's payments had their tokens within the first time, 95 of 100 within the second.</p>
      </section>
    </div>
  `;
}

/** Sums of rows by currency, which cannot be added: "$12.00 and €3.00"; nothing is "–". */
function money(rows) {
  const sums = {};
  for (const { currency, minor } of rows) sums[currency] = (sums[currency] ?? 0) + minor;
  const texts = Object.entries(sums).map(([currency, minor]) => {
    const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  });
  return texts.join(" and ") || "–";
}

const count = (rows) => total(rows.map(({ payments }) => payments));
const soldOf = (days) => days.flatMap(({ sold }) => sold);
const takenOf = (days, dispute) => days.flatMap(({ takenBack }) => takenBack.filter((each) => each.dispute === dispute));

function Sentence({ sales: { days, at }, now }) {
  const sold = soldOf(days);
  const [refunds, disputes] = [false, true].map((dispute) => takenOf(days, dispute));
  const some = [sold, refunds, disputes].some(count);
  return html`
    <p class="say" role="status">
      ${some
        ? html`${plural(count(sold), "payment")} in ${plural(days.length, "day")} brought ${money(sold)}; ${plural(count(refunds), "refund")} took ${money(refunds)}, ${plural(count(disputes), "dispute")} ${money(disputes)}.`
        : html`No payment in ${plural(days.length, "day")}.`}
    </p>
    <p class="quiet" title=${exact(at)}>Counted ${relative(at, now)}.</p>
  `;
}

function Books({ sales: { given, booked, unclaimed } }) {
  return html`
    ${given === booked
      ? html`<p>Yes: payments have given ${plural(given, "token")}, and the ledgers have as many from them.</p>`
      : html`<p class="bad">No: payments have given ${plural(given, "token")}, the ledgers have ${whole(booked)} from them. <code>admin billing status --drift</code> names the payers.</p>`}
    ${unclaimed > 0
      ? html`<p class="warn">${plural(unclaimed, "payment waits", "payments wait")} for a payer: <code>admin payments find --unclaimed</code>.</p>`
      : html`<p>Nobody has paid and waits.</p>`}
  `;
}

function Products({ days }) {
  const rows = {};
  for (const each of soldOf(days)) (rows[`${each.product} ${each.provider}`] ??= []).push(each);
  if (Object.keys(rows).length === 0) return html`<p class="quiet">Nothing was sold in these days.</p>`;
  return html`<${Table}
    columns=${["Product", "By", ">Sold", ">Paid", ">Tokens"]}
    rows=${Object.values(rows).map((sold) => [sold[0].product, sold[0].provider, whole(count(sold)), money(sold), whole(total(sold.map(({ tokens }) => tokens)))])}
  />`;
}

function Days({ days }) {
  const soon = ({ creditSecondsHalf: half, creditSecondsMost: most }) => (half === null ? "–" : `${duration(half)}, ${duration(most)}`);
  const back = (day, dispute) => {
    const rows = takenOf([day], dispute);
    return rows.length ? `${whole(count(rows))}: ${money(rows)}` : "–";
  };
  const rows = days
    .toReversed()
    .map((day) => [day.day, `${whole(count(day.sold))}${day.more ? " or more" : ""}`, money(day.sold), back(day, false), back(day, true), soon(day)]);
  return html`<${Table} columns=${["Day", ">Payments", ">Paid", ">Refunds", ">Disputes", ">Credited within"]} rows=${rows} />`;
}
