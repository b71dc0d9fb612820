"""Proof tests of the watched controller: its header has the armed rows, the ledger the tests."""

import os

from controller.store import proof_lines, proof_state, proof_tests
from controller.system import utc
from controller.system.paths import plain


class Ledger:
    """`read` the ledger of a state directory: anew only when the file has changed (70 us a record,
    every second).
    """

    def __init__(self, state_directory: str):
        self._directory, self._seen, self._found = state_directory, None, None

    def read(self):
        """proof_lines.Found. Raises OSError."""
        try:
            now = os.stat(proof_tests.path_of(self._directory))
            seen = now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
        except FileNotFoundError:
            seen = ()
        if seen != self._seen:
            self._found, self._seen = proof_tests.read(self._directory), seen
        return self._found


def facts(header: dict, ledger, utc_us: int, clock: str):
    """{rows, summary, wrong, clock} as plain data, None for a controller without proof tests.

    rows: of proof_state.rows; summary: the next due, in a few words; wrong: lines about the ledger;
    clock: source of the day (utc.py). With an unknown clock a test may be late unnoticed.
    """
    planned = header.get("proof_tests")
    if planned is None:
        return None
    try:
        found = ledger.read()
    except OSError as error:
        return {
            "rows": [],
            "summary": "proof tests unknown",
            "wrong": [plain(error, proof_tests.FILE)],
            "clock": clock,
        }
    rows = proof_state.rows(planned, found.records, proof_lines.day(proof_lines.utc_text(utc_us)))
    return {
        "rows": rows,
        "summary": _summary(found, rows, clock),
        "wrong": found.lines,
        "clock": clock,
    }


def _summary(found, rows, clock):
    if found.breaks:
        return "proof-test ledger damaged"
    next_due = proof_state.summary(rows)
    is_doubtful = clock == utc.UNKNOWN and next_due and not proof_state.wrong(rows)
    return next_due + (", clock unknown" if is_doubtful else "")
