"""A page loads what it shows: a command takes most of its time for imports."""

import subprocess
import sys

import pytest

from tests.repository import ROOT

LOADED = """
import sys
from controller.__main__ import main
try:
    main(["{page}", "--run-dir", "/nowhere"])
finally:
    import controller.state.{facts}, controller.console.pages.{page}
    print(*[each for each in sys.modules if each.startswith(("controller", "drivers"))])
"""
# None of these rooms has a part in showing a state.
NEVER = "controller.planner controller.doors controller.documents".split()


def loaded(page, facts):
    code = LOADED.format(page=page, facts=facts)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def of(room, names):
    return {each.removeprefix(f"{room}.") for each in names if each.startswith(f"{room}.")}


@pytest.mark.wire
def test_status_loads_no_profile_no_bus_and_no_other_page():
    names = loaded("status", "status")
    assert of("controller.config", names) == {"equipment"}
    assert of("controller.console", names) == {
        *("show", "pages"),
        *(f"pages.{each}" for each in ("around", "causes", "racks", "status", "text")),
    }
    assert of("controller.run", names) == {"loop_statistics", "peer_words", "self_test"}
    assert not {each for each in names if each.startswith(tuple(NEVER))}
    assert len(names) < 200


@pytest.mark.wire
def test_links_loads_what_reads_its_counters_and_no_profile():
    names = loaded("links", "links")
    assert "controller.config.profiles" not in names and "controller.run.can_bus" not in names
