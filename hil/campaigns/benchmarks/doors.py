"""`python -m hil bench doors` measures what doors cost the loop, and how fast hints pass.

A door is a server for MQTT, HTTP or Modbus TCP. The rig's controller runs in real time: without
doors, with idle doors, with doors at load, and while doors are killed. Then hints go through each
door, and their times to the wire are measured.
"""

import json
import os
import random
import subprocess
from collections import defaultdict
from collections.abc import Callable

from controller.config import configuration
from controller.run import loop_statistics
from hil.campaigns import course, order, process
from hil.campaigns.benchmarks import doors_clients, doors_report as report, hint, machine, timing
from hil.campaigns.benchmarks.document import Measured, figure
from hil.campaigns.benchmarks.doors_open import KINDS, SOURCES, Doors, until
from hil.campaigns.benchmarks.lateness import NO_FIFO, figures_of, judged
from hil.engine import process_memory
from hil.engine.rig import Rig, RigError

SETTLE_S, RAMP_S, SAMPLES = 5.0, 3.0, 40
IDLE, LOADED = "doors idle", "doors at load"
LOAD = "hil.campaigns.benchmarks.doors_load"  # the clients, in their own process
LOW = ("nice", "-n", "19")  # least priority, because on a site other machines make the load


def run(seconds: float = 300.0, seed: int = 1) -> Measured:
    """The findings. seconds: length of each phase. Raises RigError, OSError."""
    doc, content, played = order.played(
        configuration.load(order.EXAMPLE),
        order.WHOLE_DAY_S,
        seed,
        text=hint.SCENARIO.format(duration_s=order.WHOLE_DAY_S),
        course=lambda rig: Course(rig, seconds, seed),
        beats=True,
    )
    delays_us = {way: hint.delays_us(content, sent) for way, sent in played.sent.items()}
    return played.measured(delays_us, order.priority(doc))


class Course(course.Course):
    """Plays all phases; then call `measured`."""

    def __init__(self, rig: Rig, seconds: float, seed: int) -> None:
        super().__init__(rig)
        self._seconds, self._seed = seconds, seed
        self._rounds = max(3, round(seconds / 3))
        self._phases: dict[str, report.Phase] = {}
        self.sent: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._loads: dict[str, dict[str, float]] = {}
        self._odd_places: list[str] = []

    def measured(self, delays_us: dict[str, list[int | None]], priority: str) -> Measured:
        """The findings. delays_us: {way: delays of its hints}."""
        budget, figures = judged("lateness_idle", priority), []
        for name, phase in self._phases.items():
            figures += figures_of(f"loop lateness, {name}", phase.loop, phase.rival, budget)
        for name in (IDLE, LOADED):
            figures += report.processes(name, self._phases[name])
        figures += report.hints(delays_us)
        odd = figure("places open beside those of doors check", len(self._odd_places), "places")
        notes = [
            *self._phases["without doors"].rival.notes,
            *(() if budget else [NO_FIFO]),
            f"seed {self._seed}, {self._seconds:g} s of each phase; {report.HIDES}",
            *[f"{name}: {json.dumps(counts)}" for name, counts in self._loads.items()],
            *self._odd_places,
        ]
        rivals = {name: phase.rival.result for name, phase in self._phases.items()}
        return Measured([*figures, odd], notes, {"cyclictest": rivals}, priority)

    def _play(self) -> None:
        until(self._loop, "the controller has not ticked")
        self._doors = Doors(self.rig.directory)
        self._doors.start()
        try:
            self.wait(hint.FIRST_S)
            self._phase("without doors", self._sampled)
            for kind in KINDS:
                self._doors.open(kind)
            self._opened()
            self._phase(IDLE, self._sampled)
            self._loaded(LOADED, self._sampled)
            self._loaded("doors killed at load", self._killed)
            self._opened()
            self._asked()
        finally:
            self._doors.stop()

    def _opened(self) -> None:
        """Wait until every door grants a hint."""

        def granted() -> bool:
            if trouble := self._doors.trouble():
                raise RigError(trouble)
            with doors_clients.clients(self._doors.folder, SOURCES[1]) as clients:
                return all(
                    [client.ask(1000 + number) for number, client in enumerate(clients.values())]
                )

        self.wait(SETTLE_S)
        until(granted, "not every door is open")

    def _phase(self, name: str, during: Callable[[report.Phase], None]) -> None:
        phase = self._phases[name] = report.Phase()
        before, pids = self._loop(), self._pids()
        used_s = {program: machine.used_s(pid) for program, pid in pids.items()}
        with timing.Stopwatch() as watch, phase.rival:
            during(phase)
        phase.loop = loop_statistics.figures(self._loop(), before)
        for program, pid in pids.items() if pids == self._pids() else ():
            phase.share_pct[program] = 100 * (machine.used_s(pid) - used_s[program]) / watch.wall_s

    def _loop(self) -> bytes:
        statistics = loop_statistics.content(os.path.join(self.rig.directory, "loop.stats"))
        if statistics is None:
            raise OSError("the controller's statistics cannot be read")
        return statistics

    def _pids(self) -> dict[str, int]:
        assert self.rig.controller is not None  # the run has begun
        running = self._doors.running
        doors = {kind: running[kind].pid for kind in KINDS if kind in running}
        return {"loop": self.rig.controller.pid, **doors}

    def _sampled(self, phase: report.Phase) -> None:
        for number in range(1, SAMPLES + 1):
            self.wait(self._seconds / SAMPLES)
            at_s = number * self._seconds / SAMPLES
            for program, pid in self._pids().items():
                memory_kB = process_memory.memory_kB(pid)
                phase.memory[program].append([at_s, memory_kB["rss"], memory_kB["anonymous"]])

    def _loaded(self, name: str, during: Callable[[report.Phase], None]) -> None:
        arguments = self._seconds + 2 * RAMP_S, self._doors.folder
        load = process.module(LOAD, *arguments, before=LOW, stdout=subprocess.PIPE, text=True)
        try:
            self.wait(RAMP_S)
            self._phase(name, during)
            if during == self._sampled:
                self._odd_places = self._doors.differences()
            self._loads[name] = json.loads(load.communicate(timeout=60)[0])
        finally:
            process.end(load)

    def _killed(self, phase: report.Phase) -> None:
        """Kill the servers of each kind in turn, then all. Each time they stay dead for a third."""
        groups = [*[(kind,) for kind in KINDS], KINDS]
        third_s = self._seconds / len(groups) / 3
        for kinds in groups:
            self.wait(third_s)
            for kind in kinds:
                self._doors.kill(kind)
            self.wait(third_s)
            for kind in kinds:
                self._doors.open(kind)
            self.wait(third_s)

    def _asked(self) -> None:
        """Request power in alternating directions, each at a random phase of the tick."""
        rng, sign = random.Random(self._seed), 1
        with doors_clients.clients(self._doors.folder, SOURCES[0]) as clients:
            for way in self._rounds * (report.DATAGRAM, *report.DOORS):
                self.wait(hint.CYCLE_S + rng.random() * 0.02)
                at_ns: int | None = timing.monotonic_ns()
                if way == report.DATAGRAM:
                    at_ns = hint.request(self.rig, sign * 10_000)
                elif not clients[way].ask(sign * 10_000):
                    at_ns = None
                if at_ns is not None:
                    self.sent[way].append((at_ns, sign))
                sign = -sign
