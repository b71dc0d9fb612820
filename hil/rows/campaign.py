"""Many courses over a few processes: the starts are made once, each course runs in a process forked from its start."""

from typing import NamedTuple

from hil import forks
from hil.rows import course, stopped, verdict
from hil.rows.courses import COURSES
from hil.rows.limits import Limits
from hil.rows.stopped import STOPPED

EVERY = COURSES | STOPPED
LONG = ("6b", "46a", "46b", "45b", "45d", "17a", "17b", "17c", "42c", "38a")  # first, so that none of them ends alone


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
    """Generator of Rows in the order in which they end. disarmed: each course runs with its stage not armed."""
    starts = _starts(config, labels, disarmed, seed)
    ordered = sorted(labels, key=lambda label: (label not in LONG, LONG.index(label) if label in LONG else 0))
    limits = Limits(config)
    for label, result, wanted in forks.values(ordered, lambda label: _one(label, starts, limits), jobs):
        yield _row(label, result, wanted, limits)


def _starts(config, labels, disarmed, seed):
    """{key: VirtualRig} of every start that one of these courses needs."""
    less = tuple({EVERY[label].stage for label in labels}) if disarmed else ()
    starts = {}
    for label in labels:
        key = course.start_key(EVERY[label])
        if key not in starts:
            starts[key] = course.started(config, EVERY[label], less, seed)
    return starts


def _one(label, starts, limits):
    each = EVERY[label]
    rig = starts[course.start_key(each)]
    if label in STOPPED:
        return label, stopped.measured(rig, each), stopped.wanted(each)
    return label, course.measured(rig, each, limits), tuple(course.wanted(each, rig.cabinet.devices))


def _row(label, result, wanted, limits):
    each = EVERY[label]
    if label in STOPPED:
        return Row(each, result, wanted, stopped.complaints(each, result, limits.config))
    return Row(each, result, wanted, verdict.complaints(each, result, limits, wanted))
