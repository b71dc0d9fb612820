"""Self-tests: a changed instruction, a stuck bit, clocks that part, a hot processor."""

import random
import types
from array import array
from pathlib import Path

import pytest

from controller.run import self_test
from controller.run.self_test import CLOCK, MEMORY, PROGRAM, THERMOMETER, SelfTest
from controller.system import program_memory
from safety import kernel
from tests.tables import cases

SECOND = program_memory.SECOND_US


def module(source):
    made = types.ModuleType("made")
    exec(compile(source, "made.py", "exec"), vars(made))
    return made


SOURCE = """
def limit(x):
    return min(x, 5)

class Kernel:
    def step(self, elapsed):
        return elapsed + 1

    def other(self):
        return 7
"""


BYTES = b"\x12\x34\x56"


class Stuck(bytearray):
    level = 0

    def __bytes__(self):
        return bytes([self[0] | 8 if self.level else self[0] & ~8]) + self[1:]


class StuckOn(Stuck):
    level = 1


class Forgetful(bytearray):
    """Keeps the test patterns, but loses what it held before them."""

    def __setitem__(self, key, content):
        super().__setitem__(key, content if len(set(content)) == 1 else b"\0" * len(content))


def test_what_has_failed_stays_failed_beside_what_fails_next():
    tested, made = SelfTest([array("i", [0])], [module(SOURCE)]), module(SOURCE)
    for bit, is_ok in ((MEMORY, False), (CLOCK, False), (PROGRAM, True)):
        tested._check(bit, is_ok)
    assert tested.bits == MEMORY | CLOCK
    tested, code = SelfTest([bytearray(4)], [made]), made.limit.__code__
    made.limit.__code__ = module(SOURCE.replace("5", "6")).limit.__code__
    quiet(tested, 1)
    made.limit.__code__ = code
    assert quiet(tested).bits == PROGRAM


def quiet(tested, seconds=20):
    for now_us in range(0, seconds * SECOND, SECOND // 50):
        tested.step(now_us, now_us)
    return tested


def test_a_healthy_controller_finds_nothing_and_leaves_memory_as_it_was():
    generator = random.Random(5)
    words = array("i", [generator.randrange(-(2**31), 2**31) for _ in range(50)])
    data = bytearray(generator.randbytes(33))
    before = bytes(words), bytes(data)
    tested = quiet(SelfTest([words, bytearray(), data], [module(SOURCE)]))
    assert tested.bits == 0 and (bytes(words), bytes(data)) == before


def test_every_function_and_method_is_watched():
    """Functions of every file of safety/ except those that only channel B runs."""
    names = [each.__qualname__ for each in program_memory.functions([module(SOURCE)])]
    assert sorted(names) == ["Kernel.other", "Kernel.step", "limit"]
    modules = program_memory.kernel_modules()
    files = {path.stem for path in Path(kernel.__file__).parent.glob("*.py")}
    named = {module.__name__.removeprefix("safety.") for module in modules}
    assert kernel in modules and named == files - {"__init__", "second", "second_image"}
    ours = {each.__qualname__ for each in program_memory.functions(modules)}
    assert {"Kernel.step", "Permit._next", "Evaluator._activate", "scale_W"} <= ours and len(
        ours
    ) > 100


@pytest.mark.parametrize("change", ["elapsed - 1", "elapsed + 2"])
def test_a_changed_function_is_found_within_one_round(change):
    made = module(SOURCE)
    tested = quiet(SelfTest([bytearray(4)], [made]), 1)
    changed = module(SOURCE.replace("elapsed + 1", change))
    made.Kernel.step.__code__ = changed.Kernel.step.__code__
    for tick in range(len(tested._functions)):
        assert tested.bits in (0, PROGRAM)
        tested.step(2 * SECOND + tick, 2 * SECOND + tick)
    assert tested.bits == PROGRAM


@pytest.mark.parametrize("view", [Stuck(BYTES), StuckOn(BYTES), Forgetful(BYTES)])
def test_memory_with_a_stuck_bit_or_lost_content(view):
    assert not self_test.memory_ok(view)


def test_memory_that_goes_bad_later_is_found_when_its_turn_comes(monkeypatch):
    tested = SelfTest([bytearray(4), bytearray(5), bytearray(6)], [module(SOURCE)])
    good = self_test.memory_ok
    monkeypatch.setattr(self_test, "memory_ok", lambda view: good(view) and len(view) != 6)
    for second in range(3):
        tested.step(second * SECOND, second * SECOND)
    assert tested.bits == MEMORY


@cases("""
    raw_per_second_us  step_us  bits
    980_000  0  0 | 979_000  0  CLOCK | 1_020_000  0  0 | 1_021_000  0  CLOCK | 0  0  CLOCK
    1_000_000  30_000  0
""")
def test_clocks_may_part_by_two_percent(raw_per_second_us, step_us, bits):
    """A stall between the two readings is a few milliseconds in five seconds."""
    tested = SelfTest([bytearray(4)], [module(SOURCE)])
    for second in range(12):
        tested.step(second * SECOND, second * raw_per_second_us + step_us * (second % 2))
    assert tested.bits == bits


def test_clocks_that_part_after_hours_are_found_within_two_windows():
    """A mean since the start would hide them for as long again."""
    tested, window_us = SelfTest([bytearray(4)], [module(SOURCE)]), program_memory.CLOCK_WINDOW_US
    hours_us = 1000 * window_us
    for now_us in range(0, hours_us + 1, window_us):
        tested.step(now_us, now_us)
    assert tested.bits == 0
    for passed_us in range(0, 2 * window_us + 1, SECOND):
        tested.step(hours_us + passed_us, hours_us + passed_us * 97 // 100)
    assert tested.bits == CLOCK


class Zones:
    def __init__(self, folder, *contents):
        self.folder, self.seconds = folder, 0
        for number, content in enumerate(contents):
            self.say(number, content)
        self.tested = SelfTest([bytearray(4)], [module(SOURCE)], zones=str(folder / "zone*"))

    def say(self, number, content):
        (self.folder / f"zone{number}").write_text(content)

    def run(self, seconds=1):
        for _ in range(seconds):
            self.tested.step(self.seconds * SECOND, self.seconds * SECOND)
            self.seconds += 1
        return self.tested.cpu_temperature_ddegC, self.tested.bits


@cases(r"""
    contents                            expected
    []                                  0
    ["45000\n"]                         450
    ["45000\n", "110100\n", "20000\n"]  1101
    ["nonsense", "61000"]               610
    ["-5000"]                           0
""")
def test_the_hottest_zone_counts_and_one_without_a_reading_does_not(tmp_path, contents, expected):
    (tmp_path / "zone").symlink_to("gone")  # cannot be opened
    zones = Zones(tmp_path, *contents)
    assert max(0, zones.run()[0]) == expected
    zones.tested.close()
    assert not zones.tested._zones


@pytest.mark.parametrize("content", ["", "N/A"])
def test_a_zone_that_tells_nothing_any_more_keeps_its_reading_and_is_a_fault_after_ten_seconds(
    tmp_path, content
):
    """Row 44f neither clears nor trips by silence; row 44e is its fault."""
    zones = Zones(tmp_path, "115000", "40000")
    assert zones.run(3) == (1150, 0)
    zones.say(0, content)
    assert zones.run(9) == (1150, 0)
    assert zones.run() == (1150, THERMOMETER)
    assert "temperature" in self_test.sentence(THERMOMETER)
    zones.say(0, "50000")
    assert zones.run() == (500, THERMOMETER), "what has failed stays; what it tells counts"


def test_a_zone_that_comes_back_in_time_is_no_fault_and_one_that_never_told_is_none(tmp_path):
    zones = Zones(tmp_path, "50000")
    for _ in range(4):
        zones.say(0, "50000")
        assert zones.run() == (500, 0)
        zones.say(0, "")
        assert zones.run(9) == (500, 0)
    (tmp_path / "other").mkdir()
    zones = Zones(tmp_path / "other", "", "nonsense")
    assert zones.run(60) == (0, 0)
    zones.say(0, "61000")
    assert zones.run() == (610, 0)
    zones.say(0, "")
    assert zones.run(10) == (610, THERMOMETER)
