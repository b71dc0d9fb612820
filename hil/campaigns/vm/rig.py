"""The simulated cabinet for a controller that runs in a box: its wires, and what its plant does
(hil.engine.plant_process).
"""

import select
import subprocess

from controller.config import configuration
from hil.campaigns import order, process
from hil.engine import forks
from hil.engine.rig import HANG_GUARD_S, Rig, RigError

DURATION_S = 7200  # of the recording; far more than the test needs
SEED = 1


def contactors(view):
    """States of the racks' contactors in a view, each once: ["closed"] when all are."""
    return sorted({rack[-1] for rack in view["racks"]})


class VmRig(Rig):
    """A rig whose controller is in the box; `start` gives `wires`."""

    def __init__(self, directory):
        """directory: for the result."""
        config = configuration.load(order.EXAMPLE)
        super().__init__(order.made(config, DURATION_S, SEED, run_dir=directory), None, config)
        self.bridge = None

    def _write_cabinet_file(self, wires):
        """The box has its own."""

    def _start_controller(self):
        """Its init does."""

    def go(self, pid):
        """Begin. pid: whose end is noticed. The CAN server answers from now on."""
        self.send({"what": "go", "pid": pid})

    def open_can(self):
        """Start the bridge from the plant process's CAN to a tty, which it returns."""
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
            raise RigError(
                f"the CAN bridge has not begun within {HANG_GUARD_S:.0f} s, or has ended"
            )
        return tty

    def views(self, timeout_s):
        """The plant as it is from now on, ten times a second, until the time is over."""
        while select.select([self.connection], (), (), 0)[0]:
            self._receive()
        until_s = forks.wall_s() + timeout_s
        while forks.wall_s() < until_s:
            message = self._receive()
            if message["what"] == "view":
                yield message["view"]

    def wait(self, condition, timeout_s):
        """Seconds until condition(view) held, None when it did not."""
        began_s = forks.wall_s()
        for view in self.views(timeout_s):
            if condition(view):
                return forks.wall_s() - began_s
        return None

    def stays(self, condition, duration_s):
        """True when condition(view) held all the time."""
        return all(condition(view) for view in self.views(duration_s))

    def violations(self):
        """End the recording; the observer's findings as lines."""
        self.send({"what": "finish"})
        until_s = forks.wall_s() + HANG_GUARD_S
        while self._receive()["what"] != "done":
            if forks.wall_s() >= until_s:
                raise RigError(
                    f"the simulated cabinet's recording has not ended within {HANG_GUARD_S:.0f} s"
                )
        return order.recorded(self.directory)["violations"]

    def stop(self):
        """End the plant process and the bridge."""
        super().stop()
        if self.bridge is not None:
            self.bridge.stdin.close()
            process.wait(self.bridge)
