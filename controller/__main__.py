"""The `firebreak` command: imports only the module of the given command.

Exit codes: 0 done, 1 not done, 2 wrong input, 3 could not start.
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
from controller.system.paths import NO_START, NOT_DONE, WRONG_INPUT, OutputError, say

# command: (module whose add(commands) makes its parser, text of `firebreak --help`)
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("controller.run.command", "run the controller of one cabinet"),
    "check": ("controller.documents.check", "check a configuration and print what it means"),
    "replay": (
        "controller.console.replay",
        "run a journal through the core again and compare every byte",
    ),
    "reset": ("controller.console.reset", "reset the latched rows (remote, or with --key on site)"),
    "prepare": (
        "controller.console.prepare",
        "write the first store of a new cabinet, in standby until `start`; without a store the "
        "start also needs the key",
    ),
    "migrate": (
        "controller.console.migrate",
        "the files of an earlier version, and the steps before this version starts with them",
    ),
    "status": (
        "controller.console.show",
        "state, interlocks, power, hints, racks, links: one page",
    ),
    "why": (
        "controller.console.show",
        "why the power is what it is: the chain from request to wire",
    ),
    "alarms": (
        "controller.console.show",
        "what tripped first, what followed, what to check, what a reset needs",
    ),
    "events": ("controller.console.show", "what happened, newest first"),
    "trend": ("controller.console.show", "the last minutes of power, charge, cells, temperature"),
    "racks": ("controller.console.show", "the values that each rack's BMS reports"),
    "devices": (
        "controller.console.show",
        "PV, generator, load shedding, chiller, fan, heater: signals and requests of each",
    ),
    "links": ("controller.console.show", "state of each device, counters of each bus"),
    "start": ("controller.console.operator", "start a cabinet in standby: it closes and runs"),
    "stop": (
        "controller.console.operator",
        "ramp to zero, open the contactors, stay in standby until `start`",
    ),
    "lock-out": (
        "controller.console.operator",
        "stop the cabinet and forbid every start until you end the lock-out",
    ),
    "approve": (
        "controller.console.approve",
        "show the changes since the last approval of the limits; approve them",
    ),
    "lamp-test": ("controller.console.operator", "flash both lamps for five seconds"),
    "test-mode": (
        "controller.console.operator",
        "run for a minute with 5 %% of rated power, rows armed; asks twice",
    ),
    "proof-test": (
        "controller.console.proof_test",
        "the proof-test ledger: record a test, list what is due, verify",
    ),
    "hint": ("controller.console.hint", "send a hint as a source does: one power and its validity"),
    "ask": (
        "controller.console.ask",
        "may a job that raises the load run, and with which margin; else what is missing",
    ),
    "sources": (
        "controller.console.sources",
        "the sources of hints, their counters, the hints in force",
    ),
    "key": ("controller.console.key", "keys of the sources of hints"),
    "upstream": (
        "controller.console.upstream",
        "take hints as JSON lines or msgpack and hand them to the controller",
    ),
    "record": (
        "controller.console.record",
        "store events, history and captures of a running controller",
    ),
    "verify": ("controller.console.record", "check the hash chain of the recorded events"),
    "export": (
        "controller.console.export",
        "write events, seconds (CSV) or captures (journals) to a directory",
    ),
    "console": (
        "controller.console.terminal.console",
        "pages and actions on a terminal of 80 x 24, or a serial line",
    ),
    "console-user": (
        "controller.console.terminal.console",
        "the users who may log in at the console",
    ),
    "can-up": (
        "controller.console.can_up",
        "set up a CAN interface as configured (for the service)",
    ),
    "completion": (
        "controller.console.completion",
        "the script by which bash or zsh completes these commands",
    ),
    "matrix": (
        "controller.documents.matrix_page",
        "the cause-and-effect matrix: every row, or those of a site as armed",
    ),
    "checklist": (
        "controller.documents.matrix_page",
        "the commissioning checklist of a site: a test for each armed row",
    ),
    "responder": (
        "controller.documents.responder",
        "one page for the fire service: lamps, live parts, phone numbers",
    ),
    "reasons": (
        "controller.documents.reason_book",
        "the reason handbook: every code, its meaning, its remedy",
    ),
    "evidence": (
        "controller.console.evidence",
        "hazard log with rows, tests and figures; faults of each wire; bill of materials",
    ),
    "document": (
        "controller.console.document",
        "pages made of the program's own tables: hazards, faults, times, equipment, siting",
    ),
    "siting": (
        "controller.siting.command",
        "audit a site's plan: spacing, energies, heights, exposures",
    ),
}
COMPLETION = "completion"  # the only command that needs the parsers of all
OFFICE = "controller.siting"  # a package of its own, which a box does not have
CONSOLE = "console"  # opens the terminal as its user, then changes to the service's user
SERVICES = ("run", "record", "upstream", CONSOLE)  # these print nothing


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


class _Helped:
    """Subparsers of which each has its text of COMMANDS."""

    def __init__(self, commands: cli.Commands) -> None:
        self._commands = commands

    def add_parser(self, name: str, **settings: Any) -> argparse.ArgumentParser:
        """The parser of a new command."""
        return self._commands.add_parser(name, help=COMMANDS[name][1], **settings)


def _parser(argv: list[str]) -> _Parser:
    """The parser of the first word of argv; if that is no command, a parser of all names."""
    parser = _Parser(prog="firebreak", description="Edge controller of a lithium storage cabinet.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    module, _ = COMMANDS.get(argv[0] if argv else "", ("", ""))
    if module.startswith(OFFICE) and importlib.util.find_spec(OFFICE) is None:
        raise Ended(NO_START, f"{argv[0]}: not on a box: install the package firebreak-office")
    if argv[:1] == [COMPLETION]:
        for each in dict.fromkeys([module for module, _ in COMMANDS.values()]):
            if importlib.util.find_spec(each.rpartition(".")[0]) is not None:
                importlib.import_module(each).add(_Helped(commands))
        parser.set_defaults(every=parser)
    elif module:
        importlib.import_module(module).add(commands)
    else:
        metadata = importlib.import_module("importlib.metadata")  # 20 ms that no command needs
        parser.add_argument("--version", action="version", version=metadata.version("firebreak"))
        for name, (_, text) in COMMANDS.items():
            commands.add_parser(name, help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
