"""The commands of the pages: exit codes, one clear line, JSON with keys that stay."""

import os

import pytest
from command_line import facts_in, refused, run
from watched import Watched, action
from word_sets import words

from controller.state import watch
from tests.tables import table

# JSON keys of each page. A key may be added here, but never renamed or removed.
HEAD = words("cabinet state mode uptime_ms sequence is_live locked_out_by test_left_ms danger")
HEAD |= words("contradicted")
KEYS = dict(
    table("""
status | lamp horn_is_on gas_lfl_permille vapour_ppm toxic_ppm contacts interlocks standing\
 battery_W grid_W load_W request_W request setpoint_W binding cause limits available_low_W\
 available_high_W remaining_Wh full_Wh reserve_in_s reserve_permille hints sources\
 binding_sources racks links loop record tick_ms gas_calibration_d version start differs\
 proof_tests propagation reset channel_b bands path_delay schedule notices meters site map plan\
 soc_permille_min soc_permille_max soh_permille_min temperature_ddegC_min temperature_ddegC_max\
 held_15min_low_W held_15min_high_W rated_W rated_Wh store is_clock_trusted
why | request_W setpoint_W held_back_W request range caps ramp obligations limits short_W\
 short_reason binding cause without units standing_count differs actuators is_off_grid schedule
alarms | standing first_out first_out_per_scope channel_b check reset start cells_are_live\
 propagation replacing
events | source events
trend | span_ms source quantities
racks | racks full_Wh
map | plan places unload contacts gas_lfl_permille vapour_ppm toxic_ppm propagation
devices | devices
links | devices summary buses has_counters path_delay
""")
)


@pytest.fixture(scope="module")
def tripped(tmp_path_factory):
    return Watched(tmp_path_factory.mktemp("show"), actions=[action(9, "estop_press")]).run(10)


@pytest.fixture
def live(tripped, monkeypatch):
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (tripped.rig.step,))
    return tripped


def where(watched):
    return "--run-dir", watched.folder, "--state-dir", watched.folder


@pytest.mark.parametrize("page", sorted({*watch.PAGE_NAMES, *KEYS} - {"plan"}))  # test_plan_command
def test_the_json_of_a_page_keeps_its_keys(capsys, live, page):
    code, out, err = run(capsys, page, *where(live))
    assert (code, err) == (0, []) and "TRIPPED" in out[0]
    code, out, err = run(capsys, page, "--json", *where(live))
    doc = facts_in(out)
    assert (code, err, doc["state"], doc["is_live"]) == (0, [], "tripped", True)
    assert HEAD | words(KEYS[page]) == set(doc)


def test_a_dead_controller_is_code_1_and_a_page_beyond_2(capsys, live, monkeypatch):
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (lambda: None,))
    code, out, err = run(capsys, "status", *where(live))
    assert (code, err) == (1, []) and "NOT TICKING" in out[0]
    refused(capsys, 2, "allowed is a whole number from 1 to 1", "why --page 2", *where(live))


def test_a_journal_without_two_ticks_is_code_3(capsys, tmp_path, monkeypatch):
    (tmp_path / "journal").write_bytes(b"x" * 1000)
    refused(capsys, 3, "not a journal", "why --run-dir", tmp_path)
    os.unlink(tmp_path / "journal")
    watched = Watched(tmp_path).run(0.02)
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (lambda: None,))
    refused(capsys, 3, "has not made two ticks yet", "why", *where(watched))


def test_a_page_beyond_the_last_is_code_2(capsys, live):
    """ "page 3 of 1. Nothing has happened." was printed, with ten events."""
    for page, count in ("events", 1), ("racks", 1), ("links", 2):
        assert run(capsys, f"{page} --page {count}", *where(live))[0] == 0
        words = f"firebreak: --page {count + 1}: allowed is a whole number from 1 to {count}$"
        refused(capsys, 2, words, f"{page} --page {count + 1}", *where(live))
