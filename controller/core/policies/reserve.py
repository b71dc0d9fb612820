"""Energy that is kept back, in three levels of the state of charge (../ISLAND.md).

Up to the backup level nothing discharges on the grid (a limit). Up to the peaks level only peak
shaving and the limits of the connection do (a cap). Above, everything does: arbitrage. A slot of
the schedule may raise the peaks level, never lower it. Off the grid both open at once, and the
kernel's limits alone end the discharge.

Both levels have hysteresis, and both count as reached while the state of charge is unknown. After a
BMS service had vanished, a floor of 10 % was crossed to 6 % (victronenergy/venus issue 1194). The
cap closes and opens at `reserve_ramp_W_per_s`, the limit closes within 2 s. So the grid takes the
load over smoothly. A reserve never forces a charge and never narrows one: at a charge limit of 0
the power stays 0 (victronenergy/venus issue 904).
"""

from array import array
from typing import Any

from controller.core import contract, reasons
from controller.core.answers import WIDE_W, Cap, Limit
from controller.core.contract import Function, Setup
from controller.core.found import Found
from controller.core.known import Known
from safety import signals

(
    S_STARTED,
    S_PEAKS_REACHED,
    S_PEAKS_DISCHARGE_W_MAX,
    S_PEAKS_REASON,
    S_BACKUP_REACHED,
    S_BACKUP_DISCHARGE_W_MAX,
    S_BACKUP_REASON,
    S_PEAKS_PERMILLE,
) = range(8)
BACKUP_CLOSE_MS = 2000


class Reserve(Function):
    """A power of `rated_W` is wide open: it bounds nothing, and is no reason."""

    NAME, STAGE = "reserve", contract.BOUND
    READS = ("is_off_grid", "scheduled_reserve_permille", "soc_permille")
    PARAMETERS = (
        # ends of the levels "peaks" and "backup"
        ("soc_reserve_peaks_permille", "permille", 0, 900, 150, "up"),
        ("soc_reserve_backup_permille", "permille", 0, 900, 100, "up"),
        ("soc_reserve_hysteresis_permille", "permille", 1, 200, 20, "up"),
        ("reserve_ramp_W_per_s", "W/s", 100, 100_000_000, 5000, "free"),
    )
    TEXTS = {
        reasons.RESERVE_BACKUP: (
            "backup reserve",
            "The energy that is left is kept for an outage: no discharge on the grid.",
            "Let the battery charge. If it does not, see what limits charging.",
        ),
        reasons.RESERVE_BACKUP_SOC_UNKNOWN: (
            "backup reserve, SOC unknown",
            "The state of charge is unknown, so the backup reserve counts as reached.",
            "Check the BMS: page Links.",
        ),
        reasons.RESERVE_PEAKS: (
            "peaks reserve",
            "The energy left is kept for peak shaving and the limits of the grid connection.",
            "Nothing: it opens as the battery charges.",
        ),
        reasons.RESERVE_PEAKS_SOC_UNKNOWN: (
            "peaks reserve, SOC unknown",
            "The state of charge is unknown, so the peaks reserve counts as reached.",
            "Check the BMS: page Links.",
        ),
        reasons.SCHEDULE_RESERVE: (
            "peaks reserve by schedule",
            "The slot of the schedule keeps more energy for peaks than the site does.",
            "See firebreak hint schedule for its slots.",
        ),
    }

    def __init__(self, setup: Setup):
        settings, tick_ms = setup.settings, setup.tick_ms
        self.state = array("i", [0] * 8)
        self.rated_W = min(setup.rated_W, signals.INT_MAX)
        self._peaks = settings["soc_reserve_peaks_permille"]
        self._backup = settings["soc_reserve_backup_permille"]
        self._hysteresis = settings["soc_reserve_hysteresis_permille"]
        self._step_W = max(1, settings["reserve_ramp_W_per_s"] * tick_ms // 1000)
        self._close_W = max(1, -(-self.rated_W * tick_ms // BACKUP_CLOSE_MS))

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> list:
        """The cap of the peaks level, the limit of the backup level, while they bound anything."""
        state = self.state
        if found.is_off_grid:
            self._open()
            return []
        soc = known.soc_permille
        state[S_PEAKS_PERMILLE] = max(self._peaks, found.scheduled_reserve_permille)
        self._move(soc is not None, soc[0] if soc is not None else 0, elapsed_ticks)
        answers = []
        for at, answer in ((S_PEAKS_DISCHARGE_W_MAX, Cap), (S_BACKUP_DISCHARGE_W_MAX, Limit)):
            if state[at] < self.rated_W:
                answers.append(answer(WIDE_W, reasons.NONE, state[at], state[at + 1]))
        return answers

    def numbers(self, code: int) -> dict[str, Any]:
        """See Function."""
        is_backup = code in (reasons.RESERVE_BACKUP, reasons.RESERVE_BACKUP_SOC_UNKNOWN)
        at = S_BACKUP_REACHED if is_backup else S_PEAKS_REACHED
        kept = self._backup if is_backup else self.state[S_PEAKS_PERMILLE]
        return {
            "kind": "reserve",
            "level": "backup" if is_backup else "peaks",
            "reserve_permille": kept,
            "opens_at_permille": kept + self._hysteresis,
            "is_reached": bool(self.state[at]),
            "discharge_W_max": self.state[at + 1],
        }

    def _open(self) -> None:
        """Both levels at once: a ramp would shed load that the battery can carry."""
        state = self.state
        state[S_STARTED], state[S_PEAKS_REACHED], state[S_BACKUP_REACHED] = 1, 0, 0
        state[S_PEAKS_DISCHARGE_W_MAX] = state[S_BACKUP_DISCHARGE_W_MAX] = self.rated_W

    def _move(self, soc_ok: bool, soc_permille: int, elapsed_ticks: int) -> None:
        """soc_permille: the lowest of the racks. Fills the powers (>= 0, W) and reasons in
        `state`.
        """
        state = self.state
        peaks = self._reached(soc_ok, soc_permille, state[S_PEAKS_PERMILLE], state[S_PEAKS_REACHED])
        backup = self._reached(soc_ok, soc_permille, self._backup, state[S_BACKUP_REACHED])
        state[S_PEAKS_REACHED], state[S_BACKUP_REACHED] = peaks, backup
        state[S_PEAKS_REASON], state[S_BACKUP_REASON] = self._reasons(soc_ok)
        open_W = self._step_W * elapsed_ticks
        if not state[S_STARTED]:  # both begin where the first known state of charge puts them
            state[S_STARTED] = 1 if soc_ok else 0
            state[S_PEAKS_DISCHARGE_W_MAX] = 0 if peaks else self.rated_W
            state[S_BACKUP_DISCHARGE_W_MAX] = 0 if backup else self.rated_W
            return
        state[S_PEAKS_DISCHARGE_W_MAX] = self._moved(
            state[S_PEAKS_DISCHARGE_W_MAX], peaks, open_W, open_W
        )
        state[S_BACKUP_DISCHARGE_W_MAX] = self._moved(
            state[S_BACKUP_DISCHARGE_W_MAX], backup, self._close_W * elapsed_ticks, open_W
        )

    def _reasons(self, soc_ok: bool) -> tuple[int, int]:
        """(peaks level, backup level)."""
        if not soc_ok:
            return reasons.RESERVE_PEAKS_SOC_UNKNOWN, reasons.RESERVE_BACKUP_SOC_UNKNOWN
        is_by_schedule = self.state[S_PEAKS_PERMILLE] > self._peaks
        peaks = reasons.SCHEDULE_RESERVE if is_by_schedule else reasons.RESERVE_PEAKS
        return peaks, reasons.RESERVE_BACKUP

    def _reached(self, soc_ok: bool, soc_permille: int, floor: int, was: int) -> int:
        if not soc_ok or soc_permille <= floor:
            return 1
        return 1 if was and soc_permille < floor + self._hysteresis else 0

    def _moved(self, value_W: int, reached: int, close_W: int, open_W: int) -> int:
        if reached:
            return max(0, value_W - close_W)
        return min(self.rated_W, value_W + open_W)
