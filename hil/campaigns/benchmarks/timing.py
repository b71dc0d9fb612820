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


def now_ns():
    """A clock for differences, ns."""
    return time.perf_counter_ns()


def monotonic_ns():
    """The clock of the simulated cabinet, ns."""
    return time.monotonic_ns()


def cpu_ns():
    """What this process has used of a core, ns: what else runs on the machine is not in it."""
    return time.process_time_ns()


class Stopwatch:
    """A context: then `wall_s` and `cpu_s` of this process."""

    def __enter__(self):
        self._began = now_ns(), cpu_ns()
        return self

    def __exit__(self, *_):
        self.wall_s, self.cpu_s = (
            (now_ns() - self._began[0]) / 1e9,
            (cpu_ns() - self._began[1]) / 1e9,
        )


def wait_s(seconds):
    """Sleep."""
    time.sleep(seconds)


def utc_text():
    """Date and time by the system's clock: a label of a result, nothing more."""
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime())


class Hogs:
    """CPU stress as a context: busy processes of ordinary priority, HOGS_PER_CORE for each core,
    hashing 4 MiB each.

    They end with the process that started them, however that ends.
    """

    def __init__(self, count=None):
        """count: how many processes; 0 for none."""
        self.count = HOGS_PER_CORE * os.cpu_count() if count is None else count
        self._processes = []

    def __enter__(self):
        for _ in range(self.count):
            self._processes.append(subprocess.Popen([sys.executable, "-c", HOG, str(os.getpid())]))
        return self

    def __exit__(self, *_):
        for process in self._processes:
            process.kill()
            process.wait()

    @property
    def words(self):
        """What they are, for the figure's name."""
        return f"{self.count} busy processes" if self.count else "idle"
