"""`firebreak completion`: bash completes commands, options, names and paths; a mistyped word names
the nearest.
"""

import re
import subprocess
import sys

import pytest
from command_line import leaves, refused, run

from controller.__main__ import COMMANDS, RENAMED
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
    "firebreak test proof l"  "list"
    "firebreak document matrix --form"  "--format"
    "firebreak document matrix --format grid-h"  "grid-html"
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


NAMES = list(dict(leaves()))


@pytest.mark.parametrize("name", RENAMED)
def test_an_old_name_answers_with_the_new_one(capsys, name):
    new = RENAMED[name]
    refused(capsys, 2, f"^firebreak: {name}: is now `firebreak {re.escape(new)}`$", name)
    for each in re.split("`, `|` or `", new):
        assert [known for known in NAMES if known.startswith(each) or each.startswith(known)]


@cases("""line  named
    "statsu"  "argument COMMAND: invalid choice: 'statsu', nearest 'status' (--help lists 40)"
    "stat"  "argument COMMAND: invalid choice: 'stat', nearest 'status' (--help lists 40)"
    "qqq"  "argument COMMAND: invalid choice: 'qqq' (--help lists 40)"
    "user ad"  "argument what: invalid choice: 'ad', nearest 'add' (choose from add, "
""")
def test_a_mistyped_command_names_the_nearest_and_a_long_list_stays_in_the_help(
    line, named, capsys
):
    refused(capsys, 2, f"^firebreak: {re.escape(named)}", line)


def test_help_is_one_screen(capsys):
    _, lines, _ = run(capsys, "--help")
    assert len(lines) <= 50 and max(map(len, lines)) < 80 and len(COMMANDS) <= 40
    assert {line.split()[0] for line in lines if line.startswith("  ")} == set(COMMANDS)


def test_a_command_that_takes_a_run_directory_takes_a_state_directory():
    options = {
        name: {word for action in each._actions for word in action.option_strings}
        for name, each in leaves()
    }
    assert len(options) > 50
    assert {name for name, each in options.items() if "--run-dir" in each} <= {
        name for name, each in options.items() if "--state-dir" in each
    }


def test_the_manual_page_has_every_command_with_its_options(capsys):
    _, lines, _ = run(capsys, "completion man")
    heads = {line.removeprefix(".SS firebreak ") for line in lines if line.startswith(".SS ")}
    assert heads >= {*NAMES, *COMMANDS} and lines[0].startswith(".TH FIREBREAK 1 ")
    plain = {line for line in lines if not re.match(r"\.(TH|SH|SS|PP|nf|fi)\b", line)}
    assert not {line for line in plain if line.startswith((".", "'"))}, "roff would obey them"
    assert any("\\-\\-state\\-dir" in line for line in plain)
