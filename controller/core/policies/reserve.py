"""Keeps energy back for an outage and for peaks, by levels of the state of charge (../ISLAND.md).

One battery serves an outage, the peaks of the load and everything else. Without a reserve, the
first use leaves nothing for the others. The naive way is one threshold. The power then jumps when
the state of charge crosses the threshold, and switches on and off around it. A threshold of 10 %
once opened while a BMS was silent, and the charge fell to 6 % (victronenergy/venus issue 1194).

    charge     backup level        peaks level
    |-- nothing --|-- peaks, connection --|-- arbitrage: everything --|
        a limit          a cap

Both levels have hysteresis, and count as reached while the state of charge is unknown. A slot of
the schedule may raise the peaks level. Off the grid both levels open at once, and the kernel's
limits alone end the discharge. The cap closes and opens at `reserve_ramp_W_per_s`. The limit closes
within 2 s, after an outage within 30 s. Other cabinets on the connection need seconds to follow. So
the limit begins to fall above its level, early enough for a ramp that reaches 0 at the level and
would take a minute from the rated power. A reserve neither forces nor narrows a charge
(victronenergy/venus issue 904).

The energy that the UPS of the load can give now (../site_devices/bridging.py) lowers the backup
level. Without a fresh reading the level is not lowered.
"""

from math import isqrt
from typing import Any

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, Cap, Limit
from controller.core.base.words import Words
from controller.core.policies.contract import BOUND, Found, Function, Known, Setup
from controller.core.policies.modes import RETURN
from controller.core.site_devices import bridging
from safety import signals

BACKUP_CLOSE_MS, RETURN_CLOSE_MS = 2000, 30_000  # RETURN_CLOSE_MS: formed.FALL_S in ms
TAPER_MS = 60_000  # time from the rated power to 0
# Energy that a permille of a battery of 1 Wh gives at the terminals, W x ms: 3600, less 10 % of
# losses. A worn battery gives 70 % of that, the usual end of a warranty.
PERMILLE_MS = 2268


class State(Words):
    """`peaks_permille`, `backup_permille`: present upper ends of the levels."""

    is_started: int  # the state of charge has been known
    peaks_permille: int
    backup_permille: int


class Level(Words):
    """The peaks level, or the backup level."""

    is_reached: int
    discharge_W_max: int
    reason: int


class Reserve(Function):
    """Keeps energy back. A level whose power is `rated_W` is open: it gives no answer."""

    state: State
    NAME, STAGE = "reserve", BOUND
    READS = ("is_off_grid", "mode", "scheduled_reserve_permille", "soc_permille")
    PARAMETERS = (
        # ends of the levels "peaks" and "backup"
        ("soc_reserve_peaks_permille", "permille", 0, 900, 150, "up"),
        ("soc_reserve_backup_permille", "permille", 0, 900, 100, "up"),
        ("soc_reserve_hysteresis_permille", "permille", 1, 200, 20, "up"),
        ("reserve_ramp_W_per_s", "W/s", 100, 100_000_000, 5000, "free"),
    )
    TEXTS = reasons.texts("""
        RESERVE_BACKUP | backup reserve | The energy that is left is kept for an outage: little
          or no discharge on the grid. | Let the battery charge. If it does not, see what limits
          charging.
        RESERVE_BACKUP_SOC_UNKNOWN | backup reserve, SOC unknown | The state of charge is unknown,
          so the backup reserve counts as reached. | Check the BMS: page Links.
        RESERVE_PEAKS | peaks reserve | The energy left is kept for peak shaving and the limits of
          the grid connection. | Nothing: it opens as the battery charges.
        RESERVE_PEAKS_SOC_UNKNOWN | peaks reserve, SOC unknown | The state of charge is unknown, so
          the peaks reserve counts as reached. | Check the BMS: page Links.
        SCHEDULE_RESERVE | peaks reserve by schedule | The slot of the schedule keeps more energy
          for peaks than the site does. | See firebreak hint schedule for its slots.
    """)

    def __init__(self, setup: Setup):
        settings, tick_ms = setup.settings, setup.tick_ms
        self.state = State.zero(code="i")
        self.more = self.peaks, self.backup = [Level.zero(code="i") for _ in range(2)]
        self.rated_W = min(setup.rated_W, signals.INT_MAX)
        self._peaks_permille = settings["soc_reserve_peaks_permille"]
        self._backup_permille = settings["soc_reserve_backup_permille"]
        self._upses = setup.site.of_role(bridging.ROLE)
        self._share_permille, self._energy_Wh = settings["share_permille"], settings["energy_Wh"]
        self._hysteresis = settings["soc_reserve_hysteresis_permille"]
        self._step_W = max(1, settings["reserve_ramp_W_per_s"] * tick_ms // 1000)
        self._taper_W = max(1, self.rated_W * tick_ms // TAPER_MS)
        energy = settings["energy_Wh"] * PERMILLE_MS
        self._taper_part = 2 * self._taper_W * energy // tick_ms  # power squared, for each permille
        closes_ms = BACKUP_CLOSE_MS, RETURN_CLOSE_MS
        self._close_W = [max(1, -(-self.rated_W * tick_ms // close_ms)) for close_ms in closes_ms]

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> list[Cap]:
        """The cap of the peaks level and the limit of the backup level, while they are not open."""
        if findings.is_off_grid:
            self._open()
            return []
        soc_permille = known.soc_permille[0] if known.soc_permille else None
        self.state.peaks_permille = max(self._peaks_permille, findings.scheduled_reserve_permille)
        self.state.backup_permille = self._backup_permille
        if ups_Wh := self._upses and bridging.total_Wh(self._upses):
            ups_permille = ups_Wh * self._share_permille // self._energy_Wh
            self.state.backup_permille = max(0, self._backup_permille - ups_permille)
        close_W = self._close_W[findings.mode == RETURN] * elapsed_ticks
        most_W = 0 if soc_permille is None else self._most_W(soc_permille)
        self._move(soc_permille, elapsed_ticks, close_W, most_W)
        answers = []
        for level, answer in ((self.peaks, Cap), (self.backup, Limit)):
            if level.discharge_W_max < self.rated_W:
                answers.append(answer(WIDE_W, reasons.NONE, level.discharge_W_max, level.reason))
        return answers

    def numbers(self, code: int) -> dict[str, Any]:
        """Numbers behind the reason: the level, its end and the discharge that it allows."""
        is_backup = code in (reasons.RESERVE_BACKUP, reasons.RESERVE_BACKUP_SOC_UNKNOWN)
        level = self.backup if is_backup else self.peaks
        end_permille = self.state.backup_permille if is_backup else self.state.peaks_permille
        return {
            "kind": "reserve",
            "level": "backup" if is_backup else "peaks",
            "reserve_permille": end_permille,
            "opens_at_permille": end_permille + self._hysteresis,
            "is_reached": bool(level.is_reached),
            "discharge_W_max": level.discharge_W_max,
        }

    def _open(self) -> None:
        """Open both levels at once, because a ramp would shed load that the battery can carry."""
        self.state.is_started = 1
        for level in (self.peaks, self.backup):
            level.is_reached, level.discharge_W_max = 0, self.rated_W

    def _most_W(self, soc_permille: int) -> int:
        """Largest power of the backup level: a ramp of _taper_W from this power to 0 takes the
        energy that is left. One permille is kept, because a state of charge is rounded.
        """
        left_permille = max(0, soc_permille - self.state.backup_permille - 1)
        return min(self.rated_W, isqrt(left_permille * self._taper_part))

    def _move(
        self, soc_permille: int | None, elapsed_ticks: int, close_W: int, most_W: int
    ) -> None:
        """Move both levels. soc_permille: the lowest of the racks; None: unknown. close_W: step of
        the backup level while it is reached; most_W: its largest power while it is not.
        """
        state, open_W = self.state, self._step_W * elapsed_ticks
        taper_W = self._taper_W * elapsed_ticks
        peaks = self.peaks, state.peaks_permille, open_W, self.rated_W
        backup = self.backup, state.backup_permille, close_W, most_W
        self.peaks.reason, self.backup.reason = self._reasons(soc_permille is not None)
        for level, end_permille, close_W, most_W in (peaks, backup):
            power_W = level.discharge_W_max
            was_reached = level.is_reached or state.is_started and not power_W
            level.is_reached = self._reached(soc_permille, end_permille, was_reached)
            if not state.is_started:  # without a ramp until a state of charge has been known
                power_W = 0 if level.is_reached else most_W
            elif level.is_reached:
                power_W = max(0, power_W - close_W)
            elif most_W < power_W:
                power_W = max(most_W, power_W - taper_W)
            elif most_W == self.rated_W:  # in the taper the power only falls, so it does not swing
                power_W = min(most_W, power_W + open_W)
            level.discharge_W_max = power_W
        if soc_permille is not None:
            state.is_started = 1

    def _reasons(self, is_soc_known: bool) -> tuple[int, int]:
        """Reason codes of (peaks level, backup level)."""
        if not is_soc_known:
            return reasons.RESERVE_PEAKS_SOC_UNKNOWN, reasons.RESERVE_BACKUP_SOC_UNKNOWN
        is_by_schedule = self.state.peaks_permille > self._peaks_permille
        peaks = reasons.SCHEDULE_RESERVE if is_by_schedule else reasons.RESERVE_PEAKS
        return peaks, reasons.RESERVE_BACKUP

    def _reached(self, soc_permille: int | None, end_permille: int, was_reached: int) -> int:
        if soc_permille is None or soc_permille <= end_permille:
            return True
        return was_reached and soc_permille < end_permille + self._hysteresis
