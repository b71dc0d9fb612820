// One function for each card: facts to elements. No state is kept here.

import { because, directed, duration, hint, kilowatt, known, range, reason, remedy, scaled, start, upper } from "./words.js";

export function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined && each !== ""));
  return made;
}

const p = (text, kind) => h("p", kind ? { class: kind } : {}, text);
const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter((each) => each).flatMap(([name, value]) =>
  [h("dt", {}, name), h("dd", {}, value)]));
const table = (label, head, lines) => h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
  h("table", {}, h("thead", {}, h("tr", {}, head.map((each) => h("th", { scope: "col", class: each.startsWith(">") ? "number" : false },
    each.replace(">", ""))))), h("tbody", {}, lines)));
const line = (cells, head, kind) => h("tr", { class: kind || false }, cells.map((each, at) =>
  h("td", { class: head[at].startsWith(">") ? "number" : false }, each)));

export function can(state) {
  const own = state || {};
  const energy = known(own.remaining_Wh) ? `${scaled(own.remaining_Wh, 1000)} kWh above the reserve of ${scaled(own.reserve_permille, 10)} %` : "-";
  return [
    ["Can do now", range(own.available_low_W, own.available_high_W)],
    ["For 15 min", range(own.held_15min_low_W, own.held_15min_high_W)],
    ["Energy", energy + (known(own.reserve_in_s) && own.reserve_in_s < 86400 ? `, reached in ${duration(own.reserve_in_s * 1000)}` : "")],
    ["Charge", `${scaled(own.soc_permille_min, 10)} .. ${scaled(own.soc_permille_max, 10)} %`],
    ["Cells", `${scaled(own.temperature_ddegC_min, 10)} .. ${scaled(own.temperature_ddegC_max, 10)} \u00b0C`],
    ["Health", `${scaled(own.soh_permille_min, 10)} %`],
  ].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

function began(row, state) {
  return known(row.began_ms) ? `${duration(state.uptime_ms - row.began_ms)} ago` : "before the journal";
}

function alarm(row, state) {
  const stops = /stop|ramp|open/.test(row.effect);
  const present = row.is_active ? "still there" : row.is_latched ? `gone for ${duration(row.clear_for_ms)}, latched` : "clearing";
  return h("article", { class: `alarm${stops ? " stops" : ""}` },
    h("h3", {}, `${upper(row.reason.name)}, ${row.where}`),
    h("p", {}, h("span", { class: "tag" }, `row ${row.stage}`), h("span", { class: "tag" }, row.effect), h("span", { class: "tag" }, row.danger),
      ` began ${began(row, state)}; ${present}; ${row.reset === "self" ? "resets by itself" : `${row.reset} reset`}`),
    p(row.reason.sentence), h("p", {}, h("b", {}, "Do: "), row.reason.remedy));
}

export function alarms(state) {
  if (!state) return [p("Not known.")];
  const shown = state.standing.slice(0, 6), more = state.standing.slice(6);
  const found = shown.map((row) => alarm(row, state));
  if (!found.length) found.push(p("No alarm: no interlock row is active or latched.", "none"));
  if (more.length) {
    found.push(h("details", {}, h("summary", {}, `${more.length} more`), more.map((row) => alarm(row, state))));
  }
  if (state.channel_b) {
    found.push(p(`In channel B first: row ${state.channel_b.stage} ${state.channel_b.name}, ${state.channel_b.reset} reset.`));
  }
  for (const each of state.contradicted) found.push(p(`Other measurements contradict ${each.signal}: ${reason(each.reason)}.`));
  if (state.reset.command) found.push(h("p", {}, "To reset, at the cabinet: ", h("code", {}, state.reset.command)));
  else if (state.reset.code) found.push(p("To reset: turn the key out of RUN; then the command appears here."));
  const waits = start(state.start);
  if (waits) found.push(h("p", {}, h("b", {}, "Start: "), waits));
  if (state.locked_out_by) found.push(p(`Locked out by ${state.locked_out_by}: the same person ends it.`));
  const count = state.interlocks;
  found.push(p(`Interlocks: ${count.armed} armed, ${count.tripped} tripped, ${count.warnings} warning, ${count.not_fitted} not fitted.`, "words"));
  return found;
}

const STEPS = ["Step", ">From .. to kW", ">Result kW"];

function step(name, what, low_W, high_W, leaves_W, acts) {
  const bounds = known(low_W) ? `${kilowatt(low_W)} .. ${kilowatt(high_W)}` : "";
  return line([h("span", {}, name, h("span", { class: "small" }, what)), bounds, kilowatt(leaves_W)], STEPS, acts ? "acts" : "");
}

function interval(name, found) {
  const ends = [[found.low_reason, found.low_cause], [found.high_reason, found.high_cause]].filter(([each]) => each);
  const what = [...new Set(ends.map(([each, cause]) => reason(each, cause)))].join("; ");
  return step(name, what || "not acting", found.low_W, found.high_W, found.leaves_W, found.acted);
}

export function why(facts) {
  if (!facts) return [p("Not known.")];
  const asked = facts.request, who = [asked.base_reason, asked.fast_reason].filter((each) => each).map((each) => each.name);
  const binding = facts.binding, less = facts.request_W * facts.setpoint_W >= 0 && Math.abs(facts.setpoint_W) < Math.abs(facts.request_W);
  const found = [h("h3", {}, `Set-point: ${directed(facts.setpoint_W)}`),
    p(who.length ? `${upper(who.join(" and "))} ask${who.length > 1 ? "" : "s"} for ${directed(facts.request_W)}.` : "Nobody asks for power.")];
  if (binding) {
    found.push(p(`${less ? "Held back" : "Moved"} ${kilowatt(Math.abs(facts.held_back_W))} kW by ${reason(binding, facts.cause)}.`),
      p(binding.sentence), p(because(facts.cause)), h("p", {}, h("b", {}, "Do: "), remedy(binding, facts.cause)));
  } else if (facts.limits.low_W === 0 && facts.limits.high_W === 0 && facts.limits.high_reason) {
    const shown = facts.limits.high_reason, cause = facts.limits.high_cause;
    found.push(p(`No power is permitted: ${reason(shown, cause)}.`), p(shown.sentence), p(because(cause)),
      h("p", {}, h("b", {}, "Do: "), remedy(shown, cause)));
  } else found.push(p("Nothing holds it back."));
  const held = facts.range;
  if (held) found.push(p(`Load tracking follows ${scaled(held.share_permille, 10)} % of the swings of ${kilowatt(held.load_W)} kW in 5 s: range_5s_W_max is ${kilowatt(held.allowed_W)} kW.`));
  if (facts.without) found.push(p(`Without ${binding.label} the set-point would be ${directed(facts.without.setpoint_W)}.`));
  const duties = facts.obligations.standing.map((each) => {
    const own = [...new Set([each.low_reason, each.high_reason].filter((e) => e).map((e) => reason(e)))].join("; ");
    return step("obligation", `${own}, ${each.is_met ? "met" : "not met"}`, each.low_W, each.high_W, each.leaves_W,
      facts.obligations.acted && (each.low_reason || each.high_reason).code === facts.obligations.acted.code);
  });
  found.push(table("The chain from request to set-point", STEPS, [
    step("request", who.join(", ") || "nobody", null, null, facts.request_W),
    interval("caps", facts.caps),
    step("ramp", facts.ramp.acted ? reason(facts.ramp.acted) : "not acting", facts.ramp.low_W, facts.ramp.high_W, facts.ramp.leaves_W, facts.ramp.acted),
    ...duties, interval("limits", facts.limits)]));
  for (const unit of facts.units) {
    found.push(p(`Converter ${unit.unit}: sent ${kilowatt(unit.sent_W)}, read back ${kilowatt(unit.read_back_W)}, measured ${kilowatt(unit.measured_W)} kW.`, "words"));
  }
  return found;
}

const RACK = ["Rack", ">Charge %", ">Health %", ">Cell V", ">Spread mV", ">Cells \u00b0C", ">A", "Contactor", ">Age ms"];

function place(each, found) {
  const heat = each.temperature_ddegC, rises = each.rise_ddegC_per_min;
  const rows = found ? found.standing : [];
  const kind = !known(heat) ? " unknown" : rows.some((name) => /^(2[0-4]|53)/.test(name)) ? " hot" : rows.length ? " warm" : "";
  return h("li", { class: `rack${kind}` },
    h("b", {}, h("span", {}, `Rack ${each.rack}`), h("span", {}, known(heat) ? `${scaled(heat, 10)} \u00b0C` : "-")),
    known(heat) ? h("meter", { min: 0, max: 800, low: 450, high: 550, optimum: 250, value: heat, "aria-label": `Rack ${each.rack}: hottest module` }) : "",
    known(heat) ? `hottest: module ${each.module}, ${known(rises) ? `${rises > 0 ? "+" : ""}${scaled(rises, 10)} K/min` : "rate unknown"}` : "temperature not known",
    rows.length ? h("div", {}, `row ${rows.map((name) => name.split(".")[0]).join(", ")}`) : "");
}

export function racks(state) {
  if (!state) return [p("Not known.")];
  const found = [];
  if (state.map.plan) found.push(p(`${state.map.plan.name}; audit: ${state.map.plan.audit}.`, "words"));
  for (const each of state.map.places) {
    const at = known(each.x_mm) ? ` at ${scaled(each.x_mm, 1000)}, ${scaled(each.y_mm, 1000)} m` : "";
    if (!each.is_here) { found.push(p(`${upper(each.place)}${at}: of another cabinet, not known here.`, "words")); continue; }
    found.push(h("h3", {}, `${upper(each.place)}${at}${each.is_alarm ? ": ALARM" : ""}`),
      h("ul", { class: "map" }, each.each_rack.map((rack) => place(rack, state.racks[rack.rack - 1]))));
  }
  for (const each of state.map.unload) found.push(p(`Take power from ${each.place} first: it is next to ${each.next_to}.`));
  found.push(table("Racks", RACK, state.racks.map((each) => line([String(each.rack), scaled(each.soc_permille, 10), scaled(each.soh_permille, 10),
    `${scaled(each.cell_voltage_mV_min, 1000, 3)} .. ${scaled(each.cell_voltage_mV_max, 1000, 3)}`, scaled(each.spread_mV, 1, 0),
    `${scaled(each.temperature_ddegC_min, 10)} .. ${scaled(each.temperature_ddegC_max, 10)}`, scaled(each.rack_current_mA, 1000),
    known(each.contactor) ? each.contactor : "-", scaled(each.age_ms, 1, 0)], RACK))));
  return found;
}

const CONTACTS = {
  estop: "E-stop", fire_panel: "Fire panel", smoke: "Smoke", heat: "Heat", fire_trouble: "Fire trouble", suppression: "Suppression",
  gas_relay: "Gas relay", airflow: "Air", damper: "Damper", cell_voltage: "Cell relay", bms_fault: "BMS fault", cooling: "Cooling",
  coolant: "Coolant", leak: "Leak", supervised: "Panel line", key_run: "Key", door: "Door",
};

const chips = (pairs) => h("ul", { class: "chips" }, pairs.map(([name, value]) =>
  h("li", { class: value === "ok" ? false : /idle|not fitted/.test(value) ? "dull" : "bad" }, `${name}: ${value}`)));
const list = (values, unit) => values.map((each) => scaled(each, 1, 0)).join(" ") + ` ${unit}`;

export function site(state) {
  if (!state) return [p("Not known.")];
  const hints = state.hints.map((each) => p(`${hint(each)}.`));
  const heard = state.sources.length ? `none in force (${state.sources.length} sources)` : "no source is configured";
  if (state.schedule) hints.push(p(`Schedule of ${state.schedule.source}: ${state.schedule.state}` +
    `${state.schedule.slot ? `, slot ${state.schedule.slot} of ${state.schedule.count}` : ""}.`));
  for (const each of state.notices) hints.push(p(`${each.source}: ${each.notice === "step_W" ?
    `step of ${kilowatt(each.value)} kW in ${each.start_s} s` : `price is negative, ${each.left_s} s left`}.`));
  const gas = [];
  if (state.gas_lfl_permille.length) gas.push(["Gas", `${state.gas_lfl_permille.map((each) => scaled(each, 10)).join(" ")} % of the lower flammable limit`]);
  if (state.vapour_ppm.length) gas.push(["Vapour", list(state.vapour_ppm, "ppm")]);
  if (state.toxic_ppm.length) gas.push(["H2, CO", list(state.toxic_ppm, "ppm")]);
  const named = Object.entries(state.contacts).map(([name, value]) => [CONTACTS[name] || name, value]);
  const late = state.loop && state.loop.lateness_us;
  return [
    h("h3", {}, "Hints"), hints.length ? hints : p(`${upper(heard)}.`, "words"),
    h("h3", {}, "Links"), chips(Object.entries(state.links)),
    h("h3", {}, "Contacts"), chips(named.filter(([, value]) => value !== "ok")),
    p(`Ok: ${named.filter(([, value]) => value === "ok").map(([name]) => name).join(", ") || "none"}.`, "words"),
    facts([...gas,
      ["Proof tests", state.proof_tests && state.proof_tests.summary ? state.proof_tests.summary : "-"],
      ["Gas calibration", known(state.gas_calibration_d) ? `in ${state.gas_calibration_d} d` : "-"],
      ["Record", state.record ? `${state.record.events} events` : state.record_trouble || "no recorder"],
      ["Loop", late ? `${state.tick_ms} ms; 99 % at most ${late.p99} us late; ${state.loop.missed + state.loop.late} missed of ${state.loop.ticks}` : "-"]]),
  ].flat();
}

const SLOTS = ["From .. to", "Battery", ">Grid kW", ">Price", ">kWh then"];
const RESTS_W = 500;

const does = (slot) => !known(slot.battery_W) ? "-" : Math.abs(slot.battery_W) < RESTS_W ? "rest" : slot.battery_W > 0 ? "discharge" : "charge";
const mean = (slots, name) => {
  const found = slots.map((each) => each[name]).filter(known);
  return found.length ? found.reduce((sum, each) => sum + each, 0) / found.length : null;
};

const day = (at) => ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][new Date(`${at.slice(0, 10)}T00:00:00Z`).getUTCDay()];

// Consecutive slots in which the battery does one thing
function spans(slots) {
  const found = [];
  for (const slot of slots) {
    const last = found[found.length - 1];
    if (last && does(last[0]) === does(slot)) last.push(slot);
    else found.push([slot]);
  }
  return found;
}

function span(slots, next) {
  const first = slots[0], end = next ? next[0].at.slice(11, 16) : "";
  const power_W = mean(slots, "battery_W"), word = does(first);
  return line([`${day(first.at)} ${first.at.slice(11, 16)} .. ${end}`, word === "rest" || word === "-" ? word : `${word} ${kilowatt(Math.abs(power_W))} kW`,
    kilowatt(mean(slots, "grid_W")), scaled(mean(slots, "price_per_kWh"), 1, 3), scaled(slots[slots.length - 1].stored_Wh, 1000, 0)], SLOTS);
}

export function plan(facts) {
  if (!facts) return [p("Not known.")];
  const own = facts.plan;
  if (!own) return [p(`No plan: ${facts.trouble || "none is there"}.`, "words")];
  const found = [], every = spans(own.slots).slice(0, 13);
  const age = facts.age_s >= 0 ? `written ${duration(1000 * facts.age_s)} ago` : "its time is ahead of the clock of the box";
  if (facts.is_old) found.push(h("p", {}, h("b", {}, "Not of now: "), `${age}.`));
  for (const each of own.waits) found.push(h("p", {}, h("b", {}, "Waits: "), each));
  if (known(own.cap_W)) found.push(p(`Keeps the import at or below ${kilowatt(own.cap_W)} kW. Times of ${own.zone}, prices in ${own.currency} per kWh.`, "words"));
  found.push(table("Plan of the next hours", SLOTS, every.slice(0, 12).map((each, at) => span(each, every[at + 1]))));
  for (const each of own.doubts) found.push(h("p", { class: "words" }, h("b", {}, "Doubt: "), each));
  return found;
}

// The time of day first, because most events are of today
function when(text) {
  const [day, time] = (text || "").split(" ");
  return time ? h("span", {}, time, h("span", { class: "small" }, day)) : text;
}

export function events(facts) {
  if (!facts) return [p("Not known.")];
  const head = ["When", "What"];
  const shown = facts.events.slice(-30).reverse();
  return [shown.length ? table("Events, newest first", head, shown.map((each) => line(
    [when(each.utc_text) || `${duration(facts.uptime_ms - each.uptime_ms)} ago`, `${each.text}${each.scope && each.scope !== "cabinet" ? ` (${each.scope})` : ""}`], head))) :
    p("No event.", "words"), p(facts.source, "words")];
}
