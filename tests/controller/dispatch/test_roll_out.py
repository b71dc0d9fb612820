"""A release for a fleet: waves, and what stops them."""

import contextlib
import subprocess

import pytest

from controller.console.roll_out import Rolling
from controller.dispatch.roll_out import KEPT, OTHER, SILENT, TRIED, RollOut, waves
from tests.controller.console.command_line import run

KEEPS_S_MAX = 4 * 3600
NAMES = [f"hall{number}" for number in range(1, 13)]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (2, [1, 1]), (10, [1, 1, 8]), (11, [1, 2, 8]), (12, [1, 2, 9])],
)
def test_the_waves_are_one_a_tenth_and_the_rest(count, sizes):
    found = waves(NAMES[:count])
    assert [len(each) for each in found] == sizes and sum(found, []) == NAMES[:count]


class Fleet:
    """Cabinets with the old release, and their roll-out."""

    def __init__(self, count=12):
        own = {"is_live": True, "release": "1", "on_trial": False, "limits_crc": "AA"}
        self.cabinets = {name: dict(own) for name in NAMES[:count]}
        self.out, self.now_s = RollOut(NAMES[:count], "2"), 0

    def step(self, after_s=60):
        self.now_s += after_s
        return self.out.step(self.cabinets, self.now_s * 1_000_000)

    def has(self, names, release="2", on_trial=False, is_live=True):
        for name in names:
            self.cabinets[name] |= {"release": release, "on_trial": on_trial, "is_live": is_live}


def test_a_wave_waits_until_the_one_before_has_kept_the_release():
    fleet = Fleet()
    assert fleet.step() == NAMES[:1] and fleet.step() == []
    fleet.has(NAMES[:1], on_trial=True)
    assert fleet.step() == []
    fleet.has(NAMES[:1])
    assert [fleet.step() for _ in range(3)] == [NAMES[1:2], NAMES[2:3], []], "one after another"
    fleet.has(NAMES[1:2])
    assert fleet.step() == []
    fleet.has(NAMES[2:3])
    assert sum([fleet.step() for _ in range(10)], []) == NAMES[3:]
    assert not fleet.out.is_done(fleet.cabinets)
    fleet.has(NAMES)
    assert fleet.step() == [] and fleet.out.is_done(fleet.cabinets) and fleet.out.halted == ""


@pytest.mark.parametrize("on_trial", [True, False])
def test_the_first_cabinet_that_goes_back_stops_everything(on_trial):
    fleet = Fleet()
    fleet.step()
    fleet.has(NAMES[:1])
    fleet.step()
    fleet.has(NAMES[1:2], on_trial=on_trial)
    fleet.step()
    fleet.has(NAMES[1:2], "1")
    assert fleet.step() == [] and fleet.out.halted == "hall2 went back"
    fleet.has(NAMES)
    assert fleet.step() == []


@pytest.mark.parametrize(
    ("after_s", "halted"), [(KEEPS_S_MAX - 1, ""), (KEEPS_S_MAX, "hall1 tries it after 4 h")]
)
def test_a_trial_that_never_ends_stops_it(after_s, halted):
    fleet = Fleet()
    fleet.step()
    fleet.has(NAMES[:1], on_trial=True)
    assert fleet.step(after_s) == [] and fleet.out.halted == halted


@pytest.mark.parametrize(
    ("own", "state"), [({"is_live": False}, SILENT), ({"release": "2", "on_trial": True}, TRIED)]
)
def test_a_cabinet_that_was_not_begun_is_not_waited_for_without_an_end(own, state):
    fleet = Fleet()
    fleet.has(NAMES[:1])
    fleet.cabinets["hall2"] |= own
    assert fleet.step() == NAMES[2:3]
    fleet.has(NAMES[2:3])
    fleet.step(KEEPS_S_MAX - 61)
    assert fleet.step(60) == [] and fleet.out.halted == ""
    assert fleet.step(1) == [] and fleet.out.halted == f"hall2 {state} after 4 h"


def test_a_cabinet_that_comes_back_is_waited_for_anew():
    fleet = Fleet()
    fleet.has(NAMES[:1], "1", is_live=False)
    fleet.step(KEEPS_S_MAX - 1)
    fleet.has(NAMES[:1], "1")
    assert fleet.step() == NAMES[:1]
    fleet.has(NAMES[:1], "1", is_live=False)
    fleet.step(60)
    assert fleet.out.halted == ""


def test_a_silent_cabinet_is_waited_for_and_one_that_has_it_is_left_alone():
    fleet = Fleet()
    fleet.has(NAMES[:1], "1", is_live=False)
    assert fleet.step() == []
    fleet.has(NAMES[:1])
    fleet.has(NAMES[1:2], on_trial=True)
    assert fleet.step() == NAMES[2:3], "as after an interruption"
    states = [fleet.out.state(fleet.cabinets[name]) for name in NAMES[:3]]
    assert states == [KEPT, TRIED, OTHER]
    fleet.has(NAMES[:1], is_live=False)
    assert fleet.out.lines(fleet.cabinets)[0].split() == [
        "hall1",
        *SILENT.split(),
        "2",
        "limits",
        "AA",
    ]


class Seen:
    def __init__(self, fleet):
        self.cabinets = lambda now_us: fleet.cabinets


@pytest.mark.wire
@pytest.mark.parametrize(
    ("command", "halted"),
    [
        ("test {} = hall1", ""),
        ("false {}", "hall1: the command has ended with 1"),
        ("/none/{}", "hall1: /none/hall1: No such file or directory"),
    ],
)
def test_a_command_that_fails_stops_it(command, halted, capsys):
    fleet = Fleet()
    rolling = Rolling(fleet.out, command.split(), 0)
    seen = Seen(fleet)
    with pytest.raises(KeyboardInterrupt) if halted else contextlib.nullcontext():
        rolling.look(seen, 60_000_000, "")
        rolling._installation.wait(timeout=60)
        rolling.look(seen, 61_000_000, "")
    assert fleet.out.halted == halted and "hall1: begins" in capsys.readouterr().out
    assert rolling.look(seen, 62_000_000, "no broker") is None
    assert capsys.readouterr().out == "", "nothing has changed"


@pytest.mark.wire
def test_one_installation_goes_on_at_a_time(capsys):
    fleet = Fleet()
    fleet.has(NAMES[:1])
    rolling = Rolling(fleet.out, ["cat", "/dev/null", "{}"], 0)
    rolling._installation = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    rolling.look(Seen(fleet), 60_000_000, "")
    assert "begins" not in capsys.readouterr().out
    rolling._installation.communicate()
    rolling.look(Seen(fleet), 61_000_000, "")
    assert capsys.readouterr().out.count("begins") == 1
    rolling._installation.wait(timeout=60)


@pytest.mark.parametrize("command", ["update", "ssh '{}"])
def test_a_command_without_a_place_for_the_name_is_refused(command, capsys):
    words = "fleet", "roll-out", "FLEET.toml", "--release", "2", "--install", command
    code, out, err = run(capsys, *words)
    line = "firebreak: --install: allowed is a command with {} for the cabinet"
    assert (code, out, err) == (2, [], [line])
