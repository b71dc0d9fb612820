"""`firebreak hint`, `key` and `sources` against a cabinet that ticks (hints.txt)."""

import contextlib
import re
import shlex

import pytest
from command_line import run
from hinted_site import HintedSite
from transcripts import each_part, form

from controller.state import watch

pytestmark = pytest.mark.wire
WIDTHS = {"hint": 80, "sources": 90}
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


def answer(site, capsys, command):
    """The lines of a transcript below a command."""
    with site.pumped() if site.listener.fileno() >= 0 else contextlib.nullcontext():
        places = () if command.startswith("sources") else ("--state-dir", site.state_dir)
        argv = *shlex.split(command), "--run-dir", site.run_dir, *places
        code, out, err = run(capsys, "", *argv)
    if argv[0] in WIDTHS and not {"--json", "plan.toml"} & set(argv):
        assert max(map(len, out), default=0) < WIDTHS[argv[0]]
    return "\n".join([*[str(code)] * (code != 0), *out, *[f"! {line}" for line in err]])


@each_part(__file__, "hints.txt")
def test_a_transcript(site, capsys, monkeypatch, lines):
    acts = {
        "tick": site.bench.tick,
        "run": site.run,
        "close": site.listener.close,
        "stop": lambda: monkeypatch.setattr(watch, "wait", lambda: None),
    }
    for step in re.split(r"\n(?=\$ |[a-z]+\n)", "\n".join(lines)):
        command, _, wanted = step.strip("\n").partition("\n")
        if command in acts:
            acts[command]()
        else:
            found = answer(site, capsys, command[2:])
            wanted = form(wanted).replace("<key>", "[0-9a-f]{64}").replace("<print>", "[0-9a-f]{8}")
            assert re.fullmatch(wanted, found, re.DOTALL), f"{command}\n{found}"
    if site.listener.fileno() < 0:
        site.reopen({})
