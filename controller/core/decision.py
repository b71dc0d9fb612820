"""Decides the power of each unit in four steps: look, control functions, set-point chain, split.

The controller and the rig's mode without a kernel both use this class. Only their readings differ.
"""

from array import array
from typing import Any

from controller.core.control import Control
from controller.core.look import Look
from controller.core.policies.contract import Setup
from controller.core.readings import Source
from safety.kernel import Kernel


class Decision:
    """`control` has Known and Found of the last step; `units.out` is the power of each unit, W."""

    def __init__(
        self, source: Source, kernel: Kernel, rated_W: list[int], setup: Setup, inp: "array[int]"
    ) -> None:
        """kernel: only its units and racks are read; inp: inputs, at the places of image.places."""
        self._source, self._tick_ms, self.site = source, setup.tick_ms, setup.site
        self.control = Control(setup)
        self._look = look = Look(source, kernel, rated_W, setup, inp)
        self.temperatures, self.health, self.units = look.temperatures, look.health, look.units

    def step(self, elapsed_ticks: int) -> None:
        """Decide the power of each unit for one tick. The caller steps the site devices first."""
        source, elapsed_ms = self._source, elapsed_ticks * self._tick_ms
        known = self._look(elapsed_ms)
        total_W = self.control.step(known, elapsed_ticks)
        is_formed = self.control.found.formed_W == total_W
        limits_W = source.charge_W, source.discharge_W
        self.units.step(total_W, *limits_W, elapsed_ms, is_formed, known.step_test[0])

    def state_blocks(self) -> list[Any]:
        """Arrays that carry over to the next tick, in the order of the journal."""
        measured = self.site.state, self.temperatures.state, self.health.state
        return [*self.control.state_blocks(), *measured, *self.units.state_blocks()]

    def look_again(self) -> None:
        """Continue from the arrays of `state_blocks` after a caller has filled them."""
        self.control.kept.load()
        self.units.weights.forget()
        self.site.look()
