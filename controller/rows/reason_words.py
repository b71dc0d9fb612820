"""Name, sentence and remedy of every reason code (controller/core/reasons.py), as the screens print
them.
"""

from controller.core import functions
from controller.core.reasons import (
    GATE_ADDRESS,
    GATE_CHARGE,
    GATE_COUNT,
    GATE_CRC,
    GATE_DISCHARGE,
    GATE_FUNCTION,
    GATE_LENGTH,
    GATE_UNIT_ID,
    GRID_OPERATOR,
    INHIBIT,
    KERNEL_CHARGE,
    KERNEL_DISCHARGE,
    NO_REQUEST,
    NONE,
    PV_ABSORPTION,
    ROW,
    SCHEDULE,
    SERVICE_TEST,
    SETPOINT_RAMP,
)
from controller.rows.records import ROWS, STAGES
from controller.rows.shapes import CHECK_RTU
from safety import matrix

_PROGRAM_FAULT = "Export the journal and report it: this is a program fault."
_SEE_HINTS = "See page Hints for its source and validity."
_SEE_ALARMS = "See page Alarms for the row and its remedy."

# Kernel limit (its order), sentence with the way to fill in, remedy.
KERNEL_LIMITS = (
    (
        "pcs_rated",
        "PCS {} rating",
        "The power converter is at its rated {} power.",
        "Nothing: the request was larger.",
    ),
    (
        "installer",
        "installer {} limit",
        "The installer set a lower {} power than the converter's rating.",
        "Ask the installer if the site has changed.",
    ),
    (
        "bms_current",
        "BMS {} limit",
        "The BMS allows only this {} current; one rack decides for all on its bus.",
        "See page Racks: cell voltages, spread and temperatures of the rack with the lowest limit.",
    ),
    (
        "cell_voltage_taper",
        "cell voltage, {}",
        "A cell is near the end of its voltage range; {} power goes down with it.",
        "Nothing now. If it stays with the battery half full, look for a weak cell.",
    ),
    (
        "temperature_taper",
        "cell temperature, {}",
        "A cell is warm; {} power goes down as it gets warmer.",
        "Check cooling, filters and the room.",
    ),
    (
        "bms_silence",
        "BMS late, {}",
        "A BMS has not been heard for more than 0.5 s; {} power is going to zero.",
        "Check its CAN plug, terminator and supply.",
    ),
    ("derate", "interlock derate, {}", "An interlock row reduces {} power.", _SEE_ALARMS),
    ("inhibit", "interlock, no {}", "An interlock row forbids {}.", _SEE_ALARMS),
    (
        "ramp_to_zero",
        "interlock ramp, {}",
        "An interlock row takes {} power to zero within 2 s.",
        _SEE_ALARMS,
    ),
    (
        "stop",
        "stopped, no {}",
        "An interlock row has stopped the power converter; no {}.",
        "See page Alarms: remove the cause, then reset as the row says.",
    ),
    (
        "permit",
        "not running, no {}",
        "The cabinet is not running, so there is no {} power.",
        "See what the start still waits for, or ask for a start.",
    ),
    (
        "soc_taper",
        "state of charge, {}",
        "The state of charge is near its end; {} power goes down with it.",
        "Nothing: it rises again as the battery leaves that end.",
    ),
    (
        "test",
        "test mode, {}",
        "Test mode allows 5 % of the rated {} power.",
        "Nothing: it ends by itself.",
    ),
)

_PLAIN = (
    (NONE, "not acting", "Nothing holds the power back here.", "Nothing."),
    (NO_REQUEST, "no request", "Nobody asks for power.", "Nothing."),
    (SCHEDULE, "schedule", "The schedule of this site asks for this power.", "Nothing."),
    (
        SERVICE_TEST,
        "service test",
        "A test with the key holder present asks for this power.",
        "Nothing: it ends by itself.",
    ),
    (
        GRID_OPERATOR,
        "grid operator",
        "An instruction of the grid operator is in force.",
        _SEE_HINTS,
    ),
    (
        PV_ABSORPTION,
        "PV absorption",
        "The battery takes up PV power that may not be exported.",
        "Nothing.",
    ),
    (
        SETPOINT_RAMP,
        "set-point ramp",
        "The set-point moves no faster than the ramp of this site.",
        "Nothing.",
    ),
    (
        GATE_LENGTH,
        "frame length",
        "A set-point frame had the wrong length; the stop frame was sent.",
        _PROGRAM_FAULT,
    ),
    (
        GATE_UNIT_ID,
        "frame address",
        "A set-point frame was for another device; the stop frame was sent.",
        _PROGRAM_FAULT,
    ),
    (
        GATE_FUNCTION,
        "frame function",
        "A set-point frame was not a register write; the stop frame was sent.",
        _PROGRAM_FAULT,
    ),
    (
        GATE_ADDRESS,
        "frame register",
        "A set-point frame was for another register; the stop frame was sent.",
        "Check the PCS profile against the converter's firmware, then report it.",
    ),
    (
        GATE_COUNT,
        "frame size of value",
        "A set-point frame did not hold one 32-bit power; the stop frame was sent.",
        _PROGRAM_FAULT,
    ),
    (
        GATE_CRC,
        "frame checksum",
        "A set-point frame had a wrong checksum; the stop frame was sent.",
        _PROGRAM_FAULT,
    ),
    (
        GATE_CHARGE,
        "frame over charge limit",
        "A set-point frame asked for more charge than permitted; the stop frame was sent.",
        _PROGRAM_FAULT,
    ),
    (
        GATE_DISCHARGE,
        "frame over discharge limit",
        "A set-point frame asked for more discharge than permitted; the stop frame was sent.",
        _PROGRAM_FAULT,
    ),
)

# What a start still waits for. 712 was a reason before row 47 became one; inhibit_code() knows
# which code is which.
_INHIBITS = (
    ("nothing missing", "Nothing keeps the cabinet from starting.", "Nothing."),
    ("interlock", "An interlock row keeps the contactors open.", _SEE_ALARMS),
    (
        "I/O module 1",
        "I/O module 1 has not been heard.",
        "Check its supply, address 1 and RS-485 pair.",
    ),
    (
        "I/O module 2",
        "I/O module 2 has not been heard.",
        "Check its supply, address 2 and RS-485 pair.",
    ),
    ("meter", "The grid meter or the load meter has not been heard.", CHECK_RTU),
    ("gas detectors", "A gas detector has not been heard.", CHECK_RTU),
    (
        "PCS",
        "A power converter has not been heard, or does not take remote set-points.",
        "Check its supply and RS-485 pair, and that it is switched to remote.",
    ),
    (
        "BMS",
        "A BMS has not sent everything it should.",
        "Check its CAN plug, terminator, node number and supply.",
    ),
    (
        "cells missing",
        "A rack reports fewer cells than it has.",
        "See page Racks; check the module links of that rack.",
    ),
    (
        "contactor not open",
        "A rack reports a contactor that is not open.",
        "Do not touch. Check the contactor for welding.",
    ),
    (
        "permit relay not dropped",
        "A permit relay reads closed although nothing asks for it.",
        "Check the safety relay and its read-back contact.",
    ),
    (
        "current not zero",
        "Current flows although all contactors should be open.",
        "Do not touch. Check contactors and sensors.",
    ),
    (
        "key not in RUN",
        "The key switch is not in RUN.",
        "Turn the key to RUN when the cabinet may start.",
    ),
    (
        "rack voltages differ",
        "The racks on one bus are too far apart in voltage to be joined.",
        "Charge or discharge the odd rack by itself until they agree.",
    ),
    (
        "waiting after a try",
        "Closing has failed; the next try waits.",
        "See page Alarms for what did not close.",
    ),
    ("I/O module 3", "I/O module 3 has not been heard.", CHECK_RTU),
    ("climate monitor", "The climate monitor has not been heard.", CHECK_RTU),
    ("UPS monitor", "The UPS monitor has not been heard.", CHECK_RTU),
    (
        "locked out",
        "Somebody has locked the cabinet out.",
        "Ask who locked it; the same person takes the lock away.",
    ),
    (
        "permit of channel B",
        "Channel B is not heard, does not agree, or gives no permit of its own.",
        "Look at its lamp and link; it may wait for a reset or hold another version or site.",
    ),
    (
        "cause of a row",
        "An interlock row that would keep the contactors open has its cause, not yet for its time.",
        "Wait: it ends, or becomes an alarm that names the row.",
    ),
)


def _of_rows():
    return [(ROW + row.number, row.name, row.sentence, row.remedy) for row in ROWS.values()]


def _rows():
    """All (code, name, sentence, remedy)."""
    limits = [
        (codes[index], *[words.format(way) for words in row[1:]])
        for way, codes in (("charge", KERNEL_CHARGE), ("discharge", KERNEL_DISCHARGE))
        for index, row in enumerate(KERNEL_LIMITS)
    ]
    inhibits = [(INHIBIT + index, *row) for index, row in enumerate(_INHIBITS)]
    return (*_PLAIN, *limits, *inhibits, *_of_rows())


# code -> (name, sentence, remedy)
TEXTS = functions.TEXTS | {row[0]: row[1:] for row in _rows()}


def stage_text(stage: tuple) -> tuple:
    """(name, sentence, remedy) of a stage of the matrix (its tuple): its own words where its row
    has several.
    """
    name, sentence, remedy = TEXTS[ROW + stage[matrix.S_ROW]]
    own = STAGES[stage[matrix.S_ID]]
    return name, own.sentence or sentence, own.remedy or remedy


def text(code: int) -> tuple:
    """(name, sentence, remedy) of a code; KeyError for one that was never given."""
    return TEXTS[code]
