"""The page `plan` with a plan.json of any content that its form allows, and without one."""

from datetime import timedelta
from pathlib import Path

import pytest
import sample_plan
from command_line import flat
from sample_plan import NOW, QUARTER

from controller.console import pages, plan_chart, plan_page
from controller.console.pages import plan_words as words
from controller.console.pages.text import HEIGHT, WIDTH
from controller.state import plan_file, plan_seen

HEAD = {"cabinet": "one", "state": "running", "uptime_ms": 3, "is_live": True}
FOREIGN = "Z\u00fcrich \U0001f600 <b>&"


def written(folder, content):
    path = plan_file.beside(str(folder))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        plan_file.written(path, content)
    elif content is not None:
        Path(path).write_text(content)
    return plan_seen.facts(str(folder), NOW.timestamp())


def rows(name, count, **values):
    """Quarters of an hour with the same values, unless a value is a function of the number."""
    first = sample_plan.plan()[name][0]
    at = NOW.replace(second=0)
    return [
        {**first, "at": (at + number * QUARTER).isoformat()}
        | {key: each(number) if callable(each) else each for key, each in values.items()}
        for number in range(count)
    ]


POWERS = "load_W", "pv_W", "grid_W", "battery_W"
EDGES = {
    "nothing": {"slots": [], "actual": [], "made_at": None, "habit": None},
    "largest": {
        "currency": FOREIGN * 20,
        "site": FOREIGN * 20,
        "waits": [FOREIGN * 20] * 32,
        "doubts": ["x" * 300] * 32,
        "slots": rows("slots", 192, **dict.fromkeys(POWERS, 1e9), price_per_kWh=-1e4),
        "actual": rows("actual", 96, **dict.fromkeys(POWERS, -1e9), price_per_kWh=1e4),
        "cap_W": 1e9,
        "full_Wh": 1e12,
    },
    "restless": {"slots": rows("slots", 192, battery_W=lambda at: 9e4 * (-1) ** at)},
    "unknown": {
        "slots": rows("slots", 9, **dict.fromkeys((*POWERS, "stored_Wh", "price_per_kWh"))),
        "actual": rows("actual", 9, **dict.fromkeys((*POWERS, "stored_Wh", "price_per_kWh"))),
    },
    "one time": {"slots": rows("slots", 1) * 9, "actual": rows("actual", 1) * 9},
    "backwards": {"slots": rows("slots", 30)[::-1]},
    "holes": {"slots": rows("slots", 60)[::2]},
    "years apart": {"slots": [rows("slots", 1)[0] | {"at": f"{year}-01-01T00:00:00+14:00"}
                              for year in (2000, 2199)]},
}  # fmt: skip


@pytest.mark.parametrize("change", EDGES.values(), ids=EDGES)
def test_every_allowed_plan_fits_the_screen_and_the_page(tmp_path, change):
    facts = written(tmp_path / "run", sample_plan.plan(**change))
    assert facts["trouble"] is None
    parts = pages.parts("plan", HEAD | facts)
    for lines in parts:
        assert len(lines) <= HEIGHT
        for line in lines:
            assert line.isascii() and len(line) <= WIDTH and "nan" not in line, line
    text = plan_page.html_page.page(plan_page.blocks(facts), plan_page.STYLE)
    assert "<b>" not in text and "nan" not in text and "inf" not in text


@pytest.mark.parametrize(
    "content, said",
    [
        (None, "no plan yet: start the planner"),
        ("{", "is not JSON"),
        ("[1]", "is not a table"),
        ('{"version": 2}', "version: 2 is not allowed"),
    ],
)
def test_a_page_without_a_plan_says_why(tmp_path, content, said):
    facts = HEAD | written(tmp_path / "run", content)
    (lines,) = pages.parts("plan", facts)
    assert said in flat(lines) and len(lines) <= HEIGHT


def test_waits_and_age_come_first(tmp_path):
    old = sample_plan.plan(NOW - timedelta(days=1), waits=["the controller does not answer"])
    (lines, *_) = pages.parts("plan", HEAD | written(tmp_path / "run", old))
    assert lines[2].startswith("OLD") and lines[4] == "WAITS  the controller does not answer"


def test_a_short_rest_does_not_end_a_span():
    row = rows("slots", 8, battery_W=lambda at: [5e4, 5e4, 0, 0, 5e4, 0, 0, 0][at])
    found = words.spans(row)
    assert [(each.does, len(each.rows)) for each in found] == [("+", 5), (".", 3)]
    row = rows("slots", 7, battery_W=lambda at: [5e4, 5e4, 0, 0, 0, 5e4, 5e4][at])
    assert [each.does for each in words.spans(row)] == ["+", ".", "+"]


def test_what_a_day_saves_is_import_and_stored_energy():
    slots = rows(
        "slots", 4, load_W=100e3, pv_W=0.0, battery_W=40e3, grid_W=60e3, price_per_kWh=0.25,
        stored_Wh=lambda at: 90e3 - 10e3 * at,
    )  # fmt: skip
    assert words.saved(slots, 100e3) == pytest.approx(40 * 0.25 - 40 * 0.25)
    assert words.saved(slots, 90e3) == pytest.approx(10 - 30 * 0.25)
    plan = sample_plan.plan(slots=slots, actual=[], stored_Wh=90e3)
    assert words.saving(plan) == "From 13:00 on today the battery saves about 2.50 EUR by prices."
    assert words.peak(plan).endswith("from 100.0 to 60.0 kW.")


def test_today_s_import_is_compared_with_the_plan():
    assert words.differs(sample_plan.plan()).startswith("today's import was 4.0 kW off the plan")
    off = rows(
        "actual", 4, grid_W=100e3, planned_grid_W=lambda at: None if at == 1 else 1e5 + 3e3 * at
    )
    found = words.differs(sample_plan.plan(actual=off))
    assert found == "today's import was 5.0 kW off the plan, at most 9.0 kW at 13:45."
    assert words.differs(sample_plan.plan(actual=off[1:2])) == ""


def test_the_picture_breaks_a_line_at_an_unknown_value():
    slots = rows("slots", 4, battery_W=lambda at: None if at == 2 else 1e3)
    drawn = plan_chart.chart(sample_plan.plan(slots=slots, actual=[]), plan_chart.WIDE_px)
    (path,) = [each for each in drawn.split("<path ") if f'stroke="{plan_chart.BATTERY}"' in each]
    assert path.count("M") == 2 and path.count("H") == 3


def test_what_the_load_gets_later_is_named_where_it_was_lowered():
    plan = sample_plan.plan()
    sentence = "42 kWh that the load gets later: it was lowered on request in 3.5 h."
    assert ("Later", sentence) in words.month(plan)
    plan["month"]["yielded_kWh"] = 0.0
    assert "Later" not in dict(words.month(plan))
