// One line against its limit, with its table.
import uPlot from "../vendor/uplot.js";
import { html, useEffect, useRef } from "../vendor/ui.js";
import { dollars } from "../lib/format.js";

const HEIGHT = 180;
const DAY_SECONDS = 86_400;

const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);

/** A colour of the style sheet as canvases take it. */
function colour(element, name) {
  element.style.color = `var(${name})`;
  const found = getComputedStyle(element).color;
  element.style.color = "";
  return found;
}

/** The course of a day's cost, from midnight to midnight UTC. `rows` and `now` are {at, micros}. */
export function DayCurve({ rows, now, limit, day }) {
  const box = useRef(null);
  const chart = useRef(null);
  const begins = Date.parse(`${day}T00:00:00Z`) / 1000;
  const points = [{ at: begins, micros: 0 }, ...rows.filter((row) => row.at < now.at), now];
  const data = [points.map(({ at }) => at), points.map(({ micros }) => micros), points.map(() => limit)];
  useEffect(() => {
    const { current } = box;
    const width = () => Math.max(current.clientWidth, 200);
    const axis = { stroke: colour(current, "--quiet"), grid: { show: false }, ticks: { show: false }, font: "13px system-ui" };
    const line = { width: 2, points: { show: false } };
    chart.current = new uPlot(
      {
        width: width(),
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [begins, begins + DAY_SECONDS] }, y: { range: (_, __, most) => [0, most || 1] } },
        axes: [
          { ...axis, splits: () => [0, 6, 12, 18].map((hour) => begins + hour * 3600), values: (_, at) => at.map(clock) },
          { ...axis, size: 72, values: (_, values) => values.map(dollars) },
        ],
        series: [
          {},
          { ...line, stroke: colour(current, "--accent") },
          { ...line, width: 1, stroke: colour(current, "--warning"), dash: [6, 4] },
        ],
      },
      data,
      current,
    );
    const size = new ResizeObserver(() => chart.current.setSize({ width: width(), height: HEIGHT }));
    size.observe(current);
    return () => {
      size.disconnect();
      chart.current.destroy();
    };
  }, [day]);
  useEffect(() => chart.current?.setData(data), [now.micros, rows.length, limit, Math.floor(now.at / 60)]);
  return html`
    <div ref=${box} role="img" aria-label=${`Spent until now: ${dollars(now.micros)} of ${dollars(limit)}`}></div>
    <p class="quiet">Line: spent until then. Dashed: today's limit.</p>
    <details>
      <summary class="link">Show as table</summary>
      <div class="scroll" tabindex="0">
        <table>
          <thead><tr><th scope="col">Until (UTC)</th><th scope="col" class="number">Spent</th></tr></thead>
          <tbody>
            ${points.map(
              ({ at, micros }) =>
                html`<tr key=${at}><th scope="row">${clock(at)}</th><td class="number">${dollars(micros)}</td></tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  `;
}
