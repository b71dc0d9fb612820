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
    at, since = words.time_of(plan), words.time_of(plan["month"], "since")
    found: Blocks = [Heading(1, f"Plan of {at:%A} {at.day} {at:%B %Y}, {at:%H:%M}")]
    found.append(Text(f"{words.today(plan)} {words.next_spans(plan)}"))
    if facts["is_old"]:
        found.append(Banner(f"Old: {text_page.old(plan)}"))
    found += [Banner(f"It waits: {each}") for each in plan["waits"]]
    found += [Text(f"{label}: {said}") for label, said in words.state(plan)]
    found += [
        Picture(plan_chart.chart(plan, width_px), kind)
        for kind, width_px in (("wide", plan_chart.WIDE_px), ("phone", plan_chart.PHONE_px))
    ]
    found.append(Text("Solid: measured. Dashed: planned. Prices are with all adders."))
    spans = [_row(span) for span in words.spans(plan["slots"])]
    found += filled("The next hours", ("time", "battery", "price", "stored then"), spans)
    found += filled(f"Since {since.day} {since:%B}", ("", "this month"), words.month(plan))
    ways = "way in the same hours", "cost", "more than as run"
    found += filled("What another way would have cost", ways, words.shadows(plan))
    found += filled("In doubt", ("line",), [(each,) for each in plan["doubts"]])
    found.append(Text(f"Site file {plan['site']}; times of {plan['zone']}."))
    return found


def _row(span: Span) -> tuple[str, ...]:
    power, stored_Wh = span.mean("battery_W"), span.rows[-1]["stored_Wh"]
    price = span.mean("price_per_kWh")
    does = f"{text_page.DOES[span.does]}s"
    return (
        f"{span.begin:%a\u00a0%H:%M}\u2011{span.end:%H:%M}",
        does
        if span.does == words.RESTS or power is None
        else f"{does} {words.kilowatt(abs(power))}",
        "unknown" if price is None else f"{price:.3f}",
        words.number(stored_Wh, words.WH_PER_KWH, "kWh", 0),
    )
