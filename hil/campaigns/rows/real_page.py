"""The results of real processes: the page and the document of virtual time, and what only real time
has to tell.
"""

from hil.campaigns.rows import page
from hil.campaigns.rows.real_courses import BESIDE
from hil.results.run_result import machine

HEAD = """# Every row on the wire, in real processes

Written by `python -m hil rows --real --md FILE`: the controller's own process on ptys and a CAN
server, the simulated cabinet in another one, real time, so that no two runs have the same figures.
Courses, columns and limits are those of `python -m hil rows --md FILE`, but that times of stages
and of the plant are known to one step of the simulated cabinet, 10 ms, which is what is allowed for
it. Where the controller starts (44c, 44d, `46c start`), `sensor` is the time from the start of its
process to its first tick.

No configuration leaves a required row not armed, so every stage is armed here; where the table of
virtual time says `not armed`, the stages named below stood beside this one, and effects that are
seen may be theirs.
"""


def markdown(all_ended, limits, not_done):
    """The Markdown page. not_done: {label: why}."""
    labels = [ended.row.course.label for ended in all_ended]
    beside = [f"- {label}: {', '.join(BESIDE[label])}" for label in labels if label in BESIDE]
    repeated = [
        f"- {ended.row.course.label}: {words}" for ended in all_ended for words in ended.repeated
    ]
    sections = (
        ("Armed here, not armed in virtual time", beside),
        ("Repeated", repeated),
        ("Not done", [f"- {label}: {why}" for label, why in not_done.items()]),
    )
    lines = [page.page([ended.row for ended in all_ended], limits, HEAD)]
    for title, found in sections:
        lines += [f"## {title}", "", *(found or ["None."]), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def document(all_ended, limits, seed, not_done):
    """The JSON document; of a course that is not met the observer's events as well."""
    found = page.document([ended.row for ended in all_ended], limits, seed)
    for each, ended in zip(found["courses"], all_ended):
        each |= {"held_back": ended.machine, "repeated": ended.repeated}
        each |= {} if ended.row.is_met else {"timeline": ended.timeline}
    return found | {"command": "rows --real", "not_done": not_done, **machine()}
