"""The Modbus door: registers, writes as hints, clients that are wrong, slow or many."""

import re
import ssl
import struct
from pathlib import Path

import pytest
import sunspec2.modbus.client as sunspec
from sunspec2 import device

from controller.__main__ import main
from controller.doors.modbus import door, form, values
from controller.doors.modbus.controls import RANGES
from controller.doors.modbus.image import POINTS, REGISTERS, TEMPLATE
from controller.doors.modbus.points import BASE, MODELS
from tests.certificates import certificates, trusting
from tests.controller.doors.doors_site import refused
from tests.controller.doors.listener_suite import ListenerSuite
from tests.controller.doors.modbus_site import (
    ON,
    TABLE,
    at_once,
    frame,
    plant,
    read,
    setting,
    write,
)

pytestmark = pytest.mark.wire

OTHER = "127.0.0.3"  # a listed client too
WEAK = "[source.weak]\nkey = 'weak.key'\n"
SUNS = b"\x03\x04SunS"


@pytest.fixture
def place(tmp_path):
    with plant(tmp_path) as made:
        yield made


def oracle():
    """[(model, point, register, length, type, may be set)] of the public definitions."""
    at = BASE + 2
    for model in MODELS:
        group = device.get_model_def(model)["group"]
        for part in (group, *group.get("groups", ())):
            prefix = "" if part is group else f"{part['name']}."
            for point in part["points"]:
                name = f"{model}.{prefix}{point['name']}"
                yield name, at, point["size"], point["type"], point.get("access") == "RW"
                at += point["size"]


def test_every_point_lies_where_the_public_models_have_it():
    own = {name: (each.at, each.registers, bool(each.access)) for name, each in POINTS.items()}
    theirs = [each for each in oracle() if not each[0].endswith((".ID", ".L"))]
    assert own == {name: (at, size, may_set) for name, at, size, _, may_set in theirs}
    assert theirs[-1][1] + theirs[-1][2] + 2 - BASE == REGISTERS


def test_the_readme_and_the_command_have_the_registers_that_are(capsys):
    """Each row: - model: NAME REGISTER, ...; bold: a master may set it."""
    text = (Path(form.__file__).parent / "README.md").read_text()
    shown = {}
    for model, points in re.findall(r"(?m)^- (\d+): (.*(?:\n  \*.*)?)$", text):
        for bold, name, at in re.findall(r"(\**)(\w+)\** (\d+)", points):
            shown[f"{model}.{name}"] = int(at), bool(bold)
    assert f"Models {', '.join(map(str, MODELS))}".replace(", 802", " and 802") in text
    assert len(shown) > 15 and main(["doors", "check", "--registers"]) == 0
    lines = dict(line.split(maxsplit=2)[1::-1] for line in capsys.readouterr().out.splitlines())
    assert lines == {name: str(point.at) for name, point in POINTS.items()}
    own = {name: (POINTS[name].at, POINTS[name].access == "!") for name in shown}
    assert shown == own
    assert {*RANGES} == {name for name in POINTS if POINTS[name].access == "!"}
    assert {*RANGES} <= {*shown}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("LFP cabinet of five racks, IEEE 1547", "LFP cabinet of five racks, IEEE"),
        ("LFP cabinet of six small racks, 250 kW", "LFP cabinet of six small racks"),
        ("x" * 32, "x" * 32),
        ("x" * 33, "x" * 32),
    ],
)
def test_a_long_text_is_cut_at_a_word(text, shown):
    assert values._cut(text, 32) == shown


def test_an_unknown_value_is_not_implemented_in_every_type():
    for name, _, size, kind, _ in oracle():
        if name in POINTS and kind not in ("string", "pad", "sunssf"):
            none = 1 << 16 * size - 1 if kind.startswith("int") else (1 << 16 * size) - 1
            point = POINTS[name]
            largest = none - 1 if kind.startswith("int") else none
            for value in (None, largest + 1, 1 << 80, -(1 << 80)):
                assert int.from_bytes(point.packed(value), "big") == none, name


def test_a_client_of_sunspec_scans_reads_and_sets(place):
    client = sunspec.SunSpecModbusClientDeviceTCP(1, "127.0.0.1", place.port, timeout=20)
    client.scan()
    assert [each for each in client.models if isinstance(each, int)] == list(MODELS)
    state = place.house.feed.state
    measured, capacity = client.models[701][0], client.models[802][0]
    assert measured.W.cvalue == round(state["battery_W"], -2)
    assert measured.Hz.cvalue is None
    assert capacity.SoC.cvalue == state["soc_permille_min"] / 10
    control = client.models[704][0]
    control.WSetEna.value, control.WSet.value, control.WSetRvrtTms.value = 1, -20_000, 100
    control.write()
    control.read()
    assert (control.WSetEna.value, control.WSet.value, control.WSetPct.cvalue) == (1, -20_000, -8)
    assert 90 < control.WSetRvrtRem.value <= 100
    control.WSetEna.value = 0
    control.write()
    control.WMaxLimPct.cvalue, control.WMaxLimPctEna.value = 30, 1
    control.write()
    control.read()
    assert (control.WMaxLimPctEna.value, control.WMaxLimPct.cvalue) == (1, 30)
    assert place.site.source("scheduler")["refused"] == 0


class TestListener(ListenerSuite):
    opened = staticmethod(plant)
    WRONG = [
        (b"GET / HTTP/1.1\r\n\r\n", None),
        *[
            (frame(pdu, **other), bytes((pdu[0] | 0x80, code)))
            for pdu, other, code in (
                (read(BASE), {"unit": 2}, 0x0B),
                (b"\x2b\x0e\x01\x00", {}, 1),
                (read(BASE, 126), {}, 3),
                (read(BASE, 0), {}, 3),
                (read(BASE - 1), {}, 2),
                (read(BASE + REGISTERS - 1, 2), {}, 2),
                (read(BASE)[:4], {}, 3),
                (write("704.WSet", b"\0\0"), {}, 2),
                (write(POINTS["704.WSet"].at + 1, b"\0\0"), {}, 2),
                (write("701.W", b"\0\1"), {}, 2),
                (write("704.WSetRvrtRem", b"\0\0\0\0"), {}, 2),
                (write(BASE + 2, b"\0\1"), {}, 2),
                (write(BASE + REGISTERS, b"\0\1"), {}, 2),
                (write("704.WSet", b"\0\0\0\0")[:-1], {}, 3),
                (write("704.WSetEna", b"\0\2"), {}, 3),
                (write("704.WSet", b"\x7f\xff\xff\xff"), {}, 3),
                (write("704.WMaxLimPct", (10_001).to_bytes(2, "big")), {}, 3),
                (write("704.WSetRvrtTms", b"\xff\xff\xff\xff"), {}, 3),
                (write("704.VarSetEna", b"\0\1"), {}, 3),
                (write("715.AlarmReset", b"\0\1"), {}, 3),
                (struct.pack(">BHH", 6, POINTS["704.WSetEna"].at, 2), {}, 3),
            )
        ],
    ]

    def test_a_cause_is_one_line_and_the_sums_are_one_at_the_end(self, tmp_path, capsys):
        with plant(tmp_path) as place, place.raw() as raw:
            for pdu in (read(BASE, 126), read(BASE, 0), read(BASE - 1)) * 2:
                assert raw.ask(pdu)[0] == 0x83
            first, second = capsys.readouterr().err.splitlines()
            assert "registers; more of" in first and "not there" in second
            assert place.site.source("scheduler")["accepted"] == 0
        (sums,) = capsys.readouterr().err.splitlines()
        assert sums.endswith("registers: 4, reads registers that are not there: 2")


def test_units_0_and_255_are_the_server_itself(place):
    """A server that is reached on TCP directly (Modbus Messaging Implementation Guide 1.0b)."""
    with place.raw() as raw:
        answers = [raw.ask(read(BASE, 20), unit=unit) for unit in (1, 255, 0)]
        assert len({*answers}) == 1 and answers[0][0] == 3
        wrong = [raw.ask(read(BASE), unit=unit) for unit in (2, 254, 247)]
        assert {*wrong} == {b"\x83\x0b"}
        ends = [raw.ask(write("704.WSetEna", b"\0\2"), unit=unit) for unit in (1, 255, 0)]
        assert {*ends} == {b"\x90\x03"}


def test_a_refused_write_reads_back_as_it_is_in_force(place):
    """A heartbeat is refused too once the quota of the source is used up."""
    with place.raw() as raw:
        for pdu in setting(**ON):
            assert raw.ask(pdu)[0] == 16
        assert raw.ask(setting(WSet=9_000)[0])[0] == 16  # the connection may not export
        assert raw.number("704.WSet") == 0
        assert raw.ask(setting(WSet=-20_000)[0])[0] == 16
        sender = place.house.senders["scheduler"]
        sender.source = sender.source._replace(hints_per_min_max=1)
        assert raw.ask(setting(WSet=-30_000)[0]) == b"\x90\x06"
        assert raw.number("704.WSet") == -20_000
        # before one of two hints: half of a limit would stay in force
        assert raw.ask(setting(WMaxLimPct=100, WMaxLimPctEna=1)[1]) == b"\x90\x06"
        assert raw.number("704.WMaxLimPctEna") == 0
        assert raw.ask(write("715.ControllerHb", b"\0\0\0\1")) == b"\x90\x06"
        assert raw.number("715.ControllerHb") is None


def test_only_a_listed_client_writes_and_only_what_the_table_allows(tmp_path):
    with plant(tmp_path, TABLE.replace('may = "request"', "")) as place:
        with place.raw("127.0.0.2") as other, place.raw() as own:
            assert other.ask(read(BASE, 2)) == SUNS
            assert other.ask(setting(WSetEna=1)[0]) == b"\x90\x01"
            assert [own.ask(pdu)[0] for pdu in setting(WSet=-20_000)] == [16]
            assert own.ask(setting(WSetEna=1)[0]) == b"\x90\x01"
            assert own.ask(setting(WMaxLimPct=5000)[0])[0] == 16
            assert own.ask(setting(WMaxLimPctEna=1)[0])[0] == 16
            assert own.number("704.WMaxLimPct") == 5000
        assert place.site.source("scheduler")["accepted"] == 2
        assert place.site.source("scheduler")["refused"] == 0


def test_others_are_closed_if_the_table_says_so(tmp_path):
    with plant(tmp_path, TABLE.replace("may =", 'others = "none"\nmay =')) as place:
        with place.raw("127.0.0.2") as other, place.raw() as own:
            assert other.ask(read(BASE, 2)) is None
            assert own.ask(read(BASE, 2)) == SUNS
        assert place.counts == {"is not listed": 1}


def test_two_masters_have_each_its_own_answer_and_the_last_one_counts(place):
    with place.raw() as one, place.raw("127.0.0.3") as two, place.raw("127.0.0.4") as cap:
        assert [one.ask(pdu)[0] for pdu in setting(**ON)] == [16] * 3
        assert [two.ask(pdu)[0] for pdu in setting(**{**ON, "WSet": -9_000})] == [16] * 3
        assert two.ask(setting(WSetPct=10_001)[0]) == b"\x90\x03"
        assert cap.ask(setting(WSet=1)[0])[0] == 16  # stored, without effect
        assert [each.number("704.WSet") for each in (one, two, cap)] == [-9_000, -9_000, 1]
        assert [each.number("704.WSetEna") for each in (one, two, cap)] == [1, 1, 0]


def test_a_master_that_left_all_connections_open_loses_its_own_oldest(place):
    left = [place.raw() for _ in range(2)]
    for each in left:
        assert each.ask(read(BASE, 2)) == SUNS
    with place.raw(OTHER) as other, place.raw() as back:
        assert other.ask(read(BASE, 2)) == SUNS
        assert back.ask(read(BASE, 2)) == SUNS
        assert left[0].answer() is None
        assert left[1].ask(read(BASE, 2)) == SUNS
        assert other.ask(read(BASE, 2)) == SUNS
    for each in left:
        each.socket.close()


def test_strangers_who_take_all_connections_lock_no_master_out(place):
    strangers = [place.raw("127.0.0.2") for _ in range(3)]
    for each in strangers:
        assert each.ask(read(BASE, 2)) == SUNS
    with place.raw() as own, place.raw("127.0.0.2") as late:
        assert own.ask(setting(WSet=-20_000)[0])[0] == 16
        assert strangers[0].answer() is None
        assert late.ask(read(BASE, 2)) is None
        assert strangers[1].ask(read(BASE, 2)) == SUNS
    for each in strangers:
        each.socket.close()


def test_without_a_controller_nothing_is_known_and_nothing_taken(place, monkeypatch):
    monkeypatch.setattr(door, "START_S", 0)

    with place.raw() as raw:
        for state in (None, {**place.house.feed.state, "is_live": False}):
            place.house.feed.state = state
            assert raw.ask(read(BASE, 125))[2:] == TEMPLATE[:250]
            assert raw.number("715.DERHb") is None
            assert raw.ask(setting(WSetEna=1)[0]) == b"\x90\x04"


@pytest.fixture
def secured(tmp_path):
    files = [*zip(form.TLS, ("door.crt", "door.key", "site.crt"))]
    keys = "".join([f'{name} = "{certificates()}/{file}"\n' for name, file in files])
    text = TABLE.partition("[modbus.plant.clients]")[0] + keys
    text += '[modbus.plant.clients]\n"ems 1" = "scheduler"\n'
    with plant(tmp_path, text) as place:
        yield place


def test_with_tls_the_certificate_says_who_writes(secured):
    place = secured
    with (
        place.raw(tls=trusting(client="ems")) as own,
        place.raw(tls=trusting(client="two")) as other,
    ):
        assert [own.ask(pdu)[0] for pdu in setting(**ON)] == [16] * 3
        assert own.number("704.WSet") == -20_000
        assert other.ask(read(BASE, 2)) == SUNS
        assert other.ask(setting(WSetEna=1)[0]) == b"\x90\x01"
        own.send(b"".join([frame(read(BASE, 125), each) for each in range(200)]))
        assert [own.answer()[0] for _ in range(200)] == [*range(200)]
    files = [str(certificates() / name) for name in ("site.crt", "ems.crt", "ems.key")]
    keys = dict(zip(("cafile", "certfile", "keyfile"), files))
    other = sunspec.SunSpecModbusClientDeviceTCP(1, "127.0.0.1", place.port, 20, tls=True, **keys)
    other.scan()
    assert other.models[704][0].WSet.value == -20_000
    other.disconnect()


def test_no_byte_is_served_before_the_certificate_is_proved(secured):
    """A foreign, expired or missing certificate gets nothing; plain Modbus neither."""
    place = secured
    first = at_once(place.port, trusting(client="ems"), frame(read(BASE, 2)))
    assert first == frame(b"\x03\x04SunS")
    for name in ("foreign", "old", ""):
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            place.raw(tls=trusting(client=name)) as wrong,
        ):
            if wrong.ask(read(BASE, 2)) is None:
                raise ConnectionError
    with place.raw() as plain:
        assert b"SunS" not in plain.send(frame(read(BASE, 2))).rest()
    with place.raw(tls=trusting(client="ems")) as own:
        assert own.ask(read(BASE, 2)) == SUNS
    assert place.counts == {"fails the handshake of TLS": 4}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 0\n", "modbus.plant.port: 0 is not allowed"),
        ("listen = '1.2.3'\n", "listen: is no IP address"),
        ("may = 'grid_cap'\n", "allowed cap, request"),
        ("may = 'request'\n[modbus.plant.clients]\n'::1' = 'weak'\n", "may: is more than any"),
        ("certificate = 'a'\n", "certificate_key: is missing; allowed all of"),
        ("[modbus.plant.clients]\nhost = 'scheduler'\n", "host: is no IP address"),
        ("[modbus.plant.clients]\n'127.0.0.1' = 'desk'\n", "names the source 'desk'"),
        ("[modbus.plant.clients]\n'127.0.0.1' = 1\n", "names the source 1"),
    ],
)
def test_a_wrong_table_is_one_line(text, words, tmp_path):
    refused(tmp_path / "doors", WEAK + "[modbus.plant]\n" + text, words)
