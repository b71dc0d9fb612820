"""The control functions in turn, and the chain that takes their answers: no kernel, no inputs."""

from controller.core import contract, functions, setpoint


class Control:
    """`view` is filled before `step`; `chain` and `functions` {name: function} hold what came of
    it.
    """

    def __init__(self, setup):
        self.chain = setpoint.Chain(setup.settings, setup.tick_ms)
        self.view = contract.View()
        self.functions = functions.built(setup)
        in_turn = sorted(self.functions.values(), key=lambda function: function.STAGE)
        self._bounding = [function for function in in_turn if function.STAGE <= contract.BOUND]
        self._requesting = in_turn[len(self._bounding) :]

    def step(self, limit, elapsed_ticks: int) -> int:
        """Set-point, W. limit: answers.Limit of the kernel."""
        chain, view = self.chain, self.view
        chain.begin()
        chain.take(limit)
        view.setpoint_W = chain.state[0]
        for function in self._bounding:
            for answer in function.step(view, elapsed_ticks):
                chain.take(answer)
        view.low_W, view.high_W = chain.available()
        view.is_low_obliged = view.low_W > max(chain.caps.low_W, chain.limits.low_W)
        view.is_high_obliged = view.high_W < min(chain.caps.high_W, chain.limits.high_W)
        chain.meter_off_W = view.meter_off_W
        for function in self._requesting:
            for answer in function.step(view, elapsed_ticks):
                chain.take(answer)
        setpoint_W = chain.finish(elapsed_ticks)
        if view.is_short and view.battery_W is not None:
            chain.tell_measured(view.battery_W)
        return setpoint_W

    def state_blocks(self) -> list:
        """Arrays of all that carries over to the next tick, in the order of the journal."""
        blocks = [self.chain.state]
        for function in self.functions.values():
            blocks += function.arrays()
        return blocks
