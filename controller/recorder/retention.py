"""Keeping the database within its size: the oldest seconds go first, then the oldest events but
trips, trips last.

Events that go leave a gap in the hash chain: the hash before the next kept one moves to `links`,
and an event with code RETENTION says up to which number events may be missing. Work is done in
small pieces, so that an event never waits.
"""

from controller.record import chain

FILL_PERCENT_MAX = 90
SECONDS_KEPT_MIN = 3600  # events give way before the last hour does
SECONDS_A_PIECE, EVENTS_A_PIECE = 3600, 500
PAGES_A_PIECE = 256


def due(database, events_max):
    """What must give way now: "seconds", "events", "trips" or None."""
    used, _, allowed = database.pages()
    if used * 100 <= allowed * FILL_PERCENT_MAX:
        others = count(database, "kind <> 'trip'")
        return "events" if others > events_max else None
    if _rows(database, "seconds") > SECONDS_KEPT_MIN:
        return "seconds"
    return "events" if count(database, "kind <> 'trip'") > EVENTS_A_PIECE else "trips"


def count(database, condition):
    """How many events fulfil a condition."""
    return database.query(f"SELECT count(*) FROM events WHERE {condition}")[0][0]


def _rows(database, table):
    """Rows of a table that only loses its oldest ones, without counting them."""
    return database.query(f"SELECT coalesce(max(rowid) - min(rowid) + 1, 0) FROM {table}")[0][0]


def drop_seconds(database):
    """Let the oldest piece of the history go. Raises DatabaseError."""
    database.write(
        (),
        also=lambda connection, _: connection.execute(
            "DELETE FROM seconds WHERE rowid < (SELECT min(rowid) FROM seconds) + ?",
            (SECONDS_A_PIECE,),
        ),
    )


def drop_events(database, label, trips):
    """Let the oldest piece of the events go, trips only when asked. Raises DatabaseError.

    label(kind, code, scope, text) gives the Row of the event that says so.
    """
    condition = "1" if trips else "kind <> 'trip'"
    numbers = [
        row[0]
        for row in database.query(
            f"SELECT id FROM events WHERE {condition} ORDER BY id LIMIT ?", (EVENTS_A_PIECE,)
        )
    ]
    what = "events" if trips else "events but trips"
    row = label(
        chain.LOSS,
        chain.RETENTION,
        chain.missing_scope(numbers[-1]),
        f"no room: {what} {numbers[0]} to {numbers[-1]} were let go ({len(numbers)})",
    )
    database.write([row], also=lambda connection, _: _delete(connection, numbers))


def _delete(connection, numbers):
    """Delete events and keep the hash before each one that follows a gap."""
    for first, last in _runs(numbers):
        (head,) = connection.execute("SELECT hash FROM events WHERE id = ?", (last,)).fetchone()
        connection.execute("DELETE FROM events WHERE id BETWEEN ? AND ?", (first, last))
        connection.execute("DELETE FROM links WHERE id BETWEEN ? AND ?", (first, last))
        if connection.execute("SELECT 1 FROM events WHERE id = ?", (last + 1,)).fetchone():
            connection.execute("INSERT OR REPLACE INTO links VALUES (?, ?)", (last + 1, head))


def _runs(numbers):
    """(first, last) of each run of consecutive numbers."""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def trim(database, events_max, label):
    """One piece of work, if there is any. True when there was. Raises DatabaseError."""
    what = due(database, events_max)
    if what == "seconds":
        drop_seconds(database)
    elif what is not None:
        drop_events(database, label, what == "trips")
    _, pages, allowed = database.pages()
    if pages > allowed:
        database.give_back(PAGES_A_PIECE)
    return what is not None or pages > allowed
