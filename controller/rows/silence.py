"""Devices that are silent, answer wrong or report a failure: BMS, PCS, I/O modules, meters,
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

LADDER = "the table opens the contactors at the last of the three times: stage 41c (silence ladder)"
RATE = (
    "a bad frame is not used: with too few good frames the values grow old, and 40a to 40c "
    "act; with enough good frames the rate of bad frames alone stops nothing"
)
FEATURES = {
    "bms_silence_level": Feature(
        "BMS silent or its counter frozen",
        "unplug the CAN cable of one rack",
        ladder=("bms_warn_ms", "bms_ramp_ms", "bms_stop_ms"),
    ),
    "bms_bad_frames_recent": Feature(
        "bad frames; the count falls by one each second",
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
        "power above the limit by more than 2 % of rated, at least 2 kW",
        ON_RIG,
        shown=ABOVE_ZERO,
        roles=("pcs",),
        sensor="PCS",
        read="read ac",
    ),
    "bms_fault_level": Feature(
        "fault bits of the BMS, by its profile: 1 a warning or an unknown bit, 2 a fault",
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
    "meter_sign": Feature("direction of the grid meter", ON_RIG, roles=("meter_grid", "pcs")),
    "meter_frozen_ms": Feature(
        "registers of a meter frozen (in an island: of the load meter)",
        ON_RIG,
        roles=("meter_grid", "meter_load"),
        silence=BY_LEVEL,
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
        sentence="A BMS is late or silent, or repeats its frames.",
        remedy="Check its CAN plug, terminator and supply.",
        proof=SILENCE,
        proves="BMS silent: ramp, stop",
        stages=(
            Stage("40a", sentence="A BMS is late.", proof=SILENCE, proves="BMS silent: warning"),
            Stage(
                "40b",
                sentence="A BMS is silent, or its frame counter has stopped; power goes to zero.",
            ),
            Stage(
                "40c",
                sentence="A BMS is silent, or its frame counter has stopped; its racks are off.",
                read_as={"ALM": "the responder lamp is red on loss of data (A51)"},
            ),
            Stage(
                "40d",
                sentence="Many frames of a BMS arrive broken.",
                remedy="Check its CAN plug, shield and terminators.",
                proof=SILENCE,
                proves="many bad frames of the BMS",
                is_added=True,
                read_as={
                    "latch": "the stage stops nothing, so it does not latch",
                    "PCS": RATE,
                    "DC": RATE,
                    "ALM": "lamp only, like the first stage of the row",
                    "ICH": RATE,
                    "IDC": RATE,
                },
            ),
            Stage(
                "40e",
                sentence="The fault contact of the BMS is open.",
                remedy="Page Links shows the faults that the BMS reports. Remote reset.",
                proof=CONTACT,
                proves="fault contact of the BMS open",
                is_added=True,
                read_as={
                    "debounce": (
                        "the row has only times of silence; 0.1 s is for a contact that bounces"
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
        sentence="A power converter is silent, or its power is above its limit.",
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
                sentence="A power converter is silent; its enable contact stops it.",
                read_as={"DC": LADDER},
            ),
            Stage("41c", sentence="A power converter is silent; the contactors open."),
            Stage(
                "41d",
                sentence="The power of a converter is above its limit.",
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
        sentence="An I/O module is silent; its outputs have expired.",
        remedy="Check its supply, its address and its RS-485 pair. Remote reset.",
        proof=SILENCE,
        stages=(Stage("49", set_from="io_silent_ms"),),
    ),
    Row(
        50,
        what="meter silent, frozen or not proven (project: the silence ladder)",
        basis="design",
        confidence="D",
        name="meter silent or frozen",
        sentence=(
            "A meter is silent or frozen, or its direction is not proven; charging is forbidden."
        ),
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
                sentence="A meter repeats the same values; charging is forbidden.",
                proof=SILENCE,
                proves="meter frozen",
                set_from="meter_frozen_ms",
            ),
            Stage(
                "50c",
                sentence="The grid meter is not proven; charging is forbidden.",
                remedy=(
                    "The load hid the code, or the meter looked reversed. Check its transformers; "
                    "it is tested again."
                ),
                proof=COMPUTED,
                proves="grid meter not proven",
            ),
            Stage(
                "50d",
                sentence="The grid meter is connected the wrong way round; charging is forbidden.",
                remedy="Turn its current transformers round and start again. Then remote reset.",
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
        what="BMS or PCS reports a failure or a warning (project)",
        basis="design",
        confidence="D",
        name="device reports a fault",
        sentence="A BMS or a converter reports that it has failed.",
        remedy="Page Links shows what the device reports. Remote reset.",
        proof=BMS,
        stages=(
            Stage("59a", sentence="A BMS reports that it has failed."),
            Stage(
                "59b",
                sentence="A BMS reports a warning, or a bit that its profile does not name.",
                remedy="Page Links shows what the device reports.",
            ),
            Stage("59c", sentence="A power converter reports that it has failed."),
            Stage(
                "59d",
                sentence=(
                    "A power converter reports a warning, or a bit that its profile does not name."
                ),
                remedy="Page Links shows what the device reports.",
            ),
        ),
    ),
)
