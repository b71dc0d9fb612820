"""Powers, jobs and weather of files: ranges, blanks, pauses, and what is only a doubt."""

from datetime import datetime, timedelta
from functools import partial

import pytest
from series_files import answer, written

from controller.series import jobs, weather
from controller.series.survey import survey
from tests.tables import cases


def surveyed(tmp_path, rows, header="t_s,load_W", run_s=0.0):
    """(doubts, refusal)"""
    path = written(tmp_path, "\n".join([header, *rows]) + "\n")
    found, refused = answer(survey, path, None, 1.0, 50e6)
    return found and found.remarks(run_s), refused


NONE = "0 of 97 rows usable in load_W (97 refused, 0 empty"
HELD = "8.64e+07 s in pauses above 900 s keep the power before them"
MAY_MS = 1_777_593_600_000


def every(step_s, count, cell="5000"):
    return [f"{step_s * at},{cell}" for at in range(count)]


@cases("""rows  line
    ["0,1000", *every(10, 8640, "[N/A]")[1:], "86400,9"]  "2 of 8641 rows usable in load_W (8639 "
    ["0,1000", *every(10, 8640, "")[1:], "86400,9"]  "load_W: 8639 rows without a power among 2"
    every(900, 97, "-9999")  f"{NONE}, first line 2: '-9999'): needed are 2 and at least half"
    every(900, 97, "65535")  f"{NONE}, first line 2: '65535'): needed are 2 and at least half"
    every(900, 97, f"{2**63 - 14}")  "line 2: load_W = '9223372036854775794': allowed is at most "
    every(900, 97, "-5000")  "load_W: most of its energy is below 0: allowed is a power above 0"
    ["0,1", "900,2", "900,3"]  "line 4: t_s = '900': allowed is a number, above 900"
    ["x,1"]  "line 2: t_s = 'x': allowed is a number"
    ["0,1", "nan,1"]  "line 3: t_s = 'nan': allowed is a number, above 0"
    ["0,1", "900,2,3"]  "line 3: 3 cells ('900', '2', '3'): allowed are 2, as in the header"
    [f"{MAY_MS + 900_000 * at},5" for at in range(97)]  "line 2: t_s = 1777593600000 is beyond"
""")
def test_a_column_that_is_hardly_measured_is_refused(tmp_path, rows, line):
    assert surveyed(tmp_path, rows)[1].startswith(line)


@cases("""rows  doubt
    every(900, 97)  []
    every(900, 97, "344.368")  ["reaches only 344.368 W: is the unit right?"]
    every(10, 50) + ["500,[N/A]", "510,65535"]  ["2 rows left out (first: line 52: '[N/A]')"]
    every(10, 50) + ["500,-3"]  ["1 rows below 0 W, taken as 0"]
    every(3600, 25)  ["86400 s in pauses above 900 s keep the power before them"]
    every(1000, 86400)  ["8.6399e+07 s in pauses above 900 s", "most steps are long: "]
    every(900_000, 97)  [HELD, "most steps are long: "]
    [f"{1777593600 + at},5000" for at in range(9)]  ["its first time 2026-05-01 00:00Z is taken as"]
""")
def test_what_a_user_has_to_know_is_a_doubt(tmp_path, rows, doubt):
    doubts, refused = surveyed(tmp_path, rows)
    assert not refused and len(doubts) == len(doubt)
    assert all(found.startswith(words) for found, words in zip(doubts, doubt))


def test_a_slow_meter_among_fast_columns_and_times_of_the_day_are_taken(tmp_path):
    rows = [f"{at},{5000 if at % 10 == 0 else ''}" for at in range(1000)]
    assert surveyed(tmp_path, rows)[0] == ["900 rows left out"]
    rows = [f"2026-05-01T{at:02}:30:00+02:00,5000" for at in range(24)]
    doubts, _ = surveyed(tmp_path, rows, "time,load_W")
    assert doubts[-1] == "its first time 2026-04-30 22:30Z is taken as the begin of the run"


JOBS = "at_s,for_s,power_W\n"


@cases(r"""text  line
    JOBS + "900,900,100000\n"  ""
    "at_min;for_h;power_kW\n15;0,25;100\n"  ""
    JOBS  "no jobs: allowed are rows of at_s, for_s, power_W"
    "at_s,for_s\n1,2\n"  "line 1: no column power_: needed are at_s, for_s, power_W, not"
    JOBS + "900,900\n"  "line 2: power_W = '': allowed is a number from 0 on"
    JOBS + "900,nan,1\n"  "line 2: for_s = 'nan': allowed is a number from 0 on"
    JOBS + "900,-1,1\n"  "line 2: for_s = '-1': allowed is a number from 0 on"
    JOBS + "1777593600,9,1\n"  "line 2: at_s = '1777593600': a time: allowed is 0 .. 3.456e+07 s"
    JOBS + "9,9,1e9\n"  "line 2: power_W = '1e9': a power: allowed is -5e+07 .. 5e+07 W"
    "9,9,9\n"  "line 1: no header, but '9', '9', '9': allowed is a header first"
""")
def test_jobs(tmp_path, text, line):
    found, refused = answer(jobs.read, written(tmp_path, text))
    assert refused.startswith(line) and (found is None) == bool(line)
    assert found in (None, [(900.0, 900.0, 100_000.0, 2)])


def year(sun="{sun}", air="{air}", header="hour,ghi_W_per_m2,air_degC", rows=8760):
    lines = [
        f"{hour},"
        + sun.format(sun=500 if 8 <= hour % 24 < 17 else 0)
        + ","
        + air.format(air=hour % 24 - 5, kelvin=hour % 24 + 268.15)
        for hour in range(rows)
    ]
    return "\n".join([header, *lines]) + "\n"


of = partial(partial, year)  # a text of 8760 rows is made in its test, not when all are collected


@cases("""text
    of()
    of(air="{kelvin:.2f}", header="hour,ghi_W_per_m2,air_K")
    of(header="hour,GHI [W/m2],Air [C]")
    of(sun="0.{sun}", header="hour,ghi_kW_per_m2,air_degC")
    lambda: year().replace(",", ";").replace(".", ",")
""")
def test_weather_in_every_unit_is_the_same(tmp_path, text):
    found, refused = answer(weather.read, written(tmp_path, text()))
    assert not refused and not found.doubts
    assert found.air_degC[:30] == pytest.approx([hour % 24 - 5 for hour in range(30)])
    assert list(found.ghi_W_per_m2[6:10]) == [0, 0, 500, 500]


@cases("""text  line
    of(air="-9999")  "line 2: air_degC = '-9999': outside air: allowed is -60 .. 60 degC"
    of(air="nan")  "line 2: air_degC = 'nan': outside air: allowed is -60 .. 60 degC"
    of(air="")  "line 2: air_degC = '': outside air: allowed is -60 .. 60 degC"
    of(air="{kelvin}")  "line 2: air_degC = '268.15': outside air: allowed is -60 .. 60 degC; a "
    of(air="65535")  "line 2: air_degC = '65535': outside air"
    of(sun="-9999")  "line 2: ghi_W_per_m2 = '-9999': irradiance: allowed is -20 .. 1500 W/m2"
    of(sun="0.5")  "ghi_W_per_m2 reaches 0.5, too low for W/m2: allowed are names as ghi_W_per_m2"
    of(rows=8759)  "8759 rows: needed are 8760, the hours of a year"
    of(rows=8784)  "8784 rows: needed are 8760, the hours of a year"
    of(header="hour,ghi,air")  "line 1: no column ghi_W_per_m2 in the header: hour, ghi, air"
    of(header="hour,ghi_W_per_m2,air")  "line 1: no column air_degC in the header: hour, ghi_W"
""")
def test_weather_that_cannot_be_is_refused_by_its_line(tmp_path, text, line):
    assert answer(weather.read, written(tmp_path, text()))[1].startswith(line)


def test_weather_of_another_zone_or_without_a_course_is_a_doubt(tmp_path):
    header, *rows = year().splitlines()
    late = [row.split(",", 1)[1] for row in rows[-7:] + rows[:-7]]
    rows = [f"{hour},{row}" for hour, row in enumerate(late)]
    found, _ = answer(weather.read, written(tmp_path, "\n".join([header, *rows])))
    assert found.doubts == ["the middle of the sunshine is at 20 h: are the rows in local time?"]
    found, _ = answer(weather.read, written(tmp_path, year(air="0")))
    assert found.doubts == ["the air has 0 degC all year: is it measured?"]


def dated(first, skipped=0):
    """A year of weather with its times from a date on; skipped: hours that are missing."""
    header, *rows = year().splitlines()
    start = datetime.fromisoformat(first)
    times = [start + timedelta(hours=at + skipped * (at > 4000)) for at in range(8760)]
    rows = [f"{time:%Y-%m-%d %H:%M},{row.split(',', 1)[1]}" for time, row in zip(times, rows)]
    return "\n".join([header, *rows])


on = partial(partial, dated)


@cases("""text  line
    on("2025-01-01T00:00")  ""
    on("2024-12-31T23:00")  ""
    on("2024-01-01T00:00")  ""  # without the last day of a leap year
    on("2025-07-01T00:00")  "line 2: '2025-07-01 00:00' is hour 4344 of a year, in row 1: "
    on("2025-01-01T00:00", 48)  "line 4003: '2025-06-18 17:00' is hour 4049 of a year, in row 4"
""")
def test_weather_whose_times_are_of_another_day_is_refused(tmp_path, text, line):
    assert answer(weather.read, written(tmp_path, text()))[1].startswith(line)


def test_a_little_below_zero_at_night_is_no_sun(tmp_path):
    text = year().replace(",0,", ",-3.5,")
    found, refused = answer(weather.read, written(tmp_path, text))
    assert not refused and min(found.ghi_W_per_m2) == 0
