"""`firebreak completion bash|zsh|man`: prints the completion script of a shell, or the manual page.
Both are made from the parsers of all commands.
"""

import argparse
from collections.abc import Iterator

import shtab

from controller.system import cli, release
from controller.system.paths import DONE

PATH_KINDS = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}  # {metavar: completion of its argument}


@cli.command("completion", cli.option("form", choices=("bash", "zsh", "man")))
def _run(arguments: argparse.Namespace) -> int:
    if arguments.form == "man":
        print("\n".join(_page(arguments.every)))
        return DONE
    _complete_paths(arguments.every)
    print(shtab.complete(arguments.every, arguments.form))
    return DONE


def _page(parser: argparse.ArgumentParser) -> Iterator[str]:
    """firebreak(1) in roff: each command with its options, as `--help` prints them."""
    yield f'.TH FIREBREAK 1 "" "Firebreak {release.version()}" "Commands"'
    yield from (".SH NAME", f"firebreak \\- {parser.description}", ".SH COMMANDS")
    for name, command, help_text in _commands(parser, ""):
        yield from (f".SS firebreak {name}", _plain(help_text), ".PP", ".nf")
        yield from map(_plain, command.format_help().splitlines())
        yield ".fi"
    yield from (".SH EXIT STATUS", "0 done, 1 not done, 2 wrong input, 3 could not start.")


def _commands(
    parser: argparse.ArgumentParser, above: str
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """(name, parser, help) of each command, and of each action of a command with actions."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            help_texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, command in action.choices.items():
                yield above + name, command, help_texts.get(name, "").replace("%%", "%")
                yield from _commands(command, f"{above}{name} ")


def _plain(line: str) -> str:
    """The line with escapes, because roff must print it as text and not read it as a command."""
    return "\\&" + line.replace("\\", "\\e").replace("-", "\\-")


def _complete_paths(parser: argparse.ArgumentParser) -> None:
    """Mark each argument that is a path, also in subcommands. The shell then completes its path."""
    for action in parser._actions:
        metavar = action.metavar or action.dest.upper().rpartition("_")[-1]
        if metavar in PATH_KINDS:
            action.complete = PATH_KINDS[metavar]  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_paths(command)
        elif isinstance(action.choices, dict):  # shtab would take its keys for subcommands
            action.choices = tuple(action.choices)
