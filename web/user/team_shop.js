// Packs for a team, which its owners and admins buy. Asked for when somebody wants one.
import { html, useRef, useState } from "../vendor/ui.js";
import { plural, whole } from "../lib/format.js";
import { remember } from "../lib/live.js";
import { FOR_TEAM, price } from "./shop.js";

export function TeamShop({ cloud, id, name }) {
  const [packs, setPacks] = useState(null);
  const [bad, setBad] = useState("");
  const [busy, setBusy] = useState(false);
  const keys = useRef({});
  const ask = (callable, data, done) => {
    setBusy(true);
    setBad("");
    return cloud.call(callable, data).then(done, (refusal) => {
      if (!refusal.mayRepeat) delete keys.current[data.product]; // a new purchase has a new key
      setBad(refusal.message);
    }).finally(() => setBusy(false));
  };
  const look = () => ask("get_billing", {}, ({ sellOn, products }) => setPacks(sellOn.includes("web") ? products.filter(({ onWeb, plan }) => onWeb && !plan) : []));
  const buy = (product) => {
    keys.current[product] ??= crypto.randomUUID();
    ask("start_checkout", { requestId: keys.current[product], product, payer: id }, ({ checkoutId, url }) => {
      remember(FOR_TEAM, { checkoutId, name }); // said when its page has come back
      location.assign(url);
    });
  };
  return html`
    <section class="card" aria-labelledby="packs">
      <h2 id="packs">Tokens for the team</h2>
      ${!packs && html`<div><button class="button small" disabled=${busy} onClick=${look}>Show what can be bought</button></div>`}
      ${packs?.length === 0 && html`<p class="quiet" role="status">Nothing is sold to teams here.</p>`}
      <ul class="list">
        ${packs?.map((each) => html`
          <li class="bar" key=${each.name}>
            <span>${plural(each.tokens, "token")}<br /><span class="quiet">${whole(each.photos.instant)} photos at once, or ${whole(each.photos.batch)} for later</span></span>
            <button class="button small" disabled=${busy} onClick=${() => buy(each.name)} aria-label=${`Buy ${plural(each.tokens, "token")} for the team for ${price(each)}`}>${price(each)}</button>
          </li>`)}
      </ul>
      ${packs?.length > 0 && html`<p class="quiet">They are the team's, also if you leave it: nobody can take them back for you.</p>`}
      <div aria-live="polite">${bad && html`<p class="bad" role="alert">${bad}</p>`}</div>
    </section>
  `;
}
