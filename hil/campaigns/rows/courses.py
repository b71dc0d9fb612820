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
    whole = re.sub(r"(^|; )(\w+)", lambda match: match[1] + WORDS.get(match[2], match[2]), text)
    return tuple(_action(*part.split()) for part in whole.split("; "))


def _action(name: str, *pairs: str) -> Do:
    arguments = {key: _value(text) for key, _, text in [pair.partition("=") for pair in pairs]}
    return do(name, float(arguments.pop("at_s", 0)), **arguments)


def _field(name: str, text: str) -> Any:
    if name in ACTIONS:
        return _actions(text)
    if name in NAMES:
        return tuple(text.split())
    if name == "seen":
        word, *arguments = text.split()
        return seen.condition(word, *map(_value, arguments))
    return _value(text or "True")


def _course(line: str) -> Course:
    label, cause, *parts = line.split(" | ")
    stage, _, more = label.partition(" ")
    fields = {
        name: _field(name, text) for name, _, text in [part.partition(": ") for part in parts]
    }
    name = label if more else ""
    return Course(**{"stage": stage, "cause": _actions(cause), "name": name} | fields)


_LINES = DATA["table"]["courses"].replace("\n    ", " ").strip().splitlines()
EVERY = {
    course.label: course for course in map(_course, [line for line in _LINES if line[0] != "#"])
}
STOPPED = {label: course for label, course in EVERY.items() if course.is_by_wiring_alone}
COURSES = {label: course for label, course in EVERY.items() if label not in STOPPED}
