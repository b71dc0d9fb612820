"""The menu of faults: keys, messages, and every item on every shipped cabinet."""

import os
import pty
import select
from types import SimpleNamespace

import pytest

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.engine import by_hand
from hil.engine.cabinet import SimulatedCabinet
from hil.scenarios.faults import ACTIONS
from hil.scenarios.world import World
from tests.repository import ROOT
from tests.whole.whole_box import CABINETS, of_cabinets

HANG_GUARD_s = 60


class Controller:
    """Takes every call."""

    def __getattr__(self, name):
        return lambda *arguments: None


@of_cabinets("path", CABINETS)
def test_every_item_of_the_menu_acts_on_every_cabinet_and_is_undone(path):
    config = configuration.load(path)
    cabinet = SimulatedCabinet(config, lambda t_s: 100_000.0, 1, {"soc": 0.5})
    world = World(cabinet.plant, cabinet.devices, {}, Controller())
    items = by_hand.fitting(config)
    assert len(items) > 12
    for do, arguments in [act for item in items for act in (item.do, item.undo) if act]:
        form, act = ACTIONS[do]
        assert set(arguments) <= set(form), do
        act(world, arguments)
    assert cabinet.plant.key_run and cabinet.plant.door_closed
    assert all(not getattr(device, "silent", False) for device in cabinet.devices.values())


def test_an_item_without_its_device_is_left_out():
    config = configuration.load(EXAMPLE)
    assert by_hand.fitting(config) == by_hand.ITEMS
    names = "path", "topology", "channel_b", "buses", "sources"
    less = SimpleNamespace(**{name: getattr(config, name) for name in names})
    less.devices = [device for device in config.devices if device.role != "pcs"]
    assert [item.key for item in by_hand.ITEMS if item not in by_hand.fitting(less)] == ["p", "n"]


def menu(*keys):
    sent, left = [], list(keys)
    made = by_hand.Menu(by_hand.ITEMS, sent.append, lambda: left.pop(0) if left else "")
    return made, sent


def test_the_addresses_of_what_runs_beside_are_one_key_away():
    made, _ = menu("w")
    assert made.turn() == {"by_hand": "? faults", "menu": None}
    keys = ["", "w", "w"]
    made = by_hand.Menu(by_hand.ITEMS, lambda message: None, lambda: keys.pop(0), ["page  URL"])
    assert made.turn() == {"by_hand": "? faults   w addresses", "menu": None}
    assert "page  URL" in made.turn()["menu"]
    assert made.turn()["menu"] is None


def test_a_key_does_and_undoes_and_the_foot_says_what_is_on():
    made, sent = menu("e", "z", "em", "\n")
    assert made.turn()["by_hand"] == "? faults   by hand: e"
    assert sent == [
        {"what": "mark", "name": "estop_press", "detail": ""},
        {"what": "act", "do": "estop_press", "arguments": {}},
    ]
    assert made.turn()["by_hand"] == "? faults   by hand: e" and len(sent) == 2
    assert made.turn()["by_hand"] == "? faults   by hand: m" and len(sent) == 6
    assert sent[3]["do"] == "estop_release" and sent[5]["arguments"]["device"] == "meter_grid"
    assert made.turn()["by_hand"] == "? faults   by hand: m" and len(sent) == 6


def test_the_menu_opens_shows_what_is_on_and_closes_with_any_key():
    made, _ = menu("e?", "", "?", "?", "o", by_hand.END)
    lines = made.turn()["menu"]
    assert "  e  emergency stop pressed  <- now" in lines
    assert len(lines) <= 22 and max(map(len, lines)) <= 80
    assert made.turn()["menu"] == lines
    assert made.turn()["menu"] is None and made.turn()["menu"] and made.turn()["menu"] is None
    with pytest.raises(KeyboardInterrupt):
        made.turn()


def test_a_key_of_several_bytes_is_none():
    host, end = pty.openpty()
    for written, read in ((b"e", "e"), (b"\x1b[A", ""), (b"\xff", "\ufffd")):
        os.write(host, written + b"\n")
        assert by_hand._pressed(end).strip() == read
    assert by_hand._pressed(end) == ""
    os.close(host), os.close(end)


@pytest.mark.whole
def test_a_person_presses_the_emergency_stop_in_the_live_rig(tmp_path):
    pid, host = pty.fork()
    if not pid:
        os.chdir(ROOT)
        os.execv(
            "./flash.sh", ["flash.sh", "rig", "--for", "60", "--plot", str(tmp_path / "p.png")]
        )
    text = _until(host, "RUNNING")
    os.write(host, b"e")
    text = _until(host, "key reset")
    assert "row 1" in text
    os.write(host, b"q")
    text = _until(host, "figures are of the first")
    assert "E-stop pressed to the stop frame" in text
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130


def _until(host, words):
    text = ""
    while words not in text:
        assert select.select([host], [], [], HANG_GUARD_s)[0], text[-2000:]
        text += os.read(host, 65_536).decode("utf-8", "replace")
    return text
