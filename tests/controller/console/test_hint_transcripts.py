"""`firebreak hint`, `key` and `sources` against a cabinet that ticks (hints.txt)."""

import contextlib
import functools
import re

import pytest
from hinted_site import HintedSite

from controller import __main__ as program
from controller.state import watch
from tests.transcript import by_word, each_part, terminal

pytestmark = pytest.mark.wire
WIDTHS = {"hint": 80, "sources": 90}
OWN_PRINT = "9f4fb68f"  # of the key of site_ems in HintedSite
PLAN = """start = 2026-04-12T12:00:00Z
slot_min = 15
[[slot]]
grid_cap_W = 400_000
battery_high_W = -100_000
reserve_permille = 305
[[slot]]
"""
FILES = {"plan": PLAN, "wrong": PLAN + "grid_cap_W = -1\n", "empty": PLAN.split("[[")[0]}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A cabinet, and the schedules of FILES in the present folder."""
    place = HintedSite(tmp_path)
    monkeypatch.setattr(watch, "wait", place.step)
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / f"{name}.toml").write_text(text)
    yield place
    place.close()


@pytest.fixture
def command(site, capsys):
    """Its lines, with names for key and fingerprints."""
    run_in = terminal(capsys, program.main)

    def answered(*argv):
        places = () if argv[0] == "sources" else ("--state-dir", str(site.state_dir))
        with site.pumped() if site.listener.fileno() >= 0 else contextlib.nullcontext():
            lines = run_in(*argv, "--run-dir", str(site.run_dir), *places)
        if argv[0] in WIDTHS and not {"--json", "plan.toml"} & set(argv):
            out = [line for line in lines if not line.startswith("! ")]
            assert max(map(len, out), default=0) < WIDTHS[argv[0]]
        lines = [re.sub(r"\b[0-9a-f]{64}\b", "<key>", line) for line in lines]
        return [re.sub(rf"\b(?!{OWN_PRINT})[0-9a-f]{{8}}\b", "<print>", line) for line in lines]

    return answered


@each_part(__file__, "hints.txt")
def test_a_transcript(site, command, monkeypatch, part):
    stop = functools.partial(monkeypatch.setattr, watch, "wait", lambda: None)
    acts = {"tick": site.bench.tick, "run": site.run, "close": site.listener.close, "stop": stop}
    part.play(by_word({"$": command, **acts}))
    if site.listener.fileno() < 0:
        site.reopen({})
