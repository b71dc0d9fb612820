"""`firebreak completion`: bash completes commands, options, names and paths; a mistyped word names
the nearest.
"""

import argparse
import re
import subprocess
import sys

import pytest
from command_line import run

from controller import __main__ as controller
from controller.__main__ import COMMANDS
from tests.tables import cases


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    found = subprocess.run(
        [sys.executable, "-m", "controller", "completion", "bash"],
        capture_output=True,
        text=True,
        check=True,
    )
    path = tmp_path_factory.mktemp("completion") / "firebreak"
    path.write_text(found.stdout)
    return path


def completed(script, words, folder):
    """What bash offers for the last of the words."""
    line = (
        f"source {script}; COMP_WORDS=({words!s}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        "_shtab_firebreak; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True)
    return done.stdout.split()


@cases("""words  offered
    "firebreak al"  "alarms"
    "firebreak document eq"  "equipment"
    "firebreak proof-test l"  "list"
    "firebreak matrix --form"  "--format"
    "firebreak matrix --format grid-h"  "grid-html"
    "firebreak check my"  "my.toml"
    "firebreak status --run-dir fol"  "folder"
    "firebreak status --run-dir my"  ""
""")
def test_bash_completes_commands_options_names_and_paths(words, offered, script, tmp_path):
    (tmp_path / "my.toml").touch()
    (tmp_path / "folder").mkdir()
    assert completed(script, words, tmp_path) == offered.split()


@pytest.mark.parametrize("shell, mark", [("bash", "^_shtab_firebreak_"), ("zsh", "^#compdef")])
def test_every_command_is_in_the_script_of_each_shell(capsys, shell, mark):
    code, lines, said = run(capsys, f"completion {shell}")
    text = "\n".join(lines)
    assert (code, said) == (0, []) and re.search(mark, text, re.MULTILINE)
    assert [name for name in COMMANDS if name.replace("-", "_") not in text.replace("-", "_")] == []


def parsers(parser, name=""):
    """(name, its parser) of each command and action."""
    actions = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    for found in actions:
        for word, each in found.choices.items():
            yield from parsers(each, f"{name} {word}".strip())
    if not actions:
        yield name, parser


def test_a_command_that_takes_a_run_directory_takes_a_state_directory():
    options = {
        name: {word for action in each._actions for word in action.option_strings}
        for name, each in parsers(controller._parser(["completion"]))
    }
    assert len(options) > 50
    assert {name for name, each in options.items() if "--run-dir" in each} <= {
        name for name, each in options.items() if "--state-dir" in each
    }
