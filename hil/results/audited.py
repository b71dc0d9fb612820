"""Judges a run of the rig by grid operators' rules: `rig --audit`.

The audit is in the package firebreak-office, which may be missing on a bench.
"""

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from controller.audit.samples import Piece

ROWS = 1 << 16
MISSING = "--audit: install the package firebreak-office"


class RunSource:
    """Load, grid, voltage, frequency and commands of the plant in each tick from from_s on."""

    path, meter_s, begin_utc_s = "this run", 1e-3, None  # no row repeats a measured value

    def __init__(self, rows: np.ndarray, from_s: float) -> None:
        self._rows = rows[rows["t_us"] >= from_s * 1e6]

    def pieces(self) -> Iterator["Piece"]:
        """See `Source`. Two rows with the same time count once."""
        from controller.audit.samples import COMMANDED, FREQUENCY, GRID, LOAD, VOLTAGE, Piece

        for first in range(0, len(self._rows), ROWS):
            part = self._rows[first : first + ROWS]
            part = part[np.append(True, np.diff(part["t_us"]) > 0)]
            names = LOAD, GRID, VOLTAGE, FREQUENCY, COMMANDED
            yield Piece(part["t_us"] / 1e6, {name: part[name].astype(float) for name in names})


def is_installed() -> bool:
    """True if the audit is installed."""
    return importlib.util.find_spec("controller.audit") is not None


def judged(rows: np.ndarray, from_s: float, site_MW: float | None) -> tuple[dict[str, Any], str]:
    """(findings as JSON, report) by all shipped rules. site_MW: None for the size of the run."""
    from controller.audit import judge, report, rules
    from controller.audit.samples import AuditError

    all_rules = [rule for name in rules.usual() for rule in rules.load(name)]
    try:
        findings = judge.audit(RunSource(rows, from_s), all_rules, site_MW)
    except AuditError as error:
        return {"error": str(error)}, f"not judged: {error}"
    return report.document(findings), report.text(findings)
