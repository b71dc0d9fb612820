"""Lateness statistics: percentiles as defined, counters as the loop has them, a file anybody can
read at any time.
"""

import pytest

from controller.run import loop_statistics
from controller.system import clock


def written(path, latenesses_us, tick_us=20_000):
    """A statistics file after one tick of each lateness; returns it still open."""
    loop = loop_statistics.LoopStatistics(str(path))
    deadlines = clock.Deadlines(tick_us, 0)
    for lateness_us in latenesses_us:
        now_us = deadlines.due_us + lateness_us
        deadlines.begin(now_us)
        deadlines.end(now_us)
        loop.note(deadlines)
    return loop


@pytest.mark.parametrize(
    "latenesses_us, p50, p99, p99_9, highest",
    [
        ([7], 7, 7, 7, 7),
        ([0, 0, 0, 100], 0, 100, 100, 100),
        (list(range(1, 1001)), 500, 990, 999, 1000),
        ([5] * 999 + [19_999], 5, 5, 5, 19_999),
        ([5] * 998 + [6, 19_999], 5, 5, 6, 19_999),
    ],
)
def test_a_percentile_is_the_smallest_lateness_that_so_many_ticks_keep(
    tmp_path, latenesses_us, p50, p99, p99_9, highest
):
    path = tmp_path / "loop.stats"
    loop = written(path, latenesses_us)
    assert loop_statistics.read(str(path)) == {
        "ticks": len(latenesses_us),
        "missed": 0,
        "late": 0,
        "runs": 0,
        "lateness_us": {"p50": p50, "p99": p99, "p99_9": p99_9, "max": highest},
    }
    loop.close()


@pytest.mark.parametrize(
    "lateness_us, missed, p99", [(19_999, 0, 19_999), (20_000, 1, 20_000), (65_000, 3, 20_000)]
)
def test_later_than_the_histogram_counts_in_its_last_place_and_as_missed(
    tmp_path, lateness_us, missed, p99
):
    path = tmp_path / "loop.stats"
    written(path, [lateness_us]).close()
    read = loop_statistics.read(str(path))
    assert (read["missed"], read["lateness_us"]["p99"], read["lateness_us"]["max"]) == (
        missed,
        p99,
        lateness_us,
    )


def test_a_tick_that_begins_early_is_not_late(tmp_path):
    path = tmp_path / "loop.stats"
    written(path, [-3]).close()
    assert loop_statistics.read(str(path))["lateness_us"]["max"] == 0


def test_a_write_that_ends_after_the_next_deadline_is_late(tmp_path):
    path = tmp_path / "loop.stats"
    loop, deadlines = loop_statistics.LoopStatistics(str(path)), clock.Deadlines(20_000, 0)
    for tick in range(3):
        deadlines.begin(deadlines.due_us)
        deadlines.end(deadlines.due_us + (tick == 1))
        loop.note(deadlines)
    loop.close()
    assert [loop_statistics.read(str(path))[name] for name in loop_statistics.COUNTERS] == [
        3,
        0,
        3,
        1,
    ]


def test_a_start_begins_a_new_file(tmp_path):
    path = tmp_path / "loop.stats"
    written(path, [9] * 10).close()
    written(path, [1]).close()
    assert (
        loop_statistics.read(str(path))["ticks"] == 1
        and loop_statistics.read(str(path))["lateness_us"]["max"] == 1
    )


def test_what_is_no_statistics_file_is_none(tmp_path):
    assert loop_statistics.read(str(tmp_path / "absent")) is None
    assert loop_statistics.read(str(tmp_path)) is None, "what cannot be read is none either"
    path = tmp_path / "loop.stats"
    for content in (b"", b"FBLOOP", bytes(200_000)):
        path.write_bytes(content)
        assert loop_statistics.read(str(path)) is None


def test_a_file_without_a_tick_is_none_yet(tmp_path):
    path = tmp_path / "loop.stats"
    loop = loop_statistics.LoopStatistics(str(path))
    assert loop_statistics.read(str(path)) is None
    loop.close()
