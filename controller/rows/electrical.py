"""Current, insulation, pre-charge and contactors: rows 35 to 39."""

from controller.rows.shapes import (
    ABOVE_ZERO,
    BMS,
    BMS_TOOL,
    LONG_D,
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

RESISTOR = "insulation monitor: with a test resistor"
MARGIN = (
    "plus the larger of 2 A and 1 % of rated, which counts as no current: "
    "with a small limit this is looser than the row"
)
FEATURES = {
    "current_over_105_mA": Feature(
        "current above 1.05 x limit plus the larger of 2 A and 1 % of rated",
        BMS_TOOL,
        shown=ABOVE_ZERO,
        roles=("bms",),
        sensor="BMS",
    ),
    "current_over_110_mA": Feature(
        "current above 1.10 x limit plus the larger of 2 A and 1 % of rated",
        BMS_TOOL,
        shown=ABOVE_ZERO,
        roles=("bms",),
        sensor="BMS",
    ),
    "current_over_200_mA": Feature(
        "current above 2 x rated", BMS_TOOL, shown=ABOVE_ZERO, roles=("bms",), sensor="BMS"
    ),
    "insulation_ohm_per_V": Feature(
        (
            "insulation to earth divided by the rack's voltage: the higher of measured and nominal "
            "(3.7 V a cell)"
        ),
        (
            "open the contactors, then connect a test resistor from one pole to earth; this "
            "measures the time to the alarm, but not power at zero or opening contactors"
        ),
        bms="insulation",
        roles=("bms",),
        sensor="BMS",
    ),
    "closing_failures": Feature(
        "closings that failed in a row",
        "block the read-back of one permit relay and ask for a start, three times",
        roles=("bms",),
        sensor="BMS",
    ),
    "bus_mismatch_mV": Feature(
        "rack and DC bus voltage differ",
        (
            "with contactors closed, let converter or BMS report a DC voltage 30 V off, "
            f"{MAKERS_TOOL}; a pulled fuse does not trip the stage: only racks whose contactors "
            "are closed are compared"
        ),
        roles=("pcs",),
        sensor="PCS",
        read="read dc",
    ),
    "contactor_mismatch": Feature(
        "contactor not as commanded, welded, or current on an open string",
        "unplug a contactor's feedback",
        shown=YES_NO,
        roles=("bms",),
        sensor="BMS",
    ),
}
EQUIPMENT = {"insulation": Equipment("insulation monitor")}
ROWS = (
    Row(
        35,
        what="current above the limit",
        basis="C64",
        confidence="C",
        name="current over limit",
        sentence="The measured current is above the limit of the BMS.",
        remedy="Check current sensors and PCS. Remote reset.",
        proof=BMS,
        stages=(
            Stage(
                "35a",
                sentence="The measured current is 5 % above the limit of the BMS.",
                read_as={"cause": f"over 1.05x, {MARGIN}"},
            ),
            Stage(
                "35b",
                sentence="The measured current is 10 % above the limit of the BMS.",
                read_as={"cause": f"over 1.10x, {MARGIN}"},
            ),
        ),
    ),
    Row(
        36,
        what="current above twice the rating, or a short circuit",
        basis="C64-C65",
        confidence="C",
        name="short or twice the current",
        sentence="The current is above twice the rated current.",
        remedy="Inspect fuses and cables; reset with the key.",
        proof=BMS,
        wired=Wired(
            inject=(
                "trip the over-current relay by its test button, or open its wire, never "
                "by a current; the program waits for the fuse, the wiring does not: the "
                "contactor must be able to break the current at which the relay trips"
            ),
            proof=Interval(
                YEAR_D,
                "hard wiring of the over-current relay: only a test shows that the relay opens",
                "D",
            ),
            proves="controller off: over-current relay",
            is_by_b=False,
            instead=("dc_fuse", "not_wired_36"),
        ),
        stages=(
            Stage(
                "36",
                read_as={
                    "DC": (
                        "every row that opens waits for the fuse, so the wait is no effect of "
                        "this stage: see the effects that yield"
                    ),
                    "priority": (
                        "the program acts, and the rack's fuse by its data sheet (hma.dc_fuse) or "
                        "a relay (hma.hard_wired_rows), unless the analysis names the exception"
                    ),
                },
            ),
        ),
    ),
    Row(
        37,
        what="insulation low",
        basis="C61-C62",
        confidence="G",
        name="insulation",
        sentence="Insulation to earth is low.",
        remedy="Find the earth fault before touching anything.",
        proof=Interval(LONG_D, RESISTOR, "D"),
        proves="insulation low: warning",
        stages=(
            Stage("37a", sentence="Insulation to earth is low: no start."),
            Stage(
                "37b",
                sentence="Insulation to earth is very low.",
                remedy=(
                    "Keep off. Find the earth fault before touching anything; reset with the key."
                ),
                proof=Interval(LONG_D, RESISTOR, "D"),
                proves="insulation low: trip",
            ),
        ),
    ),
    Row(
        38,
        what="pre-charge failed three times, or rack and bus voltage differ",
        basis="C67, C69",
        confidence="C",
        name="pre-charge",
        sentence="Pre-charge has failed.",
        remedy="Check the pre-charge resistor and the contactor. Check the bus for a load.",
        proof=Interval(
            LONG_D, "pre-charge: every start runs it, but no start shows its failure", "D"
        ),
        proves="pre-charge failed three times",
        stages=(
            Stage(
                "38a",
                sentence="Closing has failed three times.",
                read_as={
                    "debounce": (
                        "three tries have taken their time; the 5 s belong to the two voltages, 38b"
                    )
                },
            ),
            Stage(
                "38b",
                sentence="The voltages of the racks and of the DC bus differ.",
                remedy=(
                    "Check the DC fuses and the voltage that the converter and the racks report."
                ),
                proof=Interval(
                    LONG_D, "voltages of racks and bus: no other row compares them", "D"
                ),
                proves="rack and bus voltage differ",
                is_added=True,
            ),
        ),
    ),
    Row(
        39,
        what="contactor not as commanded, welded, or current on an open string",
        basis="C70-C72",
        confidence="C",
        name="contactor",
        sentence="A contactor does not follow its command.",
        remedy="Do not touch. Check whether the contactor has welded; reset with the key.",
        proof=Interval(
            LONG_D,
            "feedback contacts: starts and stops move them, but do not show a stuck contact",
            "D",
        ),
    ),
)
