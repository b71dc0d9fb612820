"""`python -m hil bench page RESULT.json...` makes the page of all figures from result files."""

from collections.abc import Iterable

from hil.campaigns.benchmarks.document import BUDGETS, Document, Figure, number, verdict
from hil.results import template

ORDER = "step loop rtu start stop rig pod".split()


def page(docs: Iterable[Document]) -> str:
    """The page as text; docs: checked documents, in any order."""
    docs = sorted(docs, key=_order)
    sections = [(doc, [_row(figure) for figure in doc["figures"]]) for doc in docs]
    return template.rendered("benchmarks.txt", budgets=_budgets(docs), sections=sections)


def _order(doc: Document) -> tuple[int, str, str]:
    name = doc["benchmark"]
    return (ORDER.index(name) if name in ORDER else len(ORDER), name, doc["measured"])


def _budgets(docs: list[Document]) -> list[tuple[str, ...]]:
    """Rows for every budget of the design: its figures, or why it has none."""
    rows: list[tuple[str, ...]] = []
    for key, budget in BUDGETS.items():
        figures = [figure for doc in docs for figure in doc["figures"] if figure["budget"] == key]
        rows += [
            (figure["what"], budget.text, _value(figure), _rival(figure), verdict(figure["met"]))
            for figure in figures
        ] or [(budget.what, budget.text, "-", "-", budget.without)]
    return rows


def _row(figure: Figure) -> tuple[str, ...]:
    ratio, budget = number(figure["ratio"]), ("-", "")
    if figure["budget"] is not None:
        budget = BUDGETS[figure["budget"]].text, verdict(figure["met"])
    return figure["what"], _value(figure), _rival(figure), ratio, *budget


def _value(figure: Figure) -> str:
    return f"{number(figure['value'])} {figure['unit']}"


def _rival(figure: Figure) -> str:
    if not figure["rival"]:
        return "-"
    return f"{figure['rival']} {number(figure['rival_value'])} {figure['unit']}"
