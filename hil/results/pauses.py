"""Finds the pauses of this machine during a run in real time.

If the machine runs the plant process or the controller too late, devices fall silent or permits
expire although nothing has a fault. One long pause does that, and several short ones too, because
the delays of a device's answers add up. A silence budget is the time after which a silent device
trips. All gaps within the shortest budget count together. A run with a pause does not count. A
shorter pause already explains the trip of a silent device, because the poll and a time-out take the
rest of the budget.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Every silence budget, and the expiry of the outputs, is 500 ms.
WINDOW_US = 500_000
PAUSE_US, BESIDE_TRIP_US = 300_000, 200_000
SHORT_US = 50_000  # a busy machine has such gaps often, and they break no budget
AFTER_S = 10.0  # by then all stages of silence have acted, and the devices are polled as before
PLANT, CONTROLLER = "simulated cabinet", "controller"
# A pause can cause these: silent devices, late steps, a converter that its watchdog stopped.
SILENCE_ROWS = frozenset((40, 41, 49, 50, 51, 52))
LATE_STAGES = frozenset(("44b", "44g", "59e"))


class Gap(NamedTuple):
    """A time of the run, us, in which `who` did not run."""

    end_us: int
    begin_us: int
    who: str

    def within_us(self, begin_us: int) -> int:
        """Length of the part after begin_us."""
        return max(0, self.end_us - max(begin_us, self.begin_us))


class Pauses:
    """Collects gaps. so_far: pauses [{who, t_s, s}] in order of time; t_s: start; s: length."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []
        self._last_us = 0

    def turn(self, now_us: int) -> None:
        """Note that the plant process serves its wires now."""
        self.see(PLANT, now_us, now_us - self._last_us)
        self._last_us = now_us

    def see(self, who: str, end_us: int, for_us: int, usual_us: int = 0) -> None:
        """Note that `who` did not run for for_us, until end_us. usual_us: usual part of for_us."""
        if for_us - usual_us > SHORT_US:
            self._gaps.append(Gap(end_us, end_us - for_us, who))

    @property
    def so_far(self) -> list[dict[str, Any]]:
        """The pauses so far."""
        return self.over(PAUSE_US)

    def over(self, sum_us: int) -> list[dict[str, Any]]:
        """The pauses: gaps within WINDOW_US that last longer than sum_us together."""
        groups: list[list[Gap]] = []
        gaps, first = sorted(self._gaps), 0
        for number, gap in enumerate(gaps):
            begin_us = min(gap.begin_us, gap.end_us - WINDOW_US)
            while gaps[first].end_us <= begin_us:
                first += 1
            inside = gaps[first : number + 1]
            if sum(inner.within_us(begin_us) for inner in inside) <= sum_us:
                continue
            if groups and inside[0].begin_us <= groups[-1][-1].end_us:
                groups[-1] += [inner for inner in inside if inner > groups[-1][-1]]
            else:
                groups.append(inside)
        return [_pause(gaps) for gaps in groups]


def _pause(gaps: Sequence[Gap]) -> dict[str, Any]:
    """A pause from its gaps. Gaps of two processes at the same time count once."""
    sum_us = reached_us = 0
    for gap in sorted(gaps, key=lambda gap: gap.begin_us):
        sum_us += gap.within_us(reached_us)
        reached_us = max(reached_us, gap.end_us)
    who = " and ".join(sorted({gap.who for gap in gaps}))
    begin_us = min(gap.begin_us for gap in gaps)
    return {"who": who, "t_s": round(begin_us / 1e6, 2), "s": round(sum_us / 1e6, 2)}


def is_excused(
    trip: Mapping[str, Any], pauses: Sequence[Mapping[str, Any]], fault_s: float | None
) -> bool:
    """True if a pause of this machine explains a trip. fault_s: time of the first injected fault,
    None without one. Each trip after it counts, even with a pause.
    """
    is_timing = trip["row"] in SILENCE_ROWS or trip["stage"] in LATE_STAGES
    if not is_timing or (fault_s is not None and fault_s <= trip["t_s"]):
        return False
    ends_s = [(pause["t_s"], pause["t_s"] + pause["s"] + AFTER_S) for pause in pauses]
    return any(begin_s <= trip["t_s"] <= end_s for begin_s, end_s in ends_s)


def judged(
    trips: Sequence[Mapping[str, Any]], pauses: Pauses, fault_s: float | None
) -> dict[str, list[dict[str, Any]]]:
    """{trips, pauses} of a run. is_after_pause: true for a trip that a pause explains."""
    short = pauses.over(BESIDE_TRIP_US)
    marked = [{**trip, "is_after_pause": is_excused(trip, short, fault_s)} for trip in trips]
    is_any = any(trip["is_after_pause"] for trip in marked)
    return {"trips": marked, "pauses": short if is_any else pauses.so_far}
