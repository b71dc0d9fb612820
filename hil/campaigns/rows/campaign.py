"""Many courses over a few processes: starts are made once, each course runs in a process forked
from its start.
"""

from typing import NamedTuple

from hil import forks
from hil.campaigns.rows import course, start, stopped, verdict
from hil.campaigns.rows.courses import COURSES
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.stopped import STOPPED

EVERY = COURSES | STOPPED
# first, so that none of them ends alone
LONG = ("6b", "46a", "46b", "45b", "45d", "17a", "17b", "17c", "42c", "38a")


class Row(NamedTuple):
    """One course as it ended: the Course, its Result, what must come, what was not met."""

    course: object
    result: object
    wanted: tuple
    complaints: list

    @property
    def is_met(self):
        """True if everything is as the matrix and the chain say."""
        return not self.complaints


def run(config, labels, jobs, disarmed=False, seed=1):
    """Generator of Rows in the order in which they end. disarmed: each course runs with its own
    stage not armed, all others armed, which is a start of its own.
    """
    starts = {} if disarmed else _starts(config, labels, seed)
    ordered = sorted(
        labels, key=lambda label: (label not in LONG, LONG.index(label) if label in LONG else 0)
    )
    limits = Limits(config)

    def one(label):
        each = EVERY[label]
        rig = (
            start.started(config, each, (each.stage,), seed)
            if disarmed
            else starts[start.start_key(each)]
        )
        if label in STOPPED:
            return label, stopped.measured(rig, each), stopped.wanted(each)
        return (
            label,
            course.measured(rig, each, limits),
            tuple(course.wanted(each, rig.cabinet.devices)),
        )

    for label, result, wanted in forks.values(ordered, one, jobs):
        yield _row(label, result, wanted, limits)


def _starts(config, labels, seed):
    """{key: VirtualRig} of every start that one of these courses needs."""
    starts = {}
    for label in labels:
        key = start.start_key(EVERY[label])
        if key not in starts:
            starts[key] = start.started(config, EVERY[label], (), seed)
    return starts


def _row(label, result, wanted, limits):
    each = EVERY[label]
    if label in STOPPED:
        return Row(each, result, wanted, stopped.complaints(each, result, limits.config))
    return Row(each, result, wanted, verdict.complaints(each, result, limits, wanted))
