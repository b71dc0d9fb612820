"""Writes the plan as one HTML page with sentences, pictures and costs. The page needs no other
file.
"""

from controller.console import plan_chart
from controller.console.pages import plan as text_page, plan_words as words
from controller.console.pages.plan_words import Plan, Span
from controller.documents import html_page
from controller.documents.document import Banner, Blocks, Heading, Picture, Text, filled
from controller.state.base import Facts
from controller.system import cli

STYLE = """
body { max-width: 1100px; font-size: 15px; } h1 + p { font-size: 1.25rem; }
svg { width: 100%; height: auto; margin: .6rem 0; } .phone { display: none; }
table { width: auto; } td { font-variant-numeric: tabular-nums; }
@media (max-width: 640px) { .wide { display: none; } .phone { display: block; }
  body { margin: .5rem auto; padding: 0 .5rem; } h1 + p { font-size: 1.1rem; }
  th, td { padding: .15rem .3rem; font-size: 14px; } }
"""


def write(path: str, facts: Facts) -> None:
    """Write the page. Ends the command if the file cannot be written."""
    cli.write(path, html_page.page(blocks(facts), STYLE) + "\n")


def blocks(facts: Facts) -> Blocks:
    """The page as blocks. facts: facts of state/plan_seen.py that contain a plan."""
    plan: Plan = facts["plan"]
    moment, since = words.time_of(plan), words.time_of(plan["month"], "since")
    parts: Blocks = [Heading(1, f"Plan of {moment:%A} {moment.day} {moment:%B %Y}, {moment:%H:%M}")]
    parts.append(Text(f"{words.today(plan)} {words.next_spans(plan)}"))
    if facts["is_old"]:
        parts.append(Banner(f"Old: {text_page.old(plan)}"))
    parts += [Banner(f"It waits: {wait}") for wait in plan["waits"]]
    parts += [Text(f"{label}: {text}") for label, text in words.state(plan)]
    parts += [
        Picture(plan_chart.chart(plan, width_px), kind)
        for kind, width_px in (("wide", plan_chart.WIDE_px), ("phone", plan_chart.PHONE_px))
    ]
    parts.append(Text("Solid: measured. Dashed: planned. Prices are with all adders."))
    spans = [_row(span) for span in words.spans(plan["slots"])]
    parts += filled("The next hours", ("time", "battery", "price", "stored then"), spans)
    parts += filled(f"Since {since.day} {since:%B}", ("", "this month"), words.month(plan))
    headers = "way in the same hours", "cost", "more than as run"
    parts += filled("What another way would have cost", headers, words.shadows(plan))
    parts += filled("In doubt", ("line",), [(doubt,) for doubt in plan["doubts"]])
    parts.append(Text(f"Site file {plan['site']}; times of {plan['zone']}."))
    return parts


def _row(span: Span) -> tuple[str, ...]:
    power_W, stored_Wh = span.mean("battery_W"), span.rows[-1]["stored_Wh"]
    price = span.mean("price_per_kWh")
    activity = f"{text_page.DOES[span.does]}s"
    return (
        f"{span.begin:%a\u00a0%H:%M}\u2011{span.end:%H:%M}",
        activity
        if span.does == words.IDLE or power_W is None
        else f"{activity} {words.kilowatt(abs(power_W))}",
        "unknown" if price is None else f"{price:.3f}",
        words.number(stored_Wh, words.WH_PER_KWH, "kWh", 0),
    )
