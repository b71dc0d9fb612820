"""Load tracking: the battery takes the swings of the load, and the grid power follows from the
state of charge.

The load swings faster than the path from its meter to the battery. The naive way asks for the
present load less the grid power. When the battery acts, the load has changed again.

    request = guess of the load at the moment when the battery will act - reference of the grid

The guess (controller/core/tracking/guess.py) looks one path delay ahead. The reference
(controller/core/tracking/reference.py) follows the stored energy. If the available power is too
small for a step, the reference moves at once. Then the grid power changes by the least possible,
and no second jump follows. Load tracking uses no clock and no floating-point numbers.
"""

from array import array

from controller.core.base import reasons
from controller.core.base.answers import FastRequest
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies.contract import FAST, Found, Function, Known, Setup
from controller.core.policies.modes import GRID, RETURN
from controller.core.policies.site_load import MEASURED, UNKNOWN
from controller.core.tracking.announced import Announced
from controller.core.tracking.guess import Guess
from controller.core.tracking.judge import Bounds
from controller.core.tracking.reference import Reference
from controller.core.tracking.sag import Sag
from controller.core.tracking.strict import NO_RULE_W

# If the load is unknown for less than this time, the reference keeps its value.
LOST_MS_MAX = 10_000
# Within this many dead bands of an end of the available power, this end is named as the reason.
EDGE_DEAD_BANDS = 5


class State(Words):
    """State of load tracking, without guess and reference."""

    source: int  # of the load's power: site_load.UNKNOWN, CALCULATED or MEASURED
    out_W: int  # power that it asked for
    lost_ms: int  # time for which the load has been unknown
    before_plus_1: int  # 1 + charge of the last tick, permille; 0: no charge is held
    held_permille: int  # charge that is held


BEGIN = State("q", [UNKNOWN, 0, LOST_MS_MAX, 0, 0])

# The order of all parameters is fixed by the journal. These came later, so they are at the end.
LATER_PARAMETERS = (
    # time constant of the converter, a part of the path delay
    ("track_lag_ms", "ms", 1, 1000, 20, "free"),
    # peak-to-peak range in 5 s that the grid operator allows, above 0.1 Hz; default: no rule. At
    # least 1 kW, because noise of 300 W rms (judge.CALM_W) alone has this range.
    ("range_5s_W_max", "W", 1000, NO_RULE_W, NO_RULE_W, "down"),
)


class Track(Function):
    """Load tracking."""

    state: State
    NAME, STAGE = "track", FAST
    READS = (
        "added_W",
        "bridged_permille",
        "connection_W",
        "grid_voltage_permille",
        "is_exact",
        "is_high_obliged",
        "is_load_new",
        "is_low_obliged",
        "is_meter_tested",
        "is_requested",
        "is_shed",
        "left_high_W",
        "left_low_W",
        "left_setpoint_W",
        "load_W",
        "load_source",
        "mode",
        "notices",
        "path_delay_ms",
        "scheduled_source",
        "soc_permille",
        "source",
    )
    PARAMETERS = (
        # The target is the middle between the peaks reserve and the taper near full charge.
        ("energy_Wh", "Wh", 1000, 500_000_000, 645_000, "fixed"),
        ("soc_target_permille", "permille", 0, 1000, 550, "free"),
        # share of the energy that a step of the rated power may cost
        ("track_energy_share_permille", "permille", 20, 500, 250, "free"),
        # path delay, from a change of the load to the battery's answer, until a start measures it
        ("track_path_delay_ms", "ms", 20, 2000, 250, "free"),
        # range in which a measured path delay is believed
        ("track_path_delay_ms_min", "ms", 20, 2000, 40, "free"),
        ("track_path_delay_ms_max", "ms", 20, 2000, 500, "free"),
        # how often the load meter has a new value
        ("track_sample_ms", "ms", 10, 2000, 100, "free"),
        ("track_dead_band_W", "W", 0, 100_000, 100, "free"),
        ("track_fall_ramp_W_per_s", "W/s", 100, 100_000_000, 25_000, "free"),
    )
    TEXTS = reasons.texts("""
        LOAD_TRACKING | load tracking | Load tracking lets the battery take the fast swings of the
          load. | Nothing.
        LOAD_UNKNOWN | load unknown | The load is unknown: no meter reports it. Load tracking goes
          to zero power. | Check the load meter and the grid meter: page Links.
        TRACKING_PAUSED | load tracking pauses | A source asks for an exact power, so load tracking
          adds nothing. | Nothing: load tracking goes on when that request ends.
    """)

    def __init__(self, setup: Setup):
        settings, tick_ms = setup.settings, setup.tick_ms
        self._delay_ms = settings["track_path_delay_ms"]
        delay_ms_max = max(settings["track_path_delay_ms_max"], self._delay_ms)
        self._tick_ms = tick_ms
        sample_ms, lag_ms = settings["track_sample_ms"], settings["track_lag_ms"]
        bounds_W = Bounds(setup.rated_W, settings["range_5s_W_max"])
        self.guess = Guess(tick_ms, sample_ms, delay_ms_max, lag_ms, bounds_W)
        energy_Wh, energy_share = settings["energy_Wh"], settings["track_energy_share_permille"]
        self.reference = Reference(tick_ms, energy_Wh, energy_share, setup.rated_W)
        sources, share = len(setup.sources), settings["share_permille"]
        self.announced = Announced(tick_ms, sample_ms, sources, share)
        self.sag = Sag(tick_ms)
        self._soc_target = settings["soc_target_permille"]
        self._dead_band_W = settings["track_dead_band_W"]
        self._quantum_W = settings["setpoint_quantum_W"]
        self._fall_W = max(1, settings["track_fall_ramp_W_per_s"] * tick_ms // 1000)
        self.state = State("q", BEGIN)

    def arrays(self) -> list["array[int]"]:
        """Every array that carries over to the next tick, in the order of the journal."""
        words = self.reference.words, self.announced.words
        return [self.state, *self.guess.arrays(), *words, self.sag.state]

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[FastRequest, ...]:
        """The power that load tracking asks for, in whole quanta."""
        voltage_permille = known.grid_voltage_permille if findings.mode == GRID else 0
        is_sag = self.sag.step(voltage_permille, elapsed_ticks) and not findings.is_exact
        if is_sag and findings.load_W is not None and self.state.lost_ms == 0:
            self.state.source = UNKNOWN  # the guess begins anew afterwards, the reference does not
            held_W = self._quantized(self.state.out_W - self.announced.begin())
            return (FastRequest(held_W, reasons.LOAD_TRACKING),)
        if findings.is_exact:
            if findings.load_W is not None:  # the guess continues; tracking later begins at 0
                self._tracked_W(findings.load_W, known, findings, elapsed_ticks)
            self.state.out_W = 0
            return (FastRequest(0, reasons.TRACKING_PAUSED),)
        if findings.load_W is None:
            power_W = self._ramp_down(findings.left_setpoint_W, elapsed_ticks)
            return (FastRequest(power_W, reasons.LOAD_UNKNOWN),)
        power_W = self._tracked_W(findings.load_W, known, findings, elapsed_ticks)
        return (FastRequest(power_W, reasons.LOAD_TRACKING),)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Forget the state, so that tracking begins anew on the grid."""
        self.state[:] = BEGIN

    def _tracked_W(self, load_W: int, known: Known, findings: Found, elapsed_ticks: int) -> int:
        state, reference = self.state, self.reference
        low_W, high_W = self._grid_range_W(load_W, findings)
        if findings.load_source != state.source:
            self.guess.begin(load_W)
            self.announced.begin()
            # The grid takes over the battery's power at the end of an island (formed.py). If
            # tracking counted this power as its own, the battery would keep it.
            own_W = findings.left_setpoint_W if findings.mode != RETURN else 0
            if state.lost_ms >= LOST_MS_MAX:
                reference.begin(load_W - own_W, low_W, high_W)
            state.source, state.out_W = findings.load_source, own_W
            state.lost_ms = 0
        delay_ms = findings.path_delay_ms or self._delay_ms
        is_own = findings.load_source == MEASURED
        guess_W = self.guess.step(load_W, findings.is_load_new, elapsed_ticks, delay_ms, is_own)
        announced = findings.notices, elapsed_ticks, delay_ms, self.guess.room_W
        ahead_W = self.announced.ahead_W(load_W, guess_W, *announced) if is_own else guess_W
        # A meter test moves the battery by its code, and a stage of the load that comes back is no
        # swing. Tracking begins at 0 after both, and in a return once the grid is certain.
        is_uncertain = findings.mode == RETURN and findings.source is None
        if findings.is_meter_tested or findings.is_exact or findings.is_shed or is_uncertain:
            reference.begin(load_W, load_W, load_W)
            return self._quantized(guess_W - load_W)
        stores_pv, is_surplus = _stores_pv(findings), _is_surplus(findings)
        soc_and_power = self._soc_error(known, findings), findings.left_setpoint_W, elapsed_ticks
        reference.step(*soc_and_power, findings.is_requested, not stores_pv, findings.added_W != 0)
        fast = self.guess.fast
        # When PV recovers after a cloud, the battery gives less while the grid stays at its cap. So
        # the end of this hold makes no edge.
        is_clouded = findings.is_low_obliged and load_W > (findings.connection_W or load_W)
        leaves_trace = not (is_surplus or is_clouded)
        reference.hold(low_W, high_W, fast, elapsed_ticks, leaves_trace, stores_pv)
        return self._quantized(self._request_W(ahead_W, findings))

    def _grid_range_W(self, load_W: int, findings: Found) -> tuple[int, int]:
        """The range in which the available power can hold the grid. The reference keeps a distance
        from an end that an obligation sets: the largest recent error of the guess. Otherwise each
        such error would lift the grid above its cap.
        """
        low_W, high_W = load_W - findings.left_high_W, load_W - findings.left_low_W
        margin_W = min(self.guess.error_W, (high_W - low_W) // 2)
        if findings.is_high_obliged:
            low_W += margin_W
        if findings.is_low_obliged:
            high_W -= margin_W
        return low_W, high_W

    def _soc_error(self, known: Known, findings: Found) -> int | None:
        """Target less state of charge, permille. During a request, its sender controls the state of
        charge. Between the requests of a schedule the state of charge is held. A surplus stored
        because of the export limit is kept. Energy given for a cap of the import is not bought
        back, because the sender knows the prices. But tracking returns the energy that it took from
        the grid; otherwise each cloud would add some to the battery.
        """
        state = self.state
        if known.soc_permille is None or findings.is_requested:
            state.before_plus_1 = 0
            return None
        mean_permille = known.soc_permille[1] + findings.bridged_permille
        if not findings.scheduled_source:
            state.before_plus_1 = 0
            return self._soc_target - mean_permille
        # a cap of the import obliges the battery to give
        is_capped = findings.is_low_obliged and findings.left_low_W > 0
        if state.before_plus_1 and _stores_pv(findings):
            state.held_permille += mean_permille - (state.before_plus_1 - 1)
        elif not state.before_plus_1 or _is_surplus(findings) or is_capped:
            state.held_permille = mean_permille
        state.before_plus_1 = mean_permille + 1
        return state.held_permille - mean_permille

    def _request_W(self, guess_W: int, findings: Found) -> int:
        """The request, W. Near an end of the available power, it is the power that tracking would
        ask for without this end.
        """
        wanted_W = guess_W - self.reference.wanted_W
        free_W = guess_W - self.reference.free_W
        near_W = EDGE_DEAD_BANDS * self._dead_band_W
        if wanted_W + near_W >= findings.left_high_W:
            return max(wanted_W, free_W)
        if wanted_W - near_W <= findings.left_low_W:
            return min(wanted_W, free_W)
        return wanted_W

    def _ramp_down(self, previous_W: int, elapsed_ticks: int) -> int:
        state = self.state
        step_W = self._fall_W * elapsed_ticks
        lost_ms = state.lost_ms + elapsed_ticks * self._tick_ms
        state.source, state.lost_ms = UNKNOWN, min(lost_ms, LOST_MS_MAX)
        state.out_W = previous_W - within(previous_W, -step_W, step_W)
        return state.out_W

    def _quantized(self, wanted_W: int) -> int:
        """Round to whole quanta. A change below the dead band is ignored, because the battery must
        not follow noise.
        """
        state = self.state
        if abs(wanted_W - state.out_W) >= self._dead_band_W:
            quantum_W = self._quantum_W
            state.out_W = (wanted_W + quantum_W // 2) // quantum_W * quantum_W
        elif 2 * abs(wanted_W) < self._dead_band_W:
            state.out_W = 0
        return state.out_W


def _is_surplus(findings: Found) -> bool:
    """True if the battery must charge more than requested, or may not give the whole request."""
    return findings.left_high_W < 0


def _stores_pv(findings: Found) -> bool:
    """True if an obligation makes the battery charge because of the export limit."""
    return _is_surplus(findings) and findings.is_high_obliged
