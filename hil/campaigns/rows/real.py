"""The courses in the rig of real processes: one Rig per course, several at a time, repeated where
the machine stalled.

A thread waits for each rig; the processes are the controller and the plant process of each course.
An interruption ends every running course in order. No configuration leaves a required row not
armed, so nothing is disarmed there: of a course that has other stages not armed in virtual time,
only the time of its own stage is its own.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

from controller.config.configuration import load
from controller.journal.ring import JournalError
from controller.journal.snapshot import read
from controller.sites import FOLDER as SITES
from hil.campaigns import order as orders
from hil.campaigns.rows import play, start
from hil.campaigns.rows.stopped import EVERY
from hil.campaigns.rows.verdict import Row, judged
from hil.campaigns.rows.watch import Result
from hil.engine import plant_process
from hil.engine.rig import Rig, RigError

STEP_ms = plant_process.STEP_US // 1000
STALL_ms = 40  # a step of the plant process beyond this, two ticks, is the machine's doing
REPEATS_MAX = 2
ASK_AGAIN_S, ASKS_MAX = 0.05, 1200
PLANT = "hil.campaigns.rows.plant_watch"
FINISH = {"what": "finish"}
CHANNEL_B = "channel_b"
TYPE = "firebreak_645.toml"
NONE, FITTED = 'second_channel = "none"', 'second_channel = "fitted"'
WHY_NOT = {
    "flip_word": "a bit of the limit image in the controller's own memory",
    "change_program": "a constant of a function in the controller's own memory",
    "forget_obligations": "a mistake in the set-point chain",
    "meter_50c": "a load that hides the code for 30 s",
    "meter_50d": "the scenario meter_reversed does it at the start",
    "hot_processor": "a temperature that the operating system tells, which is the machine's own",
}
# An analysis that asks for the derate arms 46b; row 51 has a site of its own.
CABINET_MORE = {("46b",): "[hma]\nnoc_derate = true\n"}


# In virtual time row 55 is not armed in them.
ROW_55_FIRST = dict.fromkeys(("35a", "35b"), "row 55 sees first that only one source tells it")


def _why_not(course):
    if course.label in ROW_55_FIRST:
        return ROW_55_FIRST[course.label]
    inside = [each.do for each in course.before + course.cause if each.is_inside]
    return f"inside the controller: {WHY_NOT[inside[-1]]}" if inside else None


NOT_DONE = {label: _why_not(each) for label, each in EVERY.items() if _why_not(each)}
REAL = {label: each._replace(alone=()) for label, each in EVERY.items() if label not in NOT_DONE}
BESIDE = {label: EVERY[label].alone for label in REAL if EVERY[label].alone}


def section(port):
    """Of a cabinet's file: where channel B's plug is."""
    return f'[{CHANNEL_B}]\nport = "{port}"\n'


def site(directory):
    """Part of an order: the example site with channel B, a copy in this directory."""
    folder = pathlib.Path(directory, "sites")
    shutil.copytree(SITES, folder)
    path, cabinet = folder / "types" / TYPE, folder / "example" / "cabinet.toml"
    path.write_text(path.read_text(encoding="ascii").replace(NONE, FITTED), encoding="ascii")
    # the plant process only has to know that there is one
    text = cabinet.read_text(encoding="ascii") + section("/dev/null")
    cabinet.write_text(text, encoding="ascii")
    return {"site": str(cabinet), "extends": str(cabinet.parent / "site.toml")}


class CourseRig(Rig):
    """The rig of one course."""

    def __init__(self, config, each, seed, directory):
        order = orders.made(
            config,
            1.0,  # of a load that start.py replaces
            seed,
            run_dir=directory,
            plant=PLANT,
            course=each.label,
            soc_pct=each.soc_pct,
            cabinet_more=CABINET_MORE.get(each.armed, ""),
        )
        if start.SECOND_CHANNEL in each.armed:
            order |= site(directory)
            config = load(order["site"])  # its image is the one that is approved
        super().__init__(order, None, config)
        self.may_be_killed = each.does("controller_kill")

    def _write_cabinet_file(self, wires):
        """Channel B's plug has a section of its own."""
        ports = dict(wires["ports"])
        if CHANNEL_B in ports:
            self.order["cabinet_more"] += section(ports.pop(CHANNEL_B))
        super()._write_cabinet_file({**wires, "ports": ports})

    def _whole(self, shown):
        return shown

    def _do_hint(self, message):
        if self.controller.poll() is None:  # one that was killed takes none
            super()._do_hint(message)

    def _command(self, give):
        """An operator's command to a controller that was only just started waits until it ticks."""
        waiting = threading.Event()
        for _ in range(ASKS_MAX):
            if self.controller.poll() is not None or self._has_ticked():
                break
            waiting.wait(ASK_AGAIN_S)
        super()._command(give)

    def _has_ticked(self):
        try:
            read(os.path.join(self.directory, "journal")).close()
        except (OSError, JournalError):
            return False
        return True


class Campaign:
    """Runs courses; a line is printed about each that is repeated."""

    def __init__(self, limits, jobs, seed):
        self._limits, self._jobs, self._seed = limits, jobs, seed
        self._running, self._interrupted = set(), False

    def run(self, labels):
        """Generator of Rows in the order in which they end, the longest begun first. Raises
        RigError where a rig could not be started.
        """
        ordered = sorted(labels, key=lambda label: -duration_s(REAL[label], self._limits))
        pool = ThreadPoolExecutor(self._jobs)
        try:
            begun = [pool.submit(self._until_judged, label) for label in ordered]
            for future in as_completed(begun):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            self._interrupted = True
            for rig in list(self._running):
                with contextlib.suppress(RigError, OSError):  # it has ended by itself meanwhile
                    rig.send(FINISH)
            pool.shutdown()

    def _until_judged(self, label):
        repeated = []
        while True:
            row = self._attempt(label)
            stalled = stall(row.machine)
            if row.is_met or not stalled or len(repeated) == REPEATS_MAX or self._interrupted:
                return row._replace(repeated=tuple(repeated))
            seen = "; ".join(row.complaints)
            repeated.append(f"repeated because the machine stalled: {stalled}; seen: {seen}")
            print(f"{label:11} {repeated[-1]}", flush=True)

    def _attempt(self, label):
        with tempfile.TemporaryDirectory(prefix="firebreak-rows-") as directory:
            rig = CourseRig(self._limits.config, REAL[label], self._seed, directory)
            try:
                rig.start()
                self._running.add(rig)
                if self._interrupted:
                    rig.send(FINISH)
                rig.run(lambda shown: None)
            except RigError as error:
                if rig not in self._running:
                    raise
                return ended_early(label, str(error))
            finally:
                self._running.discard(rig)
                rig.stop()
            return ended(label, orders.recorded(directory), self._limits)


def duration_s(each, limits):
    """How long a course takes at least, for the order in which they begin."""
    started_s = start.start_duration_s(each) + each.settle_s + each.ends_s
    return started_s if each.is_stopped else started_s + limits.decision_ms(each.stage) / 1000


def ended(label, content, limits):
    """Row from what the plant process has recorded; sets and tuples are lists in its file."""
    found = content["course"]
    if found is None:
        return ended_early(label, "the controller made no tick, or the course was interrupted")
    changed = {
        "at_first": set(found["at_first"]),
        "stood": [tuple(each) for each in found["stood"]],
    }
    result, wanted = Result(**found | changed), tuple(content["wanted"])
    seen = {name: content[name] for name in ("machine", "timeline")}
    return judged(REAL[label], result, limits, wanted, **seen)


def ended_early(label, why):
    """Row of a course of which nothing is known but that it did not come to its end."""
    wanted = tuple(play.wanted(REAL[label], {}))
    nothing = Result(label, None, None, None, dict.fromkeys(wanted), set(), {}, {}, [], [])
    return Row(REAL[label], nothing, wanted, [why])


def stall(machine):
    """What the machine held back, in words; empty where it did not."""
    step_ms, bad_ticks = machine.get("step_ms_max", 0), machine.get("bad_ticks", 0)
    words = [f"the plant process for {step_ms:g} ms"] if step_ms > STALL_ms else []
    return ", ".join(words + ([f"the loop in {bad_ticks} ticks"] if bad_ticks else []))
