"""Energy, extreme powers and charge of each unit during a run."""

import math

from hil.plant.bus import Bus
from hil.plant.cabinet import CabinetPlant

KWH_PER_W_US = 1 / 3.6e12


class UnitTotals:
    """Call `see` with each sample; each power holds until the next sample."""

    def __init__(self) -> None:
        self._units: list[dict] = []
        self._t_us = 0

    def see(self, t_us: int, plant: CabinetPlant) -> None:
        """Take one sample; t_us never decreases."""
        if not self._units:
            self._t_us = t_us
            self._units = [
                {
                    "unit": number,
                    "power_W": 0.0,
                    "power_W_min": 0.0,
                    "power_W_max": 0.0,
                    "discharged_kWh": 0.0,
                    "charged_kWh": 0.0,
                    "soc_pct": {"start": _soc_pct(link)},
                    "link": link,
                }
                for number, link in enumerate(plant.buses, 1)
            ]
        held_kWh_per_W = (t_us - self._t_us) * KWH_PER_W_US
        self._t_us = t_us
        for unit in self._units:
            before_W, power_W = unit["power_W"], unit["link"].pcs.ac_power_W
            way = "discharged_kWh" if before_W > 0 else "charged_kWh"
            unit[way] += abs(before_W) * held_kWh_per_W
            unit["power_W"] = power_W
            unit["power_W_min"] = min(unit["power_W_min"], power_W)
            unit["power_W_max"] = max(unit["power_W_max"], power_W)

    def result(self) -> list[dict]:
        """[{unit, power_W_min, power_W_max, discharged_kWh, charged_kWh, soc_pct: {start, end}}].

        Power > 0 discharges.
        """
        return [
            {
                "unit": unit["unit"],
                **{name: round(unit[name], 1) for name in ("power_W_min", "power_W_max")},
                **{name: round(unit[name], 4) for name in ("discharged_kWh", "charged_kWh")},
                "soc_pct": unit["soc_pct"] | {"end": _soc_pct(unit["link"])},
            }
            for unit in self._units
        ]


def _soc_pct(link: Bus) -> float:
    return round(100 * math.fsum([rack.soc for rack in link.racks]) / len(link.racks), 3)


def rows(doc: dict) -> list[tuple[str, str]]:
    """[(unit, its figures in words)], then all units together; [] for a single unit."""
    units = doc.get("units") or ()
    if len(units) < 2:
        return []
    unit_rows = [(f"unit {unit['unit']}", _summary(unit)) for unit in units]
    energies = {f"{way}_kWh": doc["energy_kWh"][way] for way in ("discharged", "charged")}
    totals = {**doc["battery_W"], **energies, "soc_pct": doc["soc_pct"]}
    return [*unit_rows, ("all units", _summary(totals))]


def _summary(totals: dict) -> str:
    low_kW, high_kW = totals["power_W_min"] / 1000, totals["power_W_max"] / 1000
    soc = totals["soc_pct"]
    return (
        f"{low_kW:.1f} .. {high_kW:.1f} kW, {totals['discharged_kWh']:.2f} kWh discharged, "
        f"{totals['charged_kWh']:.2f} charged, {soc['start']:.1f} to {soc['end']:.1f} %"
    )
