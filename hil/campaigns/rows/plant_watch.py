"""A plant process that plays one test case (course) with the real controller, for real.py."""

import contextlib
import os
import select
import socket
import sys
from array import array
from typing import Any

from controller.run import loop_statistics
from hil.campaigns.course import Over
from hil.campaigns.rows import play, start
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real import CHANNEL_B, REAL, STEP_ms
from hil.campaigns.rows.watch import Result
from hil.devices.channel_b import VirtualChannelB
from hil.engine import plant_process, wired_cabinet
from hil.plant.cabinet import CabinetPlant
from hil.wires.pty_wire import PtyWire
from hil.wires.virtual import NEVER

ALIVE_US = 1_000_000  # period of the sign of life to the rig
FIRST_TICK_S_MAX = 60.0  # after the start of a controller, on a busy machine


class SecondChannel(PtyWire):
    """Channel B and its line, which is full duplex, without a baud rate. `device` has the
    faults.
    """

    next_us = NEVER

    def __init__(self, plant: CabinetPlant, image: "array[int]") -> None:
        """image: the limit image of channel A."""
        super().__init__(115_200)
        self.device = VirtualChannelB(plant, image)

    def service(self, now_us: int) -> None:
        """Read the controller's bytes."""
        for data in self.sent():
            self.device.receive(data)

    def step(self, now_us: int) -> None:
        """Do all steps that are due, and send."""
        self.device.advance(now_us)
        if data := self.device.take():
            self._write(data, now_us)


class SteppedRig:
    """The rig of a course: a plant process that steps in real time. Causes fall between ticks."""

    tick_us = 0

    def __init__(self, process: Any) -> None:
        """process: its PlantProcess."""
        self._process = process
        self.config, self.cabinet = process.config, process.cabinet
        self.plant, self.observer = process.cabinet.plant, process.observer
        self.trips, self.controller = process.trips, process.controller

    @property
    def now_us(self) -> int:
        """Time of the last step."""
        return self._process.last_us

    @property
    def clockwork(self) -> Any:
        """The object that applies each action at its time."""
        return self._process.clockwork

    @clockwork.setter
    def clockwork(self, clockwork: Any) -> Any:
        self._process.clockwork = clockwork

    def world(self) -> Any:
        """The parts on which actions act."""
        return self._process.world

    def step(self) -> None:
        """Serve the wires until the plant's next step. Raises Over."""
        before_us = self.now_us
        while self.now_us == before_us:
            self._process.turn()
            if self._process.ending or not self._process.recording:
                raise Over
        self._process.note_step(self.now_us - before_us)

    def run(self, until_s: float) -> None:
        """Step until the time is until_s."""
        while self.now_us < until_s * 1e6:
            self.step()


class CoursePlantProcess(plant_process.PlantProcess):
    """A plant process that plays one course and no scenario."""

    def __init__(self, order: dict[str, Any], connection: socket.socket) -> None:
        super().__init__(order, connection)
        self.cabinet.plant.load = start.load_W
        self._result: Result | None = None  # None before the end of the course
        self.machine: dict[str, float] | None = None
        self._second: SecondChannel | None = None
        self._step_us_max = self._excused_steps = 0
        self._limits = Limits(self.config, STEP_ms)
        self._course = REAL[order["course"]]
        self._rig = SteppedRig(self)
        if self.config.channel_b:
            self._second = self.ptys[CHANNEL_B] = SecondChannel(
                self.cabinet.plant, self.config.safety_image
            )
            self._heard.register(self._second.fileno(), select.EPOLLIN | select.EPOLLET)
            devices = self.world.devices | {CHANNEL_B: self._second.device}
            self.world = self.world._replace(devices=devices)
        start.apply(self._rig, *self._course.at_start)

    def _step(self, now_us: int) -> None:
        if self._second is not None:
            self._second.step(now_us)
        super()._step(now_us)

    def note_step(self, elapsed_us: int) -> None:
        """Note the length of a step; a stall of the machine makes it long."""
        if self._excused_steps:
            self._excused_steps -= 1
        else:
            self._step_us_max = max(self._step_us_max, elapsed_us)

    def _play(self) -> None:
        with contextlib.suppress(Over):
            self._run_course()
        if self.recording:
            self._finish()
        while not self.ending:
            self.turn()

    def _run_course(self) -> None:
        course, rig = self._course, self._rig
        before = self.seen_ino
        if not course.starts:
            self._wait_for_first_tick()
            start.bring_up(rig, course)
            before = self.seen_ino
        if (course.starts or course.does("controller_start")) and course.seen is None:
            course = course._replace(seen=lambda plant: self._has_ticked(before))
        self._step_us_max, loop = 0, self._loop_statistics()
        self._result = play.measured(rig, course, self._limits)
        # A course with a stall misses ticks because of its own cause.
        after = None if course.does("controller_stall") else self._loop_statistics()
        self.machine = machine(self._step_us_max, loop, after)

    def _wait_for_first_tick(self) -> None:
        while not self._has_ticked(None):
            self._rig.step()
            if self.last_us > FIRST_TICK_S_MAX * 1e6:
                raise Over

    def _has_ticked(self, before: int | None) -> bool:
        """True after the first tick of a controller whose journal is a new file."""
        seen = self.snapshot
        return self.seen_ino != before and seen is not None and seen.sequence is not None

    def _follow(self, now_us: int) -> None:
        before = self.seen_ino
        super()._follow(now_us)
        # Mapping a journal takes long. That time is not a stall of the machine.
        if self.seen_ino != before:
            self._excused_steps = 2

    def _loop_statistics(self) -> bytes | None:
        return loop_statistics.content(os.path.join(self.order["run_dir"], "loop.stats"))

    def _watch(self, now_us: int) -> None:
        """Follow journal and plant; record no rows, send no views."""
        self._follow(now_us)
        self.observer.sample(now_us, self.cabinet.plant)
        if now_us >= self.view_due_us:
            self.view_due_us = now_us + ALIVE_US
            self.send({"what": "view", "view": {}})

    def _content(self) -> dict[str, Any]:
        return {
            **super()._content(),
            "course": self._result and self._result._asdict(),
            "machine": self.machine,
            "wanted": play.wanted(self._course, self.cabinet.devices),
        }


def machine(step_us_max: int, before: bytes | None, after: bytes | None) -> dict[str, float]:
    """Delays by the machine: longest step of the plant, and bad ticks of the loop. Without
    `after`, no bad tick counts.
    """
    delays = {"step_ms_max": round(step_us_max / 1000, 1), "bad_ticks": 0}
    if after is None:
        return delays
    figures = loop_statistics.figures
    if before is not None and figures(before)["ticks"] > figures(after)["ticks"]:
        before = None
    loop = figures(after, before)
    return delays | {"bad_ticks": loop["missed"] + loop["late"]}


if __name__ == "__main__":
    sys.exit(wired_cabinet.main(sys.argv[1:], CoursePlantProcess))
