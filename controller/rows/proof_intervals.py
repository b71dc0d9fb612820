"""How often a test on site must prove each row: most days, the reason, and how sure the reason is.

The confirmed clauses ask for a record of tests (A71, A73, A75, A78), not for these intervals. The
project proposes the intervals unless the confidence says otherwise; a site may only shorten them.
Detectors follow their calibration twice a year. Contacts and relays follow the yearly inspection of
the fire panel. Rows with ONCE are proven at commissioning only.

One test proves a row. A stage that is much quicker or slower than its row has a test of its own,
because its own delay would not show in the test of the row. A stage with a contact of its own and
the hard wiring (tested with the controller switched off) have tests of their own too.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from controller.rows.records import ROWS
from controller.rows.shapes import Interval, Row, Stage, Wired
from safety import matrix

SECTION = "proof_test"  # of a configuration
WIRED = "w"  # last letter of the key of a hard-wired row; no stage ends with it


class Values(Protocol):
    """The values of a configuration (controller/config/values.py)."""

    def get(self, *path: str) -> Any:
        """Value of the key at `path` or its default, or None."""


def _proofs() -> Iterator[tuple[str, Row | Stage | Wired, Interval]]:
    for number, row in ROWS.items():
        yield str(number), row, row.proof
        yield from [(stage.id, stage, stage.proof) for stage in row.stages if stage.proof]
        if row.wired:
            yield f"{number}{WIRED}", row.wired, row.wired.proof


PROOFS = {key: tested for key, tested, _ in _proofs()}  # key: the row, stage or wiring tested
INTERVALS = {key: interval for key, _, interval in _proofs()}


def row_of(key: str) -> int:
    """Row of the matrix of a key: 40 for "40e", 1 for "1w"."""
    return int(key.rstrip("abcdefghijklmnopqrstuvwxyz"))


def key_of(stage: tuple) -> str:
    """Key under which the tests of a stage are recorded."""
    name: str = stage[matrix.S_ID]
    return name if name in INTERVALS else str(stage[matrix.S_ROW])


def what(key: str) -> str:
    """Words for the test of a key."""
    return PROOFS[key].proves or ROWS[row_of(key)].what


def read(values: Values) -> dict[str, int | None]:
    """{key: days or None} after the configuration has shortened the intervals."""
    return {key: _days(key, values) for key in INTERVALS}


def _days(key: str, values: Values) -> int | None:
    """Days of one key. A shorter interval of a row also shortens the tests of its stages."""
    own_d, row = values.get(SECTION, key), str(row_of(key))
    row_d = values.get(SECTION, row)
    if row_d == INTERVALS[row].interval_d:
        return own_d
    return row_d if own_d is None else min(own_d, row_d)
