"""The result of one benchmark: a JSON document, whose form is checked at each write and read.

A figure may have a rival that was measured at the same time, and a budget of `budgets.toml`. Ratio,
limit and verdict follow from these, so a figure that was edited by hand is refused.
"""

import argparse
import json
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from controller.system import toml_text
from hil.campaigns.benchmarks import machine, timing

SCHEMA = 1
FIELDS: dict[str, Any] = {
    "schema": int,
    "benchmark": str,
    "command": str,
    "measured": str,
    "machine": dict,
    "priority": str,
    "beside": str,
    "figures": list,
    "notes": list,
    "details": dict,
}
NUMBER = int | float | None
FIGURE_FIELDS: dict[str, Any] = {
    "what": str,
    "value": NUMBER,
    "unit": str,
    "rival": str | None,
    "rival_value": NUMBER,
    "ratio": NUMBER,
    "budget": str | None,
    "limit": NUMBER,
    "met": bool | None,
}
GIVEN = ("what", "value", "unit", "rival", "rival_value", "budget")  # these give the others
PERCENTILES = {"p50": 500, "p99": 990, "maximum": 1000}
Path = str | os.PathLike[str]
Figure = dict[str, Any]
Figures = list[Figure]
Document = dict[str, Any]
Number = TypeVar("Number", int, float)


class Budget(NamedTuple):
    """The limit: max(`fixed`, `factor` x rival), in the unit of the figure.

    text: as in the design; at_least: the figure must reach the limit, not stay below it; without:
    why the budget has no figure.
    """

    what: str
    text: str
    fixed: float | None = None
    factor: float | None = None
    at_least: bool = False
    without: str = "not among these results"


BUDGETS = {
    key: Budget(**fields)
    for key, fields in toml_text.read(pathlib.Path(__file__).with_name("budgets.toml")).items()
}


class Measured(NamedTuple):
    """The findings of a benchmark. notes: lines; details: plain data; priority: "" for this
    process.
    """

    figures: Figures
    notes: list[str]
    details: dict[str, Any]
    priority: str = ""


class ResultError(ValueError):
    """A file that is no result. One line."""


def limit(budget: Budget, rival_value: float | None) -> float | None:
    """The limit in the figure's unit; None if it needs a rival that was not measured."""
    parts = [] if budget.fixed is None else [budget.fixed]
    if budget.factor is not None and rival_value is not None:
        parts.append(budget.factor * rival_value)
    return max(parts, default=None)


def _is_met(budget: Budget, value: float | None, bound: float | None) -> bool | None:
    """True or False; None if value or limit is missing."""
    if bound is None or value is None:
        return None
    return value >= bound if budget.at_least else value <= bound


def figure(
    quantity: str,
    value: float | None,
    unit: str,
    rival: str | None = None,
    rival_value: float | None = None,
    budget: str | None = None,
) -> Figure:
    """One figure. rival_value: in the same unit; budget: a key of BUDGETS."""
    chosen = BUDGETS.get(budget or "")
    bound = limit(chosen, rival_value) if chosen else None
    return {
        "what": quantity,
        "value": value,
        "unit": unit,
        "rival": rival,
        "rival_value": rival_value,
        "ratio": round(value / rival_value, 2) if value is not None and rival_value else None,
        "budget": budget,
        "limit": bound,
        "met": _is_met(chosen, value, bound) if chosen else None,
    }


def memory_figure(quantity: str, memory_kB: float, budget: str | None = None) -> Figure:
    """A figure of memory, in MiB."""
    return figure(quantity, round(memory_kB / 1024, 1), "MiB", budget=budget)


def spread(
    quantity: str,
    values: Sequence[float],
    unit: str,
    rival: str | None = None,
    rival_value: float | None = None,
    budget: str | None = None,
    names: Iterable[str] = tuple(PERCENTILES),
) -> Figures:
    """Figures of these percentiles; the second one has the budget. [] without values."""
    return [
        figure(
            f"{quantity}, {name} of {len(values)}",
            percentile(values, PERCENTILES[name]),
            unit,
            rival,
            rival_value,
            budget if place == 1 else None,
        )
        for place, name in enumerate(names)
        if values
    ]


def document(benchmark: str, command: str, measured: Measured) -> Document:
    """The whole document. command: repeats the measurement."""
    return {
        "schema": SCHEMA,
        "benchmark": benchmark,
        "command": command,
        "measured": timing.utc_text(),
        "machine": machine.describe(),
        "priority": measured.priority or machine.priority(),
        "beside": "",
        "figures": measured.figures,
        "notes": measured.notes,
        "details": measured.details,
    }


def check(doc: Document, where: Path) -> Document:
    """Return the document. ResultError if its form is wrong or a figure contradicts its numbers."""
    _check_fields(doc, FIELDS, where)
    if doc["schema"] != SCHEMA:
        raise ResultError(f"{where}: schema {doc['schema']}, this program reads {SCHEMA}")
    missing = [part for part in machine.PARTS if part not in doc["machine"]]
    if missing:
        raise ResultError(f"{where}: machine says nothing about {missing[0]}")
    for number, record in enumerate(doc["figures"], 1):
        _check_figure(record, f"{where}: figure {number}")
    return doc


def _check_figure(record: Figure, where: str) -> None:
    _check_fields(record, FIGURE_FIELDS, where)
    if record["budget"] not in (None, *BUDGETS):
        known = ", ".join(BUDGETS)
        raise ResultError(f"{where}: no budget {record['budget']!r}; there are {known}")
    for key, value in figure(*[record[key] for key in GIVEN]).items():
        if value != record[key]:
            raise ResultError(f"{where}: {key} is {record[key]}, its own numbers give {value}")


def _check_fields(table: object, fields: dict[str, Any], where: Path) -> None:
    if not isinstance(table, dict) or set(table) != set(fields):
        present = sorted(table) if isinstance(table, dict) else type(table).__name__
        raise ResultError(f"{where}: has {present}, must have {sorted(fields)}")
    for key, kind in fields.items():
        if not isinstance(table[key], kind):
            raise ResultError(f"{where}: {key} is {table[key]!r}")


def finish(doc: Document, arguments: argparse.Namespace) -> int:
    """Write the document to arguments.json if set; print it. Returns 1 if a budget is not met."""
    doc["beside"] = arguments.beside
    if arguments.json:
        write(arguments.json, doc)
    print("\n".join(lines(doc)))
    return 1 if any(record["met"] is False for record in doc["figures"]) else 0


def write(path: Path, doc: Document) -> None:
    """Write a checked document, each field and figure on a line of its own."""
    fields = [f' "{key}": {_text(value)}' for key, value in check(doc, path).items()]
    pathlib.Path(path).write_text("{\n" + ",\n".join(fields) + "\n}\n", encoding="ascii")


def _text(value: object) -> str:
    if isinstance(value, list) and value:
        return "[\n  " + ",\n  ".join(json.dumps(row, allow_nan=False) for row in value) + "]"
    return json.dumps(value, allow_nan=False)


def read(path: Path) -> Document:
    """The checked document in a file. ResultError if it cannot be read or is no document."""
    try:
        with open(path, encoding="utf-8") as file:
            doc = json.load(file)
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: {error}") from None
    return check(doc, path)


def percentile(values: Iterable[Number], permille: int) -> Number:
    """The smallest value that at least `permille` of the values do not exceed. ValueError if
    none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, -(-len(ordered) * permille // 1000) - 1)]


def lines(doc: Document) -> list[str]:
    """The figures as a person reads them on a terminal."""
    about = doc["machine"]
    return [
        f"{doc['benchmark']}: {about['cpu']}, {about['cores']} cores, {doc['priority']}",
        *[f"  {_line(record)}" for record in doc["figures"]],
        *[f"  {note}" for note in doc["notes"]],
    ]


def _line(record: Figure) -> str:
    text = f"{record['what']}: {number(record['value'])} {record['unit']}"
    if record["rival"]:
        text += (
            f"; {record['rival']} {number(record['rival_value'])}, ratio {number(record['ratio'])}"
        )
    if record["budget"]:
        text += f"; budget {BUDGETS[record['budget']].text}: {verdict(record['met'])}"
    return text


def number(value: float | None) -> str:
    """A figure with its significant digits; "-" for None."""
    if value is None:
        return "-"
    return f"{value:.3g}" if abs(value) < 100 and value % 1 else f"{value:,.0f}".replace(",", " ")


def verdict(met: bool | None) -> str:
    """A budget's state in words."""
    return {True: "met", False: "NOT met", None: "not judged"}[met]
