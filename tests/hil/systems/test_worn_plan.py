"""A worn battery, 28 days of a system: a plan that knows its energy beside one that counts on the
file's, both followed by the battery that is there.
"""

import pytest

from controller.core.base.schedule_table import OPEN_W
from controller.planner import able, backtest
from controller.planner.daily import Daily
from hil.systems import back_tests, pasts


def followed(case, counts_on, true):
    """(what it saves, energy above its own caps, kWh). counts_on: the site that is planned for."""
    caps_W, daily, more = [], Daily(counts_on), counts_on.full_J / true.full_J

    def way(known):
        rows = daily.rows(known._replace(stored_J=more * known.stored_J))  # the same charge
        caps_W.extend([row.grid_cap_W for row in rows[: backtest.HOUR_SLOTS]])
        return rows

    done = backtest.followed(true, case.past, back_tests.BEGIN * true.full_J, way)
    assert OPEN_W not in caps_W
    saved = back_tests.beside_none(case._replace(site=true), done)["saved"]
    return saved, back_tests.above_kWh(done, caps_W)


def compared(month, part):
    """The same of the plan that knows, then of the one that does not."""
    case = pasts.built_in("north_america", "", month, 28, 1)
    worn = able.site_of(case.site, [[part * case.site.full_J / 3600], [], []], max)
    return followed(case, worn, worn), followed(case, case.site, worn)


@pytest.mark.parametrize(
    "month", [10, *[pytest.param(each, marks=pytest.mark.slow) for each in (1, 4, 7)]]
)
def test_a_plan_that_knows_80_percent_keeps_its_caps(month):
    (knows, kept_kWh), (hopes, broken_kWh) = compared(month, 0.8)
    assert kept_kWh < 1 and broken_kWh > 300
    # 30 % of the battery are no part of a cap: so far the hope costs no money in each month
    assert knows > 0.91 * hopes


@pytest.mark.slow
@pytest.mark.parametrize("month", [1, 4, 7, 10])
def test_below_70_percent_a_plan_that_knows_saves_more(month):
    (knows, kept_kWh), (hopes, broken_kWh) = compared(month, 0.6)
    assert knows > hopes and kept_kWh < 1 and broken_kWh > 1000
