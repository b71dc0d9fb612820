"""Runs the `firebreak` command. It imports only the module of the given command.

Exit codes: 0 done, 1 not done, 2 wrong input, 3 could not start, 130 interrupted.
"""

import argparse
import importlib.util
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from controller.system import cli, identity
from controller.system.cli import Ended
from controller.system.commands import ACTIONS, COMMANDS, GROUPS, MODULES, RENAMED, USUAL_ACTION
from controller.system.output import guarded
from controller.system.paths import INTERRUPTED, NO_START, WRONG_INPUT, OutputError, WrongInput, say

DESCRIPTION = "Edge controller of a lithium storage cabinet."
COMPLETION = "completion"  # the only command that needs the parsers of all commands
CONSOLE = "console"  # opens the terminal as the calling user, then changes to the service's user
WATCH = "controller.watch.__main__"  # runs without the libraries that a box has
SERVICES = ("run", "record run", "doors", "planner", CONSOLE)  # these print nothing


def main(argv: list[str] | None = None) -> int:
    """Run a subcommand; argv without the program's name. Returns the exit code."""
    arguments = _with_action(_joined(sys.argv[1:] if argv is None else argv))
    is_closed = sys.stdout is None
    try:
        return guarded("firebreak", lambda: _run(arguments, is_closed))
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED


def _run(argv: list[str], is_closed: bool) -> int:
    """Run a command. Returns its exit code. is_closed: the standard output is closed."""
    try:
        if argv[:1] == ["watch"]:
            return int(importlib.import_module(WATCH).main(argv[1:], "firebreak watch"))
        arguments = _parser(argv).parse_args(argv)
        if is_closed and arguments.command not in SERVICES:
            raise OutputError("the output cannot be written: it is closed")
        if arguments.command != CONSOLE:
            identity.settle(arguments)
        return int(arguments.run(arguments))
    except Ended as end:
        say(end)
        return end.code
    except WrongInput as refused:
        say(refused)
        return WRONG_INPUT


def _joined(argv: list[str]) -> list[str]:
    """argv with each negative number joined to its option.

    argparse would take the -20kW of `--power -20kW` for an option.
    """
    joined: list[str] = []
    for argument in argv:
        if joined and re.match(r"-[\d.]", argument) and re.fullmatch(r"--[a-z-]+", joined[-1]):
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


def _with_action(argv: list[str]) -> list[str]:
    """argv with the usual action of a command, if it has one and argv names none."""
    usual = USUAL_ACTION.get(argv[0]) if argv else None
    if usual is None or {*argv[1:2]} & {*ACTIONS[argv[0]], "-h", "--help"}:
        return argv
    return [argv[0], usual, *argv[1:]]


class _Parser(argparse.ArgumentParser):
    """A parser that refuses wrong input in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with the code of wrong input."""
        self.exit(WRONG_INPUT, f"firebreak: {cli.with_nearest(message)}\n")


class _Version(argparse.Action):
    """Print version, digest and limit schema in one line, and end."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        release = importlib.import_module("controller.system.release")  # no command needs it
        parameters = importlib.import_module("safety.parameters")
        print(release.line(parameters.IMAGE_SCHEMA))
        parser.exit()


def _module(name: str) -> str:
    """Name of the module of a command. The module registers the command when it is imported."""
    own = [module for module, names in MODULES.items() if name in names]
    return "controller." + (own[0] if own else f"console.{name.split()[-1].replace('-', '_')}")


def _parser(argv: list[str]) -> _Parser:
    """The parser of the command in argv, or a parser of all names if there is none."""
    parser = _Parser(prog="firebreak", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    name = argv[0] if argv else ""
    if name in RENAMED:
        raise Ended(WRONG_INPUT, f"{name}: is now `firebreak {RENAMED[name]}`")
    if name == COMPLETION:
        for command, summary in COMMANDS.items():
            if command == "watch":
                commands.add_parser(command, help=summary)
            else:
                _add(commands, command, [], is_whole=True, help=summary)
        parser.set_defaults(every=parser)
    elif name in COMMANDS:
        _add(commands, name, argv[1:])
    else:
        parser.format_help = _help  # type: ignore[method-assign]
        parser.add_argument("--version", action=_Version, nargs=0)
        for command, summary in COMMANDS.items():
            commands.add_parser(command, help=summary)
    return parser


def _add(
    commands: Any, name: str, argv: Sequence[str], is_whole: bool = False, **settings: object
) -> None:
    """Add a command with the action in argv only, or with all actions if argv has none.

    is_whole: also add the options of all actions.
    """
    if name not in ACTIONS:
        _add_known(commands, name, is_whole, **settings)
        return
    actions = commands.add_parser(name, **settings).add_subparsers(
        required=True, metavar="ACTION", dest="action"
    )
    chosen = [action for action in argv[:1] if action in ACTIONS[name]]
    for action in chosen or ACTIONS[name]:
        summary = ACTIONS[name][action].replace("%", "%%")
        if chosen or is_whole:
            _add_known(actions, f"{name} {action}", is_whole, help=summary)
        else:
            actions.add_parser(action, help=summary)


def _add_known(commands: Any, name: str, is_whole: bool, **settings: object) -> None:
    module = _module(name)
    if importlib.util.find_spec(module.rpartition(".")[0]):
        importlib.import_module(module)
        cli.add(commands, name, **settings)
    elif not is_whole:
        raise Ended(NO_START, f"{name}: install the package firebreak-office")


def _help() -> str:
    """`firebreak --help`: the commands in groups of tasks, on one screen."""
    lines = [f"usage: firebreak COMMAND ...     {DESCRIPTION}"]
    for group, commands in GROUPS.items():
        lines += [f"{group}:", *[f"  {name:<11} {summary}" for name, summary in commands.items()]]
    lines.append("firebreak COMMAND --help has its options; firebreak --version names the release")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
