"""The simulated cabinet (hil.plant_process) for a controller that runs in a box: its wires, and
what its plant does.
"""

import contextlib
import json
import select
import socket
import subprocess

import msgpack

from controller.site import config as configs
from hil import forks
from hil.campaigns import order, process
from hil.campaigns.vm.machine import MachineError

DURATION_S = 7200  # of the recording; far more than the test needs
HANG_GUARD_S = 30.0
SEED = 1


def contactors(view):
    """States of the racks' contactors in a view of the plant, sorted, each once: ["closed"] when
    all are.
    """
    return sorted({rack[-1] for rack in view["racks"]})


class Bench:
    """Starts the bench and the SLCAN bridge. `ports`: {bus: tty}; `can_line`: the bridge's tty."""

    def __init__(self, directory):
        """directory: for the result. Raises MachineError."""
        self._directory = directory
        self._connection, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        config = configs.load(order.EXAMPLE)
        given = json.dumps(order.made(config, DURATION_S, SEED, run_dir=directory))
        self._process = process.module(
            "hil.plant_process", other.fileno(), given, pass_fds=[other.fileno()], process_group=0
        )
        other.close()
        try:
            wires = self._receive(HANG_GUARD_S)
        except MachineError:
            self._process.kill()
            self._process.wait()
            raise
        self.ports = wires["ports"]
        self._bridge = None
        (self._channel,) = wires["cans"].values()

    def go(self, pid):
        """Begin; pid: whose end is to be noticed should this process die. The CAN server answers
        only from now on.
        """
        self._send({"what": "go", "pid": pid})

    def open_can(self):
        """Start the bridge between the bench's CAN and a tty. Returns the tty. Raises
        MachineError.
        """
        self._bridge = process.module(
            "hil.campaigns.vm.slcan",
            self._channel,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        said = self._bridge.stdout
        tty = said.readline().strip() if select.select([said], (), (), HANG_GUARD_S)[0] else ""
        if not tty:
            raise MachineError(
                f"the CAN bridge has not begun within {HANG_GUARD_S:.0f} s, or has ended"
            )
        return tty

    def _send(self, message):
        self._connection.send(msgpack.packb(message))

    def _receive(self, timeout_s):
        self._connection.settimeout(timeout_s)
        try:
            data = self._connection.recv(1 << 20)
        except TimeoutError:
            raise MachineError(
                f"the simulated cabinet has said nothing for {timeout_s:.0f} s "
                f"(its recording ends after {DURATION_S} s)"
            ) from None
        except ConnectionError:
            data = b""
        if not data:
            code = process.wait(self._process, HANG_GUARD_S)
            raise MachineError(f"the simulated cabinet has ended, exit code {code}")
        return msgpack.unpackb(data)

    def views(self, timeout_s):
        """The plant as it is from now on, ten times a second, until the time is over."""
        while select.select([self._connection], (), (), 0)[0]:
            self._receive(HANG_GUARD_S)
        until_s = forks.wall_s() + timeout_s
        while forks.wall_s() < until_s:
            message = self._receive(HANG_GUARD_S)
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
        self._send({"what": "finish"})
        until_s = forks.wall_s() + HANG_GUARD_S
        while self._receive(HANG_GUARD_S)["what"] != "done":
            if forks.wall_s() >= until_s:
                raise MachineError(
                    f"the simulated cabinet's recording has not ended within {HANG_GUARD_S:.0f} s"
                )
        return order.recorded(self._directory)["violations"]

    def stop(self):
        """End both processes."""
        if self._process.poll() is None:
            with contextlib.suppress(OSError):  # it takes nothing any more: it is killed below
                self._send({"what": "end"})
        if self._bridge is not None:
            self._bridge.stdin.close()
        for each in (self._process, self._bridge):
            if each is not None:
                process.wait(each, HANG_GUARD_S)
