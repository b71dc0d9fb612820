"""Injections of the checklist trip their row in the real kernel. Those it warns of do not."""

import re

import pytest

from controller.config import configuration
from controller.documents import checklist, checklist_page
from controller.rows.records import BY_ID
from controller.sites import EXAMPLE
from safety import matrix as m, signals as s
from tests.safety.bench import Bench
from tests.tables import cases

LONG_TICKS = 600  # 12 s: longer than the debounces of 38b, 45a and 45c


@pytest.fixture(scope="module")
def example():
    return configuration.load(EXAMPLE)


def words(stage, found):
    return checklist.inject(BY_ID[stage], found)


def active_stages(bench):
    bench.step(LONG_TICKS)
    return set(bench.standing())


def test_the_checklist_is_right_about_what_trips_38b_and_45c(example):
    bench = Bench(example.safety_image)  # standby: every contactor is open
    bench.set_rack(s.RACK_VOLTAGE_MV, 0, 0)
    assert not bench.rack(s.CONTACTOR_CLOSE_OK) and "38b" not in active_stages(bench)
    bench = Bench(example.safety_image).run()
    reported_mV = bench.inp[bench.layout.rack_input(0, s.RACK_VOLTAGE_MV)]
    bench.set_rack(s.RACK_VOLTAGE_MV, reported_mV - 30_000, 0)
    assert "38b" in active_stages(bench)
    text = words("38b", example)
    for part in ("30 V off", "pulled fuse does not trip the stage", "contactors closed"):
        assert part in text
    bench = Bench(example.safety_image).run()
    bench.set_rack(s.SENSORS_INVALID_MAX, 2, 0)
    found = active_stages(bench)
    assert "45a" in found and "45c" not in found
    bench = Bench(example.safety_image).run()
    for module in range(bench.layout.modules):
        bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + module, 0 if module == 0 else 250, 0)
    assert "45c" in active_stages(bench)
    for stage in ("45c", "45d"):
        text = words(stage, example)
        assert "report exactly 0 degC" in text and "invalid: stage 45a" in text
    assert "unplug two sensors" in words("45a", example)


def test_the_checklist_says_how_to_undo_an_injection(example):
    ledger = "it holds the latches and the proof-test ledger"
    for stage, after, back in (
        ("1c", "bridge contact 2", "remove the bridge, press once more"),
        ("44d", "an empty one", f"move the old directory back ({ledger})"),
    ):
        text = words(stage, example)
        assert after in text and text.index(after) < text.index(back)
    alarm = "this measures the time to the alarm, but not power at zero"
    assert alarm in words("37b", example)
    texts = [str(block) for block in checklist_page.blocks(checklist.facts(example))]
    assert any("Before the next test remove bridges and covers" in text for text in texts)


ON_RIG = ("38b", "41d", "44a", "44b", "44e", "44f", "44g", "45c", "45d", "50b", "50c", "50d")
ON_RIG += ("54", "55", "56a", "56b", "57a", "57b", "57c", "58", "59c", "59d", "59e")


def test_a_stage_that_only_the_rig_tests_names_its_case_and_is_not_tested_here(example):
    """The rig cannot load the file of a site, so its case proves nothing about this cabinet."""
    texts = {test["stage"]: test["inject"] for test in checklist.facts(example)["tests"]}
    assert {stage for stage, text in texts.items() if "rig" in text.split()} == set(ON_RIG)
    for stage in ON_RIG:
        case = f"for the example cabinet alone (`python -m hil rows --only {stage}`)"
        assert case in texts[stage]
        assert "note it here as not tested" in texts[stage]
        assert ("by the maker's test tool" in texts[stage]) == (
            stage in ("38b", "45c", "45d", "59c", "59d", "59e")
        )


FORMS = {
    "vapour": (r"vapour\D+: at least ([\d.]+) ppm", 1),
    "toxic": (r"hydrogen\D+: at least ([\d.]+) ppm", 1),
    "spread": (r"lowest cell: at least ([\d.]+) mV", 1),
    "over": (r"over the median: at least ([\d.]+) K", 10),
}


def printed_readings(found):
    """{"vapour": ppm, ...} of the checklist, in the units of the kernel."""
    text = next(test["inject"] for test in checklist.facts(found)["tests"] if test["stage"] == "53")
    matches = {name: (re.search(form, text), factor) for name, (form, factor) in FORMS.items()}
    return {
        name: round(float(match[1]) * factor) for name, (match, factor) in matches.items() if match
    }


def trips_53(found, readings):
    bench = Bench(found.safety_image)
    bench.step(200)
    assert "53" not in bench.standing()
    bench.inp[s.OFFGAS_1_PPM] = readings.get("vapour", 0)
    bench.inp[s.TOXIC_PPM] = readings.get("toxic", 0)
    bench.set_rack(s.CELL_VOLTAGE_MV_MIN, 3300 - readings.get("spread", 0))
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC, 250)
    for module in range(1, bench.layout.modules):
        bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + module, 250)
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC, 250 + readings.get("over", 0))
    bench.step(BY_ID["53"][m.S_SET_MS] // found.tick_ms + 100)
    return "53" in bench.standing()


@cases("""names  signs
    ()  {"vapour", "toxic"}
    ("toxic",)  {"vapour", "spread"}
    ("offgas", "toxic")  {"spread", "over"}""")
def test_the_readings_of_the_checklist_trip_row_53(files, names, signs):
    files.accepted(list(names)).append("site", "[stage.53]\nset = 0\nclear = 30")
    before = 0
    for set_pct in (140, 100, 60, 31):
        files.replace("site", f"set = {before}\nclear", f"set = {set_pct}\nclear")
        before, found = set_pct, files.load()
        readings = printed_readings(found)
        assert set(readings) == signs and trips_53(found, readings), set_pct


def test_half_of_each_reading_does_not_trip_row_53(files):
    found = files.load()
    assert printed_readings(found) == {"vapour": 15, "toxic": 38}
    assert not trips_53(found, {"vapour": 10, "toxic": 25})
    assert not trips_53(found, {"vapour": 13, "toxic": 35})
