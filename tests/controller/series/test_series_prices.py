"""Prices of files: units, steps, missing rows, and the nights in which the clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from series_files import answer, clock, written

from controller.series import prices
from tests.tables import cases

DAY = clock("2026-05-01T00:00", 24)
START = datetime(2026, 5, 1)
GOOD = [f"{time},{50 + at}" for at, time in enumerate(DAY)]


def read(
    tmp_path, rows, start=START, zone="Europe/Berlin", hours=24, header="time,price_EUR_per_MWh"
):
    path = written(tmp_path, "\n".join([header, *rows]) + "\n")
    return answer(prices.read, path, start, zone, 900.0, 4 * hours)


def hourly(found):
    """Money per MWh of each hour, whose four slots are equal."""
    each = [round(1000 * price, 6) for price in found.per_kWh]
    assert each[::4] == each[3::4]
    return each[::4]


@cases("""header  factor  doubts
    "start,price_EUR_per_MWh"  1  0
    "start,price [EUR/MWh]"  1  0
    "start,Day-ahead Price (NOK/kWh)"  1e-3  0
    "start,price_ct_per_kWh"  0.1  0
    "start,EUR ct/kWh"  0.1  0
    "start,\\u00f6re/kWh"  0.1  1
    "start,\\u00a2/kWh"  0.1  0
    "start,pricePerKwh"  1e-3  0
    "start,price"  1  1
    "start,volume_MWh,price"  1  1
    "start,product_kWh,EUR/MWh"  1  0
    "start,price_zone_MWh,EUR/MWh"  1  0
""")
def test_the_name_of_the_column_is_the_unit(tmp_path, header, factor, doubts):
    between = ",7" * (header.count(",") - 1)
    rows = [f"{time}{between},{(50 + at) * factor:g}" for at, time in enumerate(DAY)]
    found, refused = read(tmp_path, [*rows, "," * header.count(","), ""], header=header)
    assert not refused and len(found.doubts) == doubts
    assert hourly(found) == pytest.approx([50 + at for at in range(24)])


@cases("""header  price  line
    "t,price"  0.3  "price reaches 0.3, which is too low for money per MWh: allowed is a unit in"
    "t,EUR/kWh"  30  "line 2: EUR/kWh = '30': a price: allowed is -1 .. 10 per kWh"
    "t,EUR/MWh"  -1001  "line 2: EUR/MWh = '-1001': a price: allowed is -1000 .. 10000 per MWh"
    "t,EUR ct/kWh"  1001  "line 2: EUR ct/kWh = '1001': a price: allowed is -100 .. 1000 hu"
    "t,JPY/kWh"  1001  "line 2: JPY/kWh = '1001': a price: allowed is -100 .. 1000 per kWh"
    "t,HUF/MWh"  10000001  "line 2: HUF/MWh = '10000001': a price: allowed is -1000000 .. 1e+07 per"
    "t,KRW/kWh"  -1001  "line 2: KRW/kWh = '-1001': a price: allowed is -1000 .. 10000 per kWh"
    "t,EUR/MWh"  "n/e"  "line 2: EUR/MWh = 'n/e': a price: allowed is -1000"
    "t,EUR/MWh"  "nan"  "line 2: EUR/MWh = 'nan': a price: allowed is -1000"
    "t,EUR/MWh"  ""  "line 2: EUR/MWh = '': a price: allowed is -1000"
    "t,EUR/MWh"  "-9999"  "line 2: EUR/MWh = '-9999': a price: allowed is -1000"
    "t,EUR/MWh"  "35,70"  "line 2: 3 cells ('2026-05-01T00:00', '35', '70'): allowed are 2, as in"
""")
def test_a_price_that_cannot_be_one_is_refused_by_its_line(tmp_path, header, price, line):
    _, refused = read(tmp_path, [f"{time},{price}" for time in DAY], header=header)
    assert refused.startswith(line)


@cases("""header  price  doubt
    "start,EUR/MWh"  0.3  "EUR/MWh reaches only 0.3 per MWh: is the unit right?"
    "start,ct/kWh"  0.3  "ct/kWh reaches only 0.3 hundredths per kWh: is the unit right?"
    "start,EUR/kWh"  0.0003  "EUR/kWh reaches only 0.0003 per kWh: is the unit right?"
    "start,JPY/MWh"  12  "JPY/MWh reaches only 12 per MWh: is the unit right?"
    "start,HUF/kWh"  0.9  "HUF/kWh reaches only 0.9 per kWh: is the unit right?"
    "start,price"  30  "price: no unit in its name, taken as money per MWh; it may be price_EUR"
""")
def test_a_price_that_may_have_another_unit_is_a_doubt(tmp_path, header, price, doubt):
    found, _ = read(tmp_path, [f"{time},{price}" for time in DAY], header=header)
    assert found.doubts[0].startswith(doubt) and len(found.doubts) == 1


@cases("""rows  line
    GOOD[:5] + GOOD[6:]  "line 7: no price for 2026-05-01 05:00 before it"
    GOOD[1:]  "no price for 2026-05-01 00:00; the file has 2026-05-01 01:00 .. 2026-05-01 23:00"
    GOOD[:-1]  "no price for 2026-05-01 23:00; the file has 2026-05-01 00:00 .. 2026-05-01 22:00"
    GOOD[:5] + GOOD[4:]  "line 7: time = '2026-05-01T04:00': allowed is later than 2026-05-01 04:00"
    GOOD[::-1]  "line 3: time = '2026-05-01T22:00': allowed is later than 2026-05-01 23:00"
    ["2026-05-01T00:00,1", "2026-05-01T00:00Z,1"]  "line 3: time = '2026-05-01T00:00Z' is a time"
    []  "no prices: allowed is a header, then rows of a time and a price"
    ["noon,50"]  "line 2: time = 'noon': allowed is a time as 2026-11-25T12:00Z or"
    ["05/01/2026 00:00,50"]  "line 2: time = '05/01/2026 00:00': allowed is a time as"
    ["01.13.2026 00:00,50"]  "line 2: time = '2026-13-01 00:00': allowed is a time as"
    ["17775936000000000,50"]  "line 2: time = 17775936000000000 is beyond the year 5138: allowed"
    ["0001-01-01T00:00+23:59,50"]  "line 2: time = '0001-01-01T00:00+23:59': allowed is a time as"
    ["9999-12-31T23:59-23:59,50"]  "line 2: time = '9999-12-31T23:59-23:59': allowed is a time as"
    ["46143,50"]  "line 2: time = '46143': allowed is a time as"
    ["2026-04-30T23:30,-", *[f"{each[:13]}:30,50" for each in DAY]]  "line 2: price_EUR_per_MWh = "
    ["2026-05-01T00:00"]  "line 2: price_EUR_per_MWh = '': a price: allowed is"
""")
def test_a_row_that_is_missing_or_at_a_wrong_time_is_named(tmp_path, rows, line):
    assert read(tmp_path, rows)[1].startswith(line)


@cases("""step_min  odd  line
    15  1  "line 3: no price for 2026-05-01 00:15 before it"
    15  6  "line 8: no price for 2026-05-01 01:30 before it"
    30  6  "line 8: no price for 2026-05-01 03:00 before it"
    5  6  "line 8: no price for 2026-05-01 00:30 before it"
""")
def test_a_missing_row_of_short_steps_is_not_taken_for_a_longer_step(tmp_path, step_min, odd, line):
    times = clock("2026-05-01T00:00", 1440 // step_min, step_min)
    rows = [f"{time},50" for time in times]
    assert read(tmp_path, rows)[1] == ""
    assert read(tmp_path, rows[:odd] + rows[odd + 1 :])[1] == line


def test_steps_of_minutes_are_taken_as_their_mean_and_may_change_once(tmp_path):
    quarters = clock("2026-05-01T12:00", 48, 15)
    mixed = GOOD[:12] + [f"{time},{100 + at}" for at, time in enumerate(quarters)]
    found, _ = read(tmp_path, mixed)
    per_MWh = [round(1000 * price, 6) for price in found.per_kWh]
    assert per_MWh[44:52] == [61, 61, 61, 61, 100, 101, 102, 103]
    found, _ = read(tmp_path, mixed, datetime(2026, 5, 1, 11), hours=2)
    assert [round(1000 * price) for price in found.per_kWh] == per_MWh[44:52]
    fives = clock("2026-05-01T00:00", 288, 5)
    found, _ = read(tmp_path, [f"{time},{at % 3}0" for at, time in enumerate(fives)])
    assert list(found.per_kWh) == pytest.approx([0.01] * 96)
    assert read(tmp_path, mixed + [f"{time},1" for time in clock("2026-05-02T00:00", 5)])[1] != ""


NIGHTS = [
    ("Europe/Berlin", datetime(2026, 3, 29), 23),
    ("Europe/Berlin", datetime(2026, 10, 25), 25),
    ("America/New_York", datetime(2026, 3, 8), 23),
    ("America/New_York", datetime(2026, 11, 1), 25),
    ("Asia/Shanghai", datetime(2026, 3, 29), 24),
    ("Australia/Lord_Howe", datetime(2026, 4, 5), 24.5),
]


@pytest.mark.parametrize("zone, start, length_h", NIGHTS)
@pytest.mark.parametrize("form", ["local", "dotted", "offset", "utc", "unix", "database"])
@pytest.mark.parametrize("step_min", [15, 30])
def test_a_day_has_23_24_or_25_hours_in_every_form_of_time(
    tmp_path, zone, start, length_h, form, step_min
):
    first = start.replace(tzinfo=ZoneInfo(zone)).timestamp()
    following = (start + timedelta(days=1)).replace(tzinfo=ZoneInfo(zone)).timestamp()
    assert following - first == length_h * 3600
    rows = []
    for at in range(int(length_h * 60 / step_min)):
        seconds = first + 60 * step_min * at
        local = datetime.fromtimestamp(seconds, ZoneInfo(zone))
        texts = {
            "local": f"{local:%Y-%m-%dT%H:%M}",
            "dotted": f"{local:%d.%m.%Y %H:%M:%S}",
            "offset": local.isoformat(sep=" "),
            "utc": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%MZ}",
            "unix": f"{seconds:.0f}",
            "database": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.000000000+00",
        }
        rows.append(f"{texts[form]},{at + 10}")
    found, refused = read(tmp_path, rows, start, zone, int(length_h))
    assert not refused
    expected = [10 + at * 15 // step_min for at in range(int(length_h) * 4)]
    assert [round(1000 * price) for price in found.per_kWh] == expected


@cases("""start  rows  line
    "2026-03-29"  24  "line 4: time = 2026-03-29T02:00 does not exist: the clock of Europe/"
    "2026-10-25"  24  "line 5: no price for 2026-10-25 02:00 (second, the clock has gone back)"
""")
def test_a_day_of_24_local_rows_in_such_a_night_names_the_clock(tmp_path, start, rows, line):
    times = clock(f"{start}T00:00", rows)
    _, refused = read(tmp_path, [f"{time},50" for time in times], datetime.fromisoformat(start))
    assert refused.startswith(line)


def test_an_hour_that_does_not_exist_counts_only_near_the_run(tmp_path):
    """Publishers give 24 rows to each day of a year."""
    rows = [f"{time},50" for time in clock("2026-01-01T00:00", 24 * 365)]
    assert read(tmp_path, rows)[1] == ""
    assert "does not exist" in read(tmp_path, rows, datetime(2026, 3, 28), hours=48)[1]


def test_a_zone_that_the_machine_does_not_have_is_one_line(tmp_path):
    for zone in ("Europe/Atlantis", "", "../x", "/etc/passwd"):
        with pytest.raises(prices.SeriesError, match="^time zone '.*': allowed is one that this"):
            prices.read(tmp_path / "none.csv", START, zone, 900.0, 4)


def exported(header, row):
    """A day as publishers write it; the price of an hour is 50 and the hour."""
    rows = []
    for at in range(24):
        utc = datetime.fromtimestamp(1777586400 + 3600 * at, UTC)
        begin, end = [
            (utc + timedelta(hours=each)).astimezone(ZoneInfo("Europe/Berlin")) for each in (0, 1)
        ]
        rows.append(row.format(begin=begin, end=end, utc=utc, unix=utc.timestamp(), at=at + 50))
    return header, rows


DOT, SLASH = "%d.%m.%Y", "%d/%m/%Y"
SPAN = f'"{{begin:{SLASH} %H:%M:%S}} - {{end:{SLASH} %H:%M:%S}}",BZN|DE-LU,{{at}}'
OLD_SPAN = f'"{{begin:{DOT} %H:%M}} - {{end:{DOT} %H:%M}}","{{at}}"'
ENERGY = 'Date (GMT+1),"Auction (DE-LU)"\n,"Price (EUR/MWh, EUR/tCO2)"'
NORD_POOL = "Date CET;Start (CET);End (CET);DE-LU (EUR)"


@cases("""header  row
    '"MTU (CET/CEST)","Price [EUR/MWh]"'  OLD_SPAN
    "MTU (CET/CEST),Area,Day-ahead Price (EUR/MWh)"  SPAN
    "Datum;Anfang;Ende;DE/LU [EUR/MWh]"  f"{{begin:{DOT}}};{{begin:%H:%M}};{{end:%H:%M}};{{at}},00"
    ENERGY  "{begin:%Y-%m-%dT%H:%M%z},{at}.00"
    NORD_POOL  f"{{begin:{DOT}}};{{begin:{DOT} %H:%M:%S}};{{end:{DOT} %H:%M:%S}};{{at}},00"
    "start_timestamp,end_timestamp,marketprice,unit"  "{unix:.0f}000,{unix:.0f}999,{at},Eur/MWh"
    "Country,Datetime (UTC),Price (EUR/MWhe)"  "Germany,{utc:%Y-%m-%d %H:%M:%S},{at}"
    '"Ajatempel (UTC)";"Aeg";"NPS"'  f'"{{unix:.0f}}";"{{begin:{DOT} %H:%M}}";"{{at}},00"'
    ",datetime,price_EUR_per_MWh"  "{at},{begin:%Y-%m-%d %H:%M:%S%z},{at}"
    "from,to,DE"  "{begin:%Y-%m-%d %H:%M},{end:%Y-%m-%d %H:%M},{at}"
    "time,price"  "{utc:%Y-%m-%d %H:%M:%S} UTC,{at}"
    "time (UTC+2),price"  "{begin:%Y/%m/%d %H:%M:%S}.000,{at}"
""")
def test_the_files_of_publishers_are_taken_as_they_are(tmp_path, header, row):
    header, rows = exported(header, row)
    found, refused = read(tmp_path, rows, header=header)
    assert not refused and hourly(found) == [50 + at for at in range(24)]
