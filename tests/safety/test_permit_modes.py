"""Test mode, the lock, and the fuse that opens what no contactor may: each to the tick."""

import itertools

import pytest
from bench import default_image
from permit_desk import CLOSING, INHIBITED, READY, RUNNING, STOPPING, TRIPPED, Desk, arrange_one
from rows import ticks
from started import Plant, resting, running

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


def test_after_its_minute_nothing_starts_until_the_request_is_withdrawn():
    bench = running()
    bench.inp[s.TEST_REQUEST] = 1
    bench.wait(TEST_TICKS + 60).step(5)
    for _ in range(100):
        assert bench.step().out[s.STATE] == READY and bench.out[s.ARM_REQUEST] == 0
    bench.inp[s.TEST_REQUEST] = bench.inp[s.RUN_REQUEST] = 0
    bench.step()
    bench.inp[s.TEST_REQUEST] = bench.inp[s.RUN_REQUEST] = 1
    assert bench.step(30).out[s.STATE] == RUNNING
    bench.wait(TEST_TICKS - 60)
    assert bench.out[s.STATE] == RUNNING, "a new request has a minute of its own"


def test_the_minute_counts_from_the_request_and_closing_is_part_of_it():
    bench = resting()
    bench.inp[s.TEST_REQUEST] = 1
    bench.wait(TEST_TICKS - 60)
    bench.inp[s.RUN_REQUEST] = 1
    assert bench.step(30).out[s.STATE] == RUNNING
    assert bench.step(30).out[s.STATE] == RUNNING
    assert bench.step().out[s.STATE] == STOPPING


def test_every_row_stays_armed_during_a_test():
    bench = running()
    bench.inp[s.TEST_REQUEST], bench.inp[s.ESTOP_1_OK] = 1, 0
    assert bench.step().out[s.STATE] == TRIPPED and bench.out[s.CONTACTOR_SUPPLY_OK] == 0


# -- the lock


def locked(bench):
    """Lock the bench out."""
    bench.inp[s.LOCK_OUT_OK] = 0
    return bench


def test_locked_at_rest_nothing_starts():
    bench = locked(resting())
    bench.inp[s.RUN_REQUEST] = 1
    for _ in range(100):
        assert (
            bench.step().out[s.STATE] == INHIBITED
            and bench.out[s.INHIBIT_REASON] == evidence.I_LOCKED
        )
        assert (bench.out[s.CONTACTOR_SUPPLY_OK], bench.out[s.ARM_REQUEST]) == (0, 0)
    bench.inp[s.LOCK_OUT_OK] = 1
    assert bench.step(20).out[s.STATE] == RUNNING


def test_locked_while_closing_the_attempt_ends_and_does_not_count():
    bench = resting(racks=2)
    bench.inp[s.RUN_REQUEST] = 1
    bench.held[bench.rack_at(s.CONTACTOR_STATE, 1)] = s.CONTACTOR_OPEN
    while bench.step().rack(s.CONTACTOR_CLOSE_OK) == 0:
        pass
    assert (
        locked(bench).step().out[s.STATE] == INHIBITED
        and bench.out[s.INHIBIT_REASON] == evidence.I_LOCKED
    )
    assert (bench.out[s.CONTACTOR_SUPPLY_OK], bench.rack(s.CONTACTOR_CLOSE_OK)) == (0, 0)
    assert bench.kernel.permit.tried[0] == 0


def test_locked_while_running_is_a_controlled_stop():
    bench = running()
    bench.load(100_000)
    assert locked(bench).step().out[s.STATE] == STOPPING
    assert (
        bench.out[s.PCS_ENABLE_OK],
        bench.out[s.CONTACTOR_SUPPLY_OK],
        bench.unit(s.PCS_RUN_OK),
    ) == (1, 1, 1)
    bench.step(10).load(0)
    bench.step(5)
    assert bench.out[s.STATE] == INHIBITED and bench.out[s.CONTACTOR_SUPPLY_OK] == 0
    assert bench.step(200).out[s.STATE] == INHIBITED
    bench.inp[s.LOCK_OUT_OK] = 1
    assert bench.step(20).out[s.STATE] == RUNNING


# -- C65: above its breaking capacity no contactor opens; the fuse is waited for

DEMANDS = [
    (pcs, dc)
    for pcs, dc in itertools.product(range(3), range(5))
    if pcs == m.PCS_STOP or dc >= m.DC_OPEN_AT_ZERO
]
WAITED = (1, 10, 100, 250, FUSE_TICKS - 1, FUSE_TICKS, FUSE_TICKS + 1)


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


@pytest.mark.parametrize("current_mA", [BREAKS_MA + 1, -BREAKS_MA - 1, 3_000_000])
def test_every_demand_waits_for_the_fuse_and_then_acts_as_it_would_have(current_mA):
    desk = Desk(racks=2)
    for demand, waited in itertools.product(DEMANDS, WAITED):
        would = opened(desk, TRIPPED, demand, waited, BREAKS_MA)
        waits = waited < FUSE_TICKS
        assert opened(desk, TRIPPED, demand, waited, current_mA) == (would and not waits), (
            demand,
            waited,
        )
    assert would is False and opened(desk, TRIPPED, (2, m.DC_OPEN), FUSE_TICKS, current_mA)


@pytest.mark.parametrize(
    "waited, opens", [(FUSE_TICKS - 1, False), (FUSE_TICKS, True), (FUSE_TICKS + 1, True)]
)
def test_a_controlled_stop_waits_too(waited, opens):
    desk = Desk(racks=2)
    desk.inp[s.LOCK_OUT_OK] = 1
    assert opened(desk, STOPPING, (0, 0), waited, BREAKS_MA + 1) == opens
    assert opened(desk, STOPPING, (0, 0), waited, BREAKS_MA)


def test_a_fuse_that_has_blown_ends_the_waiting():
    desk = Desk(racks=2)
    assert not opened(desk, TRIPPED, (2, m.DC_OPEN), 500, BREAKS_MA + 1)
    for rack in range(2):
        desk.current("zero", rack)
    assert desk.update(2, m.DC_OPEN)[2] == 0


@pytest.mark.parametrize(
    "current_mA, waited", [(3_000_000, FUSE_TICKS), (-3_000_000, FUSE_TICKS), (BREAKS_MA, 10)]
)
def test_a_rack_that_falls_silent_counts_as_it_was_last(current_mA, waited):
    """What shorts a rack may silence its BMS: above the breaking capacity the fuse has its time all
    the same.
    """
    desk = Desk(racks=2)
    arrange_one(desk, TRIPPED)
    for rack in range(2):
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED, rack)
    desk.rack(s.RACK_CURRENT_MA, current_mA, 1)
    desk.know(desk.layout.rack_group(1, s.G_BMS_PACK), False)
    desk.at(TRIPPED, waited=waited - 2)
    assert desk.update(2, m.DC_OPEN)[2] == 1
    assert desk.update(2, m.DC_OPEN)[2] == 0


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


@pytest.mark.parametrize("fuse_wait_ms, waited_ticks", [(0, 10), (100, 10), (220, 11), (1010, 51)])
def test_a_fuse_may_be_quicker_or_not_be_waited_for(fuse_wait_ms, waited_ticks):
    bench = Plant(default_image(fuse_wait_ms=fuse_wait_ms)).step(30)
    assert bench.out[s.STATE] == RUNNING
    bench.load(BREAKS_MA + 1)
    bench.inp[s.ESTOP_1_OK] = 0
    bench.step()
    for _ in range(waited_ticks):
        assert bench.out[s.CONTACTOR_SUPPLY_OK] == 1 and bench.out[s.PCS_ENABLE_OK] == 0
        bench.step()
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0


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


def test_the_fuse_has_its_time_from_when_its_current_flows_however_old_the_trip():
    """A short was opened 100 ms after it began, because the wait had been counted from a trip a
    minute before.
    """
    bench = tripped_long_ago()
    bench.load(600_000)
    assert bench.step(FUSE_TICKS).out[s.CONTACTOR_SUPPLY_OK] == 1 and "36" in bench.standing()
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0


def test_a_current_that_rises_anew_has_the_whole_time_again():
    bench = tripped_long_ago()
    bench.load(600_000)
    assert bench.step(4).standing() == ["41a", "41b"]
    bench.load(50_000)
    bench.step(FUSE_TICKS)
    bench.load(600_000)
    assert bench.step(FUSE_TICKS).out[s.CONTACTOR_SUPPLY_OK] == 1
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0


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


class Told:
    """The contactors of two racks, told to open or to close."""

    def __init__(self, **cabinet):
        self.contactors = Plant(default_image(racks=2, **cabinet)).kernel.contactors
        self.inp = self.contactors.inp
        for group in self.contactors.state_group:
            self.contactors.ages.seen[group] = 1

    def tell(self, close, reports, steps=1, elapsed=1):
        """Step with these reports; returns the mismatch of both racks."""
        for _ in range(steps):
            for rack, report in enumerate(reports):
                self.inp[self.contactors.state_at[rack]] = report
            self.contactors.update(elapsed, close)
        return list(self.contactors.mismatch)


@pytest.mark.parametrize("report", [s.CONTACTOR_CLOSED, s.CONTACTOR_PRECHARGE])
@pytest.mark.parametrize("report_ms", [600, 100, 610])
def test_a_rack_that_still_reports_closed_is_a_mismatch_after_its_time(report, report_ms):
    told, limit = Told(contactor_report_ms=report_ms), ticks(report_ms)
    assert told.tell(1, [s.CONTACTOR_CLOSED] * 2, 100) == [0, 0]
    assert told.tell(0, [s.CONTACTOR_OPEN, report], limit - 1) == [0, 0]
    assert told.tell(0, [s.CONTACTOR_OPEN, report]) == [0, 0]
    assert told.tell(0, [s.CONTACTOR_OPEN, report]) == [0, 1]
    assert told.tell(0, [report, s.CONTACTOR_OPEN]) == [1, 0], (
        "the other one has been told for as long"
    )
    assert told.tell(1, [report] * 2) == [0, 0], "told to close again"
    assert told.tell(0, [report] * 2, limit) == [0, 0]
    assert told.tell(0, [report] * 2) == [1, 1]


@pytest.mark.parametrize("report", [s.CONTACTOR_OPEN, s.CONTACTOR_FAULT])
def test_a_rack_that_reports_anything_else_is_none(report):
    told = Told()
    told.tell(0, [s.CONTACTOR_OPEN] * 2)
    assert told.tell(0, [report] * 2, 100) == [0, 0]


def test_a_rack_that_failed_to_close_was_told_to_open():
    told = Told()
    told.tell(1, [s.CONTACTOR_CLOSED, s.CONTACTOR_FAULT])
    assert told.tell(1, [s.CONTACTOR_CLOSED] * 2, ticks(600) - 2) == [0, 0]
    assert told.tell(1, [s.CONTACTOR_CLOSED] * 2) == [0, 0]
    assert told.tell(1, [s.CONTACTOR_CLOSED] * 2) == [0, 1]


@pytest.mark.parametrize("elapsed, steps", [(3, 10), (10, 3), (30, 1), (1_000_000, 1)])
def test_late_steps_count_in_full_but_the_one_that_commands(elapsed, steps):
    """An E-stop in a step 480 ms late: its opening was taken for 480 ms old, and the shunt trip
    followed a rack that reported open 480 ms after its command, well within its 600 ms.
    """
    told = Told()
    told.tell(1, [s.CONTACTOR_CLOSED] * 2)
    assert told.tell(0, [s.CONTACTOR_CLOSED] * 2, 1, elapsed) == [0, 0]
    assert steps == 1 or told.tell(0, [s.CONTACTOR_CLOSED] * 2, steps - 1, elapsed) == [0, 0]
    assert told.tell(0, [s.CONTACTOR_CLOSED] * 2, 1, elapsed) == [1, 1]


def test_the_time_since_the_command_stays_in_range():
    told = Told()
    told.contactors.open_ticks[0] = s.TICKS_MAX - 1
    assert told.tell(0, [s.CONTACTOR_CLOSED] * 2, 3, 1_000_000)[0] == 1
    assert told.contactors.open_ticks[0] == s.TICKS_MAX


def test_closing_is_no_longer_a_state_once_it_runs():
    """The bench of this file: from rest to running it passes through closing."""
    bench = resting()
    bench.inp[s.RUN_REQUEST] = 1
    seen = [bench.step().out[s.STATE] for _ in range(30)]
    assert [state for state, _ in itertools.groupby(seen)] == [READY, CLOSING, RUNNING]


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
