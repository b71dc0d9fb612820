"""Scenario files: schema and strict loader.

A scenario is one TOML file: name, title, duration_s, seed, [load], [[action]], [[expect]]. The
loader checks every key. The message about the first mistake names file, place, allowed values and
the nearest right key. SCENARIO.md lists all keys.
"""

from pathlib import Path
from typing import Any, NamedTuple

from hil.fields import (
    BOOL,
    INTEGER,
    LIST,
    MOMENT,
    MOMENTS,
    NUMBER,
    REQUIRED,
    TABLE,
    TABLES,
    TEXT,
    Entry,
    ScenarioError,
    checked,
    fits_kind,
    nearest,
    tables_of,
    value_of,
)
from hil.scenarios import expectations
from hil.scenarios.faults import ACTIONS, Action

FOLDER = Path(__file__).parent

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
OF_LOAD = "quantity", "figure"


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
            f"no scenario {name!r}{nearest(name, known)}; allowed: {', '.join(known)}"
        )
    return parse(tables_of(path), path.name, path.stem)


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
    do = value_of(entry, "do", ACTION["do"], where)
    values = checked(entry, ACTION | ACTIONS[do][0], where)
    return Action(
        round(values.pop("at_s") * 1e6), values.pop("do"), values.pop("label") or do, values
    )


def _expect(entry: dict[str, Any], where: str, moments: set[str]) -> dict[str, Any]:
    what = Entry(TEXT, REQUIRED, choices=tuple(expectations.KINDS))
    known = expectations.KINDS[value_of(entry, "what", what, where)][0]
    values = checked(entry, {"what": what} | known, where)
    for key, field in known.items():
        for value in values[key] if field.kind == MOMENTS and values[key] else [values[key]]:
            if field.kind in (MOMENT, MOMENTS) and isinstance(value, str) and value not in moments:
                raise ScenarioError(
                    f"{where}: {key} = {value!r} is neither an action of this scenario nor an event"
                    f"{nearest(value, moments)}"
                )
    return values


def _load(table: dict[str, Any], where: str) -> dict[str, Any]:
    field = Entry(TEXT, REQUIRED, choices=tuple(LOADS))
    kind = value_of(table, "kind", field, where)
    values = checked(table, {"kind": field} | LOADS[kind], where)
    if kind == "steps":
        steps = values["steps_kW"]
        good = steps and all(
            isinstance(step, list)
            and len(step) == 2
            and all(fits_kind(part, NUMBER) for part in step)
            for step in steps
        )
        if not good or steps[0][0] != 0 or any(a[0] >= b[0] for a, b in zip(steps, steps[1:])):
            raise ScenarioError(
                f"{where}: steps_kW must be [[0, kW], [later_s, kW], ...] with rising times"
            )
    return values
