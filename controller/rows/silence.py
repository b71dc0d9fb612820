"""What does not answer, answers wrong, or says that it has failed: BMS, PCS, I/O modules, meters,
monitors (rows 40, 41, 49, 50, 52, 59).
"""

from controller.rows.shapes import (
    ABOVE_ZERO,
    BMS,
    BMS_TOOL,
    BY_LEVEL,
    CHECK_RTU,
    COMPUTED,
    CONTACT,
    MAKERS_TOOL,
    ON_RIG,
    OPEN_WIRE,
    SILENCE,
    Equipment,
    Feature,
    Row,
    Stage,
)

LADDER = (
    "the table opens at the last of the three times, which is 41c (silence ladder of the design)"
)
RATE = (
    "a bad frame is not used: where too few good ones come the values grow "
    "old, and 40a to 40c do this; while enough come nothing is stopped for "
    "the rate alone"
)
FEATURES = {
    "bms_silence_level": Feature(
        "BMS silent or its counter frozen",
        "unplug the CAN cable of one rack",
        ladder=("bms_warn_ms", "bms_ramp_ms", "bms_stop_ms"),
    ),
    "bms_bad_frames_recent": Feature(
        "bad frames, one a second forgotten",
        "take one CAN terminator off",
        roles=("bms",),
        sensor="BMS",
    ),
    "bms_fault_ok": Feature(
        "fault contact of the BMS open",
        OPEN_WIRE,
        equipment=("bms_fault",),
        contacts=("bms_fault_ok",),
    ),
    "pcs_silence_level": Feature(
        "PCS silent",
        "unplug the converter's bus cable",
        ladder=("pcs_ramp_ms", "pcs_stop_ms", "pcs_open_ms"),
    ),
    "pcs_excess_W": Feature(
        "power beyond the limit and 2 % of rated, at least 2 kW",
        ON_RIG,
        shown=ABOVE_ZERO,
        roles=("pcs",),
        sensor="PCS",
        read="read ac",
    ),
    "bms_fault_level": Feature(
        "bits of the BMS, by its profile: 1 a warning or an unknown bit, 2 a fault",
        BMS_TOOL,
        roles=("bms",),
        sensor="BMS",
    ),
    "pcs_fault_level": Feature(
        "alarm bits of the PCS, by its profile: 1 a warning or an unknown bit, 2 a fault",
        MAKERS_TOOL,
        roles=("pcs",),
        sensor="PCS",
        read="read ac",
    ),
    "io_silence_ms": Feature("I/O module silent", "unplug a module's bus cable", silence=BY_LEVEL),
    "meter_silence_ms": Feature("meter silent", "unplug the meter's bus cable", silence=BY_LEVEL),
    "meter_sign": Feature("which way round the grid meter is", ON_RIG, roles=("meter_grid", "pcs")),
    "meter_frozen_ms": Feature(
        "words of a meter frozen", ON_RIG, roles=("meter_grid", "meter_load"), silence=BY_LEVEL
    ),
    "monitor_silence_ms": Feature(
        "climate or UPS monitor silent",
        "unplug the bus cable of climate or UPS monitor",
        one_of=("climate", "ups"),
        silence=BY_LEVEL,
    ),
}
EQUIPMENT = {"bms_fault": Equipment("fault contact of the BMS", inputs=("bms_fault_ok",))}
ROWS = (
    Row(
        40,
        what="BMS silent, its counter frozen, many bad frames, or its fault contact open",
        basis="C74-C76, A61",
        confidence="C",
        name="BMS silent",
        sentence="A BMS is late, silent, or repeats itself.",
        remedy="Check its CAN plug, terminator and supply.",
        proof=SILENCE,
        proves="BMS silent: ramp, stop",
        stages=(
            Stage("40a", sentence="A BMS is late.", proof=SILENCE, proves="BMS silent: warning"),
            Stage("40b", sentence="A BMS is silent, or its counter stops; power goes to zero."),
            Stage(
                "40c",
                sentence="A BMS is silent, or its counter stops; its racks are off.",
                read_as={"ALM": "the responder light is red on loss of data (A51)"},
            ),
            Stage(
                "40d",
                sentence="Many frames of a BMS arrive broken.",
                remedy="Check its CAN plug, shield and terminators.",
                proof=SILENCE,
                proves="many bad frames of the BMS",
                is_ours=True,
                read_as={
                    "latch": "nothing is stopped, so nothing is latched",
                    "PCS": RATE,
                    "DC": RATE,
                    "ALM": "lamp alone, as the row's first stage",
                    "ICH": RATE,
                    "IDC": RATE,
                },
            ),
            Stage(
                "40e",
                sentence="The fault contact of the BMS is open.",
                remedy="See what the BMS says of itself. Remote reset.",
                proof=CONTACT,
                proves="fault contact of the BMS open",
                is_ours=True,
                read_as={
                    "debounce": (
                        "the row has times of silence only; 0.1 s against a contact that bounces"
                    )
                },
            ),
        ),
    ),
    Row(
        41,
        what="PCS silent, or its power above the limit",
        basis="C66, C79",
        confidence="D",
        name="PCS silent or over limit",
        sentence="A power converter is silent, or gives more than its limit.",
        remedy="Check its RS-485 pair and supply; compare its display with the meter.",
        proof=SILENCE,
        stages=(
            Stage(
                "41a",
                sentence="A power converter is silent; power goes to zero.",
                read_as={"DC": LADDER},
            ),
            Stage(
                "41b",
                sentence="A power converter is silent; it is stopped by its enable contact.",
                read_as={"DC": LADDER},
            ),
            Stage("41c", sentence="A power converter is silent; the contactors open."),
            Stage(
                "41d",
                sentence="A power converter gives more than its limit.",
                remedy="Compare its display with the meter; check its settings. Remote reset.",
            ),
        ),
    ),
    Row(
        49,
        what="I/O module silent (project: the silence ladder)",
        basis="design",
        confidence="D",
        name="I/O module silent",
        sentence="An I/O module is silent; its outputs have dropped by themselves.",
        remedy="Check its supply, address and RS-485 pair. Remote reset.",
        proof=SILENCE,
        stages=(Stage("49", set_from="io_silent_ms"),),
    ),
    Row(
        50,
        what="meter silent, frozen or not proven (project: the silence ladder)",
        basis="design",
        confidence="D",
        name="meter silent or frozen",
        sentence="A meter is silent, frozen or not proven; charging is forbidden.",
        remedy=CHECK_RTU,
        proof=SILENCE,
        proves="meter silent",
        stages=(
            Stage(
                "50a",
                sentence="A meter is silent; charging is forbidden.",
                set_from="meter_silent_ms",
            ),
            Stage(
                "50b",
                sentence="A meter repeats itself; charging is forbidden.",
                proof=SILENCE,
                proves="meter frozen",
                set_from="meter_frozen_ms",
            ),
            Stage(
                "50c",
                sentence="The grid meter is not proven; charging is forbidden.",
                remedy=(
                    "The load hid the code, or the meter looked reversed. It is tested again "
                    "within 15 min; look at its transformers."
                ),
                proof=COMPUTED,
                proves="grid meter not proven",
            ),
            Stage(
                "50d",
                sentence="The grid meter is reversed; charging is forbidden.",
                remedy="Turn its current transformers round, start anew; then a remote reset.",
                proof=COMPUTED,
                proves="grid meter reversed",
            ),
        ),
    ),
    Row(
        52,
        what="climate or UPS monitor silent (project: the silence ladder)",
        basis="design",
        confidence="D",
        name="monitor silent",
        sentence="The climate or UPS monitor is silent; no start.",
        remedy=CHECK_RTU,
        proof=SILENCE,
        stages=(Stage("52", set_from="monitor_silent_ms"),),
    ),
    Row(
        59,
        what="BMS or PCS says of itself that it has failed, or warns (project)",
        basis="design",
        confidence="D",
        name="device reports a fault",
        sentence="A BMS or a converter says that it has failed.",
        remedy="Page Links names what it says of itself. Remote reset.",
        proof=BMS,
        stages=(
            Stage("59a", sentence="A BMS says that it has failed."),
            Stage(
                "59b",
                sentence="A BMS warns, or says what its document does not name.",
                remedy="Page Links names what it says of itself.",
            ),
            Stage("59c", sentence="A power converter says that it has failed."),
            Stage(
                "59d",
                sentence="A power converter warns, or says what its document does not name.",
                remedy="Page Links names what it says of itself.",
            ),
        ),
    ),
)
