"""The commands of the pages as somebody uses them: exit codes, one clear line, JSON with keys that
stay.
"""

import json

import pytest
from watched import Watched, action
from word_sets import words

from controller import __main__ as cli
from controller.console import watch

# Keys of the JSON of each page, for ever: a new one is added here, none is ever renamed or removed.
HEAD = {"cabinet", "state", "uptime_ms", "sequence", "is_live", "locked_out_by", "test_left_ms"}
KEYS = {
    "status": words(
        "lamp horn_is_on gas_lfl_permille vapour_ppm toxic_ppm contacts interlocks "
        "standing battery_W grid_W load_W request_W request setpoint_W binding cause "
        "limits available_low_W available_high_W remaining_Wh reserve_in_s "
        "reserve_permille hints sources binding_sources racks links loop record tick_ms "
        "gas_calibration_d version start differs proof_tests propagation reset channel_b"
    ),
    "why": words(
        "request_W setpoint_W held_back_W request caps ramp obligations limits short_W "
        "short_reason binding cause without units standing_count differs"
    ),
    "alarms": words(
        "standing first_out_per_scope channel_b check reset start cells_are_live propagation"
    ),
    "events": {"source", "events"},
    "trend": {"span_ms", "source", "quantities"},
    "racks": {"racks"},
    "links": {"devices", "summary", "buses", "has_counters"},
}


@pytest.fixture(scope="module")
def tripped(tmp_path_factory):
    """A tripped cabinet in a folder, for all tests of this file: they only look."""
    return Watched(tmp_path_factory.mktemp("show"), actions=[action(9, "estop_press")]).run(10)


@pytest.fixture
def live(tripped, monkeypatch):
    """It ticks whenever a command waits for it."""
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (tripped.rig.step,))
    return tripped


def run(capsys, *argv):
    """(exit code, stdout, lines on stderr) of a command."""
    try:
        code = cli.main([str(each) for each in argv])
    except SystemExit as leaving:  # argparse
        code = leaving.code
    said = capsys.readouterr()
    return code, said.out, said.err.splitlines()


def where(watched):
    return "--run-dir", watched.folder, "--state-dir", watched.folder


@pytest.mark.parametrize("page", watch.PAGES)
def test_a_page_of_a_running_controller(capsys, live, page):
    code, out, err = run(capsys, page, *where(live))
    assert (code, err) == (0, []) and "TRIPPED" in out.splitlines()[0]


@pytest.mark.parametrize("page", watch.PAGES)
def test_the_json_of_a_page_has_the_keys_it_always_had(capsys, live, page):
    code, out, err = run(capsys, page, "--json", *where(live))
    assert (code, err) == (0, [])
    doc = json.loads(out)
    assert HEAD | KEYS[page] == set(doc)
    assert doc["state"] == "tripped" and doc["is_live"]


def test_every_page_has_its_keys():
    assert set(watch.PAGES) == set(KEYS)


def test_a_controller_that_has_died_is_code_1(capsys, live, monkeypatch):
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (lambda: None,))
    code, out, err = run(capsys, "status", *where(live))
    assert (code, err) == (1, []) and "NOT TICKING" in out


@pytest.mark.parametrize("page", watch.PAGES)
def test_no_controller_is_code_3_and_one_line(capsys, tmp_path, page):
    code, out, err = run(capsys, page, "--run-dir", tmp_path)
    assert (code, out, len(err)) == (3, "", 1)
    assert err[0].startswith(f"firebreak: no controller to be seen in {tmp_path}: ")


def test_a_file_that_is_no_journal_is_code_3(capsys, tmp_path):
    (tmp_path / "journal").write_bytes(b"x" * 1000)
    code, out, err = run(capsys, "why", "--run-dir", tmp_path)
    assert (code, out, len(err)) == (3, "", 1) and "not a journal" in err[0]


def test_a_controller_of_one_tick_is_code_3(capsys, tmp_path, monkeypatch):
    watched = Watched(tmp_path).run(0.02)
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (lambda: None,))
    code, out, err = run(capsys, "why", *where(watched))
    assert (code, out, len(err)) == (3, "", 1) and "has not made two ticks yet" in err[0]


@pytest.mark.parametrize("page, count", [("events", 1), ("racks", 1), ("links", 2)])
def test_a_page_that_there_is_not_is_code_2(capsys, live, page, count):
    """ "page 3 of 1. Nothing has happened." stood there, with ten events."""
    assert run(capsys, page, "--page", count, *where(live))[0] == 0
    assert run(capsys, page, "--page", count + 1, *where(live)) == (
        2,
        "",
        [f"firebreak: --page {count + 1}: allowed is a whole number from 1 to {count}"],
    )


@pytest.mark.parametrize(
    "option",
    [
        ("events", "--page", "0"),
        ("trend", "--for", "x"),
        ("trend", "--for", "7201"),
        ("why", "--page", "1"),
        ("racks", "--page", "1.5"),
    ],
)
def test_a_wrong_option_is_code_2(capsys, option):
    code, out, err = run(capsys, *option)
    assert code == 2 and out == "" and err


def test_a_reader_changes_nothing(capsys, live):
    before = sorted(live.core.out), live.core.state_words()
    for page in watch.PAGES:
        assert run(capsys, page, *where(live))[0] == 0
    assert live.rig.controller.cabinet.journal is not None and len(before[1]) == len(
        live.core.state_words()
    )
