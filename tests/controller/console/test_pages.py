"""Every page during every fault: plain ASCII, 80 x 24, no forbidden word, no invented value."""

import copy
import json
import re

import pytest
from cabinet_bench import believed
from command_line import flat
from readme_pages import PLACE, README, filled, made
from slow import slow
from watched import EACH_20_MS, Watched, action, check, of_scenario, silent

from controller.console import pages
from controller.console.pages import around, causes, text
from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import Slot
from controller.rows import reason_words
from controller.state import watch
from tests.tables import table


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    return Watched(tmp_path_factory.mktemp("quiet")).run(12)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    faults = [action(9, "estop_press"), action(9, "contact", name="door", closed=False)]
    return Watched(tmp_path_factory.mktemp("stopped"), actions=faults).run(10)


def check_all(watched, *moments_s):
    for at_s in moments_s:
        watched.run(at_s)
        for page in watch.PAGE_NAMES:
            facts = watched.facts(page)
            check(pages.lines(page, facts), page)
            assert json.loads(json.dumps(facts)) is not None
    return watched


@pytest.mark.parametrize(
    "name", slow("bms_silent", "estop", "gas_25", "io_silent", "meter_frozen", "pcs_silent")
)
def test_all_pages_fit_while_things_go_wrong(name, tmp_path):
    check_all(of_scenario(name, tmp_path), 0.06, 1.5, 33.9, 36)


def test_pages_of_a_request(tmp_path):
    """A request of 100 kW after 2 s at 25 kW/s: half of it."""
    watched = check_all(of_scenario("hint_request", tmp_path, 30, EACH_20_MS), 1.5, 9, 11.9)
    row = next(line for line in watched.lines("why") if line.startswith(" request"))
    assert "scheduler asks 100.0 kW" in row and 45 < float(row.split()[-1]) < 55


def sixteen(facts):
    three = facts["racks"]
    racks = [{**copy.deepcopy(three[each % 3]), "rack": each + 1} for each in range(16)]
    unknown = dict.fromkeys(("soc_permille", "cell_voltage_mV_min", "rack_current_mA"))
    racks[11] |= {"is_known": False, **unknown}
    racks[14] |= {"standing": ["29.rack15"], "cell_voltage_mV_max": 3671}
    return {**facts, "racks": racks}


def numbers(lines):
    return [int(line[:4]) for line in lines if re.match(r" +\d+ ", line)]


def test_many_racks_become_parts_worst_first(quiet):
    facts = sixteen(quiet.facts("racks"))
    lines = pages.lines("racks", facts)
    check(lines, "racks")
    assert sorted(numbers(lines)) == list(range(1, 17))
    facts["racks"] += [{**facts["racks"][0], "rack": number} for number in range(17, 20)]
    first, second = (pages.lines("racks", facts, number) for number in (1, 2))
    assert numbers(first)[:2] == [12, 15]  # unknown, then tripped
    assert "Page 2 of 2, worst first." in second
    check(second, "racks")
    status = pages.lines("status", sixteen(quiet.facts("status")))
    check(status, "status")
    assert numbers(status)[:2] == [12, 15] and [line for line in status if "worst 3 of 16" in line]


def test_rack_1_does_not_show_the_alarms_of_rack_10(files, tmp_path):
    bms = '[device.bms_{0}]\nrole = "bms"\nrack = {0}\nprofile = "firebreak_rack"\nbus = "can0"'
    for rack in range(4, 11):
        files.append("type", f"[rack.{rack}]\n{bms.format(rack)}\nnode = {rack}")
    watched = Watched(tmp_path, actions=[silent(3, "bms_10")], settings=believed(files.load()))
    *others, tenth = watched.run(4).facts("racks")["racks"]
    assert "40a.rack10" in tenth["standing"]
    assert [rack["standing"] for rack in others] == [[]] * 9


LOOPS = """
2 | 4490 | 72 | 12_642 | late p50 72 us, p99 188 us, worst 12.6 ms; 5 missed of 4490
609 | 70_112 | 1072 | 19_999_000 | late p99 188 us, worst 19999.0 ms; 612 missed of 70112
600_009 | 1576800000 | 72 | 99000999900 | late worst 99000999.9 ms; 600012 missed of 1576800000
1000000000000000 | 1152921504606846976 | 72 | 1152921504606846976 | 100 ms; 1000000000000003 missed\
 of 1152921504606846976
"""


def test_the_loop_line_is_shortened_by_whole_figures(quiet):
    """ "612 missed of 699" was shown, of about 70000."""
    for missed, ticks, p50, worst_us, shown in table(LOOPS):
        late = {"p50": p50, "p99": 188, "p99_9": 1867, "max": worst_us}
        loop = {"ticks": ticks, "missed": missed, "late": 3, "runs": 0, "lateness_us": late}
        lines = quiet.lines("status", loop=loop)
        check(lines, "status")
        assert [line for line in lines if line.startswith("LOOP")][0].endswith(shown)


@pytest.mark.parametrize(
    "now_ms, before_ms, words",
    [
        (12_000, 0, " ! store not saved for 12 s: no start, no reset; free disk space"),
        (0, 6000, " ! store was not saved for 6.00 s; now it is"),
        (0, 0, None),
    ],
)
def test_the_status_says_for_how_long_the_store_was_not_saved(quiet, now_ms, before_ms, words):
    store = {"unsaved_ms": now_ms, "unsaved_before_ms": before_ms}
    lines = quiet.lines("status", store=store)
    check(lines, "status")
    assert [line for line in lines if "store" in line] == [words] * bool(words)


def test_every_value_is_unknown_before_the_first_frame(tmp_path):
    """Vapour and carbon monoxide are shown unless zero."""
    vapour = [action(3, "offgas", ppm=30, detector=1)]
    watched = Watched(tmp_path, actions=vapour, settings=EACH_20_MS).run(0.04)
    facts = watched.facts("status")
    values = facts["battery_W"], facts["remaining_Wh"], facts["gas_lfl_permille"][1]
    assert values == (None, None, None) and "BATTERY  unknown" in watched.text("status")
    assert [line for line in watched.lines("status") if re.match(r"   1( +-)+$", line)]
    facts = watched.facts("trend")
    unheard = [each for each in facts["quantities"] if each["field"] == "soc_permille"]
    assert [set(each["values"]) for each in unheard] == [{None}]
    check(watched.lines("trend"), "trend")
    line, (vapour, _) = watched.run(20).lines("status")[2], watched.facts("status")["vapour_ppm"]
    assert vapour > 0 and f"  Vapour {vapour} 0 ppm  " in line and "H2/CO" not in line
    assert "H2/CO - ppm" in watched.lines("status", toxic_ppm=[None])[2]


def test_a_device_that_is_asked_for_nothing_has_no_line():
    asked = {"device": "load_cap_1", "is_known": True, "asked": {"load_cap_1.lower_W": 0}}
    assert around.site([asked]) == []
    assert around.site([asked | {"is_known": False}]) == ["SITE     load_cap_1 NOT HEARD"]


def test_each_open_contact_is_named(tmp_path):
    same = "heat leak coolant cell_voltage bms_fault supervised fire_trouble suppression".split()
    names = {"fire_alarm": "fire_panel", "smoke_2": "smoke", "hvac": "cooling"}
    names |= zip(same, same)
    watched = Watched(tmp_path).run(3)
    before = watched.facts("status")["contacts"]
    assert {before[name] for name in names.values()} == {"ok"}
    assert before["damper"] == before["airflow"] == "idle"
    for name in names:
        watched.rig.cabinet.plant.force_contact(name, False)
    facts = watched.run(4).facts("status")
    assert {facts["contacts"][name] for name in names.values()} == {"not ok"}
    line = watched.lines("status")[2]
    assert "Fire panel NOT OK  Smoke ALARM" in line and re.search(r"  \+\d+$", line)
    assert len(line) <= text.WIDTH
    alone = {**before, "leak": "not ok", "coolant": "unknown", "door": "unknown"}
    line = watched.lines("status", contacts=alone)[2]
    assert line.endswith("%LFL  Leak WET  Coolant ?  Door ?  E-stop ok")
    header = watched.seen.shadow.reader.header  # a zone that is not fitted has no smoke
    zones = "{} | not ok ; {'smoke_2': 'A'} | ok ; {'smoke': 'A'} | not fitted"
    for lacking, value in table(zones):
        header["not_fitted"] = lacking
        assert watched.facts("status")["contacts"]["smoke"] == value, lacking
    assert "Smoke" not in watched.lines("status")[2]


def test_a_silent_detector_has_an_unknown_calibration_and_comes_first(tmp_path):
    """The 180 days of the other detector were shown for both; "Gas never h..." was cut off."""
    watched = Watched(tmp_path, actions=[silent(3, "offgas_2"), silent(8, "ups")]).run(3)
    assert watched.facts("status")["gas_calibration_d"] == 180
    assert watched.run(10).facts("status")["gas_calibration_d"] is None
    watched.rig.cabinet.plant.calibration_d["toxic"] = -2
    assert watched.run(20).facts("status")["gas_calibration_d"] == -2
    line = next(line for line in watched.lines("status") if line.startswith("LINKS"))
    assert line == "LINKS    Gas LATE  UPS LATE  BMS ok  PCS ok  Meter ok  I/O ok  Air ok"


def test_the_trend_has_one_line_of_levels_per_quantity(tmp_path):
    watched = Watched(tmp_path, lambda t_s: 300_000.0 + 1000 * t_s).run(28)
    facts = watched.facts("trend", span_s=60)
    load = facts["quantities"][0]
    values = [value for value in load["values"] if value is not None]
    assert (load["field"], len(load["values"])) == ("load_W", 42)
    assert values == sorted(values) and len(values) >= 5
    assert load["values"][0] is None  # before the start
    lines = pages.lines("trend", facts)
    assert lines[3].startswith("load kW") and "_" in lines[3] and "@" in lines[3]
    assert "No recorder" in " ".join(lines[-2:])


def test_long_names_are_cut(stopped):
    name = "A cabinet of a very long name, hall 17, second row, behind the pillar"
    utc_text = "2026-03-14 02:07:31Z NTP +-0.2 s"
    for page in watch.PAGE_NAMES:
        lines = stopped.lines(page, cabinet=name, uptime_ms=400 * 86_400_000, utc_text=utc_text)
        check(lines, page)


def test_events_are_newest_first_and_have_pages(stopped):
    facts = stopped.facts("events")
    lines = pages.lines("events", facts)
    moments = [line[:11] for line in lines[3:] if line[0] != " "]
    assert moments == sorted(moments, reverse=True) and len(moments) >= 6
    words = "trip R801 cabinet 1a: emergency stop. The emergency stop is pressed: its first contact"
    assert f"{words} is open." in flat(lines)
    facts["events"] = facts["events"] * 10
    second = pages.lines("events", facts, 2)
    assert len(second) == 23 and "page 2 of" in second[2]
    long = "a note of a person " * 9 + "that ends here"
    found = pages.lines("events", {**facts, "events": [{**facts["events"][0], "text": long}]})
    assert flat(found[3:]).endswith(long), "cut at the end of the line"


def test_the_fullest_why_keeps_remedy_and_alternative(tmp_path):
    """Short of power, three converters, an old journal, a schedule: the remedy stays."""
    watched = Watched(tmp_path, lambda t_s: 740_000.0 if t_s > 8 else 300_000.0).run(14)
    facts = watched.facts("why")
    assert facts["short_W"] > 0 and facts["binding"]["code"] == 213
    slot = {"slot": None, "source": "planner", "state": "waits for the clock"}
    slot["starts"] = "2026-01-01T00:00:00Z"
    lines = watched.lines("why", units=facts["units"] * 3, differs=True, schedule=slot)
    check(lines, "why")
    begins = [line.split(" ")[0] for line in lines]
    assert "Else" in begins[-2:] and "Do" in begins and {"Short", "Slot"} <= {*begins}


@pytest.mark.parametrize("code", [607, 611, 612, 613, 614])
def test_why_a_converter_gets_no_power_is_said_in_the_words_of_its_code(quiet, code):
    name, sentence, _ = reason_words.text(code)
    (unit,) = quiet.facts("why")["units"][:1]
    refused = {"label": f"R{code}", "name": name, "sentence": sentence}
    each = {**unit, "refused": refused, "own_state": "FAULT"}
    check(quiet.lines("why", units=[each] * 3), "why")
    found = flat(quiet.lines("why", units=[each]))
    assert f"PCS 1 R{code} {name}. {sentence}" in found


def test_the_readme_shows_the_pages_as_they_are():
    text = README.read_text(encoding="ascii")
    texts = made()
    assert [place[1] for place in PLACE.finditer(text)] == list(texts)
    assert filled(text, texts) == text, "run tests/controller/console/readme_pages.py"


def test_pages_of_a_schedule_and_of_notices(tmp_path):
    watched = Watched(tmp_path, settings=EACH_20_MS).run(10)
    controller = watched.rig.controller
    slot = Slot(400_000, -60_000, -40_000, 205)
    controller.schedule("site_ems", 29_453_760, 5, (slot, slot))
    controller.hint("site_ems", h.HEARTBEAT, 0, 0, 300_000)
    controller.hint("site_ems", h.NOTICE, h.PRICE_IS_NEGATIVE, 1, 200_000)
    controller.cabinet.request_hint(h.HintSlot(2, h.NOTICE, h.STEP_W, 90_000, 5000, 60_000))
    facts = check_all(watched, 15, 25).facts("status")
    times = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"
    begin = {"starts": times[0], "slot": 1, "begins": times[0], "ends": times[1]}
    shown = {"source": "site_ems", "state": "acts", "count": 2, **begin, **slot._asdict()}
    assert facts["schedule"] == watched.facts("why")["schedule"] == shown
    assert len(facts["notices"]) == 2
    lines = watched.lines("status")
    assert "         schedule of site_ems: acts, slot 1 of 2; 2 more" in lines
    assert causes.notice(facts["notices"][0]) == "site_ems: price is negative, 185 s left"
    assert causes.notice(facts["notices"][1]) == "scheduler: step of 90.0 kW in 45 s"
    words = (
        "Slot 1 of 2 of site_ems, 2026-01-01 00:00 to 00:05 UTC: import <= 400.0 kW, battery -60.0 "
        ".. -40.0 kW, reserve 20.5 %."
    )
    cause = watched.facts("why")["request"]["base_cause"]
    assert causes.sentences(cause) == words
    lines = watched.lines("why")
    (row,) = [line for line in lines if line.startswith(" request")]
    assert "R105 slot 1 of 2 (site_ems)" in row and "-40.0" in row
    assert words in flat(lines)
    controller.cabinet.site_clock.error_us = None
    found = flat(check_all(watched, 2, 30).lines("why"))
    waits = "Schedule of site_ems: waits for the clock. Its first slot: 2026-01-01 00:00 UTC."
    assert f"Slot {waits}" in found and watched.facts("why")["schedule"]["begins"] is None
