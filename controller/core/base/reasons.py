"""Reason codes: why a power is what it is. Their words are in controller/rows/reason_words.py.

Append only: a code never changes its meaning, because logs, journals and upstream systems keep it.

R1xx requests, R2xx limits, R3xx obligations, R4xx caps, R5xx ramp, R6xx gate.
R7xx items that a start waits for, R8xx rows of the matrix (800 + row), R9xx modes of the site
and signals that other signals contradict.

The code of a kernel limit is 212 + 2 x its number in the kernel, + 1 for discharge.
"""

from controller.core.base.texts import Text, of_codes
from safety import bounds

NONE = 0
NO_REQUEST, LOAD_TRACKING, OPERATOR, HINT, SCHEDULE, LOAD_UNKNOWN = range(101, 107)
SERVICE_TEST, REQUEST_RESTS, REQUEST_ENDED, PV_WANTED, SHED_LOAD = range(107, 112)
GENSET_NEEDED, PRE_COOL, GENSET_NOT_READY, TRACKING_PAUSED = range(112, 116)
GENSET_STARTS_AGAIN, GENSET_FAILED, SHED_ENERGY, SHED_BLACK_START = range(121, 125)
CHILL_CELLS, CHILL_SPREAD, FAN_CELLS, FAN_SPREAD, HEAT_COLD, HEAT_AHEAD = range(130, 136)
HEAT_TEMPERATURE_UNKNOWN, HEAT_NO_GRID, HEAT_NO_ROOM = range(136, 139)
KERNEL_LIMIT = 212
RESERVE_BACKUP, RESERVE_BACKUP_SOC_UNKNOWN = 241, 243
DEVICE_RANGE, DEVICE_SILENT, DEVICE_ESTOP = range(250, 253)  # limits of an actuator
GRID_IMPORT, GRID_EXPORT, GRID_OPERATOR, GRID_CAP_HINT, PV_ABSORPTION = range(301, 306)
PEAK_SHAVING, LEAST_TIME, NO_CLOCK, SCHEDULE_GRID_CAP = 306, 308, 309, 310
GENSET_ACCEPTS, GENSET_LEAST_LOAD, FORMED = 321, 322, 323
HINT_CAP, RESERVE_PEAKS, RESERVE_PEAKS_SOC_UNKNOWN, PV_CURTAILED = range(401, 405)
PV_PRICE_NEGATIVE, SCHEDULE_BAND, SCHEDULE_RESERVE = range(405, 408)
HEALTH_CAP = 420
SETPOINT_RAMP = 501
GATE_LENGTH, GATE_UNIT_ID, GATE_FUNCTION, GATE_ADDRESS, GATE_COUNT = range(601, 606)
GATE_CRC, GATE_CHARGE, GATE_DISCHARGE, GATE_RANGE, WRITE_BUDGET = range(606, 611)
GATE_PERMIT, STARTS_SPENT, RUNS_ON, START_HELD, SIGN_DUE = range(611, 616)
INHIBIT, LOCKED_OUT, SECOND_CHANNEL, CAUSE = 700, 718, 719, 720
# Code 712 keeps its old meaning "key not in RUN", so the kernel's reason 12 has another code now.
_OTHER_INHIBITS = {12: LOCKED_OUT, 18: SECOND_CHANNEL, 19: CAUSE}
ROW = 800
# the modes of the site, in the order of policies/modes.py
MODE_GRID, MODE_HAND_OVER, MODE_ISLAND, MODE_BLACK_START, MODE_RETURN = range(901, 906)
MODE = MODE_GRID
# a signal that the others contradict (policies/site_balance.py)
CONTACT_WRONG, RUNNING_WRONG, GENSET_POWER_WRONG, PV_POWER_WRONG = range(921, 925)
LOAD_METER_WRONG, GRID_METER_WRONG, FORMING_WRONG = range(925, 928)
BATTERY_POWER_WRONG, POWERS_DOUBTFUL = range(928, 930)

# Codes of the kernel's limits, indexed by its own numbers (safety.bounds.LIMITS).
KERNEL_CHARGE = tuple(range(KERNEL_LIMIT, KERNEL_LIMIT + 2 * len(bounds.LIMITS), 2))
KERNEL_DISCHARGE = tuple(range(KERNEL_LIMIT + 1, KERNEL_LIMIT + 2 * len(bounds.LIMITS), 2))


def texts(rows: str, **own: int) -> dict[int, Text]:
    """{code: its text} of rows: constant | name | sentence | remedy. own: codes of one function."""
    return of_codes(globals() | own, rows)


def inhibit_code(number: int) -> int:
    """Code of the kernel's inhibit reason `number` (safety.start_checklist.INHIBIT_REASONS)."""
    return _OTHER_INHIBITS.get(number, INHIBIT + number)


def label(code: int) -> str:
    """Code as the screens show it: R217."""
    return f"R{code}"
