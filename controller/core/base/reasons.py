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
PV_WANTED = 110  # PV
SHED_LOAD = 111  # load shed
GENSET_NEEDED = 112  # generator needed
PRE_COOL = 113  # pre-cooling
GENSET_NOT_READY = 114  # generator not ready
TRACKING_PAUSED = 115  # load tracking pauses
GENSET_STARTS_AGAIN = 121  # generator start repeated
GENSET_FAILED = 122  # generator does not start
SHED_ENERGY = 123  # load shed, battery low
SHED_BLACK_START = 124  # load shed, black start
CHILL_CELLS = 130  # pre-cooling, warm cells
CHILL_SPREAD = 131  # pre-cooling, uneven units
FAN_CELLS = 132  # fan, warm cells
FAN_SPREAD = 133  # fan, uneven units
HEAT_COLD = 134  # heating, cold cells
HEAT_AHEAD = 135  # heating ahead of a charge
HEAT_TEMPERATURE_UNKNOWN = 136  # no heating, cells unknown
HEAT_NO_GRID = 137  # no heating off the grid
HEAT_NO_ROOM = 138  # no heating, import limit
KERNEL_LIMIT = 212
RESERVE_BACKUP = 241  # backup reserve
RESERVE_BACKUP_SOC_UNKNOWN = 243  # backup reserve, SOC unknown
# limits of an actuator
DEVICE_RANGE = 250  # range of the device
DEVICE_SILENT = 251  # device not heard
DEVICE_ESTOP = 252  # emergency stop, site device
GRID_IMPORT = 301  # grid connection import
GRID_EXPORT = 302  # grid connection export
GRID_OPERATOR = 303
GRID_CAP_HINT = 304  # grid limit by hint
PV_ABSORPTION = 305
PEAK_SHAVING = 306
LEAST_TIME = 308  # least on or off time
NO_CLOCK = 309  # peak shaving, no clock
SCHEDULE_GRID_CAP = 310  # grid limit by schedule
GENSET_ACCEPTS = 321  # generator takes load
GENSET_LEAST_LOAD = 322  # generator least load
FORMED = 323  # converter forms
HINT_CAP = 401  # limit by hint
RESERVE_PEAKS = 402  # peaks reserve
RESERVE_PEAKS_SOC_UNKNOWN = 403  # peaks reserve, SOC unknown
PV_CURTAILED = 404
PV_PRICE_NEGATIVE = 405  # PV curtailed, price negative
SCHEDULE_BAND = 406  # limit by schedule
SCHEDULE_RESERVE = 407  # peaks reserve by schedule
HEALTH_CAP = 420
SETPOINT_RAMP = 501
GATE_LENGTH = 601  # frame length
GATE_UNIT_ID = 602  # frame address
GATE_FUNCTION = 603  # frame function
GATE_ADDRESS = 604  # frame register
GATE_COUNT = 605  # frame size of value
GATE_CRC = 606  # frame checksum
GATE_CHARGE = 607  # frame over charge limit
GATE_DISCHARGE = 608  # frame over discharge limit
GATE_RANGE = 609  # frame out of range
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
MODE_GRID = 901  # on the grid
MODE_HAND_OVER = 902  # hand-over
MODE_ISLAND = 903  # island
MODE_BLACK_START = 904  # black start
MODE_RETURN = 905  # return to the grid
MODE = MODE_GRID
# a signal that the others contradict (policies/site_balance.py)
CONTACT_WRONG = 921  # transfer switch contradicted
RUNNING_WRONG = 922  # engine report contradicted
GENSET_POWER_WRONG = 923  # generator power contradicted
PV_POWER_WRONG = 924  # PV power contradicted
LOAD_METER_WRONG = 925  # load meter contradicted
GRID_METER_WRONG = 926  # grid meter contradicted
FORMING_WRONG = 927  # forming report contradicted
BATTERY_POWER_WRONG = 928  # battery power contradicted
POWERS_DOUBTFUL = 929  # powers do not add up

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
