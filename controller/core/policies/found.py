"""Findings that the control functions share in a tick. Only one function writes each field.

Each function declares its fields (contract.Function). functions.py checks that no field is written
twice or read before it is written.
"""

from array import array
from typing import Any

from controller.core.base.answers import WIDE_W

CHAIN = "chain"
# Written by the chain before the first function, and before stage BASE.
FIRST = ("setpoint_W", "added_W")
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
    """Powers in W, > 0 discharges; None is unknown. A field keeps its value until it is written.

    Written by the chain:
        setpoint_W              set-point in force
        added_W                 part of it that the frequency response added
        limit_W                 largest discharge within all limits, without caps and obligations
        low_W, high_W           ends of the available power
        charge_W_max            largest charge within caps and limits, without obligations
        is_low_obliged, is_high_obliged    an obligation sets this end of the available power
        import_room_W           additional import, with the battery at 0, before an obligation
                                needs discharge
    site_balance:
        source                  source of the site (known.GRID, ISLAND)
        is_forming              a converter forms the voltage
        forming_W               discharge that such converters may give
        is_carried_by_sets      generator sets carry the load, and no other source is certain
        is_load_wrong, is_grid_wrong       other measurements contradict this meter
        is_meter_disputed       the meters contradict each other, but only for a short time
        unmetered_W             draw that no meter sees
    modes: mode, is_off_grid (modes.py)
    meter_sign:
        path_delay_ms           measured delay from a change of the load to the battery's answer;
                                0 while there is no credible measurement
        is_meter_tested         the battery makes the steps of a meter test
    site_load:
        load_W, load_source     power of the load, and where it comes from
        is_load_new             load_W comes from a reply of this tick
        connection_W            import with the battery at 0
        part_W                  the import that hints limit: from this cabinet's load alone
        meter_off_W             grid meter less the prediction from connection_W and set-point
    notices:
        is_price_negative       energy has a negative price
        notices                 steps of the load to come
    schedule:
        scheduled_source        source index + 1 while a slot acts
        scheduled_W             power that the band of the slot asks for
        scheduled_reserve_permille         reserve of the slot
        lifted                  a bit for each fallback that the slot replaces
    hint_request:
        is_requested            a source decides on the power
        is_exact                load tracking pauses while the request acts
        left_setpoint_W, left_low_W, left_high_W    set-point and available power without the
                                request and bridge_W, for load tracking
    pv_ramp:
        bridge_W                power that bridges a fast change of PV
        bridged_permille        state of charge that the bridge has taken so far
    shed:
        is_shed                 a stage of the load has been open since an outage
        is_set_needed           an island needs a generator set
    grid_contact: export_less_W, by which contacts of the grid operator lower the export limit
    genset_start: genset_W, the load that the sets carry off the grid
    formed: formed_W, the set-point of the converters that form, if known
    """

    def __init__(self) -> None:
        self.setpoint_W = self.added_W = 0
        self.limit_W = self.low_W = self.high_W = self.charge_W_max = 0
        self.import_room_W, self.is_low_obliged, self.is_high_obliged = WIDE_W, False, False
        self.source: int | None = None
        self.is_forming, self.forming_W = False, 0
        self.is_carried_by_sets = self.is_load_wrong = self.is_grid_wrong = False
        self.unmetered_W, self.is_meter_disputed = 0, False
        self.mode, self.is_off_grid = 0, False
        self.path_delay_ms, self.is_meter_tested = 0, False
        self.load_source = 0
        self.load_W: int | None = None
        self.is_load_new = False
        self.connection_W: int | None = None
        self.part_W: int | None = None
        self.meter_off_W = 0
        self.is_price_negative = False
        self.notices: tuple[Any, ...] = ()
        self.scheduled_source = self.scheduled_W = self.scheduled_reserve_permille = self.lifted = 0
        self.is_requested = self.is_exact = False
        self.bridge_W = self.bridged_permille = 0
        self.left_setpoint_W = self.left_low_W = self.left_high_W = 0
        self.is_shed = self.is_set_needed = False
        self.genset_W = self.export_less_W = 0
        self.formed_W: int | None = None


class Kept:
    """The fields that a function reads as the previous tick left them. The journal has them."""

    def __init__(self, findings: Found, names: tuple[str, ...]) -> None:
        self._findings, self._names = findings, names
        self.state = array("i", [0] * len(names))

    def store(self) -> None:
        """Take the values at the end of a tick."""
        self.state[:] = array("i", [getattr(self._findings, name) for name in self._names])

    def load(self) -> None:
        """Restore the fields from `state`, after the journal has filled it."""
        for name, value in zip(self._names, self.state):
            setattr(self._findings, name, value)
