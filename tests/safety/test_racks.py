"""Derived signals of the racks: cells, currents, insulation, contactors, and who is due."""

import itertools
import random

import pytest
from checked_ints import Small
from desk import Desk
from rows import ticks

from safety import features, matrix as m, parameters as p, racks, signals as s
from safety.contactors import LOST, STILL_CLOSED, UNKNOWN_FAULT
from safety.runaway import known_as, suspicion_pct
from tests.tables import cases

KNOWN, IN_PART, UNKNOWN = m.KNOWN, m.IN_PART, 0
SECOND = ticks(1000)
CALM_MA = 20_000


def after_seconds(desk, values):
    found = []
    for cell_mV, current_mA in values:
        desk.put(cell_voltage_mV_min=cell_mV, rack_current_mA=current_mA).step(SECOND)
        found.append(desk.of_rack(m.F_CELL_VOLTAGE_DROP_MV)[0])
    return found


def test_a_fall_counts_for_three_seconds_and_a_rise_not_at_all():
    """The first voltage of all is no fall."""
    fall = [(2000, 0)] + [(3300, CALM_MA)] * 4 + [(3050, CALM_MA)] * 4
    assert after_seconds(Desk(), fall) == [0, 0, 0, 0, 0, 250, 250, 250, 0]
    fall = [(3300, 0), (3200, 0), (3050, 0), (3050, 0), (3050, 0), (3300, 0)]
    assert after_seconds(Desk(), fall) == [0, 100, 250, 250, 150, 0]


@cases("""rated_mA step_mA drop_mV
    140_000  0  300 | 140_000  14_000  285 | 140_000  140_000  150 | 140_000  280_000  0
    140_000  420_000  0 | 300_000  300_000  150 | 300_000  30_999  285
    140_000  -140_000  300 | 1000  10_000  500""")
def test_a_load_step_explains_its_sag_and_charging_explains_none(rated_mA, step_mA, drop_mV):
    desk = Desk(rated_current_mA=rated_mA)
    start_mV = 3300 if rated_mA > 1000 else 5000  # so small a rack that a step explains 1.5 V
    assert after_seconds(desk, [(start_mV, 0)] * 3 + [(3000, step_mA)])[-1] == drop_mV


def test_a_load_step_explains_for_three_seconds():
    course = [(3300, 0)] * 3 + [(3300, 140_000)] * 3 + [(3000, 140_000)] * 2
    assert after_seconds(Desk(), course) == [0] * 6 + [300, 300]
    course = [(3300, 0)] * 3 + [(3150, 140_000), (3150, 140_000), (3150, 140_000)]
    assert after_seconds(Desk(), course) == [0] * 6, "the load alone"


@pytest.mark.parametrize("group", [s.G_BMS_CELLS, s.G_BMS_PACK])
def test_an_unknown_voltage_is_nothing_to_fall_from(group):
    desk = Desk()
    after_seconds(desk, [(3300, 0)] * 3)
    assert desk.silence_rack(group).step(3 * SECOND).of_rack(m.F_CELL_VOLTAGE_DROP_MV)[1] == UNKNOWN
    desk.speak().put(cell_voltage_mV_min=2500).step()
    assert desk.of_rack(m.F_CELL_VOLTAGE_DROP_MV) == (0, KNOWN)
    assert after_seconds(desk, [(2500, 0)] * 3) == [0, 0, 0]


@pytest.mark.parametrize("rack", range(3))
def test_each_rack_has_two_seconds_and_a_rating_of_its_own(rack):
    rated_mA = tuple([300_000 if each == rack else 140_000 for each in range(3)])
    desk = Desk(racks=3, rated_current_mA=rated_mA)
    for cell_mV, current_mA, seconds in ((3300, 50_000, 2), (3200, 50_000, 1), (3050, 70_000, 1)):
        desk.put(rack, cell_voltage_mV_min=cell_mV, rack_current_mA=current_mA)
        desk.step(seconds * SECOND)
    # 20 of 300 A explain 10 mV
    drops = [desk.of_rack(m.F_CELL_VOLTAGE_DROP_MV, each)[0] for each in range(3)]
    assert drops == [240 if each == rack else 0 for each in range(3)]
    desk.put(rack, discharge_current_mA_max=3_000_000, charge_current_mA_max=3_000_000)
    desk.put(rack, rack_current_mA=-600_001).step()
    assert desk.of_rack(m.F_CURRENT_OVER_200_MA, rack) == (1, KNOWN)
    assert desk.of_rack(m.F_CURRENT_OVER_105_MA, rack) == (600_001 - 315_000 - 3000, KNOWN)
    desk.put(rack, rack_current_mA=14_999).step()
    assert desk.of_rack(m.F_CONTACTOR_MISMATCH, rack) == (0, KNOWN)


def test_spread_of_the_cells_and_invalid_sensors():
    desk = Desk().put(cell_voltage_mV_max=3456, cell_voltage_mV_min=3123, sensors_invalid_max=3)
    assert desk.step().of_rack(m.F_CELL_SPREAD_MV) == (333, KNOWN)
    assert desk.of_rack(m.F_SENSORS_INVALID_MAX) == (3, KNOWN)
    assert desk.silence_rack(s.G_BMS_PACK).of_rack(m.F_CELL_SPREAD_MV) == (333, KNOWN)
    assert desk.silence_rack(s.G_BMS_CELLS).of_rack(m.F_CELL_SPREAD_MV)[1] == UNKNOWN
    assert desk.silence_rack(s.G_BMS_STATE).of_rack(m.F_SENSORS_INVALID_MAX)[1] == UNKNOWN


@cases("""kohm rack_mV ohm_per_V
    500  1_000_000  500 | 500  1_000_999  500 | 444  888_999  500 | 444  889_000  499
    444  600_000  500 | 443  600_000  498 | 65_535  1000  73_800 | 0  790_000  0
    500  999  None | 500  0  None""")
def test_insulation_is_normalised_to_the_higher_of_measured_and_nominal_voltage(
    kohm, rack_mV, ohm_per_V
):
    """A rack at 600 V of 888 V (240 cells of 3.7 V) was let off a third of the resistance."""
    desk = Desk().put(insulation_kohm=kohm, rack_voltage_mV=rack_mV)
    value, known = desk.step().of_rack(m.F_INSULATION_OHM_PER_V)
    assert (known == UNKNOWN) if ohm_per_V is None else (value, known) == (ohm_per_V, KNOWN)
    assert desk.silence_rack(s.G_BMS_PACK).of_rack(m.F_INSULATION_OHM_PER_V)[1] == UNKNOWN


@cases("""rated_mA current_mA over_mA
    140_000  280_000  0 | 140_000  280_001  1 | 140_000  -280_001  1
    1000  3_000_000  2_998_000""")
def test_current_beyond_twice_the_rating(rated_mA, current_mA, over_mA):
    desk = Desk(rated_current_mA=rated_mA).put(rack_current_mA=current_mA)
    assert desk.step().of_rack(m.F_CURRENT_OVER_200_MA) == (over_mA, KNOWN)
    assert desk.silence_rack(s.G_BMS_LIMITS).of_rack(m.F_CURRENT_OVER_200_MA) == (over_mA, KNOWN)
    assert desk.silence_rack(s.G_BMS_PACK).of_rack(m.F_CURRENT_OVER_200_MA)[1] == UNKNOWN


@pytest.mark.parametrize("sign", [0, 1])
def test_the_hint_of_a_runaway_is_any_sign_of_the_cabinet(sign):
    desk = Desk(racks=2)
    desk.features.value[m.F_ANY_SIGN] = sign
    desk.step()
    assert [desk.of_rack(m.F_RUNAWAY_HINT, rack) for rack in range(2)] == [(sign, KNOWN)] * 2


@pytest.mark.parametrize("report", range(4))
@pytest.mark.parametrize("mismatch", [0, STILL_CLOSED, LOST])
@cases("""current_mA flows
    6999  0 | 7000  1 | -7000  1 | -6999  0""")
def test_votes_on_a_contactor(report, mismatch, current_mA, flows):
    desk = Desk().put(contactor_state=report, rack_current_mA=current_mA)
    desk.features.racks.mismatch[0] = mismatch
    vote = 1 if mismatch == LOST else flows if report == s.CONTACTOR_OPEN else mismatch
    assert desk.step(2).of_rack(m.F_CONTACTOR_MISMATCH) == (vote, KNOWN)


def test_a_current_older_than_the_report_of_open_does_not_count():
    """Every opening with three lost frames under load was row 39 with its shunt trip."""
    desk = Desk().put(contactor_state=s.CONTACTOR_CLOSED, rack_current_mA=100_000)
    pack = desk.step(5).layout.rack_group(0, s.G_BMS_PACK)
    desk.silence(pack).put(contactor_state=s.CONTACTOR_OPEN)
    for _ in range(ticks(500)):
        assert desk.step().of_rack(m.F_CONTACTOR_MISMATCH) == (0, KNOWN)
    desk.silent.clear()
    for current_mA in (100_000, 0, 100_000):
        desk.put(rack_current_mA=current_mA).step()
        assert desk.of_rack(m.F_CONTACTOR_MISMATCH) == (int(current_mA > 0), KNOWN)
    assert desk.silence(pack).step(ticks(500)).of_rack(m.F_CONTACTOR_MISMATCH) == (1, KNOWN)
    # the current is no longer known
    assert desk.step().of_rack(m.F_CONTACTOR_MISMATCH) == (0, IN_PART)
    assert desk.speak().step().of_rack(m.F_CONTACTOR_MISMATCH) == (1, KNOWN)
    desk.put(contactor_state=s.CONTACTOR_PRECHARGE).step()
    desk.put(contactor_state=s.CONTACTOR_OPEN).step()
    assert desk.of_rack(m.F_CONTACTOR_MISMATCH) == (0, KNOWN), "the report is a new one"


@cases("""online told state missing known
    240  0  s.CONTACTOR_CLOSED  0  KNOWN | 239  0  s.CONTACTOR_CLOSED  1  IN_PART
    0  0  s.CONTACTOR_CLOSED  240  IN_PART | 238  5  s.CONTACTOR_CLOSED  5  IN_PART
    230  5  s.CONTACTOR_CLOSED  10  IN_PART | 241  0  s.CONTACTOR_CLOSED  0  KNOWN
    230  5  s.CONTACTOR_OPEN  5  KNOWN | 230  0  s.CONTACTOR_PRECHARGE  10  IN_PART""")
def test_missing_cells_of_a_closed_rack_are_invalid_sensors(online, told, state, missing, known):
    """A rack ran on with none of 240, on the extremes of the cells that were left."""
    desk = Desk(racks=2).put(0, cells_online=240)
    desk.put(1, contactor_state=state, cells_online=online, sensors_invalid_max=told).step(2)
    assert desk.of_rack(m.F_SENSORS_INVALID_MAX, 1) == (missing, KNOWN)
    for name in "voltage_mV_max voltage_mV_min spread_mV voltage_drop_mV".split():
        feature = m.RACK_FEATURES.index(f"cell_{name}")
        assert [desk.of_rack(feature, rack)[1] for rack in range(2)] == [KNOWN, known]
    assert desk.silence_rack(s.G_BMS_PACK, 1).of_rack(m.F_CELL_VOLTAGE_DROP_MV, 1)[1] == UNKNOWN
    assert desk.silence_rack(s.G_BMS_CELLS, 1).of_rack(m.F_CELL_VOLTAGE_MV_MAX, 1)[1] == UNKNOWN
    desk = Desk(cells_reported=0).put(contactor_state=s.CONTACTOR_CLOSED)
    assert desk.step().of_rack(m.F_SENSORS_INVALID_MAX) == (0, KNOWN)


@pytest.mark.parametrize(
    "mismatch, vote",
    [(STILL_CLOSED, (1, KNOWN)), (LOST, (1, KNOWN)), (UNKNOWN_FAULT, (0, IN_PART))],
)
@pytest.mark.parametrize("welded", range(3))
def test_each_rack_has_a_vote_of_its_own(welded, mismatch, vote):
    desk = Desk(racks=3)
    desk.features.racks.mismatch[welded] = mismatch
    for rack in range(3):
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED, rack)
    desk.step()
    votes = [desk.of_rack(m.F_CONTACTOR_MISMATCH, rack) for rack in range(3)]
    assert votes == [vote if rack == welded else (0, KNOWN) for rack in range(3)]


@pytest.mark.parametrize("report, vote", [(s.CONTACTOR_OPEN, 0), (s.CONTACTOR_CLOSED, 1)])
def test_a_vote_without_the_current_is_known_in_part(report, vote):
    desk = Desk().step()
    desk.features.racks.mismatch[0] = STILL_CLOSED
    desk.put(contactor_state=report, rack_current_mA=50_000)
    assert desk.silence_rack(s.G_BMS_PACK).of_rack(m.F_CONTACTOR_MISMATCH) == (vote, IN_PART)
    desk.speak().step()
    assert desk.silence_rack(s.G_BMS_STATE).of_rack(m.F_CONTACTOR_MISMATCH)[1] == UNKNOWN


def test_a_quiet_rack_is_computed_once_a_second_in_its_own_tick():
    desk = Desk(racks=3).step()
    desk.silence(*range(desk.layout.rack_group_base, desk.layout.groups))
    for group in range(desk.layout.rack_group_base, desk.layout.groups):
        desk.features.ages.seen[group] = 0  # never heard: never late either
    looked_at = {rack: [] for rack in range(3)}
    for tick in range(2, 2 * SECOND + 1):
        desk.step()
        for rack in range(3):
            looked_at[rack] += [tick] if desk.features.changed[2 + rack] else []
        assert max(desk.features.racks.clock) < SECOND, "what is carried over is a part of a second"
    assert looked_at == {0: [50, 100], 1: [49, 99], 2: [48, 98]}


@cases("""tick_ms second_ticks
    20  50 | 10  100 | 143  6 | 1000  1 | 2000  1""")
def test_a_second_is_so_many_whole_ticks_and_at_least_one(tick_ms, second_ticks):
    desk = Desk()
    desk.image[p.H_TICK_MS] = tick_ms
    places = desk.layout, desk.image, desk.map, desk.inp, desk.kernel.fresh, desk.out
    found = features.Features(*places)
    assert found.racks.second_ticks == found.gas.second_ticks == second_ticks


def test_the_level_of_a_silence_is_that_of_an_age_that_milliseconds_hold():
    desk = Desk()
    desk.features.tick_ms = Small(1000)
    ladder = desk.map.rack + p.R_BMS_WARN_MS
    assert [desk.features.level(age, ladder) for age in (0, 1, 3, s.TICKS_MAX)] == [0, 2, 3, 3]


def test_the_bucket_of_bad_frames_is_finite_and_its_sum_a_small_number():
    desk = Desk().step()
    desk.features.racks.bad_frames = [Small(0), Small(1000)]
    desk.rack(s.BMS_BAD_FRAMES, s.INT_MAX)
    assert desk.step().of_rack(m.F_BMS_BAD_FRAMES_RECENT) == (1000, KNOWN)


def test_the_suspicion_of_each_rack_is_that_of_its_own_signs():
    desk = Desk(racks=2).silence(*range(50)).step(2 * SECOND)
    # an unknown sign counts nothing
    assert desk.of_rack(m.F_RUNAWAY_SUSPICION_PCT) == (0, IN_PART)
    desk.speak().put(1, cell_voltage_mV_min=3000, cell_voltage_mV_max=3400)
    desk.temperatures([250] * 14 + [401], 1).step()
    found = [desk.of_rack(m.F_RUNAWAY_SUSPICION_PCT, rack) for rack in range(2)]
    assert found == [(0, IN_PART), (200, IN_PART)]


class EveryRack(racks.Racks):
    def _rack(self, rack, block, due):
        self.ages.news[block] = 1
        super()._rack(rack, block, due)


CHANGING = [s.CELL_VOLTAGE_MV_MIN, s.RACK_CURRENT_MA, s.BMS_BAD_FRAMES, s.SENSORS_INVALID_MAX]
CHANGING += [s.MODULE_TEMPERATURE_DDEGC + 1, s.INSULATION_KOHM, s.RACK_VOLTAGE_MV]
# Its two seconds may have moved on without news; the other contains it.
WAITING = (m.F_CELL_VOLTAGE_DROP_MV, m.F_RUNAWAY_SUSPICION_PCT)


@pytest.mark.parametrize("seed", range(3))
def test_leaving_racks_out_changes_nothing(seed):
    chance, lazy, eager = random.Random(seed), Desk(racks=3, modules=4), Desk(racks=3, modules=4)
    eager.features.racks.__class__ = EveryRack
    desks = lazy.step(), eager.step()
    base, width = lazy.features.rack_base, len(m.RACK_FEATURES)
    every = range(len(lazy.features.value))
    compared = [at for at in every if at < base or (at - base) % width not in WAITING]
    left_out = 0
    for _ in range(500):
        for rack in range(3):
            groups = {lazy.layout.rack_group(rack, group) for group in range(len(s.RACK_GROUPS))}
            missing = chance.choice((1, 1, 1, 0.3))
            lazy.silent -= groups
            lazy.silent |= {group for group in groups if chance.random() < missing}
            if not groups <= lazy.silent:
                signal, value = chance.choice(CHANGING), chance.randint(0, 3000)
                for desk in desks:
                    desk.rack(signal, value, rack)
        eager.silent, elapsed = lazy.silent, chance.choice((1, 1, 2, 5))
        for desk in desks:
            desk.step(1, elapsed)
        left_out += list(lazy.features.changed[2:]).count(0)
        for values in ("value", "known"):
            of_lazy, of_eager = (getattr(desk.features, values) for desk in desks)
            assert [of_lazy[at] for at in compared] == [of_eager[at] for at in compared]
    assert left_out > 300


BASE = 200
# sign, of the rack, value that trips its own row: rows 7, 9, 22, 21, 24, 34
SIGNS = (
    ("offgas_ppm", m.F_OFFGAS_PPM_MAX, 0, 20),
    ("toxic_ppm", m.F_TOXIC_PPM, 0, 50),
    ("unexplained_ddegC", m.F_TEMPERATURE_UNEXPLAINED_DDEGC, 1, 5),
    ("over_median_ddegC", m.F_TEMPERATURE_OVER_MEDIAN_DDEGC, 1, 151),
    ("drop_mV", m.F_CELL_VOLTAGE_DROP_MV, 1, 250),
    ("spread_mV", m.F_CELL_SPREAD_MV, 1, 400),
)
PAIRS = list(itertools.permutations(SIGNS, 2))


def suspected(*signs, known=True):
    values, seen = [0] * (2 * BASE), [1] * (2 * BASE)
    for feature, of_rack, value in signs:
        values[feature + of_rack * BASE] = value
        seen[feature + of_rack * BASE] = known
    return suspicion_pct(values, seen, BASE)


@pytest.mark.parametrize("one, other", PAIRS, ids=[f"{one[0]}-{other[0]}" for one, other in PAIRS])
def test_two_signs_add_up(one, other):
    _, first, first_of_rack, first_trips = one
    _, second, second_of_rack, second_trips = other
    full = second, second_of_rack, second_trips
    assert suspected((first, first_of_rack, first_trips), full) == 200
    below = (first_trips - 1) * 100 // first_trips
    assert suspected((first, first_of_rack, first_trips - 1), full) == 100 + below
    assert suspected((first, first_of_rack, 10 * first_trips), full) == 200


@pytest.mark.parametrize("name, feature, of_rack, trips_at", SIGNS, ids=[row[0] for row in SIGNS])
def test_one_sign_alone_is_no_suspicion(name, feature, of_rack, trips_at):
    other = SIGNS[0] if name != SIGNS[0][0] else SIGNS[1]
    full = other[1], other[2], other[3]
    assert suspected((feature, of_rack, trips_at)) == 0
    assert suspected((feature, of_rack, trips_at), full, known=False) == 0
    assert suspected((feature, of_rack, -trips_at), full) == 0


@pytest.mark.parametrize("second_mV, pct", [(99, 0), (100, 125), (103, 125), (104, 126)])
def test_the_second_sign_counts_from_a_quarter_on(second_mV, pct):
    assert suspected((m.F_OFFGAS_PPM_MAX, 0, 20), (m.F_CELL_SPREAD_MV, 1, second_mV)) == pct
    assert suspected((m.F_CELL_SPREAD_MV, 1, second_mV), (m.F_TOXIC_PPM, 0, 50)) == pct


# the group whose silence hides a sign: of the cabinet, from GROUPS on of the rack
GROUPS = 20
HIDDEN_BY = {"offgas_ppm": s.G_OFFGAS_1, "toxic_ppm": s.G_TOXIC}
HEAT = ("unexplained_ddegC", "over_median_ddegC")
HIDDEN_BY |= dict.fromkeys(HEAT, GROUPS + s.G_BMS_TEMPERATURES)
HIDDEN_BY |= dict.fromkeys(("drop_mV", "spread_mV"), GROUPS + s.G_BMS_CELLS)


@pytest.mark.parametrize("is_known", [0, m.IN_PART])
@pytest.mark.parametrize("name, feature, of_rack, _", SIGNS, ids=[row[0] for row in SIGNS])
def test_it_is_known_in_part_while_a_fitted_sign_is_unknown(name, feature, of_rack, _, is_known):
    known, expected = [m.KNOWN] * (2 * BASE), [0] * (2 * GROUPS)
    known[feature + of_rack * BASE] = is_known
    assert known_as(known, expected, BASE, GROUPS) == m.KNOWN
    expected[HIDDEN_BY[name]] = 1
    assert known_as(known, expected, BASE, GROUPS) == m.IN_PART
    assert known_as([m.KNOWN] * (2 * BASE), [1] * (2 * GROUPS), BASE, GROUPS) == m.KNOWN


@cases("""other told
    m.KNOWN  m.DOUBTED | m.DOUBTED  m.DOUBTED | m.IN_PART  m.IN_PART | 0  m.IN_PART""")
@pytest.mark.parametrize("doubted", range(len(SIGNS)))
def test_it_is_doubted_while_a_sign_is_and_none_is_worse(doubted, other, told):
    places = [feature + of_rack * BASE for _, feature, of_rack, _ in SIGNS]
    known, expected = [m.KNOWN] * (2 * BASE), [1] * (2 * GROUPS)
    known[places[doubted]], known[places[doubted - 1]] = m.DOUBTED, other
    assert known_as(known, expected, BASE, GROUPS) == told
    for group in HIDDEN_BY.values():
        expected[group] = 0
    assert known_as(known, expected, BASE, GROUPS) == m.KNOWN
