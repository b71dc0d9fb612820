"""Shadows: what each habit would have made of this month. They inform, and choose nothing.

A shadow begins each month with the battery's own energy, plans each hour by what was known then,
and follows its plan by the model of backtest.py. After a restart the month is made again.
"""

import math
from collections.abc import Sequence

from controller.planner import accounts, backtest, planning
from controller.planner.accounts import Series
from controller.planner.backtest import HOUR_SLOTS, Layer, Past
from controller.planner.daily import Daily
from controller.planner.planning import SLOT_S, Habit, Site

HABITS = {
    "holds_cap": planning.HOLDS_CAP,
    "trades": planning.TRADES,
    "told": planning.TOLD,
    "energy_only": planning.ENERGY_ONLY,
}


class Shadows:
    """`step` makes one hour of each, so that the process can renew its heartbeat in between."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._since = self._until = math.nan  # s since 1970: of the month, and done so far
        self._own: dict[str, _Shadow] = {}

    def step(self, found: Series, price_per_kWh: Sequence[float]) -> bool:
        """One hour more of each shadow; False: none was left to do. price_per_kWh: from the end of
        the newest quarter on.
        """
        first = max(HOUR_SLOTS, accounts.month_begin(found))
        since = found.start.timestamp() + first * SLOT_S
        if since != self._since:
            self._since = self._until = since
            self._own = {
                name: _Shadow(self._site, habit, found.stored_J[first - 1])
                for name, habit in HABITS.items()
            }
        at = round((self._until - found.start.timestamp()) / SLOT_S)
        end = -(-(at + 1) // HOUR_SLOTS) * HOUR_SLOTS
        if end > len(found.load_W):
            return False
        prices = [*found.price_per_kWh, *price_per_kWh]
        past = Past(found.start, found.load_W, found.pv_W, prices, 0)
        for each in self._own.values():
            each.hour(past, at, end)
        self._until += (end - at) * SLOT_S
        return True

    def costs(self, found: Series) -> list[dict[str, str | float]]:
        """The cost of this month until the last hour of `step`: as run, no battery, by habit."""
        first, end = [
            round((each - found.start.timestamp()) / SLOT_S) if each == each else 0
            for each in (self._since, self._until)
        ]
        if end <= first:
            return []
        past, done = accounts.part(found, first, end)
        ways = {"as run": done, "no battery": backtest.without(past)}
        ways |= {name: each.outcome() for name, each in self._own.items()}
        return [
            {"name": name, "cost": backtest.cost(self._site, past, each)}
            for name, each in ways.items()
        ]


class _Shadow(Layer):
    def __init__(self, site: Site, habit: Habit, stored_J: float) -> None:
        super().__init__(site, stored_J)
        self._daily = Daily(site, habit)

    def hour(self, past: Past, first: int, end: int) -> None:
        """Plan at the first of these quarters, and follow the plan until the end."""
        self.follow(past, first, end, self._daily.rows(self.known(past, first)))
