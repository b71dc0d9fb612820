"""Checks a running box: rights, start, a hang, a power cut, a rollback, its end."""

import re

from hil.campaigns.vm import image
from hil.campaigns.vm.lab import POWER_S, RECORDER, RESTART_S, START_S, UNIT, Lab, open_
from hil.engine import forks
from hil.runner.report import CheckError

FIFO_PRIORITY = "49"
ARMED_STAGE = "44c"  # the row that trips if the store says ARMED without CLEAN
STAYS_S = 8.0
HEAL_S = 300.0  # four starts, and the checks before the way back
CURRENT = "/opt/firebreak/current"
INSTALL = f"/{image.SOURCE_IN_BOX}/flash.sh install"
RESET = "runuser -u firebreak -- firebreak reset"
# the controller's answer ends with a remote reset, because no key is turned
RESET_CODE = re.compile(r": firebreak reset ([0-9A-F]{8})\s*$")
CAN_SETTINGS = ("UP", "qlen 100", "restart-ms 100", "bitrate 500000")


def boots(lab: Lab) -> str:
    """Check that the box boots from power to a shell, on the real-time kernel."""
    lab.boot()
    version = lab.ask("uname -rv")
    if "PREEMPT_RT" not in version:
        raise CheckError(f"no real-time kernel: {version}")
    return version


def starts(lab: Lab) -> str:
    """Check that the service becomes active by itself."""
    try:
        lab.until_active()
    except CheckError as error:
        raise CheckError(f"{error}: {lab.journal()}") from None
    return lab.ask(f"systemctl show {UNIT} -p StatusText --value")


def can_interface(lab: Lab) -> str:
    """Check the CAN interface's settings (why: linux-can/can-utils #262, #400)."""

    def missing() -> list[str]:
        _, text = lab.machine.run("ip -d link show can0")
        return [setting for setting in CAN_SETTINGS if not re.search(rf"\b{setting}\b", text)]

    try:
        lab.until("up", lambda: not missing(), START_S)
    except CheckError:
        raise CheckError(f"can0 has no {', '.join(missing())} after {START_S:.0f} s") from None
    return "up, bit rate 500000, restart-ms 100, queue 100"


def port_names(lab: Lab) -> str:
    """Check that the ports have stable names, and that the controller has opened all of them."""
    names = lab.ask("ls /dev/serial/by-path").split()
    (pid,) = lab.shown("MainPID")
    held = len(re.findall(r"ttyUSB\d", lab.ask(f"ls -l /proc/{pid}/fd")))
    ports = len(lab.rig.wires["ports"])
    if held != ports:
        raise CheckError(f"{held} of {ports} ports are open; by-path: {' '.join(names)}")
    return f"{held} open, {names[0]} ..."


def rights(lab: Lab) -> str:
    """Check the service's user, FIFO priority, locked memory, capabilities and memory limit."""
    pid, memory, limit = lab.shown("MainPID", "MemoryCurrent", "MemoryMax")
    status = lab.process_status(pid)
    user = lab.ask(f"stat -c %U /proc/{pid}")
    policy = lab.ask(f"chrt -p {pid}")
    is_right = {
        f"user {user}": user == "firebreak",
        f"capabilities {status['CapEff']}": int(status["CapEff"], 16) == 0,
        f"not locked: VmLck {status['VmLck']}": int(status["VmLck"].split()[0]) > 10_000,
        policy: "SCHED_FIFO" in policy and policy.endswith(f"priority: {FIFO_PRIORITY}"),
        "new privileges": status["NoNewPrivs"] == "1",
    }
    if not all(is_right.values()):
        raise CheckError(", ".join(text for text, ok in is_right.items() if not ok))
    return (
        f"user {user}, FIFO {FIFO_PRIORITY}, {status['VmLck']} locked, "
        f"{int(memory) >> 20} of {int(limit) >> 20} MB"
    )


def stays_open(lab: Lab) -> str:
    """Check that a new, prepared cabinet keeps its contactors open until its first start."""
    lab.until("ticking", lab.state, RESTART_S)
    if not lab.rig.stays(open_, POWER_S):
        raise CheckError(f"a contactor closed without a start; state {lab.state()}")
    return f"open for {POWER_S:.0f} s, state {lab.seen()['state']}"


def closes(lab: Lab) -> str:
    """Start the cabinet. Check that the contactors close and power flows."""
    return f"{lab.start()}; {lab.until_powered()}; {lab.lateness()}"


def hangs(lab: Lab) -> str:
    """Check that the watchdog restarts a stopped process, and that meanwhile the outputs expire."""
    pid, before = lab.shown("MainPID", "NRestarts")
    lab.ask(f"kill -STOP {pid}")
    opened_s = lab.until_open()
    began_s = forks.wall_s()
    lab.until("restarted", lambda: lab.shown("NRestarts")[0] != before, RESTART_S)
    lab.until_active()
    log = lab.ask(f"journalctl -u {UNIT} -b -o cat --no-pager | grep -ci watchdog")
    again_s = forks.wall_s() - began_s + opened_s
    return (
        f"contactors open after {opened_s:.1f} s, active again after {again_s:.1f} s (watchdog "
        f"10 s in this box; {log} lines on it)"
    )


def latched(lab: Lab) -> str:
    """Check the start with a store that has ARMED and not CLEAN: the row trips, nothing closes."""
    lab.until("ticking", lab.state, RESTART_S)
    lab.until(f"latched {ARMED_STAGE}", lambda: ARMED_STAGE in lab.standing(), RESTART_S)
    if not lab.rig.stays(open_, STAYS_S):
        raise CheckError("a contactor closed without a reset")
    state = lab.seen()
    return (
        f"{', '.join(state['standing'])} active, state {state['state']}, open for {STAYS_S:.0f} s"
    )


def resets(lab: Lab) -> str:
    """Check that the cabinet runs again after one remote reset."""
    return f"{_until_reset(lab)}; {lab.until_powered()}"


def resets_and_starts(lab: Lab) -> str:
    """Check that after a power cut the cabinet also waits for a person's start."""
    answer = _until_reset(lab)
    if not lab.rig.stays(open_, STAYS_S):
        raise CheckError("a contactor closed without a start")
    return f"{answer}; {lab.start()}; {lab.until_powered()}"


def _until_reset(lab: Lab) -> str:
    """Reset the latches that the controller shows. Returns its answer."""

    def answer() -> str | None:
        _, shown = lab.machine.run(RESET)
        match = RESET_CODE.search(shown)
        code, text = lab.machine.run(f"{RESET} {match[1]}") if match else (1, "")
        return text if code == 0 else None

    return lab.until("reset", answer, RESTART_S)


def power_cut(lab: Lab) -> str:
    """Cut the power while current flows. Check that the box boots again from the same disk."""
    lab.until_powered()
    lab.machine.cut_power()
    opened_s = lab.until_open()
    began_s = forks.wall_s()
    lab.boot()
    lab.until_active()
    back_s = forks.wall_s() - began_s
    return (
        f"contactors open {opened_s:.1f} s after it, controller active {back_s:.1f} s after power"
    )


def stops_clean(lab: Lab) -> str:
    """Check that a controlled stop stores CLEAN, so that the next start needs no reset."""
    lab.ask(f"systemctl stop {UNIT}")
    result, code = lab.shown("Result", "ExecMainStatus")
    if (result, code) != ("success", "0") or not lab.rig.stays(open_, 1.0):
        raise CheckError(f"result {result}, exit code {code}: {lab.journal()}")
    lab.ask(f"systemctl start {UNIT}")
    return f"exit code 0, started again without a latch, {lab.until_powered()}; {lab.lateness()}"


def installs_live(lab: Lab) -> str:
    """Check that a second installation changes nothing and leaves the controller running."""
    (pid,) = lab.shown("MainPID")
    text = lab.ask(INSTALL).replace("\n", " | ")
    if "unchanged" not in text or lab.shown("MainPID") != [pid]:
        raise CheckError(text)
    return text


def heals(lab: Lab) -> str:
    """Check that a release on trial that crashes at its start goes back by itself.

    The starts of the checks before may have ended the trial. The installation begins it again.
    """
    lab.ask(INSTALL)
    _, trial = lab.machine.run("firebreak box trial")
    if "is on trial" not in trial:
        raise CheckError(trial)
    now = _current(lab)
    path = lab.ask(f"readlink -f {CURRENT}/bin/firebreak")
    lab.ask(f"mv {path} {path}.whole && ln -s /bin/false {path}")
    lab.ask(f"systemctl restart --no-block {UNIT}")
    lab.until("gone back", lambda: _current(lab) != now, HEAL_S)
    lab.ask(f"mv {path}.whole {path}")
    lab.until_active()
    return f"{lab.ask('cat /opt/firebreak/trial.last')}; {lab.until_powered()}"


def rolls_back(lab: Lab) -> str:
    """Check that the earlier release runs with the present configuration and state, and then the
    present release again.
    """
    now = _current(lab)
    before = _rolled_back(lab, now)
    again = _rolled_back(lab, before)
    if again != now:
        raise CheckError(f"{again} after the way back, not {now}")
    return f"{before} ran with power, then {now}"


def _current(lab: Lab) -> str:
    return lab.ask(f"readlink {CURRENT}")


def _rolled_back(lab: Lab, now: str) -> str:
    """The release after `firebreak box rollback` and a restart. now: the release until then."""
    lab.ask("firebreak box rollback")
    release = _current(lab)
    lab.ask(f"systemctl restart {UNIT} {RECORDER}")
    lab.until_active()
    (pid,) = lab.shown("MainPID")
    program = lab.ask(f"tr '\\0' ' ' </proc/{pid}/cmdline")
    if release == now or f"{release}/" not in program:
        raise CheckError(f"{program} runs after the rollback from {now} to {release}")
    lab.until_powered()
    return release


def uninstalls(lab: Lab) -> str:
    """Check that uninstalling keeps only configuration and state; --purge removes these too."""
    lab.ask(f"/{image.SOURCE_IN_BOX}/flash.sh uninstall")
    lab.ask("test -e /etc/firebreak/cabinet/cabinet.toml && test -e /var/lib/firebreak/store.a")
    lab.ask(
        "! test -e /opt/firebreak && ! test -e /usr/local/bin/firebreak && ! systemctl "
        "cat firebreak.service"
    )
    lab.ask(f"/{image.SOURCE_IN_BOX}/flash.sh uninstall --purge")
    lab.ask("! test -e /etc/firebreak && ! test -e /var/lib/firebreak && ! getent passwd firebreak")
    return "configuration and state kept, then purged"


def invariants(lab: Lab) -> str:
    """Check that the observer found nothing wrong on the wires and in the plant."""
    violations = lab.rig.violations()
    if violations:
        raise CheckError(f"{len(violations)}: {violations[0]}")
    return "the observer has seen no violation"
