"""Which courses run in the rig of real processes, how they differ there, and why some do not run.

No configuration leaves a required row not armed, so nothing is disarmed there: of a course that has
other stages not armed in virtual time, the time of its own stage is what it shows; its effects may
be the others' doing.
"""

from hil.campaigns.rows.campaign import EVERY
from hil.campaigns.rows.inside import INSIDE

WHY_NOT = {
    "flip_word": "a bit of the limit image in the controller's own memory",
    "change_program": "a constant of a function in the controller's own memory",
    "hot_processor": "a temperature that the operating system tells, which is the machine's own",
}
# What the site says for it: an analysis that asks for the derate arms 46b.
CABINET_MORE = {"46b": "[hma]\nnoc_derate = true\n"}


def why_not(course):
    """Why this course does not run in real processes; None if it does."""
    inside = [each.do for each in course.before + course.cause if each.do in INSIDE]
    return f"inside the controller: {WHY_NOT[inside[-1]]}" if inside else None


def has_start(course):
    """True if the controller's start is the course's, or part of it."""
    return course.starts or any([each.do == "controller_start" for each in course.cause])


def stalls_loop(course):
    """True if ticks that the loop misses are the course's own doing, not the machine's."""
    return any([each.do == "controller_stall" for each in course.cause])


def cabinet_more(course):
    """Text at the end of the cabinet's file that arms what the course needs and the example site
    has not; row 51 has a site of its own.
    """
    return "".join([CABINET_MORE.get(stage, "") for stage in course.armed])


NOT_DONE = {label: why_not(each) for label, each in EVERY.items() if why_not(each)}
REAL = {label: each._replace(alone=()) for label, each in EVERY.items() if label not in NOT_DONE}
BESIDE = {label: EVERY[label].alone for label in REAL if EVERY[label].alone}
