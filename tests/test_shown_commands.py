"""Every `firebreak` command that a page, a unit or a message shows is one that exists."""

import argparse
import re

import pytest

import controller.__main__
from controller.system.commands import ACTIONS, COMMANDS, RENAMED
from hil import __main__ as hil
from tests.exemptions import Exempt, same
from tests.repository import ROOT, tree

# As code in a page, as a line to type, in a unit, or as a module of Python.
SHOWN = re.compile(
    r"(?:`|\$ |bin/|-m |sudo -u firebreak |^ {4,}|^)(?:firebreak|controller) "
    r"([a-z][a-z-]+)(?: ([a-z][a-z-]+))?",
    re.MULTILINE,
)
KINDS = (".md", ".service", ".sh", ".py", ".toml", ".txt")
HISTORY = same(
    Exempt(
        "a text shows a command by the name that it had; typed, it names the new one",
        "tests/controller/console/test_completion.py::test_an_old_name_answers_with_the_new_one",
    ),
    "CHANGELOG.md",
    "controller/system/commands.py",
    "tests/",
)


def shown(text):
    """(command, action or "") of each command in a text."""
    return [found for found in SHOWN.findall(text) if found[0] in COMMANDS or found[0] in RENAMED]


def wrong(command, action):
    """Why a command is none; "": it is one."""
    if command in RENAMED and command not in COMMANDS:
        return f"{command} is now {RENAMED[command]}"
    if action and action in RENAMED and command in ACTIONS and action not in ACTIONS[command]:
        return f"{command} has no {action}"
    return ""


def test_no_text_shows_a_command_that_is_gone():
    found = {}
    for path in tree():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in KINDS and not name.startswith(tuple(HISTORY)):
            for each in shown(path.read_text(encoding="utf-8")):
                found[name, *each] = wrong(*each)
    assert len(found) > 150
    assert {key: why for key, why in found.items() if why} == {}


@pytest.mark.parametrize(
    "text, why",
    [
        ("see `firebreak lamp-test`", "lamp-test is now test lamp"),
        ("ExecStart=/opt/firebreak/current/bin/firebreak record run --x", ""),
        ("    firebreak proof-test list", "proof-test is now test proof"),
        ("python -m controller matrix --site F", "matrix is now document matrix"),
        ("sudo -u firebreak firebreak box prepare", ""),
        ("`firebreak test probe x`", "test has no probe"),
        ("`firebreak status`", ""),
    ],
)
def test_a_command_that_is_gone_is_found(text, why):
    (found,) = shown(text)
    assert wrong(*found) == why


def test_each_page_that_a_text_names_is_a_command():
    """Remedies of hints sent people to a page Hints, which is `firebreak sources`."""
    named = {
        word.lower()
        for path in (ROOT / "controller").rglob("*.py")
        for word in re.findall(r"[Pp]age\s+([A-Z][a-z]+)\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 5 and named <= set(COMMANDS)


LINE = re.compile(
    r"(?:`|\$ |bin/|-m |firebreak |\./|^ {4,}|^)"
    r"(firebreak|controller|hil|flash\.sh rig) ([^`|;&#\n<>]*)",
    re.MULTILINE,
)


def parsers():
    box, rig = controller.__main__._parser(["completion"]), hil.parser()
    alone, *_ = reached(rig, ["rig"])
    return {"firebreak": box, "controller": box, "hil": rig, "flash.sh rig": alone}


def reached(parser, words):
    """The parsers of the command that these words begin with, the innermost first."""
    found = [parser]
    for word in words:
        for action in found[0]._actions:
            if isinstance(action, argparse._SubParsersAction) and word in action.choices:
                found.insert(0, action.choices[word])
                break
    return found


def unknown(every, text):
    """(command line, option that it does not have) of a page."""
    for program, line in LINE.findall(text):
        words = line.split()
        if program != "hil":
            words = controller.__main__._with_action(words)
        known = [each for parser in reached(every[program], words)
                 for each in parser._option_string_actions]  # fmt: skip
        known.append("--version")  # of the program itself
        given = [word.partition("=")[0].rstrip(".,:)") for word in words if word[:2] == "--"]
        yield from [(f"{program} {line}", option) for option in given if option not in known]


def test_every_option_that_a_page_shows_exists():
    every = parsers()
    pages = {path.relative_to(ROOT).as_posix(): path for path in tree() if path.suffix == ".md"}
    assert len(pages) > 60
    found = {name: [*unknown(every, path.read_text(encoding="utf-8"))]
             for name, path in pages.items() if not name.startswith(tuple(HISTORY))}  # fmt: skip
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize(
    "text, count",
    [("`firebreak ask --powr 4kW`", 1), ("    ./flash.sh rig --virtual --for 3", 0),
     (".venv/bin/python -m hil run berlin --sead 3   # --what", 1)],
)  # fmt: skip
def test_an_option_that_is_none_is_found(text, count):
    assert len([*unknown(parsers(), text)]) == count
