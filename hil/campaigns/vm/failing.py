"""A box that hangs, or whose power is cut; and how it comes back.

A check takes the Lab and returns what it found, or raises CheckError. The simulated plant, outside
the box, shows what the cabinet does; the box's shell shows the state of the box.
"""

import re

from hil import forks
from hil.campaigns.report import CheckError
from hil.campaigns.vm.lab import RESTART_S, UNIT, open_

ARMED_STAGE = "44c"  # the row that an ARMED store without CLEAN sets
STAYS_S = 8.0
RESET = "runuser -u firebreak -- firebreak reset"
# its last words: a remote one, no key is turned
RESET_CODE = re.compile(r": firebreak reset ([0-9A-F]{8})\s*$")


def hangs(lab):
    """A stopped process is killed by the watchdog and started again; the outputs have lapsed
    meanwhile.
    """
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


def latched(lab):
    """The ARMED store without CLEAN is seen: its row is active and nothing closes."""
    lab.until("ticking", lab.state, RESTART_S)
    lab.until(f"latched {ARMED_STAGE}", lambda: ARMED_STAGE in lab.standing(), RESTART_S)
    if not lab.bench.stays(open_, STAYS_S):
        raise CheckError("a contactor closed without a reset")
    state = lab.state()
    return (
        f"{', '.join(state['standing'])} active, state {state['state']}, open for {STAYS_S:.0f} s"
    )


def resets(lab):
    """One remote reset, and it runs again."""
    said = lab.until("reset", lambda: _reset(lab), RESTART_S)
    return f"{said}; {lab.until_powered()}"


def _reset(lab):
    """Reads what is latched and names it: the controller refuses a reset of anything else."""
    _, seen = lab.machine.run(RESET)
    typed = RESET_CODE.search(seen)
    code, text = lab.machine.run(f"{RESET} {typed[1]}") if typed else (1, "")
    return text if code == 0 else None


def power_cut(lab):
    """The plug is pulled under power, and the box boots from the same disk."""
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


def stops_clean(lab):
    """A controlled stop stores CLEAN: the next start needs no reset."""
    lab.ask(f"systemctl stop {UNIT}")
    result, code = lab.shown("Result", "ExecMainStatus")
    if (result, code) != ("success", "0") or not lab.bench.stays(open_, 1.0):
        raise CheckError(f"result {result}, exit code {code}: {lab.journal()}")
    lab.ask(f"systemctl start {UNIT}")
    return f"exit code 0, started again without a latch, {lab.until_powered()}; {lab.lateness()}"
