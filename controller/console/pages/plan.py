"""The page `plan`. It shows the next slots of the plan, its cap on the import, the saved money, and
what the planner waits for. A slot is a quarter of an hour.
"""

from controller.console.pages import plan_words as words
from controller.console.pages.plan_words import Plan, Span
from controller.console.pages.text import (
    HEIGHT,
    RULE,
    Parts,
    filled,
    folded,
    pages,
    scaled,
    wrapped,
)
from controller.state.base import Facts
from controller.system.paths import ascii_only

ROOM = HEIGHT - 3  # number of lines between the head and the line with the part's number
ROWS_WITH_HEADER = 9  # first rows of the table, which stay together with its header
DO = "Check that it runs: systemctl status firebreak-planner."
DOES = {words.DISCHARGES: "discharge", words.CHARGES: "charge", words.IDLE: "rest"}
COLUMNS = "{:<18} {:<9} {:>7} {:>8} {:>7} {:>8} {:>7} {:>8}"
HEADER = COLUMNS.format(
    "FROM .. TO", "BATTERY", "kW", "load kW", "PV kW", "grid kW", "per kWh", "kWh then"
)


def parts(facts: Facts) -> Parts:
    """The plan as parts of a page, each below the head of the controller's pages. facts: see
    state/plan_seen.py.
    """
    return pages(facts, filled(blocks(facts), ROOM))


def blocks(facts: Facts) -> Parts:
    """The lines, as blocks. The lines of a block stay together on a page."""
    plan = facts["plan"]
    if plan is None:
        return [_said("", facts["trouble"] or "")]
    parts = [_said("OLD", old(plan))] if facts["is_old"] else []
    parts += [_said("WAITS", wait) for wait in plan["waits"]]
    parts += [_said(*pair) for pair in (("TODAY", words.today(plan)), *words.state(plan))]
    rows = [_row(span) for span in words.spans(plan["slots"])]
    if rows:
        parts += [
            [RULE, HEADER, *rows[:ROWS_WITH_HEADER]],
            *[[row] for row in rows[ROWS_WITH_HEADER:]],
            [RULE],
        ]
    parts += [_said(*pair) for pair in words.month(plan)]
    texts = [" ".join(filter(None, shadow)) for shadow in words.shadows(plan)]
    parts += [_said("OTHERS", f"in the same hours: {'; '.join(texts)}.", 5)] if texts else []
    return parts + [_said("DOUBT", doubt) for doubt in plan["doubts"]]


def old(plan: Plan) -> str:
    """A sentence with the time of the last plan.json and the remedy, for a plan that is too old."""
    written = words.time_of(plan)
    return f"the planner has written nothing since {written.day} {written:%B %H:%M}. {DO}"


def _said(label: str, sentence: str, lines_max: int = 3) -> list[str]:
    return folded(label.upper(), ascii_only(sentence), lines_max)


def _row(span: Span) -> str:
    names = "battery_W", "load_W", "pv_W", "grid_W"
    power, *powers = [scaled(span.mean(name), words.W_PER_KW) for name in names]
    price, stored_Wh = span.mean("price_per_kWh"), span.rows[-1]["stored_Wh"]
    return COLUMNS.format(
        f"{span.begin:%a %H:%M} .. {span.end:%H:%M}",
        DOES[span.does],
        power.lstrip("-"),
        *powers,
        scaled(price, 1, 3),
        scaled(stored_Wh, words.WH_PER_KWH, 0),
    )


def lines(facts: Facts) -> list[str]:
    """The page of `firebreak plan`, which needs no controller."""
    plan = facts["plan"]
    head = ascii_only(f"Plan of {plan['site']}, times of {plan['zone']}")
    return [*wrapped(head, 8), RULE, *[line for block in blocks(facts) for line in block]]
