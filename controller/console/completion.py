"""`firebreak completion bash|zsh`: a shell's script, made from the parsers of all commands."""

import argparse

import shtab

from controller.system import cli
from controller.system.paths import DONE

PLACES = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}  # by the metavar of an argument


@cli.command("completion", cli.option("shell", choices=("bash", "zsh")))
def _run(arguments: argparse.Namespace) -> int:
    _complete_paths(arguments.every)
    print(shtab.complete(arguments.every, arguments.shell))
    return DONE


def _complete_paths(parser: argparse.ArgumentParser) -> None:
    """Let each argument that is a path be completed as one, also those of the subcommands."""
    for action in parser._actions:
        place = action.metavar or action.dest.upper().rpartition("_")[-1]
        if place in PLACES:
            action.complete = PLACES[place]  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _complete_paths(each)
        elif isinstance(action.choices, dict):  # shtab takes a dict for subcommands
            action.choices = tuple(action.choices)
