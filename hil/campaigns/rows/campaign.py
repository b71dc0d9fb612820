"""Many courses over a few processes: starts are made once, each course runs in a process forked
from its start.
"""

from typing import NamedTuple

from hil import forks
from hil.campaigns.rows import play, start, verdict
from hil.campaigns.rows.courses import EVERY

# first, so that none of them ends alone
LONG = ("6b", "46a", "46b", "45b", "45d", "17a", "17b", "17c", "42c", "38a")


class Row(NamedTuple):
    """One course as it ended: the Course, its Result, what must come, what was not met.

    Of real processes also: what the machine held back, the observer's events for a reader who looks
    for why, and a line for each attempt before.
    """

    course: object
    result: object
    wanted: tuple
    complaints: list
    machine: dict = {}
    timeline: list = []
    repeated: tuple = ()

    @property
    def is_met(self):
        """True if everything is as the matrix and the chain say."""
        return not self.complaints


def judged(course, result, limits, wanted, **seen):
    """The Row of a Result. seen: its further fields."""
    return Row(course, result, wanted, verdict.complaints(course, result, limits, wanted), **seen)


def run(limits, labels, jobs, disarmed=False, seed=1):
    """Generator of Rows in the order in which they end. disarmed: each course runs with its own
    stage not armed, all others armed, which is a start of its own.
    """
    config, starts = limits.config, {}
    for each in [EVERY[label] for label in labels if not disarmed]:
        key = start.start_key(each)
        starts[key] = starts.get(key) or start.started(config, each, (), seed)

    def one(label):
        each = EVERY[label]
        if disarmed:
            rig = start.started(config, each, (each.stage,), seed)
        else:
            rig = starts[start.start_key(each)]
        return each.label, play.measured(rig, each, limits), play.wanted(each, rig.cabinet.devices)

    ordered = [label for label in LONG if label in labels]
    ordered += [label for label in labels if label not in LONG]
    for label, result, wanted in forks.values(ordered, one, jobs):
        yield judged(EVERY[label], result, limits, tuple(wanted))
