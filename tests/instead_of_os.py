"""Gives the modules of the controller a stand-in for the os module."""

import contextlib
import os
import sys

import pytest

# Functions that touch no file. Also any number and any text of the real module is handed out.
OF_TEXTS = {
    os: {"fspath", "fsencode", "fsdecode", "strerror", "stat_result", "geteuid", "getpid"},
    os.path: {"abspath", "basename", "commonpath", "dirname", "join", "normpath", "relpath"}
    | {"split", "splitext"},
}


class Descriptor:
    """What a simulated disk opens. The real system refuses it with a TypeError: it is no number."""


class Simulated:
    """Stands in for a module, and lets nothing through to the real system."""

    REAL = os

    def __getattr__(self, name):
        """Called for what the class does not have itself."""
        found = getattr(self.REAL, name)
        if name in OF_TEXTS.get(self.REAL, ()) or isinstance(found, (int, str)):
            return found
        pytest.fail(f"{type(self).__name__} lacks {self.REAL.__name__}.{name}: simulate it")


def _users():
    """Modules of the controller that were imported, and that may have an own name for `os`."""
    for name, module in list(sys.modules.items()):
        if name.startswith("controller.") and not {"os", "regular_file"}.isdisjoint(vars(module)):
            yield module


@contextlib.contextmanager
def instead_of_os(files):
    """The controller uses `files` in this block, if Simulated also for `open` and `fcntl`.

    A stand-in that is not Simulated passes on to `os` what it does not replace, so it must never
    make up a descriptor.
    """
    names = {"os": files}
    if isinstance(files, Simulated):
        names |= {"open": files.open_file, "fcntl": files.fcntl}
    with pytest.MonkeyPatch.context() as patch:
        for module in _users():
            for name, stand_in in names.items():
                if name == "open" or name in vars(module):
                    patch.setattr(module, name, stand_in, raising=False)
        yield
