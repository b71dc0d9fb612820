"""Random text and bytes into every reader of a series: a value, or one line of refusal."""

import gzip
from datetime import datetime

import pytest
from feed_cases import document, feed, period, series as series_of, span
from hypothesis import given, strategies as st
from series_files import FOREIGN, written

from controller.hints import schedule_file
from controller.planner.feeds import reading
from controller.series import jobs, prices as market, weather
from controller.series.refusal import SeriesError
from hil.loads import reader, stream

HOURS = [f"2026-05-01T{hour:02}:00" for hour in range(24)]
POWERS = "t_s,load_W\n0,1000\n900,2000\n1800,3000\n"
SLOTS = "start,grid_cap_W\n2026-05-01T00:00:00Z,400000\n2026-05-01T00:15:00Z,400000\n"
START = datetime(2026, 5, 1)


def prices(path):
    return market.read(path, START, "Europe/Berlin", 900.0, 96)


def jobs_of(path):
    return jobs.read(path)


def weather_of(path):
    return weather.read(path)


def remarks(path):
    return stream.remarks(path, None, 1.0, 900.0)


def feed_csv(path):
    return reading.read(feed(path), span())


def feed_json(path):
    keys = {"list": "data", "time": "t", "value": "p", "unit": "EUR/MWh"}
    return reading.read(feed(path, format="json", **keys), span())


def feed_entsoe(path):
    return reading.read(feed(path, format="entsoe_xml"), span())


def feed_jobs(path):
    return reading.read(feed(path, "jobs", "jobs", base_W=0.0), span())


READERS = {
    feed_csv: "start,EUR/MWh\n" + "".join(f"{time},50\n" for time in HOURS),
    feed_json: '{"data": [{"t": "2026-05-01T00:00Z", "p": 5}, {"t": 1777593600, "p": "6"}]}',
    feed_entsoe: document(series_of(period({1: 5, 3: 7}))),
    feed_jobs: "at_s,for_s,power_W\n900,900,100000\n",
    prices: "time,price\n" + "".join(f"{time},50\n" for time in HOURS),
    remarks: POWERS,
    reader.read_trace: POWERS,
    jobs_of: "at_s,for_s,power_W\n900,900,100000\n",
    schedule_file.read: SLOTS,
    weather_of: "ghi_W_per_m2,air_degC\n0,1\n500,2\n",
}
PIECES = st.sampled_from(
    '|,|;|\t|"|\n|\r|.|-|+|:|0|9|e|T|Z|nan|inf|-9999|1e400|1,5|1.234,5|N/A|\ufeff|\0|\x1b[31m|\u2028'
    "|\u0663|\u00b0C|0001-01-01T00:00|9999-12-31T23:59|+25:00|1777593600000|2026-03-29T02:30|_|sep=;"
    "|[]|\ud7ff|65535|9223372036854775794".split("|")
)


@st.composite
def damaged(draw, text):
    """A good file with pieces put in, cut out or doubled, as bytes."""
    for _ in range(draw(st.integers(0, 5))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        kept = draw(st.sampled_from([text[at:], text[at + length :], text[max(0, at - length) :]]))
        text = text[:at] + draw(PIECES) + kept
    data = text.encode(draw(st.sampled_from(["utf-8", "utf-16", "utf-8-sig"])))
    data += draw(st.sampled_from([b"", b"\xff", b"\n\x00"]))
    return (
        gzip.compress(data, mtime=0)[: draw(st.sampled_from([-1, 20, None]))]
        if draw(st.booleans())
        else data
    )


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(data=st.data())
def test_any_file_is_read_or_refused_in_one_plain_line(tmp_path_factory, read, data):
    content = data.draw(damaged(READERS[read]) | st.binary(max_size=80) | st.text().map(str.encode))
    path = str(written(tmp_path_factory.getbasetemp(), content, "any.csv"))
    try:
        read(path)
    except (SeriesError, schedule_file.ScheduleFileError) as error:
        text = str(error)
        assert text.startswith(f"{path}: ") and text.isprintable() and len(text) < 500
        shown = content.decode("utf-8", "replace")
        assert not [word for word in FOREIGN if word in text and word not in shown]
