"""The figures of `bench doors`, of what its course has found."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import PERCENTILES, Figure, Measured, figure, percentile
from hil.campaigns.benchmarks.lateness import NO_FIFO, figures_of, judged
from hil.campaigns.benchmarks.rig import Sample

DATAGRAM = "datagram"
DOORS = ("MQTT", "Modbus", "Modbus with TLS", "HTTP")  # alarms only leave
IDLE, LOADED = "doors idle", "doors at load"
HIDES = (
    "the doors have nice 15 as in their unit; broker, relay, load and hostile senders are on the same "
    "cores at ordinary priority, before them, so the doors' times are those of a box with less than one "
    "core to itself; the loop has its own priority, so what is left of the load in its lateness are "
    "caches, memory and the kernel's work for the network, which a box has too; no cable is in the way"
)


class Phase:
    """memory: samples of each process; share of a core, where no process was replaced."""

    def __init__(self) -> None:
        self.memory: defaultdict[str, list[Sample]] = defaultdict(list)
        self.share: dict[str, float] = {}
        self.loop: dict[str, Any] = {}
        self.rival = Cyclictest()


class Found(Protocol):
    """The course, once it has ended."""

    seconds: float
    seed: int
    phases: dict[str, Phase]
    hostile: dict[str, dict[str, Any]]
    loads: dict[str, dict[str, float]]
    odd_places: list[str]
    letters: int


def measured(
    found: Found, delays_us: Mapping[str, Sequence[int | None]], priority: str
) -> Measured:
    """delays_us: of each way."""
    figures: list[Figure] = []
    for name, phase in found.phases.items():
        what = f"loop lateness, {name}"
        figures += figures_of(what, phase.loop, phase.rival, judged("lateness_idle", priority))
    figures += [*_processes(found.phases), *_hints(delays_us), *_hostile(found.hostile)]
    figures.append(
        figure(
            "sockets that doors check does not name, or the reverse",
            len(found.odd_places),
            "places",
        )
    )
    notes = [
        *found.phases[IDLE].rival.notes,
        *(() if judged("x", priority) else [NO_FIFO]),
        f"seed {found.seed}; {found.seconds:g} s of each phase; {HIDES}",
        *[f"{name}: {_words(counts)}" for name, counts in found.loads.items()],
        f"{found.letters} letters of alarms; odd places: {', '.join(found.odd_places) or 'none'}",
    ]
    rivals = {name: phase.rival.result for name, phase in found.phases.items()}
    return Measured(figures, notes, {"cyclictest": rivals, "loads": found.loads}, priority)


def _words(counts: Mapping[str, float]) -> str:
    return ", ".join([f"{name} {count:g}" for name, count in counts.items()])


def _processes(phases: Mapping[str, Phase]) -> list[Figure]:
    """Memory, growth and use of a core of each process."""
    figures = []
    for name in (IDLE, LOADED):
        for what, samples in phases[name].memory.items():
            head = f"{what}, {name}"
            budget = "doors_memory" if what == "loop" else None
            rss_MiB, own_MiB = (round(max(row[at] for row in samples) / 1024, 1) for at in (1, 2))
            figures.append(figure(f"{head}, all resident, most", rss_MiB, "MiB"))
            figures.append(figure(f"{head}, its own, most", own_MiB, "MiB", budget=budget))
            figures.append(figure(f"{head}, growth of its own", growth_kB_per_h(samples), "kB/h"))
            share_pct = round(100 * phases[name].share[what], 1)
            figures.append(figure(f"{head}, use of a core", share_pct, "%"))
    return figures


def growth_kB_per_h(samples: Sequence[Sample]) -> float:
    """From the second quarter of the samples to the last one, by their medians."""
    quarter = max(1, len(samples) // 4)
    first, last = samples[quarter : 2 * quarter], samples[-quarter:]
    (begin_s, begin_kB), (end_s, end_kB) = (
        [percentile([row[at] for row in rows], 500) for at in (0, 2)] for rows in (first, last)
    )
    return round(3600 * (end_kB - begin_kB) / (end_s - begin_s), 1)


def _hints(delays_us: Mapping[str, Sequence[int | None]]) -> list[Figure]:
    """p50 and p99 of each way beside the datagram's."""
    figures = []
    spreads = {way: _spread(each) for way, each in delays_us.items()}
    for way, found in spreads.items():
        for name, value in found.items():
            rival = (None, None) if way == DATAGRAM else (DATAGRAM, spreads[DATAGRAM].get(name))
            what = f"hint to wire by {way}, {name} of {len(delays_us[way])}"
            figures.append(figure(what, value, "ms", *rival))
        missed = list(delays_us[way]).count(None)
        figures.append(figure(f"hints by {way} that moved no set-point", missed, "hints"))
    return figures


def _spread(values_us: Sequence[int | None]) -> dict[str, float]:
    seen = [value / 1000 for value in values_us if value is not None]
    return {name: percentile(seen, PERCENTILES[name]) for name in ("p50", "p99") if seen}


def _hostile(found: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """What the loop took while hostile messages came, and how an honest client fared."""
    figures = []
    for door, each in found.items():
        quiet, beside = (
            [ms for ms in each[name] if ms is not None] for name in ("quiet", "beside")
        )
        taken = sum(each["accepted"].values()) - len(beside)
        what = f"hostile messages through {door}"
        figures.append(figure(f"{what}, sent", each["sent"], "messages"))
        figures.append(
            figure(f"{what}, taken by the loop", taken, "messages", budget="doors_accepted")
        )
        refused = len(each["beside"]) - len(beside)
        figures.append(
            figure(f"honest hints beside them through {door}, refused", refused, "hints")
        )
        for name in ("p50", "p99"):
            before, now = (
                round(percentile(ms, PERCENTILES[name]), 1) if ms else None
                for ms in (quiet, beside)
            )
            what = f"answer to an honest hint through {door}, {name} of {len(beside)}"
            figures.append(figure(what, now, "ms", f"before, of {len(quiet)}", before))
    return figures
