"""Never worse than no battery: the import up to which a charge may lift a billed slot.

A cap is learnt from the last weeks. In a month whose load falls, a charge up to that cap sets a
peak that the load alone never reaches, and the site pays it: 294 kW became 330 kW. So a charge
stays below what the month has paid already, with the battery or without, and below what a load
that is told will take in it. On the first day of a month it waits for the load.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from controller.system.local_days import SLOT_S, day_begin, slots_between

Net = tuple[Sequence[float], Sequence[bool]]  # load less PV of slots, W, and whether it is billed


def charge_to_W(
    tariff: Mapping[str, Any],
    time: datetime,
    past: Net,
    peak_W: float,
    told: Net = ([], []),
) -> float:
    """Highest import of a charge in billed slots, W. past: load less PV of the last days until this
    time, and whether it is billed; peak_W: the highest billed import of this month; told: as the
    past, from this time on.
    """
    if not any(tariff["demand_per_kW_month"]):
        return math.inf
    next_month = (day_begin(time.replace(day=1)) + timedelta(days=31)).replace(day=1)
    left = slots_between(time, next_month)
    net_W = [*past[0], *told[0][:left]]
    billed = [*past[1], *told[1][:left]]
    count = round(tariff["demand_interval_min"] * 60 / SLOT_S)
    begin = len(past[0]) - slots_between(day_begin(time.replace(day=1)), time)  # of the month
    first = begin if begin >= 0 else begin % count
    intervals = range(first, len(net_W) - count + 1, count)
    paid_W = [sum(net_W[at : at + count]) / count for at in intervals if billed[at]]
    return max([peak_W, *paid_W])
