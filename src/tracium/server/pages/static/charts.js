// The one place that knows the chart library. A chart is drawn from the table behind it, so that both say the same.
import { axisMoment, moment, write } from "./locale.js";

const HEIGHT = 168;
const drawn = new WeakMap();
let library;

/** uPlot is one plain script with a name of its own. */
function load() {
  library ??= new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: url("uPlot.min.css") });
    const script = Object.assign(document.createElement("script"), { src: url("uPlot.iife.min.js") });
    script.addEventListener("load", () => resolve(globalThis.uPlot));
    script.addEventListener("error", () => reject(new Error("The charts could not be loaded; the tables are below.")));
    document.head.append(link, script);
  });
  return library;
}

const url = (name) => new URL(`./vendor/${name}`, import.meta.url).href;

export async function drawCharts(root) {
  const figures = [...root.querySelectorAll("[data-chart]")];
  let uPlot;
  try {
    uPlot = await load();
  } catch {
    for (const figure of figures) {
      figure.querySelector(".plot").hidden = true;
      figure.querySelector("details").open = true;
    }
    return;
  }
  for (const figure of figures) if (figure.isConnected) draw(uPlot, figure);
}

document.addEventListener("tracium:theme", () => drawCharts(document));

function draw(uPlot, figure) {
  const table = read(figure);
  const place = figure.querySelector(".plot");
  place.hidden = table.times.length < 2;
  if (place.hidden) return;
  drawn.get(figure)?.end();
  place.replaceChildren();
  const chart = new uPlot(options(uPlot, figure, table, place.clientWidth), [table.times, ...table.series], place);
  const legend = legendOf(figure, table);
  place.append(legend.element);
  chart.hooks.setCursor = [({ cursor }) => legend.show(cursor.idx)];
  const watch = new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT }));
  watch.observe(place);
  drawn.set(figure, { end: () => (watch.disconnect(), chart.destroy()) });
}

/** The numbers of the table: seconds, and one list for each column. */
function read(figure) {
  const heads = [...figure.querySelectorAll("thead th")].slice(1);
  const names = heads.map((cell) => cell.textContent);
  const lines = [...figure.querySelectorAll("tbody tr")];
  const value = (cell) => (cell?.querySelector("data") ? Number(cell.querySelector("data").value) : null);
  return {
    heads,
    names,
    times: lines.map((line) => Date.parse(line.querySelector("time").dateTime) / 1000),
    series: names.map((_, index) => lines.map((line) => value(line.cells[index + 1]))),
  };
}

function options(uPlot, figure, { names }, width) {
  const style = getComputedStyle(figure);
  const colour = (name) => resolve(figure, style, name);
  const unit = figure.dataset.unit === "integer" ? "compact" : figure.dataset.unit;
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--muted"), font: `11px ${style.fontFamily}`, grid, ticks: { show: false } };
  const kind = figure.dataset.chart;
  return {
    width,
    height: HEIGHT,
    padding: [10, 22, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: figure.dataset.group, setSeries: false }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, size: 26, space: 72, values: (_, ticks, __, ___, step) => ticks.map((tick) => axisMoment(tick * 1000, step)) },
      { ...axis, size: 58, space: 30, values: (_, ticks) => ticks.map((tick) => write(tick, unit)) },
    ],
    series: [
      {},
      ...names.map((name, index) => {
        const stroke = colour(`--series-${(index % 6) + 1}`);
        const fill = kind === "line" ? undefined : `color-mix(in srgb, ${stroke} ${kind === "bars" ? 80 : 14}%, transparent)`;
        const paths = kind === "bars" ? uPlot.paths.bars({ size: [0.8, 40] }) : undefined;
        return { label: name, stroke, fill, paths, width: kind === "bars" ? 0 : 1.75, dash: index % 2 && kind === "line" ? [6, 3] : undefined, points: { show: kind !== "bars", size: 4, fill: stroke, filter: alone } };
      }),
    ],
    hooks: { setSelect: [(chart) => zoom(chart)] },
  };
}

/** The points with nothing beside them: a line alone would not show them. */
function alone(chart, series) {
  const values = chart.data[series];
  return [...values.keys()].filter((at) => values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null);
}

/** What `light-dark()` is here: a canvas does not know it. */
function resolve(figure, style, name) {
  const probe = document.createElement("i");
  probe.style.color = style.getPropertyValue(name);
  figure.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** Drag over a chart: the page of that range, in whole quarters of an hour. */
function zoom(chart) {
  const { left, width } = chart.select;
  if (width < 8) return;
  const quarter = 900;
  const start = Math.floor(chart.posToVal(left, "x") / quarter) * quarter;
  const end = Math.ceil(chart.posToVal(left + width, "x") / quarter) * quarter;
  const place = new URL(location.href);
  place.searchParams.delete("range");
  place.searchParams.set("from", new Date(start * 1000).toISOString());
  place.searchParams.set("to", new Date(end * 1000).toISOString());
  location.assign(place);
}

function legendOf(figure, { heads, times, series }) {
  const element = Object.assign(document.createElement("div"), { className: "legend" });
  const unit = figure.dataset.unit;
  const head = document.createElement("span");
  const values = heads.map((name, index) => {
    const item = Object.assign(document.createElement("span"), { className: `series-${(index % 6) + 1}` });
    const value = document.createElement("b");
    item.append(document.createElement("i"), ...name.cloneNode(true).childNodes, " ", value);
    return { item, value };
  });
  element.append(...values.map(({ item }) => item), head);
  return {
    element,
    show(index) {
      const at = index !== null && index !== undefined;
      head.textContent = at ? moment(times[index] * 1000) : "";
      values.forEach(({ value }, one) => (value.textContent = at && series[one][index] !== null ? write(series[one][index], unit) : ""));
    },
  };
}
