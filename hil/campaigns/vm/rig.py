"""Runs the simulated cabinet for a controller in a box: its wires and its plant process."""

import select
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from controller.config import configuration
from hil.campaigns import order, process
from hil.engine import forks
from hil.engine.rig import HANG_GUARD_S, Rig, RigError

DURATION_S = 7200  # of the recording, far more than the test needs
SEED = 1
View = dict[str, Any]  # a view of the plant process
Condition = Callable[[View], bool]  # a question about a view


def contactors(view: View) -> list[str]:
    """The states of the racks' contactors, each named once: ["closed"] if all are closed."""
    return sorted({rack[-1] for rack in view["racks"]})


class VmRig(Rig):
    """A rig whose controller runs in the box. `start` makes `wires`."""

    def __init__(self, directory: str) -> None:
        """directory: where the result goes."""
        config = configuration.load(order.EXAMPLE)
        super().__init__(
            order.run_options(config, DURATION_S, SEED, run_dir=directory), None, config
        )
        self.bridge: Any = None

    def _write_cabinet_file(self, wires: Any) -> None:
        """Do nothing, because the box has its own cabinet file."""

    def _start_controller(self) -> None:
        """Do nothing, because the init of the box starts the controller."""

    def open_can(self) -> str:
        """Start the bridge from the plant process's CAN to a tty. Returns the tty's name."""
        self.bridge = process.module(
            "hil.campaigns.vm.slcan",
            *self.wires["cans"].values(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        lines = self.bridge.stdout
        tty = lines.readline().strip() if select.select([lines], (), (), HANG_GUARD_S)[0] else ""
        if not tty:
            text = f"the CAN bridge has not begun within {HANG_GUARD_S:.0f} s, or has ended"
            raise RigError(text)
        return tty

    def views(self, timeout_s: float) -> Iterator[View]:
        """The present view of the plant, ten times a second, until the time is over."""
        while select.select([self.connection], (), (), 0)[0]:
            self._receive()
        until_s = forks.wall_s() + timeout_s
        while forks.wall_s() < until_s:
            message = self._receive()
            if message["what"] == "view":
                yield message["view"]

    def wait(self, condition: Condition, timeout_s: float) -> float | None:
        """How many seconds it took until condition(view), or None if it never held."""
        began_s = forks.wall_s()
        for view in self.views(timeout_s):
            if condition(view):
                return forks.wall_s() - began_s
        return None

    def stays(self, condition: Condition, duration_s: float) -> bool:
        """True if condition(view) held all the time."""
        return all(condition(view) for view in self.views(duration_s))

    def violations(self) -> list[str]:
        """End the recording. Returns the observer's findings as lines."""
        self.send({"what": "finish"})
        until_s = forks.wall_s() + HANG_GUARD_S
        while self._receive()["what"] != "done":
            if forks.wall_s() >= until_s:
                limit = f"within {HANG_GUARD_S:.0f} s"
                raise RigError(f"the simulated cabinet's recording has not ended {limit}")
        return order.recorded(self.directory)["violations"]

    def stop(self) -> None:
        """End the plant process and the bridge."""
        super().stop()
        if self.bridge is not None:
            self.bridge.stdin.close()
            process.wait(self.bridge)
