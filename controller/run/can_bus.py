"""One CAN bus of the cabinet: hands frames to the drivers of the BMS, and sends their commands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.config import can_dialects
from drivers import can_dialect
from drivers.can_bms import CanBms

# All frames of 100 ms (16 racks x 21 frames = 336) may arrive in one tick; the rest is a margin.
CAN_FRAMES_PER_TICK_MAX = 512
IDS_MAX = 256  # most ids to remember, because a faulty bus must not fill the memory


class CanWire(Protocol):
    """The part of can_port.CanPort that a CanBus uses."""

    def drain(self, limit: int) -> list[tuple[int, bytes]]:
        """(id, data) of the frames that have arrived."""

    def send(self, can_id: int, data: bytes) -> bool:
        """Send a frame. True: the interface has taken it."""


@dataclass(slots=True)
class Rack:
    """A BMS, the place of its command in the kernel's outputs, and the time of its next frame."""

    command_at: int
    bms: CanBms
    due_us: int = 0


class CanBus:
    """One CAN bus and the rack BMS on it. Its owner sets `port` before the first tick."""

    port: CanWire

    def __init__(self, name: str):
        self.name = name
        self.racks: list[Rack] = []
        self.by_id: dict[int, CanBms] = {}
        self.heard: set[int] = set()  # every id on the bus, to find a profile that fits

    def add(self, bms: CanBms, command_at: int) -> None:
        """Add one rack's BMS."""
        self.racks.append(Rack(command_at, bms))
        if not bms.is_sealed:
            can_dialects.shipped()  # reads files, so it must come before the loop runs
        for can_id in bms.can_ids():
            self.by_id[can_id] = bms

    def read(self, now_us: int) -> None:
        """Hand the frames that have arrived to the BMS drivers. Drop frames of unknown ids."""
        by_id, heard = self.by_id, self.heard
        for can_id, data in self.port.drain(CAN_FRAMES_PER_TICK_MAX):
            if can_id not in heard and len(heard) < IDS_MAX:
                heard.add(can_id)
            bms = by_id.get(can_id)
            if bms is not None:
                bms.on_frame(can_id, data, now_us)

    def reports(self, now_us: int) -> Iterator[tuple[int, tuple[int, int, int]]]:
        """(node, (state, id, number of the profile that fits)) of each rack with a dialect."""
        for rack in self.racks:
            if not rack.bms.is_sealed:
                state, can_id = rack.bms.report(now_us)
                if self.heard and self.heard.isdisjoint(rack.bms.can_ids()):
                    state, can_id = can_dialect.MISSING, rack.bms.can_ids()[0]
                fits = (
                    can_dialects.number_of(self.heard)
                    if state in (can_dialect.MISSING, can_dialect.FOREIGN)
                    else 0
                )
                yield rack.bms.node, (state, can_id, fits)

    def write(self, out: Sequence[int], now_us: int) -> None:
        """Send each rack's command when it is due."""
        for rack in self.racks:
            if now_us >= rack.due_us:
                period_us = rack.bms.command_period_us
                due_us = rack.due_us + period_us
                rack.due_us = due_us if due_us > now_us else now_us + period_us
                for can_id, data in rack.bms.command(out[rack.command_at]):
                    self.port.send(can_id, data)
