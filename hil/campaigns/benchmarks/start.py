"""`python -m hil bench start` times the first tick and `firebreak status`, measures memory.

Memory is the private memory that the kernel reports (smaps, clean and dirty pages). The 64 MiB of
the journal do not count, because all readers share that file.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from hil.campaigns import process
from hil.campaigns.benchmarks import machine, timing
from hil.campaigns.benchmarks.document import Figures, Measured, figure, memory_figure, percentile
from hil.campaigns.benchmarks.silent_cabinet import SilentCabinet, StartError

SETTLED_S = 3.0
Taken = tuple[int, int]  # (ms by the clock, ms of CPU time)


def run(rounds: int = 5) -> Measured:
    """The findings. Raises StartError."""
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _, *starts = [_start_ms(environment) for _ in range(1 + rounds)]
        with SilentCabinet(environment) as cabinet:
            cabinet.wait(SETTLED_S)
            memory_kB = machine.private_kB(cabinet.pid, apart=f"{cabinet.directory}/journal")
            _, *pages = [_status_ms(cabinet.directory, environment) for _ in range(1 + rounds)]
            priority = cabinet.priority()
    return Measured(
        [
            *_times("exec to first tick", starts, "start"),
            *_memory(memory_kB),
            *_times("firebreak status", pages, "status"),
        ],
        [f"{rounds} starts and as many pages, after one of each that compiles the modules"],
        {"starts_ms": starts, "pages_ms": pages},
        priority,
    )


def _times(quantity: str, times_ms: Sequence[Taken], budget: str) -> Figures:
    by_clock, on_core = zip(*times_ms)
    return [
        figure(f"{quantity}, median", percentile(by_clock, 500), "ms", budget=budget),
        figure(f"{quantity}, longest", max(by_clock), "ms"),
        figure(f"{quantity}, its own use of a core, median", percentile(on_core, 500), "ms"),
    ]


def _memory(memory_kB: dict[str, int]) -> Figures:
    return [
        memory_figure(f"memory {part}", memory_kB[key], budget)
        for part, key, budget in (
            ("private to the controller", "private", "private_memory"),
            ("of that, written to", "dirty", None),
            ("locked, its share of what others map as well", "locked", None),
        )
    ]


def _start_ms(environment: Mapping[str, str]) -> Taken:
    with SilentCabinet(environment) as cabinet:
        return cabinet.first_tick_ms, cabinet.first_tick_cpu_ms


def _status_ms(directory: str, environment: Mapping[str, str]) -> Taken:
    began_ns = timing.now_ns()
    page = process.module(
        "controller", "status", "--run-dir", directory, stdout=subprocess.DEVNULL, env=environment
    )
    _, status, used = os.wait4(page.pid, 0)
    page.returncode = os.waitstatus_to_exitcode(status)
    if page.returncode:
        raise StartError(f"firebreak status ended with {page.returncode}")
    taken_ms = (timing.now_ns() - began_ns) // 1_000_000
    return taken_ms, round((used.ru_utime + used.ru_stime) * 1000)
