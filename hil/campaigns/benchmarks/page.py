"""`python -m hil bench page RESULT.json...`: the page of all figures, made from results and from
nothing else.
"""

from hil.campaigns.benchmarks import budgets, document

ORDER = ("step", "loop", "rtu", "replay", "start", "stop", "rig")
HEAD = """# Benchmarks

Made by `python -m hil bench page RESULT.json...` from the results beside this file and from nothing
else; a test compares the two, so edit neither. `python -m hil bench all --json DIR` measures
everything anew and writes both. Each figure stands beside its rival, measured at the same time on
the same machine, and its budget in the design. Where others work on the same machine, a ratio says
more than a figure.
"""
TABLE = """| figure | value | rival | ratio | budget | |
|---|---|---|---|---|---|
"""


def page(docs):
    """The page as text; docs: checked documents, in any order."""
    docs = sorted(docs, key=_order)
    parts = [HEAD, _budgets(docs)] + [_section(doc) for doc in docs]
    return "\n".join(parts)


def _order(doc):
    name = doc["benchmark"]
    return (ORDER.index(name) if name in ORDER else len(ORDER), name, doc["measured"])


def _budgets(docs):
    """Every budget of the design, with its figures or the reason why there is none."""
    rows = [
        "## The budgets of the design\n",
        "| what | budget | measured | rival | |",
        "|---|---|---|---|---|",
    ]
    for key, budget in budgets.BUDGETS.items():
        found = [each for doc in docs for each in doc["figures"] if each["budget"] == key]
        for each in found:
            rows.append(
                f"| {each['what']} | {budget.text} | {_value(each)} | {_rival(each)} | "
                f"{document.verdict(each['met'])} |"
            )
        if not found:
            rows.append(f"| {budget.what} | {budget.text} | - | - | {budget.without} |")
    return "\n".join(rows) + "\n"


def _section(doc):
    about = doc["machine"]
    lines = [
        f"## {doc['benchmark']}: `{doc['command']}`\n",
        f"{doc['measured']}, {about['cpu']}, {about['cores']} cores, {about['kernel']}; "
        f"{about['python']}; "
        f"{doc['priority']}; load average before it {about['load_average']}. "
        f"Beside it ran: {doc['beside'] or 'not said'}.\n",
    ]
    rows = [
        f"| {each['what']} | {_value(each)} | {_rival(each)} | "
        f"{document.number(each['ratio'])} | "
        f"{_budget(each)} |"
        for each in doc["figures"]
    ]
    notes = [f"- {note}" for note in doc["notes"]]
    return (
        "\n".join(lines)
        + "\n"
        + TABLE
        + "\n".join(rows)
        + "\n"
        + ("\n" + "\n".join(notes) + "\n" if notes else "")
    )


def _value(each):
    return f"{document.number(each['value'])} {each['unit']}"


def _rival(each):
    return (
        (f"{each['rival']} {document.number(each['rival_value'])} {each['unit']}")
        if each["rival"]
        else "-"
    )


def _budget(each):
    if each["budget"] is None:
        return "- | "
    return f"{budgets.BUDGETS[each['budget']].text} | {document.verdict(each['met'])}"
