"""The record of a run. Figures and expectations are computed from it."""

from typing import NamedTuple

import numpy as np


class Run(NamedTuple):
    """A recorded run. rows: array of recorder.SAMPLE; timeline: [(us, event, detail)]; violations:
    sentences; trips: [{row, stage, scope, t_s}]; loop: {ticks, missed, lateness_us: {p50, p99,
    p99_9, max}}, without lateness in virtual time; load: {file, column, scale, rows_refused};
    units: list of UnitTotals; pauses: see results/pauses.py.
    """

    rows: np.ndarray
    timeline: list
    violations: list
    trips: list
    loop: dict
    load: dict
    units: list | tuple = ()
    pauses: list | tuple = ()
