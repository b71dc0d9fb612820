"""Which proof tests are due: pure, from the intervals of the rows that are armed, the ledger's
records and the day.
"""

from datetime import timedelta

from controller.rows import proof_intervals
from controller.store.proof_lines import COMMISSIONED, PASSED, TEST, day

LIMITS_D = (60, 30, 7, 0)  # days ahead at which a test is warned of; at 0 its day has come
OK, DUE, OVERDUE, NOT_PASSED = "ok", "due", "overdue", "failed"
STATES = (OK, DUE, DUE, DUE, OVERDUE)  # by level


def rows(planned: dict, records: list | tuple, clock_day) -> list:
    """The armed rows in their order, as plain data: {row, what, interval_d, last, due, days_left,
    level, state}.

    planned: of proof_plan.plan; records: of proof_lines.Found; clock_day: datetime.date, used where
    it is not before the newest record. last: values of the last test or None; due: ISO day or None
    (never again); level: how many of LIMITS_D have been passed.
    """
    now = max([clock_day, *[day(record.recorded_utc) for record in records]])
    began = min(
        [day(record.date) for record in records if record.kind == COMMISSIONED], default=now
    )
    last = {record.row: record for record in records if record.kind == TEST}
    return [_row(key, interval_d, last.get(key), began, now) for key, interval_d in planned.items()]


def _row(key, interval_d, last, began, now):
    due, has_passed = day(last.date) if last else began, last and last.result == PASSED
    if has_passed:
        due = due + timedelta(interval_d) if interval_d else None
    days_left = None if due is None else (due - now).days
    level = 0 if due is None else sum([days_left <= limit_d for limit_d in LIMITS_D])
    return {
        "row": key,
        "what": proof_intervals.what(key),
        "interval_d": interval_d or None,
        "last": last and last._asdict(),
        "due": due and due.isoformat(),
        "days_left": days_left,
        "level": level,
        "state": NOT_PASSED if last and not has_passed else STATES[level],
    }


def words(row: dict) -> str:
    """State of a row in a few words: "ok", "due in 12 d", "overdue by 3 d", "failed"."""
    if row["state"] == DUE:
        return f"due in {row['days_left']} d"
    if row["state"] == OVERDUE:
        late_d = -row["days_left"]
        late = f"{late_d} d late" if late_d else "due today"
        return f"{'never tested' if row['last'] is None else 'overdue'}, {late}"
    return row["state"]


def rows_armed(found: list) -> int:
    """How many rows of the matrix they are: one may have several tests, and several rows never
    share one.
    """
    return len({proof_intervals.row_of(row["row"]) for row in found})


def wrong(found: list) -> list:
    """Those that are overdue or failed."""
    return [row for row in found if row["state"] in (OVERDUE, NOT_PASSED)]


def nearest(found: list) -> dict | None:
    """The row whose test is due first, None where none ever is."""
    return min(
        [row for row in found if row["days_left"] is not None],
        key=lambda row: row["days_left"],
        default=None,
    )


def summary(found: list) -> str:
    """What is due next, for one line of a page: "21 proof tests to be done", "proof test of row 15
    in 12 d", or "".
    """
    late, row = wrong(found), nearest(found)
    if len(late) > 1:
        return f"{len(late)} proof tests to be done"
    if row is None:
        return ""
    state = words(row).partition(",")[0] if late else f"in {row['days_left']} d"
    return f"proof test of row {row['row']} {state}"
