"""`./flash.sh vm-test` tries the controller on a Debian in QEMU, with a hang and a power cut.

The test takes 10 to 30 minutes.

Exit codes: 0 all checks passed, 1 one did not, 2 wrong input, 3 a program or a right is missing.
"""

import argparse
import contextlib
import fcntl
import functools
import os
import pathlib
import tempfile

from hil.campaigns.process import needed
from hil.campaigns.vm import companions, image, network, running, trust
from hil.campaigns.vm.lab import Lab
from hil.campaigns.vm.machine import Machine
from hil.campaigns.vm.rig import VmRig
from hil.engine.rig import RigError
from hil.runner import options, report

NAME = "vm-test"
# A check also fails if an answer of the box cannot be read, because its kernel has printed a word
# among the lines.
FAILURES = (RigError, OSError, ValueError, LookupError)
NOT_ROOT = f"needs root, to make a disk with the owners of a real one: sudo ./flash.sh {NAME}"
SUITES = ("bookworm", "trixie")
CACHE: options.Options = {
    "--suite": {"choices": SUITES, "default": SUITES[0], "help": "Debian of the box (%(default)s)"},
    "--cache": options.value(
        str, "DIR", "where disks are kept, up to 3 GB (%(default)s)", "~/.cache/firebreak-vm"
    ),
}
# The order matters, because each check begins with the box as the check before has left it.
CHECKS = (
    ("Debian base", image.base),
    ("install --root", image.installed),
    ("a newer release", image.upgraded),
    ("disk", image.disk),
    ("boot", running.boots),
    ("service starts", running.starts),
    ("CAN interface", running.can_interface),
    ("serial ports", running.port_names),
    ("rights", running.rights),
    ("standby of a new cabinet", running.stays_open),
    ("first start", running.closes),
    ("install on the box", running.installs_live),
    ("planner", companions.plans),
    ("doors", companions.opens_doors),
    ("SECURITY.md", trust.agrees),
    ("network of the unit", network.opened),
    ("hang", running.hangs),
    ("ARMED latch after the hang", running.latched),
    ("reset", running.resets),
    ("power cut", running.power_cut),
    ("ARMED latch after the cut", running.latched),
    ("reset after the cut", running.resets_and_starts),
    ("controlled stop", running.stops_clean),
    ("a release that crashes", running.heals),
    ("rollback", running.rolls_back),
    ("uninstall", running.uninstalls),
    ("invariants", running.invariants),
)


def run(arguments: argparse.Namespace) -> int:
    """Run the test. Returns the exit code. Raises RigError, OSError."""
    missing = needed(image.PROGRAMS) or (os.geteuid() != 0 and NOT_ROOT)
    if missing:
        return report.refuse(NAME, missing, report.NO_START)
    cache = pathlib.Path(arguments.cache).expanduser().resolve()
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with open(cache / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _test(cache, arguments.suite, arguments.json)
    except BlockingIOError:
        return report.refuse(NAME, f"{cache}: another {NAME} runs there", report.NO_START)
    except KeyboardInterrupt:
        return report.refuse(NAME, "interrupted", report.INTERRUPTED)


def _test(cache: pathlib.Path, suite: str, json_path: str | None) -> int:
    checks = report.Checks()
    with contextlib.ExitStack() as ends:
        rig = VmRig(ends.enter_context(tempfile.TemporaryDirectory(prefix="firebreak-vm-")))
        ends.callback(rig.stop)
        rig.start()
        machine = Machine(str(cache), list(rig.wires["ports"].values()), rig.open_can())
        ends.callback(machine.cut_power)
        _run(checks, Lab(cache, machine, rig, suite))
    done = [row["name"] for row in checks.rows if row["ok"]]
    print(report.verdict(f"{len(done)} of {len(CHECKS)} checks passed"), flush=True)
    report.write_json(json_path, {"test": "vm", "suite": suite, **checks.document()})
    return report.MET if checks.ok else report.NOT_MET


def _run(checks: report.Checks, lab: Lab) -> None:
    """Run all checks. The first that fails ends the test."""
    for position, (name, action) in enumerate(CHECKS):
        if not checks.check(name, functools.partial(action, lab), FAILURES):
            left = [unreached for unreached, _ in CHECKS[position + 1 :]]
            if left:
                print(f"not reached: {', '.join(left)}", flush=True)
            return


add = options.command(
    NAME,
    "the installation tried on a Debian with systemd and a real-time kernel, emulated",
    run,
    options.JSON | CACHE,
)
