"""Name, sentence and remedy of every reason code (controller/core/reasons.py), as the screens print
them.
"""

from controller.core.reasons import (
    GATE_ADDRESS,
    GATE_CHARGE,
    GATE_COUNT,
    GATE_CRC,
    GATE_DISCHARGE,
    GATE_FUNCTION,
    GATE_LENGTH,
    GATE_UNIT_ID,
    GRID_CAP_HINT,
    GRID_EXPORT,
    GRID_IMPORT,
    GRID_OPERATOR,
    HINT,
    HINT_CAP,
    INHIBIT,
    KERNEL_CHARGE,
    KERNEL_DISCHARGE,
    LOAD_TRACKING,
    LOAD_UNKNOWN,
    NO_REQUEST,
    NONE,
    OPERATOR,
    PV_ABSORPTION,
    REQUEST_ENDED,
    REQUEST_RESTS,
    RESERVE_HARD,
    RESERVE_HARD_SOC_UNKNOWN,
    RESERVE_SOFT,
    RESERVE_SOFT_SOC_UNKNOWN,
    ROW,
    SCHEDULE,
    SERVICE_TEST,
    SETPOINT_RAMP,
)
from controller.rows.stage_texts import SENTENCES
from safety import matrix

_PROGRAM_FAULT = "Export the journal and report it: this is a program fault."
_SEE_HINTS = "See page Hints for its source and validity."
_SEE_ALARMS = "See page Alarms for the row and its remedy."
_CHECK_RTU = "Check its supply, address and RS-485 pair."
_FIRE = "Leave the cabinet closed. Call the fire service; reset with the key."

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
    (
        LOAD_TRACKING,
        "load tracking",
        "Load tracking lets the battery take the fast swings of the load.",
        "Nothing.",
    ),
    (OPERATOR, "operator instruction", "An operator instruction is in force.", _SEE_HINTS),
    (HINT, "hint", "An upstream system asks for this power.", _SEE_HINTS),
    (SCHEDULE, "schedule", "The schedule of this site asks for this power.", "Nothing."),
    (
        LOAD_UNKNOWN,
        "load unknown",
        "No meter tells the load, so load tracking goes to zero power.",
        "Check the load meter and the grid meter: page Links.",
    ),
    (
        SERVICE_TEST,
        "service test",
        "A test with the key holder present asks for this power.",
        "Nothing: it ends by itself.",
    ),
    (
        REQUEST_RESTS,
        "request rests",
        "An upstream request has used up its energy of this hour and rests.",
        "Wait, or raise energy_Wh_per_h_max of its source; see page Hints.",
    ),
    (
        REQUEST_ENDED,
        "request ended",
        "A request has ended; its power goes to zero at the ramp of its source.",
        "Nothing.",
    ),
    (
        RESERVE_HARD,
        "hard reserve",
        "The state of charge is at the hard reserve; there is no discharge.",
        "Let the battery charge. If it does not, see what limits charging.",
    ),
    (
        RESERVE_HARD_SOC_UNKNOWN,
        "hard reserve, SOC unknown",
        "The state of charge is unknown, so the hard reserve counts as reached.",
        "Check the BMS: page Links.",
    ),
    (
        GRID_IMPORT,
        "grid connection import",
        "The grid connection may not import more than its limit.",
        "Nothing if it is met. If power is short, reduce the load.",
    ),
    (
        GRID_EXPORT,
        "grid connection export",
        "The grid connection may not export more than its limit.",
        "Nothing if it is met. If power is short, reduce PV or other generation.",
    ),
    (
        GRID_OPERATOR,
        "grid operator",
        "An instruction of the grid operator is in force.",
        _SEE_HINTS,
    ),
    (GRID_CAP_HINT, "grid limit by hint", "A hint limits the grid power of this site.", _SEE_HINTS),
    (
        PV_ABSORPTION,
        "PV absorption",
        "The battery takes up PV power that may not be exported.",
        "Nothing.",
    ),
    (HINT_CAP, "limit by hint", "A hint limits the power of this cabinet.", _SEE_HINTS),
    (
        RESERVE_SOFT,
        "SOC reserve",
        "The state of charge is at the reserve this site keeps; no discharge by choice.",
        "Nothing: it opens again as the battery charges.",
    ),
    (
        RESERVE_SOFT_SOC_UNKNOWN,
        "reserve, SOC unknown",
        "The state of charge is unknown, so the reserve counts as reached.",
        "Check the BMS: page Links.",
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
    ("meter", "The grid meter or the load meter has not been heard.", _CHECK_RTU),
    ("gas detectors", "A gas detector has not been heard.", _CHECK_RTU),
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
    ("I/O module 3", "I/O module 3 has not been heard.", _CHECK_RTU),
    ("climate monitor", "The climate monitor has not been heard.", _CHECK_RTU),
    ("UPS monitor", "The UPS monitor has not been heard.", _CHECK_RTU),
    (
        "locked out",
        "Somebody has locked the cabinet out.",
        "Ask who locked it; the same person takes the lock away.",
    ),
    (
        "channel B",
        "The second channel is not heard, does not agree, or gives no permit of its own.",
        "Look at its lamp and link; it may wait for a reset or hold another version or site.",
    ),
    (
        "cause of a row",
        "An interlock row that would keep the contactors open has its cause, not yet for its time.",
        "Wait: it ends, or becomes an alarm that names the row.",
    ),
)

# Rows of the interlock matrix: row, name, sentence, remedy.
_ROWS = (
    (
        1,
        "emergency stop",
        "An emergency stop is pressed, or its two contacts disagree.",
        "Find out why it was pressed. Release it, inspect, reset with the key.",
    ),
    (2, "fire alarm", "The fire panel reports an alarm.", _FIRE),
    (3, "suppression released", "The fire suppression has been released.", _FIRE),
    (
        4,
        "smoke, first stage",
        "One smoke detector reports smoke.",
        "Look from a distance; do not open. Remote reset.",
    ),
    (
        5,
        "smoke confirmed",
        "Smoke and heat, or two smoke zones.",
        "Leave the cabinet closed. Call the fire service.",
    ),
    (
        6,
        "fire panel trouble",
        "The fire panel or suppression reports trouble.",
        "Call the fire panel's service.",
    ),
    (
        7,
        "off-gas alert",
        "The off-gas sensor rises over its reference.",
        "Do not open. Watch temperatures and gas.",
    ),
    (
        8,
        "off-gas alarm",
        "Off-gas is confirmed.",
        "Do not open. Call the fire service; reset with the key.",
    ),
    (
        9,
        "H2 or CO",
        "Hydrogen or carbon monoxide is at 50 ppm or more.",
        "Do not open. Watch temperatures and gas.",
    ),
    (
        10,
        "H2 or CO high",
        "Hydrogen or carbon monoxide is at 200 ppm or rises fast.",
        "Do not open. Call the fire service.",
    ),
    (
        11,
        "gas 10 % LFL",
        "Combustible gas is at 10 % of the lower flammable limit.",
        "Do not open. Let the fan run; find the source; reset with the key.",
    ),
    (
        12,
        "gas 25 % LFL",
        "Combustible gas is at 25 % of the lower flammable limit.",
        "Keep away. Call the fire service; reset with the key after inspection.",
    ),
    (
        13,
        "gas detector fault",
        "One gas detector is faulty, silent, or its calibration is overdue.",
        "Replace or calibrate the detector.",
    ),
    (
        14,
        "gas detection lost",
        "No gas detector works.",
        "Check supply and wiring of the detectors.",
    ),
    (
        15,
        "no airflow",
        "The fan is on but no air flows.",
        "Check fan, fuse, belt, louvre and airflow switch.",
    ),
    (
        16,
        "louvre not open",
        "The fan is on but the louvre is not open.",
        "Check louvre and actuator.",
    ),
    (
        17,
        "cooling failed",
        "Cooling has failed or the cabinet air is too warm.",
        "Check the cooling unit and filters.",
    ),
    (18, "cell warm", "A cell is warm; power is reduced.", "Check cooling, filters and the room."),
    (
        19,
        "cell hot",
        "A cell is hot; charging stops.",
        "Check cooling; look at the hottest module on page Racks.",
    ),
    (
        20,
        "cell too hot",
        "A cell is over its temperature limit.",
        "Let it cool. Check cooling; remote reset.",
    ),
    (
        21,
        "cell runaway temperature",
        "A cell is extremely hot, or far hotter than its rack and rising.",
        "Keep away. Call the fire service; reset with the key after inspection.",
    ),
    (
        22,
        "cell heats up",
        "A cell heats up more than its current explains.",
        "Watch it; plan to replace the module.",
    ),
    (
        23,
        "cell heats up fast",
        "A cell heats up as in a thermal runaway.",
        "Keep away. Call the fire service.",
    ),
    (
        24,
        "cell voltage sag",
        "A cell lost voltage without load, with gas or heat.",
        "Keep away. Call the fire service.",
    ),
    (25, "cell cold", "A cell is too cold to charge.", "Let the heating run."),
    (
        26,
        "temperature spread",
        "The modules of a rack differ too much in temperature.",
        "Check airflow and sensors.",
    ),
    (27, "cell voltage high", "A cell is near its upper voltage.", "Nothing: charging is reduced."),
    (
        28,
        "cell voltage at top",
        "A cell is at its upper voltage; no charging.",
        "Nothing; if it returns, balance the rack.",
    ),
    (
        29,
        "cell over voltage",
        "A cell is over its upper voltage.",
        "See page Racks. Remote reset when it has come down.",
    ),
    (
        30,
        "cell over voltage, relay",
        "The independent over-voltage relay has acted.",
        "Inspect; reset with the key.",
    ),
    (
        31,
        "cell voltage low",
        "A cell is near its lower voltage.",
        "Nothing: discharging is reduced or stops.",
    ),
    (
        32,
        "cell under voltage",
        "A cell is under its lower voltage.",
        "See page Racks. Remote reset, then charge gently.",
    ),
    (
        33,
        "cell deep discharged",
        "A cell is deeply discharged.",
        "Do not charge. Inspect and replace the module.",
    ),
    (
        34,
        "cell spread",
        "The cells of a rack differ too much in voltage.",
        "Balance the rack or replace the module.",
    ),
    (
        35,
        "current over limit",
        "Measured current is over the limit of the BMS.",
        "Check current sensors and PCS. Remote reset.",
    ),
    (
        36,
        "short or twice the current",
        "Current is over twice its limit.",
        "Inspect fuses and cables; reset with the key.",
    ),
    (
        37,
        "insulation",
        "Insulation to earth is low.",
        "Find the earth fault before touching anything.",
    ),
    (
        38,
        "pre-charge",
        "Pre-charge has failed.",
        "Check pre-charge resistor, contactor and bus for a load.",
    ),
    (
        39,
        "contactor",
        "A contactor does not do what it is told.",
        "Do not touch. Check it for welding; reset with the key.",
    ),
    (
        40,
        "BMS silent",
        "A BMS is late, silent, or repeats itself.",
        "Check its CAN plug, terminator and supply.",
    ),
    (
        41,
        "PCS silent or over limit",
        "A power converter is silent, or gives more than its limit.",
        "Check its RS-485 pair and supply; compare its display with the meter.",
    ),
    (
        42,
        "water or coolant",
        "Coolant leaks, or there is water in the cabinet.",
        "Find the leak before a reset.",
    ),
    (
        43,
        "auxiliary supply",
        "Auxiliary power is lost; the UPS carries monitoring.",
        "Restore auxiliary power.",
    ),
    (
        44,
        "controller check",
        "The controller failed a check of itself, its limits or its store.",
        "See page Alarms. Reload the approved configuration or replace the controller.",
    ),
    (
        45,
        "sensors invalid",
        "Several sensors of one module are invalid.",
        "Check that module's measuring board.",
    ),
    (46, "remote link lost", "Nobody watches this cabinet from afar.", "Restore the link."),
    (
        47,
        "service mode",
        "Service mode is selected with the key.",
        "Turn the key back when the work is done.",
    ),
    (48, "door", "The door is open.", "Close the door."),
    (
        49,
        "I/O module silent",
        "An I/O module is silent; its outputs have dropped by themselves.",
        "Check its supply, address and RS-485 pair. Remote reset.",
    ),
    (
        50,
        "meter silent or frozen",
        "A meter is silent or repeats itself; charging is forbidden.",
        _CHECK_RTU,
    ),
    (
        51,
        "second channel",
        "The second channel is silent or disagrees.",
        "Compare the limit image of both channels: same file, same program. Remote reset.",
    ),
    (52, "monitor silent", "The climate or UPS monitor is silent; no start.", _CHECK_RTU),
    (
        53,
        "runaway suspected",
        "Two weak signs of a thermal runaway agree.",
        "Do not open. Watch temperatures and gas. Remote reset.",
    ),
)


def _rows():
    """All (code, name, sentence, remedy)."""
    limits = [
        (codes[index], *[words.format(way) for words in row[1:]])
        for way, codes in (("charge", KERNEL_CHARGE), ("discharge", KERNEL_DISCHARGE))
        for index, row in enumerate(KERNEL_LIMITS)
    ]
    inhibits = [(INHIBIT + index, *row) for index, row in enumerate(_INHIBITS)]
    return (*_PLAIN, *limits, *inhibits, *[(ROW + row[0], *row[1:]) for row in _ROWS])


TEXTS = {row[0]: row[1:] for row in _rows()}  # code -> (name, sentence, remedy)


def stage_text(stage):
    """(name, sentence, remedy) of a stage of the matrix (its tuple): its own words where its row
    has several.
    """
    name, sentence, remedy = TEXTS[ROW + stage[matrix.S_ROW]]
    own, own_remedy = SENTENCES.get(stage[matrix.S_ID], ("", ""))
    return name, own or sentence, own_remedy or remedy


def text(code):
    """(name, sentence, remedy) of a code; KeyError for one that was never given."""
    return TEXTS[code]
