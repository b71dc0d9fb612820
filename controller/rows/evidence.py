"""Evidence that stands still or contradicts itself.

Values of a BMS (row 54), currents of racks and converter (55), power and set-point of a converter
(56), the grid connection (57).
"""

from controller.rows.shapes import ABOVE_ZERO, BY_LEVEL, COMPUTED, ON_RIG, Feature, Row, Stage

_GRID: dict = {"roles": ("meter_grid", "pcs"), "window_ms": 2500}
FEATURES = {
    "bms_still_ms": Feature(
        (
            "values of a closed rack stand still: its pack's although the converter's current "
            "moves by 5 %, or its cells' although the pack's does; or the pack's voltage lies "
            "outside of its cells' by 40 mV a cell"
        ),
        ON_RIG,
        roles=("bms", "pcs"),
        silence=BY_LEVEL,
    ),
    "currents_apart_dA": Feature(
        (
            "currents of the racks and of the converter apart: their means over 2 s, beyond the "
            "largest of 5 % of rated, 10 A and the stated sensor errors, and what the BMS tells "
            "later"
        ),
        ON_RIG,
        shown=ABOVE_ZERO,
        roles=("bms", "pcs"),
        sensor="BMS",
        window_ms=4500,
    ),
    "pcs_beyond_permille": Feature(
        (
            "power of the wrong sign or above the set-point that was sent: means over 2 s, less "
            "what dead time and ramp explain, in parts of rated power"
        ),
        ON_RIG,
        roles=("pcs",),
        sensor="PCS",
        read="read ac",
        window_ms=4500,
    ),
    "pcs_short_permille": Feature(
        "power below the set-point that was sent, in the same way",
        ON_RIG,
        roles=("pcs",),
        sensor="PCS",
        read="read ac",
        window_ms=4500,
    ),
    "grid_over_permille": Feature(
        "grid power above what the connection may carry: mean over 2 s, in parts of the connection",
        ON_RIG,
        **_GRID,
    ),
    "grid_over_by_charging_permille": Feature(
        "as above, import or export, as far as the battery charges", ON_RIG, **_GRID
    ),
    "grid_export_by_battery_permille": Feature(
        "as above, as far as it is the battery that discharges into the grid", ON_RIG, **_GRID
    ),
}
ROWS = (
    Row(
        54,
        what="values of a BMS frozen or contradictory (project: evidence must change)",
        basis="design",
        confidence="D",
        name="BMS values frozen",
        sentence="A BMS repeats values although the current moves, or its values contradict.",
        remedy="Trust none of its cells and temperatures. Restart the BMS or replace it.",
        proof=COMPUTED,
        stages=(Stage("54", set_from="bms_still_ms"),),
    ),
    Row(
        55,
        what="currents of racks and converter contradict (project: two sources must agree)",
        basis="design",
        confidence="D",
        name="currents contradict",
        sentence="The racks and the converter tell different currents.",
        remedy="Measure the DC current with a clamp; replace the sensor that is wrong.",
        proof=COMPUTED,
    ),
    Row(
        56,
        what="converter does not do what it was sent (project)",
        basis="design",
        confidence="D",
        name="PCS disobeys",
        sentence="A power converter does not follow its set-point.",
        remedy="Compare its display with the meter; check its settings. Remote reset.",
        proof=COMPUTED,
        stages=(
            Stage(
                "56a",
                sentence="A power converter gives more than it was sent, or the other way round.",
            ),
            Stage(
                "56b",
                sentence="A power converter gives less than it was sent.",
                remedy="It may limit itself: look at its display, its air and its temperature.",
            ),
        ),
    ),
    Row(
        57,
        what="grid connection beyond its limits (project: the obligation is watched at the meter)",
        basis="design",
        confidence="D",
        name="grid connection over limit",
        sentence="The grid connection carries more than it may.",
        remedy="Shed load, or other generation: page Why says how many kW.",
        proof=COMPUTED,
        stages=(
            Stage("57a", proof=COMPUTED, proves="grid connection over limit, told"),
            Stage(
                "57b",
                sentence="The battery charges although the connection carries more than it may.",
                remedy="Compare the grid meter and its transformers with a clamp. Remote reset.",
            ),
            Stage(
                "57c",
                sentence="The battery discharges although the connection exports more than it may.",
                remedy="Compare the grid meter with the display of the converter. Remote reset.",
            ),
        ),
    ),
)
