"""The clocks of the benchmarks, and CPU stress. Only this module of the folder reads time."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

HOG = """import hashlib, os, sys
parent, block = int(sys.argv[1]), bytes(1 << 22)
while os.getppid() == parent:
    hashlib.sha256(block)
"""
HOGS_PER_CORE = 2


now_ns = time.perf_counter_ns  # for differences
monotonic_ns = time.monotonic_ns  # the clock of the simulated cabinet
cpu_ns = time.process_time_ns  # of this process, so other programs of the machine do not count
wait_s = time.sleep


class Stopwatch:
    """A context; afterwards it has `wall_s` and `cpu_s` of this process."""

    def __enter__(self) -> "Stopwatch":
        self._began = now_ns(), cpu_ns()
        return self

    def __exit__(self, *_: object) -> None:
        ended = now_ns(), cpu_ns()
        self.wall_s, self.cpu_s = (
            (after - begin) / 1e9 for begin, after in zip(self._began, ended)
        )


def utc_text() -> str:
    """Date and time by the system's clock, used only as a label of a result."""
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime())


@contextlib.contextmanager
def hogs(count: int | None = None) -> Iterator[str]:
    """Context with CPU stress; gives words for it. `count` busy processes end with this process."""
    count = HOGS_PER_CORE * (os.cpu_count() or 1) if count is None else count
    command = [sys.executable, "-c", HOG, str(os.getpid())]
    processes = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield f"{count} busy processes" if count else "idle"
    finally:
        for process in processes:
            process.kill()
            process.wait()
