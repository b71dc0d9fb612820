"""hil/scenarios/scenario.py, hil/scenarios/faults.py, hil/scenarios/expectations.py: strict
loading, actions on a cabinet, and judging a run.
"""

import copy
import re

import pytest

from hil.observer import reactions
from hil.plant.cabinet import Cabinet
from hil.results.recorder import Recorder, Run
from hil.results.words import REACTIONS
from hil.scenarios import expectations, faults, scenario
from hil.wires.virtual import VirtualSerial
from safety import matrix

BASE = {
    "name": "x",
    "title": "X",
    "duration_s": 60,
    "seed": 3,
    "load": {"kind": "steps", "steps_kW": [[0, 300], [30, 400]]},
    "action": [
        {"at_s": 30, "do": "gas", "lfl_pct": 12},
        {"at_s": 20, "do": "estop_press", "label": "press"},
    ],
    "expect": [{"what": "trip", "stage": "1a", "after": "press", "ms_max": 100}],
}


def changed(path, value):
    """BASE with the entry at path ("action.0.at_s") set, or removed when value is None."""
    table = copy.deepcopy(BASE)
    place, keys = table, path.split(".")
    for key in keys[:-1]:
        place = place[int(key) if key.isdigit() else key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return table


def test_a_good_scenario_is_loaded_with_its_defaults_and_in_order_of_time():
    found = scenario.parse(BASE, "x.toml", "x")
    assert (found.name, found.duration_s, found.seed, found.soc_pct) == ("x", 60.0, 3, 55.0)
    assert [(action.at_us, action.label, action.do) for action in found.actions] == [
        (20_000_000, "press", "estop_press"),
        (30_000_000, "gas", "gas"),
    ]
    assert found.actions[1].arguments == {"lfl_pct": 12, "detector": None}
    assert found.expects[0] == {
        "what": "trip",
        "stage": "1a",
        "scope": None,
        "after": "press",
        "ms_min": 0,
        "ms_max": 100,
    }


def test_no_load_means_synthetic():
    assert scenario.parse(changed("load", None), "x.toml").load == {"kind": "synthetic"}


@pytest.mark.parametrize(
    "path, value, words",
    (
        ("titel", "X", "x.toml: unknown key 'titel', did you mean 'title'; allowed: name, title"),
        ("name", None, "x.toml: name is missing, it must be a text"),
        ("name", "y", "x.toml: name is 'y', must be 'x' as the file is called"),
        ("duration_s", 0.9, "x.toml: duration_s = 0.9 must be a number in 1 .. 604800"),
        ("duration_s", 604_801, "must be a number in 1 .. 604800"),
        ("duration_s", True, "x.toml: duration_s = True must be a number"),
        ("duration_s", 29.9, "x.toml: gas at 30 s, the run ends at 29.9 s"),
        ("seed", 1.5, "seed = 1.5 must be a whole number"),
        ("soc_pct", 96, "soc_pct = 96 must be a number in 5 .. 95"),
        ("expect", None, "expect is missing"),
        ("action", [1], "action = [1] must be a list of tables"),
        ("action.0.do", "gass", "x.toml: action 1: do = 'gass' must be one of estop_press,"),
        ("action.0.do", "estop_pres", "do = 'estop_pres' must be one of"),
        ("action.1.do", None, "x.toml: action 2: do is missing"),
        ("action.0.lfl_pct", 101, "x.toml: action 1: lfl_pct = 101 must be a number in 0 .. 100"),
        ("action.0.lfl_pct", None, "action 1: lfl_pct is missing"),
        ("action.1.at_ss", 3, "x.toml: action 2: unknown key 'at_ss', did you mean 'at_s'"),
        ("action.0.at_s", -1, "at_s = -1 must be a number in 0"),
        ("expect.0.what", "tripp", "x.toml: expect 1: what = 'tripp' must be one of trip, no_trip"),
        ("expect.0.ms_max", None, "x.toml: expect 1: ms_max is missing"),
        (
            "expect.0.after",
            "pres",
            "'pres' is neither an action of this scenario nor an event, did you mean 'press'",
        ),
        ("expect.0.after", [1], "after = [1] must be an event"),
        (
            "load.kind",
            "step",
            "load: kind = 'step' must be one of synthetic, training, steps, file, did you mean",
        ),
        ("expect.0.what", None, "expect 1: what is missing, it must be one of trip"),
        (
            "load.steps_kW",
            [[1, 3]],
            "load: steps_kW must be [[0, kW], [later_s, kW], ...] with rising times",
        ),
        ("load.steps_kW", [[0, 3], [5, 3], [5, 4]], "with rising times"),
        ("load.steps_kW", [[0, "3"]], "steps_kW must be"),
        ("load.steps_kW", [], "steps_kW must be"),
    ),
)
def test_a_mistake_is_one_line_that_says_where_and_what_is_allowed(path, value, words):
    with pytest.raises(scenario.ScenarioError) as error:
        scenario.parse(changed(path, value), "x.toml", "x")
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "path, value",
    (
        ("duration_s", 30),
        ("duration_s", 604_800),
        ("action.0.lfl_pct", 100),
        ("action.0.lfl_pct", 0),
        ("expect.0.after", 20.0),
        ("expect.0.after", "pcs_enable_off"),
        ("expect.0.after", "estop_press"),
    ),
)
def test_values_on_the_edge_are_accepted(path, value):
    scenario.parse(changed(path, value), "x.toml", "x")


def test_an_unknown_scenario_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(
        scenario.ScenarioError, match="'estop_brigded', did you mean 'estop_bridged'; there are"
    ):
        scenario.load("estop_brigded")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(scenario.ScenarioError, match="bad.toml: not a TOML file"):
        scenario.load(str(tmp_path / "bad.toml"))


def test_every_scenario_loads_and_speaks_of_stages_that_exist():
    stages = {stage[matrix.S_ID] for stage in matrix.STAGES}
    for name in scenario.names():
        expects = scenario.load(name).expects
        for expect in expects:
            named = {*(expect.get("except") or ()), expect.get("stage", "1a")}
            assert named <= stages, name
            assert expect["what"] != "reaction" or expect["name"] in reactions.REACTIONS, name
        assert "no_trip" in {expect["what"] for expect in expects}, name


def test_the_readme_names_every_action_key_and_kind():
    words = set(re.findall(r"\w+", (scenario.FOLDER / "README.md").read_text(encoding="utf-8")))
    for name, (fields, _) in faults.ACTIONS.items():
        assert {name, *fields} <= words, name
    assert {*expectations.KINDS, *scenario.LOADS} <= words


def test_every_reaction_is_between_known_events():
    known = set(expectations.EVENTS) | set(faults.ACTIONS)
    assert {name for pair in reactions.REACTIONS.values() for name in pair} <= known
    assert set(reactions.REACTIONS) == set(REACTIONS)


def test_a_step_of_the_load_holds_until_the_next():
    power_W = scenario.step_load([[0, 300], [30, 400], [45, 250]])
    found_kW = [power_W(t_s) / 1000 for t_s in (-1, 0, 29.999, 30, 44.999, 45)]
    assert found_kW == [300, 300, 300, 400, 400, 250]


class Controller:
    """Remembers what was asked of it."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        return lambda *arguments: self.asked.append((name, *arguments))


class Device:
    silent, late_us, silent_messages, inputs_stuck = False, 0, frozenset(), None

    def __init__(self):
        self.silent_messages, self.inputs_stuck = set(), {}


def world():
    return faults.World(
        Cabinet(seed=1), {"io_1": Device()}, {"io": VirtualSerial(115_200)}, Controller()
    )


def do(a_world, *entries):
    """Apply actions given as TOML entries."""
    table = changed("action", [{"at_s": 1} | entry for entry in entries])
    table["expect"] = []
    for action in scenario.parse(table, "x.toml").actions:
        faults.ACTIONS[action.do][1](a_world, action.arguments)
    return a_world


@pytest.mark.parametrize(
    "entry, undo, contacts",
    [
        ({"do": "estop_press"}, {"do": "estop_release"}, ["estop_1", "estop_2"]),
        ({"do": "fire_alarm"}, {"do": "fire_alarm", "on": False}, ["fire_alarm"]),
        ({"do": "suppression"}, {"do": "suppression", "on": False}, ["suppression"]),
        (
            {"do": "contact", "name": "door", "closed": False},
            {"do": "contact_repair", "name": "door"},
            ["door"],
        ),
    ],
)
def test_actions_open_the_contact_they_name(entry, undo, contacts):
    a_world = do(world(), entry)
    assert [a_world.plant.contacts[name] for name in contacts] == [False] * len(contacts)
    do(a_world, undo)
    assert [a_world.plant.contacts[name] for name in contacts] == [True] * len(contacts)


def test_actions_on_the_plant_reach_it():
    a_world = do(
        world(),
        {"do": "bridge_chain"},
        {"do": "gas", "lfl_pct": 40, "detector": 2},
        {"do": "airflow_fail"},
        {"do": "key", "run": False},
        {"do": "heat", "rack": 2, "module": 3, "degC": 60},
        {"do": "heat", "rack": 3, "degC": 50},
        {"do": "weld", "rack": 1},
    )
    plant = a_world.plant
    assert (
        plant.relays.bridged
        and [head.test for head in plant.air.gas] == [0.0, 40]
        and plant.air.airflow_failed
    )
    assert (
        plant.key_run is False
        and plant.racks[0].contactors.welded
        and not plant.racks[1].contactors.welded
    )
    assert plant.racks[1].temperatures_degC[2] == 60 > plant.racks[1].temperatures_degC[3]
    assert set(plant.racks[2].temperatures_degC) == {50}
    before_V = plant.racks[0].cell_voltage_V_max
    do(a_world, {"do": "cell_offset", "rack": 1, "offset_mV": 300})
    assert plant.racks[0].cell_voltage_V_max == pytest.approx(before_V + 0.3, abs=0.02)


def test_actions_on_the_controller_reach_it():
    a_world = do(
        world(),
        {"do": "controller_kill"},
        {"do": "controller_start"},
        {"do": "reset"},
        {"do": "reset", "by": "key"},
        {"do": "run_request", "on": False},
    )
    assert a_world.controller.asked == [
        ("kill",),
        ("start",),
        ("reset", "remote"),
        ("reset", "key"),
        ("run_request", False),
    ]


HINT = {
    "do": "hint",
    "source": "site_ems",
    "kind": "grid_cap",
    "quantity": "import_W_max",
    "value_W": 9000,
    "valid_s": 1.5,
}


def test_a_hint_reaches_the_controller_in_numbers():
    a_world = do(world(), HINT, {"do": "hint", "source": "a", "kind": "heartbeat", "valid_s": 10})
    assert a_world.controller.asked == [
        ("hint", "site_ems", 3, 4, 9000, 1500),
        ("hint", "a", 4, 0, 0, 10_000),
    ]


@pytest.mark.parametrize("change", [{"kind": "cap"}, {"quantity": ""}, {"kind": "heartbeat"}])
def test_a_hint_whose_kind_and_quantity_do_not_go_together_is_refused(change):
    with pytest.raises(ValueError, match="a hint of kind '.*' has no quantity '.*'"):
        do(world(), HINT | change)


def test_device_and_wire_faults_are_attributes_of_the_right_type():
    device_fault, wire = {"do": "device_fault", "device": "io_1"}, {"do": "wire_fault", "bus": "io"}
    a_world = do(
        world(),
        device_fault | {"fault": "silent"},
        device_fault | {"fault": "late_us", "value": 900},
        device_fault | {"fault": "silent_messages", "value": ["CELLS"]},
        device_fault | {"fault": "inputs_stuck", "value": {"5": 0}},
        wire | {"fault": "cut"},
    )
    device = a_world.devices["io_1"]
    assert device.silent is True and device.late_us == 900 and a_world.wires["io"].cut is True
    assert device.silent_messages == {"CELLS"} and device.inputs_stuck == {5: 0}
    for entry, words in (
        (device_fault | {"fault": "silnt"}, "has no fault 'silnt'"),
        (device_fault | {"fault": "silent", "value": 1}, "silent = 1 must be true or false"),
        (device_fault | {"device": "io_9", "fault": "silent"}, "no device 'io_9', there are io_1"),
        (wire | {"bus": "pcs", "fault": "cut"}, "no bus 'pcs', there are io"),
    ):
        with pytest.raises(ValueError, match=words):
            do(a_world, entry)


def test_noise_comes_and_goes_on_virtual_and_pty_wires():
    class Pty:
        line = VirtualSerial(9600)

    a_world = world()._replace(wires={"io": VirtualSerial(9600), "pcs": Pty()})
    for bus, wire in (("io", a_world.wires["io"]), ("pcs", Pty.line)):
        do(a_world, {"do": "noise", "bus": bus, "garbage_permille": 1000})
        assert len(wire.noise.applied(b"abc")) > 3
        do(a_world, {"do": "noise", "bus": bus})
        assert wire.noise is None


def test_clockwork_acts_once_at_its_time_and_marks_label_and_action():
    found, marks, a_world = scenario.parse(BASE, "x.toml", "x"), [], world()
    clockwork = faults.Clockwork(found.actions, a_world, lambda *mark: marks.append(mark))
    assert clockwork.next_us == 20_000_000 and clockwork.upcoming() == "press at 20 s"
    assert clockwork.apply(19_999_999) == () and a_world.plant.contacts["estop_1"]
    assert [action.label for action in clockwork.apply(20_000_000)] == ["press"]
    assert marks == [(20_000_000, "press", ""), (20_000_000, "estop_press", "")]
    assert not a_world.plant.contacts["estop_1"] and clockwork.apply(29_999_999) == ()
    assert len(clockwork.apply(31_000_000)) == 1 and marks[2:] == [
        (31_000_000, "gas", "lfl_pct=12 detector=None")
    ]
    assert clockwork.upcoming() is None and clockwork.apply(faults.NEVER_US - 1) == ()
    assert faults.Clockwork((), a_world).apply(10**12) == ()


# Judging


TIMELINE = [
    (10_000_000, "press", ""),
    (10_040_000, "pcs_enable_off", ""),
    (10_240_000, "contactor_supply_off", ""),
    (10_280_000, "contactor_open", "rack 1"),
    (20_000_000, "reset", ""),
    (21_000_000, "contactor_close", "rack 1"),
]
TRIPS = [
    {"row": 1, "stage": "1a", "scope": "cabinet", "t_s": 10.06},
    {"row": 40, "stage": "40a", "scope": "rack 2", "t_s": 12.0},
]


def evaluated(expects, violations=()):
    """Judgements of a made-up run: tripped at 10.06 s, no battery power from 10.1 s on."""
    recorder = Recorder()
    for t_us in range(0, 30_000_000, 20_000):
        battery_W = 1e5 if t_us < 10_100_000 else 0.0
        state = 3 if t_us < 10_060_000 else 5
        recorder.append(t_us, 3e5, 2e5, battery_W, 0.0, 500, 25, 0, state)
    run = Run(recorder.rows(), TIMELINE, list(violations), TRIPS, {}, {})
    doc = {"reaction_ms": {"estop": 43.2, "bms_open": None}, "soc_pct": {"end": 50.0}}
    return expectations.evaluate(expects, run, doc)


def judged(**entry):
    """(ok, sentence) of one [[expect]] entry, through the loader."""
    table = changed("expect", [entry])
    table["action"] = [
        {"at_s": 10, "do": "estop_press", "label": "press"},
        {"at_s": 20, "do": "reset"},
    ]
    found = scenario.parse(table, "x.toml").expects
    return evaluated(found)[0]


TRIP = {"what": "trip", "stage": "1a", "after": "press"}
OFF = {"what": "event", "event": "pcs_enable_off", "after": "press"}
ORDER = {"what": "order", "events": ["pcs_enable_off", "contactor_supply_off"], "after": "press"}
BATTERY = {"what": "quantity", "name": "battery_W", "after": "pcs_enable_off"}


@pytest.mark.parametrize(
    "ok, entry, words",
    (
        (True, TRIP | {"ms_max": 60}, "row 1a trips 0 .. 60 ms after press: 60.0 ms"),
        (False, TRIP | {"ms_max": 59.9}, "60.0 ms"),
        (True, TRIP | {"ms_min": 60, "ms_max": 99}, "60.0 ms"),
        (False, TRIP | {"ms_min": 60.1, "ms_max": 99}, "60.0 ms"),
        (False, TRIP | {"stage": "2", "ms_max": 9999}, "never came"),
        (False, TRIP | {"scope": "rack 1", "ms_max": 9999}, "never came"),
        (
            True,
            TRIP | {"stage": "40a", "scope": "rack 2", "after": 11, "ms_max": 1000},
            "after 11 s: 1000.0 ms",
        ),
        (False, TRIP | {"after": 10.061, "ms_max": 9999}, "after 10.061 s: never came"),
        (False, TRIP | {"after": "pcs_silent", "ms_max": 9999}, "pcs_silent never came"),
        (True, OFF | {"ms_max": 40}, "pcs_enable_off 0 .. 40 ms after press: 40.0 ms"),
        (False, OFF | {"ms_max": 39}, "40.0 ms"),
        (False, OFF | {"after": 10.5, "ms_max": 9999}, "never came"),
        (True, OFF | {"after": "contactor_supply_off", "ms_min": -200, "ms_max": 0}, "-200.0 ms"),
        (True, ORDER | {"ms_min": 100, "ms_max": 200}, "100 .. 200 ms apart: 200.0 ms"),
        (False, ORDER | {"ms_min": 201}, "200.0 ms"),
        (False, ORDER | {"ms_max": 199}, "200.0 ms"),
        (
            False,
            ORDER | {"events": ["contactor_supply_off", "pcs_enable_off"]},
            "pcs_enable_off did not come in this",
        ),
        (True, {"what": "no_trip", "except": ["1a", "40a"]}, "no trip but 1a, 40a: none"),
        (False, {"what": "no_trip", "except": ["1a"]}, "row 40a rack 2 at 12.00 s"),
        (False, {"what": "no_trip"}, "row 1a cabinet at 10.06 s, row 40a"),
        (
            True,
            {"what": "never", "event": "contactor_close", "after": "press", "until": "reset"},
            "none",
        ),
        (False, {"what": "never", "event": "contactor_close", "after": "press"}, "at 21.000 s"),
        (
            False,
            {"what": "never", "event": "contactor_close", "after": "press", "until": 21.5},
            "at 21.000 s",
        ),
        (
            False,
            {"what": "never", "event": "power_zero", "after": "press", "until": "pcs_back"},
            "pcs_back never came",
        ),
        (True, {"what": "state", "is": "tripped"}, "tripped at end: tripped"),
        (False, {"what": "state", "is": "running"}, "running at end: tripped"),
        (True, {"what": "state", "is": "running", "at": 10.059}, "running at 10.059 s: running"),
        (True, {"what": "state", "is": "tripped", "at": 10.06}, "tripped"),
        (False, {"what": "state", "is": "inhibited", "at": "pcs_back"}, "pcs_back never came"),
        (True, {"what": "reaction", "name": "estop", "ms_max": 43.2}, "43.2 ms"),
        (False, {"what": "reaction", "name": "estop", "ms_max": 43.1}, "43.2 ms"),
        (False, {"what": "reaction", "name": "estop", "ms_min": 43.3, "ms_max": 99}, "43.2 ms"),
        (False, {"what": "reaction", "name": "bms_open", "ms_max": 99}, "not exercised"),
        (True, BATTERY | {"ms_from": 60, "low": -1, "high": 1}, "0 .. 0"),
        (
            False,
            BATTERY | {"ms_from": 59, "until": 11, "low": -1, "high": 1} | {"ms_from": 20},
            "0 .. 100000",
        ),
        (
            True,
            BATTERY | {"after": 5, "until": "press", "low": 1e5, "high": 1e5},
            "100000 .. 100000",
        ),
        (False, BATTERY | {"after": 29.99}, "no samples"),
        (False, BATTERY | {"after": "pcs_back"}, "pcs_back never came"),
        (True, {"what": "figure", "key": "soc_pct.end", "low": 50, "high": 50}, "50.0"),
        (False, {"what": "figure", "key": "soc_pct.end", "low": 51}, "50.0"),
        (False, {"what": "figure", "key": "soc_pct.and", "low": 51}, "not measured"),
    ),
)
def test_judgement(ok, entry, words):
    found, text = judged(**entry)
    assert found is ok and words in text


def test_invariants_are_judged_in_every_scenario():
    assert evaluated(())[-1] == (True, "invariants kept")
    ok, text = evaluated((), ["1.0 s: rack 1 opened at 90.0 A"])[-1]
    assert not ok and "rack 1 opened at 90.0 A" in text
