"""Measures for `hil bench rig` how fast a journal is replayed with every byte compared."""

from controller.journal import replay
from controller.journal.ring import JournalReader
from hil.campaigns.benchmarks import timing
from hil.campaigns.benchmarks.document import Figures, figure
from safety import parameters as p


class NotReplayedError(RuntimeError):
    """The replay gave other bytes, so its speed means nothing. One line."""


def figures_of(path: str, rounds: int = 3) -> Figures:
    """Figures of the quickest replay of a journal. The replay must give the same bytes."""
    watches = []
    for _ in range(rounds):
        with timing.Stopwatch() as watch:
            report = replay.replay(path, replay.core_of)
        if report.exit_code != replay.EQUAL:
            raise NotReplayedError(f"{path}: {report.lines()[-1]}")
        watches.append(watch)
    reader = JournalReader(path)
    lasted_s = report.frames * reader.header["safety_image"][p.H_TICK_MS] / 1000
    reader.close()
    wall_s, cpu_s = (min(watch.wall_s for watch in watches), min(watch.cpu_s for watch in watches))
    name = "replay of a journal"
    return [
        figure(f"{name}, every byte compared", round(report.frames / wall_s), "ticks/s"),
        figure(f"{name} against real time", round(lasted_s / wall_s, 1), "x"),
        figure(
            f"{name} against real time, by its own use of a core", round(lasted_s / cpu_s, 1), "x"
        ),
    ]
