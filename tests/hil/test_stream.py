"""Loads that are made or read as time goes on."""

import csv
import functools
import gzip
import itertools
import tracemalloc

import numpy as np
import pytest

from hil.loads import shape, stream
from hil.loads.stream import DAY_S, Job
from hil.loads.trace import LoadError, Trace


def written(tmp_path, text):
    path = tmp_path / "load.csv"
    path.write_text(text)
    return path


def test_a_quarter_hour_profile_of_50_MW_is_joined_and_a_longer_pause_holds(tmp_path):
    path = written(tmp_path, "t_s,a_kW\n100,10000\n1000,50000\n1900,30000\n2801,0\n")
    one = stream.of_file(path)
    expected = {0: 10e6, 450: 30e6, 900: 50e6, 1350: 40e6, 1800: 30e6, 2700: 30e6, 2701: 0, 1e9: 0}
    assert [one(t_s) for t_s in expected] == list(expected.values())
    assert one(0) == 0  # time only goes on
    scaled = stream.of_file(path, "a_kW", 0.5)
    assert scaled(900) == 25e6


def test_wrong_rows_are_left_out(tmp_path):
    path = written(tmp_path, "t_s,a_W\n0,1\n\n1,x\n1\n1.5,9\n2,nan\n3,\n4,-5\n904,7\n1805,0\n")
    one = stream.of_file(path)
    assert [one(t_s) for t_s in (1.5, 4, 904, 1804)] == [9, 0, 7, 7]
    told = ["4 rows left out (first: line 4: 'x')", "1 rows below 0 W, taken as 0"]
    told.append("901 s in pauses above 900 s keep the power before them")
    unit = "reaches only 9 W: is the unit right?"
    assert stream.remarks(path, None, 1805) == [*told, unit]
    told.append("ends after 1805 s of 1806 s, then its last power goes on")
    assert stream.remarks(path, None, 1806) == [*told, unit]


def test_a_wrong_file_is_one_line(tmp_path):
    path = written(tmp_path, "t_s,a_kW\n0,60000\n1,1\n")
    with pytest.raises(LoadError) as error:
        stream.of_file(path)
    assert str(error.value) == f"{path}: line 2: a_kW = '60000': allowed is at most 50000 kW"
    with pytest.raises(LoadError, match="none.csv: cannot be read: No such file"):
        stream.of_file(tmp_path / "none.csv")


@pytest.mark.whole
def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "load.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("t_s,a_W\n")
        file.writelines(f"{second},{second % 7}\n" for second in range(30_000))
    tracemalloc.start()
    one = stream.of_file(path)
    last_W = [one(second) for second in range(0, 30_000, 1000)][-1]
    _, peak_B = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert last_W == 29_000 % 7 and peak_B < 500_000


def test_the_training_cluster_without_end_is_the_one_of_the_rig():
    one, whole = stream.training(3, 1e5), Trace(*shape.points("training", 3, 20_000, 1e5))
    times_s = [17 * step for step in range(1170)]
    assert [one(t_s) for t_s in times_s] == pytest.approx([whole(t_s) for t_s in times_s])


def test_jobs_wait_until_they_fit_and_start_in_order():
    jobs = [Job(10, 100, 60.0), Job(20, 50, 50.0), Job(30, 10, 30.0), Job(40, 5, 500.0)]
    one = stream.queue(iter(jobs), 100.0, 5.0)
    at_s = {5: 5, 11: 65, 35: 65, 111: 85, 121: 55, 161: 5, 999: 5}
    assert [one(t_s) for t_s in at_s] == list(at_s.values())


def test_drawn_jobs_repeat_by_seed_keep_their_ranges_and_use_what_was_asked():
    def drawn(seed):
        given = stream.drawn_jobs(seed, 650.0, (900, 86_400), (2.0, 32.0))
        return list(itertools.takewhile(lambda job: job.at_s < 30 * DAY_S, given))

    jobs = drawn(1)
    assert jobs == drawn(1) != drawn(2)
    assert all(900 <= job.for_s <= 86_400 and 2 <= job.power_W <= 32 for job in jobs)
    energy_Ws = sum([job.for_s * job.power_W for job in jobs if job.at_s >= 0])
    assert energy_Ws / (30 * DAY_S) == pytest.approx(650, rel=0.1)
    one = stream.queue(iter(jobs), 5e3, 7.0)
    assert one(0.0) > 300  # the jobs that are older than the run


def shape_of(W, weekday):
    """(load factor, a day's highest hour by its lowest, weekend by working day, 99 % of steps) of
    means of a minute; days with a gap at 0 are left out. weekday: of the first day.
    """
    days = W.reshape(-1, 24, 60)
    is_whole = days.min(axis=(1, 2)) > 0
    hours, number = days.mean(axis=2)[is_whole], (weekday + np.flatnonzero(is_whole)) % 7
    of_day = hours.mean(axis=1)
    return (
        hours.mean() / W.max(),
        float(np.median(hours.max(axis=1) / hours.min(axis=1))),
        of_day[number >= 5].mean() / of_day[number < 5].mean(),
        np.percentile(np.abs(np.diff(days[is_whole].reshape(-1, 1440), axis=1)), 99) / W.max(),
    )


@functools.cache
def drawn_shape(seed):
    pattern = stream.Pattern(0.3, 0.8)
    jobs = stream.drawn_jobs(seed, 556.0, (900, 604_800), (2.0, 32.0), pattern)
    one = stream.queue(jobs, 856.0)
    return shape_of(np.array([one(minute * 60.0) for minute in range(28 * 1440)]), 0)


@pytest.mark.parametrize("seed", range(3))
def test_the_drawn_queue_is_like_a_counted_one(seed):
    load_factor, of_day, of_week, step = drawn_shape(seed)
    assert 0.55 < load_factor < 0.75 and 1.15 < of_day < 1.5
    assert 0.85 < of_week < 1.1 and 0.02 < step < 0.04


def test_the_counts_of_helios_have_the_stated_shape(shared):
    """556 of 856 GPUs in the mean; 1566 of 28 800 minutes are gaps."""
    with gzip.open(shared / "data/jobs/helios_gpus_1min.csv.gz", "rt", newline="") as file:
        counts = np.array([float(row["running_gpu_num"]) for row in csv.DictReader(file)])
    expected = 0.766, 1.229, 0.988, 0.0316
    assert shape_of(counts, 4) == pytest.approx(expected, abs=0.001)  # 1 May 2020: Friday
    assert np.mean([drawn_shape(seed) for seed in range(3)], axis=0) == pytest.approx(
        expected, abs=0.12
    )


def test_jobs_follow_the_hours_and_the_week():
    pattern = stream.Pattern(0.5, 0.5, weekday=4, time_of_day_s=3600)  # Friday, 01:00
    rates = [pattern.rate(hour * 3600) for hour in range(7 * 24)]
    assert sum(rates) / len(rates) == pytest.approx(1)
    assert rates.index(max(rates)) == 14 and rates[2] / rates[14] == pytest.approx(1 / 3)
    assert rates[23 + 14 + 1] == rates[14] / 2 and rates[3 * 24 + 14] == rates[14]
