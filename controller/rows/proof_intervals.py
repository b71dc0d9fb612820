"""How often each row has to be proven by a test on site: days at most, why, and how sure that is.

The clauses that the fact table confirms ask for a record of tests (A71, A73, A75, A78), not for
these intervals: the project proposes them unless the confidence says otherwise, and a site may
only shorten them. Detectors follow their calibration twice a year, contacts and relays the yearly
inspection of the fire panel. Rows with ONCE are proven at commissioning only.

One test proves a row. A stage that is much quicker or slower than the others of its row, or acts by
wire, is tested apart: beside the slowest its own lateness would not show. What the wiring does with
the controller switched off is a test of its own too.
"""

from controller.rows.records import ROWS
from safety import matrix

SECTION = "proof_test"  # of a configuration
WIRED = "w"  # ends the key of a row by wire; no stage ends so


def _proofs():
    for number, row in ROWS.items():
        yield str(number), row
        yield from [(stage.id, stage) for stage in row.stages if stage.proof]
        if row.wired:
            yield f"{number}{WIRED}", row.wired


PROOFS = dict(_proofs())  # key: the row, stage or wiring that is tested
INTERVALS = {key: each.proof for key, each in PROOFS.items()}


def row_of(key: str) -> int:
    """Row of the matrix that a key belongs to: 40 of "40e", 1 of "1w"."""
    return int(key.rstrip("abcdefghijklmnopqrstuvwxyz"))


def key_of(stage: tuple) -> str:
    """Key that a stage of the matrix is recorded under."""
    name = stage[matrix.S_ID]
    return name if name in INTERVALS else str(stage[matrix.S_ROW])


def what(key: str) -> str:
    """What the row of a key is, in words."""
    return PROOFS[key].proves or ROWS[row_of(key)].what


def read(values) -> dict:
    """{key: days or None} as the configuration has shortened them; values: of the configuration."""
    return {key: _days(key, values) for key in INTERVALS}


def _days(key, values):
    """A row that the configuration has shortened shortens with it what is tested apart."""
    own_d, row = values.get(SECTION, key), str(row_of(key))
    row_d = values.get(SECTION, row)
    if row_d == INTERVALS[row].interval_d:
        return own_d
    return row_d if own_d is None else min(own_d, row_d)
