"""How much each cabinet should import: its load, less the power that its battery should give.

    need      load of all cabinets, less the connection: the batteries must give this together
    held back power of the connection that stays free for the largest discharge. A cabinet that dies
              drops its discharge onto the grid within a tick, seconds before the others can answer.
              So all batteries give more. This costs energy, so it is done only while the charge
              lasts for hours at that power.
    spare     the rest of the connection; each cabinet gets a part of it for its charge

The batteries share the discharge by energy, health and temperature, as the units of one cabinet do.
A silent cabinet gives nothing, and its load counts whole. Pure: only integers, W.
"""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from controller.core.base.answers import WIDE_W
from controller.core.split import Split
from controller.core.weights import Weights
from controller.dispatch.report import NOTHING, POWER_W_MAX, Report

TURNS_MAX = 40  # of the search for the discharge; the change falls by 1/n in each turn


class View(NamedTuple):
    """A cabinet. load_W: its import with the battery at 0. discharge_W: what the battery can give
    now, 0 from a silent cabinet. part: weight of its part of the spare power.
    """

    load_W: int
    discharge_W: int
    fallback_W: int
    is_live: bool
    part: int
    report: Report = NOTHING


class Targets(NamedTuple):
    """values_W: import of each cabinet. held_W: power that is held back. short_W: the load that
    neither the connection nor the batteries can carry.
    """

    values_W: list[int]
    held_W: int
    short_W: int


class Planner:
    """The targets of one fleet. _rated_W: largest discharge that each cabinet has ever shown."""

    def __init__(self, count: int, hold_h: float = 0.0, lent_permille: int = 1000):
        """hold_h: hours for which the charge must last; 0: no limit.
        lent_permille: part of the spare power that is lent before it is needed.
        """
        self._split, self._rated_W = Split(count), [1000] * count
        self._weights = self._new_weights()
        self._hold_h, self._lent_permille = hold_h, lent_permille
        self._none_W = array("i", [0] * count)

    def _new_weights(self) -> Weights:
        return Weights(self._rated_W, tuple(range(len(self._rated_W))))

    def step(self, views: Sequence[View], connection_W: int, spare_W: int = 0) -> Targets:
        """The targets for these views. connection_W: without import that is in no cabinet's load.
        spare_W: the least power that is kept free.
        """
        discharges_W = self._discharges(views, connection_W, spare_W)
        load_W = sum(view.load_W for view in views)
        left_W = load_W - sum(discharges_W)
        held_W = max(0, min(max(spare_W, *discharges_W), connection_W - left_W))
        spare_W = max(0, connection_W - held_W - left_W) * self._lent_permille // 1000
        parts_W = _parts(spare_W, [view.part if view.is_live else 0 for view in views])
        values_W = [
            min(POWER_W_MAX, max(view.fallback_W, view.load_W - discharge_W + part_W))
            for view, discharge_W, part_W in zip(views, discharges_W, parts_W)
        ]
        over_W = sum(values_W) - (connection_W - held_W)
        if over_W > 0:
            values_W = self._lowered(views, values_W, over_W)
        return Targets(values_W, held_W, max(0, left_W - connection_W))

    def _lowered(self, views: Sequence[View], values_W: list[int], over_W: int) -> list[int]:
        """The values less over_W, as far as fallbacks and batteries allow."""
        least_W = [max(view.fallback_W, view.load_W - view.discharge_W) for view in views]
        room_W = [
            max(0, value_W - floor_W) if view.is_live else 0
            for view, value_W, floor_W in zip(views, values_W, least_W)
        ]
        self._split.step(over_W, self._none_W, array("i", room_W), room_weights(room_W))
        return [value_W - part_W for value_W, part_W in zip(values_W, self._split.out)]

    def _discharges(self, views: Sequence[View], connection_W: int, spare_W: int) -> list[int]:
        """Power of each battery. Together they give the need, and held-back power above it."""
        need_W = sum(view.load_W for view in views) - connection_W
        if need_W + spare_W <= 0:
            return [0] * len(views)
        weights = self._weighted(views)
        # a battery gives nothing below the fallback of its cabinet
        most_W = [min(view.discharge_W, view.load_W - view.fallback_W) for view in views]
        room_W = array("i", [max(0, limit_W) for limit_W in most_W])
        total_W = need_W + spare_W
        for _ in range(TURNS_MAX):
            self._split.step(total_W, self._none_W, room_W, weights)
            wanted_W = need_W + max(spare_W, *self._split.out)
            if wanted_W <= total_W or total_W >= sum(room_W):
                break
            total_W = min(wanted_W, sum(room_W))
        total_W = min(total_W, max(need_W, self._lasting_W(views)), sum(room_W))
        self._split.step(total_W, self._none_W, room_W, weights)
        return list(self._split.out)

    def _lasting_W(self, views: Sequence[View]) -> int:
        """The discharge of all batteries for which the charge lasts long enough."""
        left_Wh = [view.report.remaining_Wh for view in views if view.discharge_W]
        if not self._hold_h or None in left_Wh:
            return WIDE_W
        return int(sum(energy_Wh for energy_Wh in left_Wh if energy_Wh is not None) / self._hold_h)

    def _weighted(self, views: Sequence[View]) -> list[int]:
        rated_W = [max(most_W, view.discharge_W) for most_W, view in zip(self._rated_W, views)]
        if rated_W != self._rated_W:
            self._rated_W, before = rated_W, self._weights.held
            self._weights = self._new_weights()
            self._weights.held[:] = before
        self._weights.update(
            [view.report.soc_permille for view in views],
            [view.report.temperature_ddegC for view in views],
            [view.report.soh_permille for view in views],
        )
        return self._weights.discharge


def room_weights(room_W: Sequence[int]) -> list[int]:
    """Weights in proportion to rooms, each at most 2^20."""
    shift = max(0, max(room_W, default=0).bit_length() - 20)
    return [power_W >> shift for power_W in room_W]


def _parts(total_W: int, weights: Sequence[int]) -> list[int]:
    """Parts of total_W in proportion to the weights. Their sum is exact; 0 if all weights are 0."""
    whole, parts_sum_W, weights_sum = sum(weights), 0, 0
    parts_W = []
    for weight in weights:
        weights_sum += weight
        part_W = total_W * weights_sum // whole - parts_sum_W if whole else 0
        parts_sum_W += part_W
        parts_W.append(part_W)
    return parts_W
