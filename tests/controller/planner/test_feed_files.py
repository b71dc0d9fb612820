"""Feeds of files: steps, holes, days of 23 and 25 hours, folders, and files that are damaged."""

import gzip
import json
import os
from array import array

import pytest
from feed_cases import NOW_S, answer, feed, hourly, utc_s, written
from series_files import clock

from controller.planner.feeds import reading
from controller.planner.feeds.points import of_quarters, slots
from tests.tables import cases

HEAD = "start,EUR/MWh\n"
DAY = [f"{time},{at - 2}" for at, time in enumerate(clock("2026-11-26T00:00", 24))]
GOOD = HEAD + "\n".join(DAY) + "\n"
WAY = {"format": "json", "list": "data", "time": "t", "value": "p", "unit": "EUR/MWh"}


def csv_of(*rows):
    return HEAD + "".join(f"{each}\n" for each in rows)


def test_prices_of_hours_and_quarters_and_negative_ones(tmp_path):
    quarters = [f"{time},{at}" for at, time in enumerate(clock("2026-11-26T12:00", 48, 15))]
    path = written(tmp_path / "a.csv", csv_of(*DAY[:12], *quarters))
    points, _ = answer(feed(path))
    assert hourly(points, "2026-11-26T00:00", 14) == [*range(-2, 10), 0, 4]
    assert (points.doubts, points.made_s) == ([], NOW_S - 3600)


@cases("""day  hours  kept
    "2026-03-29"  23  [0, 1, 3]
    "2026-10-25"  25  [0, 1, 2, 2, 3]
""")
def test_a_day_of_another_length_has_its_hours(tmp_path, day, hours, kept):
    labels = [*kept, *range(kept[-1] + 1, 24)]
    rows = [f"{day}T{hour:02}:00,{at}" for at, hour in enumerate(labels)]
    now_s = utc_s(f"{day}T12:00")
    path = written(tmp_path / "a.csv", csv_of(*rows), now_s)
    points, _ = answer(feed(path), now_s)
    assert len(rows) == hours and hourly(points, f"{day}T00:00", hours) == list(range(hours))
    assert hourly(points, f"{day}T00:00", hours + 1)[-1] is None


@cases("""step_min  left_out  unknown
    60  [5]  [20, 21, 22, 23]
    60  [5, 6]  [20, 21, 22, 23, 24, 25, 26, 27]
    15  [6]  [6]
    30  [6]  [12, 13]
    15  [95]  [95]
""")
def test_a_missing_row_stays_a_hole(tmp_path, step_min, left_out, unknown):
    times = clock("2026-11-26T00:00", 1440 // step_min, step_min)
    rows = [f"{time},5" for at, time in enumerate(times) if at not in left_out]
    points, _ = answer(feed(written(tmp_path / "a.csv", csv_of(*rows))))
    found = slots(points, utc_s("2026-11-26T00:00"), 96)
    assert [at for at, each in enumerate(found) if each != each] == unknown


def test_a_blank_cell_is_unknown_and_named(tmp_path):
    path = written(tmp_path / "a.csv", csv_of(*DAY[:5], "2026-11-26T05:00,n/e", *DAY[6:]))
    points, _ = answer(feed(path))
    assert hourly(points, "2026-11-26T04:00", 3) == [2, None, 4]
    assert points.doubts == ["1 rows without a number, first line 7: 'n/e'"]


def test_the_last_line_of_a_cut_file_does_not_count(tmp_path):
    whole = csv_of(*DAY[:3], "2026-11-26T03:00,123.45")
    points, _ = answer(feed(written(tmp_path / "a.csv", whole)))
    assert hourly(points, "2026-11-26T02:00", 2) == [0, 123.45]
    points, _ = answer(feed(written(tmp_path / "a.csv", whole[:-4])))
    assert hourly(points, "2026-11-26T02:00", 2) == [0, None]
    assert points.doubts[0].endswith(
        "a.csv: the last line has no end, so it may be cut and does not count"
    )
    compressed = gzip.compress(whole[:-1].encode(), mtime=0)
    points, _ = answer(feed(written(tmp_path / "a.csv.gz", compressed)))
    assert hourly(points, "2026-11-26T02:00", 2) == [0, 123.45]


@cases("""data  line
    b""  "has 0 bytes: allowed are 1..16777216"
    HEAD  "no values: needed are rows of start and EUR/MWh"
    csv_of("2026-11-26T00:00,-")  "no values: needed are rows of start and EUR/MWh"
    bytes(range(256)) * 40  "not UTF-8 text"
    gzip.compress(GOOD.encode(), mtime=0)[:40]  "gzip is damaged: allowed is a whole file"
    b"x" * 70000  "line 1: longer than 65535 characters"
    b"," * (17 << 20)  "has 17825792 bytes: allowed are 1..16777216"
    csv_of("2026-11-26T00:00,20000")  "line 2: EUR/MWh = '20000': a price: allowed is -1000"
    csv_of(DAY[0], DAY[0])  "line 3: start = '2026-11-26T00:00': allowed is later than 2026-11-26"
    csv_of("2026-11-26T00:00,1.234,5")  "line 2: 3 cells"
    csv_of("noon,1")  "line 2: start = 'noon': allowed is a time as"
    GOOD.replace("EUR/MWh", "price")  "line 1: no columns of a price in start, price: needed"
    "t,EUR/MWh,ct/kWh\\n1,2,3\\n"  "line 1: 2 columns of a price in t, EUR/MWh, ct/kWh: needed"
""")
def test_a_damaged_file_is_one_line(tmp_path, data, line):
    path = written(tmp_path / "a.csv", data)
    found, refused = answer(feed(path))
    assert found is None and refused.startswith(f"{path}: ") and line in refused


def test_a_pipe_a_missing_and_an_unreadable_file_hold_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert "link, a pipe or a device" in answer(feed(tmp_path / "pipe.csv"))[1]
    assert answer(feed(tmp_path / "none.csv"))[1].endswith(
        "cannot be read: No such file or directory"
    )
    assert "no file has" in answer(feed("a\0b"))[1]
    folder = tmp_path / "empty"
    folder.mkdir()
    assert answer(feed(folder))[1] == f"{folder}: has no file *.csv: needed is one"


def test_column_and_unit_of_the_site_file_choose(tmp_path):
    path = written(tmp_path / "a.csv", GOOD.replace("EUR/MWh", "price"))
    assert hourly(answer(feed(path, unit="EUR/MWh"))[0], "2026-11-26T05:00", 1) == [3]
    rows = "start,roof_kW,hall_kW\n2026-11-26T00:00,1,2\n2026-11-26T01:00,1,2\n"
    path = written(tmp_path / "b.csv", rows)
    assert "2 columns of a power in start, roof_kW, hall_kW" in answer(feed(path, "load"))[1]
    assert hourly(answer(feed(path, "load", column="hall_kW"))[0], "2026-11-26T00:00", 1) == [2000]
    assert "no column yard_kW" in answer(feed(path, "load", column="yard_kW"))[1]


@cases("""kind  header  cell  value
    "load"  "load_W"  65535  None
    "load"  "load_kW"  -3  None
    "pv"  "pv_kW"  4  4000
    "weather"  "ghi_W_per_m2"  -3  0
    "air"  "air_degC"  -12  -12
    "carbon"  "carbon_g_per_kWh"  410  410
    "carbon"  "kg/MWh"  410  410
""")
def test_each_kind_has_its_units(tmp_path, kind, header, cell, value):
    path = written(tmp_path / "a.csv", f"start,{header}\n2026-11-26T00:00,{cell}\n")
    points, refused = answer(feed(path, kind))
    assert (
        (list(points.values) == [value])
        if value is not None
        else "allowed" in refused or ("no values" in refused)
    )


def test_the_later_file_of_a_folder_counts_and_is_named(tmp_path):
    written(tmp_path / "b.csv", GOOD, NOW_S - 7200)
    written(tmp_path / "a.csv", csv_of(DAY[4], "2026-11-26T05:00,99", DAY[6]), NOW_S - 3600)
    written(tmp_path / "c.csv", "torn", NOW_S - 1800)
    written(tmp_path / "z.txt", "no feed", NOW_S)
    points, _ = answer(feed(tmp_path))
    assert hourly(points, "2026-11-26T04:00", 4) == [2, 99, 4, 5]
    assert points.made_s == NOW_S - 7200  # the values of a.csv end before that
    bad, replaced = points.doubts
    assert bad.startswith(f"{tmp_path}/c.csv: ")
    assert replaced == "a.csv replaces 4 values of older files from 2026-11-26 05:00 on"


def test_only_the_newest_files_of_a_folder_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "FILES_MAX", 1)
    written(tmp_path / "old.csv", csv_of("2026-11-26T00:00,1"), NOW_S - 7200)
    written(tmp_path / "new.csv", csv_of("2026-11-26T02:00,2"), NOW_S - 3600)
    assert hourly(answer(feed(tmp_path))[0], "2026-11-26T00:00", 3) == [None, None, 2]


NOON = "2026-11-26T12:00"
ENTRIES = [{"t": f"2026-11-26T0{hour}:00+01:00", "p": hour - 1} for hour in range(4)]
TEXTS = [{"t": each["t"], "p": str(each["p"])} for each in ENTRIES]
MS = [[int(1000 * (NOW_S + 3600 * at)), at] for at in range(3)]


@cases("""content  keys  start  found
    {"data": ENTRIES}  {}  "2026-11-26T00:00"  [-1, 0, 1, 2]
    {"data": ENTRIES[::-1]}  {}  "2026-11-26T00:00"  [-1, 0, 1, 2]
    {"data": TEXTS}  {}  "2026-11-26T00:00"  [-1, 0, 1, 2]
    ENTRIES  {"list": ""}  "2026-11-26T00:00"  [-1, 0, 1, 2]
    {"a": [{"b": MS}]}  {"list": "a.0.b", "time": "0", "value": "1"}  NOON  [0, 1, 2]
    {"t": [row[0] for row in MS], "p": [0, None, 2]}  {"list": ""}  NOON  [0, None, 2]
    [{"at": {"t": MS[0][0]}, "p": 7}]  {"list": "", "time": "at.t"}  NOON  [7, None]
""")
def test_the_keys_of_a_json_text_are_data(tmp_path, content, keys, start, found):
    path = written(tmp_path / "a.json", json.dumps(content))
    points, refused = answer(feed(path, **{**WAY, **keys}))
    assert not refused and hourly(points, start, len(found)) == found


@cases("""data  line
    b""  "has 0 bytes: allowed are 1..1048576"
    json.dumps({"data": ENTRIES})[:-9]  "not whole JSON in UTF-8"
    b"[" * 100000  "not whole JSON in UTF-8"
    b"\\xff\\xfe{}"  "not whole JSON in UTF-8"
    b" " * (2 << 20)  "has 2097152 bytes: allowed are 1..1048576"
    {"prices": []}  "the text has no 'data'"
    {"data": 5}  "'5': allowed is a list of entries, an object of lists, or"
    {"data": []}  "no values: needed are rows of t and p"
    {"data": [{"t": ENTRIES[0]["t"]}]}  "entry 1 has no 'p'"
    {"data": [{"t": True, "p": 1}]}  "entry 1: t = '': allowed is a time as"
    {"data": [{"t": ENTRIES[0]["t"], "p": 99999}]}  "entry 1: p = '99999': a price: allowed is"
    {"data": [ENTRIES[0], ENTRIES[0]]}  "entry 2: t = '2026-11-26T00:00+01:00': allowed is later"
    {"data": {"t": [1, 2], "p": [1]}}  "t and p: needed are two lists of equal length"
    {"data": {"t": "a", "p": "b"}}  "t and p: needed are two lists of equal length"
""")
def test_a_damaged_json_text_is_one_line(tmp_path, data, line):
    path = written(
        tmp_path / "a.json",
        data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)),
    )
    found, refused = answer(feed(path, **WAY))
    assert found is None and refused.startswith(f"{path}: {line}")


JOBS = "at_s,for_s,power_kW\n43200,1800,100\n45000,450,200\n"


def test_a_job_plan_tells_the_load_until_its_last_job_ends(tmp_path):
    path = written(tmp_path / "jobs.csv", JOBS)
    points, _ = answer(feed(path, "jobs", "jobs", base_W=50e3))
    found = slots(points, utc_s("2026-11-26T11:45"), 5)
    assert found[:4] == [50e3, 150e3, 150e3, 150e3] and found[4] != found[4]
    points, _ = answer(feed(path, "jobs", "jobs", base_W=0.0, begin="2026-11-26T01:00"))
    assert slots(points, utc_s("2026-11-26T13:00"), 1) == [100e3]


@cases("""data  keys  line
    JOBS[:-1].replace("1800", "-5")  {}  "line 2: for_s = '-5': allowed is a number from 0 on"
    "at_s,for_s,power_kW\\n"  {}  "no jobs: allowed are rows of at_s, for_s, power_W"
    "at_s,for_s,power_kW\\n9000000,60,1\\n"  {"begin": "2020-01-01"}  "no job near now"
""")
def test_a_wrong_job_plan_is_one_line(tmp_path, data, keys, line):
    path = written(tmp_path / "jobs.csv", data)
    assert answer(feed(path, "jobs", "jobs", base_W=0.0, **keys)) == (None, f"{path}: {line}")


@pytest.mark.parametrize("kind", ["load", "pv"])
def test_a_file_that_is_no_record_is_one_line(tmp_path, kind):
    path = written(tmp_path / "quarters.csv", b"no quarters" * 99)
    line = f"{path}: is no quarters.csv of the recorder: its header is another"
    assert answer(feed(path, kind, "recorder")) == (None, line)


def test_half_a_quarter_of_an_hour_is_known_and_less_is_not():
    for known_s, is_known in ((450, True), (449, False)):
        found = of_quarters({0.0: 7.0}, 0.0)._replace(step_s=array("d", [known_s]))
        assert [each == each for each in slots(found, 0.0, 2)] == [is_known, False]


def test_a_plan_of_jobs_tells_nothing_before_its_begin(tmp_path):
    path = written(tmp_path / "jobs.csv", "at_s,for_s,power_W\n0,3600,1000\n")
    own = feed(path, "jobs", "jobs", base_W=5.0, begin="2026-11-26T16:00")
    points, _ = answer(own)
    assert points.utc_s[0] == utc_s("2026-11-26T16:00") and list(points.values) == [1005.0] * 4
