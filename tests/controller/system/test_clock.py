"""Deadlines: absolute, one tick per deadline, skipped ones counted and never made up for."""

from controller.system import clock
from tests.tables import cases

TICK_US = 20_000
START_US = 1_000_000


@cases("""
    late_us  elapsed_ticks  next_due_us
    -5  1  20_000 | 0  1  20_000 | 1  1  20_000 | 19_999  1  20_000 | 20_000  2  40_000
    39_999  2  40_000 | 40_000  3  60_000 | 200_300  11  220_000 | 1_000_000  51  1_020_000
""")
def test_a_late_tick_runs_once_and_skips_the_rest(late_us, elapsed_ticks, next_due_us):
    deadlines = clock.Deadlines(TICK_US, START_US)
    assert deadlines.begin(START_US + late_us) == elapsed_ticks
    assert deadlines.due_us == START_US + next_due_us
    assert (deadlines.lateness_us, deadlines.missed) == (late_us, elapsed_ticks - 1)


def test_deadlines_do_not_drift_with_lateness_and_no_burst_follows_a_stall():
    deadlines = clock.Deadlines(TICK_US, START_US)
    elapsed = sum(
        deadlines.begin(deadlines.due_us + late_us) for late_us in (7000, 0, 19_999, 3, 45_000, 1)
    )
    assert elapsed == 6 + 2
    assert deadlines.due_us == START_US + 8 * TICK_US


def test_a_write_after_the_next_deadline_is_late_and_counted_in_a_row():
    deadlines = clock.Deadlines(TICK_US, START_US)
    rows = []
    for took_us in (19_999, 20_000, 20_001, 100):
        begin_us = deadlines.due_us
        deadlines.begin(begin_us)
        rows.append((deadlines.end(begin_us + took_us), deadlines.late, deadlines.late_in_a_row))
    assert rows == [(True, 0, 0), (False, 1, 1), (False, 2, 2), (True, 2, 0)]


def test_late_ticks_leave_a_third_of_the_time_to_other_processes():
    """The yield begins with the second late tick. A loop that needs 90 % of a tick is on time again
    at once. Before, the yield did not end at a deadline, so a box stayed late after a short stall.
    """
    deadlines, now_us, began_us = clock.Deadlines(TICK_US, START_US), START_US, []
    for took_us in (30_000, 30_000, 80_000, 18_000, 18_000):
        began_us.append(now_us - START_US)
        deadlines.begin(now_us)
        deadlines.end(now_us + took_us)
        now_us = max(deadlines.next_us, now_us + took_us)
    assert began_us == [0, 30_000, 80_000, 200_000, 220_000]
    assert deadlines.next_us == deadlines.due_us == START_US + 240_000
    assert (deadlines.late, deadlines.late_in_a_row) == (3, 0)


@cases("""
    ticks  runs
    [(0, 5000)] * 3  0 | [(20_000, 0)]  0 | [(40_000, 0)]  1 | [(39_999, 0), (1, 0)]  0
    [(20_000, 0), (20_000, 0)]  0 | [(0, 20_000)]  0 | [(0, 20_000), (0, 20_000)]  1
    [(20_000, 20_000)]  1 | [(0, 20_000), (20_000, 0)]  1 | [(100_000, 30_000), (20_000, 0)]  1
    [(40_000, 0), (40_000, 0)]  2 | [(0, 20_000), (0, 0), (0, 20_000)]  0
""")
def test_deadlines_missed_one_after_another_are_a_run(ticks, runs):
    """ticks: (begins so late, takes so long) in us; a good tick ends a run."""
    deadlines = clock.Deadlines(TICK_US, START_US)
    for late_us, took_us in ticks:
        begin_us = deadlines.due_us + late_us
        deadlines.begin(begin_us)
        deadlines.end(deadlines.due_us - TICK_US + took_us)
    assert deadlines.runs == runs


def test_each_function_reads_its_clock(monkeypatch):
    monkeypatch.setattr(clock.time, "clock_gettime_ns", lambda number: number * 1000)
    monkeypatch.setattr(clock.time, "time_ns", lambda: 9999)
    read = [clock.now_us(), clock.monotonic_us(), clock.raw_us(), int(clock.utc_us())]
    assert read == [clock.time.CLOCK_BOOTTIME, clock.time.CLOCK_MONOTONIC, 4, 9]


@cases("""start_us  first_us
    999_999  1_000_000 | 1_000_000  1_000_000 | 1_000_001  1_020_000""")
def test_deadlines_are_multiples_of_the_tick(start_us, first_us):
    """So a bus knows when a tick begins, without a message from the loop."""
    deadlines = clock.Deadlines(TICK_US, start_us)
    assert deadlines.due_us == deadlines.next_us == first_us
    assert deadlines.begin(first_us) == 1 and deadlines.due_us == first_us + TICK_US
