"""Finds the proof tests that are due, with pure functions.

They use the intervals of the armed rows of the cause-and-effect matrix, the records of the ledger,
and the day.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, SupportsInt

from controller.rows import proof_intervals
from controller.store import proof_lines
from controller.store.proof_lines import COMMISSIONED, PASSED, TEST, Record, day
from controller.system import utc

Facts = dict[str, Any]  # an armed row
LIMITS_D = (60, 30, 7, 0)  # a warning comes this many days before a test
OK, DUE, OVERDUE, NOT_PASSED = "ok", "due", "overdue", "failed"
STATES = (OK, DUE, DUE, DUE, OVERDUE)  # in the order of levels
AHEAD = "the clock of its record was ahead"


def rows(
    planned: Mapping[str, int | None], records: Sequence[Record], moment: tuple[SupportsInt, str]
) -> list[Facts]:
    """The armed rows as plain data.

    planned: result of proof_plan.plan. moment: (utc, source); if the clock is not steered, a later
    time of a record is used instead. Keys: last: values of the last test, or None. again: why the
    test is due again, or None. due: ISO day or None. level: number of LIMITS_D that have passed.
    """
    today = proof_lines.utc_text(moment[0])[:10]
    if moment[1] != utc.NTP:
        today = max(today, proof_lines.last_utc(records)[:10])
    records, now = _possible(records, today), day(today)
    began = day(min([today, *[record.date for record in records if record.kind == COMMISSIONED]]))
    last = {record.row: record for record in records if record.kind == TEST}
    newest = {record.row: record for record in records if record.kind in (TEST, proof_lines.DUE)}
    again = {key: record for key, record in newest.items() if record.kind == proof_lines.DUE}
    return [
        _row(key, interval_d, last.get(key), again.get(key), began, now)
        for key, interval_d in planned.items()
    ]


def _possible(records: Sequence[Record], today: str) -> list[Record]:
    """The records, with dates that can be right.

    A date after `today`, or after the writing of a later record, shows that the clock was ahead.
    The day of such a test is unknown, so a passed test is due again.
    """
    possible = list[Record]()
    for record in reversed(records):
        if record.date > today:
            record = record._replace(date=today)
            if record.result == PASSED:
                record = record._replace(kind=proof_lines.DUE, remark=AHEAD)
        possible.append(record)
        if record.clock != proof_lines.DOUBTFUL:
            today = min(today, record.recorded_utc[:10])
    return possible[::-1]


def _row(
    key: str,
    interval_d: int | None,
    last: Record | None,
    again: Record | None,
    began: date,
    now: date,
) -> Facts:
    has_passed = last is not None and last.result == PASSED
    newest = again or last
    due: date | None = day(newest.date) if newest else began
    if due and has_passed and not again:
        due = due + timedelta(interval_d) if interval_d else None
    days_left = None if due is None else (due - now).days
    level = 0 if days_left is None else sum(days_left <= limit_d for limit_d in LIMITS_D)
    return {
        "row": key,
        "what": proof_intervals.what(key),
        "interval_d": interval_d or None,
        "last": last._asdict() if last else None,
        "again": again.remark if again else None,
        "due": due.isoformat() if due else None,
        "days_left": days_left,
        "level": level,
        "state": NOT_PASSED if last and not has_passed and not again else STATES[level],
    }


def words(row: Facts) -> str:
    """State of a row: "ok", "due in 12 d", "overdue, 3 d late", "due again, ups was replaced"."""
    if row["state"] == DUE:
        return f"due in {row['days_left']} d"
    if row["again"] is not None:
        return f"due again, {row['again']}"
    if row["state"] == OVERDUE:
        late_d = -row["days_left"]
        late = f"{late_d} d late" if late_d else "due today"
        return f"{'never tested' if row['last'] is None else 'overdue'}, {late}"
    return row["state"]


def rows_armed(facts: list[Facts]) -> int:
    """Number of different rows of the matrix; a row may have several tests."""
    return len({proof_intervals.row_of(row["row"]) for row in facts})


def wrong(facts: list[Facts]) -> list[Facts]:
    """The overdue and failed rows."""
    return [row for row in facts if row["state"] in (OVERDUE, NOT_PASSED)]


def is_slow(row: Facts) -> bool:
    """True if the last test was slower than allowed_ms of the present configuration."""
    return bool(row["last"] and row["last"]["reaction_ms"] > row["allowed_ms"])


def nearest(facts: list[Facts]) -> Facts | None:
    """The row whose test is due first, or None if no test will ever be due."""
    return min(
        [row for row in facts if row["days_left"] is not None],
        key=lambda row: row["days_left"],
        default=None,
    )


def summary(facts: list[Facts]) -> str:
    """A line of a page: "21 proof tests to be done", "proof test of row 15 in 12 d", or ""."""
    late, row = wrong(facts), nearest(facts)
    if len(late) > 1:
        return f"{len(late)} proof tests to be done"
    if row is None:
        return ""
    state = words(row).partition(",")[0] if late else f"in {row['days_left']} d"
    return f"proof test of row {row['row']} {state}"
