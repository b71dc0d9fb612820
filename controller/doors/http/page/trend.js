// The last minutes as lines. A hole in a line is an unknown value.

import { known, scaled } from "./words.js";

const POWER = [["load_W", "Load", "--load"], ["grid_W", "Grid", "--grid"], ["battery_W", "Battery", "--battery"]];
const HEAT = [["soc_permille", "Charge %", "--feed"], ["temperature_ddegC_max", "Hottest \u00b0C", "--battery"]];
const DASHES = [[], [8, 3], [3, 3]];
const charts = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function values(facts, field) {
  const found = facts.quantities.find((each) => each.field === field);
  return found.values.map((each) => known(each) ? each / found.divisor : null);
}

// The first place with a known value: a controller that runs for a minute has no ten minutes to draw.
function begins(facts) {
  const firsts = facts.quantities.map((each) => each.values.findIndex(known)).filter((at) => at >= 0);
  return Math.max(0, Math.min(...firsts, facts.quantities[0].values.length - 2));
}

function now(facts, field) {
  const found = facts.quantities.find((each) => each.field === field);
  return scaled(found.now, found.divisor, found.digits);
}

function chart(into, facts, series, unit) {
  const width = Math.max(240, into.clientWidth);
  const axis = { stroke: colour("--faint"), grid: { stroke: colour("--rule"), width: 1 }, ticks: { show: false } };
  const count = facts.quantities[0].values.length, step = facts.span_ms / 60000 / count;
  const begin = begins(facts);
  const x = Array.from({ length: count }, (_, at) => (at - count + 0.5) * step).slice(begin);
  return new uPlot({
    width, height: 220, legend: { live: false }, scales: { x: { time: false } },
    axes: [{ ...axis, values: (_, all) => all.map((each) => `${each} min`) }, { ...axis, label: unit, size: 56 }],
    series: [{ label: "" }, ...series.map(([field, label, ink], at) => ({ label: `${label} ${now(facts, field)}`,
      stroke: colour(ink), width: 2, dash: DASHES[at], points: { show: false } }))],
  }, [x, ...series.map(([field]) => values(facts, field).slice(begin))], into);
}

export function draw(into, facts) {
  for (const each of charts.splice(0)) each.destroy();
  into.replaceChildren();
  if (!facts) return;
  for (const [title, series, unit] of [["Power", POWER, "kW"], ["Charge and heat", HEAT, "% and \u00b0C"]]) {
    const place = document.createElement("div");
    const head = document.createElement("h3");
    head.textContent = title;
    place.append(head);
    into.append(place);
    charts.push(chart(place, facts, series, unit));
  }
}
