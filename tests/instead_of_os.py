"""Gives the modules that write files a stand-in for the os module."""

import contextlib

import pytest

from controller.recorder import capture, csv_files
from controller.store import durable, proof_tests, trips, two_copies
from controller.system import regular_file

WRITERS = (regular_file, durable, two_copies, proof_tests, trips, capture, csv_files)


@contextlib.contextmanager
def instead_of_os(files):
    """The writers use `files` in this block; it passes on to `os` what it does not replace."""
    with pytest.MonkeyPatch.context() as patch:
        for module in WRITERS:
            patch.setattr(module, "os", files)
        yield
