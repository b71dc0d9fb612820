// Numbers and sentences. An unknown value is "-"; it is never 0 and never the last value.

const ANY_W = 2 ** 30 - 1; // larger than any limit

export const known = (value) => value !== null && value !== undefined;

export function scaled(value, divisor, digits = 1) {
  return known(value) ? (value / divisor).toFixed(digits) : "-";
}

export function kilowatt(power_W) {
  if (!known(power_W)) return "-";
  if (Math.abs(power_W) >= ANY_W) return "any";
  return (Math.abs(power_W) < 50 ? 0 : power_W / 1000).toFixed(1);
}

export function directed(power_W, gives = "discharge", takes = "charge") {
  if (!known(power_W)) return "-";
  if (Math.abs(power_W) < 50) return "0.0 kW";
  return `${power_W > 0 ? gives : takes} ${kilowatt(Math.abs(power_W))} kW`;
}

export function range(low_W, high_W) {
  if (!known(low_W) && !known(high_W)) return "-";
  if (known(low_W) && known(high_W) && Math.max(Math.abs(low_W), Math.abs(high_W)) < 50) return "0.0 kW";
  return `${directed(low_W)} .. ${directed(high_W)}`;
}

export function duration(time_ms) {
  if (!known(time_ms)) return "-";
  const s = Math.floor(time_ms / 1000);
  if (time_ms < 10000) return `${(time_ms / 1000).toFixed(1)} s`;
  if (s < 120) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 120) return `${min} min`;
  if (min < 2880) return `${Math.floor(min / 60)} h ${min % 60} min`;
  return `${Math.floor(min / 1440)} d ${Math.floor(min / 60) % 24} h`;
}

export function upper(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

const QUANTITIES = {
  charge_W_max: "charge at most", discharge_W_max: "discharge at most", power_W: "power",
  import_W_max: "import at most", export_W_max: "export at most",
};

export function hint(each) {
  const left = each.state === "valid" ? `${each.valid_s} s left` : each.state === "resting" ?
    "paused by its energy quota" : "its fallback, because no valid hint is there";
  const value = `${each.source}: ${QUANTITIES[each.quantity] || each.quantity} ${kilowatt(each.value_W)} kW, ${left}`;
  if (each.state !== "valid") return value;
  return value + (known(each.fallback_W) ? `, then fallback ${kilowatt(each.fallback_W)} kW` : ", then nothing");
}

export function reason(found, cause) {
  if (!found) return "nothing";
  const rack = cause && known(cause.rack) ? `, rack ${cause.rack}` : "";
  return `${found.label} ${found.name}${rack}`;
}

const percent = (permille) => known(permille) ? `${(permille / 10).toFixed(1)} %` : "unknown";
const cell = (found) => found ? ` Cell rack ${found.rack} module ${found.module} cell ${found.cell}: ` +
  `${scaled(found.voltage_mV, 1000, 3)} V, spread ${scaled(found.spread_mV, 1, 0)} mV.` : "";
const left = (cause) => `${percent(cause.left_permille)} is left.`;
const rated = (cause) => `${kilowatt(cause.limit_W)} kW is set for all converters together.`;
const rows = (cause) => cause.rows.length ?
  `${cause.rows.slice(0, 3).map((each) => `Row ${each.stage} ${each.name} (${each.scope})`).join(", ")}.` :
  `A controlled stop: the cabinet is ${cause.state}.`;
const CAUSES = {
  pcs_rated: rated, test: rated, installer: rated,
  bms_current: (c) => `Rack ${c.rack} ${c.is_rating ? "is rated" : "allows"} ${scaled(c.rack_current_mA, 1000)} A; ` +
    `with ${c.racks_online} racks in parallel at ${c.voltage_V} V this is ${kilowatt(c.limit_W)} kW.${cell(c.cell)}`,
  cell_voltage_taper: (c) => `Full power up to ${scaled(c.full_at_mV, 1000, 3)} V, none at ` +
    `${scaled(c.none_at_mV, 1000, 3)} V; ${left(c)}${cell(c.cell)}`,
  temperature_taper: (c) => `Rack ${c.rack}, ${c.is_cold ? "coldest" : "hottest"} module ` +
    `${scaled(c.module_ddegC, 10)} \u00b0C: full power to ${scaled(c.full_at_ddegC, 10)}, none at ` +
    `${scaled(c.none_at_ddegC, 10)} \u00b0C; ${left(c)}`,
  soc_taper: (c) => `The charge of rack ${c.rack} is ${percent(c.soc_permille)}: full power to ` +
    `${percent(c.full_at_permille)}, none at ${percent(c.none_at_permille)}; ${left(c)}`,
  bms_silence: (c) => `The BMS of rack ${c.rack} was last heard ${duration(c.age_ms)} ago; ${left(c)}`,
  derate: rows, inhibit: rows, ramp_to_zero: rows, stop: rows,
  permit: (c) => `The cabinet is ${c.state}${c.waits_for ? `: ${c.waits_for.label} ${c.waits_for.sentence}` : "."}`,
  reserve: (c) => known(c.soc_permille) ? `Rack ${c.rack} is lowest with ${percent(c.soc_permille)}. The reserve is ` +
    `${percent(c.reserve_permille)}, kept for ${c.level}.` : "A charge is unknown, so the reserve counts as reached.",
  connection: (c) => `With the battery at 0 the grid would carry ${kilowatt(c.connection_W)} kW; allowed are ` +
    `${kilowatt(c.grid_import_W_max)} in and ${kilowatt(c.grid_export_W_max)} out.`,
  peak: (c) => `${scaled(c.used_Wh, 1000)} of ${scaled(c.all_Wh, 1000)} kWh of this metering interval are ` +
    `imported; ${c.left_s} s are left.`,
  ramp: (c) => `The set-point moves by ${kilowatt(c.W_per_s)} kW each second.`,
  hint: (c) => c.hints.map((each) => `${hint(each)}.`).join(" "),
  schedule: (c) => c.slot ? `Slot ${c.slot} of ${c.count} of the schedule of ${c.source}.` : "",
};

// The numbers behind a reason, as a sentence; "" without numbers.
export function because(cause) {
  if (!cause || !CAUSES[cause.kind]) return "";
  const own = !known(cause.rack) && known(cause.unit) ?
    `No rack is connected to the DC bus of converter ${cause.unit}.` : CAUSES[cause.kind](cause);
  return cause.recovering ? `${own} It rises again by itself.` : own;
}

export function remedy(found, cause) {
  if (cause && cause.recovering) return "Nothing: the limit rises by itself.";
  if (cause && cause.rows && cause.rows.length) return `Row ${cause.rows[0].stage}: ${cause.rows[0].remedy}`;
  return found.remedy;
}

const STANDBY = {
  "test": "the test is over", "lock-out": "a lock-out has ended", "unknown": "the store may lack a stop",
  "row": "a row stopped it", "restart": "the controller has restarted", "store": "the store keeps failing",
  "sign test": "a sign test was due",
};

// The condition for which a start waits; "" while the cabinet runs or stops.
export function start(found) {
  const list = found.checklist ? `Checklist ${found.checklist.done} of ${found.checklist.total}. ` : "";
  if (found.waits_for) {
    return `${list}Waits for ${found.waits_for.label} ${found.waits_for.name}: ${found.waits_for.sentence} ${found.waits_for.remedy}`;
  }
  if (found.rests) return `${list}Standby: ${STANDBY[found.rests.why] || "a person stopped it"}. Start it: firebreak start.`;
  return "";
}
