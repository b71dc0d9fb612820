"""`firebreak bus decode`: captures of each form, each refusal, the public readings."""

import json
import tracemalloc

import pytest
from command_line import refused, run

from drivers.buses.crc import seal
from tests.tables import cases

WORDS = "4:0 0x4366 0x8000"  # 230.5 V


@pytest.fixture
def decoded(capsys, tmp_path):
    """decoded(profile, text, options): (exit code, report)."""

    def call(profile, text, more=""):
        path = tmp_path / "capture.txt"
        path.write_text(text)
        code, lines, said = run(capsys, f"bus decode --json --profile {profile} {more}", path)
        assert said == []
        return code, json.loads("\n".join(lines))

    return call


def values(report):
    return {each["name"]: (each["value"], each["unit"]) for each in report["values"]}


def reasons(report):
    return {each["name"]: each["reason"] for each in report["refused"]}


def test_registers_are_named_and_what_lacks_is_said(decoded):
    code, report = decoded("sdm630", WORDS)
    assert (code, values(report)) == (0, {"voltage_1": (230.5, "V")})
    assert report["stored"] == {} and "not in the capture: voltage_2 (2)" in report["fault"]


METER = "".join(
    f"4:{address} {words}\n"
    for first, words in ((0, "0x4366 0x8000"), (6, "0x4120 0"), (12, "0x44FA 0"), (30, "0x3F80 0"))
    for address in (first, first + 2, first + 4)
)


def test_a_whole_reading_is_what_a_cabinet_would_store(decoded):
    """Three phases of 230.5 V, 10 A and 2000 W."""
    code, report = decoded("sdm630", METER)
    assert (code, report["stored"]) == (0, {"grid_power_W": {"value": 6000, "unit": "W"}})


@cases("""old  new  name  reason
    "4:0 0x4366 0x8000"  "4:0 0 0"       "voltage_1"  "0 is out of range [46, 345]"
    "4:0 0x4366 0x8000"  "4:0 0x7FC0 0"  "voltage_1"  "nan is out of range [46, 345]"
""")
def test_a_refused_value_has_its_reason_and_stores_nothing(decoded, old, new, name, reason):
    code, report = decoded("sdm630", METER.replace(old, new))
    assert (code, report["stored"], reasons(report)) == (0, {}, {name: reason})


def test_more_power_than_voltage_times_current_stores_nothing(decoded):
    report = decoded("sdm630", METER.replace("4:12 0x44FA", "4:12 0x457A"))[1]
    assert report["stored"] == {} and "do not fit each other" in report["fault"]


def framed(*lines):
    """Text of frames, each with its CRC: (time, ">" or "<", hex)."""
    return "\n".join(
        f"{time} can {way} {seal(bytes.fromhex(data)).hex(' ')}" for time, way, data in lines
    )


READ, REPLY = "010400000002", "01040443668000"


@cases("""lines  reason
    [(0, ">", READ), (0.1, "<", "018402")]            "is answered by exception 2"
    [(0, ">", READ), (0.1, "<", "02040443668000")]    "is answered by unit 2"
    [(0, ">", READ), (0.1, "<", "01040243668000")]    "has no good reply"
    [(0, ">", READ), (1, ">", READ), (1.1, "<", "018402")]  "has no good reply"
    [(0, ">", READ)]                                  "has no good reply"
""")
def test_a_reply_that_is_none_is_refused(decoded, lines, reason):
    code, report = decoded("sdm630", framed(*lines))
    (first, *_) = report["refused"]
    assert code == 1 and (first["place"], first["reason"]) == ("4:0", f"the request {reason}")


def test_a_line_longer_than_a_frame_is_no_reply(decoded):
    text = f"{framed((0, '>', READ))}\n1 < {'01 ' * 600}\n2 > {'01 ' * 600}\n{'01 ' * 600}"
    start = f"{'01 ' * 20}... (600 bytes)"
    assert [each["reason"] for each in decoded("sdm630", text)[1]["refused"]] == [
        "the request has no good reply",
        f"{start} has a wrong CRC",
        f"the request {start} has a wrong CRC",
    ]


def test_a_silence_of_years_is_no_longer_than_a_minute(decoded):
    text = framed((0, ">", READ), (9e9, ">", READ), (9e9, "<", REPLY))
    assert values(decoded("sdm630", text)[1]) == {"voltage_1": (230.5, "V")}


def test_frames_have_their_time_and_a_reply_may_come_in_pieces(decoded):
    whole = framed((5.0, ">", READ), (5.25, "<", REPLY)).splitlines()
    head, tail = whole[1][:-6], whole[1][-6:]
    text = "\n".join([whole[0], head, f"(5.250) < {tail.strip()}"])
    report = decoded("sdm630", text)[1]
    assert [each["time_us"] for each in report["values"]] == [250_000]


def test_a_bus_with_several_units_needs_the_wanted_one(decoded, capsys, tmp_path):
    other = [(2, ">", "020400000002"), (2.1, "<", "02040443670000")]
    text = framed((0, ">", READ), (0.1, "<", REPLY), *other)
    assert values(decoded("sdm630", text, "--unit-id 2")[1]) == {"voltage_1": (231, "V")}
    assert values(decoded("sdm630", text, "--unit-id 0")[1]) == {}
    words = "has several units; allowed --unit-id of 1, 2"
    refused(capsys, 2, words, "bus decode --profile sdm630", tmp_path / "capture.txt")


def test_a_written_set_point_is_a_part_of_the_rating(decoded):
    """Register 30409 holds percent, positive charges: -40 % of 200 kW is a discharge."""
    text = framed((0, ">", "010676C9FFD8"), (0.1, "<", "010676C9FFD8"))
    report = decoded("growatt_vpp", text, "--rated-W 200000")[1]
    assert values(report) == {"setpoint.2.power": (80_000, "W")}


@pytest.mark.parametrize("text", ["16:30409 0xFFD8", "6:30409 0xFFD8\r\n", "[01]"])
def test_a_write_is_the_set_point_in_each_form_of_capture(decoded, text):
    if "[01]" in text:
        frame = seal(bytes.fromhex("010676C9FFD8"))
        line = "".join([f"[{each:02X}]" for each in frame])
        text = f"\ufeff{line}\n{line.replace('[', '<').replace(']', '>')}"
    report = decoded("growatt_vpp", text, "--rated-W 200000")[1]
    assert values(report) == {"setpoint.2.power": (80_000, "W")}


def test_another_device_is_named(decoded):
    code, report = decoded("dse_genset", "3:768 2")
    assert code == 1 and reasons(report) == {"manufacturer": "2 is another device; allowed 1"}


# the chain begins at 50000: model 103 with 5 x 10^3 W
PV = """\
3:50000 0x5375 0x6E53 103 20
3:50016 5 3
3:50024 123 24
3:50029 0 0 0 0 0
3:50047 65534
3:50050 65535 0
"""
LIMIT = {"limit_W": (0, "W"), "limit_scale": (-2, "")}


@cases("""text  words
    PV  (0, {"power_W": (5000, "W"), "power_scale": (3, ""), **LIMIT})
    PV.replace("5 3", "5 11")  (0, LIMIT)
""")
def test_a_sunspec_model_lies_where_the_chain_has_it(decoded, text, words):
    code, report = decoded("sunspec_pv", text)
    assert (code, values(report)) == words
    assert report["stored"].get("power_W", {}).get("value") == words[1].get("power_W", (None,))[0]


def test_a_capture_without_the_chain_is_refused(capsys, tmp_path):
    (tmp_path / "x").write_text("3:50016 5 3")
    words = "x: no SunS at register 40000, 50000, 0; sunspec_pv needs the chain of the device in"
    refused(capsys, 2, words, "bus decode --profile sunspec_pv", tmp_path / "x")


def test_a_rack_by_registers_has_each_value_of_an_array(decoded):
    report = decoded("seplos_v3", "4:4096 5200\n4:4352 3300 3301")[1]
    assert values(report) == {
        **{"rack_voltage_mV": (52_000, "mV"), "cell_voltage_mV_1": (3300, "mV")},
        **{"cell_voltage_mV_2": (3301, "mV")},
    }


CAN = """\
({0}.00) can0 351#1402DC05DC05C201
({0}.01) can0 355#5A006400
({0}.02) can0 356#88130F00C800
({0}.03) can0 359#00000000000000
"""


@pytest.mark.parametrize(
    "form",
    [
        "  can0  {0}   [{2}]  {1}",
        " (17.5)  can0  {0}   [{2}]  {1}\r",
        "(2026-01-02 03:04:05.000006)  can0  {0}   [{2}]  {1}",
    ],
    ids=["plain", "time", "date"],
)
def test_each_form_of_candump_has_the_same_values(decoded, form):
    rows = [each.split()[2].split("#") for each in CAN.splitlines()]
    text = [form.format(name, bytes.fromhex(data).hex(" "), len(data) // 2) for name, data in rows]
    assert values(decoded("pylontech_lv", "\n".join(text))[1]) == values(
        decoded("pylontech_lv", frames(1))[1]
    )


def frames(seconds, text=CAN):
    return "".join([text.format(1700000000 + second) for second in range(seconds)])


def test_frames_of_can_are_stored_once_the_dialect_is_confirmed(decoded):
    code, report = decoded("pylontech_lv", frames(4))
    assert code == 0 and values(report)["rack_voltage_mV"] == (50_000, "mV")
    assert report["stored"]["rack_voltage_mV"] == {"value": 50_000, "unit": "mV"}
    assert decoded("pylontech_lv", frames(1))[1]["fault"].startswith("two periods of the dialect")


@cases("""text  words
    CAN.replace("5A006400", "FFFF6400")  "soc_permille: 655350 (raw 65535) is out of range"
    CAN.replace("5A006400", "5A")        "charge: 1 bytes; allowed "
""")
def test_a_refused_frame_has_its_reason(decoded, text, words):
    report = decoded("pylontech_lv", frames(2, text))[1]
    found = [f"{name}: {reason}" for name, reason in reasons(report).items()]
    assert any(each.startswith(words) for each in found), found


HIGH = "80000 mV is outside its limits; allowed 31500..66500 mV"
UNJUDGED = "50000 mV: no charge voltage has come, by which it is judged"


@pytest.mark.parametrize(
    "old, new, reason, times",
    [("8813", "401F", HIGH, 3), ("351#1402", "351#0000", UNJUDGED, 4), ("8813", "8813", "", 0)],
    ids=["high", "no limit", "good"],
)
def test_a_voltage_beyond_its_limits_is_refused_once_with_a_count(decoded, old, new, reason, times):
    report = decoded("pylontech_lv", frames(6, CAN.replace(old, new)))[1]
    found = [(each["name"], each["reason"], each["times"]) for each in report["refused"]]
    assert found[-1:] == [("rack_voltage_mV", reason, times)] * bool(reason)
    assert ("rack_voltage_mV" in report["stored"]) is not bool(reason)


def test_refusals_of_a_kind_are_counted_and_kinds_are_kept_apart(decoded):
    text = frames(3, CAN.replace("5A00", "FFFF")) + frames(2, CAN.replace("5A00", "FEFF"))
    report = decoded("pylontech_lv", text + frames(1, CAN.replace("5A006400", "5A")))[1]
    assert [(each["name"], each["times"]) for each in report["refused"]] == [
        ("soc_permille", 5),
        ("charge", 1),
    ]


def test_a_rack_that_only_allows_a_current_has_that_in_words(decoded):
    report = decoded("jk_can", "(1.0) can0 2F4#F40100003200\n(1.1) can0 18F528F4#01")[1]
    assert report["notes"] == [
        "charge_current_mA_max: not reported; the rated current of the rack "
        "(not_fitted.bms_limits), and 0 while charge_allowed is 0: it is 1",
        "discharge_current_mA_max: not reported; the rated current of the rack "
        "(not_fitted.bms_limits), and 0 while discharge_allowed is 0: it is 0",
    ]


@cases("""profile  line  fits
    "victron_cells"  "pylontech_lv fits it"  [{"profile": "pylontech_lv", "node": 0}]
    "firebreak_rack"  "pylontech_lv fits it"  [{"profile": "pylontech_lv", "node": 0}]
""")
def test_the_profile_that_fits_is_named(decoded, profile, line, fits):
    report = decoded(profile, frames(6))[1]
    assert (report["fitting"], report["fits"], report["stored"]) == (line, fits, {})
    own = "the required id 35A is missing" if profile == "victron_cells" else "none of its ids came"
    assert report["fault"] == own


def test_a_short_or_foreign_capture_fits_none(decoded):
    line = decoded("victron_cells", frames(1))[1]["fitting"]
    assert line == (
        "no shipped profile fits it; by its ids it is of pylontech_lv: two periods were not heard, "
        "or no value is in range"
    )
    assert decoded("victron_cells", "can0 123#00")[1]["fitting"] == "no shipped profile fits it"


def test_a_meter_is_named_where_another_one_is_wanted(decoded):
    report = decoded("em340", METER)[1]
    assert {"profile": "sdm630"} in report["fits"] and "sdm630" in report["fitting"]


def test_what_stops_at_the_end_is_said(decoded):
    late = "(1700000020.00) can0 355#5A006400\n"
    report = decoded("pylontech_lv", frames(4) + late)[1]
    assert report["stored"] and report["fault"].startswith("two periods of the dialect")


CUT = "line 5, the last, is cut off: left out"


@cases("""more  refused_  notes
    "(1700000001) can0 20000080#00\\n"  [("20000080", "an error frame: the bus is disturbed")]  []
    "(1700000001) can0 351##1AABB\\n"   [("351", "a frame of CAN FD has no value")]          []
    "(1700000001) can0 351#R\\n"        [("351", "a frame that asks for one has no value")]  []
    "(1700000001) can0 35"             []  [CUT]
""")
def test_frames_without_a_value_and_a_last_line_that_is_cut(decoded, more, refused_, notes):
    report = decoded("pylontech_lv", frames(1) + more)[1]
    found = [(each["place"], each["reason"]) for each in report["refused"]]
    assert (found, report["notes"]) == (refused_, notes)


def test_memory_does_not_grow_with_a_capture(capsys, tmp_path):
    path, peaks = tmp_path / "capture.txt", []
    for seconds in (20, 20, 150):
        path.write_text(frames(seconds))
        tracemalloc.start()
        assert run(capsys, "bus decode --profile pylontech_lv", path)[0] == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 10_000


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08\0", b"\x7fELF\1\0\0", "can0".encode("utf-16")])
def test_a_file_that_is_no_text_is_refused_in_one_line(capsys, tmp_path, data):
    (tmp_path / "capture.txt").write_bytes(data)
    words = "line 1: is not text, but binary or compressed; allowed frames as candump"
    refused(capsys, 2, words, "bus decode --profile pylontech_lv", tmp_path / "capture.txt")


@cases("""profile  text  words
    "sdm630"   frames(6)     "has no registers or frames of Modbus, .*; pylontech_lv fits it"
    "pytes"    "x y\\n1 2"    'line 1: "x y" is not a capture; allowed'
    "sdm630"   "x y"         'line 1: "x y" is not a capture; allowed'
    "sdm630"   "3:1 99999"   "line 1: 99999 is not allowed; allowed 0..65535"
    "sdm630"   "# nothing"   "has no registers or frames of Modbus, which sdm630 needs"
    "pytes"    "3:1 2"       "has no frames of CAN, which pytes needs"
    "sdm63"    "3:1 2"       "no such profile"
""")
def test_a_wrong_capture_is_refused_in_one_line(capsys, tmp_path, profile, text, words):
    (tmp_path / "capture.txt").write_text(text)
    refused(capsys, 2, words, f"bus decode --profile {profile}", tmp_path / "capture.txt")


def test_the_page_for_a_person(capsys, tmp_path):
    (tmp_path / "capture.txt").write_text(METER)
    lines = run(capsys, "bus decode --profile sdm630", tmp_path / "capture.txt")[1]
    assert "     0.000 s voltage_1                    230.5 V          4:0" in lines
    assert lines[-1] == "A cabinet would store: grid_power_W 6000 W"
