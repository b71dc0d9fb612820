"""Every `firebreak` command that a page, a unit or a message shows is one that exists."""

import re

import pytest

from controller.system.commands import ACTIONS, COMMANDS, RENAMED
from tests.repository import ROOT, tree

# As code in a page, as a line to type, in a unit, or as a module of Python.
SHOWN = re.compile(
    r"(?:`|\$ |bin/|-m |sudo -u firebreak |^ {4,}|^)(?:firebreak|controller) "
    r"([a-z][a-z-]+)(?: ([a-z][a-z-]+))?",
    re.MULTILINE,
)
KINDS = (".md", ".service", ".sh", ".py", ".toml", ".txt")
HISTORY = ("CHANGELOG.md", "controller/system/commands.py", "tests/")


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
        if path.suffix in KINDS and not name.startswith(HISTORY):
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
