"""The control functions in turn, and the chains that take their answers: no kernel, no inputs."""

from array import array
from typing import Any

from controller.core import contract, functions, setpoint
from controller.core.answers import WIDE_W, ForDevice, Limit
from controller.core.site_devices.actuator_chain import ActuatorChain


class Control:
    """`view` is filled before `step`. `chain` is the battery's, `actuators` those of the site
    devices; `functions`: {name: function}.
    """

    def __init__(self, setup: contract.Setup):
        ramp_W = setup.settings["setpoint_ramp_W_per_s"] * setup.tick_ms // 1000
        self.chain = setpoint.Chain(max(1, ramp_W))
        self.view = contract.View(site=setup.site)
        self.actuators = [
            ActuatorChain(device, actuator, setup.tick_ms)
            for device in setup.site.devices
            for actuator in device.device.role.actuators
        ]
        self.functions = functions.built(setup)
        asked = [each for each in self.functions.values() if setup.has_work_for(each)]
        in_turn = sorted(asked, key=lambda function: function.STAGE)
        self._bounding = [function for function in in_turn if function.STAGE <= contract.BOUND]
        self._requesting = in_turn[len(self._bounding) :]

    def step(self, limit: Limit, elapsed_ticks: int) -> int:
        """Set-point of the battery, W. limit: of the kernel."""
        chain, view = self.chain, self.view
        chain.begin()
        chain.take(limit)
        view.setpoint_W = chain.state[0]
        for actuator in self.actuators:
            actuator.begin(view.is_estop, elapsed_ticks)
        self._ask(self._bounding, elapsed_ticks)
        view.limit_W = chain.limits.high_W
        view.low_W, view.high_W = chain.available()
        view.is_low_obliged = view.low_W > max(chain.caps.low_W, chain.limits.low_W)
        view.is_high_obliged = view.high_W < min(chain.caps.high_W, chain.limits.high_W)
        if self.actuators:
            obliged_W = [each.low_W for each in chain.obligations.standing]
            view.import_room_W = -max([*obliged_W, -WIDE_W])
        chain.meter_off_W = view.meter_off_W
        self._ask(self._requesting, elapsed_ticks)
        setpoint_W = chain.finish(elapsed_ticks)
        for actuator in self.actuators:
            actuator.finish(elapsed_ticks)
        if view.is_short and view.battery_W is not None:
            chain.tell_measured(view.battery_W)
        return setpoint_W

    def _ask(self, asked: list[contract.Function], elapsed_ticks: int) -> None:
        view = self.view
        for function in asked:
            if view.is_off_grid and function.NAME in functions.PAUSED:
                function.hold(view, elapsed_ticks)
                continue
            for answer in function.step(view, elapsed_ticks):
                if isinstance(answer, ForDevice):
                    self.actuators[answer.actuator].chain.take(answer.answer)
                else:
                    self.chain.take(answer)

    def state_blocks(self) -> list[Any]:
        """Arrays of all that carries over to the next tick, in the order of the journal."""
        blocks: list[array] = [self.chain.state]
        for function in self.functions.values():
            blocks += function.arrays()
        for actuator in self.actuators:
            blocks += actuator.chain.state, actuator.state
        return blocks
