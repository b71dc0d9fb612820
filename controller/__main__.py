"""The `firebreak` command: imports the module of the command that is given, and nothing else.

Exit codes: 0 done, 1 not done, 2 wrong input, 3 could not start.
"""

import argparse
import contextlib
import importlib
import os
import re
import sys

from controller.system import identity
from controller.system.cli import Ended
from controller.system.paths import NO_START, NOT_DONE, WRONG_INPUT, OutputError, say

# Name of a command: the module whose add(commands) makes its parser, what `firebreak --help` says.
COMMANDS: dict = {
    "run": ("controller.run.command", "run the controller of one cabinet"),
    "check": ("controller.documents.check", "check a configuration and print what it means"),
    "replay": (
        "controller.console.replay",
        "run a journal through the core again and compare every byte",
    ),
    "reset": ("controller.console.reset", "reset the latched rows (remote, or with --key on site)"),
    "prepare": (
        "controller.console.prepare",
        "write the first store of a new cabinet, which rests until `start`; without one it needs "
        "the key as well",
    ),
    "migrate": (
        "controller.console.migrate",
        "what an earlier version has left, and what is to do before this one starts with it",
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
    "racks": ("controller.console.show", "the racks as their BMS tell"),
    "links": ("controller.console.show", "which devices are heard, what the buses have counted"),
    "start": ("controller.console.operator", "let a cabinet that rests close and run again"),
    "stop": (
        "controller.console.operator",
        "ramp to zero, open, and rest until somebody starts it",
    ),
    "lock-out": (
        "controller.console.operator",
        "stop the cabinet and let nothing start it until you end that",
    ),
    "approve": (
        "controller.console.approve",
        "show what has changed since a person approved the configuration; approve it",
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
    "hint": (
        "controller.console.hint",
        "send a hint as a source would: one power, and how long it holds",
    ),
    "sources": (
        "controller.console.sources",
        "who sends hints, what became of them, what is in force",
    ),
    "key": ("controller.console.key", "keys of the sources of hints"),
    "upstream": (
        "controller.console.upstream",
        "take hints as JSON lines or msgpack and hand them to the controller",
    ),
    "record": (
        "controller.console.record",
        "keep events, history and captures of a running controller",
    ),
    "verify": ("controller.console.record", "check the hash chain of the recorded events"),
    "export": (
        "controller.console.export",
        "write events, seconds (CSV) or captures (journals) to a directory",
    ),
    "console": (
        "controller.console.console",
        "pages and actions on a terminal of 80 x 24, or a serial line",
    ),
    "console-user": ("controller.console.console", "who may log in at the console"),
    "can-up": (
        "controller.console.can_up",
        "set a CAN interface up as the configuration says (for the service)",
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
        "one page for the fire service: lamps, what stays live, whom to call",
    ),
    "reasons": (
        "controller.documents.reason_book",
        "the reason handbook: every code, what it says, what to do",
    ),
    "evidence": (
        "controller.console.evidence",
        "hazard log with rows, tests and figures; faults of each wire; bill of materials",
    ),
    "siting": (
        "controller.siting.command",
        "audit a site's plan: spacing, energies, heights, exposures",
    ),
}
CONSOLE = "console"  # opens the person's terminal first
SERVICES = ("run", "record", "upstream", CONSOLE)  # they have nothing to print


def main(argv: list | None = None) -> int:
    """Run a subcommand; argv without the program's name. Returns the exit code."""
    given, sys.stdout = sys.stdout, _Output(sys.stdout)
    try:
        return _obey(_joined(sys.argv[1:] if argv is None else argv))
    except OutputError as error:
        with contextlib.suppress(OSError):  # what is still buffered goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error.__cause__, BrokenPipeError):  # check FILE | head
            return NOT_DONE
        say(error)
        return NO_START
    finally:
        sys.stdout = given


def _obey(argv):
    """The exit code of a command, after all its output is written. Raises OutputError."""
    try:
        arguments = _parser(argv).parse_args(argv)
        if sys.stdout.is_closed and arguments.command not in SERVICES:
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


class _Output:
    """A standard output that raises OutputError when a write fails; a closed one discards all, for
    the services.
    """

    def __init__(self, given):
        """given: sys.stdout, None where it was closed."""
        self.is_closed = given is None
        self._to = open(os.devnull, "w", encoding="ascii") if self.is_closed else given

    def write(self, text):
        """As of a file."""
        return self._tried(self._to.write, text)

    def flush(self):
        """As of a file."""
        self._tried(self._to.flush)

    def _tried(self, do, *given):
        try:
            return do(*given)
        except OSError as error:
            raise OutputError(f"the output cannot be written: {error.strerror}") from error

    def __getattr__(self, name):
        return getattr(self._to, name)


def _joined(argv):
    """argv with each negative number joined to its option: argparse takes the -20kW of `--power
    -20kW` for an option.
    """
    found = []
    for each in argv:
        if found and re.match(r"-[\d.]", each) and re.fullmatch(r"--[a-z-]+", found[-1]):
            found[-1] += "=" + each
        else:
            found.append(each)
    return found


class _Parser(argparse.ArgumentParser):
    """Complains in one line, like everything else here."""

    def error(self, message):
        """Print the line and leave with the code of wrong input."""
        self.exit(WRONG_INPUT, f"firebreak: {message}\n")


def _parser(argv):
    """The parser of the command that argv begins with; without one, of the names of all of them."""
    parser = _Parser(prog="firebreak", description="Edge controller of a lithium storage cabinet.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    module, _ = COMMANDS.get(argv[0] if argv else None, (None, None))
    if module:
        importlib.import_module(module).add(commands)
    else:
        metadata = importlib.import_module("importlib.metadata")  # 20 ms that no command needs
        parser.add_argument("--version", action="version", version=metadata.version("firebreak"))
        for name, (_, text) in COMMANDS.items():
            commands.add_parser(name, help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
