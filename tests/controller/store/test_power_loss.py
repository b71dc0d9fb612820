"""The simulated disk takes every call of the stores, and none reaches the real system."""

import ast
import fcntl
import mmap
import os

import pytest
from power_loss import Disk

from controller.store import durable, proof_tests, spool, trips, two_copies
from tests.instead_of_os import instead_of_os
from tests.repository import ROOT

SOURCES = (*ROOT.glob("controller/store/*.py"), ROOT / "controller/system/regular_file.py")
MODULES = {"os": os, "fcntl": fcntl}


def calls():
    """Names of what the stores take from the system, such as "os.path.join", by their source."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            dotted = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if dotted.replace(".", "").isidentifier() and dotted.split(".")[0] in MODULES:
                yield dotted


def test_the_simulated_disk_takes_every_call_of_the_stores():
    found, disk = sorted(set(calls())), Disk()
    assert {"os.fchmod", "os.lseek", "os.path.exists", "os.path.join", "fcntl.flock"} <= {*found}
    for dotted in found:
        module, *rest = dotted.split(".")
        taken = disk if module == "os" else disk.fcntl
        for name in rest:
            taken = getattr(taken, name)  # fails with a line for a call that is not simulated


def test_no_store_uses_the_system_by_another_name():
    """A function that was imported by its own name would pass the stand-in by."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module not in ("os", "os.path", "fcntl", "mmap", "pathlib", "shutil")
            if isinstance(node, ast.Import):
                assert not any(each.asname or each.name == "shutil" for each in node.names), path


@pytest.mark.parametrize("name", ["fchown", "link", "rename", "environ", "path.getsize"])
def test_what_is_not_simulated_fails_as_no_error_of_the_disk(name):
    *parents, last = name.split(".")
    taken = Disk().path if parents else Disk()
    with pytest.raises(pytest.fail.Exception, match=f"lacks .*{last}: simulate it"):
        getattr(taken, last)


def test_a_descriptor_of_the_simulated_disk_is_none_of_the_real_system():
    disk = Disk()
    with instead_of_os(disk):
        descriptor = disk.open("d/a", os.O_RDWR | os.O_CREAT)
        for real in (os.fstat, os.close, lambda each: os.fchmod(each, 0o640)):
            with pytest.raises(TypeError):
                real(descriptor)
        with pytest.raises(TypeError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(TypeError):
            mmap.mmap(descriptor, 1)
        with pytest.raises(TypeError):
            open("a", "rb", opener=lambda *_: descriptor)


def test_every_store_works_on_the_simulated_disk(tmp_path, monkeypatch):
    """And leaves nothing on the real one."""
    monkeypatch.chdir(tmp_path)
    disk, now = Disk(), (1_773_454_051_000_000, "ntp")
    with instead_of_os(disk):
        held = two_copies.hold("d")
        assert two_copies.mark_failed("d", True) and two_copies.mark_failed("d", False)
        log = trips.TripLog("d")
        values = (7, 150, 8020, 0, "ntp", None, "trip", "R801", "cabinet", "1a")
        log.append([(values, trips.chain.link(trips.chain.START, values), trips.chain.START)])
        assert [values[0] for values, _, _ in trips.TripLog("d").entries()] == [7]
        proof_tests.Ledger("d").commission(now)
        assert len(proof_tests.read("d").records) == 1
        spool.put("d", 5, "START", "by a person")
        box = spool.Inbox("d", ())
        assert [act.code for act in box.take(9)] == ["START"]
        assert durable.kept("d/e/f", ".new", [b"text"], 0o600) is None
        disk.is_full = True
        assert "No space left" in durable.kept("d/e/f", ".new", [b"text"], 0o600)
    assert list(disk.descriptors) == [held] and list(tmp_path.iterdir()) == []
