"""Asks the control functions in turn, and gives their answers to the chains of the set-points.

This file reads neither the kernel nor the inputs: all that a function may know is in Known.
"""

from array import array
from typing import Any

from controller.core import functions
from controller.core.base import setpoint
from controller.core.base.answers import WIDE_W, ForDevice
from controller.core.policies import contract
from controller.core.policies.found import Found, Kept
from controller.core.policies.known import Known
from controller.core.site_devices.actuator_chain import ActuatorChain


class Control:
    """Steps the control functions and the chains. `known` and `found` are those of the last step,
    `chain` is the chain of the battery, and `functions` has the functions by name.
    """

    def __init__(self, setup: contract.Setup):
        ramp_W = setup.settings["setpoint_ramp_W_per_s"] * setup.tick_ms // 1000
        self.chain = setpoint.Chain(max(1, ramp_W))
        self.known, self.found = Known(site=setup.site), Found()
        self.kept = Kept(self.found, functions.BEFORE)
        self.actuators = [
            ActuatorChain(device, actuator, setup.tick_ms)
            for device in setup.site.devices
            for actuator in device.device.role.actuators
        ]
        self.functions = setup.functions
        for kind in functions.FUNCTIONS:
            self.functions[kind.NAME] = kind(setup)
        # A function is left out if the cabinet has none of the devices that it controls.
        asked = [
            function
            for function in functions.in_turn(self.functions.values())
            if not function.ROLES or setup.actuators(function.ROLES)
        ]
        self._judging = [function for function in asked if function.STAGE == contract.BALANCE]
        self._requesting = [function for function in asked if function.STAGE > contract.BOUND]
        self._bounding = asked[len(self._judging) : len(asked) - len(self._requesting)]

    def step(self, known: Known, elapsed_ticks: int) -> int:
        """Step all functions and chains. Returns the set-point of the battery, W."""
        chain, findings, self.known = self.chain, self.found, known
        chain.begin()
        chain.take(known.limit)
        findings.setpoint_W, findings.added_W = chain.state
        for actuator in self.actuators:
            actuator.begin(known.is_estop, elapsed_ticks)
        self._ask(self._judging, known, elapsed_ticks)
        if findings.is_grid_wrong or findings.is_load_wrong:
            known = self._trusted(known)
        self._ask(self._bounding, known, elapsed_ticks)
        self._bound()
        self._ask(self._requesting, known, elapsed_ticks)
        chain.meter_off_W = findings.meter_off_W
        setpoint_W = chain.finish(elapsed_ticks)
        for actuator in self.actuators:
            actuator.finish(elapsed_ticks)
        if known.is_short and known.battery_W is not None:
            chain.show_measured(known.battery_W)
        self.kept.store()
        return setpoint_W

    def _trusted(self, known: Known) -> Known:
        """Return Known without the meters that other measurements contradict. Off the grid both
        meters stay in Known: the bus may be without voltage there, and the functions that read the
        meters check that themselves.
        """
        findings = self.found
        if findings.is_off_grid:
            return known
        if findings.is_load_wrong:
            known = known._replace(load_meter_W=None)
        return known._replace(grid_W=None, grid_meter_W=None) if findings.is_grid_wrong else known

    def _bound(self) -> None:
        """Write to Found the range of power that the caps, obligations and limits leave."""
        chain, findings = self.chain, self.found
        findings.limit_W = chain.limits.high_W
        low_W, high_W = findings.low_W, findings.high_W = chain.available()
        free_low_W = max(chain.caps.low_W, chain.limits.low_W)
        findings.is_low_obliged, findings.charge_W_max = low_W > free_low_W, max(0, -free_low_W)
        findings.is_high_obliged = high_W < min(chain.caps.high_W, chain.limits.high_W)
        if self.actuators:
            obliged_W = [obligation.low_W for obligation in chain.obligations.standing]
            findings.import_room_W = -max([*obliged_W, -WIDE_W])

    def _ask(self, asked: list[contract.Function], known: Known, elapsed_ticks: int) -> None:
        findings = self.found
        for function in asked:
            if findings.is_off_grid and function.NAME in functions.PAUSED:
                function.hold(known, findings, elapsed_ticks)
                continue
            for answer in function.step(known, findings, elapsed_ticks):
                if isinstance(answer, ForDevice):
                    self.actuators[answer.actuator].chain.take(answer.answer)
                else:
                    self.chain.take(answer)

    def state_blocks(self) -> list[Any]:
        """Arrays that carry over to the next tick, in the order of the journal."""
        blocks: list[array[int]] = [self.chain.state, self.kept.state]
        for function in self.functions.values():
            blocks += function.arrays()
        for actuator in self.actuators:
            blocks += actuator.chain.state, actuator.state
        return blocks
