"""The box, the simulated cabinet that it controls, and the shell that asks the box."""

import json
import pathlib
import re
import select
from collections.abc import Callable
from typing import Any

from hil.campaigns.vm.machine import Machine
from hil.campaigns.vm.rig import View, VmRig, contactors
from hil.engine import forks
from hil.runner.report import CheckError

UNIT = "firebreak.service"
# A stall of the emulator trips these: silent devices, a step 0.5 s late, or three 0.1 s late.
STALL_STAGES = set("40a 40b 40c 40d 40e 41a 41b 41c 49 50a 50b 14 44b 44g".split())
START_S, RESTART_S = 300.0, 150.0
POWER_S, STEADY_S, STALLS_MAX = 45.0, 3.0, 4
OPEN_S = 30.0
RUNNING = ["active", "running"]
START = "runuser -u firebreak -- firebreak start"
# A new store asks for the key if the record of an earlier run exists. So all files are removed.
RECORDER = "firebreak-record.service"
RENEW = (
    f"systemctl stop {UNIT} {RECORDER}; find /var/lib/firebreak -mindepth 1 -delete; runuser -u "
    f"firebreak -- firebreak box prepare && runuser -u firebreak -- bench approve && "
    f"systemctl start {UNIT} {RECORDER}"
)
BATTERY_W_MIN = 10_000
POLL_S = 0.3


def open_(view: View) -> bool:
    """True if all contactors of the plant are open."""
    return contactors(view) == ["open"]


def powered(view: View) -> bool:
    """True if all contactors are closed and power flows in either direction."""
    return contactors(view) == ["closed"] and abs(view["battery_W"]) > BATTERY_W_MIN


class Lab:
    """The box, its plant process, and the folder in which its disk is made."""

    def __init__(self, cache: pathlib.Path, machine: Machine, rig: VmRig, suite: str) -> None:
        """suite: name of the Debian of the box."""
        self.cache, self.machine, self.rig, self.suite = cache, machine, rig, suite
        self.tree = cache / "tree"

    def boot(self) -> None:
        """Turn the power on, and wait for a shell."""
        self.machine.power_on()
        # the CAN server answers from now on; the plant must notice the end of QEMU
        self.rig.send({"what": "go", "pid": self.machine.process.pid})
        self.machine.wait_for_shell()

    def ask(self, command: str) -> str:
        """Output of a command in the box. Raises CheckError if the command fails."""
        code, text = self.machine.run(command)
        if code:
            raise CheckError(f"{command}: exit code {code}: {' '.join(text.split()[-40:])}")
        return text

    def shown(self, *names: str, unit: str = UNIT) -> list[str]:
        """Properties of a unit, in the order of the names."""
        lines = self.ask(f"systemctl show {unit} -p {','.join(names)}").splitlines()
        properties = dict(line.split("=", 1) for line in lines)
        return [properties[name] for name in names]

    def process_status(self, pid: str) -> dict[str, str]:
        """Fields of /proc/PID/status."""
        return dict(re.findall(r"(?m)^(\w+):\s*(.*)$", self.ask(f"cat /proc/{pid}/status")))

    def until(self, goal: str, condition: Callable[[], Any], timeout_s: float) -> Any:
        """Call condition() again and again until it gives a true value. Returns that value."""
        until_s = forks.wall_s() + timeout_s
        while forks.wall_s() < until_s:
            if value := condition():
                return value
            select.select((), (), (), POLL_S)
        raise CheckError(f"not {goal} after {timeout_s:.0f} s")

    def until_active(self, unit: str = UNIT) -> None:
        """Wait until a unit of systemd runs."""

        def is_running() -> bool:
            return self.shown("ActiveState", "SubState", unit=unit) == RUNNING

        self.until(f"active: {unit}", is_running, START_S)

    def state(self) -> dict[str, Any] | None:
        """{state, standing, loop} from the controller's journal, or None if it has none yet."""
        code, text = self.machine.run("bench state")
        return None if code else json.loads(text.splitlines()[-1])

    def seen(self) -> dict[str, Any]:
        """The result of `state`. Raises CheckError if there is no journal."""
        if (state := self.state()) is None:
            raise CheckError("the controller has no journal yet")
        return state

    def standing(self) -> set[str]:
        """Ids of the active stages."""
        return {name.split(".")[0] for name in (self.state() or {"standing": ()})["standing"]}

    def until_open(self) -> float:
        """Wait until the plant's contactors are open. Returns how many seconds it took."""
        took_s = self.rig.wait(open_, OPEN_S)
        if took_s is None:
            raise CheckError(f"contactors open: not within {OPEN_S:.0f} s")
        return took_s

    def journal(self) -> str:
        """The controller's last lines in the box's log."""
        text = self.machine.run(f"journalctl -u {UNIT} -n 3 -o cat --no-pager")[1]
        return text.replace("\n", " | ")

    def start(self) -> str:
        """Start the cabinet, with a new store if a stall has left a latch. Returns the output."""
        output = ""

        def accepted() -> str | None:
            nonlocal output
            code, output = self.machine.run(START)
            if not code:
                return output
            standing = self.standing()
            if standing and standing <= STALL_STAGES:
                self.ask(RENEW)
            return None

        try:
            return self.until("accepted: a start", accepted, RESTART_S)
        except CheckError as error:
            standing = ", ".join(sorted(self.standing())) or "nothing"
            raise CheckError(f"{error}: {' '.join(output.split())}; active: {standing}") from None

    def until_powered(self) -> str:
        """Wait until the contactors are closed and power flows. Returns a line with the time.

        During a stall of 0.5 s the I/O modules are silent, so the cabinet trips, as required. Then
        the box gets a new store, because it has no key and only three remote resets per hour.
        """
        began_s, rig = forks.wall_s(), self.rig
        for stalls in range(STALLS_MAX + 1):
            if rig.wait(powered, POWER_S) is not None and rig.stays(powered, STEADY_S):
                took_s = forks.wall_s() - began_s - STEADY_S
                note = f" ({stalls} stalls of the emulator)" if stalls else ""
                return f"power after {took_s:.1f} s{note}"
            standing = self.standing()
            if standing - STALL_STAGES:
                raise CheckError(f"active: {', '.join(sorted(standing))}")
            self.ask(RENEW)
            self.start()
        raise CheckError(f"no power, {STALLS_MAX + 1} times; state {self.state()}")

    def lateness(self) -> str:
        """The loop's own figures in this emulated box, for information only."""
        loop = self.seen()["loop"]
        late = loop["lateness_us"]
        return (
            f"{loop['ticks']} ticks, {loop['missed']} missed, lateness p50 {late['p50']} us, p99 "
            f"{late['p99']} us"
        )
