"""Lateness statistics: percentiles, counters, a file that can be read at any time."""

import pytest

from controller.run import loop_statistics
from controller.system import clock
from tests.tables import cases


def written(path, latenesses_us, tick_us=20_000):
    loop = loop_statistics.LoopStatistics(str(path))
    deadlines = clock.Deadlines(tick_us, 0)
    for lateness_us in latenesses_us:
        now_us = deadlines.due_us + lateness_us
        deadlines.begin(now_us)
        deadlines.end(now_us)
        loop.note(deadlines)
    return loop


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "loop.stats")


@cases("""
    latenesses_us  missed  p50  p99  p99_9  highest
    [7]  0  7  7  7  7
    [-3]  0  0  0  0  0  # a tick that begins early is not late
    [0, 0, 0, 100]  0  0  100  100  100
    list(range(1, 1001))  0  500  990  999  1000
    [5] * 999 + [19_999]  0  5  5  5  19_999
    [5] * 998 + [6, 19_999]  0  5  5  6  19_999
    [20_000]  1  20_000  20_000  20_000  20_000  # later than the histogram counts in its last place
    [65_000]  3  20_000  20_000  20_000  65_000
""")
def test_percentile_is_the_smallest_lateness_that_so_many_ticks_keep(
    path, latenesses_us, missed, p50, p99, p99_9, highest
):
    written(path, [9] * 10).close()  # a start begins a new file
    loop = written(path, latenesses_us)
    assert loop_statistics.read(path) == {
        "ticks": len(latenesses_us),
        "missed": missed,
        "late": 0,
        "runs": int(missed > 1),
        "lateness_us": {"p50": p50, "p99": p99, "p99_9": p99_9, "max": highest},
    }
    loop.close()


def test_write_that_ends_after_the_next_deadline_is_late(path):
    loop, deadlines = loop_statistics.LoopStatistics(path), clock.Deadlines(20_000, 0)
    assert loop_statistics.read(path) is None, "no tick yet"
    for tick in range(3):
        deadlines.begin(deadlines.due_us)
        deadlines.end(deadlines.due_us + (tick == 1))
        loop.note(deadlines)
    loop.close()
    found = loop_statistics.read(path)
    assert [found[name] for name in loop_statistics.COUNTERS] == [3, 0, 3, 1]


def test_figures_since_an_earlier_content_are_of_the_ticks_between(path):
    latenesses_us = [70_000, 9, 9, 5, 20_003]
    before, after = [
        (written(path, latenesses_us[:count]), loop_statistics.content(path))[1] for count in (1, 5)
    ]
    found = loop_statistics.figures(after, before)
    lateness_us = {"p50": 9, "p99": 20_000, "p99_9": 20_000, "max": 20_000}
    assert found == {"ticks": 4, "missed": 1, "late": 0, "runs": 0, "lateness_us": lateness_us}
    none = loop_statistics.figures(after, after)
    assert none["ticks"] == none["lateness_us"]["max"] == 0


def test_what_is_no_statistics_file_is_none(tmp_path, path):
    assert loop_statistics.read(path) is loop_statistics.read(str(tmp_path)) is None
    for content in (b"", b"FBLOOP", bytes(200_000)):
        (tmp_path / "loop.stats").write_bytes(content)
        assert loop_statistics.read(path) is None


def test_a_full_bucket_stays_full(path):
    """A loop that was late in every tick of 2.7 years ended at the next one."""
    loop, deadlines = written(path, [7]), clock.Deadlines(20_000, 0)
    loop._counts[7] = 2**32 - 1
    deadlines.begin(deadlines.due_us + 7)
    loop.note(deadlines)
    assert loop._counts[7] == 2**32 - 1
    loop.close()
