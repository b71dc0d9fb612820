"""Every page at any moment of any fault: plain ASCII, 80 x 24, the words of the screen, and nothing
made up.
"""

import copy
import json
import re

import pytest
from slow import slow
from watched import Watched, action, of_scenario

from controller.console import pages, watch
from controller.console.pages import text

# Words that no page uses (the house's words: request, limit, available power ...), "safe" least of
# all.
FORBIDDEN = re.compile(
    r"\b(safe|safely|wish|bound|bounds|lease|envelope|L0|L1|L2|compliant|certified|None|nan)\b"
)


def check(lines, page):
    assert 3 <= len(lines) <= text.HEIGHT, (page, len(lines))
    for line in lines:
        assert len(line) <= text.WIDTH and line.isascii() and line == line.rstrip(), (page, line)
        assert not FORBIDDEN.search(line), (page, line)


@pytest.mark.parametrize(
    "name",
    [
        *("bms_silent", "hint_request"),
        *slow("estop", "gas_25", "io_silent", "meter_frozen", "pcs_silent"),
    ],
)
def test_all_pages_fit_while_things_go_wrong(name, tmp_path):
    watched = of_scenario(name, tmp_path)
    for at_s in (0.06, 1.5, 33.9, 36):
        watched.run(at_s)
        for page in watch.PAGES:
            facts = watched.facts(page)
            check(pages.lines(page, facts), page)
            assert json.loads(json.dumps(facts)) is not None


def sixteen(facts):
    """The facts of a page as of sixteen racks."""
    racks = [
        {**copy.deepcopy(facts["racks"][number % 3]), "rack": number + 1} for number in range(16)
    ]
    racks[11] |= {
        "is_known": False,
        "soc_permille": None,
        "cell_voltage_mV_min": None,
        "rack_current_mA": None,
    }
    racks[14] |= {"standing": ["29.rack15"], "cell_voltage_mV_max": 3671}
    return {**facts, "racks": racks}


def test_more_racks_than_lines_are_pages_worst_first(tmp_path):
    watched = Watched(tmp_path).run(12)
    facts = sixteen(watched.facts("racks"))
    lines = pages.lines("racks", facts)
    check(lines, "racks")
    numbers = [int(line[:4]) for line in lines if re.match(r" +\d+ ", line)]
    assert sorted(numbers) == list(range(1, 17))
    facts["racks"] += [{**facts["racks"][0], "rack": number} for number in range(17, 20)]
    first, second = (pages.lines("racks", facts, number) for number in (1, 2))
    assert [line[:4] for line in first[3:5]] == ["  12", "  15"]  # unknown, then tripped
    assert "Page 2 of 2, worst first." in second
    check(second, "racks")
    status = pages.lines("status", sixteen(watched.facts("status")))
    check(status, "status")
    assert [line[:4] for line in status if re.match(r" +\d+ ", line)][:2] == ["  12", "  15"]
    assert [line for line in status if "worst 3 of 16" in line]


def test_long_names_and_numbers_give_way(tmp_path):
    watched = Watched(tmp_path, actions=[action(10, "estop_press")]).run(12)
    long = {
        "cabinet": "A cabinet of a very long name, hall 17, second row, behind the pillar",
        "uptime_ms": 400 * 86_400_000,
        "utc_text": "2026-03-14 02:07:31Z NTP +-0.2 s",
    }
    for page in watch.PAGES:
        check(pages.lines(page, watched.facts(page) | long), page)


@pytest.mark.parametrize(
    "missed, ticks, p50, worst_us, shown",
    [
        (2, 4490, 72, 12_642, "late p50 72 us, p99 188 us, worst 12.6 ms; 5 missed of 4490"),
        (609, 70_112, 1072, 19_999_000, "late p99 188 us, worst 19999.0 ms; 612 missed of 70112"),
        (
            600_009,
            1_576_800_000,
            72,
            99_000_999_900,
            "late worst 99000999.9 ms; 600012 missed of 1576800000",
        ),
        (10**15, 1 << 60, 72, 1 << 60, "20 ms; 1000000000000003 missed of 1152921504606846976"),
    ],
)
def test_the_line_of_the_loop_is_shortened_by_meaning(
    tmp_path, missed, ticks, p50, worst_us, shown
):
    """ "612 missed of 699" stood there, of about 70000."""
    loop = {
        "ticks": ticks,
        "missed": missed,
        "late": 3,
        "runs": 0,
        "lateness_us": {"p50": p50, "p99": 188, "p99_9": 1867, "max": worst_us},
    }
    lines = pages.lines("status", Watched(tmp_path).run(2).facts("status") | {"loop": loop})
    check(lines, "status")
    assert [line for line in lines if line.startswith("LOOP")][0].endswith(shown)


def test_what_is_not_known_is_not_shown_as_a_value(tmp_path):
    """A failed read shown as 0 (Growatt_ModbusTCP #450); 20 A shown while the BMS slept
    (dbus-serialbattery #193).
    """
    watched = Watched(
        tmp_path,
        actions=[
            action(8, "device_fault", device="bms_2", fault="silent"),
            action(8, "device_fault", device="meter_grid", fault="silent"),
        ],
    ).run(11)
    rack = [
        line for line in pages.lines("racks", watched.facts("racks")) if line.startswith("   2 ")
    ][0]
    assert re.fullmatch(r"   2( +-)+ +\d+", rack)
    assert "GRID  unknown" in "\n".join(pages.lines("status", watched.facts("status")))


def test_before_anything_is_heard_nothing_is_a_number(tmp_path):
    facts = Watched(tmp_path).run(0.04).facts("status")
    assert (facts["battery_W"], facts["remaining_Wh"], facts["gas_lfl_permille"][1]) == (
        None,
        None,
        None,
    )
    lines = pages.lines("status", facts)
    assert "BATTERY  unknown" in "\n".join(lines) and [
        line for line in lines if re.match(r"   1( +-)+$", line)
    ]


def test_a_controller_that_ticks_no_more_is_not_shown_as_running(tmp_path):
    """Values froze and nobody saw it (dbus-mqtt-battery #4): a page of a dead controller says so in
    its first line.
    """
    watched = Watched(tmp_path).run(10)
    assert pages.lines("status", watched.facts("status"))[0].count("RUNNING") == 1
    pauses = []
    watched.seen.update(lambda: pauses.append(1))
    facts = watched.seen.facts("status")
    assert (facts["is_live"], len(pauses)) == (False, 50)
    for page in watch.PAGES:
        first = pages.lines(page, watched.seen.facts(page))[0]
        assert "NOT TICKING: LAST WORDS" in first and "RUNNING" not in first
    alarms = "\n".join(pages.lines("alarms", watched.seen.facts("alarms")))
    assert "the cabinet was running when it was last heard of." in alarms


def test_the_status_names_what_is_wrong_first(tmp_path):
    watched = Watched(
        tmp_path,
        actions=[action(9, "estop_press"), action(9, "contact", name="door", closed=False)],
    )
    watched.run(10)
    lines = pages.lines("status", watched.facts("status"))
    assert lines[0].split()[-3] == "TRIPPED" and "LAMP red" in lines[2]
    assert (
        lines[2].index("Door OPEN")
        < lines[2].index("Fire panel ok")
        > lines[2].index("E-stop NOT OK")
    )
    assert "1 tripped" in lines[3]
    assert lines[4].startswith(" ! row 1a  emergency stop, cabinet; since 00:00:09.")
    assert re.search("LIMIT    R23[01] stopped, no (dis)?charge", "\n".join(lines))


def test_each_contact_that_is_open_is_named(tmp_path):
    names = {
        "fire_alarm": "fire_panel",
        "smoke_2": "smoke",
        "heat": "heat",
        "leak": "leak",
        "coolant": "coolant",
        "hvac": "cooling",
        "cell_voltage": "cell_voltage",
        "bms_fault": "bms_fault",
        "supervised": "supervised",
        "fire_trouble": "fire_trouble",
        "suppression": "suppression",
    }
    watched = Watched(tmp_path).run(3)
    before = watched.facts("status")["contacts"]
    assert {before[name] for name in names.values()} == {"ok"} and before["damper"] == before[
        "airflow"
    ] == "idle"
    for name in names:
        watched.rig.cabinet.plant.force_contact(name, False)
    facts = watched.run(4).facts("status")
    assert {facts["contacts"][name] for name in names.values()} == {"not ok"}
    line = pages.lines("status", facts)[2]
    assert (
        ("Fire panel NOT OK  Smoke ALARM") in line
        and re.search(r"  \+\d+$", line)
        and len(line) <= text.WIDTH
    )
    alone = {
        **facts,
        "contacts": {**before, "leak": "not ok", "coolant": "unknown", "door": "unknown"},
    }
    assert pages.lines("status", alone)[2].endswith("%LFL  Leak WET  Coolant ?  Door ?  E-stop ok")


def test_a_zone_that_is_not_fitted_is_not_asked_for_its_smoke(tmp_path):
    watched = Watched(tmp_path).run(3)
    watched.rig.cabinet.plant.force_contact("smoke_2", False)
    facts = watched.run(4).facts("status")
    header = watched.seen.shadow.reader.header
    for lacking, value in (
        ({}, "not ok"),
        ({"smoke_2": "J. Doe"}, "ok"),
        ({"smoke": "J. Doe"}, "not fitted"),
    ):
        header["not_fitted"] = lacking
        assert watched.facts("status")["contacts"]["smoke"] == value, lacking
    assert "Smoke" not in pages.lines("status", watched.facts("status"))[
        2
    ] and "Smoke ALARM" in "".join(pages.lines("status", facts)[2])


def test_vapour_and_carbon_monoxide_are_read_where_there_are_some(tmp_path):
    watched = Watched(tmp_path, actions=[action(3, "offgas", ppm=30, detector=1)]).run(20)
    facts = watched.facts("status")
    line = pages.lines("status", facts)[2]
    vapour, _ = facts["vapour_ppm"]
    assert vapour > 0 and f"  Vapour {vapour} 0 ppm  " in line and "H2/CO" not in line
    assert "H2/CO - ppm" in pages.lines("status", {**facts, "toxic_ppm": [None]})[2]


def test_a_calibration_of_which_a_detector_says_nothing_is_unknown(tmp_path):
    """A silent detector left the 180 days of the other one standing there for both."""
    watched = Watched(
        tmp_path, actions=[action(3, "device_fault", device="offgas_2", fault="silent")]
    ).run(3)
    assert watched.facts("status")["gas_calibration_d"] == 180
    assert watched.run(10).facts("status")["gas_calibration_d"] is None
    watched.rig.cabinet.plant.calibration_d["toxic"] = -2
    assert watched.run(20).facts("status")["gas_calibration_d"] == -2


def test_a_late_device_is_named_with_what_to_check(tmp_path):
    watched = Watched(
        tmp_path, actions=[action(8, "device_fault", device="bms_2", fault="silent")]
    ).run(11)
    facts = watched.facts("links")
    late = [device["device"] for device in facts["devices"] if device["state"] == "LATE"]
    assert (
        late == ["bms_2"] and facts["summary"]["BMS"] == "LATE" and facts["summary"]["PCS"] == "ok"
    )
    assert "Check  bms_2: CAN plug, terminator" in "\n".join(pages.lines("links", facts))


def test_the_link_that_is_wrong_stands_first_of_seven(tmp_path):
    """ "Gas never h..." stood there, and what came after it did not."""
    facts = (
        Watched(tmp_path, actions=[action(8, "device_fault", device="ups", fault="silent")])
        .run(20)
        .facts("status")
    )
    line = next(line for line in pages.lines("status", facts) if line.startswith("LINKS"))
    assert line == "LINKS    UPS LATE   BMS ok   PCS ok   Meter ok   I/O ok   Gas ok   Air ok"


def test_who_asks_and_for_how_much_stands_beside_what_has_come_of_it_yet(tmp_path):
    """A request of 100 kW after 2 s at 25 kW/s: half of it."""
    lines = pages.lines("why", of_scenario("hint_request", tmp_path).run(42).facts("why"))
    row = next(line for line in lines if line.startswith(" request"))
    assert "scheduler asks 100.0 kW" in row and 45 < float(row.split()[-1]) < 55


def test_hints_stand_on_the_status_with_what_comes_then(tmp_path):
    facts = of_scenario("hint_import_limit", tmp_path).run(50).facts("status")
    assert ("HINT     site_ems: import <= 400 kW, 10 s left, then fallback 450 kW") in pages.lines(
        "status", facts
    )
    facts["hints"] = []
    assert "HINT     none in force (" in "\n".join(pages.lines("status", facts))


def test_the_trend_has_one_line_of_levels_per_quantity(tmp_path):
    watched = Watched(tmp_path, lambda t_s: 300_000.0 + 1000 * t_s).run(45)
    facts = watched.facts("trend", span_s=60)
    load = facts["quantities"][0]
    values = [value for value in load["values"] if value is not None]
    assert (
        (load["field"], len(load["values"])) == ("load_W", 42)
        and values == sorted(values)
        and len(values) >= 5
    )
    assert load["values"][0] is None  # before the start
    lines = pages.lines("trend", facts)
    assert lines[3].startswith("load kW") and "_" in lines[3] and "@" in lines[3]
    assert "No recorder" in lines[-2] or "No recorder" in lines[-1]


def test_a_trend_of_nothing_known_is_empty(tmp_path):
    facts = Watched(tmp_path).run(0.06).facts("trend")
    assert {
        value
        for each in facts["quantities"]
        if each["field"] in ("load_W", "soc_permille")
        for value in each["values"]
    } == {None}
    check(pages.lines("trend", facts), "trend")


def test_events_are_newest_first_and_have_pages(tmp_path):
    watched = Watched(tmp_path, actions=[action(9, "estop_press")]).run(10)
    facts = watched.facts("events")
    lines = pages.lines("events", facts)
    moments = [line[:11] for line in lines[3:]]
    assert moments == sorted(moments, reverse=True) and len(moments) >= 6
    assert [line for line in lines if re.search(r"trip   R801  cabinet  1a: emergency stop$", line)]
    facts["events"] *= 10
    assert (
        len(pages.lines("events", facts, 2)) == 23
        and "page 2 of" in pages.lines("events", facts, 2)[2]
    )


def test_the_fullest_why_still_says_what_to_do_and_what_else_would_be(tmp_path):
    """Short of power, three converters, an old journal: the numbers behind give way, the remedy
    does not.
    """
    facts = Watched(tmp_path, lambda t_s: 740_000.0 if t_s > 24 else 300_000.0).run(30).facts("why")
    assert facts["short_W"] > 0 and facts["binding"]["code"] == 213
    facts |= {"units": facts["units"] * 3, "differs": True}
    lines = pages.lines("why", facts)
    check(lines, "why")
    assert lines[-1].startswith("Else ") or lines[-2].startswith("Else ")
    assert [line for line in lines if line.startswith("Do ")] and [
        line for line in lines if line.startswith("Short ")
    ]
