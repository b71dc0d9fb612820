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
NO_REQUEST = 101
LOAD_TRACKING = 102
OPERATOR = 103  # operator instruction
HINT = 104
SCHEDULE = 105
LOAD_UNKNOWN = 106
SERVICE_TEST = 107
REQUEST_RESTS = 108  # request waits
REQUEST_ENDED = 109
PV_WANTED = 110
SHED_LOAD = 111
GENSET_NEEDED = 112
PRE_COOL = 113
GENSET_NOT_READY = 114
TRACKING_PAUSED = 115
GENSET_STARTS_AGAIN = 121
GENSET_FAILED = 122
SHED_ENERGY = 123  # load shed, battery low
SHED_BLACK_START = 124
CHILL_CELLS = 130  # pre-cooling, warm cells
CHILL_SPREAD = 131  # pre-cooling, uneven units
FAN_CELLS = 132
FAN_SPREAD = 133
HEAT_COLD = 134
HEAT_AHEAD = 135
HEAT_TEMPERATURE_UNKNOWN = 136  # no heating, cells unknown
HEAT_NO_GRID = 137
HEAT_NO_ROOM = 138  # no heating, import limit
KERNEL_LIMIT = 212
RESERVE_BACKUP = 241
RESERVE_BACKUP_SOC_UNKNOWN = 243
# limits of an actuator
DEVICE_RANGE = 250
DEVICE_SILENT = 251
DEVICE_ESTOP = 252
GRID_IMPORT = 301
GRID_EXPORT = 302
GRID_OPERATOR = 303
GRID_CAP_HINT = 304
PV_ABSORPTION = 305
PEAK_SHAVING = 306
LEAST_TIME = 308  # least on or off time
NO_CLOCK = 309  # peak shaving, no clock
SCHEDULE_GRID_CAP = 310
GENSET_ACCEPTS = 321
GENSET_LEAST_LOAD = 322
FORMED = 323  # converter forms
HINT_CAP = 401
RESERVE_PEAKS = 402
RESERVE_PEAKS_SOC_UNKNOWN = 403
PV_CURTAILED = 404
PV_PRICE_NEGATIVE = 405
SCHEDULE_BAND = 406  # limit by schedule
SCHEDULE_RESERVE = 407
HEALTH_CAP = 420
SETPOINT_RAMP = 501
GATE_LENGTH = 601
GATE_UNIT_ID = 602
GATE_FUNCTION = 603
GATE_ADDRESS = 604
GATE_COUNT = 605  # frame size of value
GATE_CRC = 606
GATE_CHARGE = 607  # frame over charge limit
GATE_DISCHARGE = 608  # frame over discharge limit
GATE_RANGE = 609
WRITE_BUDGET = 610  # write budget of the day
GATE_PERMIT = 611  # start without a permit
STARTS_SPENT = 612  # starts of the hour
RUNS_ON = 613  # does not follow its stop
START_HELD = 614  # start after a fault
SIGN_DUE = 615  # start before the sign test
INHIBIT = 700  # and the kernel's number of what a start waits for
LOCKED_OUT = 718
SECOND_CHANNEL = 719  # permit of channel B
CAUSE = 720  # cause of a row
# Code 712 keeps its old meaning "key not in RUN", so the kernel's reason 12 has another code now.
_OTHER_INHIBITS = {12: LOCKED_OUT, 18: SECOND_CHANNEL, 19: CAUSE}
ROW = 800
# the modes of the site, in the order of policies/modes.py
MODE_GRID = 901
MODE_HAND_OVER = 902
MODE_ISLAND = 903
MODE_BLACK_START = 904
MODE_RETURN = 905
MODE = MODE_GRID
# a signal that the others contradict (policies/site_balance.py)
CONTACT_WRONG = 921  # transfer switch contradicted
RUNNING_WRONG = 922  # engine report contradicted
GENSET_POWER_WRONG = 923
PV_POWER_WRONG = 924
LOAD_METER_WRONG = 925
GRID_METER_WRONG = 926
FORMING_WRONG = 927
BATTERY_POWER_WRONG = 928
POWERS_DOUBTFUL = 929  # powers do not add up

# Codes of the kernel's limits, indexed by its own numbers (safety.bounds.LIMITS).
KERNEL_CHARGE = tuple(range(KERNEL_LIMIT, KERNEL_LIMIT + 2 * len(bounds.LIMITS), 2))
KERNEL_DISCHARGE = tuple(range(KERNEL_LIMIT + 1, KERNEL_LIMIT + 2 * len(bounds.LIMITS), 2))


def texts(rows: str, **own: int) -> dict[int, Text]:
    """{code: its text}. rows: constant | name | sentence | remedy; own: codes of one function."""
    return of_codes(globals() | own, rows)


def inhibit_code(number: int) -> int:
    """Code of the kernel's inhibit reason `number` (safety.start_checklist.INHIBIT_REASONS)."""
    return _OTHER_INHIBITS.get(number, INHIBIT + number)


def label(code: int) -> str:
    """Code as the screens show it: R217."""
    return f"R{code}"
