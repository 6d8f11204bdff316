// Tables, as everywhere on these pages: they scroll on their own, by the keyboard too.
import { html } from "../vendor/ui.js";

/** A table of `rows` of cells under `columns`; ">" before a column's name sets its figures to the right. The cell in the
 * column `heading` names its row. */
export function Table({ columns, rows, heading = 0 }) {
  const kinds = columns.map((words) => (words.startsWith(">") ? "number" : undefined));
  return html`
    <div class="scroll" tabindex="0">
      <table>
        <thead><tr>${columns.map((words, n) => html`<th scope="col" class=${kinds[n]}>${words.replace(/^>/, "")}</th>`)}</tr></thead>
        <tbody>
          ${rows.map((cells) => html`<tr>${cells.map((cell, n) => (n === heading ? html`<th scope="row">${cell}</th>` : html`<td class=${kinds[n]}>${cell}</td>`))}</tr>`)}
        </tbody>
      </table>
    </div>
  `;
}

/** A figure's bar in its row. */
export const bar = (value, most, words) => html`<progress max=${Math.max(most, 1)} value=${value} aria-label=${words}></progress>`;
