"""Load tracking: the battery takes the fast swings, the grid follows slowly, the state of charge
comes back to target.

1. Reference. The grid should draw R, a slow first-order follower of the load plus what brings the
   state of charge back. A load that moved by X costs X * time constant of energy (more while R runs
   at its ramp limit), so the battery cannot run away with the load. Where the wanted battery power
   leaves what is available, R is carried along at once: the grid changes by the least possible and
   never catches up in one jump later. Starting with nothing available, R is the load itself: it
   begins without a bump.
2. Fast path. What the load meter says now reaches the terminals one path delay later, so a swing
   faster than about 1 / (6 * delay) would be answered in the wrong phase and made worse. The load
   is split by two low-passes into low + mid + high (exact sum); mid and high are passed on with the
   gains that would have left the least grid swing over the last seconds (least squares in two
   unknowns, one sweep a tick), had they arrived one path delay late, or half of one: the real delay
   lies between. A step or a slow load gets gain 1, a ramp more (it is ahead by then), a swing too
   fast for the delay none.

No clock, no float: powers carry 16 fractional bits, filter factors 24, gains 10.
"""

from array import array

from controller.core import contract, reasons
from controller.core.answers import FastRequest
from controller.core.contract import Function
from controller.core.integers import low_pass, within
from controller.core.policies.site_load import MEASURED, UNKNOWN

GAIN_ONE = 1024
GAIN_MID_MAX = GAIN_ONE
# the exact lead for a ramp: high is slope * 2 delays, the ramp moves slope * 1 delay
GAIN_HIGH_MAX = GAIN_ONE * 3 // 2
MID_DELAYS = 8  # time constants of the two low-passes and of the fit, in path delays
HIGH_DELAYS = 2
FIT_DELAYS = 30
DELAY_TICKS_MAX = 100

(
    S_SOURCE,
    S_REFERENCE,
    S_FREE,
    S_LOW,
    S_MID,
    S_OUT,
    S_POSITION,
    S_GAIN_MID,
    S_GAIN_HIGH,
    S_MM,
    S_HH,
    S_MH,
    S_ZM,
    S_ZH,
    S_GRID_LOW,
    S_GRID_HIGH,
) = range(16)
S_PAST = 16  # ring of (low, mid, high) in W, one path delay long


class Track(Function):
    """Load tracking."""

    NAME, STAGE = "track", contract.FAST
    PARAMETERS = (
        # Target: the middle of what lies between the soft reserve and the taper near full.
        ("energy_Wh", "Wh", 1000, 500_000_000, 645_000, "fixed"),
        ("soc_target_permille", "permille", 0, 1000, 550, "free"),
        ("soc_recovery_s", "s", 60, 86_400, 1200, "free"),
        ("soc_recovery_W_max", "W", 0, 100_000_000, 25_000, "free"),
        ("track_time_constant_s", "s", 5, 3600, 120, "free"),
        ("track_grid_ramp_W_per_s", "W/s", 10, 100_000_000, 1000, "down"),
        # from a change of the load to the battery's answer, until a start has measured it ...
        ("track_path_delay_ms", "ms", 20, 2000, 250, "free"),
        # ... and between what a measured one is believed
        ("track_path_delay_ms_min", "ms", 20, 2000, 40, "free"),
        ("track_path_delay_ms_max", "ms", 20, 2000, 500, "free"),
        # how often the load meter has a new value
        ("track_sample_ms", "ms", 10, 2000, 100, "free"),
        ("track_dead_band_W", "W", 0, 100_000, 200, "free"),
        ("track_fall_ramp_W_per_s", "W/s", 100, 100_000_000, 25_000, "free"),
    )
    TEXTS = {
        reasons.LOAD_TRACKING: (
            "load tracking",
            "Load tracking lets the battery take the fast swings of the load.",
            "Nothing.",
        ),
        reasons.LOAD_UNKNOWN: (
            "load unknown",
            "No meter tells the load, so load tracking goes to zero power.",
            "Check the load meter and the grid meter: page Links.",
        ),
    }

    def __init__(self, setup):
        settings, tick_ms = setup.settings, setup.tick_ms
        delay_ms = settings["track_path_delay_ms"]
        self.delay_ticks = within(-(-delay_ms // tick_ms), 1, DELAY_TICKS_MAX)
        self.state = array("q", [0] * (S_PAST + 3 * self.delay_ticks))
        self._high = low_pass(tick_ms, HIGH_DELAYS * delay_ms)
        self._mid = low_pass(tick_ms, MID_DELAYS * delay_ms)
        self._fit = low_pass(tick_ms, FIT_DELAYS * delay_ms)
        self._slow = low_pass(tick_ms, 1000 * settings["track_time_constant_s"])
        self._ramp = (settings["track_grid_ramp_W_per_s"] * tick_ms << 16) // 1000
        self._soc_target = settings["soc_target_permille"]
        self._soc_gain = (settings["energy_Wh"] * 18 << 16) // (5 * settings["soc_recovery_s"])
        self._soc_W_max = settings["soc_recovery_W_max"] << 16
        self._dead_band_W = settings["track_dead_band_W"]
        self._quantum_W = settings["setpoint_quantum_W"]
        self._fall = max(1, settings["track_fall_ramp_W_per_s"] * tick_ms // 1000)
        self._ridge = (2 * self._dead_band_W + 100) ** 2
        self.state[S_GAIN_MID] = self.state[S_GAIN_HIGH] = GAIN_ONE

    def step(self, view, elapsed_ticks: int) -> tuple:
        """The power it asks for, in whole quanta."""
        if view.load_source == UNKNOWN:
            return (
                FastRequest(self._let_go(view.setpoint_W, elapsed_ticks), reasons.LOAD_UNKNOWN),
            )
        return (FastRequest(self._tracked_W(view, elapsed_ticks), reasons.LOAD_TRACKING),)

    def _tracked_W(self, view, elapsed_ticks):
        state, load_W, low_W, high_W = self.state, view.load_W, view.low_W, view.high_W
        if view.load_source != state[S_SOURCE]:
            self._take_over(view.load_source, load_W, view.setpoint_W)
            state[S_GRID_LOW], state[S_GRID_HIGH] = load_W - high_W << 16, load_W - low_W << 16
        fast_W = self._fast_W(view.load_source, load_W)
        # while a request is in force the state of charge is its sender's
        free = view.soc_permille is not None and not view.is_requested
        soc_error = self._soc_target - view.soc_permille[1] if free else 0
        held = self._follow(load_W, soc_error, low_W, high_W, elapsed_ticks)
        slow_W = state[S_LOW]
        wanted_W = fast_W + (slow_W - state[S_REFERENCE] >> 16)
        if held and (
            wanted_W + self._dead_band_W >= high_W
            if held > 0
            else wanted_W - self._dead_band_W <= low_W
        ):
            # at the edge anyway: name what it would take
            free_W = fast_W + (slow_W - state[S_FREE] >> 16)
            wanted_W = max(wanted_W, free_W) if held > 0 else min(wanted_W, free_W)
        return self._settle(wanted_W)

    def _let_go(self, previous_W, elapsed_ticks):
        state = self.state
        step_W = self._fall * elapsed_ticks
        state[S_SOURCE] = UNKNOWN
        state[S_OUT] = previous_W - within(previous_W, -step_W, step_W)
        return state[S_OUT]

    def _take_over(self, source, load_W, previous_W):
        """Begin, or change the source of the load, without a bump: the reference is what the grid
        draws now.
        """
        state = self.state
        state[S_SOURCE] = source
        state[S_LOW] = state[S_MID] = load_W << 16
        state[S_REFERENCE] = state[S_FREE] = load_W - previous_W << 16
        state[S_OUT] = previous_W
        for index in range(S_PAST, len(state), 3):
            state[index], state[index + 1], state[index + 2] = load_W, 0, 0

    def _fast_W(self, source, load_W):
        """Split the load, refit the gains, return mid and high with their gains, W."""
        state = self.state
        load = load_W << 16
        both = state[S_MID] + ((load - state[S_MID]) * self._high >> 24)
        low = state[S_LOW] + ((both - state[S_LOW]) * self._mid >> 24)
        state[S_MID], state[S_LOW] = both, low
        mid_W, high_W = both - low >> 16, load - both >> 16
        ticks, position = self.delay_ticks, state[S_POSITION]
        newest = S_PAST + 3 * (position >> 1)
        past = (
            newest if position & 1 else S_PAST + 3 * (((position >> 1) + (ticks + 1 >> 1)) % ticks)
        )
        self._refit(
            load_W - state[past],
            state[past + 1],
            state[past + 2],
            GAIN_HIGH_MAX if source == MEASURED else 0,
        )
        state[newest], state[newest + 1], state[newest + 2] = low >> 16, mid_W, high_W
        state[S_POSITION] = (position + 2) % (2 * ticks) ^ 1
        return state[S_GAIN_MID] * mid_W + state[S_GAIN_HIGH] * high_W >> 10

    def _refit(self, missing_W, mid_W, high_W, gain_high_max):
        """missing_W: what the mid and high of one delay ago (mid_W, high_W) ought to have supplied
        by now.
        """
        state, fit, ridge = self.state, self._fit, self._ridge
        mm = state[S_MM] = state[S_MM] + ((mid_W * mid_W - state[S_MM]) * fit >> 24)
        hh = state[S_HH] = state[S_HH] + ((high_W * high_W - state[S_HH]) * fit >> 24)
        mh = state[S_MH] = state[S_MH] + ((mid_W * high_W - state[S_MH]) * fit >> 24)
        zm = state[S_ZM] = state[S_ZM] + ((missing_W * mid_W - state[S_ZM]) * fit >> 24)
        zh = state[S_ZH] = state[S_ZH] + ((missing_W * high_W - state[S_ZH]) * fit >> 24)
        # towards gain 1 where the load says nothing
        ridge_m, ridge_h = ridge + (mm >> 5), ridge + (hh >> 5)
        high = state[S_GAIN_HIGH]
        # a mid that is only the skirt of a fast swing is not followed
        skirt = (mm + ridge << 10) // (hh + ridge)
        mid = within(
            ((zm + ridge_m << 10) - high * mh) // (mm + ridge_m), 0, min(GAIN_MID_MAX, high + skirt)
        )
        state[S_GAIN_MID] = mid
        state[S_GAIN_HIGH] = within(
            ((zh + ridge_h << 10) - mid * mh) // (hh + ridge_h), 0, gain_high_max
        )

    def _follow(self, load_W, soc_error, low_W, high_W, elapsed_ticks):
        """Move the reference; 1 if held by high_W, -1 by low_W, else 0.

        It is held where the available power puts the grid, low-passed: a wrong sample must not
        shift the grid for minutes. Load and available power are filtered together, as an export
        limit moves with the load.
        """
        state = self.state
        grid_low = state[S_GRID_LOW] + (
            ((load_W - high_W << 16) - state[S_GRID_LOW]) * self._high >> 24
        )
        grid_high = state[S_GRID_HIGH] + (
            ((load_W - low_W << 16) - state[S_GRID_HIGH]) * self._high >> 24
        )
        state[S_GRID_LOW], state[S_GRID_HIGH] = grid_low, grid_high
        target = (load_W << 16) + within(
            soc_error * self._soc_gain, -self._soc_W_max, self._soc_W_max
        )
        ramp = self._ramp * elapsed_ticks
        slow = self._slow * elapsed_ticks
        free, reference = state[S_FREE], state[S_REFERENCE]
        state[S_FREE] = free + within((target - free) * slow >> 24, -ramp, ramp)
        reference += within((target - reference) * slow >> 24, -ramp, ramp)
        state[S_REFERENCE] = held = within(reference, grid_low, grid_high)
        if held == reference:
            state[S_FREE] = held
        return (held > reference) - (held < reference)

    def _settle(self, wanted_W):
        """Whole quanta, and no change smaller than the dead band, so that meter noise does not
        reach the wire.
        """
        state = self.state
        if abs(wanted_W - state[S_OUT]) >= self._dead_band_W:
            quantum_W = self._quantum_W
            state[S_OUT] = (wanted_W + quantum_W // 2) // quantum_W * quantum_W
        elif 2 * abs(wanted_W) < self._dead_band_W:
            state[S_OUT] = 0
        return state[S_OUT]
