// One line against its limit, with its table.
import uPlot from "../vendor/uplot.js";
import { html, useEffect, useRef } from "../vendor/ui.js";
import { dollars } from "../lib/format.js";
import { Table } from "../lib/table.js";
import { DAY_SECONDS } from "./figures.js";

const HEIGHT = 180;
const GAP = 4;
const ROOM_ABOVE = 1.2; // for the name of the topmost line

const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);

/** A colour of the style sheet as canvases take it. */
function colour(element, name) {
  element.style.color = `var(${name})`;
  const found = getComputedStyle(element).color;
  element.style.color = "";
  return found;
}

/** Writes the names of both lines beside them: the limit at its end at midnight, and the last value at its point. */
function name(plot, colours) {
  const { ctx, data, bbox } = plot;
  const [at, spent, limits] = data;
  const last = at.length - 2;
  const write = (text, x, y, align, stroke) => {
    ctx.textAlign = align;
    ctx.fillStyle = stroke;
    ctx.fillText(text, x, y);
  };
  const edge = GAP * uPlot.pxRatio;
  ctx.save();
  ctx.font = `600 ${13 * uPlot.pxRatio}px system-ui`;
  ctx.textBaseline = "bottom";
  write(`Limit ${dollars(limits[0])}`, bbox.left + bbox.width, plot.valToPos(limits[0], "y", true) - edge, "right", colours.limit);
  const [x, y] = [plot.valToPos(at[last], "x", true), plot.valToPos(spent[last], "y", true)];
  const roomy = x < bbox.left + 0.75 * bbox.width;
  write(`${dollars(spent[last])} now`, x + (roomy ? edge : -edge), y - edge, roomy ? "left" : "right", colours.spent);
  ctx.restore();
}

/** The course of a day's cost, from midnight to midnight UTC. `rows` and `now` are {at, micros}. */
export function DayCurve({ rows, now, limit, day }) {
  const box = useRef(null);
  const chart = useRef(null);
  const begins = Date.parse(`${day}T00:00:00Z`) / 1000;
  const points = [{ at: begins, micros: 0 }, ...rows.filter((row) => row.at < now.at), now];
  const midnight = begins + DAY_SECONDS;
  const data = [
    [...points.map(({ at }) => at), midnight],
    [...points.map(({ micros }) => micros), null],
    [...points, midnight].map(() => limit),
  ];
  useEffect(() => {
    const { current } = box;
    const width = () => Math.max(current.clientWidth, 200);
    const axis = { stroke: colour(current, "--quiet"), grid: { show: false }, ticks: { show: false }, font: "13px system-ui" };
    const colours = { spent: colour(current, "--accent"), limit: colour(current, "--warning") };
    const line = { width: 2, points: { show: false } };
    chart.current = new uPlot(
      {
        width: width(),
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [begins, midnight] }, y: { range: (_, __, most) => [0, ROOM_ABOVE * most || 1] } },
        axes: [
          { ...axis, splits: () => [0, 6, 12, 18].map((hour) => begins + hour * 3600), values: (_, at) => at.map(clock) },
          { ...axis, size: 72, values: (_, values) => values.map(dollars) },
        ],
        series: [
          {},
          { ...line, stroke: colours.spent },
          { ...line, width: 1, stroke: colours.limit, dash: [6, 4] },
        ],
        hooks: { draw: [(plot) => name(plot, colours)] },
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
    <div ref=${box} role="img" aria-label=${`Spent until now: ${dollars(now.micros)}; the limit until midnight UTC is ${dollars(limit)}`}></div>
    <p class="quiet">Line: spent until then. Dashed: today's limit, until midnight UTC.</p>
    <details>
      <summary class="link">Show as table</summary>
      <${Table} columns=${["Until (UTC)", ">Spent"]} rows=${[...points.map(({ at, micros }) => [clock(at), dollars(micros)]), ["Limit until 24:00", dollars(limit)]]} />
    </details>
  `;
}
