"""The clock of a controller, which may run fast or slow: its uptime and its ticks."""

from hil.engine.simulate import VirtualRig


class OwnClock:
    """`has_ticked`: False after a step of the rig that a slow controller has left out."""

    def __init__(self, rig: VirtualRig) -> None:
        self.rig, self.has_ticked, self._ahead_ms = rig, True, 0

    @property
    def now_ms(self) -> int:
        """Uptime of the controller."""
        return self.rig.now_us // 1000 + self._ahead_ms

    def drift(self, gained_ms: int, within_ms: int) -> None:
        """Gain gained_ms evenly over within_ms; < 0: lose it. A dead controller does not."""
        cabinet, tick_ms = self.rig.controller.cabinet, self.rig.config.tick_ms
        if cabinet is None:
            return
        own_tick, interval_ticks = cabinet.tick, within_ms // abs(gained_ms)
        left_ticks, extra_ticks = within_ms // tick_ms, 1 if gained_ms > 0 else -1

        def tick(now_us: int, elapsed_ticks: int) -> None:
            nonlocal left_ticks
            left_ticks -= 1
            if left_ticks < 0:
                cabinet.tick = own_tick  # type: ignore[method-assign]
            elif left_ticks % interval_ticks == 0:
                self._ahead_ms += extra_ticks * tick_ms
                elapsed_ticks += extra_ticks
            self.has_ticked = elapsed_ticks > 0
            if self.has_ticked:
                own_tick(now_us, elapsed_ticks)

        cabinet.tick = tick  # type: ignore[method-assign]
