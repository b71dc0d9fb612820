"""Gives a plan the energy and power that the battery has now, at most those of the site file.

A plan for a new battery promises a cap that a worn battery cannot hold. So each plan is made for
the energy and the power that the cabinet reports now. The habit (way to plan) and the cap of a
day, and the accounts, use the median of the last two days instead. So they do not change while a
rack is out of service for an hour.
"""

import math
from collections.abc import Callable, Sequence

from controller.planner.exact import J_PER_WH
from controller.planner.planning import Site

LEAST = 1.0  # J or W; a plan for a battery that can do nothing must not divide by zero
ENERGY_BY_FILE = "energy by the file: the racks report none"
POWER_BY_FILE = "power by the file: the cabinet has permitted none at a middle charge"
# Energy when full in Wh, charge power in W, discharge power in W: of each a list with the newest
# value last. An empty list is unknown.
Values = Sequence[Sequence[float]]


def site_of(site: Site, values: Values, choose: Callable[[Sequence[float]], float]) -> Site:
    """The site with its battery as reported. site: as in the file, whose values count where the
    cabinet reports none. choose: chooses one of several reported values.
    """
    full_Wh, charge_W, discharge_W = [choose(column) if column else math.inf for column in values]
    battery, full_J = site.store, _within(full_Wh * J_PER_WH, site.full_J)
    share = full_J / site.full_J
    reported = battery._replace(
        low_J=share * battery.low_J,
        high_J=share * battery.high_J,
        now_J=share * battery.now_J,
        charge_W=_within(charge_W, battery.charge_W),
        discharge_W=_within(discharge_W, battery.discharge_W),
    )
    return site._replace(store=reported, full_J=full_J)


def _within(value: float, most: float) -> float:
    return max(LEAST, min(value, most))


def doubts(values: Values) -> list[str]:
    """A line for each value that is taken from the file, because the cabinet reports none."""
    lines = ENERGY_BY_FILE, POWER_BY_FILE
    return [line for line, columns in zip(lines, (values[:1], values[1:])) if not all(columns)]
