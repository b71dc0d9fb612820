"""The bound of a back-test: the least cost of past slots, if all of them had been known before."""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import fsum, inf

from controller.planner import cap, exact, planning, tariff
from controller.planner.backtest import Outcome, Past, cost, without
from controller.planner.exact import J_PER_KWH, Slot
from controller.planner.places import HOUR_SLOTS
from controller.planner.planning import CAP_PART, SLOT_S, Site, billed_of, later, open_W

SEARCHES = 18, 12, 5, 3  # steps of the search for each cap, with 1, 2, 3 or 4 demand charges
GOLDEN = (5**0.5 - 1) / 2


def optimum(site: Site, past: Past, stored_J: float) -> Outcome:
    """The least cost with perfect foresight, in the energy range of the plan. All slots count as
    one demand period. The cost is convex in the caps, so there is one search for each cap, nested
    in the search for the previous cap. Over twelve months this saved 99 % of the saving of a linear
    program with one demand charge, 98 % with two and 94 % with three.
    """
    foresight, most_W = _Foresight(site, past, stored_J), CAP_PART * site.import_W
    # a cheap peak rises so that a dear one falls
    rise_W = site.store.charge_W * (foresight.count > 1)
    bounds_W = [
        (max(0.0, min(peak_W, most_W) - site.store.discharge_W), min(peak_W + rise_W, most_W))
        for peak_W in foresight.peaks_W()
    ]
    searches = SEARCHES[foresight.count - 1]

    def least(*caps_W: float) -> float:
        if len(caps_W) == foresight.count:
            return foresight.loss(caps_W)
        bounds = bounds_W[len(caps_W)]
        return _least(lambda cap_W: least(*caps_W, cap_W), *bounds, searches)

    least()
    return foresight.best


def _least(loss: Callable[[float], float], low: float, high: float, searches: int) -> float:
    """The least value of a convex function between these bounds, found by golden section search."""
    first, second, least_loss = high - GOLDEN * (high - low), low + GOLDEN * (high - low), inf
    for _ in range(searches):
        first_loss, second_loss = loss(first), loss(second)
        least_loss = min(least_loss, first_loss, second_loss)
        if first_loss < second_loss:
            high, second = second, first
            first = high - GOLDEN * (high - low)
        else:
            low, first = first, second
            second = low + GOLDEN * (high - low)
    return least_loss


class _Foresight:
    """Plans with perfect foresight, for given caps of the charges that have a rate."""

    def __init__(self, site: Site, past: Past, stored_J: float):
        self._site, self._past = site, past
        self._store = site.store._replace(now_J=stored_J)
        self._net_W = without(past).grid_W
        self._start = later(past.start, past.before)
        self._price = _own_prices(site, past, self._start)
        self._billed = billed_of(site, self._start, 0, len(self._net_W))
        ends = self._start, later(self._start, len(self._net_W) - 1)
        end_rates = [planning.rates_of(site, end) for end in ends]
        self._rates = [fsum(rates) / 2 for rates in zip(*end_rates)]
        self._rated = [charge for charge, rate in enumerate(self._rates) if rate]
        self.count = len(self._rated)
        self._losses: dict[tuple[float, ...], float] = {}
        self.best = without(past)  # only the best is kept, because each has 28 days of powers

    def peaks_W(self) -> list[float]:
        """The highest power that each charge bills. A single charge takes that of all slots."""
        span = cap.Span(self._net_W, self._billed, 0.0)
        return (
            [span.peak_W(charge) for charge in self._rated]
            if self.count > 1
            else [max(self._net_W)]
        )

    def loss(self, caps_W: tuple[float, ...]) -> float:
        """Cost at these caps. Import above a cap costs more than it can save."""
        if caps_W not in self._losses:
            loss, outcome = self._at(caps_W)
            if loss < min(self._losses.values(), default=inf):
                self.best = outcome
            self._losses[caps_W] = loss
        return self._losses[caps_W]

    def _at(self, caps_W: tuple[float, ...]) -> tuple[float, Outcome]:
        site = self._site
        feed_in, free_W = site.tariff["feed_in_per_kWh"], open_W(site, self._net_W)
        all_caps_W = [free_W] * len(self._billed[0])
        for charge, cap_W in zip(self._rated, caps_W):
            all_caps_W[charge] = cap_W
        limits = cap.limits_W(self._billed, all_caps_W, free_W)
        slots = [
            Slot(net_W, price, min(feed_in, price), limits[bills], site.export_W)
            for net_W, price, bills in zip(self._net_W, self._price, self._billed)
        ]
        mean = fsum(self._price) / len(self._price)
        plan = exact.plan(slots, SLOT_S, self._store, max(0.0, mean))
        grid_W = [slot.net_W - battery_W for slot, battery_W in zip(slots, plan.power_W)]
        given_J = fsum([max(0.0, own_W) for own_W in plan.power_W]) * SLOT_S
        outcome = Outcome(grid_W, plan.stored_J[-1] - self._store.now_J, given_J)
        broken_J = (
            fsum([max(0.0, import_W - slot.cap_W) for import_W, slot in zip(grid_W, slots)])
            * SLOT_S
        )
        loss = cost(site, self._past, outcome) + broken_J * exact.BREAKS_PER_KWH / J_PER_KWH
        return loss + (self._unused(caps_W, grid_W) if self.count > 1 else 0.0), outcome

    def _unused(self, caps_W: Sequence[float], grid_W: Sequence[float]) -> float:
        """Money for the part of each cap that no import reaches. It makes the loss convex."""
        span, share = cap.Span(grid_W, self._billed, 0.0), len(grid_W) * SLOT_S / tariff.MONTH_S
        pairs = zip(self._rated, caps_W)
        left = [
            self._rates[charge] * max(0.0, cap_W - span.peak_W(charge)) for charge, cap_W in pairs
        ]
        return fsum(left) * share / tariff.W_PER_KW


def _own_prices(site: Site, past: Past, start: datetime) -> list[float]:
    """Prices of the judged slots with adders. The hours that set the capacity tags also carry the
    cost of the tags.
    """
    own = past.price_per_kWh[past.before :]
    prices = [price + site.tariff["adder_per_kWh"] for price in own]
    hours = tariff.hours_of_tags(site.tariff, own, SLOT_S, start)
    share = len(own) * SLOT_S / (12 * tariff.MONTH_S)
    for hour in hours:
        for slot in range(HOUR_SLOTS * hour, HOUR_SLOTS * (hour + 1)):
            prices[slot] += site.tariff["tag_per_kW_year"] * share / len(hours)
    return prices
