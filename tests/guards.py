"""Guards of the whole suite: what no test leaves behind, what no part of the product does."""

import builtins
import os
import stat
import sys
from pathlib import Path

import pytest

PRODUCT = ("controller.", "drivers.", "safety.", "hil.")
MACHINE = ("/dev/null", "/dev/full", "/dev/zero", "/dev/shm")
SUM = builtins.sum


def sum_of_whole_numbers(values, /, start=0):
    """The builtin `sum`, which the product may use for whole numbers only.

    It adds floats in another way since Python 3.12, so a text or a digest would depend on the
    version of Python. math.fsum gives one result everywhere.
    """
    found = SUM(values, start)
    if isinstance(found, float):
        caller = sys._getframe(1)
        if caller.f_globals.get("__name__", "").startswith(PRODUCT):
            place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
            pytest.fail(f"{place}: sum() of floats depends on the version of Python: math.fsum()")
    return found


class Places:
    """Compares modes and owners of the machine's devices, and of the files beside the checkout."""

    def __init__(self, root):
        self._paths = [*map(Path, MACHINE), root.parent, *root.parent.iterdir()]
        self._before = self._found()

    def _found(self):
        found = {}
        for path in self._paths:
            try:
                seen = os.lstat(path)
            except OSError as error:
                found[path] = error.strerror
            else:
                kind = stat.filemode(seen.st_mode)
                found[path] = f"{kind} {seen.st_uid}:{seen.st_gid} {seen.st_rdev}"
        return found

    def changes(self):
        """A line for each place that a test has changed."""
        now = self._found()
        return [
            f"{path}: was {was}, is {now[path]}"
            for path, was in self._before.items()
            if now[path] != was
        ]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        if self.changes():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        for line in self.changes():
            terminalreporter.write_line(f"FAILED the tests changed {line}", red=True)
