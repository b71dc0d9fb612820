"""Runs cyclictest (of rt-tests), to compare its punctuality with that of the control loop."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from typing import Any

from controller.system.realtime import FIFO_PRIORITY
from hil.campaigns.benchmarks.document import percentile

NAME = "cyclictest"
MISSING = (
    "cyclictest is not installed, so there is nothing to compare with: apt-get install rt-tests"
)
STALL_PARTS = 4  # a wake-up later than a quarter of the period is a stall of the host
END_S = 10


class Cyclictest:
    """Runs cyclictest. Afterwards there is a `result` in us {p50, p99, p99_9, max, cycles, stalls},
    or a line in `notes` says why the result is missing.
    """

    def __init__(self, program: str = NAME, tick_ms: int = 20, core: int | None = None) -> None:
        """tick_ms: time between two wake-ups, as in the loop. core: the core of the loop. There
        cyclictest runs above the loop's priority, so that ticks of the loop do not delay the
        measurement.
        """
        self.program, self._tick_ms = program, tick_ms
        self._affinity = [] if core is None else [f"--affinity={core}"]
        self._priority = FIFO_PRIORITY + (core is not None)
        self.result: dict[str, int] | None = None
        self.notes: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Cyclictest":
        if shutil.which(self.program) is None:
            self.notes = [MISSING]
            return self
        self._folder = tempfile.TemporaryDirectory(prefix="firebreak-bench-")
        self._path = os.path.join(self._folder.name, "cyclictest.json")
        self._process = subprocess.Popen(
            [
                self.program,
                "--mlockall",
                f"--priority={self._priority}",
                *self._affinity,
                f"--interval={self._tick_ms * 1000}",
                "--quiet",
                "--default-system",
                "--histogram=200000",
                f"--json={self._path}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            output = self._process.communicate(timeout=END_S)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            output = self._process.communicate()[1] or "it did not end"
        try:
            with open(self._path, encoding="utf-8") as file:
                self.result = parse(json.load(file), self._tick_ms)
        except (OSError, ValueError, KeyError) as error:
            last = (output.strip().splitlines() or [str(error)])[-1]
            self.notes = [f"cyclictest gave no figures: {last}"]
        self._folder.cleanup()

    def value(self, name: str) -> int | None:
        """A figure of the result; None without a result."""
        return self.result[name] if self.result else None


def parse(report: dict[str, Any], tick_ms: int = 20) -> dict[str, int]:
    """Percentiles from cyclictest's JSON report. Raises KeyError, or ValueError without cycles."""
    thread = report["thread"]["0"]
    cycles, max_us = thread["cycles"], thread["max"]
    late_us = [int(us) for us, count in thread["histogram"].items() for _ in range(count)]
    stall_us = tick_ms * 1000 // STALL_PARTS
    late_us += [max_us] * (cycles - len(late_us))  # cycles beyond the histogram
    return {
        "p50": percentile(late_us, 500),
        "p99": percentile(late_us, 990),
        "p99_9": percentile(late_us, 999),
        "max": max_us,
        "cycles": cycles,
        "stalls": sum(us > stall_us for us in late_us),
    }
