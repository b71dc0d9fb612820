"""The `firebreak` command: imports only the module of the given command.

Exit codes: 0 done, 1 not done, 2 wrong input, 3 could not start, 130 interrupted.
"""

import argparse
import contextlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO, cast

from controller.system import cli, identity
from controller.system.cli import Ended
from controller.system.paths import INTERRUPTED, NO_START, NOT_DONE, WRONG_INPUT, OutputError, say

# command: text of `firebreak --help`
COMMANDS = {
    "run": "run the controller of one cabinet",
    "check": "check a configuration and print what it means",
    "replay": "run a journal through the core again and compare every byte",
    "reset": "reset the latched rows (remote, or with --key on site)",
    "prepare": "write the first store of a new cabinet, in standby until `start`; without a store "
    "the start also needs the key",
    "backup": "configuration, keys, users and latches of this cabinet as one file",
    "restore": "put back what a box of this cabinet lacks; replaces nothing, removes no latch",
    "provision": "configuration and keys of each cabinet of a list, from one type or site file",
    "migrate": "the files of an earlier version, and the steps before this version starts with "
    "them",
    "install": "as root: a release from a signed bundle, without a network",
    "rollback": "as root: the release before, with its units; configuration and state stay",
    "status": "state, interlocks, power, hints, racks, links: one page",
    "why": "why the power is what it is: the chain from request to wire",
    "alarms": "what tripped first, what followed, what to check, what a reset needs",
    "events": "what happened, newest first",
    "trend": "the last minutes of power, charge, cells, temperature",
    "racks": "the values that each rack's BMS reports",
    "map": "the plan of the site with heat, alarms, door and gas; the way of a fire to neighbours",
    "devices": "PV, generator, load shedding, chiller, fan, heater: signals and requests of each",
    "plan": "what the planner intends and has saved; with --once a plan of a site file's feeds",
    "links": "state of each device, counters of each bus",
    "probe": "read only: who answers on a bus, which profile fits it, and why",
    "sniff": "listen on a bus, decode it live, save it; sends nothing",
    "start": "start a cabinet in standby: it closes and runs",
    "stop": "ramp to zero, open the contactors, stay in standby until `start`",
    "lock-out": "stop the cabinet and forbid every start until you end the lock-out",
    "approve": "show the changes since the last approval of the limits; approve them",
    "lamp-test": "flash both lamps for five seconds",
    "test-mode": "run for a minute with 5 %% of rated power, rows armed; asks twice",
    "replace": "replace a meter, converter, BMS or I/O module, step by step, in a lock-out",
    "sign-test": "in TEST mode: charge and discharge a little, compare converter, racks, meters",
    "step-test": "in TEST mode: delay, ramp, gain and overshoot of a converter",
    "proof-test": "the proof-test ledger: record a test, list what is due, verify",
    "hint": "send a hint as a source does: one power and its validity",
    "ask": "may a job that raises the load run, and with which margin; else what is missing",
    "sources": "the sources of hints, their counters, the hints in force",
    "profile": "list the device profiles, check one, write a new one to fill in",
    "decode": "a saved capture of a device, by its profile, as named values",
    "key": "keys of the sources of hints",
    "upstream": "take hints as JSON lines or msgpack and hand them to the controller",
    "doors": "open the doors of one kind (mqtt, modbus, http, local, alarms), or check a file",
    "record": "store events, history and captures of a running controller",
    "planner": "plan the battery's day by prices, load and sun, and send it as a schedule",
    "verify": "check the hash chain of the recorded events",
    "export": "write events, seconds (CSV) or captures (journals) to a directory",
    "console": "pages and actions on a terminal of 80 x 24, or a serial line",
    "console-user": "the users who may log in at the console",
    "can-up": "set up a CAN interface as configured (for the service)",
    "completion": "the script by which bash or zsh completes these commands",
    "matrix": "the cause-and-effect matrix: every row, or those of a site as armed",
    "checklist": "the commissioning checklist of a site: a test for each armed row",
    "commissioning": "one report to sign: hashes, tests with results, rows not armed, open points",
    "responder": "one page for the fire service: lamps, live parts, phone numbers",
    "wiring": "terminals of the I/O modules, the hard-wired chain, the devices of each bus",
    "reasons": "the reason handbook: every code, its meaning, its remedy",
    "evidence": "hazard log with rows, tests and figures; faults of each wire; bill of materials",
    "document": "pages made of the program's own tables: hazards, faults, times, equipment, siting",
    "siting": "audit a site's plan: spacing, energies, heights, exposures",
    "audit": "judge a record or a load by grid operators' rules: met, worst moment, largest site",
}
# module in controller/: its commands; every other command has a module of its name in console/
MODULES = {
    "run.command": ("run",),
    "audit.command": ("audit",),
    "console.backup": ("backup", "restore"),
    "console.doors": ("doors", "upstream"),
    "console.operator": ("start", "stop", "lock-out", "lamp-test", "test-mode"),
    "console.record": ("record", "verify"),
    "console.show": (
        "status",
        "why",
        "alarms",
        "events",
        "trend",
        "racks",
        "map",
        "devices",
        "links",
    ),
    "console.step_test": ("sign-test", "step-test"),
    "console.terminal.console": ("console", "console-user"),
    "documents.check": ("check",),
    "documents.command": (
        *("matrix", "checklist", "commissioning", "responder", "wiring", "reasons"),
        *("evidence", "document"),
    ),
    "siting.command": ("siting",),
    "systemd.rollback": ("rollback",),
    "systemd.signed_bundle": ("install",),
}
RELEASE = ("controller.system.release", "safety.parameters")
COMPLETION = "completion"  # the only command that needs the parsers of all
CONSOLE = "console"  # opens the terminal as its user, then changes to the service's user
SERVICES = ("run", "record", "upstream", "doors", "planner", CONSOLE)  # these print nothing


class _Output:
    """A standard output that raises OutputError if a write fails. If the real one is closed, this
    one discards the text, because a service has nothing to print.
    """

    def __init__(self, given: TextIO | None) -> None:
        """given: sys.stdout, None if it is closed."""
        self.is_closed = given is None
        self._to = open(os.devnull, "w", encoding="ascii") if given is None else given

    def write(self, text: str) -> int:
        """Same as a file's."""
        return self._tried(self._to.write, text)

    def flush(self) -> None:
        """Same as a file's."""
        self._tried(self._to.flush)

    def _tried(self, do: Callable[..., Any], *given: str) -> Any:
        try:
            return do(*given)
        except OSError as error:
            raise OutputError(f"the output cannot be written: {error.strerror}") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._to, name)


def main(argv: list[str] | None = None) -> int:
    """Run a subcommand; argv without the program's name. Returns the exit code."""
    given, output = sys.stdout, _Output(sys.stdout)
    sys.stdout = cast(TextIO, output)
    try:
        return _obey(_joined(sys.argv[1:] if argv is None else argv), output)
    except OutputError as error:
        with contextlib.suppress(OSError):  # the exit would flush the rest and fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error.__cause__, BrokenPipeError):  # check FILE | head
            return NOT_DONE
        say(error)
        return NO_START
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    finally:
        sys.stdout = given


def _obey(argv: list[str], output: _Output) -> int:
    """The exit code of a command, after its output is written. Raises OutputError."""
    try:
        arguments = _parser(argv).parse_args(argv)
        if output.is_closed and arguments.command not in SERVICES:
            raise OutputError("the output cannot be written: it is closed")
        if arguments.command != CONSOLE:
            identity.settle(arguments)
        code = arguments.run(arguments)
    except Ended as end:
        say(end)
        code = end.code
    except SystemExit:  # argparse, after its help
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _joined(argv: list[str]) -> list[str]:
    """argv with each negative number joined to its option, because argparse takes the -20kW of
    `--power -20kW` for an option.
    """
    found: list[str] = []
    for each in argv:
        if found and re.match(r"-[\d.]", each) and re.fullmatch(r"--[a-z-]+", found[-1]):
            found[-1] += "=" + each
        else:
            found.append(each)
    return found


class _Parser(argparse.ArgumentParser):
    """A parser that refuses wrong input in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with the code of wrong input."""
        self.exit(WRONG_INPUT, f"firebreak: {cli.with_nearest(message)}\n")


class _Version(argparse.Action):
    """Print version, digest and limit schema in one line, and end."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        release, parameters = map(importlib.import_module, RELEASE)  # no command needs them
        print(release.line(parameters.IMAGE_SCHEMA))
        parser.exit()


def _module(name: str) -> str:
    """The module of a command; it registers the command when it is imported."""
    own = [module for module, names in MODULES.items() if name in names]
    return "controller." + (own[0] if own else f"console.{name.replace('-', '_')}")


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module.rpartition(".")[0]) is not None


def _parser(argv: list[str]) -> _Parser:
    """The parser of the first word of argv; if that is no command, a parser of all names."""
    parser = _Parser(prog="firebreak", description="Edge controller of a lithium storage cabinet.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    name = argv[0] if argv else ""
    if name == COMPLETION:
        for each, text in COMMANDS.items():
            if _is_installed(_module(each)):
                importlib.import_module(_module(each))
                cli.add(commands, each, help=text)
        parser.set_defaults(every=parser)
    elif name in COMMANDS:
        module = _module(name)
        if not _is_installed(module):
            raise Ended(NO_START, f"{name}: not on a box: install the package firebreak-office")
        importlib.import_module(module)
        cli.add(commands, name)
    else:
        parser.add_argument("--version", action=_Version, nargs=0)
        for each, text in COMMANDS.items():
            commands.add_parser(each, help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
