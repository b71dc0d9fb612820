"""Shadows: what each habit would have made of this month. They inform, and choose nothing.

A shadow begins each month with the battery's own energy, plans each hour by what was known then,
and follows its plan by the model of backtest.py. After a restart the month is made again.
"""

import math
from collections.abc import Sequence

from controller.planner import accounts, backtest, planning
from controller.planner.accounts import Series
from controller.planner.backtest import HOUR_SLOTS, PRICES_AT, Outcome
from controller.planner.planning import PAST_DAYS, SLOT_S, SLOTS_PER_DAY, Habit, Known, Site

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
        for each in self._own.values():
            each.follow(found, at, end, price_per_kWh)
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


class _Shadow:
    def __init__(self, site: Site, habit: Habit, stored_J: float) -> None:
        self._site, self._habit, self._peaks = site, habit, backtest.Peaks(site)
        self._begun_J = self._stored_J = stored_J
        self._given_J, self._grid_W = 0.0, list[float]()

    def follow(self, found: Series, first: int, end: int, price_per_kWh: Sequence[float]) -> None:
        """Plan at the first of these quarters, and follow the plan until the end."""
        site, time = self._site, planning.later(found.start, first)
        prices = [*found.price_per_kWh, *price_per_kWh]
        known = known_at(found, first, prices, self._stored_J, self._peaks.of(time))
        cap_W = planning.cap_of(site, known, self._habit)
        rows = planning.planned(site, known, cap_W, self._habit).rows
        for row, at in zip(rows, range(first, end)):
            net_W = found.load_W[at] - found.pv_W[at]
            own_W = backtest.power_W(row, net_W, self._stored_J, site)
            self._stored_J -= backtest.moved_J(own_W, site)
            self._given_J += max(0.0, own_W) * SLOT_S
            self._grid_W.append(net_W - own_W)
            self._peaks.see(planning.later(found.start, at), net_W - own_W)

    def outcome(self) -> Outcome:
        """What it made of the month so far."""
        return Outcome(self._grid_W, self._stored_J - self._begun_J, self._given_J)


def known_at(
    found: Series, at: int, prices: Sequence[float], stored_J: float, peak_W: float
) -> Known:
    """What a sender knew at a quarter: from 13:00 on, the prices of tomorrow."""
    time = planning.later(found.start, at)
    slot = (time.hour * 60 + time.minute) * 60 // SLOT_S
    ahead = SLOTS_PER_DAY * (2 if slot >= PRICES_AT else 1) - slot
    own = slice(max(0, at - PAST_DAYS * SLOTS_PER_DAY), at)
    return Known(
        time,
        *(found.load_W[own], found.pv_W[own], found.price_per_kWh[own]),
        *(prices[at : at + ahead], stored_J, peak_W),
    )
