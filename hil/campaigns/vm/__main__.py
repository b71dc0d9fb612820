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

from hil.campaigns.vm import image
from hil.campaigns.vm.bench import Bench
from hil.campaigns.vm.checks import CHECKS, Lab
from hil.campaigns.vm.image import ImageError
from hil.campaigns.vm.machine import Machine, MachineError
from hil.campaigns.vm.report import Report

# A check has not passed also when the box answers what cannot be read: a word of its kernel among
# the lines.
FAILURES = (ImageError, MachineError, OSError, ValueError, LookupError)
CACHE = "~/.cache/firebreak-vm"
PASSED, NOT_PASSED, WRONG_INPUT, NO_START, INTERRUPTED = 0, 1, 2, 3, 130


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message):
        """Print the line and leave with the code of wrong input."""
        self.exit(WRONG_INPUT, f"vm-test: {message}\n")


def _parser():
    parser = _Parser(
        prog="flash.sh vm-test",
        description="The installation tried on a Debian "
        "with systemd and a "
        "real-time kernel, emulated: 5 to 15 "
        "minutes.",
    )
    parser.add_argument("--json", metavar="FILE", help="write all checks there")
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
    if arguments.json and not os.path.isdir(os.path.dirname(arguments.json) or "."):
        return _say(f"--json {arguments.json}: there is no such folder", WRONG_INPUT)
    packages = image.missing()
    if packages:
        return _say(f"needs {' '.join(packages)}: apt-get install {' '.join(packages)}", NO_START)
    if os.geteuid() != 0:
        return _say(
            "needs root, to make a disk with the owners of a real one: sudo ./flash.sh vm-test",
            NO_START,
        )
    cache = pathlib.Path(arguments.cache).expanduser().resolve()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _test(cache, arguments.json)
    except BlockingIOError:
        return _say(f"{cache}: another vm-test runs there", NO_START)
    except OSError as error:
        return _say(error, NO_START)


def _say(line, exit_code):
    print(f"vm-test: {line}", file=sys.stderr)
    return exit_code


def _test(cache, json_path):
    report = Report(lambda line: print(line, flush=True))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="firebreak-vm-") as directory:
        bench = machine = None
        try:
            bench = Bench(str(image.ROOT), directory)
            machine = Machine(str(cache), list(bench.ports.values()), bench.open_can())
            _run(report, Lab(cache, machine, bench))
        except (ImageError, MachineError) as error:
            return _say(error, NO_START)
        except KeyboardInterrupt:
            return _say("interrupted", INTERRUPTED)
        finally:
            if machine is not None:
                machine.cut_power()
            if bench is not None:
                bench.stop()
    if json_path:
        report.write(json_path, {"test": "vm"})
    return PASSED if report.ok else NOT_PASSED


def _run(report, lab):
    """All checks in order; each builds on the one before, so the first that fails ends the test."""
    for position, (name, action) in enumerate(CHECKS):
        if not report.check(name, lambda action=action: action(lab), FAILURES):
            left = [other for other, _ in CHECKS[position + 1 :]]
            if left:
                print(f"not reached: {', '.join(left)}", flush=True)
            return


if __name__ == "__main__":
    sys.exit(main())
