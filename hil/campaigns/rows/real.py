"""Plays test cases (courses) in real processes: a Rig for each, several at a time.

Each Rig runs in a thread. A course is repeated if the machine stalled. No configuration can disarm
a required row, so the `alone` stages of a course stay armed here. Such a course proves only the
time of its own stage.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from controller.config.cabinet_config import Config
from controller.config.configuration import load
from controller.journal.ring import JournalError
from controller.journal.snapshot import read
from controller.sites import FOLDER as SITES
from hil.campaigns import order as orders
from hil.campaigns.rows import play, start
from hil.campaigns.rows.course import Course
from hil.campaigns.rows.courses import EVERY
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.verdict import Outcome, judged
from hil.campaigns.rows.watch import Result
from hil.engine import wired_cabinet
from hil.engine.rig import Rig, RigError
from hil.runner.cases import Results, Work

STEP_ms = wired_cabinet.STEP_US // 1000
STALL_ms = 40  # a longer step of the plant process (two ticks) is a stall of the machine
REPEATS_MAX = 2
ASK_AGAIN_S, ASKS_MAX = 0.05, 1200
PLANT = "hil.campaigns.rows.plant_watch"
FINISH = {"what": "finish"}
CHANNEL_B = "channel_b"
TYPE = "firebreak_645.toml"
NONE, FITTED = 'second_channel = "none"', 'second_channel = "fitted"'
WHY_NOT = {
    "flip_word": "a bit of the limit image in the controller's memory",
    "change_program": "a constant of a function in the controller's memory",
    "forget_obligations": "a mistake in the set-point chain",
    "meter_50c": "a load that hides the code for 30 s",
    "meter_50d": "the scenario meter_reversed does it at the start",
    "hot_processor": "the operating system reports the temperature of the real machine",
}
# A hazard analysis that demands the derate arms 46b. Row 51 needs another site.
ARMS_46B = "[hma]\nnoc_derate = true\n"


# In virtual time these courses disarm row 55.
ROW_55_FIRST = "35a", "35b"


def _why_not(course: Course) -> str | None:
    if course.label in ROW_55_FIRST:
        return "row 55 trips first: only one source reports it"
    inside = [act.do for act in course.before + course.cause if act.is_inside]
    return f"inside the controller: {WHY_NOT[inside[-1]]}" if inside else None


NOT_DONE = {label: why for label, course in EVERY.items() if (why := _why_not(course))}
REAL = {
    label: course._replace(alone=()) for label, course in EVERY.items() if label not in NOT_DONE
}
BESIDE = {label: EVERY[label].alone for label in REAL if EVERY[label].alone}


def site(directory: str) -> str:
    """Copy the example site into this directory, with channel B. Returns its cabinet file."""
    folder = pathlib.Path(directory, "sites")
    shutil.copytree(SITES, folder)
    path, cabinet = folder / "types" / TYPE, folder / "example" / "cabinet.toml"
    path.write_text(path.read_text(encoding="ascii").replace(NONE, FITTED), encoding="ascii")
    # The plant process needs only the presence of channel B, not its port.
    text = cabinet.read_text(encoding="ascii") + f'[{CHANNEL_B}]\nport = "/dev/null"\n'
    cabinet.write_text(text, encoding="ascii")
    return str(cabinet)


class CourseRig(Rig):
    """The rig of one course."""

    def __init__(self, config: Config, course: Course, seed: int, directory: str) -> None:
        order = orders.run_options(
            config,
            1.0,  # length of a load that start.py replaces
            seed,
            run_dir=directory,
            plant=PLANT,
            course=course.label,
            soc_pct=course.soc_pct,
            cabinet_more=ARMS_46B if "46b" in course.armed else "",
        )
        if start.SECOND_CHANNEL in course.armed:
            order["site"] = site(directory)
            config = load(order["site"])  # this image is approved
        super().__init__(order, None, config)
        self.may_be_killed = course.does("controller_kill")

    def _whole(self, shown: Any) -> Any:
        return shown

    def _do_hint(self, message: dict[str, Any]) -> None:
        if not self._is_dead():  # a killed controller takes no hint
            super()._do_hint(message)

    def _command(self, give: Callable[[str], Any]) -> None:
        """Send an operator's command, after the first tick of a controller that has just
        started.
        """
        waiting = threading.Event()
        for _ in range(ASKS_MAX):
            if self._is_dead() or self._has_ticked():
                break
            waiting.wait(ASK_AGAIN_S)
        super()._command(give)

    def _is_dead(self) -> bool:
        return self.controller is None or self.controller.poll() is not None

    def _has_ticked(self) -> bool:
        try:
            read(os.path.join(self.directory, "journal")).close()
        except (OSError, JournalError):
            return False
        return True


class Campaign:
    """Runs courses. Prints a line about each repetition."""

    def __init__(self, limits: Limits, seed: int) -> None:
        self._limits, self._seed = limits, seed
        self._running: set[Rig] = set()
        self._interrupted = False

    def ordered(self, labels: Sequence[str]) -> list[str]:
        """The labels, with the longest course first."""
        return sorted(labels, key=lambda label: -duration_s(REAL[label], self._limits))

    def outcome(self, label: str) -> Outcome:
        """The Outcome of a course, after repetitions. Raises RigError if its rig did not start."""
        repeated: list[str] = []
        while True:
            outcome = self._attempt(label)
            stalled = stall(outcome.delays)
            if outcome.is_met or not stalled or len(repeated) == REPEATS_MAX or self._interrupted:
                return outcome._replace(repeated=tuple(repeated))
            complaints = "; ".join(outcome.complaints)
            repeated.append(f"repeated because the machine stalled: {stalled}; seen: {complaints}")
            print(f"{label:11} {repeated[-1]}", flush=True)

    def on_threads(self, labels: Sequence[str], work: Work, workers: int) -> Results:
        """Yield (place, work(label)) when a course ends. This is an engine of the runner."""
        pool = ThreadPoolExecutor(workers)
        try:
            begun = {pool.submit(work, label): place for place, label in enumerate(labels)}
            for future in as_completed(begun):
                yield begun[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            self._interrupted = True
            for rig in list(self._running):
                with contextlib.suppress(RigError, OSError):  # the rig has already ended
                    rig.send(FINISH)
            pool.shutdown()

    def _attempt(self, label: str) -> Outcome:
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


def duration_s(course: Course, limits: Limits) -> float:
    """The shortest duration of a course, to start the longest first."""
    started_s = start.start_duration_s(course) + course.settle_s + course.ends_s
    decision_ms = 0 if course.is_by_wiring_alone else limits.decision_ms(course.stage)
    return started_s + decision_ms / 1000


def ended(label: str, content: dict[str, Any], limits: Limits) -> Outcome:
    """The Outcome from the recording of the plant process."""
    fields = content["course"]
    if fields is None:
        return ended_early(label, "the controller made no tick, or the case was interrupted")
    seen = {"delays": content["machine"], "timeline": content["timeline"]}
    return judged(REAL[label], Result(**fields), limits, content["wanted"], **seen)


def ended_early(label: str, why: str) -> Outcome:
    """Outcome of a course that ended without a result."""
    wanted = play.wanted(REAL[label], {})
    return Outcome(REAL[label], Result(label, since_ms=dict.fromkeys(wanted)), wanted, [why])


def stall(machine: Mapping[str, float]) -> str:
    """The delays by the machine as text; empty without such delays."""
    step_ms, bad_ticks = machine.get("step_ms_max", 0), machine.get("bad_ticks", 0)
    stalls = [f"the plant process for {step_ms:g} ms"] if step_ms > STALL_ms else []
    stalls += [f"the loop in {bad_ticks} ticks"] if bad_ticks else []
    return ", ".join(stalls)
