// The power picture: grid, load, battery and the feeding devices, with the direction of each power.

import { directed, kilowatt, known, scaled } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST_W = 50; // below it nothing flows
const FEEDS_MAX = 3;

export function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// into_W: above 0 the power flows from the node to the hub
function node(name, colour, x, y, into_W, word) {
  const hub = { x: 200, y: 150 };
  const on = known(into_W) && Math.abs(into_W) >= LEAST_W;
  const back = on && into_W < 0;
  const made = svg("g", { class: `c-${colour}` },
    svg("line", { class: `way${on ? " on" : ""}${back ? " back" : ""}`, x1: x, y1: y, x2: hub.x, y2: hub.y }));
  if (on) {
    const turn = Math.atan2(hub.y - y, hub.x - x) * 180 / Math.PI + (back ? 180 : 0);
    const at = 0.62; // between node and hub
    made.append(svg("path", { class: "tip", d: "M-9 -9L9 0L-9 9z",
      transform: `translate(${x + (hub.x - x) * at} ${y + (hub.y - y) * at}) rotate(${turn})` }));
  }
  made.append(svg("rect", { class: "node", x: x - 66, y: y - 38, width: 132, height: 76, rx: 10 }),
    svg("text", { class: "name", x, y: y - 19 }, name),
    svg("text", { class: "value", x, y: y + 6 }, shown(into_W)),
    svg("text", { class: "name", x, y: y + 27 }, word));
  return made;
}

const shown = (power_W) => !known(power_W) ? "-" : Math.abs(power_W) < 1e6 ? `${kilowatt(Math.abs(power_W))} kW` :
  `${Math.abs(power_W / 1e6).toFixed(3)} MW`;

const way = (power_W, gives, takes) => !known(power_W) ? "unknown" :
  Math.abs(power_W) < LEAST_W ? "idle" : power_W > 0 ? gives : takes;

export function draw(into, words, state) {
  const own = state || { site: [], meters: {} };
  const feeds = own.site.filter((each) => "power_W" in each && each.role !== "meter");
  const soc = own.soc_permille_min;
  const parts = [
    node("Grid", "grid", 68, 150, own.grid_W, way(own.grid_W, "importing", "exporting")),
    node("Load", "load", 332, 150, known(own.load_W) ? -own.load_W : null, known(own.load_W) ? "takes" : "unknown"),
    node("Battery", "battery", 200, 258, own.battery_W, way(own.battery_W, "discharging", "charging")),
  ];
  feeds.slice(0, FEEDS_MAX).forEach((each, at, all) => {
    const x = 200 + (at - (all.length - 1) / 2) * 133;
    parts.push(node(each.device, "feed", x, 42, each.power_W, known(each.power_W) ? each.role : "not heard"));
  });
  parts.push(svg("circle", { class: "hub", cx: 200, cy: 150, r: 8 }));
  parts.push(svg("g", { class: "c-battery" },
    svg("rect", { class: "tank", x: 280, y: 224, width: 14, height: 68, rx: 3 }),
    ...(known(soc) ? [svg("rect", { class: "level", x: 282, y: 290 - 64 * soc / 1000, width: 10, height: 64 * soc / 1000 })] : []),
    svg("text", { class: "name", x: 330, y: 263 }, known(soc) ? `${scaled(soc, 10)} %` : "- %")));
  into.setAttribute("viewBox", feeds.length ? "0 0 400 300" : "0 96 400 204");
  into.replaceChildren(...parts);
  words.textContent = `Grid ${directed(own.grid_W, "imports", "exports")}, load ${known(own.load_W) ? `${kilowatt(own.load_W)} kW` : "-"}, ` +
    `battery ${directed(own.battery_W, "gives", "takes")}` +
    feeds.map((each) => `, ${each.device} ${known(each.power_W) ? `${kilowatt(each.power_W)} kW` : "-"}`).join("") + ".";
}
