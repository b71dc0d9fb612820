"""A day's schedule by simple rules: below the cap first, PV before the grid, then by price.

1. Where the forecast is above the cap, the battery gives the rest.
2. Surplus PV is stored, and the cheapest slots replace what idle converters draw.
3. The cheapest slot that is left charges for the dearest later one, while the dearer price pays for
   losses and wear.

A planner has to beat these rules. They know nothing of the controller: they make slots.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

OPEN_W = -(1 << 31)  # in the place of a power: no bound (controller/core/schedule_table.py)


class Store(NamedTuple):
    """The range of the battery. Energies in J; efficiency: of a round trip; idle_W: that the
    converters draw from it at no power.
    """

    energy_J: float
    low_J: float
    high_J: float
    now_J: float
    charge_W: float
    discharge_W: float
    efficiency: float = 0.86
    wear_per_kWh: float = 0.01
    idle_W: float = 0.0


@dataclass
class Plan:
    """Power of the battery in each slot, W, > 0 discharges; the stored energy after it, J; the
    energy that later slots need to stay below the cap, J.
    """

    power_W: np.ndarray
    stored_J: np.ndarray
    needed_J: np.ndarray


def plan(
    net_W: np.ndarray, price_per_kWh: np.ndarray, slot_s: float, store: Store, cap_W: float
) -> Plan:
    """net_W: load less PV, forecast; price: of each slot; cap_W: highest import."""
    book = _Book(net_W, slot_s, store, cap_W)
    book.hold_cap()
    held_J = np.maximum(0.0, book.power_W) * slot_s / book.one_way
    book.keep_surplus()
    book.keep_floor(price_per_kWh)
    book.trade(price_per_kWh)
    later_J = held_J[::-1].cumsum()[::-1] - held_J
    return Plan(book.power_W, book.stored_J[1:], np.minimum(later_J, book.stored_J[1:]))


class _Book:
    """The plan while it grows. stored_J[i]: before slot i. One way costs the root of the losses."""

    def __init__(self, net_W: np.ndarray, slot_s: float, store: Store, cap_W: float):
        self.net_W, self.slot_s, self.store, self.cap_W = net_W, slot_s, store, cap_W
        self.power_W = np.zeros(len(net_W))
        self.stored_J = store.now_J - store.idle_W * slot_s * np.arange(len(net_W) + 1)
        self.one_way = store.efficiency**0.5

    def _stored_change(self, power_W: float) -> float:
        """J per slot that the store gains by a power of the battery."""
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
        """Discharge above the cap; what is missing is charged in the slots just before it."""
        for slot in np.flatnonzero(self.net_W > self.cap_W):
            wanted_W = min(float(self.net_W[slot] - self.cap_W), self.store.discharge_W)
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
        room_W = min(self.store.charge_W, self.cap_W - float(self.net_W[slot])) - before_W
        more_W = min(max(0.0, room_W), energy_J / self.one_way / self.slot_s)
        self._set(slot, -before_W - more_W)
        return more_W * self.slot_s * self.one_way

    def keep_surplus(self) -> None:
        """Store PV that the load does not take."""
        for slot in np.flatnonzero(self.net_W < 0):
            surplus_J = -float(self.net_W[slot]) * self.slot_s * self.one_way
            self._charge(int(slot), min(surplus_J, self._room_J(int(slot))))

    def keep_floor(self, price: np.ndarray) -> None:
        """Charge before the store falls below its lowest energy."""
        for slot in range(len(price)):
            lack_J = self.store.low_J - float(self.stored_J[slot + 1])
            for earlier in np.argsort(price[: slot + 1], kind="stable"):
                if lack_J <= 0:
                    break
                lack_J -= self._charge(int(earlier), min(lack_J, self._room_J(int(earlier))))

    def trade(self, price: np.ndarray) -> None:
        """Pairs of a cheap slot and a dearer later one, the dearest first."""
        for late in np.argsort(-price, kind="stable"):
            for early in np.argsort(price[:late], kind="stable"):
                gain = price[late] * self.store.efficiency - price[early]
                if gain <= self.store.wear_per_kWh or not self._pair(int(early), int(late)):
                    break

    def _pair(self, early: int, late: int) -> bool:
        """Move energy from one slot to a later one; False: the later slot takes no more."""
        if self.power_W[late] < 0:
            return False
        free_W = min(self.store.discharge_W, float(self.net_W[late])) - float(self.power_W[late])
        wanted_J = max(0.0, free_W) * self.slot_s / self.one_way
        if wanted_J < 1.0:
            return False
        between = self.stored_J[early + 1 : late + 1]
        room_J = max(0.0, self.store.high_J - float(between.max()))
        stored_J = self._charge(early, min(wanted_J, room_J))
        self._set(late, float(self.power_W[late]) + stored_J * self.one_way / self.slot_s)
        return True


def slots(found: Plan, store: Store, cap_W: float) -> list[tuple[int, int, int, int]]:
    """(grid cap W, lowest and highest battery power W, reserve permille) of each slot.

    A slot that charges or discharges asks for its power; the band leaves load tracking its room on
    the other side. The reserve is what later slots need to stay below the cap.
    """
    rows = []
    for power_W, needed_J in zip(found.power_W, found.needed_J):
        low_W = high_W = OPEN_W
        if power_W < 0:
            high_W = round(power_W)
        elif power_W > 0:
            low_W = round(power_W)
        kept_J = min(store.low_J + float(needed_J), store.high_J)
        rows.append((round(cap_W), low_W, high_W, int(1000 * kept_J / store.energy_J)))
    return rows
