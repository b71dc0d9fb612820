"""`python -m hil COMMAND`: the rig and its campaigns."""

import argparse
import os
import signal
import sys

from controller.config.refusal import ConfigError
from controller.journal.ring import JournalError
from hil.campaigns import golden
from hil.campaigns.ask import command as ask
from hil.campaigns.benchmarks import command as benchmarks
from hil.campaigns.channel_b import command as channel_b
from hil.campaigns.chaos import command as chaos
from hil.campaigns.hint_attack import command as hint_attack
from hil.campaigns.meter_sign import command as meter_sign
from hil.campaigns.nuisance import command as nuisance
from hil.campaigns.outage import command as outage
from hil.campaigns.rows import command as rows
from hil.campaigns.runaway import command as runaway
from hil.campaigns.smooth import command as smooth
from hil.campaigns.vm import command as vm
from hil.campaigns.windows import command as windows
from hil.engine import coverage, pod_command, rig_command
from hil.engine.coverage import NotSimulatedError
from hil.engine.rig import RigError
from hil.loads.trace import LoadError
from hil.results import run_result
from hil.scenarios.scenario import ScenarioError
from hil.systems import command as systems
from hil.values import long_command, speeds

PROGRAM = "python -m hil"
WRONG_INPUT, NO_START = 2, 3
WRONG = (ScenarioError, LoadError, ConfigError, NotSimulatedError, rig_command.InputError)
COMMANDS = (
    *(rig_command, coverage, pod_command, hint_attack, golden, chaos, rows, runaway),
    *(nuisance, outage, smooth, meter_sign, benchmarks, channel_b, vm),
    *(long_command, speeds, systems, ask, windows),
)
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
        return _report(name, error, WRONG_INPUT)
    except (RigError, JournalError, OSError) as error:
        return _report(name, error, NO_START)
    except KeyboardInterrupt:
        return _report(name, "interrupted, no result", run_result.INTERRUPTED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(name: str, line: object, exit_code: int) -> int:
    """Print one line on stderr, which begins with the name of the command."""
    print(f"{name}: {line}", file=sys.stderr)
    return exit_code


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as all commands do."""

    def error(self, message: str) -> None:
        """Print the line and exit with the code of wrong input."""
        name = (self.prog.removeprefix(PROGRAM).split() or PROGRAM.split()[-1:])[0]
        self.exit(WRONG_INPUT, f"{name}: {message}\n")


def parser() -> _Parser:
    """The parser of all commands."""
    made = _Parser(prog=PROGRAM)
    commands = made.add_subparsers(required=True, metavar="COMMAND", dest="program")
    for module in COMMANDS:
        module.add(commands)
    return made


def _check_apart(arguments: argparse.Namespace) -> None:
    """Refuse an output that would overwrite the load or another output."""
    seen = {}
    for option in OUTPUTS:
        path = getattr(arguments, option, None)
        other = seen.setdefault(os.path.realpath(path), option) if path else option
        if other != option:
            raise rig_command.InputError(
                f"--{option} {path}: --{other} names the same file; give each option its own file"
            )


if __name__ == "__main__":
    sys.exit(main())
