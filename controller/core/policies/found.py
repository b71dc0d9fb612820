"""Findings that the control functions share in a tick. One function writes each field.

Each function declares its fields (contract.Function); functions.py checks that none is written
twice or read before it is written.
"""

from array import array
from typing import Any

from controller.core.base.answers import WIDE_W

CHAIN = "chain"
# Written by the chain before the first function, and before stage BASE.
FIRST = ("setpoint_W",)
BOUNDED = (
    "limit_W",
    "low_W",
    "high_W",
    "is_low_obliged",
    "is_high_obliged",
    "import_room_W",
    "charge_W_max",
)


class Found:
    """Powers in W, > 0 discharges; None is unknown. A field keeps its value until it is written."""

    def __init__(self) -> None:
        # By the chain: the set-point in force; the largest discharge that all limits leave, without
        # caps and obligations; the available power; the largest charge that caps and limits leave,
        # without obligations; whether an obligation sets this end of the available power; import
        # beyond that of now with the battery at 0, until an obligation needs discharge.
        self.setpoint_W = self.limit_W = self.low_W = self.high_W = self.charge_W_max = 0
        self.import_room_W, self.is_low_obliged, self.is_high_obliged = WIDE_W, False, False
        # site_balance: the source of the site; a converter forms the voltage, and the discharge it
        # may give; sets carry the load, and nothing proves another source; others contradict a
        # meter, or the meters each other for a short time; draw that no meter sees
        self.source: int | None = None
        self.is_forming, self.forming_W = False, 0
        self.is_carried_by_sets = self.is_load_wrong = self.is_grid_wrong = False
        self.others_W, self.is_meter_disputed = 0, False
        # modes (policies/modes.py)
        self.mode, self.is_off_grid = 0, False
        # meter_sign: measured path delay, from a change of the load to the battery's answer, within
        # its configured range, 0 while it is not believed; the battery steps by the code of a test
        self.path_delay_ms, self.is_meter_tested = 0, False
        # site_load: power of the load, and whether it comes from a reply of this tick; import with
        # the battery at 0; what the grid meter shows above what connection and set-point say
        self.load_source = 0
        self.load_W: int | None = None
        self.is_load_new = False
        self.connection_W: int | None = None
        self.meter_off_W = 0
        # notices: energy has a negative price; steps of the load to come
        self.is_price_negative = False
        self.notices: tuple[Any, ...] = ()
        # schedule: source index + 1 while a slot acts, the power that its band asks for, its
        # reserve, a bit for each fallback that it replaces
        self.scheduled_source = self.scheduled_W = self.scheduled_reserve_permille = self.lifted = 0
        # hint_request: a source decides on the power; load tracking pauses beside it; what it
        # leaves to load tracking of the set-point and of the available power
        self.is_requested = self.is_exact = False
        self.left_setpoint_W = self.left_low_W = self.left_high_W = 0
        # shed: a stage of the load is open since an outage; an island needs a generator set
        self.is_shed = self.is_set_needed = False
        self.genset_W = 0  # genset_start: the load that the sets carry off the grid
        self.formed_W: int | None = None  # formed: set-point of the converters that form, if known


class Kept:
    """The fields that a function reads as the tick before left them: part of the journal."""

    def __init__(self, found: Found, names: tuple[str, ...]) -> None:
        self._found, self._names = found, names
        self.state = array("i", [0] * len(names))

    def store(self) -> None:
        """Take the values at the end of a tick."""
        self.state[:] = array("i", [getattr(self._found, name) for name in self._names])

    def load(self) -> None:
        """The journal has filled `state`."""
        for name, value in zip(self._names, self.state):
            setattr(self._found, name, value)
