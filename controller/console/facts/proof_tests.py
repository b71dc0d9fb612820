"""Proof tests of the controller that is watched: its header says which rows are armed, the ledger what was tested."""

import os

from controller import proof_state, proof_tests
from controller.places import plain


class Ledger:
    """`read` the ledger of a state directory: anew only when the file has changed (70 us a record, every second)."""

    def __init__(self, state_directory):
        self._directory, self._seen, self._found = state_directory, None, None

    def read(self):
        """proof_tests.Found. Raises OSError."""
        try:
            now = os.stat(proof_tests.path_of(self._directory))
            seen = now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
        except FileNotFoundError:
            seen = ()
        if seen != self._seen:
            self._found, self._seen = proof_tests.read(self._directory), seen
        return self._found


def facts(header, ledger, utc_us):
    """{rows, summary, wrong} as plain data, None for a controller that says nothing of them.

    rows: of proof_state.rows; summary: what is due next, in a few words; wrong: lines about the ledger itself.
    """
    planned = header.get("proof_tests")
    if planned is None:
        return None
    try:
        found = ledger.read()
    except OSError as error:
        return {"rows": [], "summary": "proof tests unknown", "wrong": [plain(error, proof_tests.FILE)]}
    rows = proof_state.rows(planned, found.records, proof_tests.day(proof_tests.utc_text(utc_us)))
    summary = "proof-test ledger damaged" if found.breaks else proof_state.summary(rows)
    return {"rows": rows, "summary": summary, "wrong": found.lines}
