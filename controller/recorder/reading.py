"""Reads the record while it is written, after a kill, or from a copy. It never writes."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from urllib.parse import quote

from controller.system import regular_file
from controller.system.paths import SERVICE

FILE = "record.db"
WAIT_S = 2.0
NOT_YOURS = f"only the user {SERVICE} may: put sudo -u {SERVICE} before the command"


@contextlib.contextmanager
def opened(path: str) -> Iterator[sqlite3.Connection]:
    """A read-only connection that sees the state of one moment.

    Raises sqlite3.Error; FileNotFoundError if the record is empty.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(2, os.strerror(2))
    if regular_file.is_none(path):
        raise sqlite3.OperationalError(regular_file.REFUSED)
    if not os.access(path, os.R_OK):
        raise sqlite3.OperationalError(NOT_YOURS)
    connection = sqlite3.connect(
        f"file:{quote(os.path.abspath(path))}?mode=ro",
        uri=True,
        timeout=WAIT_S,
        isolation_level=None,
    )
    with contextlib.closing(connection):
        try:
            connection.execute("BEGIN")
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise FileNotFoundError(2, os.strerror(2))
            yield connection
        except UnicodeDecodeError:  # from sqlite3, for damaged names that are not UTF-8
            raise sqlite3.DatabaseError("the names of its tables are damaged") from None
