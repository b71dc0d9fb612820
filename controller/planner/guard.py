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

from controller.planner.places import Bills
from controller.planner.tariff import charges
from controller.system.local_days import SLOT_S, day_begin, slots_between


def charge_to_W(
    tariff: Mapping[str, Any],
    time: datetime,
    past: tuple[Sequence[float], Sequence[Bills]],
    peaks_W: Sequence[float],
) -> list[float]:
    """Highest import up to which the battery charges in the slots of each demand charge, W. past:
    load less PV of the last days until this time, and what bills it; peaks_W: the highest billed
    imports of this month.
    """
    return [
        max(peak_W, _paid_W(at, charge.interval_min, time, past))
        if charge.rate(time.month)
        else math.inf
        for at, (charge, peak_W) in enumerate(zip(charges(tariff), peaks_W, strict=True))
    ]


def _paid_W(
    charge: int, interval_min: int, time: datetime, past: tuple[Sequence[float], Sequence[Bills]]
) -> float:
    """The highest billed interval of this month without the battery, as far as it is known."""
    net_W, billed = past
    count = round(interval_min * 60 / SLOT_S)
    begin = len(net_W) - slots_between(day_begin(time.replace(day=1)), time)  # of the month
    first = begin if begin >= 0 else begin % count
    intervals = range(first, len(net_W) - count + 1, count)
    return max(
        [sum(net_W[at : at + count]) / count for at in intervals if billed[at][charge]], default=0.0
    )
