"""The simulated cabinet as a process that runs one course against the real controller: started by
real.py's rig.

The course is the one of virtual time, procedure and all: here its steps are those of the bench,
which come by themselves. The journal is followed on every step, so that a standing stage is known
to one.
"""

import contextlib
import os
import select
import sys

from controller.run import loop_statistics
from hil import plant_process
from hil.campaigns.rows import course, start, stopped
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real_courses import REAL, has_start, stalls_loop
from hil.campaigns.rows.second_channel import NAME, SecondChannel
from hil.campaigns.rows.stopped import STOPPED
from hil.scenarios.faults import Clockwork

STEP_ms = plant_process.STEP_US // 1000
ALIVE_US = 1_000_000  # so often the rig hears that this process lives
FIRST_TICK_S_MAX = 60.0  # of a controller that has just been started, on a busy machine


class Over(Exception):
    """The rig has ended the course, or the controller has not begun."""


class SteppedRig:
    """What a course uses of a rig: a bench whose steps come in real time. A cause comes at its own
    time, on no tick.
    """

    tick_us = 0

    def __init__(self, of):
        """of: the Bench."""
        self._bench = of
        self.config, self.cabinet, self.plant = of.config, of.cabinet, of.cabinet.plant
        self.observer, self.trips, self.controller = of.observer, of.trips, of.controller

    @property
    def now_us(self):
        """Time of the last step."""
        return self._bench.last_us

    @property
    def clockwork(self):
        """What is done when."""
        return self._bench.clockwork

    @clockwork.setter
    def clockwork(self, clockwork: Clockwork):
        self._bench.clockwork = clockwork

    def world(self):
        """What actions may touch."""
        return self._bench.world

    def step(self):
        """Serve the wires until the plant has made a step. Raises Over."""
        before_us = self.now_us
        while self.now_us == before_us:
            self._bench.turn()
            if self._bench.ending or not self._bench.recording:
                raise Over
        self._bench.note_step(self.now_us - before_us)

    def run(self, until_s):
        """Step until then."""
        while self.now_us < until_s * 1e6:
            self.step()


class CourseBench(plant_process.Bench):
    """A bench that plays one course instead of a scenario; `found`: its Result, None until it has
    ended.
    """

    def __init__(self, order, connection):
        super().__init__(order, connection)
        self.found = self.machine = None
        self._step_us_max = self._own_steps = 0
        self._limits = Limits(self.config, STEP_ms)
        self._course = REAL[order["course"]]
        self._rig = SteppedRig(self)
        self._second = self._fit_second() if self.config.channel_b else None
        for each in self._course.at_start:
            start.apply(self._rig, each)

    def _fit_second(self):
        second = SecondChannel(self.cabinet.plant, self.config.safety_image)
        self.ptys[NAME] = second
        self._heard.register(second.fileno(), select.EPOLLIN | select.EPOLLET)
        self.world = self.world._replace(devices={**self.world.devices, NAME: second.device})
        return second

    def _step(self, now_us):
        if self._second is not None:
            self._second.step(now_us)
        super()._step(now_us)

    def note_step(self, elapsed_us):
        """How long a step was: of a machine that stalls it is long."""
        if self._own_steps:
            self._own_steps -= 1
        else:
            self._step_us_max = max(self._step_us_max, elapsed_us)

    def _load_power(self):
        return start.load_W

    def _play(self):
        with contextlib.suppress(Over):
            self._run_course()
        if self.recording:
            self._finish()

    def _run_course(self):
        each, rig = self._course, self._rig
        before = self.seen_ino
        if not each.starts:
            self._wait_for_first_tick()
            start.bring_up(rig, each)
            before = self.seen_ino
        if has_start(each) and each.seen is None:
            each = each._replace(seen=lambda plant: self._has_ticked(before))
        self._step_us_max, loop = 0, self._loop_statistics()
        self.found = (
            stopped.measured(rig, each)
            if each.label in STOPPED
            else course.measured(rig, each, self._limits)
        )
        self.machine = machine(
            self._step_us_max, loop, None if stalls_loop(each) else self._loop_statistics()
        )

    def _wait_for_first_tick(self):
        while not self._has_ticked(None):
            self._rig.step()
            if self.last_us > FIRST_TICK_S_MAX * 1e6:
                raise Over

    def _has_ticked(self, before):
        """True once a controller has whose journal is another file than the one before."""
        return self.seen_ino != before and self.snapshot.sequence is not None

    def _follow(self, now_us):
        before = self.seen_ino
        super()._follow(now_us)
        # to map a journal takes this process itself long, which the next step shows
        if self.seen_ino != before:
            self._own_steps = 2

    def _loop_statistics(self):
        return loop_statistics.content(os.path.join(self.order["run_dir"], "loop.stats"))

    def _watch(self, now_us):
        """As of any run, but what is recorded and shown of one."""
        self._follow(now_us)
        self.observer.sample(now_us, self.cabinet.plant)
        if now_us >= self.view_due_us:
            self.view_due_us = now_us + ALIVE_US
            self.send({"what": "view", "view": {}})

    def _content(self):
        found = self.found and {**self.found._asdict(), "at_first": sorted(self.found.at_first)}
        return {
            **super()._content(),
            "course": found,
            "machine": self.machine,
            "wanted": wanted(self._course, self.cabinet.devices),
        }


def wanted(each, devices):
    """Names of the effects that must come."""
    return stopped.wanted(each) if each.label in STOPPED else course.wanted(each, devices)


def machine(step_us_max, before, after):
    """{what the machine held back meanwhile}: of this process its longest step, of the loop its
    ticks that were skipped or ended late. before, after: content of the loop's statistics, after
    None where they say nothing; a controller that was started since counts anew.
    """
    found = {"step_ms_max": round(step_us_max / 1000, 1), "bad_ticks": 0}
    if after is None:
        return found
    same = (
        before is not None
        and loop_statistics.figures(before)["ticks"] <= loop_statistics.figures(after)["ticks"]
    )
    loop = loop_statistics.figures(after, before if same else None)
    return found | {"bad_ticks": loop["missed"] + loop["late"]}


if __name__ == "__main__":
    sys.exit(plant_process.main(sys.argv[1:], CourseBench))
