"""Reads `courses.toml`: test cases that trip each stage of the cause-and-effect matrix."""

import ast
import pathlib
import re
from typing import Any

from controller.system import toml_text
from hil.campaigns.rows import seen
from hil.campaigns.rows.course import Course, Do, do

DATA = toml_text.read(pathlib.Path(__file__).with_suffix(".toml"))
WORDS: dict[str, str] = DATA["words"]
ACTIONS, NAMES = ("at_start", "before", "repair"), ("armed", "alone")


def _value(text: str) -> Any:
    """A number, a flag or a table, if the text is one in Python; else the text itself."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _actions(text: str) -> tuple[Do, ...]:
    whole = re.sub(r"(^|; )(\w+)", lambda found: found[1] + WORDS.get(found[2], found[2]), text)
    return tuple([_action(*each.split()) for each in whole.split("; ")])


def _action(name: str, *given: str) -> Do:
    arguments = {key: _value(text) for key, _, text in [each.partition("=") for each in given]}
    return do(name, float(arguments.pop("at_s", 0)), **arguments)


def _field(name: str, text: str) -> Any:
    if name in ACTIONS:
        return _actions(text)
    if name in NAMES:
        return tuple(text.split())
    if name == "seen":
        word, *given = text.split()
        return seen.condition(word, *map(_value, given))
    return _value(text or "True")


def _course(line: str) -> Course:
    label, cause, *others = line.split(" | ")
    stage, _, more = label.partition(" ")
    fields = {
        name: _field(name, text) for name, _, text in [each.partition(": ") for each in others]
    }
    return Course(**{"stage": stage, "cause": _actions(cause), "name": label * bool(more)} | fields)


_LINES = DATA["table"]["courses"].replace("\n    ", " ").strip().splitlines()
EVERY = {each.label: each for each in map(_course, [line for line in _LINES if line[0] != "#"])}
STOPPED = {label: each for label, each in EVERY.items() if each.is_stopped}
COURSES = {label: each for label, each in EVERY.items() if label not in STOPPED}
