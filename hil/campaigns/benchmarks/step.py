"""`python -m hil bench step` times a kernel step and counts MicroPython's instructions.

The round with the lowest median counts, because the kernel always does the same work.
"""

import pathlib
import tempfile
from typing import Any

from controller.system import realtime
from controller.system.worded import counted
from hil.campaigns.benchmarks import timing
from hil.campaigns.benchmarks.document import Figures, Measured, figure, percentile
from hil.oracle import channel_b_course, kernel_steps, wasm

# (racks, modules per rack, budget)
TOPOLOGIES = ((1, 15, "step_1"), (3, 15, None), (16, 64, "step_16"))
FUEL_TOPOLOGIES = ((1, 15), (16, 64))  # channel B has no racks: see python -m hil mcu
FUEL_STEPS = 100
SCRIPT = """import sys
sys.path.insert(0, "/input")
import kernel_steps
kernel_steps.main(*[int(word) for word in sys.argv[1:]])
"""


def run(rounds: int = 5, steps: int = 2000) -> Measured:
    """The findings."""
    realtime.freeze_collector()
    figures: Figures = []
    details: dict[str, Any] = {}
    notes = []
    for racks, modules, budget in TOPOLOGIES:
        results_us = sorted(_rounds(racks, modules, rounds, steps))
        median_us, p99_us = results_us[0]
        name = _name(racks, modules)
        figures.append(figure(f"{name}, median", median_us, "us", budget=budget))
        figures.append(figure(f"{name}, p99", p99_us, "us"))
        details[f"{racks} x {modules}"] = [
            {"median_us": median_us, "p99_us": p99_us} for median_us, p99_us in results_us
        ]
    try:
        figures += _instructions()
        notes.append(
            "MicroPython's instructions are those of its WebAssembly build; a Cortex-M "
            "needs another number"
        )
    except ImportError:
        notes.append(wasm.MISSING)
    notes.append(f"the quietest of {rounds} rounds of {steps} steps, every group of inputs fresh")
    return Measured(figures, notes, {"rounds": details})


def _rounds(racks: int, modules: int, rounds: int, steps: int) -> list[tuple[float, float]]:
    """[(median, p99)] in us, for each round of one topology."""
    bench = kernel_steps.Steps(racks, modules)
    bench.start()
    rounds_ns = [[_step_ns(bench) for _ in range(steps)] for _ in range(rounds)]
    return [(percentile(ns, 500) / 1000, percentile(ns, 990) / 1000) for ns in rounds_ns]


def _step_ns(bench: kernel_steps.Steps) -> int:
    bench.prepare()
    began_ns = timing.now_ns()
    bench.kernel.step(1)
    return timing.now_ns() - began_ns


def _instructions() -> Figures:
    """Figures of MicroPython. Raises ImportError."""
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        program = wasm.Program(pathlib.Path(folder), (kernel_steps, channel_b_course), SCRIPT)
        figures = [
            figure(f"{_name(*racks)}, MicroPython", _per_step(program, *racks), "instructions")
            for racks in FUEL_TOPOLOGIES
        ]
    timing.wait_s(wasm.SETTLE_S)
    return figures


def _per_step(program: wasm.Program, racks: int, modules: int) -> int:
    """Instructions of one step. The start and the end of a run cancel out."""
    prepared, stepped = (
        program.instructions(racks, modules, 2 * FUEL_STEPS, stepping)
        - program.instructions(racks, modules, FUEL_STEPS, stepping)
        for stepping in (0, 1)
    )
    return round((stepped - prepared) / FUEL_STEPS)


def _name(racks: int, modules: int) -> str:
    return f"kernel step, {counted(racks, 'rack')} of {modules} modules"
