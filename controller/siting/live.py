"""Reads live values for a plan: the output of `firebreak map --json` of each cabinet on the site.

The file may come from another machine and may be old. So the plan shows when the values were read,
and whether a controller has stopped.
"""

from typing import Any, NamedTuple

from controller.forms import field as forms
from controller.forms.field import Form
from controller.forms.reading import file_text, read
from controller.forms.refusal import ConfigError, not_allowed, refuse
from controller.siting.things import Table
from controller.system import json_text

BYTES_MAX = 4_000_000
COUNT_MAX = 1_000_000
ALLOWED = "the output of `firebreak map --json` of a cabinet with [plan]"
OK = ("ok", "idle", "not fitted")


def _is_line(value: Any) -> bool:
    return forms.is_text(value) and bool(forms.LINE.fullmatch(value))


def _are_states(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_line, [*value, *value.values()]))


_LINE = forms.matching(forms.LINE, "a text on one line of ASCII", "")
_WHOLE = forms.integer(-COUNT_MAX, COUNT_MAX, None)
_TABLES = forms.tables(default=())
_PLACE: Form = {
    "place": forms.matching(forms.LINE, "the name of a unit"),
    "is_here": forms.flag(),
    **dict.fromkeys(("rack", "module", "temperature_ddegC", "rise_ddegC_per_min"), _WHOLE),
    "rows": forms.passing(lambda value: forms.is_list(value, _is_line), "a list of texts", ()),
}
_NEXT: Form = {"place": _LINE, "next_to": _LINE, "distance_mm": forms.integer(0, 1 << 30)}
_TOP: Form = {
    "cabinet": _LINE,
    "is_live": forms.flag(False),
    "utc_text": _LINE,
    "uptime_ms": forms.integer(0, 1 << 50, 0),
    "plan": forms.table(),
    "places": _TABLES,
    "unload": _TABLES,
    "contacts": forms.passing(_are_states, "names with their states", {}),
    "gas_lfl_permille": forms.passing(lambda value: isinstance(value, list), "a list", ()),
}


class LiveUnit(NamedTuple):
    """One unit. lines: of its label. is_alarm: a row of heat, fire or gas is active."""

    lines: tuple[str, ...]
    is_alarm: bool


class Live(NamedTuple):
    """Live values. lines: one line about each cabinet, and one with its order of unloading."""

    units: dict[str, LiveUnit]
    lines: tuple[str, ...]


def load(paths: list[str], names: list[str]) -> Live:
    """The values of these files. names: names of the units of the plan. Raises ConfigError."""
    units: dict[str, LiveUnit] = {}
    lines: list[str] = []
    for path in paths:
        document = _read(path, (), _document(path), _TOP)
        for number, table in enumerate(document["places"], 1):
            where = ("places", str(number))
            place = _read(path, where, table, _PLACE)
            name = place["place"]
            if not place["is_here"]:
                continue
            if name not in names:
                not_allowed(
                    path, (*where, "place"), name, f"a unit of the plan: {forms.few(names)}"
                )
            if name in units:
                refuse(path, where, f"{name} has live values of two files", "one file for a unit")
            units[name] = _unit(place)
        lines += _lines(path, document)
    return Live(units, tuple(lines))


def _document(path: str) -> Any:
    try:
        return json_text.loads(file_text(path, BYTES_MAX, ALLOWED))
    except ConfigError:
        raise
    except ValueError:  # wrong text, encoding or nesting
        raise ConfigError(f"{path}: is not JSON; allowed {ALLOWED}") from None


def _read(path: str, where: tuple[str, ...], table: Any, form: Form) -> Table:
    """The values of the keys in a form. Other keys, and null values, are left out."""
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: is another JSON; allowed {ALLOWED}")
    present = {key: table[key] for key in form if table.get(key) is not None}
    if "plan" in form and "plan" not in present:
        refuse(path, ("plan",), "is missing", ALLOWED)
    return read(path, where, present, form)


def _unit(place: Table) -> LiveUnit:
    temperature, rise = place["temperature_ddegC"], place["rise_ddegC_per_min"]
    lines = ["- C" if temperature is None else f"{temperature / 10:.1f} C"]
    if rise is not None:
        lines[0] += f" {rise / 10:+.1f} K/min"
    if place["rows"]:
        lines.append(f"ALARM {place['rows'][0]}"[:40])
    return LiveUnit(tuple(lines), bool(place["rows"]))


def _lines(path: str, document: Table) -> list[str]:
    state = "" if document["is_live"] else " NOT TICKING, last state"
    read_at = document["utc_text"] or f"up {document['uptime_ms'] // 1000} s"
    gas = [
        "-" if value is None else f"{value / 10:.1f}"
        for value in document["gas_lfl_permille"]
        if value is None or forms.is_number(value, 0, COUNT_MAX)
    ]
    wrong = [f"{name} {state}" for name, state in document["contacts"].items() if state not in OK]
    parts = [f"gas {' '.join(gas)} %LFL"] if gas else []
    parts += [", ".join(wrong) if wrong else "contacts ok"]
    lines = [f"live: {document['cabinet']}{state} ({read_at}): {'; '.join(parts)}"]
    order = [
        _read(path, ("unload", str(number)), table, _NEXT)
        for number, table in enumerate(document["unload"], 1)
    ]
    if order:
        steps = [
            f"{step['place']} ({step['distance_mm'] / 1000:.3f} m from {step['next_to']})"
            for step in order
        ]
        lines.append(f"unload first {', then '.join(steps)}")
    return lines
