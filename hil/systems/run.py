"""A run of a system: series, schedule, the controller second by second, the records."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hil.site.site import Site
from hil.systems import sized
from hil.systems.member import DAY_S, ChainMember
from hil.systems.planner import Planner
from hil.systems.series import SLOT_S, SLOTS_PER_DAY, Series, series_of, site_of
from hil.systems.spec import Spec

MODE = "chain only, 1 s"
TICK_MS = 100  # of the configuration: how fast the limits of the kernel rise


class Result(NamedTuple):
    """Means of each quarter of an hour: grid, battery (> 0 discharges), PV, generator set; SOC and
    spread at its end. seconds_W: load and grid of each second, float32. cap_W: the import
    that the schedule keeps to.
    """

    spec: Spec
    series: Series
    grid_W: np.ndarray
    battery_W: np.ndarray
    pv_W: np.ndarray
    genset_W: np.ndarray
    load_W: np.ndarray
    soc: np.ndarray
    spread_K: np.ndarray
    seconds_W: np.ndarray
    cap_W: float
    account: dict[str, float]
    thermal: dict[str, float] = {}  # of ChainMember.thermal


def run(
    spec: Spec, inputs: dict[str, Any] | None = None, show: Callable[[float], object] | None = None
) -> Result:
    """inputs: files instead of the built-in series; show: gets the share that is done."""
    inputs = inputs or {}
    series = series_of(spec, inputs)
    site = site_of(spec, inputs)
    begin_s = round((spec.start - datetime(1970, 1, 1)).total_seconds())
    plant = spec.size.of_rack | spec.plant
    with tempfile.TemporaryDirectory() as folder:
        config = sized.load(spec.size, Path(folder), TICK_MS)
        soc = spec.soc_permille / 1000
        member = ChainMember(config, site, soc, begin_s, plant, can_form=spec.can_form)
    return _Run(spec, series, site, member).all_days(show)


class _Run:
    def __init__(self, spec: Spec, series: Series, site: Site, member: ChainMember) -> None:
        self.spec, self.series, self.site, self.member = spec, series, site, member
        self._count = spec.days * SLOTS_PER_DAY
        self._seconds = np.zeros((2, spec.days * DAY_S), np.float32)
        self._rows = np.zeros((7, self._count))
        self._planner = Planner(spec, series)

    def all_days(self, show: Callable[[float], object] | None) -> Result:
        for slot in range(self._count):
            if self._planner.is_due(slot):
                rows = self._planner.rows(slot, self.member.soc)
                self.member.schedule(slot * SLOT_S, SLOT_S // 60, rows)
            self._slot(slot)
            if show is not None:
                show((slot + 1) / self._count)
        grid_W, battery_W, pv_W, genset_W, load_W, soc, spread_K = self._rows
        return Result(
            self.spec, self.series, grid_W, battery_W, pv_W, genset_W, load_W, soc, spread_K,
            self._seconds, self._planner.cap_W, dict(self.site.account.energy_J),
            self.member.thermal(),
        )  # fmt: skip

    def _slot(self, slot: int) -> None:
        site, member = self.site, self.member
        before_J = dict(site.account.energy_J)
        first = slot * SLOT_S
        for second in range(first, first + SLOT_S):
            site.step(1.0)
            self._seconds[0, second] = site.load_power_W
            self._seconds[1, second] = site.grid_power_W
        gained = {name: each - before_J[name] for name, each in site.account.energy_J.items()}
        mean_W = {name: each / SLOT_S for name, each in gained.items()}
        self._rows[:, slot] = (
            mean_W["imported"] - mean_W["exported"],
            mean_W["discharged"] - mean_W["charged"],
            *(mean_W["pv"], mean_W["genset"], mean_W["load"]),
            *(member.soc, member.spread_K),
        )
