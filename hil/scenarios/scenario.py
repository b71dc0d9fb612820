"""Scenario files: schema, strict loader, stepped load.

`python -m hil keys scenario` prints all keys.
"""

import difflib
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from controller.forms import reading
from controller.forms.field import flag, integer, is_row, number, passing, table, tables, text
from controller.forms.refusal import ConfigError, not_allowed
from hil.scenarios import expectations, faults
from hil.scenarios.faults import Action

FOLDER = Path(__file__).parent
STEPS = "[[0, kW], [later_s, kW], ...] with rising times"


def _are_steps(value: Any) -> bool:
    limits = ((-math.inf, math.inf),) * 2
    is_good = isinstance(value, list) and all([is_row(row, limits) for row in value])
    rising = is_good and all([a[0] < b[0] for a, b in zip(value, value[1:])])
    return bool(rising and value and value[0][0] == 0)


SCENARIO = {
    "name": text(),
    "title": text(),
    "duration_s": number(1, 7 * 86_400),
    "seed": integer(0, 2**31 - 1, 1),
    "soc_pct": number(5, 95, 55),
    "load": table(None, None),
    "action": tables(None, ()),
    "expect": tables(),
}
LOADS = {
    "synthetic": {},
    "training": {},
    "steps": {"steps_kW": passing(_are_steps, STEPS)},
    "file": {
        "file": text(),
        "column": text(None),
        "scale": number(0.001, 1000, 1.0),
        "raw": flag(False),
    },
}
ACTION = {"at_s": number(0, 7 * 86_400), "label": text(None)}
LOAD_DEPENDENT = "quantity", "figure"  # kinds of expectations


class Scenario(NamedTuple):
    """A loaded scenario. load: its `kind` is one of LOADS; actions: in order of time."""

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
        """Expectations that hold for any load. Quantities and figures are dropped if the scenario
        has a load of steps, because they belong to that load.
        """
        if self.load["kind"] != "steps":
            return list(self.expects)
        return [expect for expect in self.expects if expect["what"] not in LOAD_DEPENDENT]


def names(folder: str | Path = FOLDER) -> list[str]:
    """The names of all scenarios in the folder, sorted."""
    return sorted(path.stem for path in Path(folder).glob("*.toml"))


def load(name: str, folder: str | Path = FOLDER) -> Scenario:
    """The scenario with this name, or in this *.toml file. Raises ConfigError."""
    path = Path(name) if name.endswith(".toml") else Path(folder) / f"{name}.toml"
    known = names(folder)
    if not path.is_file() or not name.endswith(".toml") and name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        nearest = f", did you mean {near[0]!r}" if near else ""
        raise ConfigError(f"no scenario {name!r}{nearest}; allowed: {', '.join(known)}")
    return parse(tables_of(path), path.name, path.stem)


def tables_of(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables of a file of the rig. A refusal names the file without its folder."""
    return reading.tables_of(os.fspath(path), "one file", name=os.path.basename(path))


def parse(content: dict[str, Any], file: str, stem: str | None = None) -> Scenario:
    """The scenario of a parsed TOML table. file: begins every message; stem: the required name."""
    top = reading.read(file, (), content, SCENARIO)
    if stem is not None and top["name"] != stem:
        not_allowed(file, ("name",), top["name"], f"{stem}, the name of the file")
    actions = [_action(file, fields, position) for position, fields in enumerate(top["action"], 1)]
    for position, action in enumerate(actions, 1):
        if action.at_us > top["duration_s"] * 1e6:
            at_s = action.at_us / 1e6
            allowed = f"up to duration_s, {top['duration_s']:g}"
            not_allowed(file, ("action", str(position), "at_s"), at_s, allowed)
    load = top["load"] or {"kind": "synthetic"}
    top["load"] = reading.read_variant(file, ("load",), load, "kind", LOADS)
    moments = {name for action in actions for name in (action.label, action.do)}
    moments |= {*expectations.EVENTS}
    expects = [
        _expect(file, fields, position, moments) for position, fields in enumerate(top["expect"], 1)
    ]
    fields = {key: top[key] for key in ("name", "title", "seed", "load")}
    fields |= {key: float(top[key]) for key in ("duration_s", "soc_pct")}
    in_order = tuple(sorted(actions, key=lambda action: action.at_us))
    return Scenario(**fields, actions=in_order, expects=tuple(expects))


def _action(file: str, fields: dict[str, Any], number: int) -> Action:
    path = ("action", str(number))
    arguments = reading.read_variant(file, path, fields, "do", faults.FORMS, ACTION)
    at_us, do = round(arguments.pop("at_s") * 1e6), arguments.pop("do")
    return Action(at_us, do, arguments.pop("label") or do, arguments)


def _expect(file: str, fields: dict[str, Any], number: int, moments: set[str]) -> dict[str, Any]:
    path = ("expect", str(number))
    expect = reading.read_variant(file, path, fields, "what", expectations.FORMS)
    for key in [key for key in expect if key in expectations.MOMENTS]:
        for moment in expect[key] if isinstance(expect[key], list) else [expect[key]]:
            if isinstance(moment, str) and moment not in moments:
                allowed = "an action of this scenario or an event"
                not_allowed(file, (*path, key), moment, allowed, moments)
    return expect
