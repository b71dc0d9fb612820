"""Votes of the gas detectors against a computation of their own, and the rise of toxic gas."""

import itertools
import random

import pytest
from desk import Desk
from rows import ticks

from safety import gas, matrix as m, signals as s

KNOWN, IN_PART, UNKNOWN = m.KNOWN, m.IN_PART, 0
SECOND, BUDGET = ticks(1000), ticks(3000)
NEVER = 10**9
# kind: (group, value) of each detector; its `ok` and its days to calibration follow the value
KINDS = {
    "combustible": ((s.G_GAS_1, s.GAS_1_LFL_PERMILLE), (s.G_GAS_2, s.GAS_2_LFL_PERMILLE)),
    "vapour": ((s.G_OFFGAS_1, s.OFFGAS_1_PPM), (s.G_OFFGAS_2, s.OFFGAS_2_PPM)),
    "toxic": ((s.G_TOXIC, s.TOXIC_PPM),),
}
HIGHEST = dict(zip(KINDS, (m.F_GAS_LFL_PERMILLE_MAX, m.F_OFFGAS_PPM_MAX, m.F_TOXIC_PPM)))
FITTED = [each for each in itertools.product(range(3), range(3), range(2)) if any(each)]
REQUIRED = [(each, 1) for each in FITTED] + [((2, 2, 1), 0)]


def desk_with(combustible=2, vapour=2, toxic=1, **cabinet):
    desk = Desk(gas_detectors=combustible, offgas_detectors=vapour, toxic_fitted=toxic, **cabinet)
    for detectors in KINDS.values():
        for _, value in detectors:
            desk.inp[value + 1], desk.inp[value + 2] = 1, 90
    return desk


def in_part(found, fitted):
    return UNKNOWN if not found else KNOWN if found == fitted else IN_PART


def votes(desk, fitted, required, silent_ticks):
    """{feature: (value, known)}; silent_ticks: since each group was heard (NEVER: not yet)."""
    found, heard, faulty, silent, days, all_seen, any_good = {}, 0, 0, 0, [], True, 0
    for (kind, detectors), count in zip(KINDS.items(), fitted):
        good, read = 0, []
        for group, value in detectors[:count]:
            all_seen &= silent_ticks[group] != NEVER
            if silent_ticks[group] > BUDGET:
                silent += silent_ticks[group] != NEVER
                continue
            heard += 1
            days.append(desk.inp[value + 2])
            good, faulty = good + desk.inp[value + 1], faulty + 1 - desk.inp[value + 1]
            if desk.inp[value + 1] or desk.inp[value]:
                read.append(desk.inp[value])
        known = IN_PART if read and not good else in_part(good, count)
        found[HIGHEST[kind]] = max(read, default=0), known
        if kind == "vapour" and len(read) < 2:
            found[m.F_OFFGAS_PPM_SECOND] = 0, UNKNOWN
        elif kind == "vapour":
            found[m.F_OFFGAS_PPM_SECOND] = min(read), KNOWN if good > 1 else IN_PART
        any_good += good
        if kind == "combustible" or not fitted[0]:  # the last one to be written is of all kinds
            lost = int(all_seen and not any_good) * required
            found[m.F_GAS_DETECTORS_LOST] = lost, KNOWN if all_seen else IN_PART
    every = KNOWN if heard == sum(fitted) else IN_PART
    found[m.F_GAS_DETECTORS_FAULTY] = (faulty, every)
    found[m.F_GAS_DETECTORS_SILENT] = (silent, KNOWN if all_seen else IN_PART)
    found[m.F_GAS_CALIBRATION_D_MIN] = (min(days, default=s.INT_MAX), every if heard else UNKNOWN)
    return found


@pytest.mark.parametrize("fitted, required", REQUIRED)
def test_votes_over_random_courses(fitted, required):
    """Vapour and toxic detectors that are not fitted may report any value."""
    chance = random.Random(sum(100**place * count for place, count in enumerate(fitted)))
    desk, detectors = desk_with(*fitted, gas_required=required), sum(KINDS.values(), ())
    voted = [kind[:count] for kind, count in zip(KINDS.values(), fitted)]
    silent_ticks = {group: NEVER for group, _ in detectors}
    for _ in range(150):
        elapsed = chance.choice((1, 40, 90))
        for group, value in detectors:
            desk.silent.discard(group)
            if chance.random() < 0.6 or (group, value) in KINDS["combustible"][fitted[0] :]:
                desk.silence(group)
                silent_ticks[group] = min(NEVER, silent_ticks[group] + elapsed)
                continue
            silent_ticks[group] = 0
            desk.set(value, chance.choice((0, 20, 260))).set(value + 1, chance.random() < 0.7)
            desk.inp[value + 2] = chance.randint(-5, 100)
        desk.step(1, elapsed=elapsed)
        if any(silent_ticks[group] != NEVER for group, _ in sum(voted, ())):
            for feature, expected in votes(desk, fitted, required, silent_ticks).items():
                value, known = desk.of(feature)
                name = m.CABINET_FEATURES[feature]
                assert (value if known else expected[0], known) == expected, name


HOLE = "not known"  # another value than a rise of 0


def rises(desk, values):
    """The rise after each of the values, one a second, or HOLE. None: silent for that second."""
    found = []
    for value in values:
        desk.silent.discard(s.G_TOXIC)
        if value is None:
            desk.silence(s.G_TOXIC)
        else:
            desk.inp[s.TOXIC_PPM] = value
        desk.step(SECOND)
        found.append(desk.of(m.F_TOXIC_RISE_PPM)[0] if desk.of(m.F_TOXIC_RISE_PPM)[1] else HOLE)
    return found


def test_a_rise_is_the_difference_to_ten_seconds_ago_and_to_five():
    chance = random.Random(10)
    values = [chance.randint(0, 10_000) for _ in range(45)]
    found = [
        min(now - whole, 2 * (now - half) + 1)
        for whole, half, now in zip(values, values[5:], values[10:])
    ]
    assert rises(desk_with(), values) == [HOLE] * 10 + found
    # where the half is not known the whole counts
    assert rises(desk_with(), [0] * 12 + [None] * 4 + [30] * 6)[-4:] == [30, 30, 30, 1]


def test_it_is_looked_at_at_the_end_of_each_second_and_kept_between():
    desk = desk_with()
    rises(desk, [5] * 10)
    assert desk.set(s.TOXIC_PPM, 65).step(SECOND - 1).of(m.F_TOXIC_RISE_PPM)[1] == UNKNOWN
    assert desk.step().of(m.F_TOXIC_RISE_PPM) == (60, KNOWN)
    assert desk.set(s.TOXIC_PPM, 5).step(SECOND - 1).of(m.F_TOXIC_RISE_PPM) == (60, KNOWN)
    assert desk.step().of(m.F_TOXIC_RISE_PPM) == (0, KNOWN)


def test_a_silence_leaves_holes_ten_seconds_later():
    """Silent for 6 s, 3 of them still known: no rise begins at an unknown value."""
    found = rises(desk_with(), [0] * 12 + [None] * 6 + [40] * 14)
    assert found[:18] == [HOLE] * 10 + [0] * 5 + [HOLE] * 3
    assert found[18:] == [40] * 5 + [1] * 2 + [HOLE] * 3 + [0] * 4


@pytest.mark.parametrize("loss", ["silent", "faulty"])
def test_a_rise_is_unknown_from_the_tick_of_the_loss(loss):
    desk = desk_with()
    rises(desk, [0] * 10 + [60])
    assert desk.of(m.F_TOXIC_RISE_PPM) == (60, KNOWN)
    if loss == "silent":
        assert desk.silence(s.G_TOXIC).step(BUDGET).of(m.F_TOXIC_RISE_PPM)[1] == KNOWN
    else:
        desk.inp[s.TOXIC_OK] = desk.inp[s.TOXIC_PPM] = 0
    assert desk.step(10).of(m.F_TOXIC_RISE_PPM)[1] == UNKNOWN
    desk.speak().set(s.TOXIC_OK, 1).set(s.TOXIC_PPM, 60)
    assert (desk.step().of(m.F_TOXIC_PPM), desk.of(m.F_TOXIC_RISE_PPM)[1]) == ((60, KNOWN), UNKNOWN)
    assert desk.step(SECOND).of(m.F_TOXIC_RISE_PPM) == (60, KNOWN)


def test_the_history_is_written_forwards_one_place_a_second():
    """A keyframe names the place: a replay by another version must write the same one."""
    desk = Desk()
    places = [desk.step(SECOND).features.gas.clock[1] for _ in range(2 * gas.RISE_S)]
    assert places == [*range(1, gas.RISE_S), 0] * 2
