"""Tests of every control function; a row in functions.py adds a new one."""

import functools
import sys
from array import array

import pytest
from hypothesis import given, settings, strategies as st
from test_hint_table import slots, source
from views import DEVICES, setup, site_of

from controller.core.base import hint_codes as codes, hint_sources, reasons
from controller.core.base.answers import BaseRequest, Limit, Obligation
from controller.core.control import Control
from controller.core.core import Core
from controller.core.functions import FALLBACKS, FUNCTIONS
from controller.core.policies import contract as c
from controller.core.policies.droop import Droop
from controller.core.policies.genset_start import GensetStart
from controller.core.policies.known import GRID, ISLAND, Known
from controller.core.policies.load_cap import LoadCap
from controller.core.policies.pre_heat import PreHeat
from controller.core.policies.pv_limit import PvLimit
from controller.core.policies.shed import Shed
from controller.core.policies.step_test import StepTest
from controller.core.site_devices.layout import image_of
from safety import matrix, parameters as p, signals as s
from tests import guards
from tests.exemptions import Exempt, counts

EVERY = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.NAME)
SOURCES = (source(0, "operator", charge=150_000, import_=300_000), source(1, "cap", 0, import_=9))
POWER_W = st.integers(-(10**9), 10**9)
PERMILLE = st.integers(0, 1000)
HINT = st.tuples(
    st.integers(0, 1), st.sampled_from((*codes.QUANTITIES, 0)), POWER_W, st.integers(1, 9000)
).map(lambda hint: (hint[0], codes.KIND_OF[hint[1]], *hint[1:]))
TICK = st.tuples(
    st.fixed_dictionaries(
        {
            "load_meter_W": st.none() | POWER_W,
            "is_load_meter_new": st.booleans(),
            "is_grid_meter_new": st.booleans(),
            "grid_W": st.none() | POWER_W,
            "grid_meter_W": st.none() | POWER_W,
            "grid_frequency_mHz": st.just(0) | st.integers(49_000, 51_000),
            "is_running": st.booleans(),
            "contact": st.sampled_from((None, GRID, ISLAND, ISLAND)),
            "is_reported_forming": st.booleans(),
            "battery_W": st.none() | POWER_W,
            "soc_permille": st.none() | st.tuples(PERMILLE, PERMILLE).map(sorted),
            "hints": st.lists(HINT, max_size=2).map(lambda hints: (slots(*hints), 0)),
        }
    ),
    st.tuples(st.integers(0, 300_000), st.integers(0, 300_000)),
    st.integers(1, 1000),
)


def settings_of(function):
    return st.fixed_dictionaries(
        {row[0]: st.sampled_from(row[2:5]) | st.integers(*row[2:4]) for row in function.PARAMETERS}
    )


def control_of(**settings):
    return Control(setup(known=SOURCES, site=site_of(DEVICES), **settings))


def tick(control, known, limit_W, elapsed_ticks):
    """The set-point, W."""
    site = control.known.site
    site.step(bytes([known["load_meter_W"] is not None] * len(DEVICES)), elapsed_ticks)
    limit = Limit(limit_W[0], 212, limit_W[1], 213)
    return control.step(Known(**known, limit=limit, site=site), elapsed_ticks)


def given_codes(answers):
    for answer in answers:
        for name in answer._fields:
            if name.endswith("reason"):
                yield getattr(answer, name)


# An example steps all functions: 12 for each of the 23 are 276.
@EVERY
@settings(max_examples=12)
@given(st.data())
def test_it_never_leaves_the_limits_explains_itself_and_restarts_exactly(function, data):
    chosen = data.draw(settings_of(function))
    first, second = control_of(**chosen), control_of(**chosen)
    texts = {code: text for each in FUNCTIONS for code, text in each.TEXTS.items()}
    for known, limit_W, elapsed_ticks in data.draw(st.lists(TICK, min_size=1, max_size=20)):
        power_W = tick(first, known, limit_W, elapsed_ticks)
        assert -limit_W[0] <= power_W <= limit_W[1]
        assert all(code in texts or not code for code in given_codes(first.chain.answers[1:]))
        assert tick(second, known, limit_W, elapsed_ticks) == power_W
        assert second.chain.out == first.chain.out
        state = [bytes(block) for block in first.state_blocks()]
        second = control_of(**chosen)
        for block, data_ in zip(second.state_blocks(), state):
            memoryview(block).cast("B")[:] = data_
        second.kept.load()


@EVERY
def test_name_parameters_and_codes_are_its_own(function):
    names = {row[0] for row in function.PARAMETERS}
    for other in [each for each in FUNCTIONS if each is not function]:
        assert function.NAME != other.NAME and not names & {row[0] for row in other.PARAMETERS}
        assert not function.TEXTS.keys() & other.TEXTS.keys()


# With this every function has something to do.
ON = {"peak_import_W_max": 200_000, "pv_ramp_W_per_s": 100}
MORE = {Shed: {"grid_import_W_max": 20_000}, PreHeat: {"peak_import_W_max": 400_000}}
MORE[LoadCap] = {"peak_import_W_max": 20_000}
MORE[Droop] = {"droop_W_max": 50_000}
MORE[GensetStart] = {f"soc_reserve_{name}_permille": 620 for name in ("backup", "peaks")}
KNOWN = {
    "load_meter_W": 320_000,
    "grid_W": 280_000,
    "battery_W": 9000,
    "is_grid_meter_new": True,
    "grid_frequency_mHz": 49_800,
    "soc_permille": (500, 510),
    "air_temperature_ddegC": 330,
    "module_temperature_ddegC": (20, 340),
    "unit_temperature_ddegC": (340,),
    "healthy_W": 240_000,
    "hints": (slots(), 0),
}
UNKNOWN = dict.fromkeys(KNOWN) | {"healthy_W": 240_000, "hints": (slots(), 0)}
WIDE_W = 250_000, 250_000
ASKED = {"hints": (slots((0, codes.REQUEST, codes.POWER_W, 40_000, 90_000)), 0)}


def running(**more):
    control = control_of(**(ON | more))
    control.known.site.inp[0] = 1000  # the sun goes after a tick
    tick(control, KNOWN | ASKED, WIDE_W, 1)
    control.known.site.inp[0] = 0
    for _ in range(200):
        tick(control, KNOWN, WIDE_W, 1)
    return control


def answers_of(control):
    chains = [control.chain, *[each.chain for each in control.actuators]]
    return [answer for chain in chains for answer in chain.answers[1:]]


def changed(known, ticks):
    """Answers by settings: before so many ticks, after them, and a tick after the return of all.

    One run serves all functions, because each acts in it.
    """

    @functools.cache
    def of(**more):
        control = running(**more)
        before = answers_of(control)
        for _ in range(ticks):
            tick(control, known, WIDE_W, 1)
        after = answers_of(control)
        tick(control, KNOWN | {"contact": GRID}, WIDE_W, 1)
        return before, after, answers_of(control)

    return of


def own(function, changed_of):
    """Its answers of the three moments of `changed`."""
    return [
        [each for each in answers if set(given_codes([each])) & function.TEXTS.keys()]
        for answers in changed_of(**MORE.get(function, {}))
    ]


ALL_UNKNOWN = changed(UNKNOWN, 3000)


@EVERY
def test_while_its_inputs_are_unknown_it_does_what_the_table_says(function):
    before, after, _ = own(function, ALL_UNKNOWN)
    on_grid = FALLBACKS[function][0]
    if function is Droop:
        assert on_grid == c.TO_ZERO and before[1].adds_W > 0 == after[1].adds_W
    elif on_grid == c.TO_ZERO:
        assert before[0].power_W and [answer.power_W for answer in after] == [0]
    elif on_grid == c.DROP:
        assert [each for each in before if isinstance(each, Obligation)]
        assert not [each for each in after if isinstance(each, Obligation)]
    elif function is PvLimit:
        assert on_grid == c.NARROW
        assert before[1].discharge_W_max > 0 == after[1].discharge_W_max
    elif on_grid == c.NARROW:
        assert before[0].high_W > 0 == after[0].high_W
    elif on_grid == c.HOLD:
        assert before and before == after
    elif on_grid == c.CLOSE:
        assert not before
        assert after and {answer.discharge_W_max for answer in after} == {0}
    elif not function.TEXTS or function is StepTest:
        # the others read what it finds; nobody asks for a step here
        assert on_grid == c.KEEP and before == after == []
    elif on_grid in (c.WAIT, c.STOP):
        assert before == after == []  # nothing runs here: test_meter_sign.py, ...
    else:
        assert on_grid == c.KEEP and before == after == [BaseRequest(40_000, reasons.OPERATOR)]


OFF_GRID = KNOWN | {"contact": ISLAND, "is_reported_forming": True}
ALL_OFF_GRID = changed(OFF_GRID, 200)


@EVERY
def test_off_the_grid_it_does_what_the_table_says(function):
    before, after, again = own(function, ALL_OFF_GRID)
    if FALLBACKS[function][1] == c.PAUSE:
        assert after == []
    else:
        assert FALLBACKS[function][1] == c.ACT and bool(after) == bool(before)
    assert len(again) == len(before), "back on the grid it goes on"


def test_back_on_the_grid_the_power_does_not_jump():
    """The grid carried 310 kW, the island 200 kW: tracking begins at the battery's power, 0."""
    control = Control(setup(site=site_of(DEVICES)))
    for known in [KNOWN] * 100 + [OFF_GRID] * 200:
        tick(control, known, WIDE_W, 1)
    calm = {"is_load_meter_new": True, "load_meter_W": 200_000, "grid_W": 200_000}
    calm |= {"battery_W": 0, "contact": GRID}
    found = [tick(control, KNOWN | calm, WIDE_W, 1) for _ in range(50)]
    assert max(map(abs, found)) <= 1000, found


WHOLE = tuple([each for each in DEVICES if each.role.name != "load_shed"])


@pytest.mark.parametrize("devices", [DEVICES, WHOLE], ids=["shed", "whole"])
def test_back_on_the_grid_what_a_converter_gave_goes_to_the_grid_in_small_steps(devices):
    """Held by tracking, the grid would stay at 0 W and show nothing."""
    control, power_W, powers_W = Control(setup(site=site_of(devices))), 0, []
    shown = {"shown_W": 100_000, "battery_W": 100_000, "reported_forming_W": 250_000}
    for _ in range(200):
        power_W = tick(control, KNOWN | OFF_GRID | shown, WIDE_W, 1)
    assert power_W == 100_000
    calm = {"is_load_meter_new": True, "load_meter_W": 100_000, "contact": GRID}
    for _ in range(1000):
        more = {"grid_W": 100_000 - power_W, "battery_W": power_W}
        powers_W.append(power_W)
        power_W = tick(control, KNOWN | calm | more, WIDE_W, 1)
    assert max([abs(b - a) for a, b in zip(powers_W, powers_W[1:])]) <= 5000
    assert power_W < 30_000


# Bytecodes of one tick: of one function, and of 16 racks and 16 units without the kernel.
FUNCTION_BYTECODES_MAX = {
    "track": Exempt(
        "load tracking takes twice the part of a tick that another function may take",
        "tests/controller/core/test_functions.py::test_it_keeps_its_budget",
        1600,
    )
}


def bytecodes(call, *arguments):
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if frame.f_code.co_filename == guards.__file__:
            return None  # the guard of the suite around `sum`
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call(*arguments)
    finally:
        sys.settrace(before)
    return count


@EVERY
def test_it_keeps_its_budget(function):
    control = running()
    step, known, found = control.functions[function.NAME].step, control.known, control.found
    most = max([bytecodes(step, known, found, 1) for _ in range(5)])
    assert 0 < most <= counts(FUNCTION_BYTECODES_MAX).get(function.NAME, 800), most


ACTUATORS = sum([len(each.role.actuators) for each in DEVICES])


def image_of_16():
    words = [p.IMAGE_SCHEMA, 16, 16, 15, 20, *[row[4] for row in p.CABINET_PARAMETERS]]
    words += 16 * [row[4] for row in p.UNIT_PARAMETERS]
    for unit in range(16):
        words += [{"unit": unit}.get(row[0], row[4]) for row in p.RACK_PARAMETERS]
    stages = p.ImageMap(16, 16, matrix.STAGES_PER_SCOPE).words - len(words)
    return array("i", words + [0] * stages)


@pytest.mark.parametrize("forming, found", (((), (False, 0)), ((3, 5), (True, 8000))))
def test_only_the_limits_of_converters_that_form_count_for_an_island(forming, found):
    sources = hint_sources.image(SOURCES)
    core = Core(image_of_16(), array("i", setup(**ON).settings.values()), sources, image_of(()))
    core.kernel.step = lambda elapsed_ticks: None
    core.kernel.features.pace.source.is_off_grid = lambda: True
    core.kernel.features.ages.known = lambda group: True
    for unit in range(16):
        core.kernel.out[core.layout.unit_output(unit, s.DISCHARGE_W_MAX)] = unit * 1000
        core.inp[core.layout.unit_input(unit, s.PCS_FORMING)] = unit in forming
    core.tick(1)
    assert (core.found.is_forming, core.found.forming_W) == found


READ, BRIDGE = 605, 340  # UPS and contacts have no actuator; the ramp limit of the PV acts
SUN = 420  # the balance judges the jumps of PV reports


@pytest.mark.parametrize(
    "devices, most", [((), 10_500), (DEVICES, 10_500 + 1470 * ACTUATORS + READ + BRIDGE + SUN)]
)
def test_16_racks_and_16_units_keep_their_budget(devices, most):
    settings = setup(**ON).settings
    core = Core(
        image_of_16(), array("i", settings.values()), hint_sources.image(SOURCES), image_of(devices)
    )
    core.kernel.step(1)
    core.kernel.step = lambda elapsed_ticks: None
    core.kernel.out[s.OBLIGATIONS_OK] = 1
    for unit in range(16):
        core.kernel.out[core.layout.unit_output(unit, s.DISCHARGE_W_MAX)] = 100_000
    core.inp[s.LOAD_POWER_W] = core.inp[s.GRID_POWER_W] = 400_000
    core.kernel.features.ages.known = lambda group: True
    for rack in range(16):
        core.inp[core.layout.rack_input(rack, s.SOC_PERMILLE)] = 500
    for _ in range(20):
        core.tick(1)
    assert sum(core.setpoints()) >= 100_000
    found = max([bytecodes(core.tick, 1) for _ in range(5)])  # the balance is checked in one of 5
    assert 0 < found <= most, found


# 2^31 ms and a year of 20 ms: a word of 32 bits overflows after 24.8 days
LONG_TICKS = (1 << 31) // 20 + 1, 365 * 86_400 * 50
DAY_TICKS = 86_400 * 50
LOW, HIGH = {"grid_voltage_permille": 1000}, {"load_meter_W": 900_000, "grid_W": 870_000}
# What a long tick may find, after which event: of a sag, a request, an island, a silence, a peak.
FOUND = {
    "known": {},
    "sag": {"grid_voltage_permille": 700},
    "no sag": LOW,
    "asked": ASKED,
    "island": {"contact": ISLAND, "is_reported_forming": True},
    "unknown": UNKNOWN,
    "peak": HIGH,
    "calm": {"load_meter_W": 0, "grid_W": -9000, "is_load_meter_new": True},
    "stopped": {"is_running": False},
}


def jumped(control, found, ticks):
    """The control after ticks before, in and after a long one, with what it finds there."""
    for each in (1, 1, ticks, 1, ticks, 1):
        tick(control, KNOWN | found, WIDE_W, each)
    return control


@pytest.mark.parametrize("before", FOUND)
@pytest.mark.parametrize("ticks", LONG_TICKS)
def test_no_word_of_state_overflows_in_a_long_tick(before, ticks):
    """An age or a sum without an end overflows after 24.8 days, and ends the controller."""
    control = running()
    tick(control, KNOWN | FOUND[before], WIDE_W, 3)
    for after in FOUND:
        jumped(control, FOUND[after], ticks)
        jumped(control, FOUND[before], ticks)


@pytest.mark.parametrize("ticks", LONG_TICKS)
@pytest.mark.parametrize("name", ("unknown", "stopped", "island"))
def test_what_is_unknown_for_a_year_is_as_old_as_after_a_day(name, ticks):
    control, year = running(), running()
    before = answers_of(jumped(control, FOUND[name], DAY_TICKS))
    assert answers_of(jumped(year, FOUND[name], ticks)) == before
    for each in (1, 50, 500):
        power_W = [tick(one, KNOWN, WIDE_W, each) for one in (control, year)]
        assert power_W[0] == power_W[1]
        assert answers_of(control) == answers_of(year)


# What a time is that runs on below zero through one long tick or two, in ticks or ms.
RUN_ON = [-count * LONG_TICKS[0] * unit for count in (1, 2) for unit in (1, 20)]


@pytest.mark.parametrize("name", ("known", "unknown"))
def test_no_time_runs_below_zero_from_any_word_of_state(name):
    """Each word in turn holds 1, as if it had just begun; the words of a long block all at once."""
    control = running()
    blocks = control.state_blocks()
    kept = [bytes(block) for block in blocks]
    for number, block in enumerate(blocks):
        places = range(len(block))
        for filled in [[place] for place in places] if len(block) <= 64 else [places]:
            for each, data in zip(blocks, kept):
                memoryview(each).cast("B")[:] = data
            for place in filled:
                block[place] = 1
            control.kept.load()
            jumped(control, FOUND[name], LONG_TICKS[0])
            lowest = {min(each, default=0) for each in blocks}
            below = [word for word in lowest for end in RUN_ON if abs(word - end) <= 1000]
            assert not below, (number, filled)
