"""Steps that come late: three of 0.1 s or more within 10 s (row 44g)."""

import pytest
from bench import Bench, default_image
from rows import ticks
from started import running

from safety import matrix as m, pace as pace_module, signals as s
from tests.tables import cases

LATE_TICKS, WINDOW_TICKS = ticks(100), ticks(10_000)


def watched():
    bench = running()
    bench.counts_late_steps = True
    return bench


def late(bench, elapsed=LATE_TICKS):
    return bench.step(1, elapsed=elapsed)


@cases("""elapsed trips
    LATE_TICKS-1  False | LATE_TICKS  True | LATE_TICKS+1  True""")
def test_the_third_late_step_trips(elapsed, trips):
    bench = watched()
    for _ in range(2):
        assert late(bench, elapsed).step(10).standing() == []
    assert ("44g" in late(bench, elapsed).standing()) == trips
    assert bench.out[s.PCS_ENABLE_OK] == (not trips)


@cases("""between_ticks trips
    WINDOW_TICKS-1  True | WINDOW_TICKS  False""")
def test_three_count_while_the_first_is_less_than_10_s_old(between_ticks, trips):
    """Time from the first to the third; the third itself takes its time too."""
    bench = late(late(watched()).step(between_ticks - 2 * LATE_TICKS))
    assert ("44g" in late(bench).standing()) == trips


def test_each_late_step_is_forgotten_by_itself_and_no_count_grows_on():
    bench = late(late(late(watched()).step(50)).step(50))
    counts = bench.kernel.features
    pace, seen = counts.pace, []
    for _ in range(WINDOW_TICKS + 1):
        seen.append(counts.value[m.F_LATE_STEPS])
        bench.step()
    assert [seen.count(left) for left in (3, 2, 1)] == [
        WINDOW_TICKS - 100 - 2 * LATE_TICKS,
        50 + LATE_TICKS,
        50 + LATE_TICKS,
    ]
    assert max(pace.words[pace_module.LATE :]) == WINDOW_TICKS


@pytest.mark.parametrize("tick_ms", [100, 500])
def test_a_step_on_time_is_never_late(tick_ms):
    bench = Bench(default_image(tick_ms=tick_ms))
    bench.counts_late_steps = True
    assert bench.step(5).of(m.F_LATE_STEPS)[0] == 0
    assert bench.step(1, elapsed=2).of(m.F_LATE_STEPS)[0] == 1
