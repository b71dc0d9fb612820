"""Options that several commands of the lab have, and how a command is added."""

from typing import Any

from hil.engine.arguments import CABINET as CABINET, folder, output_file, whole

JSON: dict[str, dict[str, Any]] = {
    "--json": {"metavar": "FILE", "type": output_file(), "help": "write all figures to FILE"}
}
# the seed of everything that a command draws
SEED: dict[str, dict[str, Any]] = {
    "--seed": {
        "metavar": "NUMBER",
        "type": whole(0, 2**31 - 1),
        "default": 1,
        "help": "(%(default)s)",
    }
}
LOADS: dict[str, dict[str, Any]] = {
    "--loads": {
        "type": folder,
        "metavar": "FOLDER",
        "help": "of measured loads; synthetic ones alone without it",
    }
}
# A note for the result; the benchmark cannot find this out by itself.
BESIDE: dict[str, dict[str, Any]] = {
    "--beside": {"default": "", "metavar": "TEXT", "help": "note: other work on this machine"}
}
# How the cases of a command are played (cases.Runner).
KEPT: dict[str, dict[str, Any]] = {
    "--resume": {
        "metavar": "FILE",
        "type": output_file(),
        "help": "keep each result in FILE as it comes, and go on where FILE ends",
    },
    "--dask": {
        "metavar": "ADDRESS",
        "help": "play on the workers of this dask scheduler, such as tcp://10.0.0.5:8786",
    },
}
CASES: dict[str, dict[str, Any]] = KEPT | {
    "--processes": {"type": whole(1, 256), "metavar": "NUMBER", "help": "at once (one per core)"}
}


class WrongOptionError(ValueError):
    """A wrong option; one line."""


def add(commands: Any, name: str, words: str, run: Any, options: dict[str, dict[str, Any]]) -> None:
    """Add a command to argparse's subparsers.

    run(arguments): returns the exit code; options: {option: keywords of add_argument}.
    """
    parser = commands.add_parser(name, help=words)
    for option, keywords in options.items():
        parser.add_argument(option, **keywords)
    parser.set_defaults(run=run)
