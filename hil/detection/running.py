"""Runs courses in processes: a cabinet of each kind is started once, and a process forked from it for every course."""

import multiprocessing
import os
import signal

from hil.detection import courses, watching

PROCESSES_MAX = 8
_started = {}  # of this process and those forked from it: the rig, and the courses that are to run on it


def run(todo, seed, tell=lambda done, total: None, processes=None):
    """[Series] of courses.Course, in their order. tell: called after each with how many are done, and of how many."""
    found, done = [None] * len(todo), 0
    context = multiprocessing.get_context("fork")
    for base in sorted({course.base for course in todo}):
        places = [place for place, course in enumerate(todo) if course.base == base]
        _started.update(rig=watching.started(courses.BASES[base], seed), todo=todo)
        count = min(len(places), processes or min(PROCESSES_MAX, os.cpu_count() or 1))
        with context.Pool(count, _begin, maxtasksperchild=1) as pool:
            for place, series in pool.imap_unordered(_one, places, chunksize=1):
                found[place] = watching.Series(todo[place], *series)
                done += 1
                tell(done, len(todo))
    _started.clear()
    return found


def _begin():
    """The pool ends its processes by a signal, which here is none to be told about."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _one(place):
    """Runs in a process of its own, on the copy of the cabinet that it was forked with."""
    series = watching.watch(_started["rig"], _started["todo"][place])
    return place, tuple(series[1:])
