"""Load and PV of the one-second history of the recorder, as means of quarters of an hour.

PV is what the balance leaves, load less battery less grid, so a generator set counts as PV. Without
a load meter the load is grid and battery. The table has no index of times, but at most one row a
second: the number of a row bounds what is read.
"""

import sqlite3

from controller.planner.feeds.points import KNOWN_PART, QUARTER_S, Points, Span, of_quarters
from controller.recorder import reading
from controller.series.refusal import SeriesError

VALUES = {"load": "coalesce(load_W, grid_W + battery_W)", "pv": "load_W - battery_W - grid_W"}
QUARTER_US = QUARTER_S * 1_000_000
MEANS = (
    "SELECT utc_us / ? AS quarter, avg({0}) FROM seconds "
    "WHERE rowid > (SELECT max(rowid) FROM seconds) - ? AND utc_us >= ? AND utc_us < ? "
    "GROUP BY quarter HAVING count({0}) >= ? ORDER BY quarter"
)


def read(path: str, kind: str, span: Span) -> Points:
    """The whole quarters after span.since_s. SeriesError: one line."""
    since_s = max(span.start_s, span.since_s)
    end_us = int(span.now_s // QUARTER_S) * QUARTER_US
    rows = int((span.now_s - since_s) * 1.1) + QUARTER_S  # a second may have two, at a new start
    values = QUARTER_US, rows, int(since_s * 1e6), end_us, int(KNOWN_PART * QUARTER_S)
    try:
        with reading.opened(path) as connection:
            connection.execute("PRAGMA cache_size = -256")  # KiB, also of the sorter
            found = connection.execute(MEANS.format(VALUES[kind]), values).fetchall()
    except FileNotFoundError:
        raise SeriesError(f"{path}: no record: needed is that of `firebreak record`") from None
    except sqlite3.Error as error:
        why = f": {error}" if str(error) == reading.NOT_YOURS else ""
        raise SeriesError(f"{path}: cannot be read as a record{why}") from None
    if not found:
        raise SeriesError(f"{path}: no new quarter of an hour with a known {kind}")
    return of_quarters({at * QUARTER_S: max(0.0, mean_W) for at, mean_W in found}, span.now_s)
