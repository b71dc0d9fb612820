"""`./flash.sh vm-test`: installs the controller on a Debian in QEMU, runs it there, hangs it, cuts
its power.

Exit codes: 0 all checks passed, 1 one did not, 2 wrong input, 3 something is missing here.
"""

import argparse
import fcntl
import os
import pathlib
import signal
import sys
import tempfile

from hil.arguments import output_file
from hil.campaigns import command, verdict
from hil.campaigns.packages import needed
from hil.campaigns.report import Checks, write_json
from hil.campaigns.vm import image
from hil.campaigns.vm.bench import Bench
from hil.campaigns.vm.checks import CHECKS
from hil.campaigns.vm.image import ImageError
from hil.campaigns.vm.lab import Lab
from hil.campaigns.vm.machine import Machine, MachineError

NAME = "vm-test"
# A check has not passed also when the box answers what cannot be read: a word of its kernel among
# the lines.
FAILURES = (ImageError, MachineError, OSError, ValueError, LookupError)
CACHE = "~/.cache/firebreak-vm"


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message):
        """Print the line and leave with the code of wrong input."""
        self.exit(command.WRONG_INPUT, f"{NAME}: {message}\n")


def _parser():
    parser = _Parser(
        prog=f"flash.sh {NAME}",
        description="The installation tried on a Debian with systemd and a real-time kernel, "
        "emulated: 5 to 15 minutes.",
    )
    parser.add_argument("--json", type=output_file(), metavar="FILE", help="write all checks there")
    parser.add_argument(
        "--cache",
        metavar="DIR",
        default=CACHE,
        help="where disks are kept, up to 3 GB (%(default)s)",
    )
    return parser


def main(argv=None):
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    missing = needed(image.PROGRAMS) or (os.geteuid() != 0 and NOT_ROOT)
    if missing:
        return command.refuse(NAME, missing, command.NO_START)
    cache = pathlib.Path(arguments.cache).expanduser().resolve()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _test(cache, arguments.json)
    except BlockingIOError:
        return command.refuse(NAME, f"{cache}: another {NAME} runs there", command.NO_START)
    except (ImageError, MachineError, OSError) as error:
        return command.refuse(NAME, error, command.NO_START)
    except KeyboardInterrupt:
        return command.refuse(NAME, "interrupted", command.INTERRUPTED)


NOT_ROOT = f"needs root, to make a disk with the owners of a real one: sudo ./flash.sh {NAME}"


def _test(cache, json_path):
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    checks, bench, machine = Checks(), None, None
    with tempfile.TemporaryDirectory(prefix="firebreak-vm-") as directory:
        try:
            bench = Bench(directory)
            machine = Machine(str(cache), list(bench.ports.values()), bench.open_can())
            _run(checks, Lab(cache, machine, bench))
        finally:
            if machine is not None:
                machine.cut_power()
            if bench is not None:
                bench.stop()
    write_json(json_path, {"test": "vm", **checks.document()})
    return verdict.exit_code(checks.ok)


def _run(checks, lab):
    """All checks in order; each builds on the one before, so the first that fails ends the test."""
    for position, (name, action) in enumerate(CHECKS):
        if not checks.check(name, lambda action=action: action(lab), FAILURES):
            left = [other for other, _ in CHECKS[position + 1 :]]
            if left:
                print(f"not reached: {', '.join(left)}", flush=True)
            return


if __name__ == "__main__":
    sys.exit(main())
