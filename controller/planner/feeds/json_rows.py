"""Reads the rows of a JSON text. The site file says where the rows are in the text.

list = "data.prices" is the path to a list of objects or lists. It may also lead to an object of
columns of equal length, or to an object of {time: value}. time and value are paths within an entry,
or names of columns. In an object of {time: value}, time only says whether it is a begin or an end.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from controller.planner.feeds.points import Feed, Points, Reading, of_readings, unit_of
from controller.series import money, times
from controller.series.refusal import SeriesError, shown
from controller.system import json_text

FORMS = "allowed is a list of entries, an object of lists, or an object of {time: value}"


def parsed(data: bytes, feed: Feed, made_s: float) -> Points:
    """The points of a JSON text. SeriesError says why in one line."""
    names, unit = (feed.keys["time"], feed.keys["value"]), unit_of(feed.kind, feed.keys["unit"])
    assert unit is not None  # site_file.py has checked it

    zones = [feed.zone]

    def checked(members: dict[str, Any]) -> dict[str, Any]:
        if feed.kind == "prices":
            money.check("the text", members.items(), feed.currency, unit)
        with contextlib.suppress(KeyError, SeriesError):  # without a zone, or with a name as EST5
            zones.append(times.zone_of(_text(members["timezone"])))
        return members

    try:
        content = json_text.loads(data, checked)
    except SeriesError:
        raise
    except ValueError:
        raise SeriesError("not whole JSON in UTF-8") from None
    rows = list(_rows(_at(content, feed.keys["list"]), *names))
    if rows and rows[0][1] > rows[-1][1]:  # the text has the newest row first
        rows.reverse()
    return of_readings(rows, feed._replace(zone=zones[-1]), unit, names, made_s)


def _rows(content: Any, time: str, value: str) -> Iterator[Reading]:
    if isinstance(content, dict) and all(map(times.is_time, content)):
        content, time, value = list(content.items()), "0", "1"
    elif isinstance(content, dict):
        columns = [_at(content, path, f"{FORMS}; the object") for path in (time, value)]
        sizes = [len(column) if isinstance(column, list) else None for column in columns]
        if None in sizes or sizes[0] != sizes[1]:
            raise SeriesError(f"{time} and {value}: needed are two lists of equal length; {FORMS}")
        content, time, value = list(zip(*columns)), "0", "1"
    if not isinstance(content, list):
        raise SeriesError(f"{shown(str(content))}: {FORMS}")
    for number, row in enumerate(content, 1):
        where = f"entry {number}"
        yield where, _text(_at(row, time, where)), _text(_at(row, value, where))


def _at(node: Any, path: str, where: str = "the text") -> Any:
    """The value at the end of a dotted path; a number is the place in a list."""
    for name in path.split(".") if path else ():
        if isinstance(node, dict) and name in node:
            node = node[name]
        elif isinstance(node, (list, tuple)) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            raise SeriesError(f"{where} has no {shown(path)}")
    return node


def _text(value: Any) -> str:
    """A value as a cell; empty for true and lists, which are neither numbers nor times."""
    return str(value) if isinstance(value, (str, int, float)) and value is not True else ""
