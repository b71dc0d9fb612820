"""Cell voltages: rows 24 and 27 to 34; sensors of a module: row 45."""

from controller.rows.shapes import (
    BMS,
    BMS_TOOL,
    COMPUTED,
    EMPTY,
    FULL,
    MAKERS_TOOL,
    YEAR_D,
    YES_NO,
    Equipment,
    Feature,
    Interval,
    Row,
    Stage,
    Wired,
)

AFTER_10 = "75 s after the 10 s of the first stage"
MODULES = "modules are compared with each other"
PLUG = "Check the plug of that module's sensors."
OWN_SENSORS = "a BMS does not report how it handles its own faulty sensors"
BALANCED = "cells are compared with each other; a BMS only balances them, and slowly"
FEATURES = {
    "cell_voltage_drop_mV": Feature(
        "cell voltage lost in 2 s without a load step",
        BMS_TOOL,
        bms="bms_cells",
        roles=("bms",),
        sensor="BMS",
        window_ms=2000,
    ),
    "cell_voltage_mV_max": Feature(
        "highest cell", BMS_TOOL, bms="bms_cells", roles=("bms",), sensor="BMS"
    ),
    "cell_voltage_ok": Feature(
        "independent cell over-voltage relay open",
        "press the test of the over-voltage relay, or open its wire",
        equipment=("cell_voltage",),
        contacts=("cell_voltage_ok",),
    ),
    "cell_voltage_mV_min": Feature(
        "lowest cell", BMS_TOOL, bms="bms_cells", roles=("bms",), sensor="BMS"
    ),
    "cell_spread_mV": Feature(
        "highest minus lowest cell",
        BMS_TOOL,
        bms="bms_cells",
        compares="cells",
        roles=("bms",),
        sensor="BMS",
    ),
    "sensors_invalid_max": Feature(
        "invalid sensors of one module",
        "unplug two sensors of one module",
        bms="bms_sensors",
        roles=("bms",),
        sensor="BMS",
    ),
    "temperature_zeros": Feature(
        "a module reads exactly 0 degC, its neighbours differ",
        (
            "let the BMS report exactly 0 degC for one module while another is 10 K "
            f"away, {MAKERS_TOOL}; an unplugged sensor is invalid: stage 45a"
        ),
        shown=YES_NO,
        bms="bms_temperatures",
        compares="modules",
        roles=("bms",),
        sensor="cell temperature",
    ),
}
EQUIPMENT = {
    "cell_voltage": Equipment("independent cell over-voltage relay", inputs=("cell_voltage_ok",))
}
ROWS = (
    Row(
        24,
        what="cell voltage falls without a load step, together with another sign",
        basis="C29",
        confidence="G",
        name="cell voltage sag",
        sentence="A cell lost voltage without a load step, while gas or heat is reported.",
        remedy="Keep away. Call the fire service.",
        proof=COMPUTED,
        stages=(Stage("24", not_by_bms="a fall in voltage is watched together with other signs"),),
    ),
    Row(
        27,
        what="cell voltage high, charging tapers",
        basis="C1-C4",
        confidence="C",
        name="cell voltage high",
        sentence="A cell is near its upper voltage limit.",
        remedy="Nothing: charging is reduced.",
        proof=BMS,
        stages=(Stage("27", by_bms=FULL),),
    ),
    Row(
        28,
        what="cell over-voltage, charging inhibited",
        basis="C1",
        confidence="C",
        name="cell voltage at top",
        sentence="A cell is at its upper voltage limit; no charging.",
        remedy="Nothing. If the alarm comes back, balance the rack.",
        proof=BMS,
        stages=(Stage("28", by_bms=FULL),),
    ),
    Row(
        29,
        what="cell over-voltage trip",
        basis="C1-C3, C6",
        confidence="C",
        name="cell over voltage",
        sentence="A cell is above its upper voltage limit.",
        remedy="See page Racks. Remote reset when the voltage has come down.",
        proof=BMS,
        stages=(Stage("29", by_bms=FULL),),
    ),
    Row(
        30,
        what="independent hard-wired cell over-voltage",
        basis="C7, C9",
        confidence="C",
        name="cell over voltage, relay",
        sentence="The independent over-voltage relay has acted.",
        remedy="Inspect; reset with the key.",
        proof=Interval(
            YEAR_D, "independent relay and its wire: only a test shows that the relay opens", "D"
        ),
        wired=Wired(
            inject="trip the over-voltage relay by its test button, or open its wire",
            proof=Interval(YEAR_D, "hard wiring of the independent relay", "D"),
            proves="controller off: over-voltage relay",
            contact="cell_voltage",
        ),
    ),
    Row(
        31,
        what="cell under-voltage warning and discharge inhibit",
        basis="C1-C2",
        confidence="C",
        name="cell voltage low",
        sentence="A cell is near its lower voltage limit.",
        remedy="Nothing: discharging is reduced or stops.",
        proof=BMS,
        stages=(
            Stage(
                "31a",
                sentence="A cell is near its lower voltage limit.",
                by_bms=EMPTY,
                read_as={"IDC": "the table inhibits at the second voltage: stage 31b"},
            ),
            Stage(
                "31b",
                sentence="A cell is at its lower voltage limit; no discharging.",
                remedy="Nothing: charge the battery.",
                by_bms=EMPTY,
            ),
        ),
    ),
    Row(
        32,
        what="cell under-voltage trip",
        basis="C1",
        confidence="C",
        name="cell under voltage",
        sentence="A cell is below its lower voltage limit.",
        remedy="See page Racks. Remote reset, then charge with low power.",
        proof=BMS,
        stages=(Stage("32", by_bms=EMPTY),),
    ),
    Row(
        33,
        what="cell deeply discharged",
        basis="C2, C7",
        confidence="C",
        name="cell deep discharged",
        sentence="A cell is deeply discharged.",
        remedy="Do not charge. Inspect and replace the module.",
        proof=BMS,
        stages=(
            Stage(
                "33", by_bms=f"{EMPTY}; the BMS charges the cell again without asking for the key"
            ),
        ),
    ),
    Row(
        34,
        what="cell voltages of a rack too far apart",
        basis="C80",
        confidence="D",
        name="cell spread",
        sentence="The cells of a rack differ too much in voltage.",
        remedy="Balance the rack or replace the module.",
        proof=COMPUTED,
        proves="cell voltages of a rack too far apart: warning, ramp",
        stages=(
            Stage(
                "34a",
                sentence="The cells of a rack differ in voltage.",
                remedy="Plan to balance the rack.",
                not_by_bms=BALANCED,
            ),
            Stage(
                "34b",
                sentence="The cells of a rack differ much in voltage: half power, no charging.",
                not_by_bms=BALANCED,
            ),
            Stage(
                "34c",
                sentence="The cells of a rack differ too much in voltage; the rack stops.",
                proof=COMPUTED,
                proves="cell voltages of a rack too far apart: trip",
                not_by_bms=BALANCED,
            ),
        ),
    ),
    Row(
        45,
        what="sensors of a module invalid",
        basis="C7, C78, low authority",
        confidence="C2",
        name="sensors invalid",
        sentence="Several sensors of one module are invalid.",
        remedy="Check that module's measuring board.",
        proof=BMS,
        proves="sensors of a module invalid, or at 0: ramp",
        stages=(
            Stage(
                "45a",
                sentence="Two or more sensors of one module are invalid.",
                not_by_bms=OWN_SENSORS,
                read_as={"DC": "after 75 s: stage 45b"},
            ),
            Stage(
                "45b",
                sentence=(
                    "Two or more sensors of one module were invalid for a long time; the "
                    "rack is off."
                ),
                proof=BMS,
                proves="sensors of a module invalid: contactors open",
                not_by_bms=OWN_SENSORS,
                read_as={"debounce": AFTER_10},
            ),
            Stage(
                "45c",
                sentence="A module reads exactly 0 degC while its neighbours differ.",
                remedy=PLUG,
                not_by_bms=MODULES,
                read_as={"DC": "after 75 s: stage 45d"},
            ),
            Stage(
                "45d",
                sentence="A module has read exactly 0 degC for a long time; the rack is off.",
                remedy=PLUG,
                proof=BMS,
                proves="sensors of a module at 0: contactors open",
                not_by_bms=MODULES,
                read_as={"debounce": AFTER_10},
            ),
        ),
    ),
)
