"""The sender of a system's schedule: forecasts, the import that it keeps to, and the rules.

It knows the price of today, from PRICES_AT on that of tomorrow; the load and the sun of yesterday;
the load of now, which fades out over FADES_SLOTS; and the jobs of the next `notice_min`. The first
day has no yesterday: its forecast is exact.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from controller.planner import tariff
from hil.plant import pcs
from hil.systems import round_trip, rules
from hil.systems.series import HOUR_SLOTS, SLOT_S, SLOTS_PER_DAY, Series
from hil.systems.spec import Spec

J_PER_WH = 3600.0
PRICES_AT = 52  # slot of the day, 13:00
FADES_SLOTS = 16
HALVINGS, CAP_MARGIN = (24, 1.02)  # search of the lowest cap; margin for a load that is not known
OPEN_PART = 0.9  # of the connection: highest import while none is billed; the rest is for clouds


class Planner:
    """Slots from a slot on. cap_W: import kept in billed hours; caps_W: of each slot of the run."""

    def __init__(self, spec: Spec, series: Series) -> None:
        self.spec, self.series = spec, series
        self._deal = np.random.default_rng(spec.seed)
        times = [spec.start + timedelta(seconds=SLOT_S * at) for at in range(len(series.load_W))]
        hours = spec.tariff["demand_hours"]
        is_billed = np.array([tariff.is_billed(each, hours) for each in times])
        self._store = store_of(spec, 0.0)
        self.cap_W = cap_of(spec, series, is_billed)
        self.caps_W = np.where(is_billed, self.cap_W, OPEN_PART * spec.size.import_W)
        self._events = [event_of(each) for each in spec.events]
        likely = np.array([tariff.may_set_tag(spec.tariff, each) for each in times])
        tag_per_kWh = spec.tariff["tag_per_kW_year"] / tariff.TAG_DAYS
        self._price = series.price + spec.tariff["adder_per_kWh"] + tag_per_kWh * likely

    def is_due(self, slot: int) -> bool:
        """A new schedule is sent at this slot: each hour, with notices in each slot."""
        return slot % HOUR_SLOTS == 0 or self.spec.schedule["notice_min"] > 0

    def rows(self, slot: int, soc: float) -> list[tuple[int, int, int, int]]:
        """The slots of a schedule from this one on, at a state of charge of 0 to 1."""
        price = self._ahead(self._price, slot, slot % SLOTS_PER_DAY >= PRICES_AT)
        is_trading = self.spec.schedule["is_trading"]
        store = self._store._replace(now_J=self._store.energy_J * soc)
        caps_W = self._ahead(self._capped_W(slot), slot)
        plan = rules.plan(self.forecast_W(slot), price, SLOT_S, store, caps_W, is_trading)
        return rules.slots(plan, store, caps_W)[:SLOTS_PER_DAY]

    def forecast_W(self, slot: int) -> np.ndarray:
        """Load less PV from this slot until the end of tomorrow."""
        given, series = self.spec.schedule, self.series
        is_first = slot < SLOTS_PER_DAY
        load_W = self._ahead(series.load_W, slot, given["is_load_known"])
        if not given["is_load_known"] and not is_first:
            load_W = self._ahead(series.load_W, slot - SLOTS_PER_DAY, False)
            before = slot - 1 - SLOTS_PER_DAY  # -1 at the first slot of day 2
            gap_W = series.load_W[slot - 1] - series.load_W[before] if before >= 0 else 0.0
            load_W += gap_W * np.exp(-np.arange(len(load_W)) / FADES_SLOTS)
        load_W *= 1 + given["forecast_error_permille"] / 1000 * self._deal.normal(size=len(load_W))
        known_W = series.load_W[slot : slot + given["notice_min"] * 60 // SLOT_S]
        load_W[: len(known_W)] = known_W
        return load_W - self._ahead(series.pv_W, slot - SLOTS_PER_DAY * (not is_first), False)

    def _capped_W(self, slot: int) -> np.ndarray:
        """The cap of each slot of the run, with the events that are announced at this slot."""
        caps_W = self.caps_W.copy()
        for event in self._events:
            if event.known <= slot:
                caps_W[event.first : event.end] = np.minimum(
                    caps_W[event.first : event.end], event.cap_W
                )
        return caps_W

    def _ahead(self, values: np.ndarray, slot: int, is_known: bool = True) -> np.ndarray:
        """Values until the end of the next day, which repeats today where it is not known."""
        day = slot // SLOTS_PER_DAY
        later = day + 1 if is_known and (day + 1) * SLOTS_PER_DAY < len(values) else day
        days = [values[each * SLOTS_PER_DAY : (each + 1) * SLOTS_PER_DAY] for each in (day, later)]
        return np.concatenate(days)[slot % SLOTS_PER_DAY :]


class Event(NamedTuple):
    """Slots of a demand-response event; known: from this slot on."""

    first: int
    end: int
    known: int
    cap_W: float


def event_of(given: Mapping[str, float]) -> Event:
    """given: a table `event` of a system's file."""
    first = round((given["day"] - 1) * SLOTS_PER_DAY + given["hour"] * HOUR_SLOTS)
    end = first + round(given["hours"] * HOUR_SLOTS)
    return Event(first, end, first - round(given["announced_h"] * HOUR_SLOTS), given["cap_W"])


def store_of(spec: Spec, soc: float) -> rules.Store:
    """The battery of a system for the rules. soc: 0 to 1."""
    given, size = spec.schedule, spec.size
    energy_J, power_W = size.energy_Wh * J_PER_WH, float(size.units * size.rated_W)
    sleeps = spec.plant.get("pcs_sleeps", 0)
    return rules.Store(
        *(energy_J, energy_J * given["reserve_permille"] / 1000),
        *(energy_J * given["high_permille"] / 1000, energy_J * soc),
        *(power_W, power_W, round_trip.efficiency(size, spec.plant), given["wear_per_kWh"]),
        size.units * pcs.losses_W(0.0, size.rated_W, sleeps),
        given["saving_permille"] / 1000,
    )


def cap_of(spec: Spec, series: Series, is_billed: np.ndarray) -> float:
    """The import kept in billed slots, W: as asked, but not below what the battery can hold."""
    net_W = series.load_W - series.pv_W
    peak_W = float(net_W[is_billed].max())
    asked_W = float(spec.schedule["cap_W"] or peak_W * spec.schedule["cap_permille"] / 1000)
    store = store_of(spec, spec.soc_permille / 1000)
    open_W = OPEN_PART * spec.size.import_W
    lowest_W = lowest_cap_W(store, net_W, is_billed, open_W, max(peak_W, asked_W))
    return max(asked_W, min(lowest_W * CAP_MARGIN, peak_W))


def lowest_cap_W(
    store: rules.Store,
    net_W: np.ndarray,
    is_billed: np.ndarray,
    open_W: float,
    high_W: float,
    slot_s: float = SLOT_S,
) -> float:
    """Lowest import in billed slots that the store can hold, at most high_W. open_W: import of the
    other slots.
    """
    low_W = 0.0
    for _ in range(HALVINGS):
        middle_W = (low_W + high_W) / 2
        is_held = _is_held(store, np.where(is_billed, middle_W, open_W) - net_W, slot_s)
        low_W, high_W = (low_W, middle_W) if is_held else (middle_W, high_W)
    return high_W


def _is_held(store: rules.Store, room_W: np.ndarray, slot_s: float = SLOT_S) -> bool:
    """The battery carries each power above the cap. room_W: cap less load, of each slot."""
    one_way, stored_J = store.efficiency**0.5, store.now_J
    for room in room_W.tolist():
        if room < -store.discharge_W:
            return False
        moved_W = min(room, store.charge_W) * one_way if room > 0 else room / one_way
        stored_J = min(store.high_J, stored_J + (moved_W - store.idle_W) * slot_s)
        if stored_J < store.low_J:
            return False
    return True
