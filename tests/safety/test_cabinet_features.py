"""Derived signals of the cabinet and its converters."""

import itertools

import pytest
from bench import Bench
from desk import Desk
from rows import ticks

from safety import features, matrix as m, signals as s
from tests.tables import cases

KNOWN, IN_PART, UNKNOWN = m.KNOWN, m.IN_PART, 0
NAMES = [name for name in m.CABINET_FEATURES if name in [row[0] for row in s.CABINET_INPUTS]]


def index_of(name):
    at = [row[0] for row in s.CABINET_INPUTS].index(name)
    return at, s.CABINET_INPUTS[at][4]


def test_every_feature_with_the_name_of_an_input_is_direct():
    """Except the one that is known in part while the other kind of gas is looked at."""
    named = {m.CABINET_FEATURES[at]: s.CABINET_INPUTS[of][0] for at, of in features.DIRECT}
    assert set(NAMES) - set(named) == {"toxic_ppm"}
    assert all(feature == signal for feature, signal in named.items())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "toxic_ppm"])
def test_a_direct_feature_is_known_by_its_own_group_only(name):
    desk, feature, (own, group) = Desk(), m.CABINET_FEATURES.index(name), index_of(name)
    assert desk.of(feature)[1] == UNKNOWN
    others = set(range(desk.layout.groups)) - {group}
    assert desk.step().silence(*others).step(1, ticks(60_000)).of(feature)[1] == KNOWN
    desk.speak().step().silence(group)
    budget = desk.features.ages.budget_ticks[group]
    if group == s.G_LOCAL:
        assert desk.step(1, elapsed=1_000_000).of(feature)[1] == KNOWN
        return
    assert desk.step(1, elapsed=budget).of(feature)[1] == KNOWN
    worst = KNOWN if group == s.G_UPS else UNKNOWN
    assert desk.set(own, 1).step().of(feature)[1] == worst


@cases("""link path fitted io_3 seen
    1  0  0  1  1 | 1  0  1  1  1 | 0  1  1  1  1 | 0  1  0  1  0 | 0  0  1  1  0
    0  1  1  0  0 | 1  1  1  0  1 | 0  1  0  0  0""")
def test_a_path_to_the_operations_centre(link, path, fitted, io_3, seen):
    desk = Desk(supervised_fitted=fitted).step().set(s.NOC_LINK_OK, link).set(s.SUPERVISED_OK, path)
    if not io_3:
        desk.silence(s.G_IO_3).step(1, elapsed=ticks(500) + 1)
    desk.features.noc_ticks[0] = 0
    assert desk.step(50).of(m.F_NOC_LOST_S) == (0 if seen else 1, KNOWN)
    for verified in (0, 1):
        desk.inp[s.NOC_VERIFIED] = verified
        # unknown before the module was heard
        told = KNOWN if seen or io_3 or not fitted else UNKNOWN
        assert desk.step().of(m.F_NOC_UNVERIFIED) == (0 if seen or verified else 1, told)


def test_its_loss_is_counted_in_whole_seconds_and_stays_in_range():
    desk = Desk().step(49)
    assert (desk.of(m.F_NOC_LOST_S), desk.step().of(m.F_NOC_LOST_S)) == ((0, KNOWN), (1, KNOWN))
    assert desk.step(1, elapsed=ticks(900_000)).of(m.F_NOC_LOST_S) == (901, KNOWN)
    for _ in range(12):
        desk.step(1, elapsed=1_000_000)
    assert desk.of(m.F_NOC_LOST_S) == (200_000, KNOWN)
    assert desk.set(s.NOC_LINK_OK, 1).step().of(m.F_NOC_LOST_S) == (0, KNOWN)


SILENCE_OF = {
    m.F_IO_SILENCE_MS: (s.G_IO_1, s.G_IO_2, s.G_IO_3),
    m.F_METER_SILENCE_MS: (s.G_METER_GRID, s.G_METER_LOAD),
    m.F_MONITOR_SILENCE_MS: (s.G_CLIMATE, s.G_UPS),
}


@pytest.mark.parametrize("group", range(len(s.CABINET_GROUPS)), ids=s.CABINET_GROUPS)
def test_each_group_is_of_its_own_silence_and_of_no_other(group):
    desk = Desk().step().silence(group).step(7)
    mute = Desk().silence(group).step(7)
    for feature, mine in SILENCE_OF.items():
        alone = Desk().silence(*set(range(60)) - {group}).step().silence(group).step(7)
        assert alone.of(feature) == ((140, IN_PART) if group in mine else (0, IN_PART))
        assert desk.of(feature) == (140 if group in mine else 0, KNOWN)
        assert mute.of(feature) == (0, IN_PART if group in mine else KNOWN)


def test_an_unknown_value_is_not_computed_until_news():
    for group, direct in features.DIRECT_OF_GROUP:
        desk = Desk().silence(*range(60))
        for feature, _ in direct:
            desk.features.value[feature] = 77
        assert [desk.step().of(feature) for feature, _ in direct] == [(77, UNKNOWN)] * len(direct)
        desk.features.known[direct[0][0]] = KNOWN
        assert [desk.step().of(feature) for feature, _ in direct] == [(0, UNKNOWN)] * len(direct)
        desk.silent.remove(group)
        assert {desk.step().of(feature)[1] for feature, _ in direct} == {KNOWN}


@pytest.mark.parametrize("group", [s.G_PCS_MEASURE, s.G_PCS_CONTROL])
@pytest.mark.parametrize("unit", range(2))
def test_a_converter_is_worked_out_on_its_own_news_alone(unit, group):
    desk = Desk(units=2, racks=2).step().silence(*range(60))
    first = desk.features.unit_base + m.F_PCS_EXCESS_W
    looked_at = [first, first + m.UNIT_FEATURE_COUNT]
    for at in looked_at:
        desk.features.value[at] = 77
    desk.step()
    assert [desk.features.value[at] for at in looked_at] == [77, 77]
    assert list(desk.features.changed[1:3]) == [0, 0]
    desk.silent.remove(desk.layout.unit_group(unit, group))
    desk.step()
    assert [desk.features.value[at] == 77 for at in looked_at] == [unit == 1, unit == 0]


@pytest.mark.parametrize("heard", [s.G_PCS_MEASURE, s.G_PCS_CONTROL])
def test_either_half_of_a_converter_may_be_the_silent_one(heard):
    desk = Desk()
    desk.silence(*set(range(60)) - {desk.layout.unit_group(0, heard)}).step()
    desk.silence(*range(60)).step(1, elapsed=ticks(5000))
    assert desk.of(m.F_PCS_SILENCE_LEVEL, s.UNIT) == (3, IN_PART)


def mains(desk):
    return [desk.of(feature) for feature in (m.F_MAINS_OK, m.F_ON_UPS, m.F_UPS_RESERVE_MIN)]


def test_of_a_ups_that_was_never_heard_nothing_is_known():
    desk = Desk().silence(s.G_UPS).step(1, elapsed=ticks(60_000))
    assert [known for _, known in mains(desk)] == [UNKNOWN] * 3


@cases("""silent_ticks reserve_min
    ticks(10_000)+1  125 | ticks(60_000)-1  125 | ticks(60_000)  124 | ticks(60_000)+1  124
    ticks(120*60_000)-1  6 | ticks(125*60_000)-1  1 | ticks(125*60_000)  0 | s.TICKS_MAX  0""")
def test_a_silent_monitor_may_hide_a_loss_of_mains_and_the_ups_runs_down(silent_ticks, reserve_min):
    desk = Desk().set(s.MAINS_OK, 1).set(s.UPS_RESERVE_MIN, 125).step().silence(s.G_UPS)
    desk.step(1, elapsed=ticks(10_000))
    assert mains(desk) == [(1, KNOWN), (0, KNOWN), (125, KNOWN)]
    desk.step(1, elapsed=silent_ticks - ticks(10_000))
    assert mains(desk) == [(0, KNOWN), (1, KNOWN), (reserve_min, KNOWN)]
    assert mains(desk.speak().step()) == [(1, KNOWN), (0, KNOWN), (125, KNOWN)]


def test_energised_while_supplied_or_while_any_rack_does_not_say_open():
    desk = Desk(racks=2)
    for supply, first, second in itertools.product((0, 1), range(4), range(4)):
        desk.out[s.CONTACTOR_SUPPLY_OK] = supply
        desk.rack(s.CONTACTOR_STATE, first, 0).rack(s.CONTACTOR_STATE, second, 1)
        assert desk.step().of(m.F_ENERGISED) == (int(supply or first > 0 or second > 0), KNOWN)


def bus(racks_mV, bus_mV=790_000, units=1):
    desk = Desk(units=units, racks=len(racks_mV))
    for unit in range(units):
        desk.set_unit(s.PCS_DC_VOLTAGE_MV, bus_mV, unit)
    for rack, rack_mV in enumerate(racks_mV):
        desk.rack(s.RACK_VOLTAGE_MV, rack_mV, rack)
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED, rack)
    return desk.step()


def mismatch(desk, unit=0):
    return desk.of(m.F_BUS_MISMATCH_MV, s.UNIT, unit)


@cases("""racks_mV differ_mV
    (790_000,)  0 | (795_000,)  5000 | (785_000,)  5000 | (789_000,793_000)  3000
    (0,790_001)  790_000""")
def test_the_rack_that_differs_most_counts(racks_mV, differ_mV):
    assert mismatch(bus(racks_mV)) == (differ_mV, KNOWN)


def test_each_bus_is_compared_with_its_own_racks():
    desk = bus((790_000, 780_000, 787_000, 790_000), units=2)
    assert [mismatch(desk, unit) for unit in range(2)] == [(3000, KNOWN), (10_000, KNOWN)]
    desk.set_unit(s.PCS_DC_VOLTAGE_MV, 780_000, 1).step()
    assert [mismatch(desk, unit) for unit in range(2)] == [(3000, KNOWN), (10_000, KNOWN)]


@pytest.mark.parametrize("group", [s.G_BMS_STATE, s.G_BMS_PACK])
def test_a_silent_rack_that_may_be_closed_clears_nothing(group):
    desk = bus((770_000, 789_000))
    desk.silence(desk.layout.rack_group(0, group)).step(1, elapsed=ticks(500))
    assert (mismatch(desk), mismatch(desk.step())) == ((20_000, KNOWN), (1000, IN_PART))
    desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN, 0)
    assert mismatch(desk.step()) == ((1000, KNOWN) if group == s.G_BMS_PACK else (1000, IN_PART))
    desk.silence(desk.layout.unit_group(0, s.G_PCS_MEASURE)).step(1, elapsed=ticks(2000) + 1)
    assert mismatch(desk)[1] == UNKNOWN


@pytest.mark.parametrize("run, service, apart", [(1, 0, 0), (0, 1, 0), (1, 1, 1), (0, 0, 1)])
@pytest.mark.parametrize("fitted", [0, 1])
def test_the_contacts_of_the_key_contradict_each_other_only_where_there_are_two(
    fitted, run, service, apart
):
    """The airflow contact beside the key has no effect."""
    for airflow in (0, 1):
        bench = Bench(key_service_fitted=fitted)
        bench.step().set(s.KEY_RUN_OK, run).set(s.KEY_SERVICE_CLOSED, service)
        bench.set(s.AIRFLOW_OK, airflow)
        bench._follow = lambda: None
        assert bench.step().of(m.F_KEY_DISCREPANCY) == (apart if fitted else 0, fitted)


TOLD = [m.F_PCS_FAULT_LEVEL, m.F_BMS_FAULT_LEVEL]


@cases("""trip info bits level
    0b011  0b100  0  0 | 0b011  0b100  0b001  2 | 0b011  0b100  0b010  2
    0b011  0b100  0b100  0 | 0b011  0b100  0b1000  1 | 0b011  0b100  0b1100  1
    0b011  0b100  0b1001  2 | 0b001  0b001  0b001  2 | 0  0  1  1 | 0  s.INT_MAX  1  0
    0  s.INT_MAX  s.INT_MAX  0 | s.INT_MAX  0  1  2 | 1  0  1<<29  1 | 1<<29  0  1<<29  2
    1  1<<29  1<<29  0""")
def test_what_the_bits_of_a_device_say_of_it(trip, info, bits, level):
    """A bit that is neither a fault nor information is a warning, also an unknown bit. To
    the first two units and racks every bit is information.
    """
    of_pcs, of_bms = [
        {f"{one}_trip_bits": (0, 0, trip), f"{one}_info_bits": (s.INT_MAX, s.INT_MAX, info)}
        for one in ("pcs", "bms")
    ]
    desk = Desk(units=3, racks=3, **of_pcs, **of_bms)

    def told():
        return [(desk.of(TOLD[0], s.UNIT, at), desk.of_rack(TOLD[1], at)) for at in range(3)]

    assert told() == [((0, UNKNOWN), (0, UNKNOWN))] * 3
    for at in range(3):
        desk.set_unit(s.PCS_ALARM_BITS, bits, at).put(bms_fault_bits=bits, rack=at)
    desk.step()
    assert told() == [((0, KNOWN), (0, KNOWN))] * 2 + [((level, KNOWN), (level, KNOWN))]


def test_the_state_fault_counts_while_the_unit_may_run():
    """A fault that is kept until a start, or comes with open contactors, is no cause."""
    desk = Desk(units=2)
    permitted_at = [desk.features.layout.unit_output(at, s.PCS_RUN_OK) for at in range(2)]
    desk.features.out[permitted_at[1]] = 1

    def found():
        return [desk.of(m.F_PCS_IN_FAULT, s.UNIT, at) for at in range(2)]

    for state, expected in ((3, 0), (6, 1), (7, 0), (8, 0), (6, 1)):
        desk.set_unit(s.PCS_STATE, state, 0).set_unit(s.PCS_STATE, state, 1).step()
        assert found() == [(0, KNOWN), (expected, KNOWN)], state
    desk.features.out[permitted_at[1]] = 0
    desk.set_unit(s.PCS_STATE, 6, 1).step()
    assert found() == [(0, KNOWN)] * 2


@pytest.mark.parametrize("bits, level", [(0, 1), (1 << 20, 1), (1, 2)])
def test_a_state_without_a_name_is_a_warning(bits, level):
    desk = Desk(units=1, pcs_trip_bits=(1,), pcs_info_bits=(0,))
    desk.set_unit(s.PCS_ALARM_BITS, bits, 0).set_unit(s.PCS_STATE, 8, 0).step()
    assert desk.of(m.F_PCS_FAULT_LEVEL, s.UNIT, 0) == (level, KNOWN)
