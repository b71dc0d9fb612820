"""The courses in the rig of real processes: one Rig per course, several at a time, repeated where
the machine stalled.

A thread waits for each rig; the processes are the controller and the bench of each course. An
interruption ends every running course in order.
"""

import contextlib
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from controller.record.journal import JournalError
from controller.record.snapshot import read
from hil import plant_process
from hil.campaigns import order as orders
from hil.campaigns.rows import effects, second_channel, start, stopped, verdict
from hil.campaigns.rows.campaign import Row
from hil.campaigns.rows.courses import STAGES
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real_courses import REAL, cabinet_more
from hil.campaigns.rows.stopped import STOPPED
from hil.campaigns.rows.watch import Result
from hil.rig import Rig, RigError

STEP_ms = plant_process.STEP_US // 1000
STALL_ms = 40  # a step of the bench beyond this, two ticks, is the machine's doing
REPEATS_MAX = 2
ASK_AGAIN_S, ASKS_MAX = 0.05, 1200
BENCH = "hil.campaigns.rows.bench_watch"


class Attempt(NamedTuple):
    """One run of a course: its Row, what the machine held back, the observer's events for a reader
    who looks for why.
    """

    row: Row
    machine: dict
    timeline: list


class Ended(NamedTuple):
    """A course as it ended: its last attempt, and what is said of those before it."""

    row: Row
    machine: dict
    timeline: list
    repeated: list


class CourseRig(Rig):
    """The rig of one course."""

    def __init__(self, config, each, seed, directory):
        order = orders.made(
            config,
            0.0,
            seed,
            run_dir=directory,
            bench=BENCH,
            course=each.label,
            soc_pct=each.soc_pct,
            cabinet_more=cabinet_more(each),
        )
        if start.SECOND_CHANNEL in each.armed:
            order |= second_channel.site(directory)
        super().__init__(order, None, config)
        self.may_be_killed = any([action.do == "controller_kill" for action in each.cause])

    def _write_cabinet_file(self, wires):
        """The second channel's plug has a section of its own."""
        ports = dict(wires["ports"])
        if second_channel.NAME in ports:
            self.order["cabinet_more"] += second_channel.section(ports.pop(second_channel.NAME))
        super()._write_cabinet_file({**wires, "ports": ports})

    def _whole(self, shown):
        return shown

    def _do_hint(self, message):
        if self.controller.poll() is None:  # one that was killed takes none
            super()._do_hint(message)

    def _ask(self, what):
        """An operator's command to a controller that was only just started waits until it ticks."""
        waiting = threading.Event()
        for _ in range(ASKS_MAX):
            if self.controller.poll() is not None or self._has_ticked():
                break
            waiting.wait(ASK_AGAIN_S)
        super()._ask(what)

    def _has_ticked(self):
        try:
            read(os.path.join(self.directory, "journal")).close()
        except (OSError, JournalError):
            return False
        return True


class Campaign:
    """Runs courses; `say` takes a line about one that is repeated."""

    def __init__(self, config, jobs, seed, say):
        self._config, self._jobs, self._seed, self._say = config, jobs, seed, say
        self.limits = Limits(config, STEP_ms)
        self._running, self._interrupted = set(), False

    def run(self, labels):
        """Generator of Ended in the order in which they end, the longest begun first. Raises
        RigError where a rig could not be started.
        """
        ordered = sorted(labels, key=lambda label: -duration_s(REAL[label], self.limits))
        pool = ThreadPoolExecutor(self._jobs)
        try:
            for future in as_completed(
                [pool.submit(self._until_judged, label) for label in ordered]
            ):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            self._end_all()
            pool.shutdown()

    def _end_all(self):
        self._interrupted = True
        for rig in list(self._running):
            with contextlib.suppress(RigError, OSError):  # it has ended by itself meanwhile
                rig.send({"what": "finish"})

    def _until_judged(self, label):
        repeated = []
        while True:
            found = self._attempt(label)
            if (
                found.row.is_met
                or not stall(found.machine)
                or len(repeated) == REPEATS_MAX
                or self._interrupted
            ):
                return Ended(*found, repeated)
            repeated.append(
                f"repeated because the machine stalled: {stall(found.machine)}; "
                f"seen: {'; '.join(found.row.complaints)}"
            )
            self._say(f"{label:11} {repeated[-1]}")

    def _attempt(self, label):
        with tempfile.TemporaryDirectory(prefix="firebreak-rows-") as directory:
            rig = CourseRig(self._config, REAL[label], self._seed, directory)
            error = None
            try:
                rig.start()
                self._running.add(rig)
                if self._interrupted:
                    rig.send({"what": "finish"})
                rig.run(lambda shown: None)
            except RigError as ended:
                if rig not in self._running:
                    raise
                error = str(ended)
            finally:
                self._running.discard(rig)
                rig.stop()
            return (
                ended_early(label, error)
                if error
                else judged(label, orders.recorded(directory), self.limits)
            )


def duration_s(each, limits):
    """How long a course takes at least, for the order in which they begin."""
    started_s = (
        start.start_duration_s(each) + each.settle_s + max([action.at_s for action in each.cause])
    )
    return started_s if each.label in STOPPED else started_s + limits.decision_ms(each.stage) / 1000


def judged(label, content, limits):
    """Attempt from what the bench has recorded."""
    if content["course"] is None:
        return ended_early(label, "the controller made no tick, or the course was interrupted")
    each, result, wanted = REAL[label], result_of(content["course"]), tuple(content["wanted"])
    said = (
        stopped.complaints(each, result, limits.config)
        if label in STOPPED
        else verdict.complaints(each, result, limits, wanted)
    )
    return Attempt(Row(each, result, wanted, said), content["machine"], content["timeline"])


def result_of(content):
    """Result as it was before it went through a file."""
    return Result(**content)._replace(
        at_first=set(content["at_first"]), stood=[tuple(each) for each in content["stood"]]
    )


def ended_early(label, why):
    """Attempt of a course of which nothing is known but that it did not come to its end."""
    each = REAL[label]
    wanted = tuple(
        stopped.wanted(each) if label in STOPPED else effects.demanded(STAGES[each.stage])
    )
    nothing = Result(label, None, None, None, dict.fromkeys(wanted), set(), {}, {}, [], [])
    return Attempt(Row(each, nothing, wanted, [why]), {}, [])


def stall(machine):
    """What the machine held back, in words; empty where it did not."""
    step_ms, bad_ticks = machine.get("step_ms_max", 0), machine.get("bad_ticks", 0)
    words = [f"the bench for {step_ms:g} ms"] if step_ms > STALL_ms else []
    return ", ".join(words + ([f"the loop in {bad_ticks} ticks"] if bad_ticks else []))
