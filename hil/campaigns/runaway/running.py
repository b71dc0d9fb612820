"""Runs courses in processes: a cabinet of each kind is started once, and a process forked from it
for every course.
"""

from hil import forks
from hil.campaigns.runaway import courses, watching

PROCESSES_MAX = 8


def run(todo, seed, tell=lambda done, total: None, processes=None):
    """[Series] of courses.Course, in their order. tell: called after each with how many are done,
    and of how many.
    """
    found = {}
    count = processes or min(PROCESSES_MAX, forks.cores())
    for base in sorted({course.base for course in todo}):
        places = [place for place, course in enumerate(todo) if course.base == base]
        rig = watching.started(courses.BASES[base], seed)

        def watched(place, rig=rig):
            return place, tuple(watching.watch(rig, todo[place])[1:])

        for place, series in forks.values(places, watched, count):
            found[place] = watching.Series(todo[place], *series)
            tell(len(found), len(todo))
    return [found[place] for place in range(len(todo))]
