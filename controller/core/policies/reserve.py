"""Energy that is kept back. Soft reserve: no discharge by choice (a cap). Hard reserve: no
discharge at all (a limit).

Both have hysteresis, and both count as reached while the state of charge is unknown. After a BMS
service had vanished, a floor of 10 % was crossed to 6 % (victronenergy/venus issue 1194). The cap
closes and opens at `reserve_ramp_W_per_s`, the limit closes within 2 s. So the grid takes the load
over smoothly. A reserve never forces a charge and never narrows one: at a charge limit of 0 the
power stays 0 (victronenergy/venus issue 904).
"""

from array import array
from typing import Any

from controller.core import contract, reasons
from controller.core.answers import WIDE_W, Cap, Limit
from controller.core.contract import Function, Setup, View
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


class Reserve(Function):
    """A power of `rated_W` is wide open: it bounds nothing, and is no reason."""

    NAME, STAGE = "reserve", contract.BOUND
    PARAMETERS = (
        # Energy kept back: soft by choice (a cap), hard always (a limit).
        ("soc_reserve_soft_permille", "permille", 0, 900, 150, "up"),
        ("soc_reserve_hard_permille", "permille", 0, 900, 100, "up"),
        ("soc_reserve_hysteresis_permille", "permille", 1, 200, 20, "up"),
        ("reserve_ramp_W_per_s", "W/s", 100, 100_000_000, 5000, "free"),
    )
    TEXTS = {
        reasons.RESERVE_HARD: (
            "hard reserve",
            "The state of charge is at the hard reserve; there is no discharge.",
            "Let the battery charge. If it does not, see what limits charging.",
        ),
        reasons.RESERVE_HARD_SOC_UNKNOWN: (
            "hard reserve, SOC unknown",
            "The state of charge is unknown, so the hard reserve counts as reached.",
            "Check the BMS: page Links.",
        ),
        reasons.RESERVE_SOFT: (
            "SOC reserve",
            "The state of charge is at the reserve this site keeps; no discharge by choice.",
            "Nothing: it opens again as the battery charges.",
        ),
        reasons.RESERVE_SOFT_SOC_UNKNOWN: (
            "reserve, SOC unknown",
            "The state of charge is unknown, so the reserve counts as reached.",
            "Check the BMS: page Links.",
        ),
    }

    def __init__(self, setup: Setup):
        settings, tick_ms = setup.settings, setup.tick_ms
        self.state = array("i", [0] * 7)
        self.rated_W = min(setup.rated_W, signals.INT_MAX)
        self._soft = settings["soc_reserve_soft_permille"]
        self._hard = settings["soc_reserve_hard_permille"]
        self._hysteresis = settings["soc_reserve_hysteresis_permille"]
        self._step_W = max(1, settings["reserve_ramp_W_per_s"] * tick_ms // 1000)
        self._close_W = max(1, -(-self.rated_W * tick_ms // HARD_CLOSE_MS))

    def step(self, view: View, elapsed_ticks: int) -> list:
        """The cap of the soft reserve and the limit of the hard one, while they bound anything."""
        soc = view.soc_permille
        self._move(soc is not None, soc[0] if soc is not None else 0, elapsed_ticks)
        state = self.state
        found = []
        for at, answer in ((S_SOFT_DISCHARGE_W_MAX, Cap), (S_HARD_DISCHARGE_W_MAX, Limit)):
            if state[at] < self.rated_W:
                found.append(answer(WIDE_W, reasons.NONE, state[at], state[at + 1]))
        return found

    def numbers(self, code: int) -> dict[str, Any]:
        """As the contract says."""
        soft = code in (reasons.RESERVE_SOFT, reasons.RESERVE_SOFT_SOC_UNKNOWN)
        kept, at = (self._soft, S_SOFT_REACHED) if soft else (self._hard, S_HARD_REACHED)
        return {
            "kind": "reserve",
            "reserve_permille": kept,
            "opens_at_permille": kept + self._hysteresis,
            "is_reached": bool(self.state[at]),
            "discharge_W_max": self.state[at + 1],
        }

    def _move(self, soc_ok: bool, soc_permille: int, elapsed_ticks: int) -> None:
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

    def _reached(self, soc_ok: bool, soc_permille: int, floor: int, was: int) -> int:
        if not soc_ok or soc_permille <= floor:
            return 1
        return 1 if was and soc_permille < floor + self._hysteresis else 0

    def _moved(self, value_W: int, reached: int, close_W: int, open_W: int) -> int:
        if reached:
            return max(0, value_W - close_W)
        return min(self.rated_W, value_W + open_W)
