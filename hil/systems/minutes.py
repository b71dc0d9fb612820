"""Minutes of a system with its kernel: value mode around each event that the system claims.

The rest of a run is chain-only, which has no kernel: it trips nothing, transfers nothing. So what a
run says of an outage comes from here: cabinet, kernel and site from LEAD_S before the loss of the
grid, with the charge of that moment, until AFTER_S after its return, or the first and the last
minutes of a long one.
"""

import random
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hil.site.genset import Genset
from hil.site.site import ISLAND, ON_GRID, Site
from hil.systems.live import LivePod
from hil.systems.run import DAY_S
from hil.systems.spec import Spec

LEAD_S, AFTER_S = 180, 240
KWH_J = 3.6e6
SWING_S = 2.0


class Minutes(NamedTuple):
    """What is played: an outage of for_s at at_s of the run, or for_s of the plain day (for_s
    without `is_outage`). soc: at the begin, 0 to 1.
    """

    at_s: int
    for_s: int
    soc: float
    is_outage: bool = True


def drawn(spec: Spec, count: int, for_s: int, soc: float) -> list[Minutes]:
    """Outages at moments of the run that the seed draws."""
    deal = random.Random(f"{spec.seed}/outages")
    last_s = spec.days * DAY_S - for_s - AFTER_S
    return [Minutes(deal.randint(LEAD_S, last_s), for_s, soc) for _ in range(count)]


def played(spec: Spec, inputs: dict[str, Any], one: Minutes) -> dict[str, Any]:
    """The figures of these minutes (`Watch.figures`), with what they tripped and violated."""
    begin_s = one.at_s - LEAD_S
    outages = [[one.at_s, one.for_s]] if one.is_outage else []
    spec = spec._replace(outages=outages)
    with tempfile.TemporaryDirectory() as folder:
        pod = LivePod(spec, Path(folder), begin_s, one.soc, True, inputs)
        pod.members[0].quicken()
        watch = Watch(pod, spec.critical_W)
        while pod.now_us < (LEAD_S + one.for_s + AFTER_S) * 1_000_000:
            pod.step()
            watch.see()
    return {"at_s": one.at_s, "for_s": one.for_s, "soc": one.soc, **watch.figures()}


class Watch:
    """Looks at each tick of the minutes. critical_W: load that is never shed; None: all."""

    def __init__(self, pod: LivePod, critical_W: float | None) -> None:
        self.pod, self.critical_W = pod, critical_W
        self.island_s = self.dark_s = self.lost_J = self.critical_J = self.wanted_J = 0.0
        self.engine_s: float | None = None  # from the loss until a set carries load
        self.import_W = self.swing_W = 0.0
        self._grid_W: list[float] = []
        self._lost_s: float | None = None
        self.stages: list[tuple[float, int]] = []

    def see(self) -> None:
        """Count one tick, after it."""
        site, dt_s = self.pod.site, self.pod.tick_us / 1e6
        now_s = site.now_us / 1e6
        missing_W = _missing_W(site)
        if site.source != ON_GRID and self._lost_s is None:
            self._lost_s = now_s
        self.island_s += (site.source == ISLAND) * dt_s
        self.dark_s += (not site.is_live) * dt_s
        self.lost_J += missing_W * dt_s
        self.wanted_J += site.load_wanted_W * dt_s
        needed_W = site.load_wanted_W
        if self.critical_W is not None:
            needed_W = min(needed_W, self.critical_W)
        self.critical_J += max(0.0, needed_W - (site.load_wanted_W - missing_W)) * dt_s
        if site.source == ON_GRID:
            self._see_grid(site.grid_power_W, dt_s)
        self._see_devices(site, now_s)

    def _see_grid(self, grid_W: float, dt_s: float) -> None:
        self.import_W = max(self.import_W, grid_W)
        if self._lost_s is None:
            return
        self._grid_W = [*self._grid_W[1 - round(SWING_S / dt_s) :], grid_W]
        self.swing_W = max(self.swing_W, max(self._grid_W) - min(self._grid_W))

    def _see_devices(self, site: Site, now_s: float) -> None:
        open_ = sum([part.asked.get("stages", 0) for part in site.parts])
        if open_ != (self.stages[-1][1] if self.stages else 0):
            self.stages.append((round(now_s - (self._lost_s or now_s), 1), open_))
        is_carried = any(each.feeds_W > 0 for each in site.parts if isinstance(each, Genset))
        if is_carried and site.source == ISLAND and self.engine_s is None:
            self.engine_s = now_s - (self._lost_s or now_s)

    def figures(self) -> dict[str, Any]:
        """Plain data."""
        member = self.pod.members[0]
        racks = member.plant.racks
        return {
            "load_W": round(self.wanted_J / (self.pod.now_us / 1e6)),
            "island_s": round(self.island_s, 1),
            "dark_s": round(self.dark_s, 1),
            "lost_kWh": round(self.lost_J / KWH_J, 2),
            "critical_kWh": round(self.critical_J / KWH_J, 2),
            "engine_s": None if self.engine_s is None else round(self.engine_s, 1),
            "stages": self.stages,
            "import_W": round(self.import_W),
            "swing_W": round(self.swing_W),
            "soc_end": round(sum([rack.soc for rack in racks]) / len(racks), 3),
            "trips": [f"{each['stage']} {each['scope']} at {each['t_s'] - LEAD_S:.1f} s" for each in member.trips.trips],
            "violations": list(member.observer.violations),
        }


def _missing_W(site: Site) -> float:
    """Load that has no power in this step: dark, shed, or beyond what the island gives."""
    if site.load_ups is not None:
        return site.load_ups.unserved_W + _shed_W(site)
    return site.load_wanted_W if not site.is_live else _shed_W(site)


def _shed_W(site: Site) -> float:
    return sum([part.sheds_W for part in site.parts]) if site.is_live else 0.0


def faults(found: dict[str, Any]) -> list[str]:
    """What these minutes broke."""
    broken = [f"critical load without {found['critical_kWh']:g} kWh"] * (found["critical_kWh"] > 0)
    return [*broken, *[f"tripped {each}" for each in found["trips"]], *found["violations"]]
