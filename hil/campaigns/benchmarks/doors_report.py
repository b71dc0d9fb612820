"""Computes the figures of `bench doors`: the cost of the network servers, delays of hints."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import (
    PERCENTILES,
    Figures,
    figure,
    memory_figure,
    percentile,
)
from hil.campaigns.benchmarks.rig import SETTLED_S, Sample, growth

DATAGRAM = "datagram"
DOORS = ("MQTT", "Modbus", "Modbus TLS", "HTTP")  # doors for alarms only send, so they are not here
HIDES = (
    "the doors have nice 15 as in their unit; the load, with nice 19, and the broker "
    "share the cores with them, so a door's times are those of less than one core; the loop "
    "comes before all of them: what load costs it (caches, memory, the kernel's network), it costs "
    "on a box too; the simulated devices have SCHED_FIFO; loopback: no cable, no network card"
)


class Phase:
    """One phase. memory: {process: samples}; share_pct: {process: share of a core}, without
    processes that were replaced.
    """

    def __init__(self) -> None:
        self.memory: defaultdict[str, list[Sample]] = defaultdict(list)
        self.share_pct: dict[str, float] = {}
        self.loop: dict[str, Any] = {}
        self.rival = Cyclictest()


def processes(name: str, phase: Phase) -> Figures:
    """Memory, its growth, and share of a core, for each process."""
    figures = []
    for program, samples in phase.memory.items():
        _, resident_kB, own_kB = map(max, zip(*samples))
        budget = "doors_memory" if program == "loop" else None
        figures += [
            memory_figure(f"{program}, {name}, all resident, most", resident_kB),
            memory_figure(f"{program}, {name}, its own, most", own_kB, budget),
            figure(f"{program}, {name}, use of a core", round(phase.share_pct[program], 1), "%"),
        ]
        if (grown := growth_kB_per_h(samples)) is not None:
            figures.append(figure(f"{program}, {name}, growth of its own", grown, "kB/h"))
    return figures


def growth_kB_per_h(samples: list[Sample]) -> float | None:
    """Growth of the medians from the second to the last quarter of the samples. None if the time is
    too short: the history that a door keeps is full only after a minute.
    """
    if samples[-1][0] < SETTLED_S:
        return None
    quarter = len(samples) // 4
    return growth(samples[quarter : 2 * quarter], samples[-quarter:])


def hints(delays_us: Mapping[str, Sequence[int | None]]) -> Figures:
    """Delays of hints by each way, compared with a hint that is sent as a plain datagram."""
    figures: Figures = []
    missed = 0
    datagram_ms = [us / 1000 for us in delays_us[DATAGRAM] if us is not None]
    for way, values_us in delays_us.items():
        seen_ms = [us / 1000 for us in values_us if us is not None]
        missed += len(values_us) - len(seen_ms)
        rival, rival_ms = (None, []) if way == DATAGRAM else (DATAGRAM, datagram_ms)
        for name in ("p50", "p99") if seen_ms else ():
            own, beside = [
                round(percentile(times_ms, PERCENTILES[name]), 1) if times_ms else None
                for times_ms in (seen_ms, rival_ms)
            ]
            quantity = f"hint to wire by {way}, {name} of {len(seen_ms)}"
            figures.append(figure(quantity, own, "ms", rival, beside))
    return [*figures, figure("hints that moved no set-point", missed, "hints")]
