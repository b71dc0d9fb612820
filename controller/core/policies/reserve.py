"""Energy kept back. Soft reserve: no discharge by choice (a cap). Hard reserve: no discharge at all
(a limit).

Both have hysteresis, and both count as reached while the state of charge is unknown
(victronenergy/venus issue 1194: a floor of 10 % was crossed to 6 % after the BMS service vanished).
The cap closes and opens at `reserve_ramp_W_per_s`, the limit closes within 2 s, so the grid takes
the load over smoothly. A reserve never forces a charge and never narrows one: at a charge limit of
0 nothing moves (victronenergy/venus issue 904).
"""

from array import array

from controller.core import parameters, reasons
from safety import signals

(
    S_STARTED,
    S_SOFT_REACHED,
    S_SOFT_DISCHARGE_W_MAX,
    S_SOFT_REASON,
    S_HARD_REACHED,
    S_HARD_DISCHARGE_W_MAX,
    S_HARD_REASON,
) = range(7)
HARD_CLOSE_MS = 2000


class Reserve:
    """`state` is both the memory and the result (array of ints, journal keyframe). A power of
    `rated_W` is wide open.
    """

    __slots__ = ("state", "rated_W", "_soft", "_hard", "_hysteresis", "_step_W", "_close_W")

    def __init__(self, image, tick_ms, rated_W):
        """image: control image; tick_ms: length of a tick, ms; rated_W: of all units together,
        W.
        """
        self.state = array("i", [0] * 7)
        self.rated_W = min(rated_W, signals.INT_MAX)
        self._soft = image[parameters.C_SOC_RESERVE_SOFT_PERMILLE]
        self._hard = image[parameters.C_SOC_RESERVE_HARD_PERMILLE]
        self._hysteresis = image[parameters.C_SOC_RESERVE_HYSTERESIS_PERMILLE]
        self._step_W = max(1, image[parameters.C_RESERVE_RAMP_W_PER_S] * tick_ms // 1000)
        self._close_W = max(1, -(-self.rated_W * tick_ms // HARD_CLOSE_MS))

    def step(self, soc_ok, soc_permille, elapsed_ticks):
        """soc_permille: the lowest of the racks. Fills the powers (>= 0, W) and reasons in
        `state`.
        """
        state = self.state
        soft = self._reached(soc_ok, soc_permille, self._soft, state[S_SOFT_REACHED])
        hard = self._reached(soc_ok, soc_permille, self._hard, state[S_HARD_REACHED])
        state[S_SOFT_REACHED], state[S_HARD_REACHED] = soft, hard
        state[S_SOFT_REASON] = reasons.RESERVE_SOFT if soc_ok else reasons.RESERVE_SOFT_SOC_UNKNOWN
        state[S_HARD_REASON] = reasons.RESERVE_HARD if soc_ok else reasons.RESERVE_HARD_SOC_UNKNOWN
        open_W = self._step_W * elapsed_ticks
        if not state[S_STARTED]:  # both begin where the first known state of charge puts them
            state[S_STARTED] = 1 if soc_ok else 0
            state[S_SOFT_DISCHARGE_W_MAX] = 0 if soft else self.rated_W
            state[S_HARD_DISCHARGE_W_MAX] = 0 if hard else self.rated_W
            return
        state[S_SOFT_DISCHARGE_W_MAX] = self._moved(
            state[S_SOFT_DISCHARGE_W_MAX], soft, open_W, open_W
        )
        state[S_HARD_DISCHARGE_W_MAX] = self._moved(
            state[S_HARD_DISCHARGE_W_MAX], hard, self._close_W * elapsed_ticks, open_W
        )

    def _reached(self, soc_ok, soc_permille, floor, was):
        if not soc_ok or soc_permille <= floor:
            return 1
        return 1 if was and soc_permille < floor + self._hysteresis else 0

    def _moved(self, value_W, reached, close_W, open_W):
        if reached:
            return max(0, value_W - close_W)
        return min(self.rated_W, value_W + open_W)
