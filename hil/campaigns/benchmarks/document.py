"""One benchmark's result: a JSON document of a fixed form, checked when it is written and when it
is read.

A document names the machine, what ran beside the benchmark, and its figures; each figure may have a
rival measured at the same time and a budget. Ratio, limit and verdict are computed here and must
agree when a file is read again, so a figure that was edited by hand is refused.
"""

import json

from hil.campaigns.benchmarks import budgets, machine, timing

SCHEMA = 1
PERCENTILES = (("p50", 500), ("p99", 990), ("maximum", 1000))
FIELDS = {
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
FIGURE_FIELDS = {
    "what": str,
    "value": (int, float, type(None)),
    "unit": str,
    "rival": (str, type(None)),
    "rival_value": (int, float, type(None)),
    "ratio": (int, float, type(None)),
    "budget": (str, type(None)),
    "limit": (int, float, type(None)),
    "met": (bool, type(None)),
}


GIVEN = ("what", "value", "unit", "rival", "rival_value", "budget")  # the others follow


class ResultError(ValueError):
    """A file that is no result; one line."""


def figure(what, value, unit, rival=None, rival_value=None, budget=None):
    """One figure. rival_value: in the same unit; budget: a key of budgets.BUDGETS."""
    chosen = budgets.BUDGETS.get(budget)
    bound = budgets.limit(chosen, rival_value) if chosen else None
    return {
        "what": what,
        "value": value,
        "unit": unit,
        "rival": rival,
        "rival_value": rival_value,
        "ratio": round(value / rival_value, 2) if value is not None and rival_value else None,
        "budget": budget,
        "limit": bound,
        "met": budgets.met(chosen, value, bound) if chosen else None,
    }


def spread(what, values, unit, rival=None, rival_value=None, budget=None):
    """Figures of p50, p99 and maximum; the budget is that of p99. Nothing without values."""
    return [
        figure(
            f"{what}, {text} of {len(values)}",
            percentile(values, permille),
            unit,
            rival,
            rival_value,
            budget if text == "p99" else None,
        )
        for text, permille in PERCENTILES
        if values
    ]


def document(benchmark, command, figures, notes, details, priority):
    """The whole document. command: how to measure it again; notes: lines."""
    return {
        "schema": SCHEMA,
        "benchmark": benchmark,
        "command": command,
        "measured": timing.utc_text(),
        "machine": machine.describe(),
        "priority": priority,
        "beside": "",
        "figures": list(figures),
        "notes": list(notes),
        "details": details,
    }


def check(doc, where):
    """The document. ResultError: it has not the form, or a figure does not add up."""
    _check_fields(doc, FIELDS, where)
    if doc["schema"] != SCHEMA:
        raise ResultError(f"{where}: schema {doc['schema']}, this program reads {SCHEMA}")
    missing = [part for part in machine.PARTS if part not in doc["machine"]]
    if missing:
        raise ResultError(f"{where}: machine says nothing about {missing[0]}")
    for number, each in enumerate(doc["figures"], 1):
        _check_figure(each, f"{where}: figure {number}")
    return doc


def _check_figure(each, where):
    _check_fields(each, FIGURE_FIELDS, where)
    if each["budget"] not in (None, *budgets.BUDGETS):
        known = ", ".join(budgets.BUDGETS)
        raise ResultError(f"{where}: no budget {each['budget']!r}; there are {known}")
    again = figure(*[each[key] for key in GIVEN])
    for key in again:
        if again[key] != each[key]:
            raise ResultError(f"{where}: {key} is {each[key]}, its own numbers give {again[key]}")


def _check_fields(table, fields, where):
    if not isinstance(table, dict) or set(table) != set(fields):
        given = sorted(table) if isinstance(table, dict) else type(table).__name__
        raise ResultError(f"{where}: has {given}, must have {sorted(fields)}")
    for key, kind in fields.items():
        if not isinstance(table[key], kind):
            raise ResultError(f"{where}: {key} is {table[key]!r}")


def finish(doc, given):
    """Write the document to given.json if there is one, print its lines; the exit code: 0, or 1
    when a budget is not met. given.beside: what ran on the machine meanwhile.
    """
    doc["beside"] = given.beside
    if given.json:
        write(given.json, doc)
    print("\n".join(lines(doc)))
    return 1 if any(each["met"] is False for each in doc["figures"]) else 0


def write(path, doc):
    """Write a checked document, each field and figure on a line of its own."""
    fields = [f' "{key}": {_text(value)}' for key, value in check(doc, path).items()]
    with open(path, "w", encoding="ascii") as file:
        file.write("{\n" + ",\n".join(fields) + "\n}\n")


def _text(value):
    if isinstance(value, list) and value:
        return "[\n  " + ",\n  ".join([json.dumps(each, allow_nan=False) for each in value]) + "]"
    return json.dumps(value, allow_nan=False)


def read(path):
    """A checked document. ResultError: not readable, or not a document."""
    try:
        with open(path, encoding="utf-8") as file:
            doc = json.load(file)
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: {error}") from None
    return check(doc, path)


def percentile(values, permille):
    """Smallest of the values that `permille` of them do not exceed. ValueError without values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * permille // 1000) - 1)]


def lines(doc):
    """The figures as a person reads them on a terminal."""
    about = doc["machine"]
    return [
        f"{doc['benchmark']}: {about['cpu']}, {about['cores']} cores, {doc['priority']}",
        *[f"  {_line(each)}" for each in doc["figures"]],
        *[f"  {note}" for note in doc["notes"]],
    ]


def _line(each):
    text = f"{each['what']}: {number(each['value'])} {each['unit']}"
    if each["rival"]:
        text += f"; {each['rival']} {number(each['rival_value'])}, ratio {number(each['ratio'])}"
    if each["budget"]:
        text += f"; budget {budgets.BUDGETS[each['budget']].text}: {verdict(each['met'])}"
    return text


def number(value):
    """A figure with as many digits as mean something; "-" for none."""
    if value is None:
        return "-"
    return f"{value:.3g}" if abs(value) < 100 and value % 1 else f"{value:,.0f}".replace(",", " ")


def verdict(met):
    """A budget's state in words."""
    return {True: "met", False: "NOT met", None: "not judged"}[met]
