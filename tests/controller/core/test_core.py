"""The core: its state words carry everything, and its set-points keep to the limits."""

import random
from array import array

import pytest
from cabinet_bench import CONFIG as FIREBREAK, RATED, believed
from hypothesis import given, settings, strategies as st
from views import setup

from controller.config import configuration
from controller.core import image, parameters
from controller.core.base import hint_sources, instances, reasons, setpoint
from controller.core.base.answers import Limit
from controller.core.control import Control
from controller.core.core import STANDING_BITS, Core
from controller.core.kernel_readings import KernelReadings
from controller.core.policies.known import GRID, ISLAND, Known
from controller.sites import PYLONTECH
from safety import signals as s
from tests.tables import cases

CONFIGS = {"firebreak": FIREBREAK, "pylontech": believed(configuration.load(PYLONTECH))}
GOOD = RATED | {
    "load_power_W": 300_000,
    "grid_power_W": 300_000,
    "noc_verified": 1,
    "pcs_dc_voltage_mV": 790_000,
    "module": 250,
}


class Walk:
    """Inputs of a cabinet: a good start, then random disturbances by seed."""

    def __init__(self, core, seed, unrest=0.03):
        """unrest: how often something goes wrong, per tick."""
        self.layout, self.draw = core.layout, random.Random(seed)
        self.rows = self._rows()
        self.inp = array("i", [GOOD.get(name, 0) for name, *_ in self.rows])
        for at, (name, *_) in enumerate(self.rows):
            if name.endswith(("_ok", "run_request", "_stored")):
                self.inp[at] = 1
        self.inp[s.PERMIT_1_CLOSED] = self.inp[s.PERMIT_2_CLOSED] = 0
        self.ticks = self.wrong_until = self.wrong_at = self.wrong = 0
        self.unrest = unrest

    def _rows(self):
        layout = self.layout
        temperature = ("module", "ddegC", *s.MODULE_TEMPERATURE_RANGE_DDEGC, 0)
        return [
            *s.CABINET_INPUTS,
            *s.UNIT_INPUTS * layout.units,
            *(s.RACK_INPUTS + (temperature,) * layout.modules) * layout.racks,
        ]

    def feed(self, *cores):
        """Write the inputs of the next tick into each core; return the elapsed ticks."""
        inp, draw, first, layout = self.inp, self.draw, cores[0], self.layout
        inp[s.GRID_RAW_HASH] = draw.randrange(1 << 30)
        inp[s.LOAD_RAW_HASH] = draw.randrange(1 << 30) if draw.random() < 0.9 else 7
        inp[s.LOAD_POWER_W] += draw.randrange(-40_000, 40_001)
        held = 1 - first.kernel.out[s.WITHHOLD_ON]
        inp[s.PERMIT_1_CLOSED] = first.kernel.out[s.PCS_ENABLE_OK] & held
        inp[s.PERMIT_2_CLOSED] = first.kernel.out[s.CONTACTOR_SUPPLY_OK] & held
        if draw.random() < self.unrest:  # across both reserves and back
            self.set_rack(s.SOC_PERMILLE, *draw.choices((90, 140, 160, 550, 550), k=layout.racks))
        close = [layout.rack_output(rack, s.CONTACTOR_CLOSE_OK) for rack in range(layout.racks)]
        states = s.CONTACTOR_OPEN, s.CONTACTOR_CLOSED
        self.set_rack(s.CONTACTOR_STATE, *[states[first.kernel.out[at]] for at in close])
        fresh = bytearray(draw.random() >= self.unrest for _ in first.fresh)
        fresh[s.G_LOCAL] = 1
        self.ticks += 1
        if self.ticks < 5:
            fresh[s.G_METER_GRID] = 0
        disturbed = self._disturbed()
        for core in cores:
            core.inp[: len(disturbed)], core.fresh[:] = disturbed, fresh
        return draw.choice((1, 1, 1, 1, 2, 3)) if self.unrest else 1

    def set_rack(self, signal, *values):
        for rack, value in enumerate(values):
            self.inp[self.layout.rack_input(rack, signal)] = value

    def _disturbed(self):
        """The good inputs, sometimes with one of them wrong for up to 2 s."""
        draw, inp = self.draw, array("i", self.inp)
        if self.ticks >= self.wrong_until + 150 and draw.random() < self.unrest:
            self.wrong_until = self.ticks + draw.randrange(1, 100)
            self.wrong_at = draw.randrange(len(inp))
            self.wrong = draw.randint(self.rows[self.wrong_at][2], self.rows[self.wrong_at][3])
        if self.ticks < self.wrong_until:
            inp[self.wrong_at] = self.wrong
        return inp


def core_of(settings, known=None):
    source_image = hint_sources.image(settings.sources if known is None else known)
    return Core(settings.safety_image, settings.control_image, source_image, settings.site_image)


def word(core, index):
    return core.out[core.chain_at + index]


def is_standing(core, name):
    return bool(core.kernel.evaluator.standing(instances.stage_instances(core.layout).index(name)))


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.integers(1, 400), st.sampled_from(sorted(CONFIGS)))
def test_a_core_that_takes_over_the_state_goes_on_bit_for_bit(seed, ticks, name):
    first, second = core_of(CONFIGS[name]), core_of(CONFIGS[name])
    walk = Walk(first, seed)
    for _ in range(ticks):
        first.tick(walk.feed(first))
    words = first.state_words()
    second.load_state(words)
    assert second.state_words() == words
    for _ in range(60):
        elapsed_ticks = walk.feed(first, second)
        first.tick(elapsed_ticks)
        second.tick(elapsed_ticks)
        assert second.out == first.out
    assert second.state_words() == first.state_words()


def test_set_points_keep_to_the_kernels_limits_in_every_tick_of_walks_that_run_and_trip():
    states, nonzero = set(), 0
    for seed, ticks in ((0, 500), (1, 500), (2, 500), (5, 1500)):
        core = core_of(FIREBREAK)
        walk, unit_output = Walk(core, seed), core.layout.unit_output
        for _ in range(ticks):
            core.tick(walk.feed(core))
            (setpoint_W,), state = core.setpoints(), core.out[s.STATE]
            low_W = -core.out[unit_output(0, s.CHARGE_W_MAX)]
            assert low_W <= setpoint_W <= core.out[unit_output(0, s.DISCHARGE_W_MAX)]
            assert setpoint_W == 0 or state in (s.RUNNING, s.STOPPING, s.TRIPPED)
            assert setpoint_W == word(core, setpoint.O_SETPOINT_W)
            nonzero += setpoint_W != 0
            states.add(state)
    assert nonzero > 100 and {s.INHIBITED, s.READY, s.CLOSING, s.RUNNING, s.TRIPPED} <= states


def test_state_words_are_compact_and_fit_one_topology():
    core = core_of(FIREBREAK)
    words = core.state_words()
    for at in range(0, len(words), 97):
        changed = array("i", words)
        changed[at] ^= 1
        core.load_state(changed)
        assert core.state_words() == changed
    for other in (words[:-1], words + array("i", [0])):
        with pytest.raises(ValueError, match="topology"):
            core.load_state(other)
    with pytest.raises(ValueError, match="control image"):
        images = FIREBREAK.source_image, FIREBREAK.site_image
        Core(FIREBREAK.safety_image, parameters.default_image()[:-1], *images)


def running_core():
    core = core_of(FIREBREAK)
    walk = Walk(core, 7, unrest=0)

    def tick(elapsed_ticks=1, **changes):
        walk.feed(core)
        for name, value in changes.items():
            core.inp[next(at for at, row in enumerate(walk.rows) if row[0] == name)] = value
        core.tick(elapsed_ticks)

    for _ in range(100):
        tick()
    assert core.out[s.STATE] == s.RUNNING
    return core, tick


def test_a_frozen_meter_counts_as_silent_after_5_s():
    core, tick = running_core()
    sources = []
    for _ in range(252):
        tick(load_raw_hash=9)
        sources.append(core.found.load_source)
    assert sources[248] != 0 and sources[-1] != sources[248]
    assert core.out[s.OBLIGATIONS_OK] == 0 and is_standing(core, "50b")
    assert core.known.grid_W is None, "no obligation is worked out from it"
    assert core.known.grid_meter_W is core.known.load_meter_W is None


def test_the_source_is_known_and_off_the_grid_the_load_without_a_grid_meter():
    core, tick = running_core()
    assert core.found.source == GRID
    for _ in range(300):
        tick(source_code=1, grid_raw_hash=9)
    assert core.found.source == ISLAND and not is_standing(core, "50b")
    assert core.known.load_meter_W is not None
    assert core.known.grid_meter_W is None and core.known.grid_W is None
    assert core.out[s.OBLIGATIONS_OK] == 0 and core.found.is_off_grid


def test_the_source_of_a_cabinet_without_the_third_module_is_unknown():
    core = core_of(CONFIGS["pylontech"])
    core.tick(1)
    assert core.found.source is None


def test_a_cabinet_that_shares_a_connection_sees_its_share_of_it():
    core, tick = running_core()
    core.settings[parameters.SHARE] = 333
    tick(grid_power_W=300_001)
    assert (core.known.grid_W, core.known.grid_meter_W) == (99_900, 300_001)


def test_the_standing_words_name_exactly_what_the_evaluator_holds():
    core, tick = running_core()
    evaluator, seen, wrong = core.kernel.evaluator, [], {}
    names = instances.stage_instances(core.layout)
    for change in (
        {"airflow_ok": 1},
        {"cell_voltage_mV_max": 3700},
        {"gas_1_lfl_permille": 120},
        {"cell_voltage_mV_max": 3300, "gas_relay_ok": 0},
        {"estop_1_ok": 0},
    ):
        wrong |= change
        for _ in range(110):
            tick(**wrong)
            words, places = core.out[core.standing_at :], range(evaluator.count)
            held = [bool(words[at // STANDING_BITS] >> at % STANDING_BITS & 1) for at in places]
            assert held == [bool(evaluator.standing(at)) for at in places]
            assert all(0 <= word < 1 << STANDING_BITS for word in words)
        seen.append([name for name, stands in zip(names, held) if stands])
    assert seen[:2] == [[], ["29.rack1"]]
    assert "11" in seen[2] and {"12b", "1a"} <= set(seen[-1])


@pytest.mark.parametrize("elapsed_ticks, late", [(1, False), (24, False), (25, True), (1000, True)])
def test_skipped_ticks_reach_the_kernel(elapsed_ticks, late):
    core, tick = running_core()
    tick(elapsed_ticks)
    assert is_standing(core, "44b") == late


def test_an_unknown_state_of_charge_counts_as_the_reserve_reached():
    core, tick = running_core()
    tick()
    high_W, ages = word(core, setpoint.O_CAPS_HIGH_W), core.kernel.features.ages
    budgets = [*ages.budget_ticks]
    budgets[core.layout.rack_group(1, s.G_BMS_CHARGE)] = -1
    ages.budget_ticks = tuple(budgets)
    for _ in range(10):
        tick()
    assert core.known.soc_permille is None and word(core, setpoint.O_CAPS_HIGH_W) < high_W
    assert word(core, setpoint.O_CAPS_HIGH_REASON) == reasons.RESERVE_PEAKS_SOC_UNKNOWN


def square_W(t_s):
    return 300_000 + 50_000 * (int(t_s) % 2)


LOOKED_AT = "load_meter_W", "grid_meter_W", "battery_W", "soc_permille"


@pytest.mark.parametrize("name", [None, *LOOKED_AT])
def test_the_functions_see_what_is_known_and_nothing_that_is_silent(name):
    core = core_of(FIREBREAK)
    walk = Walk(core, 1, unrest=0)
    layout = core.layout
    groups = dict(zip(LOOKED_AT, (s.G_METER_LOAD, s.G_METER_GRID)))
    groups["battery_W"] = layout.unit_group(0, s.G_PCS_MEASURE)
    groups["soc_permille"] = layout.rack_group(layout.racks - 1, s.G_BMS_CHARGE)
    seen = set()
    for tick in range(400):
        elapsed_ticks = walk.feed(core)
        walk.set_rack(s.SOC_PERMILLE, *range(500, 500 + layout.racks))
        if name and tick > 200:
            core.fresh[groups[name]] = 0
        core.tick(elapsed_ticks)
        assert core.known.is_running == (core.out[s.STATE] == s.RUNNING)
        seen.add(core.known.is_running)
    assert seen == {False, True}
    soc_permille = 500, 500 + (layout.racks - 1) // 2
    known = core.inp[s.LOAD_POWER_W], core.inp[s.GRID_POWER_W], 0, soc_permille
    for each, value in zip(LOOKED_AT, known):
        assert getattr(core.known, each) == (None if each == name else value), each


@pytest.mark.parametrize("permille, is_low", [(0, False), (1, True), (499, True), (500, False)])
def test_a_load_meter_below_half_its_voltage_shows_no_live_bus(permille, is_low):
    """0: unknown. A sag counts by the grid meter, at any depth."""
    core = core_of(FIREBREAK)
    places = image.places(core.layout, [])
    core.inp[places["load_quality"].start] = permille
    core.inp[places["grid_quality"].start] = permille
    core.tick(1)
    assert (core.known.is_load_low, core.known.grid_voltage_permille) == (is_low, permille)


@pytest.mark.parametrize("unit", range(2))
def test_one_converter_that_gives_less_is_enough_for_upstream(files, unit):
    core = core_of(believed(files.two_units().load()))
    walk = Walk(core, 7, unrest=0)
    given = (s.PCS_STATE, s.PCS_RUNNING), (s.PCS_SENT_W, 50_000), (s.PCS_POWER_W, 700)
    for signal, value in given:
        walk.inp[core.layout.unit_input(unit, signal)] = value
    for _ in range(400):
        core.tick(walk.feed(core))
    short = [is_standing(core, f"56b.unit{each + 1}") for each in range(2)]
    assert short == [each == unit for each in range(2)] and core.known.is_short
    assert core.known.battery_W == 700
    for _ in range(200):
        elapsed_ticks = walk.feed(core)
        core.fresh[core.layout.unit_group(unit, s.G_PCS_MEASURE)] = 0
        core.tick(elapsed_ticks)
    assert core.known.battery_W is None, "the sum of one is not the battery"


@pytest.mark.parametrize(
    "total_W, setpoints_W", [(-50_000, [-40_000, -10_000]), (50_000, [30_000, 20_000])]
)
def test_each_of_two_converters_has_its_own_limits_and_share(files, total_W, setpoints_W):
    core = core_of(believed(files.two_units().load()))
    out, limits_W, seen = core.kernel.out, ((45_000, 30_000), (10_000, 90_000)), []
    for unit, watts in enumerate(limits_W):
        for index, limit_W in zip((s.CHARGE_W_MAX, s.DISCHARGE_W_MAX), watts):
            out[core.layout.unit_output(unit, index)] = limit_W
    core.kernel.step = lambda elapsed_ticks: None
    core.control.step = lambda known, elapsed_ticks: seen.append(known.limit) or total_W
    core.tick(1)
    assert list(core.setpoints()) == setpoints_W and core.rated_W == [250_000, 100_000]
    assert (seen[0].charge_W_max, seen[0].discharge_W_max) == (55_000, 120_000)


@pytest.mark.parametrize("charge", range(len(reasons.KERNEL_CHARGE)))
def test_each_direction_has_the_limit_and_the_reason_of_its_own(charge):
    core = core_of(FIREBREAK)
    out, discharge = core.kernel.out, len(reasons.KERNEL_DISCHARGE) - 1 - charge
    words = (s.CHARGE_W_MAX, 11), (s.DISCHARGE_W_MAX, 22)
    for index, word_of in (*words, (s.CHARGE_REASON, charge), (s.DISCHARGE_REASON, discharge)):
        out[core.layout.unit_output(0, index)] = word_of
    expected = 11, reasons.KERNEL_CHARGE[charge], 22, reasons.KERNEL_DISCHARGE[discharge]
    readings = KernelReadings(core.kernel, core.rated_W)
    assert tuple(readings.limit()) == expected


@pytest.mark.parametrize("meter", ("load", "grid"))
def test_it_is_known_which_meter_has_replied_in_this_tick(meter):
    core = core_of(FIREBREAK)
    walk = Walk(core, 1, unrest=0)
    groups = {"load": s.G_METER_LOAD, "grid": s.G_METER_GRID}
    for is_new in (True, False, True):
        walk.feed(core)
        core.fresh[groups[meter]] = is_new
        core.tick(1)
        assert getattr(core.known, f"is_{meter}_meter_new") == is_new


@pytest.mark.parametrize("limit_W, is_obliged", ((10_000, False), (60_000, True)))
def test_it_is_found_whether_an_obligation_sets_an_end(limit_W, is_obliged):
    """The load is 40 kW and nothing may be exported: the obligation cuts 60 kW of discharge."""
    control = Control(setup(grid_export_W_max=0))
    known = Known(load_meter_W=40_000, grid_W=40_000, battery_W=0, soc_permille=(550, 550))
    control.step(known._replace(limit=Limit(limit_W, 212, limit_W, 213)), 1)
    assert control.found.is_high_obliged == is_obliged and not control.found.is_low_obliged


@cases("""
    code  is_by_person
    0  False | 1  True | 2  False | 3  True | 4  False | 5  False | 6  False
""")
def test_only_a_stop_by_a_person_is_one(code, is_by_person):
    """1 a person, 3 a lock-out. A test, a row and a restart also end the run request, and so does a
    store that cannot be saved (0).
    """
    core = core_of(FIREBREAK)
    core.inp[image.places(core.layout, ())["rest"].start] = code
    core.inp[s.RUN_REQUEST] = 0
    core.tick(1)
    assert core.known.is_stopped_by_person == is_by_person


@pytest.mark.parametrize(
    "forming, charge_W", [((), 400), ((0, 1), 250), ((1, 2), 390), ((2,), 400)]
)
def test_the_fullest_converter_of_an_island_limits_the_charge_of_all(forming, charge_W):
    """They share by their ratings, so the sum of their limits is more than they can take."""
    readings = object.__new__(KernelReadings)
    readings.charge_W, readings._rated_W = [250, 100, 50], [250, 250, 100]
    readings._forming_W = lambda: dict.fromkeys(forming, 0)
    assert readings._charge_W() == charge_W
