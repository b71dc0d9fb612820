"""The base class of the simulated BMSs on CAN: common faults, and opening without commands."""

from typing import Any

from hil.plant.rack import Rack

Frames = list[tuple[int, bytes]]  # (id, data)


class SimulatedBms:
    """The BMS of one rack. Faults: silent, deaf, frozen, silent_ids, overrides {id: data}."""

    LOST_US = 5_000_000  # after this time without a frame it opens; manufacturers use 5 to 60 s
    command_ids: tuple[int, ...]

    def __init__(self, rack: Rack) -> None:
        self.rack = rack
        self.silent = self.deaf = self.frozen = False
        self.silent_ids: set[int] = set()
        self.overrides: dict[Any, Any] = {}
        self.next_us: int | None = None
        self._heard_us: int | None = None

    def tick(self, now_us: int) -> None:
        """Open the contactors when the last accepted frame is older than LOST_US."""
        if self._heard_us is not None and now_us - self._heard_us > self.LOST_US:
            self._heard_us = None
            self.rack.command_close(False)

    def frames(self, now_us: int) -> Frames:
        """[(id, data)] of the frames that are due at now_us."""
        raise NotImplementedError

    def receive(self, can_id: int, data: bytes, now_us: int) -> None:
        """Take a frame that was sent to the BMS."""
        raise NotImplementedError

    def sent(self, frames: Frames) -> Frames:
        """These frames, changed by silent_ids and overrides."""
        return [
            (can_id, self.overrides.get(can_id, data))
            for can_id, data in frames
            if can_id not in self.silent_ids
        ]
