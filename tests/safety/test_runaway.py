"""The suspicion of a runaway, sign by sign, against a table of its own."""

import itertools

import pytest
from text_cases import cases

from safety import matrix as m, signals as s
from safety.runaway import known_as, suspicion_pct

BASE = 200
# sign, of the rack, what trips its own row: rows 7, 9, 22, 21, 24, 34.
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
    """Percent when these (feature, of the rack, value) are read and all others are 0."""
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


# The group whose silence hides a sign; those of the cabinet, then those of the rack, which begin at
# GROUPS.
GROUPS = 20
HIDDEN_BY = {
    "offgas_ppm": s.G_OFFGAS_1,
    "toxic_ppm": s.G_TOXIC,
    "unexplained_ddegC": GROUPS + s.G_BMS_TEMPERATURES,
    "over_median_ddegC": GROUPS + s.G_BMS_TEMPERATURES,
    "drop_mV": GROUPS + s.G_BMS_CELLS,
    "spread_mV": GROUPS + s.G_BMS_CELLS,
}


@pytest.mark.parametrize("is_known", [0, m.IN_PART])
@pytest.mark.parametrize("name, feature, of_rack, _", SIGNS, ids=[row[0] for row in SIGNS])
def test_it_is_known_in_part_while_a_fitted_sign_is_unknown(name, feature, of_rack, _, is_known):
    known, expected = [m.KNOWN] * (2 * BASE), [0] * (2 * GROUPS)
    known[feature + of_rack * BASE] = is_known
    assert known_as(known, expected, BASE, GROUPS) == m.KNOWN
    expected[HIDDEN_BY[name]] = 1
    assert known_as(known, expected, BASE, GROUPS) == m.IN_PART
    assert known_as([m.KNOWN] * (2 * BASE), [1] * (2 * GROUPS), BASE, GROUPS) == m.KNOWN


@cases("other told | m.KNOWN m.DOUBTED | m.DOUBTED m.DOUBTED | m.IN_PART m.IN_PART | 0 m.IN_PART")
@pytest.mark.parametrize("doubted", range(len(SIGNS)))
def test_it_is_doubted_while_a_sign_is_and_none_is_worse(doubted, other, told):
    places = [feature + of_rack * BASE for _, feature, of_rack, _ in SIGNS]
    known, expected = [m.KNOWN] * (2 * BASE), [1] * (2 * GROUPS)
    known[places[doubted]], known[places[doubted - 1]] = m.DOUBTED, other
    assert known_as(known, expected, BASE, GROUPS) == told
    for group in HIDDEN_BY.values():
        expected[group] = 0
    assert known_as(known, expected, BASE, GROUPS) == m.KNOWN
