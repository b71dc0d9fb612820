"""`python -m hil COMMAND`: the rig (bench); campaigns and systems (lab), if installed."""

import argparse
import importlib.util
import os
import signal
import sys
from typing import NoReturn

from hil.runner import executed

# These commands keep results, so their process records what it executes from the first import on.
WATCHED = "golden", "rows", "trials", "smooth", "run", "claims", "plan", "vendor-pack"
if __name__ == "__main__" and sys.argv[1:2] and sys.argv[1] in WATCHED:
    executed.begin()

from controller.forms.refusal import ConfigError
from controller.journal.ring import JournalError
from controller.system import cli
from controller.system.output import guarded
from hil.engine.refusals import CaseError, InputError, NotSimulatedError, RigError
from hil.loads.trace import LoadError
from hil.runner import report
from hil.runner.options import WrongOptionError

PROGRAM, SHORT_NAME = "python -m hil", "hil"
WRONG = LoadError, ConfigError, NotSimulatedError, InputError, WrongOptionError
# command: its module in hil/
BENCH = {
    "rig": "engine.rig_command",
    "pod": "values.pod_options",
    "long": "values.long_command",
    "keys": "engine.keys",
}
LAB = {
    "golden": "campaigns.golden",
    "chaos": "campaigns.chaos.command",
    "rows": "campaigns.rows.command",
    "trials": "campaigns.trials",
    "smooth": "campaigns.smooth.command",
    "bench": "campaigns.benchmarks.command",
    "mcu": "campaigns.channel_b.command",
    "vm-test": "campaigns.vm.command",
    "run": "systems.command",
    "claims": "systems.claims",
    "plan": "systems.plan_command",
    "vendor-pack": "campaigns.vendor_pack.command",
}
# commands of earlier releases: the command that does the same now
RENAMED = {
    **{
        name: f"trials {name}"
        for name in ("ask", "hint-attack", "nuisance", "ride", "runaway", "windows")
    },
    "outage": "trials outage`; with --until-empty: `trials islands",
    "largest": "smooth largest",
    "speeds": "long speeds",
    "covers": "keys covers",
}
OUTPUTS = ("load", "json", "html", "plot", "png", "md", "journal")


def main(argv: list[str] | None = None) -> int:
    """Run a command. Returns the exit code.

    0 as expected, 1 not as expected, 2 wrong input, 3 could not start or go on, 130 interrupted.
    """
    command_line = sys.argv[1:] if argv is None else argv
    return guarded(PROGRAM, lambda: _obey(command_line), goes_on=True)


def _obey(command_line: list[str]) -> int:
    earlier_handlers = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    name = SHORT_NAME
    try:
        if command_line and command_line[0] in RENAMED:
            name = command_line[0]
            raise InputError(f"is now `{PROGRAM} {RENAMED[name]}`")
        arguments, unknown_arguments = parser(*command_line[:1]).parse_known_args(command_line)
        name = arguments.program
        if unknown_arguments:  # argparse would name the program here, not the command
            raise InputError(f"unrecognized arguments: {' '.join(unknown_arguments)}")
        _check_apart(arguments)
        return int(arguments.run(arguments))
    except WRONG as error:
        return report.refuse(name, error)
    except (RigError, JournalError, OSError, CaseError) as error:
        return report.refuse(name, error, report.NO_START)
    except KeyboardInterrupt as error:
        kept_text = f"; {error}" if str(error) else ""
        return report.refuse(name, f"interrupted, no result{kept_text}", report.INTERRUPTED)
    finally:
        for number, handler in earlier_handlers.items():
            signal.signal(number, handler)


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as all commands do."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with the code of wrong input."""
        name = self.prog.removeprefix(PROGRAM).strip() or SHORT_NAME
        self.exit(report.WRONG_INPUT, f"{name}: {cli.with_nearest(message)}\n")


def parser(word: str = "") -> _Parser:
    """The parser of the command that `word` names, or of all commands if it names none."""
    command_parser = _Parser(prog=PROGRAM)
    commands = command_parser.add_subparsers(required=True, metavar="COMMAND", dest="program")
    modules = BENCH | LAB
    for name in (word,) if word in modules else modules:
        if name in BENCH or has_lab():  # imports the module of a given command only
            importlib.import_module(f"hil.{modules[name]}").add(commands)
        else:
            commands.add_parser(name, help="of the package firebreak-lab").set_defaults(run=_absent)
    return command_parser


def has_lab() -> bool:
    """True if campaigns and systems are installed."""
    return importlib.util.find_spec("hil.campaigns") is not None


def _absent(arguments: argparse.Namespace) -> int:
    raise InputError("a command of the lab: install firebreak-lab")


def _check_apart(arguments: argparse.Namespace) -> None:
    """Refuse an output that would overwrite the load or another output."""
    option_of_path: dict[str, str] = {}
    for option in OUTPUTS:
        path = getattr(arguments, option, None)
        earlier = option_of_path.setdefault(os.path.realpath(path), option) if path else option
        if earlier != option:
            raise InputError(
                f"--{option} {path}: --{earlier} names the same file; give each option its own file"
            )


if __name__ == "__main__":
    sys.exit(main())
