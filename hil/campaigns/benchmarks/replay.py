"""`python -m hil bench replay [JOURNAL]`: how fast a journal is replayed, every byte compared.

Without a journal one is made of the example cabinet with healthy, moving inputs; the time of those
ticks (drivers without bytes, kernel, control, journal) is a figure too.
"""

import os
import tempfile
from array import array

from controller.config import configuration
from controller.journal import replay
from controller.journal.frame import FrameEncoder
from controller.journal.ring import JournalReader
from controller.run.cabinet import Cabinet
from controller.sites import EXAMPLE
from controller.system import realtime
from hil.campaigns.benchmarks import kernel_steps, machine, timing
from hil.campaigns.benchmarks.document import Figure, Measured, figure, percentile
from hil.engine.virtual_controller import VirtualController
from hil.wires.virtual_can import VirtualCan
from safety import parameters as p, signals as s

TICKS = 15_000  # five minutes at 20 ms


class NotReplayedError(RuntimeError):
    """The journal does not give the same bytes, so its speed says nothing; one line."""


def run(journal: str | None = None) -> Measured:
    """The findings. journal: its path, None to make one. Raises JournalError, NotReplayedError."""
    realtime.freeze_collector()
    figures: list[Figure] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        if not journal:
            journal = os.path.join(folder, "journal")
            notes = [f"a journal of {TICKS} ticks made for it"]
            taken_ns = make_journal(journal, TICKS)
            what = "whole tick without bytes on wires, example cabinet"
            figures = [
                figure(words, percentile(values_ns, permille) / 1000, "us")
                for words, values_ns, permille in (
                    (f"{what}, median", taken_ns, 500),
                    (f"{what}, p99", taken_ns, 990),
                    ("of it the frame of the journal, median", _frames_ns(journal), 500),
                )
            ]
        figures += figures_of(journal)
    return Measured(figures, notes, {}, machine.priority())


def figures_of(path: str, rounds: int = 3) -> list[Figure]:
    """Figures of the quickest replay of a journal, which must give the same bytes."""
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
    wall_s, cpu_s = (min([getattr(each, key) for each in watches]) for key in ("wall_s", "cpu_s"))
    what = "replay of a journal"
    return [
        figure(f"{what}, every byte compared", round(report.frames / wall_s), "ticks/s"),
        figure(f"{what} against real time", round(lasted_s / wall_s, 1), "x"),
        figure(
            f"{what} against real time, by its own use of a core", round(lasted_s / cpu_s, 1), "x"
        ),
    ]


def _frames_ns(path: str) -> list[int]:
    """ns that each frame of a journal took to encode, its keyframes left out."""
    reader = JournalReader(path)
    encoder = FrameEncoder(reader.counts)
    inp, out = (array("i", bytes(4 * count)) for count in (reader.counts[0], reader.counts[2]))
    taken_ns = []
    for frame in reader.frames():
        frame.apply(inp, out)
        fresh = bytearray(frame.fresh)
        began_ns = timing.now_ns()
        encoder.encode(frame.sequence, frame.elapsed_ticks, inp, fresh, out, frame.state)
        if frame.state is None:
            taken_ns.append(timing.now_ns() - began_ns)
    reader.close()
    return taken_ns


def make_journal(path: str, ticks: int) -> list[int]:
    """Write the journal of so many ticks of the example cabinet; ns each tick took."""
    settings = configuration.load(str(EXAMPLE))
    controller = VirtualController(settings, path)
    controller.can = {bus.name: VirtualCan(bus.name) for bus in settings.buses if bus.kind == "can"}
    controller.start()
    cabinet = controller.cabinet
    assert cabinet is not None and cabinet.journal is not None, "it has just started"
    kernel_steps.fill(cabinet.image.inp, cabinet.core.layout)
    taken_ns = [_tick_ns(cabinet, number, settings.tick_ms) for number in range(1, ticks + 1)]
    cabinet.journal.close()
    if cabinet.core.out[s.STATE] != s.RUNNING:
        raise NotReplayedError("the cabinet of the benchmark did not start")
    return taken_ns


def _tick_ns(cabinet: Cabinet, number: int, tick_ms: int) -> int:
    image, layout = cabinet.image, cabinet.core.layout
    kernel_steps.follow(image.inp, cabinet.core.kernel.out, layout, number)
    _move(image.inp, layout, number)
    for group in range(layout.groups):
        image.fresh[group] = 1
    began_ns = timing.now_ns()
    cabinet.tick(number * tick_ms * 1000, 1)
    return timing.now_ns() - began_ns


def _move(inp: array, layout: s.Layout, number: int) -> None:
    """Measurements that change from tick to tick, so that the journal has something to write."""
    phase = number % 1009
    inp[s.LOAD_POWER_W] = 300_000 + 150 * phase
    inp[s.GRID_POWER_W] = 250_000 + 100 * phase
    currents_mA = [1000 + 7 * (phase + rack) for rack in range(layout.racks)]
    inp[layout.unit_input(0, s.PCS_DC_CURRENT_MA)] = sum(currents_mA)  # or row 55 trips
    for rack, current_mA in enumerate(currents_mA):
        inp[layout.rack_input(rack, s.RACK_CURRENT_MA)] = current_mA
        inp[layout.rack_input(rack, s.CELL_VOLTAGE_MV_MAX)] = 3300 + phase // 100
