// Plans and purchases: what is paid for, what is sold, and what it comes to in photos.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { exact, planName, plural, whole } from "../lib/format.js";
import { remember, remembered } from "../lib/live.js";
import { Table } from "../lib/table.js";

const PORTAL = "portal"; // opened, and not yet come back from
/** Remembers the checkout of a pack for a team, with the team's name. */
export const FOR_TEAM = "bought for a team";
const HEARD_AFTER_MS = [2_000, 10_000, 30_000];

/** The checkout that Stripe's page has come back from; null if the page was opened otherwise. */
export function returned() {
  return new URLSearchParams(location.search).get("checkout");
}

/** A price in the words of the reader's country. */
export function price({ minor, currency }) {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

const cost = ({ tokens, minor }, { currency }) => plural(tokens, "token") + (currency ? ` (${price({ minor, currency })})` : "");

/** What was used, and what the same photos would have cost otherwise. */
function Months({ months, currency }) {
  const money = (minor) => price({ minor, currency });
  return html`
    <details>
      <summary>What it has cost</summary>
      <${Table}
        columns=${["Month", ">Photos", ">Cost", ">All at once", ">All for later", "With a plan"]}
        rows=${months.map(({ month, instant, batch, minor, allInstant, allBatch, plans }) => [
          month, whole(instant + batch), money(minor), money(allInstant.minor), money(allBatch.minor),
          plans.length > 0 ? `${planName(plans[0].plan)}, ${price(plans[0])}` : "–",
        ])} />
      <p class="quiet">Tokens at the price of the cheapest pack. A plan is counted with its price, and packs for what its own tokens do not pay.</p>
    </details>
  `;
}

const STOPPED = {
  authentication_required: "your bank wants you to confirm each payment",
  no_payment_method: "no card is saved",
  payment_method_gone: "your card is not saved any more",
  purchase_taken_back: "a purchase was refunded or disputed",
};

/** Packs that are bought when tokens run out: up to the user's own limit, which is typed in whole units of money. */
function PayPerUse({ allowed, busy, allow }) {
  const { tokens, minor, currency, monthMaxMinor, spentMinor, mostMinor, stopped } = allowed;
  const money = (amount) => price({ minor: amount, currency });
  const unit = 10 ** new Intl.NumberFormat(undefined, { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  const set = (event) => {
    event.preventDefault();
    allow(Math.round(Number(new FormData(event.target).get("most")) * unit));
  };
  if (mostMinor === 0 && monthMaxMinor === 0) return null;
  return html`
    <form onSubmit=${set}>
      <h3>When tokens run out</h3>
      ${stopped && html`<p class="bad" role="alert">Nothing is bought by itself any more: ${STOPPED[stopped] ?? "your card was declined"}. ${stopped === "purchase_taken_back" ? "Turn it on again if you want more." : "Buy a pack with another card, then turn it on again."}</p>`}
      ${monthMaxMinor > 0
        ? html`<p>${money(spentMinor)} of ${money(monthMaxMinor)} spent this month.</p>
            <button class="button small" type="button" disabled=${busy} onClick=${() => allow(0)}>Turn off</button>`
        : html`<p class="quiet">${plural(tokens, "token")} for ${money(minor)} can be bought by themselves, with your saved card and up to your own limit.</p>`}
      ${(monthMaxMinor === 0 || stopped) && html`
        <p class="bar">
          <label>At most a month <input name="most" type="number" required min=${minor / unit} max=${mostMinor / unit} step=${1 / unit} /></label>
          <button class="button small" disabled=${busy}>Buy by itself</button>
        </p>`}
    </form>
  `;
}

/** Nothing where nothing is sold. `bought` changes when a purchase is credited. */
export function Shop({ cloud, bought }) {
  const [billing, setBilling] = useState(null);
  const [said, setSaid] = useState({});
  const [busy, setBusy] = useState(false);
  const [saveCard, setSaveCard] = useState(false);
  const keys = useRef({});
  const look = () => cloud.call("get_billing").then(setBilling, () => {}); // what was shown stays
  useEffect(() => {
    look();
  }, [bought]);
  useEffect(() => {
    const checkoutId = returned();
    if (!checkoutId) return;
    cloud.call("sync_purchases", { checkoutId }).then(
      ({ purchased }) => {
        history.replaceState(null, "", location.pathname);
        const pack = remembered(FOR_TEAM);
        const whose = pack?.checkoutId === checkoutId ? `The tokens are those of the team ${pack.name}` : `You have ${plural(purchased, "bought token")} now`;
        setSaid({ good: `Thank you. ${whose}; a bank debit takes some days.` });
        look();
      },
      (refusal) => setSaid({ bad: refusal.message }),
    );
  }, []);
  useEffect(() => {
    if (!remembered(PORTAL)) return undefined;
    remember(PORTAL, false);
    const looks = HEARD_AFTER_MS.map((after) => setTimeout(look, after)); // Stripe's word of a change may still be on its way
    return () => looks.forEach(clearTimeout);
  }, []);
  if (!billing) return null;
  const offers = billing.sellOn.includes("web") ? billing.products.filter(({ onWeb }) => onWeb) : [];
  const allowed = billing.payPerUse.monthMaxMinor > 0;
  if (offers.length === 0 && !billing.seller && !billing.purchased && !billing.owed && !allowed) return null;

  const open = (name, data) => {
    setBusy(true);
    cloud.call(name, data).then(
      ({ url }) => {
        if (!url) return setSaid({ good: "Manage your plan in the store that sold it." });
        remember(PORTAL, name === "open_billing_portal");
        return location.assign(url);
      },
      (refusal) => {
        if (!refusal.mayRepeat && data) delete keys.current[`${data.product} ${data.saveCard}`]; // a new purchase has a new key
        setSaid({ bad: refusal.message });
      },
    ).finally(() => setBusy(false));
  };
  const buy = (product) => {
    const key = `${product} ${saveCard}`;
    keys.current[key] ??= crypto.randomUUID();
    open("start_checkout", { requestId: keys.current[key], product, saveCard });
  };
  const allow = (monthMaxMinor) => {
    setBusy(true);
    cloud.call("set_pay_per_use", { monthMaxMinor }).then(
      () => setSaid({}),
      (refusal) => setSaid({ bad: refusal.message }),
    ).finally(() => {
      setBusy(false);
      look();
    });
  };
  const { photo, months } = billing;
  return html`
    <section class="card" aria-labelledby="shop">
      <h2 id="shop">Plans and purchases</h2>
      <p>
        Your plan: ${planName(billing.plan)}${billing.planUntil && html`<span title=${exact(billing.planUntil)}>, ${billing.renews ? "renewed by" : "until"} ${new Date(billing.planUntil).toLocaleDateString()}</span>`}
      </p>
      ${billing.overdue && html`<p class="bad" role="alert">Your last payment failed. Pay, or the plan ends.</p>`}
      ${billing.purchased > 0 && html`<p>${plural(billing.purchased, "bought token")} left. They are spent last, and never expire.</p>`}
      ${billing.owed > 0 && html`<p class="quiet">${plural(billing.owed, "token")} of a refunded purchase had been spent. Your next purchase pays them first.</p>`}
      ${billing.seller && html`<button class="button" disabled=${busy} onClick=${() => open("open_billing_portal")}>Change or cancel your plan</button>`}
      <div aria-live="polite">${said.good && html`<p class="good">${said.good}</p>`}${said.bad && html`<p class="bad" role="alert">${said.bad}</p>`}</div>
      ${offers.length > 0 && html`
        <ul class="list">
          ${offers.map((each) => html`
            <li class="bar" key=${each.name}>
              <span>${each.unlimited ? planName(each.plan) : each.plan ? `${planName(each.plan)}, ${plural(each.tokens, "token")} a period` : plural(each.tokens, "token")}<br /><span class="quiet">${each.unlimited ? "Photos take no tokens" : `${whole(each.photos.instant)} photos at once, or ${whole(each.photos.batch)} for later`}</span></span>
              <button class="button small" disabled=${busy} onClick=${() => buy(each.name)} aria-label=${`Buy ${each.plan ? planName(each.plan) : plural(each.tokens, "token")} for ${price(each)}`}>${price(each)}</button>
            </li>`)}
        </ul>
        <p><label><input type="checkbox" checked=${saveCard} onChange=${({ target }) => setSaveCard(target.checked)} /><span>Save my card, so that tokens can be bought by themselves</span></label></p>
        <p class="quiet">A photo costs ${cost(photo.instant, photo)} at once, and ${cost(photo.batch, photo)} for later.</p>`}
      ${(offers.length > 0 || allowed) && html`<${PayPerUse} allowed=${billing.payPerUse} busy=${busy} allow=${allow} />`}
      ${photo.currency && months.length > 0 && html`<${Months} months=${months} currency=${photo.currency} />`}
    </section>
  `;
}
