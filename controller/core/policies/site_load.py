"""The power of the load, and the import of the connection with the battery at zero.

The load meter is fast but sees the load alone. The naive way adds grid and battery. This sum
includes all of the connection, but its two parts are measured at different moments. So each
movement of the battery leaves an error, and a battery that follows this sum at full speed
oscillates (victronenergy/venus issue 1657: -4000 .. +3000 W).

    import with the battery at 0 = load meter - PV + low-pass of (grid + battery - load meter + PV)
                                   fast              slow: what the load meter does not see

If the time between the readings is d, and the low-pass has the time constant T, the loop gain is at
most d / T. With a load meter, the last reports of the PV inverters count at once, because a cloud
takes most of the PV power away within 3 s.

Cabinets on one connection see the same two meters. Each takes its share of both (share_permille),
and of the limits of the connection, as if the rest were another site. A cabinet does not know the
batteries of the others. If it compared a hint with the grid meter, the tightest of several unequal
import limits would hold the whole connection. So a hint limits its share of the load alone
(part_W); the sender, who knows all batteries, watches the grid meter.
"""

from typing import Any

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, Obligation, grid_obligation
from controller.core.base.integers import approach, low_pass, within
from controller.core.base.words import Words
from controller.core.policies.contract import MEASURE, DeviceView, Found, Function, Known, Setup

# source of the load's power: none, grid + battery, load meter
UNKNOWN, CALCULATED, MEASURED = range(3)
GRID_CONNECTION = (40, "grid_connection")

# time constant of the power that a working load meter does not see (other loads, PV)
OTHERS_MS = 5000
# Time constant without a load meter, in path delays: four times the longest time between the two
# readings.
CALCULATED_DELAYS = 4

# time constant of the difference between the grid meter and its prediction (meter_off_W)
METER_OFF_MS = 2000


class State(Words):
    """Powers that a low-pass keeps are in W << 16."""

    source: int  # UNKNOWN, CALCULATED or MEASURED
    load_W: int
    is_connection_known: int
    connection_W: int
    others: int  # power that the load meter does not see
    meter_off: int  # grid meter less the prediction from connection and set-point
    sun_W: int  # PV power as reported last
    reporting: int  # a bit for each inverter that reports now
    is_seen: int  # grid and battery have been known together
    kept: int  # last `others` with a load meter


class SiteLoad(Function):
    """Estimates for the other functions, and the obligation of the grid connection."""

    state: State
    NAME, STAGE = "site_load", MEASURE
    READS = (
        "battery_W",
        "grid_W",
        "is_grid_meter_new",
        "is_load_meter_new",
        "load_meter_W",
        "is_meter_disputed",
        "setpoint_W",
    )
    WRITES = ("connection_W", "is_load_new", "load_W", "load_source", "meter_off_W", "part_W")
    PARAMETERS = (("load_meter_fitted", "bool", 0, 1, 1, "fixed"),)
    TEXTS = reasons.texts("""
        GRID_IMPORT | grid connection import | The grid connection may not import more than its
          limit. | Nothing if it is met. If power is short, reduce the load.
        GRID_EXPORT | grid connection export | The grid connection may not export more than its
          limit. | Nothing if it is met. If power is short, reduce PV or other generation.
    """)

    def __init__(self, setup: Setup):
        self.state = State.zero()
        self._inverters = setup.site.inverters
        self._settings = settings = setup.settings
        self._is_whole = settings["share_permille"] == 1000
        self._others = low_pass(setup.tick_ms, OTHERS_MS)
        self._meter_off = low_pass(setup.tick_ms, METER_OFF_MS)
        delays_ms = CALCULATED_DELAYS * settings["track_path_delay_ms"]
        self._calculated = low_pass(setup.tick_ms, delays_ms)

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[Obligation, ...]:
        """Find load and connection; oblige the battery to keep the connection within its limits."""
        self._estimate(known, findings.is_meter_disputed, elapsed_ticks)
        state, settings = self.state, self._settings
        findings.load_source = state.source
        findings.load_W = state.load_W if state.source else None
        is_measured = state.source == MEASURED
        findings.is_load_new = known.is_load_meter_new if is_measured else known.is_grid_meter_new
        findings.connection_W = findings.part_W = None
        findings.meter_off_W = 0
        if not state.is_connection_known or known.grid_W is None:
            return (self._obligation_without_grid(),)
        findings.connection_W = findings.part_W = state.connection_W
        if is_measured and not self._is_whole:
            findings.part_W = state.load_W - state.sun_W
        off_W = known.grid_W + findings.setpoint_W - findings.connection_W
        findings.meter_off_W = self._lasting_W(off_W, elapsed_ticks)
        imported = settings["grid_import_W_max"], reasons.GRID_IMPORT
        exported = settings["grid_export_W_max"], reasons.GRID_EXPORT
        maxima, quantum_W = (imported, exported), settings["setpoint_quantum_W"]
        return (grid_obligation(GRID_CONNECTION, findings.connection_W, *maxima, quantum_W),)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Forget the estimates off the grid."""
        self.state.source = self.state.meter_off = 0
        findings.connection_W = findings.part_W = findings.load_W = None
        findings.meter_off_W = findings.load_source = 0

    def _obligation_without_grid(self) -> Obligation:
        """Obligation without the grid meter. The import is estimated from the load meter, the last
        known other loads, and the PV power that is reported now. Other generation may be gone, so
        it does not count in the import. It does count in the largest discharge: load less all
        generation, plus the export limit. Without a load meter too, the load counts as 0.
        """
        state, export_W = self.state, self._settings["grid_export_W_max"]
        seen_W = state.load_W - state.sun_W + min(0, state.others >> 16)
        load_W = seen_W if state.source else 0
        high_W = max(0, load_W) + export_W
        low_W = -WIDE_W
        if state.source == MEASURED:
            known = [pv for pv in self._inverters if pv.value("power_W") is not None]
            fresh_W = self._pv_W(known)
            others_W = (state.others >> 16) - (state.sun_W - fresh_W)
            most_W = state.load_W - fresh_W + max(0, others_W)
            low_W = min(high_W, most_W - self._settings["grid_import_W_max"])
        return Obligation(GRID_CONNECTION, low_W, reasons.GRID_IMPORT, high_W, reasons.GRID_EXPORT)

    def numbers(self, code: int) -> dict[str, Any]:
        """Numbers behind the reason: import with the battery at 0, and its limits."""
        return {
            "kind": "connection",
            "connection_W": self.state.connection_W,
            "grid_import_W_max": self._settings["grid_import_W_max"],
            "grid_export_W_max": self._settings["grid_export_W_max"],
        }

    def _lasting_W(self, off_W: int, elapsed_ticks: int) -> int:
        """The lasting part of off_W; 0 if off_W is noise."""
        state = self.state
        off = state.meter_off
        state.meter_off = approach(off, off_W << 16, self._meter_off, elapsed_ticks)
        lasting_W = state.meter_off >> 16
        return lasting_W if abs(lasting_W) >= self._settings["track_dead_band_W"] else 0

    def _estimate(self, known: Known, is_disputed: bool, elapsed_ticks: int) -> None:
        """Fill `state`. Without a fresh grid meter the connection is unknown. While the meters
        contradict each other, `others` keeps its value, and the larger import counts.
        """
        state = self.state
        grid_W, battery_W, load_W = known.grid_W, known.battery_W, known.load_meter_W
        sum_W = None if grid_W is None or battery_W is None else grid_W + battery_W
        source, base_W, fast_W = UNKNOWN if sum_W is None else CALCULATED, 0, 0
        if self._inverters:
            self._take_pv_reports()
        if load_W is not None and self._settings["load_meter_fitted"]:
            source, base_W = MEASURED, load_W * self._settings["share_permille"] // 1000
            fast_W = base_W - state.sun_W
        if source != state.source:
            self._begin(source, fast_W, sum_W)
        elif sum_W is not None and source and not is_disputed:
            unmetered = sum_W - fast_W << 16
            if not state.is_seen:
                state.others = unmetered
            speed = self._others if source == MEASURED else self._calculated
            state.others = approach(state.others, unmetered, speed, elapsed_ticks)
        state.is_seen |= sum_W is not None
        if source == MEASURED:
            state.kept = state.others
        state.is_connection_known = grid_W is not None and source != UNKNOWN
        if source:
            state.connection_W = fast_W + (state.others >> 16)
            state.load_W = base_W if source == MEASURED or sum_W is None else sum_W
        if is_disputed and source and sum_W is not None:
            state.connection_W = max(state.connection_W, sum_W)

    def _pv_W(self, inverters: list[DeviceView]) -> int:
        """This cabinet's share of the last reports of these inverters, each at most its rating."""
        powers_W = [within(pv.read("power_W") or 0, 0, pv.settings["rated_W"]) for pv in inverters]
        return sum(powers_W) * self._settings["share_permille"] // 1000

    def _take_pv_reports(self) -> None:
        """Take the last reports. Until an inverter reports, its power is part of `others`."""
        state, inverters = self.state, self._inverters
        pv_W = self._pv_W([pv for pv in inverters if pv.is_heard("power_W")])
        reports = [pv.value("power_W") is not None for pv in inverters]
        reporting = sum([is_known << place for place, is_known in enumerate(reports)])
        if reporting & ~state.reporting and state.is_seen:
            change = pv_W - state.sun_W << 16
            state.kept += change
            state.others += change if state.source == MEASURED else 0
        state.sun_W, state.reporting = pv_W, reporting

    def _begin(self, source: int, fast_W: int, sum_W: int | None) -> None:
        """Change the source without a jump of connection_W. If there was no source before, and grid
        or battery is unknown, `others` gets its last value with a load meter.
        """
        state = self.state
        before, state.source = state.source, source
        if before != UNKNOWN:
            state.others = state.connection_W - fast_W << 16
        else:
            state.others = state.kept if sum_W is None else sum_W - fast_W << 16
