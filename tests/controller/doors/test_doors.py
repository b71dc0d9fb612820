"""What all doors share: the file, the state, a hint in words and its answer."""

import asyncio
import re
import sys
import threading
import types

import pytest
from watched import EACH_20_MS, Watched

from controller.__main__ import main as controller_main
from controller.core.base import hint_codes as h
from controller.doors import exposure, feed, process, sending, settings
from controller.forms.refusal import ConfigError
from controller.state import watch
from controller.system import clock, told
from controller.system.cli import Ended
from controller.system.secret_file import secret
from controller.watch import cabinet
from controller.watch.__main__ import main as watch_main
from tests.controller.doors.doors_site import answering, refused, written

pytestmark = pytest.mark.wire
BARE = "[source.bare]\nmay = 'cap'\n"  # a source that has no key here
MODBUS = f"{BARE}[modbus.plc]\nlisten = '127.0.0.1'\n"
HTTP = f"{BARE}[[http.page.token]]\nname = 'a'\nsha256 = '{'0' * 64}'\n"


@pytest.fixture
def house(tmp_path):
    with answering(tmp_path) as (_, made):
        yield made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ftp.x]\n", "ftp: is not a known key"),
        ('[alarms."../../x"]\n', "has the name"),
        ('[http."a\\nb"]\n', "has the name"),
        ('[mqtt.""]\n', "has the name"),
        (f"[modbus.{'a' * 33}]\n", "has the name"),
        ("[mqtt.p]\nhost = 'broker:1883'\ncabinet = 'c'\ntls = false\n", "the port is a key"),
        ("[local.x]\nlisten = 'box.sock'\n", "listen: is no whole path"),
        ("[local.x]\nbaud_Bd = 1\n", "baud_Bd: 1 is not allowed"),
        (f"{MODBUS}clients = {{'10.0.0.9' = 'bare'}}\n", r"source.bare.key: is.*\[modbus.plc\]"),
        (f"{HTTP}source = 'bare'\n", r"source.bare.key: is missing; .*\[http.page\]"),
        ("[source.other]\nkey = 'a'\nmay = 'operator'\n", "allowed cap, request, grid_cap"),
        ("[source.other]\nkey = 'a'\nhints_per_min_max = 0\n", "allowed 1..600"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text, words, tmp_path):
    refused(tmp_path, text, words)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[[http.x.token]]\nname = 'a'\nsha256 = 'hunter2'\n", "http.x.token.1.sha256"),
        ("[http.x]\ntoken = 'hunter2'\n", "http.x.token"),
        ("[http.x]\nkey = ['hunter2']\n", "http.x.key"),
        ("[source]\nkey = 'hunter2'\n", "source"),
        ("[mqtt.x]\nhost = 'a'\ncabinet = 'b'\npassword_file = ['hunter2']\n", "password_file"),
        ("[alarms.x]\nsecret_file = '/hunter2'\n", "alarms.x.secret_file"),
        ("[alarms.x]\nurl = 'hooks.site/hunter2'\n", "alarms.x.url"),
    ],
)
def test_no_refusal_repeats_the_value_of_a_secret(text, key, tmp_path):
    with pytest.raises(ConfigError, match=key) as error:
        settings.load(written(tmp_path, text))
    assert "hunter2" not in str(error.value)


def test_a_secret_in_place_of_the_name_of_its_file_is_in_no_line(tmp_path):
    path = str(tmp_path / "hunter2")
    asked = (
        lambda: secret(path, "secret", told.DoorError),
        lambda: cabinet.Cabinet("http://127.0.0.1:1", path, "").ask(1, 0, 1),
    )
    for ask, error in zip(asked, (told.DoorError, cabinet.Away), strict=True):
        with pytest.raises(error, match="cannot be read: No such file") as found:
            ask()
        assert "hunter2" not in str(found.value)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        ([], "is not an object"),
        ({"quantity": "power", "valid_s": 1}, "quantity"),
        ({"quantity": "power_W", "value_W": 1.5, "valid_s": 1}, "value_W"),
        ({"quantity": "power_W", "value_W": True, "valid_s": 1}, "value_W"),
        ({"quantity": "power_W", "value_W": 1, "valid_s": 0}, "valid_s"),
        ({"quantity": "power_W", "value_W": 1}, "valid_s: is missing"),
        ({"quantity": "power_W", "valid_s": 30}, "value_W: is missing"),
        ({"quantity": "charge_W_max", "valid_s": 30}, "value_W: is missing"),
        ({"quantity": "power_W", "value_W": 1, "valid_s": 1, "mac": ""}, "mac: is not a known key"),
    ],
)
def test_a_wrong_hint_is_refused_before_it_is_sent(hint, words):
    with pytest.raises(ConfigError, match=words):
        sending.read_hint(hint)


def test_no_more_than_the_quota_reaches_the_loop(house):
    """Each source has its own; an answer says so."""

    async def codes(sender):
        return [(await sender.hint({"quantity": "heartbeat", "valid_s": 9}))["code"] for _ in "123"]

    sender = house.senders["site_ems"]
    sender.source = sender.source._replace(hints_per_min_max=2)
    assert asyncio.run(codes(sender)) == [h.GRANTED, h.GRANTED, h.RATE]
    assert asyncio.run(codes(house.senders["scheduler"])) == [h.GRANTED] * 3


def test_without_a_controller_or_a_key_the_answer_says_so(tmp_path):
    hint = {"quantity": "heartbeat", "valid_s": 9}
    with answering(tmp_path) as (_, house):
        pass
    assert asyncio.run(house.senders["site_ems"].hint(hint))["code"] == h.NO_CONTROLLER
    (tmp_path / "doors/site_ems.key").unlink()
    assert asyncio.run(house.senders["site_ems"].hint(hint))["code"] == h.NO_KEY
    asyncio.run(house.feed.read())
    assert house.feed.state is None
    assert house.feed.trouble


def test_a_package_that_is_missing_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h11", None)
    for name in [name for name in sys.modules if name.startswith("controller.doors.http.")]:
        monkeypatch.delitem(sys.modules, name)
    found = settings.load(written(tmp_path, "[http.page]\n"))
    with pytest.raises(Ended) as end:
        process.run("http", found, "run", "state", "own")
    line = "doors http: h11 is not installed: pip install 'firebreak-controller[doors]'"
    assert (str(end.value), end.value.code) == (line, 3)


@pytest.mark.parametrize("is_live", [True, False])
def test_a_state_without_a_new_tick_is_not_live(is_live, house, monkeypatch):
    async def page(name):
        return {"is_live": is_live}

    monkeypatch.setattr(house.feed, "page", page)
    assert house.feed.live is None
    asyncio.run(house.feed.read())
    assert house.feed.live == ({"is_live": True} if is_live else None)


def test_many_who_ask_share_a_reading_and_nobody_costs_none(house, monkeypatch):
    made = []

    def page(name):
        made.append(name)
        return {"is_live": True}

    async def asked(own):
        await asyncio.gather(*[own.fresh() for _ in range(9)])
        assert len(made) == 1
        await asyncio.gather(*[own.changed() for _ in range(9)])

    monkeypatch.setattr(house.feed, "_facts", page)
    asyncio.run(asked(house.feed))
    assert len(made) == 2


@pytest.mark.parametrize(("readings", "is_found"), [((0, 0, 1), True), ((0,), False)])
def test_a_state_of_a_controller_that_has_just_started_is_awaited(
    readings, is_found, house, monkeypatch
):
    """A state that is not live is read anew, however old a live one may be."""
    monkeypatch.setattr(feed, "PERIOD_S", 0.001)
    made = []

    def page(name):
        made.append(name)
        return {"is_live": bool(readings[min(len(made), len(readings)) - 1])}

    async def asked(own):
        await own.fresh(60)
        assert own.live is None
        own._read_s, count = own._read_s - 1, len(made)
        await own.fresh(60)
        assert len(made) == count + 1
        return await own.awaited(20 if is_found else 0.01)

    monkeypatch.setattr(house.feed, "_facts", page)
    live = asyncio.run(asked(house.feed))
    assert (live is not None) == is_found and (len(made) == 3 or not is_found)


def test_a_reading_that_hangs_leaves_no_old_values(house, monkeypatch):
    house.feed.state = {"is_live": True}
    assert house.feed.live
    later_us = clock.now_us() + 5_000_000
    monkeypatch.setattr(clock, "now_us", lambda: later_us)
    assert house.feed.state is None and house.feed.live is None


def test_who_asks_while_a_reading_hangs_is_told(house, monkeypatch):
    monkeypatch.setattr(feed, "HANGS_S", 0.01)
    ends = threading.Event()
    monkeypatch.setattr(house.feed, "_facts", lambda name: ends.wait(20))
    assert asyncio.run(house.feed.fresh()) is None
    ends.set()
    assert house.feed.trouble == "the journal has not been read within 0.01 s"


def test_after_a_pause_the_state_is_the_same_as_that_of_a_reader_that_saw_all(tmp_path):
    """It goes to the newest keyframe. A rough one stays there, with alarms and run state of now."""
    box = Watched(tmp_path, settings=EACH_20_MS).run(1)
    seen = [watch.Watch(tmp_path, tmp_path) for _ in "123"]
    for each in seen:
        each.update(box.rig.step)
    for second in range(2, 14):
        box.run(second)
        seen[0].update(box.rig.step)
    assert seen[1].behind_ms() > watch.JUMP_MS
    for each, is_rough in zip(seen, (False, False, True)):
        each.update(lambda: None, is_rough=is_rough)
    every, jumped, rough = [each.facts("status") for each in seen]
    assert every == jumped and every["sequence"] - rough["sequence"] > 50
    for name in ("standing", "state", "interlocks", "reset"):
        assert rough[name] == every[name]


LISTED = "[modbus.a]\nlisten = '10.0.0.1'\nothers = '%s'\n[modbus.a.clients]\n"
LISTED += "'10.0.0.%s' = 'scheduler'\n"


@pytest.mark.parametrize(
    ("kind", "text", "allowed"),
    [
        ("modbus", LISTED % ("none", 9) + "'10.0.0.8' = 'site_ems'\n", "10.0.0.8 10.0.0.9"),
        ("modbus", LISTED % ("none", 9) + "[modbus.b]\n", "10.0.0.9 localhost"),
        ("modbus", LISTED % ("read", 9), "any"),  # whoever connects may read
        ("modbus", "[modbus.a]\n", "localhost"),
        ("mqtt", "[mqtt.a]\nhost = '10.0.0.9'\ncabinet = 'c'\ntls = false\n", "10.0.0.9"),
        ("local", "[local.a]\nserial = '/dev/ttyS1'\n", ""),
        ("mqtt", "[mqtt.a]\nhost = 'broker'\ncabinet = 'c'\ntls = false\n", "any"),
    ],
)
def test_the_unit_of_a_kind_reaches_the_listed_addresses_and_no_other(
    kind, text, allowed, tmp_path
):
    found = settings.load(written(tmp_path, text))
    assert exposure.drop_in(found, kind) == f"[Service]\nIPAddressAllow={allowed}\n"


def test_without_a_key_only_signed_hints_come_in(tmp_path):
    text = f"{BARE}[mqtt.a]\nhost = '::1'\ncabinet = 'c'\ntls = false\n"
    text += "sources = ['bare', 'scheduler']\n"
    found = exposure.of(settings.load(written(tmp_path, text)))
    assert [(each.what, each.proof, each.may) for each in found[1:]] == [
        ("signed hints of bare", "its key", "cap"),
        ("hints of scheduler", "the broker's ACL", "request"),
        ("signed hints of scheduler", "its key", "request"),
    ]


def test_a_rough_state_is_made_anew_for_a_keyframe_and_for_another_controller():
    made = []

    def seen(sequence):
        shadow = types.SimpleNamespace(sequence=sequence)
        return types.SimpleNamespace(
            shadow=shadow, is_live=True, facts=lambda name: {"made": made.append(name)}
        )

    own, first = feed.Feed("", ""), seen(501)
    shown = [first, first, seen(501)]
    own.is_rough, own._kept.update = True, lambda is_rough: shown.pop(0)
    for count in (1, 1, 2):
        own.state = own._facts("status")
        assert len(made) == count
    shown.append(first)
    first.shadow.sequence = 1001
    own._facts("status")
    assert len(made) == 3


def test_every_key_is_listed_with_its_meaning(capsys):
    for main in (
        lambda: controller_main(["doors", "check", "--keys"]),
        lambda: watch_main(["keys"]),
    ):
        assert main() == 0
        out = capsys.readouterr().out.replace("\n    ", " ")
        lines = [line for line in out.splitlines() if line.startswith("  ")]
        assert len(lines) > 25
        tables = r": a (table|list of tables)(; required)?$"
        assert not [each for each in lines if not re.search(rf"\. .*\.$|{tables}", each)]
    assert "[gate]\n  wait_max_s: 60..2592000; default 21600." in out
