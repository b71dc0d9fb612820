"""The battery of a plan: what the cabinet measures, at most what the file says.

A plan that counts on a new battery promises a cap that a worn one breaks. So each plan is made for
the energy and the power of now. The habit and the cap of a day, and the accounts, go by the usual
battery of two days: a rack that is out of service for an hour changes none of them.
"""

import statistics
from collections.abc import Mapping, Sequence

from controller.planner.exact import J_PER_WH
from controller.planner.planning import Site

LEAST = 1.0  # J or W: a battery that can do nothing is planned with, and nothing divides by zero
ENERGY_BY_FILE = "energy by the file: the racks report none"
POWER_BY_FILE = "power by the file: the cabinet has permitted none at a middle charge"
NAMES = "full_Wh", "charge_W", "discharge_W"
Values = Mapping[str, Sequence[float]]  # of NAMES, the newest last; empty: unknown


def site_of(
    site: Site, full_Wh: float | None, charge_W: float | None, most_W: float | None
) -> Site:
    """The site with the battery that it has. site: by the file; most_W: of a discharge; None:
    unknown, as by the file.
    """
    store = site.store
    full_J = site.full_J if full_Wh is None else _within(full_Wh * J_PER_WH, site.full_J)
    part = full_J / site.full_J
    own = store._replace(
        low_J=part * store.low_J,
        high_J=part * store.high_J,
        now_J=part * store.now_J,
        charge_W=_within(charge_W, store.charge_W),
        discharge_W=_within(most_W, store.discharge_W),
    )
    return site._replace(store=own, full_J=full_J)


def _within(value: float | None, most: float) -> float:
    return most if value is None else max(LEAST, min(value, most))


def newest(site: Site, values: Values) -> Site:
    """The battery of now."""
    return site_of(site, *[values[name][-1] if values[name] else None for name in NAMES])


def usual(site: Site, values: Values) -> Site:
    """The battery of most of the time."""
    found = [statistics.median(values[name]) if values[name] else None for name in NAMES]
    return site_of(site, *found)


def doubts(values: Values) -> list[str]:
    """A line for what counts by the file."""
    has_power = all([values[name] for name in NAMES[1:]])
    return [ENERGY_BY_FILE] * (not values[NAMES[0]]) + [POWER_BY_FILE] * (not has_power)
