"""Feeds for the tests: a Feed of some keys, quarters around a time, and the line of a refusal."""

import os
from datetime import datetime
from zoneinfo import ZoneInfo

from series_files import FOREIGN

from controller.planner.feeds import reading
from controller.planner.feeds.points import QUARTER_S, Feed, Span, slots
from controller.series.refusal import SeriesError

BERLIN = ZoneInfo("Europe/Berlin")
KEYS = {"column": "", "unit": "", "begin": "", "base_W": None}


def utc_s(local):
    """A local time of Berlin, in s since 1970."""
    return datetime.fromisoformat(local).replace(tzinfo=BERLIN).timestamp()


NOW_S = utc_s("2026-11-26T12:00")


def feed(path, kind="prices", format="csv", **keys):
    return Feed(kind, kind, format, 36 * 3600, BERLIN, "EUR", {**KEYS, "path": str(path), **keys})


def span(now_s=NOW_S, before=96 * 3, quarters=96 * 6, since_s=float("-inf")):
    return Span(now_s // QUARTER_S * QUARTER_S - before * QUARTER_S, quarters, now_s, since_s)


def answer(own, now_s=NOW_S):
    """(points, "") or (None, the one line of a refusal)."""
    try:
        return reading.read(own, span(now_s)), ""
    except SeriesError as error:
        line = str(error)
    assert not [word for word in FOREIGN if word in line], line
    return None, line


def written(path, data, at_s=NOW_S - 3600):
    """The path of a file with this text or these bytes, written at this time."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    os.utime(path, (at_s, at_s))
    return path


def hourly(points, local, count):
    """Money per MWh, or watts, of the first quarter of each hour; None where it is unknown."""
    every = slots(points, utc_s(local), 4 * count)[::4]
    factor = 1000 if max(points.values) < 10 else 1
    return [round(each * factor, 6) if each == each else None for each in every]
