"""Options that several commands of the lab have, and how a command is added."""

from collections.abc import Callable
from typing import Any

from hil.engine.arguments import CABINET as CABINET, folder, output_file, whole

Options = dict[str, dict[str, Any]]  # {option: keywords of argparse's add_argument}


class WrongOptionError(ValueError):
    """An option is wrong. The message is one line."""


def command(name: str, summary: str, run: Any, options: Options) -> Callable[[Any], Any]:
    """A function that adds a command to argparse's subparsers. run(arguments): the exit code."""
    return lambda commands: add(commands, name, summary, run, options)


def add(commands: Any, name: str, summary: str, run: Any, options: Options) -> Any:
    """Add a command to argparse's subparsers. Returns its parser."""
    parser = commands.add_parser(name, help=summary)
    for option, keywords in options.items():
        parser.add_argument(option, **keywords)
    program = parser.prog.removeprefix("python -m hil ")  # the name in messages: "trials ask"
    parser.set_defaults(run=run, program=program)
    return parser


def part(parser: Any, name: str) -> Any:
    """The subparsers of a command that has a subcommand `name` beside its own options."""
    return parser.add_subparsers(metavar=f"[{name}]", dest="part")


def value(kind: Any, metavar: str, help_text: str, default: Any = None) -> dict[str, Any]:
    """An option with a value. kind: of hil.engine.arguments, or str."""
    return {"type": kind, "metavar": metavar, "help": help_text, "default": default}


def flag(help_text: str) -> dict[str, Any]:
    """An option without a value."""
    return {"action": "store_true", "help": help_text}


JSON: Options = {"--json": value(output_file(), "FILE", "write all figures to FILE")}
# the seed of everything that a command draws
SEED: Options = {"--seed": value(whole(0, 2**31 - 1), "NUMBER", "(%(default)s)", 1)}
LOADS: Options = {
    "--loads": value(folder, "FOLDER", "of measured loads; synthetic ones alone without it")
}
# The result keeps this note, because a benchmark cannot see what else the machine does.
BESIDE: Options = {"--beside": value(str, "TEXT", "note: other work on this machine", "")}
# How the cases of a command are played (cases.Runner).
KEPT: Options = {
    "--resume": value(output_file(), "FILE", "keep results in FILE as they come; go on with it"),
    "--dask": value(str, "ADDRESS", "play on the workers of the dask scheduler there"),
}
CASES = KEPT | {"--processes": value(whole(1, 256), "NUMBER", "at once (one per core)")}
