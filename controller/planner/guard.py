"""Never worse than no battery: the import up to which a charge may lift a billed slot.

A cap is learnt from the last weeks. In a month whose load falls, a charge up to that cap sets a
peak that the load alone never reaches, and the site pays it: 294 kW became 330 kW. So a charge
stays below what the month has paid already, with the battery or without. On the first day of a
month it waits for the load.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controller.system.local_days import SLOT_S, day_begin, slots_between


def charge_to_W(
    tariff: Mapping[str, Any],
    time: datetime,
    past: tuple[Sequence[float], Sequence[bool]],
    peak_W: float,
) -> float:
    """Highest import of a charge in billed slots, W. past: load less PV of the last days until this
    time, and whether it is billed; peak_W: the highest billed import of this month.
    """
    if not any(tariff["demand_per_kW_month"]):
        return math.inf
    net_W, billed = past
    count = round(tariff["demand_interval_min"] * 60 / SLOT_S)
    begin = len(net_W) - slots_between(day_begin(time.replace(day=1)), time)  # of the month
    first = begin if begin >= 0 else begin % count
    intervals = range(first, len(net_W) - count + 1, count)
    paid_W = [sum(net_W[at : at + count]) / count for at in intervals if billed[at]]
    return max([peak_W, *paid_W])
