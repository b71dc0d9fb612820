"""What the load draws, and what the grid connection would carry with the battery at zero, from
three measurements.

The load meter is fast but sees only the load; grid + battery is the truth at the connection but its
two parts were measured at different moments, so every battery movement leaves a false trace in it
for that moment. Fed back at full speed this swings (victronenergy/venus issue 1657: -4000 .. +3000
W). Here the load meter gives the fast part and only a low-passed difference comes from grid +
battery: with a skew d and a time constant T the loop gain is at most d / T.
"""

from array import array

from controller.core import parameters
from controller.core.integers import low_pass
from controller.core.policies import track

# time constant of what the load meter does not see (other loads, PV), beside a working load meter
OTHERS_MS = 5000
# time constant without one, in path delays: 4 times any skew two readings can have
CALCULATED_DELAYS = 4

S_SOURCE, S_LOAD_W, S_CONNECTION_OK, S_CONNECTION_W, S_OTHERS = range(5)


class SiteLoad:
    """Estimates; `state` is both the memory and the result (array of 64-bit words, journal
    keyframe).
    """

    __slots__ = ("state", "_fitted", "_others", "_calculated")

    def __init__(self, image, tick_ms):
        """image: control image (controller.core.parameters order); tick_ms: length of a tick,
        ms.
        """
        self.state = array("q", [0] * 5)
        self._fitted = image[parameters.C_LOAD_METER_FITTED]
        self._others = low_pass(tick_ms, OTHERS_MS)
        self._calculated = low_pass(
            tick_ms, CALCULATED_DELAYS * image[parameters.C_TRACK_PATH_DELAY_MS]
        )

    def step(self, load_ok, load_W, grid_ok, grid_W, battery_ok, battery_W):
        """Measured powers, W, each with its freshness. Fills state: S_SOURCE (of track), S_LOAD_W;
        S_CONNECTION_OK, S_CONNECTION_W: what the grid would import with the battery at 0. Unknown
        without a fresh grid meter.
        """
        state = self.state
        source = self._source(load_ok, grid_ok and battery_ok)
        base_W = load_W if source == track.MEASURED else 0
        if source != state[S_SOURCE]:
            self._begin(source, base_W, grid_W + battery_W if grid_ok and battery_ok else base_W)
        elif grid_ok and battery_ok and source:
            others = grid_W + battery_W - base_W << 16
            speed = self._others if source == track.MEASURED else self._calculated
            state[S_OTHERS] += (others - state[S_OTHERS]) * speed >> 24
        state[S_CONNECTION_OK] = 1 if grid_ok and source else 0
        if source:
            state[S_CONNECTION_W] = base_W + (state[S_OTHERS] >> 16)
            state[S_LOAD_W] = load_W if source == track.MEASURED else grid_W + battery_W

    def _source(self, load_ok, grid_and_battery_ok):
        if load_ok and self._fitted:
            return track.MEASURED
        return track.CALCULATED if grid_and_battery_ok else track.UNKNOWN

    def _begin(self, source, base_W, connection_W):
        """Change the source without a bump: what the connection carried stays, unless nothing was
        known.
        """
        state = self.state
        if state[S_SOURCE] != track.UNKNOWN:
            connection_W = state[S_CONNECTION_W]
        state[S_SOURCE] = source
        state[S_OTHERS] = connection_W - base_W << 16
