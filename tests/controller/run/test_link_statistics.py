"""The counters of the buses, out of the mapped file."""

import re
from types import SimpleNamespace

import pytest

from controller.config import can_dialects, configuration, profiles
from controller.console.pages import links
from controller.core.image import ProcessImage
from controller.run import link_statistics
from controller.run.can_bus import CanBus
from controller.sites import EXAMPLE
from controller.state import links as state_links
from drivers import can_dialect
from drivers.can_bms import CanBms
from drivers.meter import Meter
from hil.engine.simulate import VirtualRig
from tests.tables import cases

CONFIG = configuration.load(EXAMPLE)


@pytest.fixture(scope="module")
def field():
    return VirtualRig(CONFIG, lambda t_s: 300_000.0).run(2).controller.cabinet.field


def counted(field):
    can_ports = {name: bus.port for name, bus in field.can.items()}
    drivers = {(each.bus, each.address): field.drivers[each.name] for each in CONFIG.devices}
    return field.ports, can_ports, field.can, drivers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "links.stats"


@pytest.fixture
def writer(path, field):
    made = link_statistics.LinkStatistics(str(path), *counted(field))
    assert link_statistics.read(str(path)) is None, "nothing written yet"
    yield made
    made.close()


def test_it_holds_what_the_ports_have_counted(field, writer, path):
    writer.note(0)
    found = link_statistics.read(str(path))
    pcs, units = field.ports["pcs"].statistics[1], found["units"]
    assert units["pcs", 1]["sent"] == pcs.sent > 50 and units["pcs", 1]["ok"] == pcs.ok
    assert set(found["buses"]) == {"can0", "pcs", "io", "gas", "meter_grid", "meter_load"}
    assert found["buses"]["can0"]["received"] == field.can["can0"].port.received > 500
    assert set(units["pcs", 1]) == set(link_statistics.RTU_COUNTERS)
    assert set(found["buses"]["can0"]) == set(link_statistics.CAN_COUNTERS)
    writer.close()
    assert link_statistics.read(str(path)) == found, "the file stays"


def test_it_holds_what_the_meters_have_measured(writer, path):
    writer.note(0)
    found = link_statistics.read(str(path))["meters"]
    assert set(found) == {("meter_grid", 1), ("meter_load", 2)}
    for report in found.values():
        assert tuple(report) == Meter.REPORT and report["other_device"] == 0
        assert (
            report["refresh_stated_ms"] == report["refresh_ms"] == report["refresh_least_ms"] == 20
        )


REPORT = dict(zip(Meter.REPORT, (100, 250, 200, 0, 49_980, 12_345_600, -1), strict=True))
DEVICE = {"bus": "grid", "address": 1, "identity": ["model", "application"]}


def said(**changes):
    """The lines of the page about a meter with this report."""
    report = {("grid", 1): REPORT | changes}
    return " ".join(links._meter({"device": "em", "meter": state_links._meter(DEVICE, report)}))


def test_the_page_compares_the_refresh_of_a_meter_with_what_its_profile_states():
    words = re.sub(" +", " ", said())
    assert words.startswith("Meter em: refresh stated 100 ms, measured 250 ms; SLOWER THAN STATED")
    assert words.endswith("frequency 49.98 Hz; import 12345.6 kWh.")
    assert "SLOWER" not in said(refresh_ms=150) and "SLOWER" in said(refresh_ms=151)
    assert "measured" not in said(refresh_ms=-1) and "frequency" not in said(frequency_mHz=-1)
    assert "another device than the profile's: application" in said(other_device=2)
    assert state_links._meter(DEVICE, {}) is None
    assert links._meter({"device": "pcs", "meter": None}) == []


def test_a_unit_0_is_a_unit_and_an_answer_of_another_unit_is_counted(field, writer, path):
    unit = field.ports["io"]._statistics_of(0)
    unit.sent, unit.other_unit, unit.answered_by = 9, 4, 255
    writer.note(0)
    found = link_statistics.read(str(path))["units"]["io", 0]
    del field.ports["io"].statistics[0]
    assert (found["sent"], found["other_unit"], found["answered_by"]) == (9, 4, 255)
    assert links._other_units([{"device": "roof", "address": 0, "counters": found}]) == [
        "Other  roof: unit 255 answers the requests to unit 0 (4 times). A late reply",
        "       counts too; else correct unit_id.",
    ]
    assert links._other_units([{"device": "roof", "address": 0, "counters": None}]) == []


@pytest.mark.parametrize("text", ("", "A1", "12345678", "123456789", "x" * 32))
def test_a_serial_number_comes_back_whole_and_stands_on_the_page(path, text):
    serials = {("pcs", 255): SimpleNamespace(text=text), ("grid", 0): SimpleNamespace(text="G")}
    made = link_statistics.LinkStatistics(str(path), {}, {}, {}, {}, serials=serials)
    made.note(0)
    made.close()
    found = link_statistics.read(str(path))["serials"]
    assert found == {("pcs", 255): text, ("grid", 0): "G"}
    devices = [{"device": bus, "serial": serial or None} for (bus, _), serial in found.items()]
    assert links._serials(devices) == [f"Serial {f'pcs {text}; ' * bool(text)}grid G."]
    assert links._serials(devices[:0]) == []


def test_bytes_of_a_foreign_writer_are_no_serial_number(path):
    serials = {("pcs", 1): SimpleNamespace(text="A1")}
    made = link_statistics.LinkStatistics(str(path), {}, {}, {}, {}, serials=serials)
    made.note(0)
    for data, text in ((b"\xe41", ""), (b"A\x1b1", ""), (b"B2", "B2")):
        place = link_statistics.HEAD.size + link_statistics.NAME_BYTES + 4
        made._map[place : place + 8] = data.ljust(8, b"\0")
        assert link_statistics.read(str(path))["serials"] == {("pcs", 1): text}
    made.close()


def test_buses_whose_names_differ_at_the_end_stay_apart(field, path):
    names = ["b" * 31 + end for end in "xy"]
    ports = dict.fromkeys(names, field.ports["pcs"])
    made = link_statistics.LinkStatistics(str(path), ports, {}, {}, {})
    made.note(0)
    made.close()
    found = link_statistics.read(str(path))
    assert set(found["buses"]) == set(names) and {bus for bus, _ in found["units"]} == set(names)


def test_it_writes_once_a_second_and_half_a_write_is_not_read(writer, path):
    numbers = []
    for now_us in (0, 999_999, 1_000_000, 1_020_000, 1_999_999, 2_000_000):
        writer.note(now_us)
        numbers.append(writer._number)
    assert numbers == [2, 2, 4, 4, 4, 6]
    writer.note(0)
    content = bytearray(path.read_bytes())
    content[8] |= 1
    path.write_bytes(content)
    assert link_statistics.read(str(path)) is None


def test_a_write_that_is_under_way_is_not_read(writer, path, monkeypatch):
    class Entry:
        size, unpack_from = link_statistics.ENTRY.size, link_statistics.ENTRY.unpack_from
        seen = []

        def pack_into(self, *given):
            self.seen.append(link_statistics.read(str(path)))

    writer.note(0)
    monkeypatch.setattr(link_statistics, "ENTRY", Entry())
    writer.note(1_000_000)
    assert Entry.seen and not any(Entry.seen) and link_statistics.read(str(path))


@pytest.mark.parametrize(
    "size", [0, 8, 16, 100, link_statistics.HEAD.size + 3 * link_statistics.ENTRY.size - 1]
)
def test_file_that_was_cut_or_is_another_is_none(writer, path, size):
    writer.note(0)
    content = path.read_bytes()
    for found in (content[:size], b"x" + content[1:]):
        path.write_bytes(found)
        assert link_statistics.read(str(path)) is None


def test_more_than_fits_is_left_out(field, path, monkeypatch):
    monkeypatch.setattr(link_statistics, "ENTRIES_MAX", 3)
    link_statistics.LinkStatistics(str(path), *counted(field)).note(0)
    found = link_statistics.read(str(path))
    assert len(found["units"]) + len(found["buses"]) == 3


NONE = "no value counts"
ABSENT = "of its protocol does not come, or not with its length"
TURNED = "its current has another sign than the converter's power"
NO_FIT = "no shipped profile fits these ids"


@cases("""report  words
    (0, 0, 0)  None | (1, 0, 0)  None | (4, 0x35C, 0)  f"id 0x35C has stopped, {NONE}"
    (2, 0x351, "pytes")  f"id 0x351 {ABSENT}, {NONE}; profile pytes would fit"
    (2, 0x80004210, 0)  f"id 0x4210 {ABSENT}, {NONE}; {NO_FIT}"
    (3, 0x110, 0)  f"id 0x110 is of another protocol, {NONE}; {NO_FIT}"
    (5, 0x356, 0)  "id 0x356 comes with values that do not fit its profile, they do not count"
    (7, 2, 0)  f"another device than the profile's: model differs, {NONE}"
    (8, 18, 0)  f"its heartbeat, read from register 18 on, has stopped, {NONE}"
    (9, 545, 0)  "the read from register 545 on has a value out of range, it does not count"
    (6, 0, 0)  f"{TURNED}; {NONE} until the profile is corrected and the controller restarts"
""")
def test_the_page_says_why_no_value_of_a_rack_counts(report, words):
    names = can_dialects.names()
    state, can_id, fits = report
    number = names.index(fits) + 1 if fits else 0
    report = dict(zip(can_dialect.REPORT, (state, can_id, number)))
    said = state_links._refusal({"identity": ["maker", "model"]}, report)
    assert said == words
    lines = links._refusals({"device": "bms_1", "refusal": said, "stop": None})
    assert " ".join(" ".join(lines).split()) == (f"BMS bms_1: {words}." if words else "")


def test_it_holds_what_the_dialects_of_the_racks_say(path):
    image = ProcessImage(CONFIG.layout(), CONFIG.site_devices)
    bms = CanBms(profiles.load("pylontech_lv"), 0, 0, image, image.layout)
    bus = CanBus("can1")
    bus.add(bms, 0)
    bus.heard |= {0x351, 0x355, 0x356, 0x35A, 0x373, 0x110}
    bms.on_frame(0x110, bytes(8), 0)
    made = link_statistics.LinkStatistics(str(path), {}, {}, {"can1": bus}, {})
    made.note(0)
    report = link_statistics.read(str(path))["racks"]["can1", 0]
    made.close()
    assert report == {"state": can_dialect.FOREIGN, "can_id": 0x110, "fits": 0}


def test_a_state_without_a_name_is_shown_with_its_number(field, path):
    drivers = {
        ("pcs", 1): SimpleNamespace(unnamed=513),
        ("roof", 7): SimpleNamespace(wear=SimpleNamespace(is_spent=lambda now_us: True, spent=4)),
        ("can0", 2): SimpleNamespace(unnamed=None),
        ("io", 1): object(),
    }
    made = link_statistics.LinkStatistics(str(path), *counted(field)[:3], drivers)
    made.note(0)
    assert link_statistics.read(str(path))["states"] == {("pcs", 1): 513}
    assert link_statistics.read(str(path))["spent"] == {("roof", 7): 4}
    made.close()


UNNAMED = "pcs_1 not running, state 513, which its profile does not name."
SPENT = "pcs_1 may store no more today (4 writes): a stop, 0 and less power still pass."


@cases("""kind  state  raw  spent  words
    "PCS"  "NOT RUNNING"  513  None  UNNAMED
    "BMS"  "LATE"  5  None  "pcs_1 state 5, which its profile does not name."
    "PCS"  "FAULT"  None  None  "pcs_1 is in its state fault."
    "PV inverter"  "ok"  None  4  SPENT
    "PCS"  "ok"  None  None  None""")
def test_the_page_names_the_own_state_of_a_device(kind, state, raw, spent, words):
    device = {"device": "pcs_1", "kind": kind, "state": state, "unnamed_state": raw}
    found = " ".join(links._states([device | {"spent_writes": spent}])).split()
    assert found == (f"State {words}".split() if words else [])


@cases("""state  word
    3  "ok" | 6  "FAULT" | 8  "NOT RUNNING" | 7  "ok" """)
def test_the_state_of_a_converter_is_its_state_on_the_links(state, word):
    assert state_links.OWN_STATES.get(state, "ok") == word
    assert state_links.summary([{"kind": "PCS", "state": word}]) == {"PCS": word}
