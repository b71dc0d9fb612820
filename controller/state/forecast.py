"""A pure forecast of battery and connection until the end of a job, on the safe side.

The reference of load tracking (core/tracking/reference.py) gives the battery's power. So the
forecast includes a charge before the job, and the energy that tracking itself takes.
"""

import math
from array import array
from typing import NamedTuple

from controller.core.base.answers import WIDE_W
from controller.core.base.integers import low_pass
from controller.core.base.schedule_table import Slot
from controller.core.tracking.guess import FAST_DELAYS
from controller.core.tracking.reference import Reference
from controller.state.futures import Cap, Future
from controller.state.situation_forms import Connection, Peak, Situation
from safety.tapers import taper_permille

# Longer steps than T / 2 of load tracking (30 s or more) would make the reference oscillate.
STEP_S, LONG_STEP_S = 5, 20
LONG_S = 7200  # a longer forecast is made in steps of LONG_STEP_S
# Margin of the energy: the state of charge is known only in whole permille, and near the reserve
# the limit of discharge falls by a ramp.
MARGIN_PERMILLE = 5
# A limit below the rated power changes with voltage and BMS: 5 % may be missing later.
LIMIT_LEFT_PERMILLE = 950
# Modules without cooling warm by this in an hour at 1 C. The heat grows with the square of the
# power. Racks of 280 Ah cells at 25 degC warmed by 2.0 K in half an hour at 0.39 C (assumed).
WARM_DDEGC_PER_C2_H = 300
BMS_DDEGC = 20  # a BMS may begin to derate at a temperature lower by this (assumed)
LEVELS = 6  # levels of a load that swings: means of its sorted values
TICK_MS, PERMILLE = 1000, 1000


class Job(NamedTuple):
    """A rise of the load of the whole connection. It begins at_s from now and lasts for_s."""

    power_W: int
    at_s: int
    for_s: int


class Moment(NamedTuple):
    """A moment of the job. need_W: power that the battery must give besides the largest import;
    can_W: power that it can give; cool_W: that power if the modules did not warm.
    """

    need_W: float
    can_W: float
    cool_W: float
    cap: Cap
    now_s: int
    ddegC: float

    @property
    def spare_W(self) -> float:
        """Power that the battery can give beyond the need; below 0: power is missing."""
        return self.can_W - self.need_W


class Interval(NamedTuple):
    """An interval of peak shaving. spare_W: import that is left in it, as a mean over the job's
    part of it.
    """

    spare_W: float
    begin_s: int
    end_s: int


class Forecast:
    """A forecast, complete after the constructor. left_Wh: lowest energy above reserve and margin
    while the battery is needed; reserve_permille: the reserve of that moment.
    """

    def __init__(self, situation: Situation, job: Job, future: Future):
        """Compute the forecast of a job in one future."""
        self.future = future
        self._job, self._battery, self._peak = job, situation.battery, situation.peak
        battery, tracking = situation.battery, situation.tracking
        self._job_W = job.power_W * situation.connection.share_permille / PERMILLE
        self._most_W = max(situation.connection.seen_W)
        self._levels_W = _levels(situation.connection)
        shared = tracking.energy_Wh, tracking.energy_share_permille, battery.rated_W
        self._reference = Reference(TICK_MS, *shared)
        self._reference.words[:] = array("q", tracking.reference)
        self._low_pass = low_pass(TICK_MS, FAST_DELAYS * tracking.path_delay_ms)
        self._energy_Wh = float(battery.remaining_Wh)
        self._soc_permille = float(battery.soc_permille)
        self._held_soc_permille = self._soc_permille  # a slot of the schedule holds it
        self._used_Ws = situation.peak.used_Ws if situation.peak else 0.0
        self._job_s = 0  # part of the job in the present interval of peak shaving
        is_full = battery.discharge_W_max >= battery.rated_W
        self._cool_W = battery.discharge_W_max * (1 if is_full else LIMIT_LEFT_PERMILLE / PERMILLE)
        self.ddegC, self.given_Wh, self.left_Wh = float(battery.hottest_ddegC), 0.0, float("inf")
        self.reserve_permille = battery.reserve_permille
        self.moments: list[Moment] = []
        self.intervals: list[Interval] = []
        self._run()

    @property
    def is_needed(self) -> bool:
        """True if the connection alone does not carry the job."""
        return self.left_Wh < float("inf")

    @property
    def worst(self) -> Moment:
        """The moment in which the battery has the least to spare."""
        return min(self.moments, key=lambda moment: moment.spare_W)

    @property
    def margin_W(self) -> float:
        """Power by which the job could still rise within the limits of power and the intervals of
        peak shaving. The energy is not checked here.
        """
        return min([self.worst.spare_W, *[interval.spare_W for interval in self.intervals]])

    def _run(self) -> None:
        """Step to the end of the job; with peak shaving, to the end of its last interval."""
        peak, job_end_s = self._peak, self._job.at_s + self._job.for_s
        ends_s: range = range(job_end_s, job_end_s + 1)
        if peak:
            first_s = peak.interval_s - peak.age_s
            ends_s = range(first_s, job_end_s + peak.interval_s, peak.interval_s)
        end_s = ends_s[-1]
        step_s = STEP_S if end_s <= LONG_S else LONG_STEP_S
        edges = sorted({*range(0, end_s, step_s), self._job.at_s, job_end_s, *ends_s})
        for begin_s, until_s in zip(edges, edges[1:]):
            self._step(begin_s, until_s - begin_s)
            if peak and until_s in ends_s:
                self._close(peak, until_s)

    def _close(self, peak: Peak, end_s: int) -> None:
        """End an interval of peak shaving."""
        if self._job_s:
            spare_W = self._peak_left_Ws(peak) / self._job_s
            self.intervals.append(Interval(spare_W, end_s - peak.interval_s, end_s))
        self._used_Ws, self._job_s = 0.0, 0

    def _step(self, now_s: int, step_s: int) -> None:
        has_begun = now_s >= self._job.at_s
        runs = has_begun and now_s < self._job.at_s + self._job.for_s
        slot = self.future.slot(now_s)
        more_W = self.future.steps_W(now_s) + (self._job_W if runs else 0)
        cap = self.future.import_cap(now_s, slot, step_s)
        cap_W = cap.import_W
        least_W = min(cap_W, self._peak_W(now_s))
        can_W = self._cool_W * self._warm_share()
        import_W = self._balance(now_s, more_W, least_W, can_W, slot, step_s)
        self._used_Ws += max(0.0, import_W) * step_s
        if runs:
            need_W = self._most_W + more_W - cap_W
            self.moments.append(Moment(need_W, can_W, self._cool_W, cap, now_s, self.ddegC))
            self._job_s += step_s
        if has_begun and self._most_W + more_W > least_W:
            margin_Wh = self._battery.full_Wh * MARGIN_PERMILLE / PERMILLE
            left_Wh = self._energy_Wh - (margin_Wh + self._kept_Wh(slot))
            if left_Wh < self.left_Wh:
                self.left_Wh, self.reserve_permille = left_Wh, self._reserve_permille(slot)

    def _peak_left_Ws(self, peak: Peak) -> float:
        return peak.limit_W * peak.interval_s - self._used_Ws - peak.margin_Ws

    def _peak_W(self, now_s: int) -> float:
        """Import that peak shaving allows at this moment."""
        peak = self._peak
        if not peak:
            return float("inf")
        left_s = peak.interval_s - (peak.age_s + now_s) % peak.interval_s
        return max(0.0, self._peak_left_Ws(peak)) / left_s

    def _warm_share(self) -> float:
        """Share of the limit that is left if the modules warm and the BMS derates early."""
        ends_ddegC = self._battery.taper_ddegC
        now_permille = taper_permille(self._battery.hottest_ddegC, *ends_ddegC)
        then_permille = taper_permille(round(self.ddegC) + BMS_DDEGC, *ends_ddegC)
        return min(1.0, then_permille / max(1, now_permille))

    def _reserve_permille(self, slot: Slot | None) -> int:
        """The peaks reserve, or the reserve of a slot if it is higher."""
        return max(self._battery.reserve_permille, slot.reserve_permille if slot else 0)

    def _kept_Wh(self, slot: Slot | None) -> float:
        """Energy that the reserve of a slot keeps above the peaks reserve, Wh."""
        more_permille = self._reserve_permille(slot) - self._battery.reserve_permille
        return more_permille * self._battery.full_Wh / PERMILLE

    def _balance(
        self, now_s: int, more_W: float, cap_W: float, can_W: float, slot: Slot | None, step_s: int
    ) -> float:
        """Mean import of a step, W. Updates energy, charge and temperature."""
        battery, future = self._battery, self.future
        loads_W = [level_W + more_W for level_W in self._levels_W]
        load_W = math.fsum(loads_W) / LEVELS
        low_W, most_W = future.choice_W(now_s, slot, load_W)
        high_W = most_W if self._energy_Wh > self._kept_Wh(slot) else 0
        base_W, is_requested, is_exact = future.base(now_s, slot)
        export_W_max = future.export_W_max(now_s, slot)

        def imported_W(wanted_W: float) -> float:
            """Mean import, W, if load tracking wants wanted_W. First the caps bound the import,
            then the obligations, then the limits.
            """
            sum_W = 0.0
            for level_W in loads_W:
                own_W = level_W - base_W if is_exact else wanted_W
                chosen_W = min(max(own_W, level_W - high_W), level_W - low_W)
                obliged_W = max(min(chosen_W, cap_W), -export_W_max)
                sum_W += min(max(obliged_W, level_W - can_W), level_W + battery.charge_W_max)
            return sum_W / LEVELS

        import_W = imported_W(self._reference.wanted_W - base_W)
        power_W = load_W - import_W
        error = self._soc_error(slot, is_requested or base_W != 0)
        self._reference.step(error, round(power_W - base_W), step_s)
        ends_W = [round(imported_W(end_W) + base_W) for end_W in (-WIDE_W, WIDE_W)]
        self._reference.hold(ends_W[0], ends_W[1], self._low_pass, step_s)
        self._flow(power_W, step_s)
        return import_W

    def _soc_error(self, slot: Slot | None, is_asked: bool) -> int | None:
        """Target minus state of charge, permille, by the rule of core/policies/track.py."""
        if not slot:
            self._held_soc_permille = self._soc_permille
        if is_asked:
            return None
        target_permille = self._held_soc_permille if slot else self._battery.target_permille
        return round(target_permille - self._soc_permille)

    def _flow(self, power_W: float, step_s: int) -> None:
        full_Wh, step_h = self._battery.full_Wh, step_s / 3600
        efficiency = self._battery.efficiency_permille / PERMILLE
        used_Wh = power_W * step_h * (1 / efficiency if power_W > 0 else efficiency)
        self.given_Wh += max(0.0, power_W) * step_h
        self._energy_Wh -= used_Wh
        self._soc_permille -= used_Wh * PERMILLE / full_Wh
        self.ddegC += WARM_DDEGC_PER_C2_H * (power_W / full_Wh) ** 2 * step_h


def _levels(connection: Connection) -> list[float]:
    """Means of LEVELS equal parts of the sorted load, W."""
    seen_W = sorted(connection.seen_W)
    means_W = []
    for level in range(LEVELS):
        first = level * len(seen_W) // LEVELS
        part = seen_W[first : max(first + 1, (level + 1) * len(seen_W) // LEVELS)]
        means_W.append(sum(part) / len(part))
    return means_W
