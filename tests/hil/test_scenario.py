"""Scenario files: strict loading, actions, and judging a run.

The actions on a cabinet: tests/hil/campaigns/test_rows_on_the_wire.py.
"""

import copy
import re
import tomllib
from unittest.mock import Mock, call

import pytest
from in_process import refusal
from plant_bench import run

from controller.forms.refusal import ConfigError
from hil.__main__ import main
from hil.loads import trace
from hil.observer import reactions
from hil.plant.cabinet import CabinetPlant
from hil.results.recorder import Recorder, Run
from hil.scenarios import expectations, faults, scenario
from hil.wires.virtual import VirtualSerial
from safety import matrix
from tests.tables import table

BASE = tomllib.loads("""
name = "x"
title = "X"
duration_s = 60
seed = 3
load = { kind = "steps", steps_kW = [[0, 300], [30, 400]] }
action = [
    { at_s = 30, do = "gas", lfl_pct = 12 },
    { at_s = 20, do = "estop_press", label = "press" },
]
expect = [{ what = "trip", stage = "1a", after = "press", ms_max = 100 }]
""")


def inline(text):
    return tomllib.loads(f"table = {{ {text} }}")["table"]


def changed(path, value):
    """BASE with the entry at path ("action.0.at_s") set to value; None removes the entry."""
    made = copy.deepcopy(BASE)
    place, keys = made, path.split(".")
    for key in keys[:-1]:
        place = place[int(key) if key.isdigit() else key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return made


def test_a_good_scenario_is_loaded_with_its_defaults_and_in_order_of_time():
    found = scenario.parse(BASE, "x.toml", "x")
    assert (found.name, found.duration_s, found.seed, found.soc_pct) == ("x", 60.0, 3, 55.0)
    actions = [(action.at_us, action.label, action.do) for action in found.actions]
    assert actions == [(20_000_000, "press", "estop_press"), (30_000_000, "gas", "gas")]
    assert found.actions[1].arguments == {"lfl_pct": 12, "detector": None}
    assert found.expects[0] == BASE["expect"][0] | {"scope": None, "ms_min": 0}
    assert scenario.parse(changed("load", None), "x.toml").load == {"kind": "synthetic"}
    for path, *values in table("""
    duration_s | 30 | 604_800 ; action.0.lfl_pct | 0 | 100
    expect.0.after | 20.0 | pcs_enable_off | estop_press
"""):
        for value in values:
            scenario.parse(changed(path, value), "x.toml", "x")
    power_W = trace.step_load([[0, 300], [30, 400], [45, 250]])
    found_kW = [power_W(t_s) / 1000 for t_s in (-1, 0, 29.999, 30, 44.999, 45)]
    assert found_kW == [300, 300, 300, 400, 400, 250]


# key = its wrong value (none: it is missing); the message
MISTAKES = """
titel = "X"; x.toml:titel: is not a known key; nearest key "title"
name; x.toml:name: is missing; allowed a text
name = "y"; x.toml:name: "y" is not allowed; allowed x, the name of the file
duration_s = 0.9; x.toml:duration_s: 0.9 is not allowed; allowed a number 1..604800
duration_s = true; x.toml:duration_s: true is not allowed; allowed a number
duration_s = 29.9; x.toml:action.1.at_s: 30.0 is not allowed; allowed up to duration_s, 29.9
soc_pct = 96; soc_pct: 96 is not allowed; allowed a number 5..95
action.0.do = "gass"; x.toml:action.1.do: "gass" is not allowed; allowed estop_press,
action.0.lfl_pct = 101; x.toml:action.1.lfl_pct: 101 is not allowed; allowed a number 0..100
action.0.at_s = -1; at_s: -1 is not allowed; allowed a number 0..
action = [{ at_s = 1, do = "outage" }]; action.1.for_s: is missing; allowed a number 0.02..86400
action = [{ at_s = 1, do = "outage", for_s = 0.01 }]; for_s: 0.01 is not allowed; allowed a number 0
action = [{ at_s = 1, do = "dip", for_s = 1, fall_Hz = 6 }]; fall_Hz: 6 is not allowed; allowed a nu
action = [{ at_s = 1, do = "genset_start", succeeds = "once" }]; allowed always, second, never
expect.0.what = "tripp"; x.toml:expect.1.what: "tripp" is not allowed; allowed trip, no_trip
expect.0.after = "pres"; allowed an action of this scenario or an event; nearest key "press"
expect.0.after = [1]; after: [1] is not allowed; allowed an event
load.kind = "step"; load.kind: "step" is not allowed; allowed synthetic, training, steps, file; near
load.steps_kW = [[1, 3]]; load.steps_kW: [[1, 3]] is not allowed; allowed [[0, kW], [later_s, kW], .
load.steps_kW = [[0, 3], [5, 3], [5, 4]]; with rising times
load.steps_kW = [[0, "3"]]; load.steps_kW: [[0, "3"]] is not allowed
load.steps_kW = []; load.steps_kW: [] is not allowed
"""


@pytest.mark.parametrize("line", MISTAKES.strip().splitlines())
def test_a_mistake_is_one_line_with_its_place_and_the_allowed_values(line):
    given, _, words = line.partition("; ")
    path, _, value = given.partition(" = ")
    wrong = changed(path, inline(f"v = {value}")["v"] if value else None)
    assert words in refusal(ConfigError, scenario.parse, wrong, "x.toml", "x")


def test_names_and_words_of_scenarios_are_known_and_printed(tmp_path, capsys):
    words = "'estop_brigded', did you mean 'estop_bridged'; allowed: "
    with pytest.raises(ConfigError, match=words):
        scenario.load("estop_brigded")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(ConfigError, match="bad.toml: is not TOML"):
        scenario.load(str(tmp_path / "bad.toml"))
    stages = {stage[matrix.S_ID] for stage in matrix.STAGES}
    for name in scenario.names():
        expects = scenario.load(name).expects
        for expect in expects:
            named = {*(expect.get("except") or ()), expect.get("stage", "1a")}
            assert named <= stages, name
            assert expect["what"] != "reaction" or expect["name"] in reactions.REACTIONS, name
        assert "no_trip" in {expect["what"] for expect in expects}, name
    assert main(["keys", "scenario"]) == 0
    words = set(re.findall(r"\w+", capsys.readouterr().out))
    for name, (fields, _) in faults.ACTIONS.items():
        assert {name, *fields} <= words, name
    assert {*expectations.KINDS, *scenario.LOADS} <= words
    known = set(expectations.EVENTS) | set(faults.ACTIONS)
    assert {name for *events, _ in reactions.REACTIONS.values() for name in events} <= known


class Device:
    silent, late_us = False, 0

    def __init__(self):
        self.silent_messages, self.inputs_stuck = set(), {}


def world():
    wires = {"io": VirtualSerial(115_200)}
    return faults.World(CabinetPlant(seed=1), {"io_1": Device()}, wires, Mock())


def do(a_world, *entries):
    made = changed("action", [{"at_s": 1} | inline(f"do = {entry}") for entry in entries])
    made["expect"] = []
    for action in scenario.parse(made, "x.toml").actions:
        faults.ACTIONS[action.do][1](a_world, action.arguments)
    return a_world


def test_actions_on_the_site_reach_it():
    entries = '"transfer_switch", return_s = 2 | "outage", for_s = 1 | "dip", for_s = 3'
    entries += ", left_permille = 400, fall_Hz = 0.5"
    plant = do(world(), *entries.split(" | ")).plant
    site, unit = plant.site, plant.pcs[0]
    assert unit.can_form and site.switch.parameters["return_s"] == 2
    found = [(site.step(0.25), site.grid_voltage_V > 0, site.is_off_grid)[1:] for _ in range(3)]
    assert found == [(False, True)] * 3
    run(site, 0.5, 0.25)
    assert site.grid.voltage_V == pytest.approx(92, abs=3)
    assert site.grid.frequency_Hz == pytest.approx(49.5, abs=0.1)
    run(site, 2, 0.25)
    assert not site.is_off_grid and site.grid_voltage_V > 200 and site.grid_frequency_Hz > 49.9
    do(faults.World(plant, {}, {}, Mock()), '"transfer_switch_stuck"', '"outage", for_s = 9')
    run(site, 1, 0.25)
    assert site.grid_voltage_V == 0 and not site.is_off_grid


HINT = '"hint", source = "site_ems", valid_s = 1.5, kind = '


def test_actions_on_the_controller_reach_it_or_are_refused():
    entries = ('"controller_kill"', '"controller_start"', '"reset"', '"reset", by = "key"')
    cap = '"grid_cap", quantity = "import_W_max", value_W = 9000'
    more = ('"run_request", on = false', HINT + cap, HINT + '"heartbeat"')
    assert do(world(), *entries, *more).controller.mock_calls == [
        call.kill(),
        call.start(),
        call.reset("remote"),
        call.reset("key"),
        call.run_request(False),
        *(call.hint("site_ems", *order, 1500) for order in ((3, 4, 9000), (4, 0, 0))),
    ]
    limit = "import_W_max"
    for kind, quantity in (("cap", limit), ("grid_cap", ""), ("heartbeat", limit)):
        words = f"a hint of kind '{kind}' has no quantity '{quantity}'"
        with pytest.raises(ValueError, match=words):
            do(world(), f'{HINT}"{kind}", quantity = "{quantity}"')


def test_device_and_wire_faults_and_noise():
    fault, cut = '"device_fault", device = "io_1", fault = ', '"wire_fault", fault = "cut", bus = '
    of_device = '"silent" | "late_us", value = 900 | "silent_messages", value = ["CELLS"]'
    of_device += ' | "inputs_stuck", value = { 5 = 0 }'
    a_world = do(world(), *[fault + each for each in of_device.split(" | ")], cut + '"io"')
    device = a_world.devices["io_1"]
    assert device.silent is True and device.late_us == 900 and a_world.wires["io"].cut is True
    assert device.silent_messages == {"CELLS"} and device.inputs_stuck == {5: 0}
    for entry, words in (
        (f'{fault}"silnt"', "has no fault 'silnt'"),
        (f'{fault}"silent", value = 1', "silent = 1 must be true or false"),
        (fault.replace("io_1", "io_9") + '"silent"', "no device 'io_9'; allowed: io_1"),
        (f'{cut}"pcs"', "no bus 'pcs'; allowed: io"),
    ):
        with pytest.raises(ValueError, match=words):
            do(a_world, entry)
    line, pty = VirtualSerial(9600), Mock(line=VirtualSerial(9600))
    a_world = world()._replace(wires={"io": line, "pcs": pty})
    for bus, wire in (("io", line), ("pcs", pty.line)):
        do(a_world, f'"noise", bus = "{bus}", garbage_permille = 1000')
        assert len(wire.noise.applied(b"abc")) > 3
        do(a_world, f'"noise", bus = "{bus}"')
        assert wire.noise is None


def test_clockwork_acts_once_at_its_time_and_marks_label_and_action():
    found, marks, a_world = scenario.parse(BASE, "x.toml", "x"), [], world()
    clockwork = faults.Clockwork(found.actions, a_world, lambda *mark: marks.append(mark))
    assert clockwork.next_us == 20_000_000 and clockwork.upcoming() == "press at 20 s"
    assert clockwork.apply(19_999_999) == () and a_world.plant.contacts["estop_1"]
    assert [action.label for action in clockwork.apply(20_000_000)] == ["press"]
    assert marks == [(20_000_000, "press", ""), (20_000_000, "estop_press", "")]
    assert not a_world.plant.contacts["estop_1"] and clockwork.apply(29_999_999) == ()
    assert len(clockwork.apply(31_000_000)) == 1
    assert marks[2:] == [(31_000_000, "gas", "lfl_pct=12 detector=None")]
    assert clockwork.upcoming() is None and clockwork.apply(faults.NEVER_US - 1) == ()
    assert faults.Clockwork((), a_world).apply(10**12) == ()


TIMELINE = table("""
    10_000_000 | press | "" ; 10_040_000 | pcs_enable_off | ""
    10_240_000 | contactor_supply_off | "" ; 10_280_000 | contactor_open | rack 1
    20_000_000 | reset | "" ; 21_000_000 | contactor_close | rack 1
""")
TRIPS = [
    dict(zip(("row", "stage", "scope", "t_s"), trip))
    for trip in ((1, "1a", "cabinet", 10.06), (40, "40a", "rack 2", 12.0))
]


def evaluated(expects, violations=()):
    """Judgements of a made-up run: tripped at 10.06 s, no battery power from 10.1 s on."""
    recorder = Recorder()
    for t_us in range(0, 30_000_000, 20_000):
        battery_W = 1e5 if t_us < 10_100_000 else 0.0
        state = 3 if t_us < 10_060_000 else 5
        recorder.append(t_us, 3e5, 2e5, battery_W, 0.0, 500, 25, 0, state, 1, 50, 0)
    run = Run(recorder.rows(), TIMELINE, list(violations), TRIPS, {}, {})
    doc = {"reaction_ms": {"estop": 43.2, "bms_open": None}, "soc_pct": {"end": 50.0}}
    return expectations.evaluate(expects, run, doc)


# expectation, "+" or "-" with more keys: is it met, and the words of the judgement
JUDGED = """
what = "trip", stage = "1a", after = "press"
+ ms_max = 60 | row 1a trips 0 .. 60 ms after press: 60.0 ms
- ms_max = 59.9 | 60.0 ms
+ ms_min = 60, ms_max = 99 | 60.0 ms
- ms_min = 60.1, ms_max = 99 | 60.0 ms
- stage = "2", ms_max = 9999 | never came
- scope = "rack 1", ms_max = 9999 | never came
+ stage = "40a", scope = "rack 2", after = 11, ms_max = 1000 | after 11 s: 1000.0 ms
- after = 10.061, ms_max = 9999 | after 10.061 s: never came
- after = "pcs_silent", ms_max = 9999 | pcs_silent never came
what = "event", event = "pcs_enable_off", after = "press"
+ ms_max = 40 | pcs_enable_off 0 .. 40 ms after press: 40.0 ms
- ms_max = 39 | 40.0 ms
- after = 10.5, ms_max = 9999 | never came
+ after = "contactor_supply_off", ms_min = -200, ms_max = 0 | -200.0 ms
what = "order", events = ["pcs_enable_off", "contactor_supply_off"], after = "press"
+ ms_min = 100, ms_max = 200 | 100 .. 200 ms apart: 200.0 ms
- ms_min = 201 | 200.0 ms
- ms_max = 199 | 200.0 ms
- events = ["contactor_supply_off", "pcs_enable_off"] | pcs_enable_off did not come in this
what = "no_trip"
+ except = ["1a", "40a"] | no trip but 1a, 40a: none
- except = ["1a"] | row 40a rack 2 at 12.00 s
- | row 1a cabinet at 10.06 s, row 40a
what = "never", event = "contactor_close", after = "press"
+ until = "reset" | none
- | at 21.000 s
- until = 21.5 | at 21.000 s
- event = "power_zero", until = "pcs_back" | pcs_back never came
what = "state"
+ is = "tripped" | tripped at end: tripped
- is = "running" | running at end: tripped
+ is = "running", at = 10.059 | running at 10.059 s: running
+ is = "tripped", at = 10.06 | tripped
- is = "inhibited", at = "pcs_back" | pcs_back never came
what = "reaction", name = "estop"
+ ms_max = 43.2 | 43.2 ms
- ms_max = 43.1 | 43.2 ms
- ms_min = 43.3, ms_max = 99 | 43.2 ms
- name = "bms_open", ms_max = 99 | not exercised
what = "quantity", name = "battery_W", after = "pcs_enable_off"
+ ms_from = 60, low = -1, high = 1 | 0 .. 0
- ms_from = 20, until = 11, low = -1, high = 1 | 0 .. 100000
+ after = 5, until = "press", low = 1e5, high = 1e5 | 100000 .. 100000
- after = 29.99 | no samples
- after = "pcs_back" | pcs_back never came
what = "figure", key = "soc_pct.end"
+ low = 50, high = 50 | 50.0
- low = 51 | 50.0
- key = "soc_pct.and", low = 51 | not measured
"""
CASES = []
for line in JUDGED.strip().splitlines():
    if line.startswith("what"):
        EXPECTED = inline(line)
    else:
        MORE, _, WORDS = line[1:].partition("|")
        CASES.append((line[0] == "+", EXPECTED | inline(MORE), WORDS.strip()))


@pytest.mark.parametrize("ok, entry, words", CASES)
def test_judgement(ok, entry, words):
    made = changed("expect", [entry])
    made["action"][1]["at_s"] = 10
    made["action"].append({"at_s": 20, "do": "reset"})
    found, text = evaluated(scenario.parse(made, "x.toml").expects)[0]
    assert found is ok and words in text


def test_invariants_are_judged_in_every_scenario():
    assert evaluated(())[-1] == (True, "invariants kept")
    ok, text = evaluated((), ["1.0 s: rack 1 opened at 90.0 A"])[-1]
    assert not ok and "rack 1 opened at 90.0 A" in text
