"""Frequency response: the battery gives power while the frequency of the grid is low, and takes
power while it is high, by a droop.

    power = rated power x (distance from nominal - dead band) / (nominal x droop), at most the limit

A request cannot do this: load tracking and a schedule would use the same power, and a cap would
withhold it. So the response is added behind the ramp. A band below it keeps the limit's power free
of requests and peak shaving in both directions, and energy for droop_reserve_s at the limit. The
limits of the grid connection come later, so they win. The used energy comes back by load tracking
(track.py) while the frequency is in the dead band, or by the next plan.

A phase jump looks like a step of the frequency for one reading. So a reading that is far from the
one before counts only when the next one confirms it. Without readings the response stays for
HOLD_MS, then it falls to 0. The frequency of a real grid always moves, so a value that does not
change for droop_stuck_s counts as no reading.
"""

from collections.abc import Mapping
from typing import Any

from controller.core.base import reasons
from controller.core.base.answers import Cap, Obligation
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies.contract import BOUND, Found, Function, Known, Setup

RANK = (35, "frequency_response")  # below the limits of the connection
FREQUENCY_RESPONSE, FREQUENCY_UNKNOWN, FREQUENCY_KEPT = 326, 327, 430  # reason codes
FAR_MHZ = 5000  # farther from nominal it is no frequency of this grid
JUMP_MHZ = 500  # 2.5 Hz/s at the slowest reading of 200 ms; grids change by less
HOLD_MS, FALL_MS = 2000, 10_000  # FALL_MS: from the limit to 0 while the frequency is unknown
# The energy band opens over so many permille of charge, and at most so fast.
TAPER_PERMILLE, TAPER_MS, WHOLE = 10, 60_000, 1_000_000
LOSS_PERMILLE = 900  # energy at the terminals, of the energy in the cells
_TEXTS = """
    FREQUENCY_RESPONSE | frequency response | The battery supports the frequency of the grid by its
      droop. | Nothing: it ends when the frequency is back.
    FREQUENCY_UNKNOWN | grid frequency unknown | The grid meter reports no frequency that moves, so
      the battery does not respond to it. | Check the grid meter: page Links.
    FREQUENCY_KEPT | kept for frequency response | Power and energy are kept for the frequency
      response. | Nothing: energy comes back after a response.
"""


def response_W(off_mHz: int, dead_band_mHz: int, full_mHz: int, rated_W: int, limit_W: int) -> int:
    """Power by the droop. off_mHz: nominal less frequency; full_mHz: distance behind the dead band
    at which the rated power is due.
    """
    behind_mHz = max(0, abs(off_mHz) - dead_band_mHz)
    power_W = min(limit_W, behind_mHz * rated_W // full_mHz)
    return power_W if off_mHz > 0 else -power_W


def kept_permille(settings: Mapping[str, int]) -> tuple[int, int]:
    """(lowest, highest) state of charge that the response leaves to others, permille."""
    energy_Wh = settings["droop_W_max"] * settings["droop_reserve_s"] // 3600
    need = -(-energy_Wh * 1_000_000 // (settings["energy_Wh"] * LOSS_PERMILLE))
    return settings["soc_reserve_backup_permille"] * (need > 0) + need, 1000 - need


class State(Words):
    """The frequency, the response, and the shares of the band in millionths."""

    frequency_mHz: int  # the last one that counts
    read_mHz: int  # the last reading
    age_ms: int  # time since a reading that counts
    same_ms: int  # time since the reading changed
    response_W: int
    discharge_share: int
    charge_share: int


BEGIN = State("q", [0, 0, HOLD_MS, 0, 0, 0, 0])


class Droop(Function):
    """The response, and the band that keeps its power and energy. It is off if its limit is 0."""

    state: State
    NAME, STAGE = "droop", BOUND
    READS = ("grid_frequency_mHz", "is_grid_meter_new", "limit", "soc_permille")
    PARAMETERS = (
        # largest response of this cabinet, W; 0: no response
        ("droop_W_max", "W", 0, 100_000_000, 0, "down"),
        # change of the frequency for the rated power, of nominal; 50 and 36 mHz: FERC order 842
        ("droop_permille", "permille", 2, 200, 50, "fixed"),
        ("droop_dead_band_mHz", "mHz", 0, 500, 36, "fixed"),
        ("nominal_frequency_mHz", "mHz", 50_000, 60_000, 50_000, "fixed"),
        ("droop_reserve_s", "s", 0, 7200, 900, "up"),
        ("droop_stuck_s", "s", 5, 600, 30, "down"),
    )
    TEXTS = reasons.texts(
        _TEXTS,
        FREQUENCY_RESPONSE=FREQUENCY_RESPONSE,
        FREQUENCY_UNKNOWN=FREQUENCY_UNKNOWN,
        FREQUENCY_KEPT=FREQUENCY_KEPT,
    )

    def __init__(self, setup: Setup):
        settings = setup.settings
        self._limit_W = settings["droop_W_max"]
        self._nominal_mHz = settings["nominal_frequency_mHz"]
        full_mHz = self._nominal_mHz * settings["droop_permille"] // 1000
        self.curve = settings["droop_dead_band_mHz"], full_mHz, setup.rated_W, self._limit_W
        self._low, self._high = kept_permille(settings)
        self._stuck_ms = settings["droop_stuck_s"] * 1000
        self._ramp_W_per_s = settings["setpoint_ramp_W_per_s"]
        self._tick_ms = setup.tick_ms
        self.state = State("q", BEGIN)

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> tuple[Cap | Obligation, ...]:
        """The response, and the band within which the power without it stays."""
        if not self._limit_W:
            return ()
        state, passed_ms = self.state, elapsed_ticks * self._tick_ms
        self._read(known, passed_ms)
        if self.is_known:
            asked_W = response_W(self._nominal_mHz - state.frequency_mHz, *self.curve)
            step_W = self._ramp_W_per_s * passed_ms // 1000
        else:
            asked_W, step_W = 0, -(-self._limit_W * passed_ms // FALL_MS)
        state.response_W = now_W = within(
            asked_W, state.response_W - step_W, state.response_W + step_W
        )
        charge_W, discharge_W = self._band_W(known, passed_ms)
        kept = FREQUENCY_KEPT
        code = FREQUENCY_RESPONSE if self.is_known else FREQUENCY_UNKNOWN
        ends = now_W - charge_W, code, now_W + discharge_W, code
        return Cap(charge_W, kept, discharge_W, kept), Obligation(RANK, *ends, now_W)

    def hold(self, known: Known, found: Found, elapsed_ticks: int) -> None:
        """Forget the frequency off the grid."""
        self.state[:] = BEGIN

    @property
    def is_known(self) -> bool:
        """True while a reading of the frequency counts."""
        return self.state.age_ms < HOLD_MS and self.state.same_ms < self._stuck_ms

    def _read(self, known: Known, passed_ms: int) -> None:
        """Take the reading of this tick, if there is one."""
        state, now_mHz = self.state, known.grid_frequency_mHz
        state.age_ms = min(HOLD_MS, state.age_ms + passed_ms)
        state.same_ms = min(self._stuck_ms, state.same_ms + passed_ms)
        if not known.is_grid_meter_new or abs(now_mHz - self._nominal_mHz) > FAR_MHZ:
            return
        before_mHz, state.read_mHz = state.read_mHz, now_mHz
        if now_mHz != before_mHz:
            state.same_ms = 0
        if abs(now_mHz - before_mHz) <= JUMP_MHZ:
            state.frequency_mHz, state.age_ms = now_mHz, 0

    def _band_W(self, known: Known, passed_ms: int) -> tuple[int, int]:
        """(charge, discharge) that are left to others, W."""
        state, soc = self.state, known.soc_permille
        above, below = (soc[0] - self._low, self._high - soc[1]) if soc else (0, 0)
        most = passed_ms * WHOLE // TAPER_MS
        state.discharge_share = _moved(state.discharge_share, above, most)
        state.charge_share = _moved(state.charge_share, below, most)
        charge_W, discharge_W = (
            max(0, most_W - self._limit_W)
            for most_W in (known.limit.charge_W_max, known.limit.discharge_W_max)
        )
        return charge_W * state.charge_share // WHOLE, discharge_W * state.discharge_share // WHOLE

    def numbers(self, code: int) -> dict[str, Any]:
        """Numbers behind the reason: the frequency, and what is kept."""
        return {
            "kind": "frequency",
            "frequency_mHz": self.state.frequency_mHz,
            "response_W": self.state.response_W,
            "droop_W_max": self._limit_W,
            "low_permille": self._low,
            "high_permille": self._high,
        }


def _moved(share: int, room_permille: int, most: int) -> int:
    """The share of the band after a step towards the room that the state of charge leaves."""
    wanted = within(room_permille, 0, TAPER_PERMILLE) * WHOLE // TAPER_PERMILLE
    return within(wanted, share - most, share + most)
