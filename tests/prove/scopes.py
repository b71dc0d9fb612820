"""Mutated code and the tests that judge it: kernel, rooms of the controller, drivers."""

import math
import pathlib

from tests.exemptions import Exempt

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRODUCT = ("safety", "controller", "drivers")
# Neither covered nor mutated; `prove` prints the harms.
ON_HARDWARE = {
    "mcu/board_machine.py": Exempt(
        "no mutant is tried of what needs MicroPython's machine",
        "tests/safety/test_mcu_loop.py"
        "::test_a_latch_is_written_whole_with_the_heap_unlocked_meanwhile",
    ),
    "mcu/board_pico.py": Exempt(
        "no mutant is tried of what runs on a Raspberry Pi Pico only",
        "tests/safety/test_mcu_loop.py::test_a_pico_reads_its_files_its_jumper_and_its_line",
    ),
    "mcu/board_stm32.py": Exempt(
        "no mutant is tried of what runs on an STM32 only",
        "tests/safety/test_mcu_loop.py"
        "::test_pins_are_apart_contacts_pulled_down_and_the_relay_low_first",
    ),
    "mcu/board_qemu.py": Exempt(
        "no mutant is tried of what runs on the emulated board only",
        "tests/hil/campaigns/test_channel_b.py::test_what_is_frozen_in_is_in_the_tree",
    ),
    "mcu/main.py": Exempt(
        "no mutant is tried of the start, which a board alone runs",
        "tests/controller/systemd/test_flash_mcu.py::test_main_py_is_removed_first_and_copied_last",
    ),
}
# It compares the kernel with a copy of itself.
NO_JUDGES = {
    "test_parity.py": Exempt(
        "no mutant is killed by it, because MicroPython runs the same source",
        "tests/safety/test_parity.py::test_the_kernel",
    )
}
# Outside the kernel a test may wait for a port, which costs no CPU time.
WAITS_S_MAX = 60
MUTANT_S_MAX = 20  # CPU time: what lives so long is tried no further
ONE_IN_100 = 2.33  # standard deviations
OF_WIRES = ("-m", "not slow", "-p", "no:timeout", "-o", "tmp_path_retention_policy=none")


class Scope:
    """Files of a package, or of some of its rooms; the tests of these rooms and of `users` judge.

    told_percent: of the mutants that behaviour told or that survived; 0: each survivor needs its
    reason. is_quick: cheap enough for --quick.
    """

    def __init__(self, package, rooms=("",), users=(), told_percent=0, is_quick=False):
        self.name, self.folder = package, ROOT / package
        self.folders = [self.folder / room for room in rooms]
        self.tests = [ROOT / "tests" / package / room for room in (*rooms, *users)]
        self.told_percent = told_percent
        self.is_kernel, self.is_quick = package == "safety", is_quick
        self.quick_sample = 50 if self.is_kernel else 20
        self.wall_s_max = 0 if self.is_kernel else WAITS_S_MAX
        self.cpu_s_max = math.inf if self.is_kernel else MUTANT_S_MAX

    def paths(self):
        for folder in self.folders:
            for path in sorted(folder.rglob("*.py")):
                if path.relative_to(self.folder).as_posix() not in self.left_out:
                    yield path

    def test_files(self):
        for folder in self.tests:
            for path in sorted(folder.glob("test_*.py")):
                if not self.is_kernel or path.name not in NO_JUDGES:
                    yield path

    def told_min(self, judged):
        """Least number of detected mutants: fewer come by chance in one sample of a hundred."""
        share = self.told_percent / 100
        return judged * share - ONE_IN_100 * math.sqrt(judged * share * (1 - share))

    @property
    def left_out(self):
        return ON_HARDWARE if self.is_kernel else {}

    @property
    def watched(self):
        """Folders of which is measured what runs: a test that runs none of them compares data."""
        return [self.folder] if self.is_kernel else [ROOT / name for name in PRODUCT]

    @property
    def options(self):
        return () if self.is_kernel else OF_WIRES

    def kept_as(self, name):
        return name if self.is_kernel else f"{name}-{self.name}"

    def name_of(self, path):
        """A file as `kernel`, `mcu.loop` or `run.loop`."""
        path = pathlib.Path(path)
        is_inside = path.is_relative_to(self.folder)
        inside = path.relative_to(self.folder) if is_inside else pathlib.Path(path.name)
        return ".".join(inside.with_suffix("").parts)

    def test_stem(self, path):
        """The test file of a source is named after it."""
        return self.name_of(path).replace(".", "_") if self.is_kernel else path.stem


SAFETY = Scope("safety")
# codes of hints, the chain of records and what reads journals are tested where they are used
CONTROLLER = Scope(
    "controller", ("core", "journal", "store", "run"), ("hints", "recorder"), told_percent=85
)
DRIVERS = Scope("drivers", told_percent=90, is_quick=True)
SCOPES = {scope.name: scope for scope in (SAFETY, CONTROLLER, DRIVERS)}
