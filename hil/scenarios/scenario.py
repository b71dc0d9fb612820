"""Scenario files: schema, strict loader, and the stepped load.

A scenario is one TOML file: name, title, duration_s, seed, [load], [[action]], [[expect]]. The
loader checks every key. The message about the first mistake names file, place, allowed values and
the nearest right key. SCENARIO.md lists all keys.
"""

import difflib
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from drivers import toml_text
from hil.scenarios import expectations
from hil.scenarios.faults import ACTIONS, Action
from hil.scenarios.fields import ANY, BOOL, INTEGER, NUMBER, REQUIRED, TEXT, Entry

FOLDER = Path(__file__).parent
LIST, TABLE, TABLES = "a list", "a table", "a list of tables"
MOMENT, MOMENTS, TEXTS = expectations.MOMENT, expectations.MOMENTS, expectations.TEXTS

SCENARIO = {
    "name": Entry(TEXT, REQUIRED),
    "title": Entry(TEXT, REQUIRED),
    "duration_s": Entry(NUMBER, REQUIRED, 1, 7 * 86_400),
    "seed": Entry(INTEGER, 1, 0, 2**31 - 1),
    "soc_pct": Entry(NUMBER, 55, 5, 95),
    "load": Entry(TABLE, None),
    "action": Entry(TABLES, ()),
    "expect": Entry(TABLES, REQUIRED),
}
LOADS = {
    "synthetic": {},
    "training": {},
    "steps": {"steps_kW": Entry(LIST, REQUIRED)},
    "file": {
        "file": Entry(TEXT, REQUIRED),
        "column": Entry(TEXT, None),
        "scale": Entry(NUMBER, 1.0, 0.001, 1000),
        "raw": Entry(BOOL, False),
    },
}
ACTION = {
    "at_s": Entry(NUMBER, REQUIRED, 0, 7 * 86_400),
    "do": Entry(TEXT, REQUIRED, choices=tuple(ACTIONS)),
    "label": Entry(TEXT, None),
}
_TYPES = {
    BOOL: bool,
    INTEGER: int,
    NUMBER: (int, float),
    TEXT: str,
    LIST: list,
    TABLE: dict,
    ANY: object,
    MOMENT: (str, int, float),
}


OF_LOAD = "quantity", "figure"


class ScenarioError(ValueError):
    """A wrong scenario: one line with file, place, mistake and allowed values."""


class Scenario(NamedTuple):
    """A loaded scenario. load: has `kind` (of LOADS); actions: in order of time."""

    name: str
    title: str
    duration_s: float
    seed: int
    soc_pct: float
    load: dict
    actions: tuple
    expects: tuple

    @property
    def any_load_expects(self) -> list[dict[str, Any]]:
        """Expectations beside a load of the site: without quantities if the scenario has steps."""
        is_free = self.load["kind"] != "steps"
        return [each for each in self.expects if is_free or each["what"] not in OF_LOAD]


def names(folder: str | Path = FOLDER) -> list[str]:
    """The names of all scenarios in the folder, sorted."""
    return sorted(path.stem for path in Path(folder).glob("*.toml"))


def load(name: str, folder: str | Path = FOLDER) -> Scenario:
    """The scenario of this name, or of a path to a *.toml file. Raises ScenarioError."""
    path = Path(name) if name.endswith(".toml") else Path(folder) / f"{name}.toml"
    known = names(folder)
    if not path.is_file() or not name.endswith(".toml") and name not in known:
        raise ScenarioError(
            f"no scenario {name!r}{_nearest(name, known)}; allowed: {', '.join(known)}"
        )
    return parse(tables_of(path), path.name, path.stem)


def tables_of(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables of a file. Raises ScenarioError."""
    name = os.path.basename(path)
    try:
        return toml_text.read(path)
    except OSError as error:
        raise ScenarioError(f"{name}: cannot be read: {error.strerror or error}") from None
    except toml_text.TomlError as error:
        raise ScenarioError(f"{name}: {error}") from None


def parse(table: dict[str, Any], where: str, stem: str | None = None) -> Scenario:
    """Scenario from a parsed TOML table. where: begin of every message; stem: the only name."""
    top = checked(table, SCENARIO, where)
    if stem is not None and top["name"] != stem:
        raise ScenarioError(
            f"{where}: name is {top['name']!r}, must be {stem!r}, the name of the file"
        )
    actions = [
        _action(entry, f"{where}: action {number}") for number, entry in enumerate(top["action"], 1)
    ]
    for action in actions:
        if action.at_us > top["duration_s"] * 1e6:
            at = f"{action.label} at {action.at_us / 1e6:g} s"
            raise ScenarioError(f"{where}: {at}, but the run ends at {top['duration_s']:g} s")
    moments = {name for action in actions for name in (action.label, action.do)} | set(
        expectations.EVENTS
    )
    expects = [
        _expect(entry, f"{where}: expect {number}", moments)
        for number, entry in enumerate(top["expect"], 1)
    ]
    return Scenario(
        top["name"],
        top["title"],
        float(top["duration_s"]),
        top["seed"],
        float(top["soc_pct"]),
        _load(top["load"] or {"kind": "synthetic"}, f"{where}: load"),
        tuple(sorted(actions, key=lambda action: action.at_us)),
        tuple(expects),
    )


def _action(entry: dict[str, Any], where: str) -> Action:
    do = _value(entry, "do", ACTION["do"], where)
    values = checked(entry, ACTION | ACTIONS[do][0], where)
    return Action(
        round(values.pop("at_s") * 1e6), values.pop("do"), values.pop("label") or do, values
    )


def _expect(entry: dict[str, Any], where: str, moments: set[str]) -> dict[str, Any]:
    what = Entry(TEXT, REQUIRED, choices=tuple(expectations.KINDS))
    known = expectations.KINDS[_value(entry, "what", what, where)][0]
    values = checked(entry, {"what": what} | known, where)
    for key, field in known.items():
        for value in values[key] if field.kind == MOMENTS and values[key] else [values[key]]:
            if field.kind in (MOMENT, MOMENTS) and isinstance(value, str) and value not in moments:
                raise ScenarioError(
                    f"{where}: {key} = {value!r} is neither an action of this scenario nor an event"
                    f"{_nearest(value, moments)}"
                )
    return values


def _load(table: dict[str, Any], where: str) -> dict[str, Any]:
    field = Entry(TEXT, REQUIRED, choices=tuple(LOADS))
    kind = _value(table, "kind", field, where)
    values = checked(table, {"kind": field} | LOADS[kind], where)
    if kind == "steps":
        steps = values["steps_kW"]
        good = steps and all(
            isinstance(step, list) and len(step) == 2 and all(_is(part, NUMBER) for part in step)
            for step in steps
        )
        if not good or steps[0][0] != 0 or any(a[0] >= b[0] for a, b in zip(steps, steps[1:])):
            raise ScenarioError(
                f"{where}: steps_kW must be [[0, kW], [later_s, kW], ...] with rising times"
            )
    return values


def checked(table: dict[str, Any], fields: dict[str, Entry], where: str) -> dict[str, Any]:
    """A dict with every key of `fields` or its default. ScenarioError: unknown key, bad value."""
    for key in table:
        if key not in fields:
            raise ScenarioError(
                f"{where}: unknown key {key!r}{_nearest(key, fields)}; allowed: {', '.join(fields)}"
            )
    return {key: _value(table, key, field, where) for key, field in fields.items()}


def _value(table: dict[str, Any], key: str, field: Entry, where: str) -> Any:
    """Checked value of a key of the table, or its default."""
    value = table.get(key, field.default)
    if value is REQUIRED:
        raise ScenarioError(f"{where}: {key} is missing, it must be {_allowed(field)}")
    if key in table and not _fits(value, field):
        hint = _nearest(value, field.choices) if isinstance(value, str) and field.choices else ""
        raise ScenarioError(f"{where}: {key} = {value!r} must be {_allowed(field)}{hint}")
    return value


def _fits(value: Any, field: Entry) -> bool:
    if not _is(value, field.kind) or field.choices and value not in field.choices:
        return False
    return field.low is None or field.low <= value <= field.high


def _is(value: object, kind: str) -> bool:
    if kind in (TABLES, MOMENTS, TEXTS):
        return isinstance(value, list) and all(
            isinstance(part, dict if kind == TABLES else str) for part in value
        )
    if isinstance(value, bool) and kind not in (BOOL, ANY):
        return False  # Python counts True as a number
    return isinstance(value, _TYPES[kind])


def _allowed(field: Entry) -> str:
    if field.choices:
        return "one of " + ", ".join(field.choices)
    return field.kind if field.low is None else f"{field.kind} in {field.low:g} .. {field.high:g}"


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f", did you mean {close[0]!r}" if close else ""


def step_load(steps_kW: list[list[float]]) -> Callable[[float], float]:
    """The load of kind "steps", t_s -> W; each step holds until the next."""
    times_s = [step[0] for step in steps_kW]
    powers_W = [step[1] * 1000.0 for step in steps_kW]

    def power_W(t_s: float) -> float:
        return powers_W[max(0, bisect_right(times_s, t_s) - 1)]

    return power_W
