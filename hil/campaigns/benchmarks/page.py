"""`python -m hil bench page RESULT.json...` makes the page of all figures from result files."""

from collections.abc import Iterable

from hil.campaigns.benchmarks.document import BUDGETS, Document, Figure, number, verdict
from hil.results import template

ORDER = ("step", "loop", "rtu", "replay", "start", "stop", "rig", "pod")


def page(docs: Iterable[Document]) -> str:
    """The page as text; docs: checked documents, in any order."""
    docs = sorted(docs, key=_order)
    sections = [(doc, [_row(each) for each in doc["figures"]]) for doc in docs]
    return template.rendered("benchmarks.txt", budgets=_budgets(docs), sections=sections)


def _order(doc: Document) -> tuple[int, str, str]:
    name = doc["benchmark"]
    return (ORDER.index(name) if name in ORDER else len(ORDER), name, doc["measured"])


def _budgets(docs: list[Document]) -> list[tuple[str, ...]]:
    """Rows for every budget of the design: its figures, or why it has none."""
    rows: list[tuple[str, ...]] = []
    for key, budget in BUDGETS.items():
        found = [each for doc in docs for each in doc["figures"] if each["budget"] == key]
        rows += [
            (each["what"], budget.text, _value(each), _rival(each), verdict(each["met"]))
            for each in found
        ] or [(budget.what, budget.text, "-", "-", budget.without)]
    return rows


def _row(each: Figure) -> tuple[str, ...]:
    ratio, budget = number(each["ratio"]), ("-", "")
    if each["budget"] is not None:
        budget = BUDGETS[each["budget"]].text, verdict(each["met"])
    return each["what"], _value(each), _rival(each), ratio, *budget


def _value(each: Figure) -> str:
    return f"{number(each['value'])} {each['unit']}"


def _rival(each: Figure) -> str:
    if not each["rival"]:
        return "-"
    return f"{each['rival']} {number(each['rival_value'])} {each['unit']}"
