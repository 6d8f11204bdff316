// Photos by lane and model: what one of the last week cost, how often it failed and how long it took, and before.
import { html } from "../vendor/ui.js";
import { dollars, duration, percent, whole } from "../lib/format.js";
import { Table } from "../lib/table.js";

const LANES = { instant: "Instant", batch: "Later" };
const FIGURES = {
  "Cost each": ({ micros, ended }) => dollars(Math.round(micros / ended)),
  "Output tokens each": ({ output, ended }) => whole(Math.round(output / ended)),
  Failed: ({ failed, ended }) => percent(failed, ended),
  "Half waited": ({ wait }) => (wait === null ? "–" : duration(wait)),
};

/** Rows of `admin_days`; of fewer than the `least` photos only their number is said. */
export function Models({ models, least }) {
  const said = (figure, sums) => (sums.ended < least ? "too few" : figure(sums));
  const columns = ["Photos", ...Object.keys(FIGURES)].flatMap((name) => [`>${name}`, `>${name} before`]);
  const rows = models.map(({ lane, model, week, before }) => [
    `${LANES[lane] ?? lane}, ${model}`,
    ...[week, before].map(({ ended }) => whole(ended)),
    ...Object.values(FIGURES).flatMap((figure) => [week, before].map((sums) => said(figure, sums))),
  ]);
  return html`
    <${Table} columns=${["Lane and model", ...columns]} rows=${rows} />
    <p class="quiet">Photos that ended at the provider in the last seven days, and in those before; figures are said from ${least} photos on.</p>
  `;
}
