"""Bounds the import during a charge, so that a site never pays more than without a battery.

A cap is learnt from the last weeks. In a month with a lower load, charging up to this cap sets a
peak that the load alone never reaches. The site pays for this peak: in one month 330 kW instead of
294 kW. So charging stays below the highest peak of the month so far, with the battery or without
it. It may also reach the peak that a job plan gives for the rest of the month. On the first day of
a month, charging waits until the load has set a peak.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controller.planner.exact import Numbers
from controller.planner.places import Bills
from controller.planner.tariff import charges
from controller.system.local_days import SLOT_S, day_begin, slots_between

Net = tuple[Numbers, Sequence[Bills]]  # load less PV, W, and charges that bill, by slot


def charge_to_W(
    tariff: Mapping[str, Any],
    time: datetime,
    past: Net,
    peaks_W: Numbers,
    job_plan: Net = ([], []),
    caps_W: Numbers = (),
) -> list[float]:
    """Highest import up to which the battery charges in the slots of each demand charge, W.

    past: load less PV of the last days, and the charges that bill it. job_plan: the same for the
    coming slots of a job plan. peaks_W: highest billed imports of this month. caps_W counts only if
    there are several charges: a cap above all past peaks is then intended, because it serves the
    cap of a dearer charge.
    """
    next_month = day_begin(time.replace(day=1), 31).replace(day=1)
    slots_left = slots_between(time, next_month)
    net_W, billed = [*past[0], *job_plan[0][:slots_left]], [*past[1], *job_plan[1][:slots_left]]
    begin = len(past[0]) - slots_between(day_begin(time.replace(day=1)), time)  # of the month
    bounds_W = list[float]()
    for index, (charge, peak_W) in enumerate(zip(charges(tariff), peaks_W, strict=True)):
        count = round(charge.interval_min * 60 / SLOT_S)
        firsts = range(begin if begin >= 0 else begin % count, len(net_W) - count + 1, count)
        paid_W = [
            math.fsum(net_W[first : first + count]) / count
            for first in firsts
            if billed[first][index]
        ]
        days_W = [power_W for power_W, bills in zip(*past) if bills[index]]
        intended_W = [
            cap_W for cap_W in caps_W[index : index + 1] if cap_W > max(days_W, default=0.0)
        ]
        most_W = max([peak_W, *paid_W, *(intended_W if len(peaks_W) > 1 else [])])
        bounds_W.append(most_W if charge.rate(time.month) else math.inf)
    return bounds_W
