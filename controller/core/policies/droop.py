"""Frequency response: the battery gives power while the frequency of the grid is low, and takes
power while it is high, by a droop.

    power = rated power x (distance from nominal - dead band) / (nominal x droop), at most the limit

A request cannot do this: load tracking and a schedule would use the same power, and a cap would
withhold it. So the response is added behind the ramp. A band for all other powers, peak shaving
too, keeps droop_W_max free in both directions, and energy for droop_reserve_s. The limits of the
grid connection come later, so they win. The used energy comes back by load tracking (track.py)
while the frequency is in the dead band, or by the next plan.

A phase jump looks like a step of the frequency until the meter measures again, so a step counts
when it has lasted for STEP_MS (../base/integrity.py). Without readings the response stays for
HOLD_MS, then it falls to 0, and `contradicted` names the frequency. No other device measures the
frequency, so two bounds replace the comparison. A value that does not change for droop_stuck_s
counts as no reading. A frequency that stays on one side of the dead band counts until the response
has moved its reserve of energy: a meter that is wrong by a constant moves no more than this.
"""

from array import array
from collections.abc import Mapping
from typing import Any

from controller.core.base import reasons
from controller.core.base.answers import Cap, Obligation
from controller.core.base.integers import within
from controller.core.base.integrity import WORDS, Integrity
from controller.core.base.words import Words
from controller.core.policies.contract import BOUND, Found, Function, Known, Setup

RANK = (35, "frequency_response")  # below the limits of the connection
FREQUENCY_RESPONSE, FREQUENCY_UNKNOWN, FREQUENCY_KEPT = 326, 327, 430  # reason codes
# A frequency farther from nominal is wrong: power plants leave the grid at 47.5 and 51.5 Hz.
FAR_MHZ = 3000
# A phase jump of 20 degrees moves a mean of 200 ms by 280 mHz. A grid that moves by 1 Hz/s is
# within JUMP_MHZ at a meter of 100 ms. A larger step counts after STEP_MS: the slowest meter for a
# response has measured it twice by then.
JUMP_MHZ, STEP_MS, SLOWEST_MS = 150, 300, 200
# least time of the largest response whose energy bounds a frequency beside the dead band
SPENT_S_MIN = 900
HOLD_MS, FALL_MS = 2000, 10_000  # FALL_MS: from the limit to 0 while the frequency is unknown
# The power for others opens over TAPER_PERMILLE of charge, and takes TAPER_MS at least.
TAPER_PERMILLE, TAPER_MS, WHOLE = 10, 60_000, 1_000_000
LOSS_PERMILLE = 900  # energy at the terminals, of the energy in the cells
_TEXTS = """
    FREQUENCY_RESPONSE | frequency response | The battery supports the frequency of the grid by its
      droop. | Nothing: it ends when the frequency is back.
    FREQUENCY_UNKNOWN | grid frequency unknown | The grid meter reports no frequency that moves near
      its nominal value, so the battery does not respond to it. | Check the grid meter: page Links.
      Compare nominal_frequency_mHz with the grid.
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
    need_permille = -(-energy_Wh * 1_000_000 // (settings["energy_Wh"] * LOSS_PERMILLE))
    if not need_permille:
        return 0, 1000
    return settings["soc_reserve_backup_permille"] + need_permille, 1000 - need_permille


class State(Words):
    """The frequency, the response, and the shares of the band in millionths."""

    read_mHz: int  # the last reading
    heard_ms: int  # time since that reading, at most SLOWEST_MS: a silence confirms no jump
    age_ms: int  # time since a reading that counts
    same_ms: int  # time since the reading changed
    response_W: int
    moved_mJ: int  # energy of the response since the frequency was in the dead band
    discharge_share: int
    charge_share: int


BEGIN = State("q", [0, 0, HOLD_MS, 0, 0, 0, 0, 0])


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
    OUTPUTS = ("frequency_unknown",)  # 1: there is no response, because the frequency is unknown

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
        spent_s = max(settings["droop_reserve_s"], SPENT_S_MIN)
        self._most_mJ = self._limit_W * spent_s * 1000
        self.state, self.more = State.zero(), [array("q", [0] * WORDS)]
        self._begin()
        self.out = array("i", [0])

    def _begin(self) -> None:
        self.state[:] = BEGIN
        self._frequency = Integrity(self.more[0], 0, JUMP_MHZ, HOLD_MS, STEP_MS)
        self._frequency.take(self._nominal_mHz, 0, 0)  # a first reading far from it waits

    def contradicted(self) -> list[tuple[str, int]]:
        """See contract.Function."""
        return [("meter_grid.frequency_mHz", FREQUENCY_UNKNOWN)] if self.out[0] else []

    def step(
        self, known: Known, findings: Found, elapsed_ticks: int
    ) -> tuple[Cap | Obligation, ...]:
        """The response, and the band that keeps its power and energy."""
        if not self._limit_W:
            return ()
        state, passed_ms = self.state, elapsed_ticks * self._tick_ms
        self._read(known, passed_ms)
        asked_W, is_known = self._asked_W(passed_ms), self.is_known
        self.out[0] = not is_known
        if is_known:
            step_W = self._ramp_W_per_s * passed_ms // 1000
        else:
            asked_W, step_W = 0, -(-self._limit_W * passed_ms // FALL_MS)
        state.response_W = now_W = within(
            asked_W, state.response_W - step_W, state.response_W + step_W
        )
        charge_W, discharge_W = self._band_W(known, passed_ms)
        code = FREQUENCY_RESPONSE if is_known else FREQUENCY_UNKNOWN
        bounds = now_W - charge_W, code, now_W + discharge_W, code
        cap = Cap(charge_W, FREQUENCY_KEPT, discharge_W, FREQUENCY_KEPT)
        return cap, Obligation(RANK, *bounds, now_W)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Forget the frequency off the grid."""
        self._begin()
        self.out[0] = 0

    @property
    def is_known(self) -> bool:
        """True while a reading of the frequency counts."""
        state = self.state
        is_spent = abs(state.moved_mJ) >= self._most_mJ
        return state.age_ms < HOLD_MS and state.same_ms < self._stuck_ms and not is_spent

    def _asked_W(self, passed_ms: int) -> int:
        """Power by the droop. It adds to the energy that bounds it."""
        state, off_mHz = self.state, self._nominal_mHz - (self._frequency.value or 0)
        asked_W = response_W(off_mHz, *self.curve)
        counts_ms = passed_ms if state.age_ms < HOLD_MS else 0
        moved_mJ = state.moved_mJ + asked_W * counts_ms if asked_W else 0
        state.moved_mJ = within(moved_mJ, -self._most_mJ, self._most_mJ)
        return asked_W

    def _read(self, known: Known, passed_ms: int) -> None:
        """Take the reading of this tick, if there is one."""
        state, now_mHz, frequency = self.state, known.grid_frequency_mHz, self._frequency
        state.age_ms = min(HOLD_MS, state.age_ms + passed_ms)
        state.heard_ms = min(SLOWEST_MS, state.heard_ms + passed_ms)
        state.same_ms = min(self._stuck_ms, state.same_ms + passed_ms)
        if not known.is_grid_meter_new or abs(now_mHz - self._nominal_mHz) > FAR_MHZ:
            return
        before_mHz, state.read_mHz = state.read_mHz, now_mHz
        if now_mHz != before_mHz:
            state.same_ms = 0
        frequency.advance(state.heard_ms)
        frequency.take(now_mHz, 0, 0)
        state.heard_ms = 0
        if frequency.value == now_mHz and not frequency.is_doubted:
            state.age_ms = 0

    def _band_W(self, known: Known, passed_ms: int) -> tuple[int, int]:
        """(charge, discharge) that the response leaves to others, W."""
        state, soc = self.state, known.soc_permille
        left, room = (soc[0] - self._low, self._high - soc[1]) if soc else (0, 0)
        step_max = passed_ms * WHOLE // TAPER_MS
        state.discharge_share = _moved(state.discharge_share, left, step_max)
        state.charge_share = _moved(state.charge_share, room, step_max)
        charge_W = max(0, known.limit.charge_W_max - self._limit_W)
        discharge_W = max(0, known.limit.discharge_W_max - self._limit_W)
        return charge_W * state.charge_share // WHOLE, discharge_W * state.discharge_share // WHOLE

    def numbers(self, code: int) -> dict[str, Any]:
        """Numbers behind the reason: the frequency, and what is kept."""
        return {
            "kind": "frequency",
            "frequency_mHz": self._frequency.value or 0,
            "response_W": self.state.response_W,
            "droop_W_max": self._limit_W,
            "low_permille": self._low,
            "high_permille": self._high,
        }


def _moved(share: int, room_permille: int, step_max: int) -> int:
    """The share after a step towards the part that the state of charge allows, millionths."""
    wanted = within(room_permille, 0, TAPER_PERMILLE) * WHOLE // TAPER_PERMILLE
    return within(wanted, share - step_max, share + step_max)
