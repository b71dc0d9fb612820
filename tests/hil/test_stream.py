"""Loads that are made or read as time goes on."""

import gzip
import itertools
import tracemalloc

import pytest

from hil.loads import shape, stream
from hil.loads.stream import Job
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
    assert stream.remarks(path, None, 1.0, 1805) == [*told, unit]
    told.append("ends after 1805 s of 1806 s, then its last power goes on")
    assert stream.remarks(path, None, 1.0, 1806) == [*told, unit]


def test_a_wrong_file_is_one_line(tmp_path):
    path = written(tmp_path, "t_s,a_kW\n0,60000\n1,1\n")
    with pytest.raises(LoadError) as error:
        stream.of_file(path)
    assert str(error.value) == f"{path}: line 2: a_kW = '60000': allowed is at most 50000 kW"
    with pytest.raises(LoadError, match="none.csv: cannot be read: No such file"):
        stream.of_file(tmp_path / "none.csv")


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
    one, whole = stream.training(3, 1e5), Trace(*shape.training(3, 20_000, 1e5))
    times_s = [17 * step for step in range(1170)]
    assert [one(t_s) for t_s in times_s] == pytest.approx([whole(t_s) for t_s in times_s])


def test_jobs_wait_until_they_fit_and_start_in_order():
    jobs = [Job(10, 100, 60.0), Job(20, 50, 50.0), Job(30, 10, 30.0), Job(40, 5, 500.0)]
    one = stream.queue(iter(jobs), 100.0, 5.0)
    at_s = {5: 5, 11: 65, 35: 65, 111: 85, 121: 55, 161: 5, 999: 5}
    assert [one(t_s) for t_s in at_s] == list(at_s.values())


def test_drawn_jobs_repeat_by_seed_and_keep_their_ranges():
    def drawn(seed):
        return list(itertools.islice(stream.drawn_jobs(seed, 60, (10, 20), (1e3, 2e3)), 500))

    jobs = drawn(1)
    assert jobs == drawn(1) != drawn(2)
    assert jobs[-1].at_s == pytest.approx(500 * 60, rel=0.15)
    assert all(10 <= job.for_s <= 20 and 1e3 <= job.power_W <= 2e3 for job in jobs)
    one = stream.queue(iter(jobs), 5e3)
    powers_W = [one(t_s) for t_s in range(30_000)]
    assert 2e3 < max(powers_W) <= 5e3 and min(powers_W) == pytest.approx(0, abs=1e-6)
