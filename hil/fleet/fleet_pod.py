"""A pod whose cabinets get their shares from a dispatcher."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from controller.config.cabinet_config import Config
from controller.core.base.hint_codes import IMPORT_W_MAX
from controller.hints import replies
from hil.engine.pod import Pod
from hil.engine.simulate import VirtualRig
from hil.fleet.messages import source_of
from hil.site.site import Site
from hil.values.rig import ValueRig

Event = tuple[float, Callable[["FleetPod"], object]]  # second of the run, what happens then


class Carrier(Protocol):
    """Carries the messages between cabinets and dispatcher."""

    @property
    def boxes(self) -> Mapping[str, Any]:
        """The ends of the cabinets, by name."""

    def start(self, now_us: int) -> None:
        """Start the dispatcher."""

    def kill(self) -> None:
        """Kill the dispatcher."""

    def start_broker(self) -> None:
        """Start the broker again."""

    def stop_broker(self) -> None:
        """Kill the broker."""

    def cut(self, name: str) -> None:
        """Cut the link of a cabinet."""

    def join(self, name: str) -> None:
        """Join a link that was cut."""

    def step(self, now_us: int) -> None:
        """Carry the messages after a tick."""


class FleetPod(Pod):
    """`events`: in order of their seconds. The caller sets `messages`."""

    messages: Carrier

    def __init__(
        self, site: Site, configs: Sequence[Config], seed: int, soc: float, plant: dict[str, float]
    ) -> None:
        super().__init__(site, configs, seed, soc, ValueRig, plant)
        for member in self.members:
            member.quicken()
        self.events: list[Event] = []

    def step(self) -> None:
        """Make a tick, then carry the messages."""
        while self.events and self.events[0][0] * 1e6 <= self.now_us:
            self.events.pop(0)[1](self)
        super().step()
        self.messages.step(self.now_us)

    @property
    def shares_W(self) -> int:
        """Sum of the import limits in force. A dead cabinet counts with its fallback, because it
        may start at any time.
        """
        return sum([_limit_W(member) for member in self.members])


def _limit_W(rig: VirtualRig) -> int:
    index, fallback_W = source_of(rig.config)
    if rig.controller.cabinet is None:
        return fallback_W
    limit_W, _, _ = replies.in_force(rig.core, index, IMPORT_W_MAX)
    return limit_W
