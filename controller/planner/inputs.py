"""Puts the feeds of a plan together, and replaces unknown values.

An unknown value never counts as zero. It is taken from another feed of its kind, otherwise from the
day before. A site has no PV if the file has neither a feed of PV nor pv_rated_W. Without a feed of
prices, energy costs only the adder of the tariff. `read` raises nothing: each problem is one line
of `doubts`.
"""

import itertools
import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from controller.planner.books import Column
from controller.planner.feeds import sun
from controller.planner.feeds.held import NO_POWER, Held, Rating
from controller.planner.feeds.points import POWERS, QUANTITIES, QUARTER_S
from controller.planner.planning import PAST_DAYS, Known
from controller.planner.site_file import Planner
from controller.system.local_days import SLOTS_PER_DAY, Before, before_at, before_of
from drivers.plausible import CONNECTION, PV

# First quarter since 1970; number of quarters; UTC of the reading, s; monotonic clock, s.
Window = tuple[int, int, float, float]
PAST, AHEAD = PAST_DAYS * SLOTS_PER_DAY, 2 * SLOTS_PER_DAY + 4  # a day may have 25 hours
NEEDED = {
    "load": "needed is a feed with the last day of the load",
    "pv": "needed is a feed of kind pv or weather, or a site without pv_rated_W and feeds of PV",
    "prices": "needed is a feed with the prices of now",
}


class Given(NamedTuple):
    """Quarters of an hour. The past ends before the slot that begins at `time`, a local time. The
    other lists begin with that slot and end with the last known value.
    """

    time: datetime
    past_load_W: Column
    past_pv_W: Column
    past_price_per_kWh: Column
    price_per_kWh: Column
    load_W: Column  # by a job plan
    pv_W: Column
    cooling_W: Column  # of the past and of the slots to come
    carbon_g_per_kWh: Column  # NaN: unknown
    warned: list[bool]
    lacks: list[str]  # kinds that a plan needs and that were never known
    doubts: list[str]


def rating_of(kind: str, planner: Planner) -> Rating:
    """The rating of a feed of powers. A load can take what the grid, the battery and the sun give
    together. PV without pv_rated_W has the same rating.
    """
    if kind not in POWERS:
        return NO_POWER
    if kind == "pv" and planner.pv_rated_W:
        return planner.pv_rated_W, PV
    site, own_W = planner.site, planner.site.store.discharge_W
    return max(site.import_W, site.export_W) + own_W + planner.pv_rated_W, CONNECTION


def known(feeds: Given, stored_J: float, peaks_W: Sequence[float]) -> Known | None:
    """Inputs in the form that a plan takes; None while a needed kind was never known. peaks_W: one
    for each demand charge.
    """
    if feeds.lacks:
        return None
    return Known(
        feeds.time,
        feeds.past_load_W,
        feeds.past_pv_W,
        past_price_per_kWh=feeds.past_price_per_kWh,
        price_per_kWh=feeds.price_per_kWh,
        stored_J=stored_J,
        peaks_W=peaks_W,
        load_W=feeds.load_W,
        pv_W=feeds.pv_W,
        carbon_g_per_kWh=_known_part(feeds.carbon_g_per_kWh, before_at(feeds.time)),
        cooling_W=feeds.cooling_W,
        warned=feeds.warned,
    )


def _first_known(values: Column) -> int:
    """Index of the first known value. An unknown one is NaN, which differs from itself."""
    return next((index for index, number in enumerate(values) if number == number), PAST)


def _known_part(values: Column, before: Before) -> Column:
    """The values until the last known one, with holes filled."""
    end = max([index + 1 for index, number in enumerate(values) if number == number], default=0)
    return filled(values[:end], before)


class Inputs:
    """All feeds of a file. It keeps good values from one `read` to the next."""

    def __init__(self, planner: Planner):
        self._planner = planner
        self._held = [Held(feed, rating_of(feed.kind, planner)) for feed in planner.feeds]

    def read(self, now_s: float, uptime_s: float | None = None) -> Given:
        """Everything known at this time, UTC in s since 1970. uptime_s: monotonic clock, by which
        values age between two readings. A single reading does not need it.
        """
        now = int(now_s // QUARTER_S)
        first, count = now - PAST, PAST + AHEAD
        window = first, count, now_s, now_s if uptime_s is None else uptime_s
        doubts = [line for held in self._held for line in held.update(*window)]
        by_kind = {kind: self._of_kind(kind, window) for kind in QUANTITIES}
        load_W, pv_W = by_kind["load"], self._pv_W(by_kind, first)
        prices = by_kind["prices"] if self._has("prices") else [0.0] * count
        columns = {"load": load_W, "pv": pv_W, "prices": prices}
        before = before_of(self._planner.zone, first)
        past = {name: filled(column[:PAST], before) for name, column in columns.items()}
        lacks = [name for name, column in past.items() if math.isnan(column[-1])]
        price_per_kWh = _ahead(prices, before)
        if price_per_kWh and "prices" in lacks:
            lacks.remove("prices")
        doubts += [f"{lack}: never known, so there is no plan; {NEEDED[lack]}" for lack in lacks]
        doubts += [line for pair in columns.items() for line in _holes(*pair)]
        if not price_per_kWh and "prices" not in lacks:
            doubts.append("prices: none is known from now on: those of the day before count")
        begin = _first_known(load_W[:PAST])
        return Given(
            time=datetime.fromtimestamp(now * QUARTER_S, self._planner.zone),
            past_load_W=past["load"][begin:],
            past_pv_W=past["pv"][begin:],
            past_price_per_kWh=past["prices"][_first_known(prices) :],
            price_per_kWh=price_per_kWh,
            load_W=_ahead(by_kind["jobs"], before),
            pv_W=_ahead(pv_W, before),
            cooling_W=self._cooling_W(filled(by_kind["air"], before))[begin:],
            carbon_g_per_kWh=by_kind["carbon"][PAST:],
            warned=self._warned(window),
            lacks=lacks,
            doubts=doubts,
        )

    def _has(self, kind: str) -> bool:
        return any([held.feed.kind == kind for held in self._held])

    def _of_kind(self, kind: str, window: Window) -> Column:
        """Values of a kind, each from the first feed in the file that knows it."""
        column = [math.nan] * (PAST + AHEAD)
        for held in self._held:
            if held.feed.kind == kind:
                column = _or(column, held.window(*window))
        return column

    def _warned(self, window: Window) -> list[bool]:
        """True for each slot from now on for which a feed warns of an outage."""
        windows = [held.window(*window) for held in self._held if held.feed.kind == "warnings"]
        return [any([part > 0 for part in parts]) for parts in zip(*windows)][PAST:]

    def _cooling_W(self, air_degC: Column) -> Column:
        """Power of the cooling by the air temperature of each slot; empty if never known."""
        per_K, from_degC = self._planner.cooling_W_per_K, self._planner.cooling_from_degC
        if not per_K or math.isnan(air_degC[0]):
            return []
        return [per_K * max(0.0, own_degC - from_degC) for own_degC in air_degC]

    def _pv_W(self, by_kind: dict[str, Column], first: int) -> Column:
        """PV as measured or forecast, else by the irradiance of the weather or of a clear sky."""
        rated_W, place, pv_W = self._planner.pv_rated_W, self._planner.place, by_kind["pv"]
        if not self._has("pv") and not rated_W:
            return [0.0] * len(pv_W)
        measured_W = pv_W[:PAST]
        pv_W = _or(pv_W, sun.estimated(measured_W, by_kind["weather"], rated_W, sun.USUAL))
        if place:
            clear = sun.clear_sky(first * QUARTER_S, len(pv_W), place)
            pv_W = _or(pv_W, sun.estimated(measured_W, clear, rated_W, math.nan))
        return pv_W


def _or(column: Column, fallback: Column) -> Column:
    return [number if number == number else second for number, second in zip(column, fallback)]


def filled(values: Column, before: Before) -> Column:
    """The values. An unknown value is replaced by the day before, else the day after, else a
    neighbour. before: of local_days, counted from the first value on.
    """
    column, indices = list(values), range(len(values))
    day_before = [before(index) for index in indices]
    pairs = itertools.chain(
        zip(day_before, indices),
        zip(reversed(indices), reversed(day_before)),
        zip(range(-1, len(column)), indices),
        zip(range(len(column), 0, -1), reversed(indices)),
    )
    for source, target in pairs:
        if 0 <= source < len(column) and target >= 0 and math.isnan(column[target]):
            column[target] = column[source]
    return column


def _ahead(values: Column, before: Before) -> Column:
    """The values from now to the last known one."""
    return _known_part(values, before)[PAST:]


def _holes(name: str, values: Column) -> list[str]:
    is_known = [number == number for number in values[:PAST]]
    count = is_known[-SLOTS_PER_DAY:].count(False)
    line = f"{name}: {count} of the last {SLOTS_PER_DAY} quarters of an hour are unknown"
    return [f"{line}: the day before counts"] if count > 0 and any(is_known) else []
