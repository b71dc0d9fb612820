"""The clocks of the benchmarks, and the work that is put beside them: the only module here that
reads time.
"""

import os
import subprocess
import sys
import time

HOG = """import hashlib, os, sys
parent, block = int(sys.argv[1]), bytes(1 << 22)
while os.getppid() == parent:
    hashlib.sha256(block)
"""
HOGS_PER_CORE = 2


now_ns = time.perf_counter_ns  # for differences
monotonic_ns = time.monotonic_ns  # the clock of the simulated cabinet
cpu_ns = time.process_time_ns  # of this process: what else runs on the machine is not in it
wait_s = time.sleep


class Stopwatch:
    """A context: then `wall_s` and `cpu_s` of this process."""

    def __enter__(self):
        self._began = now_ns(), cpu_ns()
        return self

    def __exit__(self, *_):
        ended = now_ns(), cpu_ns()
        self.wall_s, self.cpu_s = (
            (after - begin) / 1e9 for begin, after in zip(self._began, ended)
        )


def utc_text():
    """Date and time by the system's clock: a label of a result, nothing more."""
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime())


class Hogs:
    """CPU stress as a context: busy processes of ordinary priority, HOGS_PER_CORE for each core,
    hashing 4 MiB each.

    They end with the process that started them, however that ends. `words`: what they are.
    """

    def __init__(self, count=None):
        """count: how many processes; 0 for none."""
        self.count = HOGS_PER_CORE * os.cpu_count() if count is None else count
        self.words = f"{self.count} busy processes" if self.count else "idle"

    def __enter__(self):
        command = [sys.executable, "-c", HOG, str(os.getpid())]
        self._processes = [subprocess.Popen(command) for _ in range(self.count)]
        return self

    def __exit__(self, *_):
        for process in self._processes:
            process.kill()
            process.wait()
