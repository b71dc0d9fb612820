"""The parts on which an action of a scenario acts: plant, devices, wires and controller."""

from typing import Any, NamedTuple, Protocol

from hil.plant.cabinet import CabinetPlant

Arguments = dict[str, Any]  # arguments of an action


class Controller(Protocol):
    """The controller under test: VirtualController or RemoteController."""

    def kill(self) -> None:
        """End the controller at once, as kill -9 does."""

    def start(self) -> None:
        """Start the controller again after a kill."""

    def stall(self, duration_ms: int) -> None:
        """Pause the controller for duration_ms."""

    def spoil_store(self) -> None:
        """Make both copies of the store unreadable."""

    def store_other_image(self) -> None:
        """Store the approval of another limit image."""

    def reset(self, by: str) -> None:
        """Request a reset, by "remote" or "key"."""

    def run_request(self, on: bool) -> None:
        """Request to run, or a controlled stop."""

    def hint(self, source: str, kind: int, quantity: int, value_W: int, valid_ms: int) -> None:
        """Send a hint as this source."""


class World(NamedTuple):
    """The things that an action may change."""

    plant: CabinetPlant
    devices: dict[str, Any]
    wires: dict[str, Any]
    controller: Controller
