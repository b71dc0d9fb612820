"""Makes a day's schedule by simple rules, as a rival of the planner in a back-test.

Energy that a plan sells early at a good price is missing when the load exceeds the cap later. So
the rules do not optimise all at once. Each rule uses only what the rules before it leave:

1. Hold the cap: where the forecast is above the cap, the battery gives the difference.
2. Store surplus PV. If the store would be full, discharge in the dearest slots before.
3. Replace in the cheapest slots the energy that idle converters draw.
4. Trade: charge in a cheap slot for a dearer later one, while the difference pays for losses and
   wear.
5. Spend in the dearest slots the energy that no later slot needs.

The cap is chosen once: 2 % above the lowest that the battery held in the days before.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from controller.core.base.schedule_table import Slot as Row
from controller.planner import cap, planning
from controller.planner.exact import Slot, Store
from controller.planner.planning import OPEN_PART, SLOT_S, SLOTS_PER_DAY, Known, Site
from controller.planner.rows import row_of

CAP_MARGIN = 1.02  # reserve, because the load to come is not known


class Rules:
    """A way to plan (controller/planner/backtest.py)."""

    def __init__(self, site: Site) -> None:
        self._site, self._cap_W = site, 0.0

    def __call__(self, known: Known) -> list[Row]:
        """The rows of a schedule from this slot on. The reserve is the energy that later slots need
        to stay below the cap.
        """
        site, count = self._site, 2 * SLOTS_PER_DAY
        self._cap_W = self._cap_W or self._lowest_W(known)
        is_billed = planning.billed_of(site, known.time, 0, count)
        caps_W = [self._cap_W if any(flags) else OPEN_PART * site.import_W for flags in is_billed]
        ahead = planning.slots_ahead(site, known, planning.net_ahead_W(known, count), caps_W)
        book = planned(ahead, SLOT_S, site.store._replace(now_J=known.stored_J))
        kept_J = np.minimum(site.store.low_J + book.needed_J, site.store.high_J)
        rows = zip(ahead[:SLOTS_PER_DAY], book.power_W, 1000 * kept_J / site.full_J)
        return [row_of(slot, power_W, int(part)) for slot, power_W, part in rows]

    def _lowest_W(self, known: Known) -> float:
        site, (net_W, billed) = self._site, planning.past_of(self._site, known)
        span = cap.Span(net_W, [(any(flags),) for flags in billed], OPEN_PART * site.import_W)
        store = site.store._replace(now_J=known.stored_J)
        return min(CAP_MARGIN * cap.lowest(span, SLOT_S, store, 0.0, [0.0], 0), span.peak_W(0))


def planned(slots: Sequence[Slot], slot_s: float, store: Store) -> "Book":
    """Apply the rules in their order."""
    book = Book(slots, slot_s, store)
    book.hold_cap()
    held_J = np.maximum(0.0, book.power_W) * slot_s / store.one_way
    book.keep_surplus()
    book.keep_floor()
    book.trade()
    book.spend(len(slots), float("inf"))
    later_J = held_J[::-1].cumsum()[::-1] - held_J
    book.needed_J = np.minimum(later_J, book.stored_J[1:])
    return book


class Book:
    """The plan while the rules change it. power_W: of each slot, > 0 discharges. stored_J[i]:
    energy at the start of slot i. needed_J: energy that later slots need to stay below the cap.
    """

    def __init__(self, slots: Sequence[Slot], slot_s: float, store: Store):
        self.net_W, self.price, _, self.cap_W, *_ = np.array(slots).T
        self.slot_s, self.store, self.one_way = slot_s, store, store.one_way
        self.power_W = np.zeros(len(slots))
        self.needed_J = np.zeros(len(slots))
        self.stored_J = store.now_J - store.idle_W * slot_s * np.arange(len(slots) + 1)

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
        """Discharge above the cap. Charge missing energy in the slots just before."""
        for slot in np.flatnonzero(self.net_W > self.cap_W).tolist():
            wanted_W = min(float(self.net_W[slot] - self.cap_W[slot]), self.store.discharge_W)
            self._fill(range(slot - 1, -1, -1), self._lack_J(slot, wanted_W))
            given_W = self._spare_J(slot) * self.one_way / self.slot_s
            self._set(slot, min(wanted_W, given_W))

    def _lack_J(self, slot: int, wanted_W: float) -> float:
        return wanted_W * self.slot_s / self.one_way - self._spare_J(slot)

    def _fill(self, slots: Iterable[int], lack_J: float) -> None:
        """Charge in these slots, one after the other, until nothing is lacking."""
        for slot in slots:
            if lack_J <= 0:
                return
            lack_J -= self._charge(slot, min(lack_J, self._room_J(slot)))

    def _charge(self, slot: int, energy_J: float) -> float:
        """Store at most energy_J more in this slot, below the cap; returns what was stored."""
        if self.power_W[slot] > 0:
            return 0.0
        before_W = -float(self.power_W[slot])
        room_W = min(self.store.charge_W, float(self.cap_W[slot] - self.net_W[slot])) - before_W
        more_W = min(max(0.0, room_W), energy_J / self.one_way / self.slot_s)
        self._set(slot, -before_W - more_W)
        return more_W * self.slot_s * self.one_way

    def keep_surplus(self) -> None:
        """Store PV that the load does not take. If it does not fit, discharge before it."""
        for slot in np.flatnonzero(self.net_W < 0).tolist():
            surplus_W = min(-float(self.net_W[slot]), self.store.charge_W)
            surplus_J = surplus_W * self.slot_s * self.one_way
            self.spend(slot, surplus_J - self._room_J(slot))
            self._charge(slot, min(surplus_J, self._room_J(slot)))

    def spend(self, end: int, energy_J: float) -> None:
        """Discharge at most energy_J in the dearest slots before `end`."""
        for slot in np.argsort(-self.price[:end], kind="stable").tolist():
            if energy_J <= 0 or self.price[slot] <= self.store.wear_per_kWh:
                return
            if self.power_W[slot] >= 0:
                given_J = min(energy_J, self._free_J(slot), self._spare_J(slot))
                energy_J -= given_J
                given_W = given_J * self.one_way / self.slot_s
                self._set(slot, float(self.power_W[slot]) + given_W)

    def _free_J(self, slot: int) -> float:
        """The energy that the load of this slot still takes from the battery."""
        most_W = min(self.store.discharge_W, float(self.net_W[slot]))
        return max(0.0, most_W - float(self.power_W[slot])) * self.slot_s / self.one_way

    def keep_floor(self) -> None:
        """Charge before the store falls below its lowest energy."""
        for slot in range(len(self.price)):
            lack_J = self.store.low_J - float(self.stored_J[slot + 1])
            self._fill(np.argsort(self.price[: slot + 1], kind="stable").tolist(), lack_J)

    def trade(self) -> None:
        """Charge in cheap slots for dearer later ones. The dearest slot is served first."""
        for late in np.argsort(-self.price, kind="stable"):
            for early in np.argsort(self.price[:late], kind="stable"):
                if not self._pays(self.price[early], self.price[late]) or not self._pair(
                    early, late
                ):
                    break

    def _pays(self, bought: float, used: float) -> bool:
        """True if a kWh at these prices pays for losses and wear."""
        return used * self.one_way**2 - bought > self.store.wear_per_kWh

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
