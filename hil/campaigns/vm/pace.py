"""Finds the cause of a slow box: its processors, its wires or the controller.

The kernel of this host reports how long a thread was ready without a processor (schedstat). In the
box, a timer with the highest priority (`bench-timer`) reports its lateness.
"""

import contextlib
import json
import pathlib
from typing import Any

from hil.campaigns.vm.machine import MachineError
from hil.engine import forks
from hil.runner.report import CheckError

TIMER_LATE_MS_MAX = 100  # a tick of the box: none of it is left for the controller
LOST_TICKS_PER_THOUSAND_MAX = 10
Figures = dict[str, Any]
LOOP = ("ticks", "missed", "late")


class Pace:
    """Counts from now on, while the box has power. `saw`, `figures`."""

    def __init__(self, lab: Any) -> None:
        """lab: with a machine that has power."""
        self.lab, self.qemu = lab, lab.machine.process.pid
        wires = [lab.rig.plant.pid, lab.rig.bridge.pid]
        self.wires = [(pid, pid) for pid in (*wires, self.qemu)]
        self.began_s = forks.wall_s()
        self.before = self._waited_ns()
        self.loops = [dict.fromkeys(LOOP, 0)]  # of each process of the controller, as last seen

    def saw(self, loop: dict[str, int]) -> None:
        """Counts of the controller's loop; fewer ticks than before are a new process's."""
        now = {name: loop[name] for name in LOOP}
        if now["ticks"] >= self.loops[-1]["ticks"]:
            self.loops.pop()
        self.loops.append(now)

    def _waited_ns(self) -> tuple[int, ...]:
        """(of the box's processors, of its wires)."""
        tasks = pathlib.Path(f"/proc/{self.qemu}/task").glob("*")  # none of a QEMU that has ended
        threads = [(self.qemu, int(task.name)) for task in tasks]
        processors = [thread for thread in threads if thread not in self.wires]
        return tuple(sum(map(_waited_ns, each)) for each in (processors, self.wires))

    def figures(self) -> Figures:
        """{timer_late_ms, processors_waited_pct, wires_waited_pct, ticks, lost}."""
        elapsed_ns = max(1, (forks.wall_s() - self.began_s) * 1e9)
        waited = [
            round(100 * (now - before) / elapsed_ns, 1)
            for now, before in zip(self._waited_ns(), self.before)
        ]
        late_ms = self._timer_late_ms()
        ticks, missed, late = (sum(loop[name] for loop in self.loops) for name in LOOP)
        return {
            "timer_late_ms": late_ms,
            "processors_waited_pct": waited[0],
            "wires_waited_pct": waited[1],
            "ticks": ticks,
            "lost": missed + late,
        }

    def _timer_late_ms(self) -> int | None:
        """None from a box that does not answer; its controller is asked as well."""
        late_ms = None
        with contextlib.suppress(CheckError, MachineError, ValueError, LookupError):
            late_ms = json.loads(self.lab.ask("cat /run/bench.pace"))
            self.lab.state()
        return late_ms


def _waited_ns(thread: tuple[int, int]) -> int:
    """Time that a thread was ready and had no processor; 0 of one that has ended."""
    path = pathlib.Path("/proc/{}/task/{}/schedstat".format(*thread))
    try:
        return int(path.read_text(encoding="ascii").split()[1])
    except OSError:
        return 0


def words(figures: Figures) -> str:
    """The figures as one line: box, wires, controller."""
    late_ms = figures["timer_late_ms"]
    timer = "did not answer" if late_ms is None else f"was late by up to {late_ms} ms"
    waited = figures["processors_waited_pct"], figures["wires_waited_pct"]
    return (
        f"the box's timer {timer} (allowed {TIMER_LATE_MS_MAX} ms), its processors waited "
        f"{waited[0]} % of the time for one of this host, its wires {waited[1]} %; "
        f"{figures['lost']} of {figures['ticks']} ticks were late or missed"
    )


def too_slow(figures: Figures) -> bool:
    """True if this host is too slow for the box: a failure says nothing then."""
    late_ms = figures["timer_late_ms"]
    lost = figures["lost"] * 1000 > LOST_TICKS_PER_THOUSAND_MAX * figures["ticks"]
    return lost or (late_ms is not None and late_ms > TIMER_LATE_MS_MAX)
