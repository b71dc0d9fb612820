"""A rival that a back-test plans beside the planner: a day's schedule by simple rules.

Energy that a plan sells early at a good price is missing when the load exceeds the cap later. So
the rules do not optimise all at once. Each rule uses only what the rules before it leave:

1. Hold the cap: where the forecast is above the cap, the battery gives the difference.
2. Store surplus PV. If the store would be full, discharge in the dearest slots before.
3. Replace in the cheapest slots the energy that idle converters draw.
4. Trade: charge in a cheap slot for a dearer later one, while the difference pays for losses and
   wear.
5. Spend in the dearest slots the energy that no later slot needs.

The cap is chosen once: 2 % above the lowest that the battery held in the days before. Nothing
that runs a cabinet or a system uses these rules.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from controller.core.base.schedule_table import OPEN_W, Slot as Row
from controller.planner import cap, planning
from controller.planner.planning import OPEN_PART, SLOT_S, SLOTS_PER_DAY, Known, Site

SURPLUS_W = 1000.0  # a charge that imports no more than this stores PV
CAP_MARGIN = 1.02  # for a load that is not known


class Store(NamedTuple):
    """What the battery can store and move."""

    energy_J: float  # when full
    low_J: float  # lowest energy that the plan may reach
    high_J: float  # highest energy that the plan may reach
    now_J: float  # energy at the first slot
    charge_W: float  # highest power
    discharge_W: float  # highest power
    efficiency: float = 0.86  # of a round trip
    wear_per_kWh: float = 0.01  # cost of wear, in the currency of the prices
    idle_W: float = 0.0  # drawn by the converters at a power of 0


class Rules:
    """A way to plan (controller/planner/backtest.py)."""

    def __init__(self, site: Site) -> None:
        self._site, self._cap_W = site, 0.0

    def __call__(self, known: Known) -> list[Row]:
        """The rows of a schedule from this slot on."""
        site, count = self._site, 2 * SLOTS_PER_DAY
        self._cap_W = self._cap_W or self._lowest_W(known)
        is_billed = planning.billed_of(site, known.time, 0, count)
        caps_W = [self._cap_W if each else OPEN_PART * site.import_W for each in is_billed]
        ahead = planning.slots_ahead(site, known, planning.net_ahead_W(known, count), caps_W)
        net_W, price, _, cap_W, *_ = np.array(ahead).T
        store = _store(site, known.stored_J)
        found = plan(net_W, price, SLOT_S, store, cap_W)
        return slots(found, store, cap_W)[:SLOTS_PER_DAY]

    def _lowest_W(self, known: Known) -> float:
        site, past = self._site, planning.past_of(self._site, known)
        span = cap.Span(*past, OPEN_PART * site.import_W)
        store = site.store._replace(now_J=known.stored_J)
        peak_W = max([each for each, is_paid in zip(*past) if is_paid], default=0.0)
        return min(CAP_MARGIN * cap.lowest(span, SLOT_S, store), peak_W)


def _store(site: Site, now_J: float) -> Store:
    own = site.store
    return Store(
        *(site.full_J, own.low_J, own.high_J, now_J, own.charge_W, own.discharge_W),
        *(own.one_way**2, own.wear_per_kWh, own.idle_W),
    )


@dataclass
class Plan:
    """The plan: one value for each slot."""

    power_W: np.ndarray  # of the battery, > 0 discharges
    grid_W: np.ndarray  # import of the site
    stored_J: np.ndarray  # at the end of the slot
    needed_J: np.ndarray  # that later slots need to stay below the cap


def plan(
    net_W: np.ndarray, price_per_kWh: np.ndarray, slot_s: float, store: Store, cap_W: np.ndarray
) -> Plan:
    """Apply the rules. net_W: forecast of the load less PV. cap_W: highest import."""
    book = _Book(net_W, slot_s, store, cap_W)
    book.hold_cap()
    held_J = np.maximum(0.0, book.power_W) * slot_s / book.one_way
    book.keep_surplus(price_per_kWh)
    book.keep_floor(price_per_kWh)
    book.trade(price_per_kWh)
    book.spend(price_per_kWh, len(net_W), float("inf"))
    later_J = held_J[::-1].cumsum()[::-1] - held_J
    needed_J = np.minimum(later_J, book.stored_J[1:])
    return Plan(book.power_W, net_W - book.power_W, book.stored_J[1:], needed_J)


class _Book:
    """The plan while the rules change it.

    stored_J[i] is the energy at the begin of slot i. one_way is the efficiency of charging alone,
    and of discharging alone: the root of that of a round trip.
    """

    def __init__(self, net_W: np.ndarray, slot_s: float, store: Store, cap_W: np.ndarray):
        self.net_W, self.slot_s, self.store, self.cap_W = net_W, slot_s, store, cap_W
        self.power_W = np.zeros(len(net_W))
        self.stored_J = store.now_J - store.idle_W * slot_s * np.arange(len(net_W) + 1)
        self.one_way = store.efficiency**0.5

    def _stored_change(self, power_W: float) -> float:
        """Energy that the store gains in a slot at this power of the battery, J."""
        lossless = -power_W * self.slot_s
        return lossless * self.one_way if power_W < 0 else lossless / self.one_way

    def _set(self, slot: int, power_W: float) -> None:
        change = self._stored_change(power_W) - self._stored_change(float(self.power_W[slot]))
        self.power_W[slot] = power_W
        self.stored_J[slot + 1 :] += change

    def _room_J(self, slot: int) -> float:
        """The energy that fits in from this slot on."""
        return max(0.0, self.store.high_J - float(self.stored_J[slot + 1 :].max()))

    def _spare_J(self, slot: int) -> float:
        """The energy above the reserve from this slot on."""
        return max(0.0, float(self.stored_J[slot + 1 :].min()) - self.store.low_J)

    def hold_cap(self) -> None:
        """Discharge above the cap; charge the energy that lacks in the slots just before."""
        for slot in np.flatnonzero(self.net_W > self.cap_W):
            wanted_W = min(float(self.net_W[slot] - self.cap_W[slot]), self.store.discharge_W)
            self._fill_before(int(slot), self._lack_J(int(slot), wanted_W))
            given_W = self._spare_J(int(slot)) * self.one_way / self.slot_s
            self._set(int(slot), min(wanted_W, given_W))

    def _lack_J(self, slot: int, wanted_W: float) -> float:
        return wanted_W * self.slot_s / self.one_way - self._spare_J(slot)

    def _fill_before(self, slot: int, lack_J: float) -> None:
        for earlier in range(slot - 1, -1, -1):
            if lack_J <= 0:
                return
            lack_J -= self._charge(earlier, min(lack_J, self._room_J(earlier)))

    def _charge(self, slot: int, energy_J: float) -> float:
        """Store at most energy_J more in this slot, below the cap; returns what was stored."""
        if self.power_W[slot] > 0:
            return 0.0
        before_W = -float(self.power_W[slot])
        room_W = min(self.store.charge_W, float(self.cap_W[slot] - self.net_W[slot])) - before_W
        more_W = min(max(0.0, room_W), energy_J / self.one_way / self.slot_s)
        self._set(slot, -before_W - more_W)
        return more_W * self.slot_s * self.one_way

    def keep_surplus(self, price: np.ndarray) -> None:
        """Store PV that the load does not take. If it does not fit, discharge before."""
        for slot in np.flatnonzero(self.net_W < 0):
            surplus_W = min(-float(self.net_W[slot]), self.store.charge_W)
            surplus_J = surplus_W * self.slot_s * self.one_way
            self.spend(price, int(slot), surplus_J - self._room_J(int(slot)))
            self._charge(int(slot), min(surplus_J, self._room_J(int(slot))))

    def spend(self, price: np.ndarray, end: int, energy_J: float) -> None:
        """Discharge at most energy_J in the dearest slots before `end`."""
        for slot in np.argsort(-price[:end], kind="stable"):
            if energy_J <= 0 or price[slot] <= self.store.wear_per_kWh:
                return
            if self.power_W[slot] >= 0:
                given_J = min(energy_J, self._free_J(int(slot)), self._spare_J(int(slot)))
                energy_J -= given_J
                given_W = given_J * self.one_way / self.slot_s
                self._set(int(slot), float(self.power_W[slot]) + given_W)

    def _free_J(self, slot: int) -> float:
        """The energy that the load of this slot still takes from the battery."""
        most_W = min(self.store.discharge_W, float(self.net_W[slot]))
        return max(0.0, most_W - float(self.power_W[slot])) * self.slot_s / self.one_way

    def keep_floor(self, price: np.ndarray) -> None:
        """Charge before the store falls below its lowest energy."""
        for slot in range(len(price)):
            lack_J = self.store.low_J - float(self.stored_J[slot + 1])
            for earlier in np.argsort(price[: slot + 1], kind="stable"):
                if lack_J <= 0:
                    break
                lack_J -= self._charge(int(earlier), min(lack_J, self._room_J(int(earlier))))

    def trade(self, price: np.ndarray) -> None:
        """Charge in cheap slots for dearer later ones. The dearest slot is served first."""
        for late in np.argsort(-price, kind="stable"):
            for early in np.argsort(price[:late], kind="stable"):
                if not self._pays(price[early], price[late]) or not self._pair(early, late):
                    break

    def _pays(self, bought: float, used: float) -> bool:
        """True if a kWh at these prices pays for losses and wear."""
        return used * self.store.efficiency - bought > self.store.wear_per_kWh

    def _pair(self, early: int, late: int) -> bool:
        """Move energy from one slot to a later one; False: the later slot takes no more."""
        if self.power_W[late] < 0:
            return False
        wanted_J = self._free_J(late)
        if wanted_J < 1.0:
            return False
        between = self.stored_J[early + 1 : late + 1]
        room_J = max(0.0, self.store.high_J - float(between.max()))
        stored_J = self._charge(early, min(wanted_J, room_J))
        self._set(late, float(self.power_W[late]) + stored_J * self.one_way / self.slot_s)
        return True


def slots(found: Plan, store: Store, cap_W: np.ndarray) -> list[Row]:
    """A row of a schedule for each slot.

    A slot that charges from the grid, or discharges, has one bound: its power. The other side stays
    open for load tracking. A slot that stores PV only forbids discharging, because the export limit
    makes the battery take the surplus of each moment. The reserve is the energy that later slots
    need to stay below the cap.
    """
    rows = []
    every = zip(found.power_W, found.grid_W, found.needed_J, cap_W)
    for power_W, grid_W, needed_J, most_W in every:
        low_W = high_W = OPEN_W
        if power_W < 0:
            high_W = round(power_W) if grid_W > SURPLUS_W else 0
        elif power_W > 0:
            low_W = round(power_W)
        kept_J = min(store.low_J + float(needed_J), store.high_J)
        rows.append(Row(round(most_W), low_W, high_W, int(1000 * kept_J / store.energy_J)))
    return rows
