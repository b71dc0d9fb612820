"""Reads the quarters of an hour that the recorder publishes, for the books of the planner."""

import os
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from controller.planner import able
from controller.planner.books import Quarter
from controller.planner.exact import J_PER_WH
from controller.planner.inputs import Given
from controller.planner.planning import SLOT_S, Site, adder_per_kWh
from controller.recorder import quarters
from controller.system.local_days import day_before, number_of
from controller.system.paths import why

KEPT = 2 * 100  # quarters of two days, also of 25 hours
STORED_OLD = 3  # a state of charge older than so many quarters is unknown
UNKNOWN = quarters.Quarter(0, None, None, None, None, None)


class Measured:
    """Reader of the recorder's file. line: why nothing is known, else empty."""

    def __init__(self, run_directory: str, site: Site, zone: tzinfo):
        self._path, self._site, self._zone = os.path.join(run_directory, quarters.FILE), site, zone
        self._seen, self._rows, self.line = 0, dict[int, quarters.Quarter](), ""

    def newest(self, now: int) -> int:
        """Number of the newest quarter before now since 1970, UTC; -1 without any."""
        return max(self.ended(now), default=-1)

    def look(self) -> bool:
        """Read the file if it has changed. True if it was read."""
        try:
            seen = os.stat(self._path).st_mtime_ns
            if seen == self._seen:
                return False
            rows = map(quarters.unlowered, quarters.read(self._path))
            self._rows = {row.number: row for row in rows}
        except (OSError, quarters.QuartersError) as error:
            problem = why(error).removeprefix(f"{self._path}: ")
            remedy = "is firebreak-record running, and may this user read it?"
            self.line = f"{self._path}: {problem}: {remedy}"
            return False
        self._seen, self.line = seen, ""
        return True

    def ended(self, now: int) -> list[int]:
        """Numbers of the quarters that have ended."""
        return [number for number in self._rows if number < now]

    def powers_W(self, number: int) -> tuple[float | None, ...]:
        """Load, PV, grid and battery of a quarter."""
        return self._rows[number][1:5]

    def forget(self) -> None:
        """Drop all quarters before the newest KEPT, because the books have them."""
        self._rows = {number: self._rows[number] for number in sorted(self._rows)[-KEPT:]}

    def able(self, now: int) -> able.Values:
        """Energy and powers that the battery had in the quarters of two days."""
        rows = [self._rows.get(number, UNKNOWN).able for number in range(now - KEPT, now)]
        return [[value for value in column if value is not None] for column in zip(*rows)]

    def charge(self, now: int) -> float | None:
        """State of charge, 0 .. 1, at the end of the newest quarter; None if unknown or too old."""
        for number in range(now - 1, now - STORED_OLD - 1, -1):
            soc_permille = self._rows.get(number, UNKNOWN).soc_permille
            if soc_permille is not None:
                return soc_permille / 1000
        return None

    def quarter(self, number: int, feeds: Given, slot: Mapping[str, Any]) -> Quarter:
        """A finished quarter with its price. slot: this quarter in the plan made before it, in the
        form of plan.json. The stored energy is that of the site file's battery at the same state of
        charge.
        """
        measured, price = self._rows[number], slot.get("price_per_kWh")
        soc_permille, stored_Wh = measured.soc_permille, None
        if soc_permille is not None:
            stored_Wh = soc_permille / 1000 * self._site.full_J / J_PER_WH
        time = datetime.fromtimestamp(number * SLOT_S, self._zone)
        if price is not None:
            price -= adder_per_kWh(self._site, time)
        ago = number_of(feeds.time) - number
        if 0 < ago <= len(feeds.past_price_per_kWh):
            price = feeds.past_price_per_kWh[-ago]
        return Quarter(
            at=time,
            load_W=measured.load_W,
            pv_W=measured.pv_W,
            grid_W=measured.grid_W,
            battery_W=measured.battery_W,
            stored_Wh=stored_Wh,
            price_per_kWh=None if price is None or price != price else round(price, 6),
            planned_battery_W=slot.get("battery_W"),
            planned_grid_W=slot.get("grid_W"),
            forecast_load_W=slot.get("load_W"),
            yesterday_load_W=self._rows.get(day_before(self._zone, number), UNKNOWN).load_W,
            carbon_g_per_kWh=slot.get("carbon_g_per_kWh"),
            lowered_W=measured.lowered_W,
        )
