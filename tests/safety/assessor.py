"""The tables of safety/README.md, made from the matrix. `python tests/safety/assessor.py` writes them into the page.

Times are those of the commissioning checklist (controller/time_chain.py) for the example site: (c) computed from its
configuration, or (a) assumed until somebody measures it on the real equipment.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from controller import bus_times, config, time_chain  # noqa: E402  (the page is written without an installed package)
from safety import matrix as m  # noqa: E402
from tests import generated_page  # noqa: E402

PAGE = ROOT / "safety" / "README.md"
RESET = ("self", "remote", "key")
FEATURES = {
    "estop_1_ok": "E-stop contact 1 open", "estop_2_ok": "E-stop contact 2 open",
    "estop_discrepancy": "E-stop contacts disagree", "fire_alarm_ok": "fire alarm relay open",
    "suppression_ok": "agent release switch open", "gas_relay_ok": "25 % LFL relay open",
    "gas_lfl_permille_max": "gas, highest detector", "gas_detectors_faulty": "detectors with a fault",
    "gas_detectors_silent": "detectors silent", "gas_calibration_d_min": "days to calibration",
    "gas_detectors_lost": "no detector left", "airflow_missing": "fan on, no airflow", "io_silence_ms": "I/O silent",
    "meter_silence_ms": "meter silent", "meter_frozen_ms": "meter's words frozen",
    "image_changed": "limit image changed", "step_late_ms": "step late", "boot_not_clean": "last run not ended cleanly",
    "boot_store_unreadable": "store unreadable", "bms_fault_ok": "BMS fault contact open",
    "pcs_silence_level": "PCS silent",
    "pcs_excess_W": "power beyond the limit and 2 % of rated, at least 2 kW",
    "cell_voltage_mV_max": "highest cell", "cell_voltage_mV_min": "lowest cell",
    "temperature_ddegC_max": "hottest module", "temperature_over_median_ddegC": "hottest module over median",
    "current_over_105_mA": "current beyond 1.05 x limit and the larger of 2 A and 1 % of rated",
    "current_over_110_mA": "current beyond 1.10 x limit and the larger of 2 A and 1 % of rated",
    "bms_silence_level": "BMS silent", "bms_bad_frames_recent": "bad frames (1 a second forgotten)",
    "fire_detectors": "smoke detectors, and heat beside smoke",
    "fire_trouble_ok": "fire panel or suppression in trouble",
    "offgas_ppm_max": "vapour, highest sensor", "offgas_ppm_second": "vapour, second sensor too",
    "toxic_ppm": "H2 or CO", "toxic_rise_ppm": "H2 or CO, rise over 10 s", "damper_missing": "fan on, damper not open",
    "hvac_ok": "cooling failed", "air_temperature_ddegC": "cabinet air",
    "cell_voltage_ok": "hard-wired over-voltage open",
    "closing_failures": "closings failed in a row", "leak_ok": "leak or water",
    "coolant_ok": "coolant flow or pressure low",
    "humidity_permille": "humidity", "mains_ok": "on UPS", "ups_reserve_min": "UPS reserve",
    "self_test_bits": "program, memory or clock test failed", "cpu_temperature_ddegC": "processor",
    "noc_lost_s": "no path to the operations centre", "noc_unverified": "path to the operations centre never seen",
    "key_run_ok": "key out of RUN", "door_ok": "door open", "peer_code": "second channel silent or disagrees",
    "monitor_silence_ms": "climate or UPS monitor silent", "bus_mismatch_mV": "rack and bus voltage apart",
    "cell_spread_mV": "cells apart", "cell_voltage_drop_mV": "lowest cell falls within 2 s without a load step",
    "temperature_ddegC_min": "coldest module", "temperature_spread_ddegC": "modules apart",
    "temperature_rise_3s_ddegC": "a module rises within 3 s",
    "temperature_rise_10s_ddegC": "a module rises within 10 s",
    "temperature_unexplained_ddegC": "a module rises within 30 s more than its current explains",
    "temperature_zeros": "modules that read exactly 0", "sensors_invalid_max": "invalid sensors of a module",
    "current_over_200_mA": "current beyond 2 x rated", "insulation_ohm_per_V": "insulation",
    "runaway_suspicion_pct": "two weak signs of runaway together",
    "contactor_mismatch": "told to open and still closed, or current on an open rack",
}
GATES = {"charging": "charging", "temperature_rising": "rising", "gas_or_smoke_alert": "gas or smoke alert stands",
         "heating_alert": "row 22 or 23 stands", "on_ups": "on UPS", "energised": "energised",
         "gas_alert": "a gas alarm stands", "runaway_hint": "one of rows 7 to 23 stands", "any_sign": ""}
YES_OR_NO = ("estop_discrepancy", "airflow_missing", "damper_missing", "image_changed", "gas_detectors_lost",
             "boot_not_clean", "boot_store_unreadable", "self_test_bits", "noc_unverified", "contactor_mismatch",
             "peer_code")
LEVELS_MS = {"bms_silence_level": (0, 500, 1000, 3000), "pcs_silence_level": (0, 2000, 3000, 5000)}
UNITS = (("_mV_max", 1000, "V"), ("_mV_min", 1000, "V"), ("_mV", 1000, "V"), ("_ddegC_max", 10, "degC"),
         ("_ddegC_min", 10, "degC"), ("air_temperature_ddegC", 10, "degC"), ("cpu_temperature_ddegC", 10, "degC"),
         ("_ddegC", 10, "K"), ("_permille_max", 10, "% LFL"), ("humidity_permille", 10, "%"), ("_ms", 1000, "s"),
         ("_mA", 1000, "A"), ("_d_min", 1, "d"), ("_W", 1, "W"), ("_ppm", 1, "ppm"), ("_ppm_max", 1, "ppm"),
         ("_ppm_second", 1, "ppm"), ("reserve_min", 1, "min"), ("_lost_s", 1, "s"), ("_pct", 1, "%"),
         ("_ohm_per_V", 1, "ohm/V"))
EFFECTS = ((m.D_PCS, ("", "PCS ramp", "PCS stop")),
           (m.D_DC, ("", "no closing", "open at zero", "open", "open only at zero")),
           (m.D_FAN, ("", "fan")), (m.D_HORN, ("", "horn")), (m.D_RED_LAMP, ("", "red lamp")), (m.D_LAMP, ("", "lamp")),
           (m.D_CHARGE_INHIBIT, ("", "no charging", "no charging")),
           (m.D_DISCHARGE_INHIBIT, ("", "no discharging", "no discharging")),
           (m.D_MAINTENANCE, ("", "maintenance")), (m.D_OPERATOR, ("", "operator")), (m.D_FACU, ("", "fire panel")),
           (m.D_PRE_ALARM, ("", "pre-alarm")), (m.D_SHUNT_TRIP, ("", "upstream shunt trip")),
           (m.D_AUX_SHED, ("", "auxiliary loads off")))


def feature_name(stage, index=m.S_FEATURE):
    """Name of the stage's feature or gate."""
    return m.FEATURES[stage[m.S_SCOPE]][stage[index]]


def plain(number):
    """A number without a useless fraction."""
    return f"{number:g}"


def level(stage, index):
    """Threshold or clear value in the unit a person thinks in; empty for contacts and yes-or-no features."""
    name, value = feature_name(stage), stage[index]
    if name in LEVELS_MS:
        return f"{plain(LEVELS_MS[name][value] / 1000)} s"
    if name.endswith("_ok") or name in YES_OR_NO:
        return ""
    for ending, divisor, unit in UNITS:
        if name.endswith(ending):
            return f"{plain(value / divisor)} {unit}"
    return plain(value)


def trips(stage):
    """At what value."""
    sign, value = ">=" if stage[m.S_SENSE] > 0 else "<=", level(stage, m.S_SET)
    if feature_name(stage) in ("pcs_excess_W", "current_over_105_mA", "current_over_110_mA", "current_over_200_mA"):
        return "> 0"
    return f"{sign} {value}" if value else ""


def after(duration_ms):
    """A debounce."""
    return f"{plain(duration_ms / 1000)} s" if duration_ms else "at once"


def effects(stage):
    """What the stage demands, in words."""
    demand = stage[m.S_DEMAND]
    words = [names[demand[index]] for index, names in EFFECTS if demand[index]]
    for index, what in ((m.D_CHARGE_DERATE_PCT, "charging"), (m.D_DISCHARGE_DERATE_PCT, "discharging")):
        if demand[index]:
            words.append(f"{what} at most {100 - demand[index]} %")
    return ", ".join(words)


def ordered():
    """Stages by row number, then by letter."""
    return sorted(m.STAGES, key=lambda stage: (stage[m.S_ROW], stage[m.S_ID]))


def basis(row):
    """Keys of the fact table and its confidence; unconfirmed ones carry a question mark."""
    _, keys, confidence = m.CLAUSES[row]
    return keys, "G (?)" if confidence == "G" else confidence


def stage_table():
    """One line a stage: everything in it comes from matrix.STAGES and matrix.CLAUSES."""
    lines = ["| stage | cause | trips at | after | clear at | for | reset | effects | basis |",
             "|---|---|---|---|---|---|---|---|---|"]
    for stage in ordered():
        cause = FEATURES[feature_name(stage)]
        if stage[m.S_GATE] != m.NO_GATE:
            cause += ", while " + GATES[feature_name(stage, m.S_GATE)]
        keys, confidence = basis(stage[m.S_ROW])
        lines.append(f"| {stage[m.S_ID]} | {cause} | {trips(stage)} | {after(stage[m.S_SET_MS])} | "
                     f"{level(stage, m.S_CLEAR) if trips(stage) != '> 0' else '0'} | {after(stage[m.S_CLEAR_MS])} | "
                     f"{RESET[stage[m.S_LATCH]]} | {effects(stage)} | {keys}; {confidence} |")
    return "\n".join(lines)


def row_table():
    """One line a row: what it is."""
    lines = ["| row | what it is | basis | confidence |", "|---|---|---|---|"]
    for row in sorted(m.CLAUSES):
        keys, confidence = basis(row)
        lines.append(f"| {row} | {m.CLAUSES[row][0]} | {keys} | {confidence} |")
    return "\n".join(lines)


OWN = ("silence", "window", "report", "gate", "self-test", "link", "debounce")  # parts that the row itself waits for


def site():
    """(configuration, its bus schedule) of the example site."""
    found = config.load(str(ROOT / "controller" / "sites" / "example" / "cabinet.toml"))
    return found, bus_times.schedule(found)


def seconds(duration_ms):
    """Milliseconds as seconds."""
    return f"{duration_ms / 1000:.2f}"


def time_table():
    """One line a stage that takes power away: the chain in seconds, to the end of power and to open contactors."""
    found, schedule = site()
    lines = ["| stage | sensor | bus | debounce | tick | decided | power zero | contactors open |",
             "|---|---|---|---|---|---|---|---|"]
    for stage in ordered():
        if stage[m.S_DEMAND][m.D_PCS] and not feature_name(stage).startswith("boot_"):
            lines.append(f"| {stage[m.S_ID]} | {' | '.join(time_cells(found, schedule, stage))} |")
    return "\n".join(lines)


def time_cells(found, schedule, stage):
    """(sensor, bus, debounce, tick, decided, power zero, contactors open) of a stage, in seconds."""
    parts = time_chain.decision(found, schedule, stage)
    times_ms = {part.what: part.time_ms for part in parts}
    sensor_ms = times_ms.get("contact", 0) + times_ms.get("sensor", 0)
    own_ms = sum([times_ms.get(what, 0) for what in OWN])
    decided_ms = sum(times_ms.values())
    zero_ms = sum([part.time_ms for part in time_chain.chain(found, schedule, stage)])
    opened_ms = time_chain.opened_ms(found, schedule, stage)
    waits = "at zero current" if stage[m.S_DEMAND][m.D_DC] == m.DC_OPEN_ONLY_AT_ZERO else "-"
    return [*[seconds(each) for each in (sensor_ms, times_ms.get("bus", 0), own_ms, times_ms["tick"], decided_ms,
                                         zero_ms)], waits if opened_ms is None else seconds(opened_ms)]


def sources_table():
    """What the chain assumes, and what it computes for every row alike."""
    found, schedule = site()
    lines = ["| part | time | kind |", "|---|---|---|"]
    lines += [f"| {what} | {plain(duration_ms / 1000)} s | a: {why} |" for what, duration_ms, why in time_chain.ASSUMED]
    images = [part.time_ms for stage in m.STAGES if feature_name(stage) == "image_changed"
              for part in time_chain.decision(found, schedule, stage) if part.what == "silence"]
    lines.append(f"| limit image, {time_chain.SCANS} scans of {len(found.safety_image)} words | {images[0]} ms | "
                 f"c: {found.racks} racks |")
    write_ms = time_chain.write_ms(found, schedule, ("pcs_enable_ok",))
    lines.append(f"| I/O write, in flight and frame | {write_ms} ms | c: of the PCS enable |")
    return "\n".join(lines)


TABLES = {"stages": stage_table, "rows": row_table, "sources": sources_table, "times": time_table}
PROGRAM = "tests/safety/assessor.py"


if __name__ == "__main__":
    generated_page.write(PAGE, TABLES, PROGRAM)
