"""Tests the controller while it runs: program, memory, clocks and processor temperature.

Each tick tests a small part. Basis: row 44 of the matrix; UL 60730-1 table H.1 and UL 1998 table
A2.1 (fact A92); for the temperature fact C82. The test finds a changed program or a stuck bit,
never a program that was wrong from the beginning. A thermal zone that becomes silent keeps its last
reading, so that stage 44f does not clear. After ZONE_SILENT_READS reads without a value, the zone
counts as a fault.
"""

import glob
import os
from array import array
from collections.abc import Sequence
from types import ModuleType

from controller.system import clock, program_memory

PROGRAM, MEMORY, CLOCK, ENABLE, SUPPLY = 1, 2, 4, 8, 16  # bits of the kernel's input self_test_bits
# The kernel's input has five bits, so a lost thermometer shares the bit of the clocks: both are
# parts of the controller, with the same remedy.
THERMOMETER = CLOCK
WORDS = {
    PROGRAM: "its program in memory has changed",
    MEMORY: "a bit of its memory is stuck",
    CLOCK: "its two clocks run apart or its processor reports no temperature",
    ENABLE: "the relay of the PCS enable does not follow",
    SUPPLY: "the relay of the contactor supply does not follow",
}
# Chosen by the project: the clocks of a box agree far better. A crystal that is off by 2 % is
# broken.
CLOCK_PERMILLE_MAX = 20
# Reads, one per second. Chosen by the project: a driver that sleeps or restarts gives no value for
# a while.
ZONE_SILENT_READS = 10
PATTERNS = (0x55, 0xAA)
ZONES = "/sys/class/thermal/thermal_zone*/temp"


class SelfTest:
    """`bits`: faults, which stay; `cpu_temperature_ddegC`: temperature of the hottest zone; 0: no
    zone.
    """

    def __init__(
        self,
        arrays: "Sequence[array[int] | bytearray]",
        modules: list[ModuleType] | None = None,
        zones: str = ZONES,
    ):
        """arrays: memory to test; modules: program to test; None: the kernel."""
        self.bits = 0
        self.cpu_temperature_ddegC = 0
        self._arrays = [memoryview(memory).cast("B") for memory in arrays if len(memory)]
        self._functions = list(
            program_memory.functions(
                program_memory.kernel_modules() if modules is None else modules
            )
        )
        self._crc = [program_memory.program_crc(function) for function in self._functions]
        self._zones = _opened(zones)
        self._place = self._block = 0
        self._due_us: int | None = None
        self._clocks: tuple[int, int] | None = None  # monotonic, raw, us
        for view in self._arrays:
            self._check(MEMORY, memory_ok(view))

    def step(self, monotonic_us: int | None = None, raw_us: int | None = None) -> None:
        """Test one function of the program each tick, and memory and processor each second. Compare
        two clocks of this box, which are read if no times are given.
        """
        if monotonic_us is None or raw_us is None:
            monotonic_us, raw_us = clock.monotonic_us(), clock.raw_us()
        self._place = (self._place + 1) % len(self._functions)
        function = self._functions[self._place]
        self._check(PROGRAM, program_memory.program_crc(function) == self._crc[self._place])
        if self._due_us is None or monotonic_us >= self._due_us:
            self._due_us = monotonic_us + program_memory.SECOND_US
            self._second()
        self._compare(monotonic_us, raw_us)

    def _check(self, bit: int, is_ok: bool) -> None:
        if not is_ok:
            self.bits |= bit

    def _second(self) -> None:
        self._block = (self._block + 1) % len(self._arrays)
        self._check(MEMORY, memory_ok(self._arrays[self._block]))
        for zone in self._zones:
            zone.read()
            self._check(THERMOMETER, zone.silent_reads < ZONE_SILENT_READS)
        reported = [zone.last_ddegC for zone in self._zones if zone.last_ddegC is not None]
        self.cpu_temperature_ddegC = max(reported, default=0)

    def _compare(self, monotonic_us: int, raw_us: int) -> None:
        """Compare the monotonic clock, which is steered, with the raw clock over
        program_memory.CLOCK_WINDOW_US.
        """
        if self._clocks is None or monotonic_us < self._clocks[0]:
            self._clocks = monotonic_us, raw_us
        start_us, start_raw_us = self._clocks
        passed_us = monotonic_us - start_us
        if passed_us >= program_memory.CLOCK_WINDOW_US:
            apart_us = abs(passed_us - (raw_us - start_raw_us))
            self._check(CLOCK, apart_us * 1000 <= passed_us * CLOCK_PERMILLE_MAX)
            self._clocks = monotonic_us, raw_us

    def close(self) -> None:
        """Close the zones."""
        for zone in self._zones:
            os.close(zone.descriptor)
        self._zones = []


def sentence(bits: int) -> str:
    """The faults in words; "" for 0."""
    faults = ", ".join([text for bit, text in WORDS.items() if bits & bit])
    return f"the controller found a fault: {faults}" if faults else ""


def memory_ok(view: memoryview) -> bool:
    """True if every byte of a view stores two opposite patterns; the content is restored."""
    content, is_ok = bytes(view), True
    for pattern in PATTERNS:
        expected = bytes([pattern]) * len(view)
        view[:] = expected
        is_ok = is_ok and bytes(view) == expected
    view[:] = content
    return is_ok and bytes(view) == content


def _opened(pattern: str) -> "list[_Zone]":
    zones = []
    for path in sorted(glob.glob(pattern)):
        try:
            zones.append(_Zone(os.open(path, os.O_RDONLY)))
        except OSError:
            continue
    return zones


class _Zone:
    """A thermal zone. A zone that never reports a value is no fault, because many boxes have such
    zones. `silent_reads`: reads in a row without a value, since the zone gave its first value.
    """

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.last_ddegC: int | None = None
        self.silent_reads = 0

    def read(self) -> None:
        try:
            # the file gives thousandths of a degree
            self.last_ddegC = int(os.pread(self.descriptor, 32, 0)) // 100
            self.silent_reads = 0
        except (OSError, ValueError):
            self.silent_reads += self.last_ddegC is not None
