"""`python -m hil bench tick` measures the CPU time of a tick of 10 ms with 3 and 16 racks.

A given cabinet can be measured, too. The devices run in virtual time. Other programs of the machine
do not count.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from controller.config import configuration
from controller.config.cabinet_config import Config
from controller.system import realtime
from hil.campaigns.benchmarks import timing
from hil.campaigns.benchmarks.document import Measured, figure, percentile
from hil.engine.simulate import VirtualRig
from hil.systems import sized

TICK_MS, CLOSED_S, SECONDS = 10, 8.0, 12.0
# (units, racks in each, budget)
TOPOLOGIES = ((1, 3, None), (1, 16, "tick_16"), (16, 1, None))


def run(cabinet: str | None = None) -> Measured:
    """The findings. cabinet: a file, instead of TOPOLOGIES. Raises ConfigError."""
    realtime.freeze_collector()
    figures = []
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        for config, budget in _configs(cabinet, Path(folder)):
            taken_us = ticks_us(config, Path(folder))
            sizes = f"{config.racks} racks, converters: {config.units}"
            quantity = f"whole tick of {config.tick_ms} ms, {sizes}"
            middle_us, late_us = (percentile(taken_us, permille) for permille in (500, 990))
            figures.append(figure(f"{quantity}, median", middle_us, "us", budget=budget))
            figures.append(figure(f"{quantity}, p99", late_us, "us"))
    notes = [f"{SECONDS:g} s in virtual time, power flows, with journal, bytes not counted"]
    return Measured(figures, notes, {})


def _configs(cabinet: str | None, folder: Path) -> Iterator[tuple[Config, str | None]]:
    """Yield each (Config, budget)."""
    if cabinet:
        yield configuration.load(cabinet), None
        return
    for units, racks, budget in TOPOLOGIES:
        energy_Wh = 215_000 * units * racks
        size = sized.Size(units, racks, sized.REAL_UNIT_W, energy_Wh, import_W=10_000_000)
        yield sized.load(size, folder, TICK_MS), budget


def ticks_us(config: Config, folder: Path) -> list[float]:
    """CPU time of each tick, us, from closed contactors on."""
    plant, journal = {"soc": 0.55}, str(folder / "journal")
    rig = VirtualRig(config, _load, 1, (), plant, journal).run(CLOSED_S)
    cabinet, taken_ns = rig.controller.cabinet, []
    assert cabinet is not None  # it has started
    timed_tick = cabinet.tick

    def tick(now_us: int, elapsed_ticks: int) -> None:
        began_ns = timing.cpu_ns()
        timed_tick(now_us, elapsed_ticks)
        taken_ns.append(timing.cpu_ns() - began_ns)

    cabinet.tick = tick  # type: ignore[method-assign]
    rig.run(CLOSED_S + SECONDS)
    if rig.shown[0] != "running":
        raise RuntimeError(f"the cabinet of {config.units} units is {rig.shown[0]}, not running")
    return [tick_ns / 1000 for tick_ns in taken_ns]


def _load(t_s: float) -> float:
    return 400_000.0 + 50_000 * (int(2 * t_s) & 1)
