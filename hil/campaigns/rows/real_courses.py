"""Which courses run in the rig of real processes, how they differ there, and why some do not run.

No configuration leaves a required row not armed, so nothing is disarmed there: of a course that has
other stages not armed in virtual time, the time of its own stage is what it shows; its effects may
be due to the others.
"""

from hil.campaigns.rows.courses import EVERY
from hil.campaigns.rows.inside import INSIDE

WHY_NOT = {
    "flip_word": "a bit of the limit image in the controller's own memory",
    "change_program": "a constant of a function in the controller's own memory",
    "hot_processor": "a temperature that the operating system tells, which is the machine's own",
}
# An analysis that asks for the derate arms 46b; row 51 has a site of its own.
CABINET_MORE = {("46b",): "[hma]\nnoc_derate = true\n"}


def _why_not(course):
    inside = [each.do for each in course.before + course.cause if each.do in INSIDE]
    return f"inside the controller: {WHY_NOT[inside[-1]]}" if inside else None


NOT_DONE = {label: _why_not(each) for label, each in EVERY.items() if _why_not(each)}
REAL = {label: each._replace(alone=()) for label, each in EVERY.items() if label not in NOT_DONE}
BESIDE = {label: EVERY[label].alone for label in REAL if EVERY[label].alone}
