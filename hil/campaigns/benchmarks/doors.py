"""`python -m hil bench doors`: what the doors cost the loop, and what comes in through them.

The controller of the rig in real time, then beside it recorder, broker and the four kinds of doors
as their own processes: without doors, idle, at load, killed; hints through each door to the wire;
hostile messages beside an honest client. What was accepted, the loop's own counters say.
"""

import json
import os
import random
import subprocess
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from controller.config import configuration
from controller.doors.settings import KINDS
from controller.hints import hint_statistics
from controller.run import loop_statistics
from hil.campaigns import course, order, process
from hil.campaigns.benchmarks import (
    doors_clients,
    doors_hostile,
    doors_load,
    doors_report as report,
    hint,
    machine,
    timing,
)
from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import Measured
from hil.campaigns.benchmarks.doors_open import SOURCES, Doors, until
from hil.engine import process_memory
from hil.engine.rig import Rig, RigError

SETTLE_S, RAMP_S, SAMPLES = 5.0, 3.0, 40
HONEST_S = 0.2  # between two hints of the honest client


def run(seconds: float = 300.0, seed: int = 1) -> Measured:
    """The findings; seconds of each phase. Raises RigError, OSError."""
    played: list[Course] = []

    def made(rig: Rig) -> Course:
        played.append(Course(rig, seconds, seed))
        return played[0]

    config = configuration.load(order.EXAMPLE)
    text = hint.SCENARIO.format(duration_s=order.WHOLE_DAY_S)
    day = config, order.WHOLE_DAY_S, seed, lambda rig, shown: None, text
    doc, content = order.played(*day, course=made, beats=True)
    (found,) = played
    if found.error is not None:
        raise RigError(found.error)
    delays = {way: hint.delays_us(content, sent) for way, sent in found.sent.items()}
    return report.measured(found, delays, order.priority(doc))


class Course(course.Course):
    """Plays all of it. `phases`, `sent` and `hostile` are what it found."""

    def __init__(self, rig: Rig, seconds: float, seed: int) -> None:
        super().__init__(rig)
        self.seconds, self.seed = seconds, seed
        self.rounds, self.count = max(3, round(seconds / 3)), round(seconds * 1000 / 3)
        self.phases: dict[str, report.Phase] = {}
        self.sent: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.hostile: dict[str, dict[str, Any]] = {}
        self.loads: dict[str, dict[str, float]] = {}
        self.odd_places: list[str] = []
        self.letters = 0
        self._stats = os.path.join(rig.directory, "loop.stats")

    def _play(self) -> None:
        until(lambda: loop_statistics.content(self._stats), "the controller has not ticked")
        self.doors = Doors(self.rig.directory)
        self.doors.start()
        try:
            self.doors.record()
            self.wait(hint.FIRST_S)
            self._phase("without doors", self._sampled)
            for kind in KINDS:
                self.doors.open(kind)
            self._open()
            self._phase("doors idle", self._sampled)
            self._loaded("doors at load", self._sampled)
            self._loaded("doors at load and killed", self._killed)
            self._rounds()
            for door in report.DOORS:
                self._attacked(door)
        finally:
            self.doors.stop()
            self.letters = self.doors.letters

    def _open(self) -> None:
        """Wait until every door grants something."""

        def granted() -> bool:
            with doors_clients.clients(self.doors.folder, SOURCES[1]) as made:
                return all([each.ask(1000 + at) for at, each in enumerate(made.values())])

        self.wait(SETTLE_S)
        until(granted, "not every door is open")

    def _phase(self, name: str, during: Callable[[report.Phase], None]) -> None:
        phase = self.phases[name] = report.Phase()
        before, pids = self._loop(), self._pids()
        used_s, began_ns = (
            {what: machine.used_s(pid) for what, pid in pids.items()},
            timing.now_ns(),
        )
        with Cyclictest() as phase.rival:
            during(phase)
        phase.loop = loop_statistics.figures(self._loop(), before)
        lasted_s = (timing.now_ns() - began_ns) / 1e9
        if pids == self._pids():
            phase.share = {
                what: (machine.used_s(pid) - used_s[what]) / lasted_s for what, pid in pids.items()
            }

    def _loop(self) -> bytes:
        found = loop_statistics.content(self._stats)
        if found is None:
            raise RigError("the controller's statistics cannot be read")
        return found

    def _pids(self) -> dict[str, int]:
        assert self.rig.controller is not None, "the run has begun"
        doors = {kind: self.doors.running[kind].pid for kind in KINDS if kind in self.doors.running}
        return {"loop": self.rig.controller.pid, **doors}

    def _sampled(self, phase: report.Phase) -> None:
        for number in range(SAMPLES):
            self.wait(self.seconds / SAMPLES)
            for what, pid in self._pids().items():
                found = process_memory.memory_kB(pid)
                at_s = (number + 1) * self.seconds / SAMPLES
                phase.memory[what].append([at_s, found["rss"], found["anonymous"]])

    def _loaded(self, name: str, during: Callable[[report.Phase], None]) -> None:
        lasts_s = self.seconds + 2 * RAMP_S
        given = doors_load.__name__, lasts_s, self.doors.folder
        load = process.module(*given, stdout=subprocess.PIPE, text=True)
        try:
            self.wait(RAMP_S)
            self._phase(name, during)
            if not self.odd_places:
                self.odd_places = self.doors.differences()
            self.loads[name] = json.loads(load.communicate(timeout=lasts_s)[0])
        finally:
            process.end(load)

    def _killed(self, phase: report.Phase) -> None:
        """Each kind in turn, then all together; each is away for a third of its turn."""
        for kinds in [*[[kind] for kind in KINDS], KINDS]:
            turn_s = self.seconds / (len(KINDS) + 1)
            self.wait(turn_s / 3)
            for kind in kinds:
                self.doors.kill(kind)
            self.wait(turn_s / 3)
            for kind in kinds:
                self.doors.open(kind)
            self.wait(turn_s / 3)

    def _rounds(self) -> None:
        """Requests one way and the other, each at a random phase of the tick."""
        self._open()
        phase, sign = random.Random(self.seed), 1
        with doors_clients.clients(self.doors.folder, SOURCES[0]) as made:
            for _ in range(self.rounds):
                for way in (report.DATAGRAM, *report.DOORS):
                    self.wait(hint.CYCLE_S + phase.random() * 0.02)
                    at_ns: int | None = timing.monotonic_ns()
                    if way == report.DATAGRAM:
                        at_ns = hint.request(self.rig, sign * 10_000)
                    elif not made[way].ask(sign * 10_000):
                        at_ns = None
                    if at_ns is not None:
                        self.sent[way].append((at_ns, sign))
                    sign = -sign

    def _attacked(self, door: str) -> None:
        """Honest hints alone, then beside the hostile messages."""
        with doors_clients.clients(self.doors.folder, SOURCES[0]) as made:
            if door == "MQTT" and isinstance(peer := made[door], doors_clients.Mqtt):
                peer.say(doors_hostile.FIRST)
        with doors_clients.clients(self.doors.folder, SOURCES[1]) as made:
            ends_ns = timing.now_ns() + self.seconds / 10 * 1e9
            quiet = self._honest(made[door], lambda: timing.now_ns() > ends_ns)
            before = self._accepted()
            given = doors_hostile.__name__, door, self.count, self.seed, self.doors.folder
            attack = process.module(*given, stdout=subprocess.PIPE, text=True)
            try:
                beside = self._honest(made[door], lambda: attack.poll() is not None)
                said = attack.communicate()[0]
            finally:
                process.end(attack)
        if not said:
            raise RigError(f"hostile messages through {door}: ended with {attack.returncode}")
        more = {name: count - before[name] for name, count in self._accepted().items()}
        self.hostile[door] = json.loads(said) | {"quiet": quiet, "beside": beside, "accepted": more}

    def _honest(
        self, client: doors_clients.Client, is_over: Callable[[], bool]
    ) -> list[float | None]:
        """How long each answer took, ms; None: not granted."""
        taken: list[float | None] = []
        while not is_over():
            began_ns = timing.now_ns()
            is_granted = client.ask(5000 - 10_000 * (len(taken) % 2))
            taken.append((timing.now_ns() - began_ns) / 1e6 if is_granted else None)
            self.wait(HONEST_S)
        return taken

    def _accepted(self) -> dict[str, int]:
        found = hint_statistics.read(os.path.join(self.rig.directory, "hints.stats"))
        if found is None:
            raise RigError("the controller's counters of hints cannot be read")
        return {each["name"]: each["accepted"] for each in found["sources"]}
