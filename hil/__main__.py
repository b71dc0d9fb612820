"""`python -m hil COMMAND`: the rig (bench); campaigns and systems (lab), if installed."""

import argparse
import importlib.util
import os
import signal
import sys
from typing import NoReturn

from controller.forms.refusal import ConfigError
from controller.journal.ring import JournalError
from controller.system import cli
from hil.engine import coverage, rig_command
from hil.engine.coverage import NotSimulatedError
from hil.engine.rig import RigError
from hil.loads.trace import LoadError
from hil.results import keys
from hil.runner import report
from hil.runner.cases import CaseError
from hil.runner.options import WrongOptionError
from hil.values import long_command, pod_options, speeds

PROGRAM = "python -m hil"
WRONG = LoadError, ConfigError, NotSimulatedError, rig_command.InputError, WrongOptionError
BENCH = (rig_command, coverage, pod_options, long_command, speeds, keys)
# command: its module in hil/
LAB = {
    "hint-attack": "campaigns.hint_attack.command",
    "golden": "campaigns.golden",
    "chaos": "campaigns.chaos.command",
    "rows": "campaigns.rows.command",
    "runaway": "campaigns.runaway.command",
    "nuisance": "campaigns.nuisance.command",
    "outage": "campaigns.outage.command",
    "smooth": "campaigns.smooth.command",
    "largest": "campaigns.largest.command",
    "meter-sign": "campaigns.meter_sign.command",
    "bench": "campaigns.benchmarks.command",
    "mcu": "campaigns.channel_b.command",
    "vm-test": "campaigns.vm.command",
    "run": "systems.command",
    "claims": "systems.claims",
    "plan": "systems.plan_command",
    "ask": "campaigns.ask.command",
    "windows": "campaigns.windows.command",
    "ride": "campaigns.ride.command",
    "vendor-pack": "campaigns.vendor_pack.command",
}
ON_RIG = "hil.systems.on_rig"  # adds the systems to the command `rig`
OUTPUTS = ("load", "json", "html", "plot", "png", "md", "journal")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code.

    0 as expected, 1 not as expected, 2 wrong input, 3 could not start or go on, 130 interrupted.
    """
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    name = PROGRAM.split()[-1]
    try:
        arguments, left = parser().parse_known_args(argv)
        name = arguments.program
        if left:  # argparse would name the program here, not the command
            raise rig_command.InputError(f"unrecognized arguments: {' '.join(left)}")
        _check_apart(arguments)
        return arguments.run(arguments)
    except WRONG as error:
        return report.refuse(name, error)
    except (RigError, JournalError, OSError, CaseError) as error:
        return report.refuse(name, error, report.NO_START)
    except KeyboardInterrupt as error:
        kept = f"; {error}" if str(error) else ""
        return report.refuse(name, f"interrupted, no result{kept}", report.INTERRUPTED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as all commands do."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with the code of wrong input."""
        name = (self.prog.removeprefix(PROGRAM).split() or PROGRAM.split()[-1:])[0]
        self.exit(report.WRONG_INPUT, f"{name}: {cli.with_nearest(message)}\n")


def parser() -> _Parser:
    """The parser of all commands."""
    made = _Parser(prog=PROGRAM)
    commands = made.add_subparsers(required=True, metavar="COMMAND", dest="program")
    for module in BENCH:
        module.add(commands)
    if has_lab():
        for name in LAB.values():
            importlib.import_module(f"hil.{name}").add(commands)
        importlib.import_module(ON_RIG).extend(commands.choices["rig"])
    else:
        for name in LAB:
            commands.add_parser(name, help="of the package firebreak-lab").set_defaults(run=_absent)
    return made


def has_lab() -> bool:
    """Campaigns and systems are installed."""
    return importlib.util.find_spec("hil.campaigns") is not None


def _absent(arguments: argparse.Namespace) -> int:
    raise rig_command.InputError("a command of the lab: install firebreak-lab")


def _check_apart(arguments: argparse.Namespace) -> None:
    """Refuse an output that would overwrite the load or another output."""
    seen: dict[str, str] = {}
    for option in OUTPUTS:
        path = getattr(arguments, option, None)
        other = seen.setdefault(os.path.realpath(path), option) if path else option
        if other != option:
            raise rig_command.InputError(
                f"--{option} {path}: --{other} names the same file; give each option its own file"
            )


if __name__ == "__main__":
    sys.exit(main())
