"""Proof tests of the controller that is watched: its header says which rows are armed, the ledger what was tested."""

from controller import proof_state, proof_tests
from controller.places import plain


def facts(header, state_directory, utc_us):
    """{rows, summary, wrong} as plain data, None for a controller that says nothing of them.

    rows: of proof_state.rows; summary: what is due next, in a few words; wrong: lines about the ledger itself.
    """
    planned = header.get("proof_tests")
    if planned is None:
        return None
    try:
        found = proof_tests.read(state_directory)
    except OSError as error:
        return {"rows": [], "summary": "proof tests unknown", "wrong": [plain(error, proof_tests.FILE)]}
    rows = proof_state.rows(planned, found.records, proof_tests.day(proof_tests.utc_text(utc_us)))
    summary = "proof-test ledger damaged" if found.breaks else proof_state.summary(rows)
    return {"rows": rows, "summary": summary, "wrong": found.lines}
