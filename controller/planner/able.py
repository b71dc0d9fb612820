"""The battery of a plan: what the cabinet measures, at most what the file says.

A plan that counts on a new battery promises a cap that a worn one breaks. So each plan is made for
the energy and the power of now. The habit and the cap of a day, and the accounts, go by the usual
battery of two days: a rack that is out of service for an hour changes none of them.
"""

import math
from collections.abc import Callable, Sequence

from controller.planner.exact import J_PER_WH
from controller.planner.planning import Site

LEAST = 1.0  # J or W: a battery that can do nothing is planned with, and nothing divides by zero
ENERGY_BY_FILE = "energy by the file: the racks report none"
POWER_BY_FILE = "power by the file: the cabinet has permitted none at a middle charge"
# energies when full, Wh; powers of a charge, and of a discharge, W; the newest last, none: unknown
Values = Sequence[Sequence[float]]


def site_of(site: Site, values: Values, choose: Callable[[Sequence[float]], float]) -> Site:
    """The site with the battery that it has. site: by the file, which counts where none is known.
    choose: one of several values.
    """
    full_Wh, charge_W, most_W = [choose(each) if each else math.inf for each in values]
    store, full_J = site.store, _within(full_Wh * J_PER_WH, site.full_J)
    part = full_J / site.full_J
    own = store._replace(
        low_J=part * store.low_J,
        high_J=part * store.high_J,
        now_J=part * store.now_J,
        charge_W=_within(charge_W, store.charge_W),
        discharge_W=_within(most_W, store.discharge_W),
    )
    return site._replace(store=own, full_J=full_J)


def _within(value: float, most: float) -> float:
    return max(LEAST, min(value, most))


def doubts(values: Values) -> list[str]:
    """A line for what counts by the file."""
    lines = ENERGY_BY_FILE, POWER_BY_FILE
    return [line for line, each in zip(lines, (values[:1], values[1:])) if not all(each)]
