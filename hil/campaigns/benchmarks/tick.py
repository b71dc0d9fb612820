"""`python -m hil bench tick`: what a whole tick of 10 ms costs with 3 and 16 racks, beside devices
in virtual time. Only this process's use of a core counts.
"""

import tempfile
from pathlib import Path

from controller.system import realtime
from hil.campaigns.benchmarks import machine, timing
from hil.campaigns.benchmarks.document import Measured, figure, percentile
from hil.engine.simulate import VirtualRig
from hil.systems import sized

TICK_MS, CLOSED_S, SECONDS = 10, 8.0, 12.0
# units, racks of each, budget
TOPOLOGIES = ((1, 3, None), (1, 16, "tick_16"), (16, 1, None))


def run() -> Measured:
    """The findings."""
    realtime.freeze_collector()
    figures = []
    for units, racks, budget in TOPOLOGIES:
        taken_us = ticks_us(units, racks)
        what = f"whole tick of {TICK_MS} ms, {units * racks} racks, converters: {units}"
        figures.append(figure(f"{what}, median", percentile(taken_us, 500), "us", budget=budget))
        figures.append(figure(f"{what}, p99", percentile(taken_us, 990), "us"))
    notes = [f"{SECONDS:g} s in virtual time, power flows, with journal, bytes not counted"]
    return Measured(figures, notes, {}, machine.priority())


def ticks_us(units: int, racks: int) -> list[float]:
    """Use of a core of each tick, us, once the contactors are closed."""
    energy_Wh = 215_000 * units * racks
    size = sized.Size(units, racks, sized.REAL_UNIT_W, energy_Wh, import_W=10_000_000)
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        config = sized.load(size, Path(folder), TICK_MS)
        plant, journal = {"soc": 0.55}, str(Path(folder) / "journal")
        rig = VirtualRig(config, _load, 1, (), plant, journal).run(CLOSED_S)
        cabinet, taken_ns = rig.controller.cabinet, []
        assert cabinet is not None, "it has started"
        whole = cabinet.tick

        def tick(now_us: int, elapsed_ticks: int) -> None:
            began_ns = timing.cpu_ns()
            whole(now_us, elapsed_ticks)
            taken_ns.append(timing.cpu_ns() - began_ns)

        cabinet.tick = tick  # type: ignore[method-assign]
        rig.run(CLOSED_S + SECONDS)
        if rig.shown[0] != "running":
            raise RuntimeError(f"the cabinet of {units} units is {rig.shown[0]}, not running")
    return [each_ns / 1000 for each_ns in taken_ns]


def _load(t_s: float) -> float:
    return 400_000.0 + 50_000 * (int(2 * t_s) & 1)
