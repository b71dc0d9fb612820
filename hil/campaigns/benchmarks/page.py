"""`python -m hil bench page RESULT.json...`: the page of all figures, made from results and from
nothing else.
"""

from hil.campaigns.benchmarks import budgets, document
from hil.runner.report import table

ORDER = ("step", "loop", "rtu", "replay", "start", "stop", "rig", "pod")
HEAD = """# Benchmarks

Made by `python -m hil bench page RESULT.json...` from the results beside this file and from nothing
else; a test compares the two, so edit neither. `python -m hil bench all --json DIR` measures
everything anew and writes both. Each figure stands beside its rival, measured at the same time on
the same machine, and its budget in the design. Where others work on the same machine, a ratio says
more than a figure.
"""
BUDGETS = ("what", "budget", "measured", "rival", "")
FIGURES = ("figure", "value", "rival", "ratio", "budget", "")


def page(docs):
    """The page as text; docs: checked documents, in any order."""
    docs = sorted(docs, key=_order)
    return "\n".join([HEAD, _budgets(docs), *map(_section, docs)])


def _order(doc):
    name = doc["benchmark"]
    return (ORDER.index(name) if name in ORDER else len(ORDER), name, doc["measured"])


def _budgets(docs):
    """Every budget of the design, with its figures or the reason for missing figures."""
    rows = []
    for key, budget in budgets.BUDGETS.items():
        found = [each for doc in docs for each in doc["figures"] if each["budget"] == key]
        rows += [
            (each["what"], budget.text, _value(each), _rival(each), document.verdict(each["met"]))
            for each in found
        ] or [(budget.what, budget.text, "-", "-", budget.without)]
    return "\n".join(["## The budgets of the design", "", *table(BUDGETS, rows), ""])


def _section(doc):
    about = doc["machine"]
    rows = [
        (each["what"], _value(each), _rival(each), document.number(each["ratio"]), *_budget(each))
        for each in doc["figures"]
    ]
    lines = [
        f"## {doc['benchmark']}: `{doc['command']}`",
        "",
        f"{doc['measured']}, {about['cpu']}, {about['cores']} cores, {about['kernel']}; "
        f"{about['python']}; {doc['priority']}; load average before it {about['load_average']}. "
        f"Beside it ran: {doc['beside'] or 'not said'}.",
        "",
        *table(FIGURES, rows),
        "",
    ]
    notes = [f"- {note}" for note in doc["notes"]]
    return "\n".join(lines + notes + [""] * bool(notes))


def _value(each):
    return f"{document.number(each['value'])} {each['unit']}"


def _rival(each):
    if not each["rival"]:
        return "-"
    return f"{each['rival']} {document.number(each['rival_value'])} {each['unit']}"


def _budget(each):
    """The two cells of a figure's budget."""
    if each["budget"] is None:
        return "-", ""
    return budgets.BUDGETS[each["budget"]].text, document.verdict(each["met"])
