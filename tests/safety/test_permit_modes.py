"""Test mode, the lock, and the fuse that opens what no contactor may: each to the tick."""

import pytest
from bench import default_image
from permit_desk import CLOSING, INHIBITED, READY, RUNNING, STOPPING, TRIPPED, Desk, arrange_one
from rows import ticks
from started import running

from safety import bounds, evidence
from safety import matrix as m
from safety import parameters as p
from safety import permit as permits
from safety import signals as s

RATED_W = 250_000
TEST_TICKS, FUSE_TICKS = ticks(60_000), ticks(30_000)
BREAKS_MA = 300_000
PUBLISHED = (s.CHARGE_W_MAX, s.DISCHARGE_W_MAX)


# -- TEST: 5 % of rated for a minute


def test_a_test_has_five_percent_both_ways_and_says_so():
    bench = running()
    bench.inp[s.TEST_REQUEST] = 1
    bench.step()
    assert [bench.unit(signal) for signal in PUBLISHED] == [RATED_W // 20] * 2
    assert {
        bounds.LIMITS[bench.unit(signal)] for signal in (s.CHARGE_REASON, s.DISCHARGE_REASON)
    } == {"test"}
    bench.inp[s.TEST_REQUEST] = 0
    assert RATED_W // 20 < bench.step().unit(s.CHARGE_W_MAX) < RATED_W // 19, (
        "and full power comes back slowly"
    )


def test_every_unit_is_under_test_and_a_tighter_limit_still_binds():
    bench = running(units=2, racks=4)
    bench.inp[s.TEST_REQUEST] = 1
    for rack in (1, 3):
        bench.set_rack(s.CHARGE_CURRENT_MA_MAX, 1000, rack)
    bench.step()
    assert [bench.unit(s.CHARGE_W_MAX, unit) for unit in range(2)] == [RATED_W // 20, 1422]
    assert bounds.LIMITS[bench.unit(s.CHARGE_REASON, 1)] == "bms_current"


@pytest.mark.parametrize(
    "ticks_in_test, state",
    [(TEST_TICKS - 1, RUNNING), (TEST_TICKS, RUNNING), (TEST_TICKS + 1, STOPPING)],
)
def test_a_test_ends_by_itself_in_a_controlled_stop(ticks_in_test, state):
    bench = running()
    bench.load(100_000)
    bench.inp[s.TEST_REQUEST] = 1
    bench.wait(ticks_in_test - 3).step(3)
    assert bench.out[s.STATE] == state and bench.out[s.PCS_ENABLE_OK] == 1


def test_every_row_stays_armed_during_a_test():
    bench = running()
    bench.inp[s.TEST_REQUEST], bench.inp[s.ESTOP_1_OK] = 1, 0
    assert bench.step().out[s.STATE] == TRIPPED and bench.out[s.CONTACTOR_SUPPLY_OK] == 0


# -- the lock


# -- C65: above its breaking capacity no contactor opens; the fuse is waited for


def opened(desk, state, demand, waited, current_mA):
    """Whether a desk that stands in a state for so long has opened with its second rack at this
    current.
    """
    arrange_one(desk, state)
    desk.at(state, waited=waited - 1)
    for rack in range(2):
        desk.current("load", rack)
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED, rack)
    desk.rack(s.RACK_CURRENT_MA, current_mA, 1)
    return desk.update(*demand)[2] == 0


@pytest.mark.parametrize(
    "rack, current_mA, above",
    [(0, 300_001, True), (0, 300_000, False), (1, 1001, True), (1, 1000, False), (1, -1001, True)],
)
def test_each_rack_has_a_breaking_capacity_of_its_own(rack, current_mA, above):
    image = default_image(racks=2)
    image[p.ImageMap(1, 2, m.STAGES_PER_SCOPE).rack + p.RACK_WORDS + p.R_BREAK_CURRENT_MA] = 1000
    desk = Desk(racks=2, image=image)
    desk.rack(s.RACK_CURRENT_MA, current_mA, rack)
    assert desk.permit.contactors.above_breaking() == above


def test_a_short_circuit_while_running_waits_for_the_fuse():
    bench = running()
    bench.load(1_000_000)
    bench.step(ticks(100))
    assert bench.standing() == ["36"] and bench.out[s.STATE] == TRIPPED
    bench.step(FUSE_TICKS - 1)
    assert (bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]) == (0, 1)
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0


def tripped_long_ago():
    """41b has stopped the PCS and latched, and opens nothing: the contactors stay closed, without
    current.
    """
    bench = running()
    measured = bench.layout.unit_group(0, s.G_PCS_MEASURE)
    bench.silent = {measured}
    bench.step(175)
    bench.silent = set()
    bench.wait(3000)
    assert (bench.standing(), bench.out[s.STATE], bench.out[s.CONTACTOR_SUPPLY_OK]) == (
        ["41a", "41b"],
        TRIPPED,
        1,
    )
    return bench


@pytest.mark.parametrize(
    "signal, debounce_ms, waited_ms", [(s.LEAK_OK, 2000, 2000), (s.CELL_VOLTAGE_OK, 200, 200)]
)
def test_a_demand_to_open_has_its_time_from_when_it_comes_however_old_the_trip(
    signal, debounce_ms, waited_ms
):
    bench = tripped_long_ago()
    bench.load(60_000)
    bench.inp[signal] = 0
    bench.step(ticks(debounce_ms))
    assert len(bench.standing()) == 3
    assert bench.step(ticks(waited_ms) - 1).out[s.CONTACTOR_SUPPLY_OK] == 1
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0


def test_waiting_begins_in_its_step_however_late_and_counts_every_tick_after_it():
    permit = Desk().permit
    for elapsed, is_due, waited in (
        (5, True, 0),
        (7, True, 7),
        (3, True, 10),
        (4, False, -1),
        (9, True, 0),
        (1, True, 1),
    ):
        permit._wait(permits.W_DEMAND, elapsed, is_due)
        assert list(permit.waited) == [permits.NOT_WAITING, waited]


def test_a_late_step_waits_no_longer():
    desk = Desk(racks=2)
    assert not opened(desk, TRIPPED, (2, m.DC_OPEN), 1, BREAKS_MA + 1)
    assert desk.update(2, m.DC_OPEN, elapsed=FUSE_TICKS - 2)[2] == 1
    assert desk.update(2, m.DC_OPEN, elapsed=1)[2] == 0


def test_waiting_is_never_longer_than_can_be_counted():
    desk = Desk(racks=2)
    opened(desk, TRIPPED, (2, m.DC_OPEN), 1, BREAKS_MA + 1)
    for _ in range(3):
        desk.update(2, m.DC_OPEN, elapsed=s.TICKS_MAX - 1)
    assert list(desk.permit.waited) == [s.TICKS_MAX, s.TICKS_MAX]


# -- row 39: told to open and still closed


# -- what is said of the start, and for how long is counted


def test_the_count_of_the_evidence_is_said_at_rest_and_stays_as_it_was_later():
    desk = Desk()
    desk.inp[s.KEY_RUN_OK] = 0
    for state in (INHIBITED, READY, CLOSING):
        desk.at(state)
        desk.out[s.EVIDENCE_COUNT] = -7
        desk.update()
        assert desk.out[s.EVIDENCE_COUNT] == desk.permit.evidence.done != -7
    for state in (RUNNING, STOPPING, TRIPPED):
        desk.at(state)
        desk.out[s.EVIDENCE_COUNT] = -7
        desk.update()
        assert desk.out[s.EVIDENCE_COUNT] == -7


@pytest.mark.parametrize("state", [RUNNING, STOPPING])
@pytest.mark.parametrize(
    "pcs, dc, reason",
    [
        (0, 0, evidence.I_NONE),
        (m.PCS_RAMP, 0, evidence.I_NONE),
        (m.PCS_RAMP, m.DC_INHIBIT, evidence.I_INTERLOCK),
    ],
)
def test_past_the_start_only_what_forbids_closing_is_named(state, pcs, dc, reason):
    desk = Desk()
    arrange_one(desk, state)
    desk.rack(s.CELLS_ONLINE, 0)
    desk.inp[s.RUN_REQUEST] = desk.inp[s.LOCK_OUT_OK] = 1
    desk.update(pcs, dc)
    assert desk.out[s.INHIBIT_REASON] == reason


def test_the_times_of_a_state_and_of_a_test_stay_small_numbers():
    desk = Desk()
    desk.inp[s.TEST_REQUEST] = 1
    for _ in range(3):
        desk.update(elapsed=s.TICKS_MAX)
    assert desk.permit.timer[0] == desk.permit.tried[1] == s.TICKS_MAX
