"""The real-time process loads only what a tick needs."""

import contextlib
import re
import sys

import pytest
from wired_site import WiredSite

from tests.exemptions import Exempt, same

OURS = {"controller", "drivers", "safety"}
LIBRARIES = {"can", "msgpack", "serial"}
OF_LIBRARIES = {"typing_extensions", "wrapt"}  # of python-can
# Python's start (Debian's looks for apport), its copy module and python-can look for these names
TRIED = same(
    Exempt(
        "a package of this name beside the controller is loaded at its start",
        "tests/controller/run/test_lean.py::test_the_running_controller_loads_no_other_package",
    ),
    *("_distutils_hack", "apport_python_hook", "asammdf", "org", "sitecustomize"),
    "usercustomize",
)
ROOMS = {"config", "core", "forms", "hints", "journal", "rows", "run", "store", "system"}


@pytest.mark.wire
def test_the_running_controller_loads_no_other_package(monkeypatch, tmp_path):
    """Python itself writes every import of the process, and of the child that saves its record."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    site, log = WiredSite(tmp_path), tmp_path / "controller.log"
    with contextlib.closing(site), log.open("wb") as file:
        process = site.start(stderr=file)
        site.serve_until(site.running)
        process.terminate()
        site.serve_until(lambda: process.poll() is not None)
    found = log.read_text(encoding="utf-8")
    names = set(re.findall(r"^import time: .*\| +(\S+)$", found, re.MULTILINE))
    packages = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    packages = {name for name in packages if not name.startswith("__editable__")}
    assert "controller.run.loop" in names
    assert packages - set(TRIED) == OURS | LIBRARIES | OF_LIBRARIES
    rooms = {name.split(".")[1] for name in names if name.startswith("controller.")}
    assert rooms - {"__main__"} == ROOMS
