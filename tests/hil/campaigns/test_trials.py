"""The frame of the trials: what it prints and writes of a trial, and the rigs that cases share."""

import json
from types import SimpleNamespace

import pytest

from controller.sites import EXAMPLE
from hil.campaigns import trials
from hil.campaigns.trials import BYTE, Judged, Trial
from tests.tables import cases


class Doubled(Trial):
    mode = BYTE

    def draw(self):
        return [1, 2, 3]

    def play(self, case):
        return 2 * case

    def line(self, found):
        return f"played {found}" if found > 2 else None

    def judge(self, found):
        return Judged({"found": found, "cases": self.cases}, ["a line"], "judged", sum(found) == 12)


@pytest.mark.parametrize(
    "cabinet, mode, devices", [(None, BYTE, None), (str(EXAMPLE), f"{BYTE}, 20 ms", [])]
)
def test_a_trial_is_printed_and_written_in_one_form(cabinet, mode, devices, tmp_path, capsys):
    path = tmp_path / "a.json"
    given = {"program": "x", "processes": 1, "resume": None, "dask": None, "seed": 7}
    given = SimpleNamespace(**given, json=path, cabinet=cabinet)
    assert trials.run(Doubled, given) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:4] == ["seed       7", f"mode       {mode}", "played 4", "played 6"]
    assert out[4:] == ["a line", "verdict    judged"]
    document = json.loads(path.read_text())
    assert document.pop("mirrored", {}).get("devices") == devices
    assert document == {"seed": 7, "mode": mode, "found": [2, 4, 6], "cases": [1, 2, 3]}


def test_a_trial_that_is_not_met_is_an_exit_code(monkeypatch):
    monkeypatch.setattr(Doubled, "play", lambda self, case: case)
    given = {"program": "x", "processes": 1, "resume": None, "dask": None, "seed": 7}
    assert trials.run(Doubled, SimpleNamespace(**given, json=None)) == 1


@cases("""dask  made
    None  ["a", "b", "c"] | "tcp://x:1"  ["a", "a", "c"]""")
def test_the_rigs_of_the_cases_are_started_before_but_on_dask(dask, made):
    """A process of dask plays many cases, and each case changes its rig."""
    started = []

    class Noted(Trial):
        def rig(self, key):
            started.append(key)
            return key

    trial = Noted(SimpleNamespace(dask=dask))
    trial.start({"b", "a"})
    assert [trial.started(key) for key in "aac"] == ["a", "a", "c"] and started == made
