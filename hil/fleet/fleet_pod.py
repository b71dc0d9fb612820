"""A pod whose cabinets get their shares from a dispatcher, in virtual time."""

from collections.abc import Callable, Sequence

from controller.config.configuration import Config
from hil.engine.pod import Pod
from hil.fleet.broker import Faults
from hil.fleet.messages import Messages
from hil.site.site import Site
from hil.values.rig import ValueRig

Event = tuple[float, Callable[["FleetPod"], object]]  # second of the run, what happens then


class FleetPod(Pod):
    """`events`: in order of their seconds."""

    def __init__(
        self,
        site: Site,
        configs: Sequence[Config],
        shared_W: tuple[int, int],
        seed: int,
        soc: float,
        plant: dict[str, float],
        faults: Faults,
    ) -> None:
        """shared_W: import of the connection, and what the dispatcher keeps free of it."""
        super().__init__(site, configs, seed, soc, ValueRig, plant)
        self.messages = Messages(self.members, *shared_W, seed, faults)
        self.events: list[Event] = []

    def step(self) -> None:
        """Make a tick, then carry the messages."""
        while self.events and self.events[0][0] * 1e6 <= self.now_us:
            self.events.pop(0)[1](self)
        super().step()
        self.messages.step(self.now_us)
