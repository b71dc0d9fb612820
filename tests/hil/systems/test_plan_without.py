"""`python -m hil plan --without`: each part can be taken away, and bad loads are what they say."""

import math
import random
from types import SimpleNamespace
from unittest import mock

import pytest
from test_guard import OCTOBER, SITE, STORE, load_W

from controller.planner.backtest import Past
from controller.planner.daily import Daily
from controller.planner.planning import Known, later
from hil.systems import plan_without
from hil.systems.pasts import Case

DAYS = 14
RISES = 1.3, 0.01, STORE.low_J


def knowns():
    """Hours of the first day of a month whose load stays, falls or rises, full and low."""
    for level, swing, stored_J in ((1.0, 0.01, STORE.now_J), (0.75, 0.3, STORE.low_J), RISES):
        load = load_W(random.Random(3), DAYS + 3, level)
        price = [0.1 + swing * math.sin(2 * math.pi * each / 96) for each in range(len(load))]
        for at in range(0, 96, 16):
            end = DAYS * 96 + at
            past = load[:end], [0.0] * end, price[:end], price[end : end + 192]
            yield Known(later(OCTOBER, at), *past, stored_J, [0.0])


def rows():
    return [Daily(SITE).rows(known) for known in knowns()]


@pytest.mark.parametrize("part", plan_without.PARTS)
def test_a_plan_without_a_part_is_another_one(part):
    whole = rows()
    with mock.patch.object(*plan_without.PARTS[part]):
        assert rows() != whole
    assert rows() == whole


def case(load):
    past = Past(OCTOBER, load, [0.0] * len(load), [0.1] * len(load), 96 * DAYS)
    return Case("made", "2026-10", SITE, past, "EUR")


@pytest.mark.parametrize("bad, part", [("falls", 0.75), ("rises", 1.15), ("one day", 1.2)])
def test_a_bad_load_begins_on_a_day_of_the_month(bad, part):
    load = [100e3 + at for at in range(96 * (DAYS + 28))]
    found = plan_without.bad_load(case(load), bad).past.load_W
    assert found[: 96 * DAYS] == load[: 96 * DAYS] and len(found) == len(load)
    ratios = [round(own / each, 6) for own, each in zip(found, load)]
    first = ratios.index(part)
    count = 96 if bad == "one day" else len(load) - first
    assert first % 96 == 0 and ratios[first : first + count] == [part] * count
    assert set(ratios[:first] + ratios[first + count :]) <= {1.0}
    assert plan_without.bad_load(case(load), bad).past.load_W == found, "drawn from its name"
    assert plan_without.bad_load(case(load), "").past.load_W == load


def test_a_row_says_what_a_part_earns_and_whose_month_is_worst(capsys):
    def month(name, currency, whole, without):
        saved = {"": whole, "guard": without}
        return dict(
            name=name, label="", bad="", currency=currency, best=100.0, bill=1000.0, saved=saved
        )

    found = [month("a", "EUR", 80.0, 70.0), month("b", "CNY", -5.0, 10.0)]
    runner = SimpleNamespace(play=lambda todo, work, name: found)
    (row,) = plan_without.run({}, ["guard"], runner)
    assert row["points"] == pytest.approx(100 * (-10 + 0.13 * 15) / 113)
    assert row["least"] == ("a", -10.0) and row["most"][0] == "b"
    assert row["most"][1] == pytest.approx(15.0) and row["permille"] == [-5.0, 10.0]
    assert "guard" in capsys.readouterr().out
