"""`python -m hil bench page RESULT.json...`: the page of all figures, made from results and from
nothing else.
"""

from hil.campaigns.benchmarks import budgets, document
from hil.results import template

ORDER = ("step", "loop", "rtu", "replay", "start", "stop", "rig", "pod")


def page(docs):
    """The page as text; docs: checked documents, in any order."""
    docs = sorted(docs, key=_order)
    sections = [(doc, [_row(each) for each in doc["figures"]]) for doc in docs]
    return template.rendered("benchmarks.txt", budgets=_budgets(docs), sections=sections)


def _order(doc):
    name = doc["benchmark"]
    return (ORDER.index(name) if name in ORDER else len(ORDER), name, doc["measured"])


def _budgets(docs):
    """Rows of every budget of the design, with its figures or the reason for missing figures."""
    rows = []
    for key, budget in budgets.BUDGETS.items():
        found = [each for doc in docs for each in doc["figures"] if each["budget"] == key]
        rows += [
            (each["what"], budget.text, _value(each), _rival(each), document.verdict(each["met"]))
            for each in found
        ] or [(budget.what, budget.text, "-", "-", budget.without)]
    return rows


def _row(each):
    ratio = document.number(each["ratio"])
    return each["what"], _value(each), _rival(each), ratio, *_budget(each)


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
