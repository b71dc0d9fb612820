"""What is asked of a box: each function of a Lab does one thing, returns what it found, or raises
CheckError.

What the cabinet does is seen in the simulated plant, outside the box; what the box thinks, through
its shell.
"""

import json
import re
import select
import time

from hil.campaigns.vm import image
from hil.campaigns.vm.bench import contactors
from hil.campaigns.vm.report import CheckError

UNIT = "firebreak.service"
UNITS = (
    "firebreak.service",
    "firebreak-can@can0.service",
    "firebreak-record.service",
    "firebreak-upstream.service",
)
# What stands after the emulator has stood still: silent devices, and a step that came 0.5 s late.
STALL_STAGES = {
    "40a",
    "40b",
    "40c",
    "40d",
    "40e",
    "41a",
    "41b",
    "41c",
    "49",
    "50a",
    "50b",
    "14",
    "44b",
}
ARMED_STAGE = "44c"  # the row that an ARMED store without CLEAN sets
START_S, RESTART_S, CLOSE_S, OPEN_S = 300.0, 150.0, 120.0, 30.0
STAYS_S = 8.0
POWER_S, STEADY_S, STALLS_MAX = 45.0, 3.0, 4
START = "runuser -u firebreak -- firebreak start"
RENEW = (
    f"systemctl stop {UNIT}; rm -f /var/lib/firebreak/store.*; runuser -u firebreak -- "
    f"firebreak prepare && "
    f"systemctl start {UNIT}"
)
RESET = "runuser -u firebreak -- firebreak reset"
# what it ends with: a remote one, no key is turned
RESET_CODE = re.compile(r": firebreak reset ([0-9A-F]{8})\s*$")
BATTERY_W_MIN = 10_000
POLL_S = 0.3
FIFO_PRIORITY = "50"
CAN_WORDS = ("UP", "qlen 100", "restart-ms 100", "bitrate 500000")


def open_(view):
    """All contactors of the plant are open."""
    return contactors(view) == ["open"]


def powered(view):
    """All contactors are closed and power flows, either way."""
    return contactors(view) == ["closed"] and abs(view["battery_W"]) > BATTERY_W_MIN


class Lab:
    """The box, the bench and where the disk is made."""

    def __init__(self, cache, machine, bench):
        """cache: pathlib.Path; machine, bench: of this package."""
        self.cache, self.machine, self.bench = cache, machine, bench
        self.tree = cache / "tree"

    # -- the shell

    def ask(self, command):
        """What a command prints. CheckError when it fails."""
        code, text = self.machine.run(command)
        if code:
            raise CheckError(f"{command}: exit code {code}: {' '.join(text.split()[-40:])}")
        return text

    def shown(self, *names):
        """Properties of the controller's unit, in the order of the names."""
        lines = self.ask(f"systemctl show {UNIT} -p {','.join(names)}").splitlines()
        found = dict(line.split("=", 1) for line in lines)
        return [found[name] for name in names]

    def until(self, what, condition, timeout_s):
        """condition() of the box, again and again, until it is true. Returns its value."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            value = condition()
            if value:
                return value
            select.select((), (), (), POLL_S)
        raise CheckError(f"not {what} after {timeout_s:.0f} s")

    def state(self):
        """What the controller's journal says: {state, standing, loop}, None while there is nothing
        to read.
        """
        code, text = self.machine.run("bench-state")
        return json.loads(text.splitlines()[-1]) if code == 0 else None

    def until_plant(self, what, condition, timeout_s):
        """Wait for the plant; returns the seconds it took."""
        took_s = self.bench.wait(condition, timeout_s)
        if took_s is None:
            raise CheckError(
                f"{what}: not within {timeout_s:.0f} s; the controller says {self.state()}"
            )
        return took_s

    # -- making the box

    def base(self):
        """The Debian base."""
        image.check_space(self.cache)
        kept = (self.cache / image.base_name()).exists()
        path = image.make_base(self.cache)
        image.unpack(path, self.tree)
        return (
            f"{path.name}, {path.stat().st_size >> 20} MB, {'kept from before' if kept else 'made'}"
        )

    def installed(self):
        """A first installation into the tree."""
        code, lines = image.install(self.tree)
        if code:
            raise CheckError(lines[-1])
        return f"{len(lines)} lines; {next(line for line in lines if 'release' in line)}"

    def installed_twice(self):
        """A second one changes nothing, and keeps a file its owner has changed."""
        owned = self.tree / "etc/firebreak/example/site.toml"
        owned.write_text(owned.read_text() + "# mine\n")
        code, lines = image.install(self.tree)
        if (
            code
            or not owned.read_text().endswith("# mine\n")
            or any(line.startswith("installed") for line in lines)
        ):
            raise CheckError(f"exit code {code}: {' | '.join(lines)}")
        return next(line for line in lines if line.startswith("kept"))

    def disk(self):
        """The scaffold of the test, then the disk."""
        image.add_scaffold(self.tree, self.bench.ports, self.cache / "work")
        image.make_disk(self.tree, self.cache)
        return f"{(self.cache / 'disk.img').stat().st_blocks * 512 >> 20} MB"

    # -- the first boot

    def boots(self):
        """From power to a shell, on the real-time kernel."""
        self.machine.power_on()
        self.bench.go(self.machine.process.pid)
        self.machine.wait_for_shell()
        version = self.ask("uname -rv")
        if "PREEMPT_RT" not in version:
            raise CheckError(f"no real-time kernel: {version}")
        return version

    def starts(self):
        """The service becomes active by itself."""

        def active():
            return self.shown("ActiveState", "SubState") == ["active", "running"]

        try:
            self.until("active", active, START_S)
        except CheckError as error:
            raise CheckError(f"{error}: {self.journal()}") from None
        return self.ask(f"systemctl show {UNIT} -p StatusText --value")

    def journal(self):
        """The last words of the controller in the box's log."""
        return self.machine.run(f"journalctl -u {UNIT} -n 3 -o cat --no-pager")[1].replace(
            "\n", " | "
        )

    def can_interface(self):
        """The CAN interface has what field experience asks for (linux-can/can-utils #262, #400)."""
        missing = list(CAN_WORDS)

        def complete():
            _, text = self.machine.run("ip -d link show can0")
            missing[:] = [word for word in CAN_WORDS if not re.search(rf"\b{word}\b", text)]
            return not missing

        try:
            self.until("up", complete, START_S)
        except CheckError:
            raise CheckError(f"can0 has no {', '.join(missing)} after {START_S:.0f} s") from None
        return "up, bit rate 500000, restart-ms 100, queue 100"

    def port_names(self):
        """Stable names exist, and the controller holds all of them."""
        names = self.ask("ls /dev/serial/by-path").split()
        (pid,) = self.shown("MainPID")
        held = len(re.findall(r"ttyUSB\d", self.ask(f"ls -l /proc/{pid}/fd")))
        if held != len(self.bench.ports):
            raise CheckError(
                f"{held} of {len(self.bench.ports)} ports are open; by-path: {' '.join(names)}"
            )
        return f"{held} open, {names[0]} ..."

    def rights(self):
        """Own user, FIFO priority, locked memory, no capability; memory in use against its
        limit.
        """
        pid, memory, limit = self.shown("MainPID", "MemoryCurrent", "MemoryMax")
        status = dict(re.findall(r"(?m)^(\w+):\s*(.*)$", self.ask(f"cat /proc/{pid}/status")))
        user = self.ask(f"stat -c %U /proc/{pid}")
        policy = self.ask(f"chrt -p {pid}")
        wrong = [
            text
            for text, ok in (
                (f"user {user}", user == "firebreak"),
                (f"capabilities {status['CapEff']}", int(status["CapEff"], 16) == 0),
                (f"not locked: VmLck {status['VmLck']}", int(status["VmLck"].split()[0]) > 10_000),
                (policy, "SCHED_FIFO" in policy and policy.endswith(f"priority: {FIFO_PRIORITY}")),
                ("new privileges", status["NoNewPrivs"] == "1"),
            )
            if not ok
        ]
        if wrong:
            raise CheckError(", ".join(wrong))
        return (
            f"user {user}, FIFO {FIFO_PRIORITY}, {status['VmLck']} locked, "
            f"{int(memory) >> 20} of {int(limit) >> 20} MB"
        )

    def exposure(self):
        """What systemd thinks of the sandbox."""
        found = []
        for unit in UNITS:
            code, text = self.machine.run(
                f"systemctl cat {unit} >/dev/null 2>&1 && "
                f"systemd-analyze security {unit} "
                "| grep -o 'level for .*: [0-9.]*'"
            )
            if code == 0:
                found.append(re.sub(r".*level for (\S+): ", r"\1 ", text))
        return ", ".join(found)

    def rests(self):
        """Nothing of a new, prepared cabinet closes before its first start, for as long as it would
        take.
        """
        self.until("ticking", self.state, RESTART_S)
        if not self.bench.stays(open_, POWER_S):
            raise CheckError(
                f"a contactor closed without a start; the controller says {self.state()}"
            )
        return f"open for {POWER_S:.0f} s, state {self.state()['state']}"

    def closes(self):
        """Started, it closes without a latch on the way, and power flows."""
        return f"{self.start()}; {self.until_powered()}; {self.lateness()}"

    def start(self):
        """Somebody starts it, once the controller takes commands. Returns what it says."""

        def accepted():
            code, text = self.machine.run(START)
            return text if code == 0 else None

        return self.until("accepted: a start", accepted, RESTART_S)

    def until_powered(self):
        """Contactors closed and power, and no latch on the way. An emulator that stands still for
        0.5 s is a silent I/O module: the cabinet trips as it must. It then gets a new store, for
        remote resets are three an hour and the key is not turned here, and the line says so.
        """
        began_s, stalls = time.monotonic(), 0
        while stalls <= STALLS_MAX:
            if self.bench.wait(powered, POWER_S) is not None and self.bench.stays(
                powered, STEADY_S
            ):
                took_s = time.monotonic() - began_s - STEADY_S
                return (f"power after {took_s:.1f} s") + (
                    f" ({stalls} stalls of the emulator)" if stalls else ""
                )
            standing = {
                name.split(".")[0] for name in (self.state() or {"standing": ()})["standing"]
            }
            if standing - STALL_STAGES:
                raise CheckError(f"stands: {', '.join(sorted(standing))}")
            stalls += 1
            self.ask(RENEW)
            self.start()
        raise CheckError(f"no power, {stalls} times; the controller says {self.state()}")

    def lateness(self):
        """The loop's own figures in this emulated box: to be read, not judged."""
        loop = self.state()["loop"]
        late = loop["lateness_us"]
        return (
            f"{loop['ticks']} ticks, {loop['missed']} missed, lateness p50 {late['p50']} us, p99 "
            f"{late['p99']} us"
        )

    def commands(self):
        """An operator's command at a shell: taken from the controller's user, refused to anybody
        else.
        """

        def accepted():
            code, text = self.machine.run("runuser -u firebreak -- firebreak lamp-test")
            return text if code == 0 and "accepted" in text else None

        said = self.until("accepted: a lamp test of the user firebreak", accepted, RESTART_S)
        code, text = self.machine.run("runuser -u nobody -- firebreak lamp-test")
        if code == 0 or "sudo -u firebreak" not in text:
            raise CheckError(f"a lamp test of the user nobody: exit code {code}: {text}")
        return f"{said}; refused to nobody"

    def wall_clock(self):
        """The recorder's sandbox lets it ask how good the clock is: a steered one gives "ntp" and
        an uncertainty.
        """
        before = self._clock_event()
        self.ask("bench-clock set")

        def recorded():
            event = self._clock_event()
            return event if event != before else None

        event = self.until("recorded that the clock was set", recorded, RESTART_S)
        if event["utc_source"] != "ntp" or event["utc_uncertainty_us"] is None:
            raise CheckError(
                f"a steered clock has the source {event['utc_source']}, "
                f"uncertainty {event['utc_uncertainty_us']} us"
            )
        return f"{event['text']}, +-{event['utc_uncertainty_us']} us"

    def _clock_event(self):
        return json.loads(self.ask("runuser -u firebreak -- bench-clock event"))

    # -- what goes wrong

    def hangs(self):
        """A stopped process is killed by the watchdog and started again; the outputs have lapsed
        meanwhile.
        """
        pid, before = self.shown("MainPID", "NRestarts")
        self.ask(f"kill -STOP {pid}")
        opened_s = self.until_plant("contactors open", open_, OPEN_S)
        began_s = time.monotonic()
        self.until("restarted", lambda: self.shown("NRestarts")[0] != before, RESTART_S)
        self.until("active", lambda: self.shown("ActiveState")[0] == "active", START_S)
        log = self.ask(f"journalctl -u {UNIT} -b -o cat --no-pager | grep -ci watchdog")
        again_s = time.monotonic() - began_s + opened_s
        return (
            f"contactors open after {opened_s:.1f} s, active again after {again_s:.1f} s "
            f"(watchdog 10 s in this "
            f"box; {log} lines on it)"
        )

    def latched(self):
        """The ARMED store without CLEAN is seen: its row stands and nothing closes."""
        state = self.until("ticking", self.state, RESTART_S)
        state = self.until(f"latched {ARMED_STAGE}", self._armed, RESTART_S) or state
        if not self.bench.stays(open_, STAYS_S):
            raise CheckError("a contactor closed without a reset")
        return (
            f"{', '.join(state['standing'])} stands, state {state['state']}, open for "
            f"{STAYS_S:.0f} s"
        )

    def _armed(self):
        state = self.state()
        ok = state and any(name.split(".")[0] == ARMED_STAGE for name in state["standing"])
        return state if ok else None

    def resets(self):
        """One remote reset, and it runs again."""
        said = self.until("reset", self._reset, RESTART_S)
        return f"{said}; {self.until_powered()}"

    def _reset(self):
        """What stands is looked at first, and named: a reset of what nobody has seen is not
        taken.
        """
        _, seen = self.machine.run(RESET)
        typed = RESET_CODE.search(seen)
        code, text = self.machine.run(f"{RESET} {typed[1]}") if typed else (1, "")
        return text if code == 0 else None

    def power_cut(self):
        """The plug is pulled under power, and the box boots from the same disk."""
        self.until_powered()
        self.machine.cut_power()
        opened_s = self.until_plant_alone("contactors open", open_)
        began_s = time.monotonic()
        self.machine.power_on()
        self.bench.go(self.machine.process.pid)
        self.machine.wait_for_shell()
        self.until("active", lambda: self.shown("ActiveState")[0] == "active", START_S)
        back_s = time.monotonic() - began_s
        return (
            f"contactors open {opened_s:.1f} s after it, controller active {back_s:.1f} s after "
            f"power"
        )

    def until_plant_alone(self, what, condition):
        """Wait for the plant of a box without power."""
        took_s = self.bench.wait(condition, OPEN_S)
        if took_s is None:
            raise CheckError(f"{what}: not within {OPEN_S:.0f} s")
        return took_s

    def stops_clean(self):
        """A controlled stop stores CLEAN: the next start needs no reset."""
        self.ask(f"systemctl stop {UNIT}")
        result, code = self.shown("Result", "ExecMainStatus")
        if (result, code) != ("success", "0") or not self.bench.stays(open_, 1.0):
            raise CheckError(f"result {result}, exit code {code}: {self.journal()}")
        self.ask(f"systemctl start {UNIT}")
        return (
            f"exit code 0, started again without a latch, {self.until_powered()}; {self.lateness()}"
        )

    # -- installing on a running box

    def installs_live(self):
        """A second installation on the running box finds everything there and leaves the controller
        running.
        """
        (pid,) = self.shown("MainPID")
        text = self.ask(f"/{image.SOURCE_IN_BOX}/flash.sh install")
        if "unchanged" not in text or self.shown("MainPID") != [pid]:
            raise CheckError(" | ".join(text.splitlines()))
        return " | ".join(text.splitlines())

    def uninstalls(self):
        """Gone but for configuration and state; with --purge, those too."""
        self.ask(f"/{image.SOURCE_IN_BOX}/flash.sh uninstall")
        self.ask(
            "test -e /etc/firebreak/cabinet/cabinet.toml && test -e /var/lib/firebreak/store.a"
        )
        self.ask(
            "! test -e /opt/firebreak && ! test -e /usr/local/bin/firebreak && ! systemctl "
            "cat firebreak.service"
        )
        self.ask(f"/{image.SOURCE_IN_BOX}/flash.sh uninstall --purge")
        self.ask(
            "! test -e /etc/firebreak && ! test -e /var/lib/firebreak && ! getent passwd firebreak"
        )
        return "configuration and state kept, then purged"

    def invariants(self):
        """What the observer on the wires and in the plant has against all of this."""
        found = self.bench.violations()
        if found:
            raise CheckError(f"{len(found)}: {found[0]}")
        return "the observer has seen no violation"


CHECKS = (
    ("Debian base", Lab.base),
    ("install --root", Lab.installed),
    ("install again", Lab.installed_twice),
    ("disk", Lab.disk),
    ("boot", Lab.boots),
    ("service starts", Lab.starts),
    ("CAN interface", Lab.can_interface),
    ("serial ports", Lab.port_names),
    ("rights", Lab.rights),
    ("exposure", Lab.exposure),
    ("rest of a new cabinet", Lab.rests),
    ("first start", Lab.closes),
    ("commands", Lab.commands),
    ("UTC source", Lab.wall_clock),
    ("hang", Lab.hangs),
    ("ARMED latch after the hang", Lab.latched),
    ("reset", Lab.resets),
    ("power cut", Lab.power_cut),
    ("ARMED latch after the cut", Lab.latched),
    ("reset after the cut", Lab.resets),
    ("controlled stop", Lab.stops_clean),
    ("install on the box", Lab.installs_live),
    ("uninstall", Lab.uninstalls),
    ("invariants", Lab.invariants),
)
