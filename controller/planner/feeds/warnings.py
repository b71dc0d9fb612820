"""Warnings of an outage: each has its begin and its end, or its hours, and may be withdrawn.

The text has all warnings that are in force, so one that is gone counts no more. A wrong warning is
one line, and the others count. It counts itself if its begin is known: leaving it out would make a
storm look safe. Quarters of an hour are 1 in a warned span, otherwise 0.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import islice

from controller.planner.feeds.points import QUARTER_S, Feed, Points, Span, of_quarters, parts_s
from controller.series import table, times
from controller.series.refusal import SeriesError, shown
from controller.system import json_text

Row = tuple[str, Mapping[str, str]]  # place for messages, as "line 7"; cells by name
WARNINGS_MAX, LINES_MAX = 1000, 5
HOURS_MAX, UNKNOWN_H, HOUR_S = 168.0, 24.0, 3600.0
WITHDRAWN = "1", "true", "yes"
ALLOWED = f"allowed is an end after the begin, or hours, up to {HOURS_MAX:g} h"


def read(path: str, feed: Feed, span: Span, made_s: float) -> Points:
    """The points of a CSV file. SeriesError: one line with the path."""
    with table.opened(path) as found:
        found.at("begin")
        some = islice(found, WARNINGS_MAX + 1)
        rows = [(f"line {at}", dict(zip(found.names, cells))) for at, cells in some]
        return _points(rows, span, made_s, feed)


def parsed(data: bytes, feed: Feed, span: Span, made_s: float) -> Points:
    """The points of a JSON text. SeriesError: one line."""
    try:
        entries = json_text.loads(data)
        for name in filter(None, feed.keys["list"].split(".")):
            entries = entries[name]
        rows = [
            (f"entry {at}", {key: str(cell or "") for key, cell in each.items()})
            for at, each in enumerate(entries, 1)
        ]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise SeriesError('needed is JSON with a list of objects as {"begin": ...}') from None
    return _points(rows, span, made_s, feed)


def _points(rows: Sequence[Row], span: Span, made_s: float, feed: Feed) -> Points:
    if len(rows) > WARNINGS_MAX:
        raise SeriesError(f"allowed are at most {WARNINGS_MAX} warnings")
    values, doubts, over = [0.0] * span.quarters, list[str](), 0
    for where, cells in rows:
        if cells.get("withdrawn", "").strip().lower() in WITHDRAWN:
            continue
        try:
            begin_s = times.TimeCells(feed.zone)(cells.get("begin", ""))
        except SeriesError as error:
            doubts.append(f"{where} does not count: begin = {error}")
            continue
        for_h, line = _hours(cells, begin_s, feed)
        doubts += [f"{where}: {line}"] * bool(line)
        over += begin_s + for_h * HOUR_S <= span.now_s
        since_s = begin_s - span.start_s
        for slot, _ in parts_s(since_s, since_s + for_h * HOUR_S, span.quarters):
            values[slot] = 1.0
    if len(doubts) > LINES_MAX:
        doubts[LINES_MAX:] = [f"{len(doubts)} of {len(rows)} warnings are wrong"]
    doubts += [f"{over} of {len(rows)} warnings are over"] * (over > 0)
    quarters = {span.start_s + at * QUARTER_S: each for at, each in enumerate(values)}
    return of_quarters(quarters, made_s, doubts)


def _hours(cells: Mapping[str, str], begin_s: float, feed: Feed) -> tuple[float, str]:
    """Hours of a warning, and a line about what is wrong with its end."""
    given = {key: cells[key].strip() for key in ("end", "hours") if cells.get(key, "").strip()}
    hours = []
    for key, cell in given.items():
        try:
            if key == "hours":
                hours.append(table.number(cell, False))
            else:
                hours.append((times.TimeCells(feed.zone)(cell) - begin_s) / HOUR_S)
        except SeriesError:
            hours.append(math.nan)
    good = [each for each in hours if 0 < each <= HOURS_MAX]
    for_h = max(good, default=UNKNOWN_H)
    if good and len(good) == len(hours) and (for_h - min(good)) * HOUR_S <= QUARTER_S:
        return for_h, ""
    words = " and ".join([f"{key} = {shown(cell)}" for key, cell in given.items()]) or "no end"
    return for_h, f"{words}: {ALLOWED}: it counts for {for_h:g} h"
