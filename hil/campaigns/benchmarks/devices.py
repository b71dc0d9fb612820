"""`python -m hil bench devices`: a full CAN bus, and the memory of each example cabinet.

A full CAN bus of 500 kbit/s: frames of 8 bytes without stuff bits, so the most that can come. They
pass python-can's own SocketCAN receiver on a socket pair, the port, and the driver of each BMS
profile. Only this process's use of a core counts, so other load changes little.
"""

import itertools
import pathlib
import socket
import struct
from array import array
from collections.abc import Callable, Iterator
from typing import Any

from can.interfaces.socketcan import SocketcanBus, constants

from controller.config import profiles
from controller.run.can_bus import CanBus
from controller.sites import EXAMPLE
from drivers.buses.can_port import EXTENDED, CanPort
from drivers.can_bms import CanBms
from drivers.profile import FOLDER
from hil.campaigns import order
from hil.campaigns.benchmarks import machine, timing
from hil.campaigns.benchmarks.document import Figure, Measured, figure
from hil.devices.mirrored_bms import MirroredBms
from hil.engine import coverage, process_memory
from hil.engine.rig import Rig
from hil.plant.config import CabinetConfig
from hil.plant.rack import Rack
from safety import signals as s

SITES = EXAMPLE.parents[1]
BITRATE = 500_000
# a data frame of 8 bytes with the pause behind it, without stuff bits: ISO 11898-1, 10.4
FRAME_BITS, EXTENDED_FRAME_BITS = 111, 131
TICK_US = 20_000
JOINING_S = 4
CELLS, MODULES = 15, 15
FRAME = struct.Struct("=IBB2x8s")  # struct can_frame of linux/can.h
Frames = Callable[[int], list[tuple[int, bytes]]]


class Sink:
    """A process image of one rack."""

    def __init__(self) -> None:
        self.layout = s.Layout(1, 1, MODULES)
        self.inp = array("i", [0] * self.layout.inputs)
        self.fresh = bytearray(self.layout.groups)


class PairBus(SocketcanBus):
    """python-can's SocketCAN bus whose frames come from a socket pair: no kernel with CAN."""

    def __init__(self) -> None:
        self.source, self.socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, constants.SO_TIMESTAMPNS, 1)
        self.channel, self._is_filtered, self._filters = "can0", False, None
        self._is_shutdown = True  # it has nothing that python-can must give back


def run(seconds: float = 20.0) -> Measured:
    """The findings. seconds: of full bus for each profile, and of the rig for each cabinet.

    Raises RigError, OSError.
    """
    ticks = round(seconds * 1_000_000) // TICK_US
    names = sorted(each.stem for each in FOLDER.glob("*.toml") if _is_can_bms(each.stem))
    shares = {name: round(100 * share_of_core(name, ticks), 2) for name in names}
    worst = max(shares, key=lambda name: shares[name])
    figures: list[Figure] = [
        figure(f"full CAN bus of 500 kbit/s, {name}", share, "% of a core", budget="can_bus")
        for name, share in [(worst, shares.pop(worst)), *shares.items()]
    ]
    figures += [_memory(path, seconds) for path in sorted(SITES.glob("*/cabinet.toml"))]
    notes = [
        f"{seconds:g} s of each; all frames are the profile's own, received, checked and decoded",
        "memory: RssAnon of the controller in the rig, with the devices of an example cabinet",
    ]
    return Measured(figures, notes, {}, machine.priority())


def _memory(path: pathlib.Path, seconds: float) -> Figure:
    """Own memory of the controller of an example cabinet at the end of a run in real time."""
    seen_kB: list[int] = []

    def see(rig: Rig, shown: dict[str, Any]) -> None:
        assert rig.controller is not None, "the run has begun"
        seen_kB.append(process_memory.memory_kB(rig.controller.pid)["anonymous"])

    order.played(coverage.loaded(str(path)), seconds, 1, see)
    what = f"own memory of the controller, cabinet {path.parent.name}"
    return figure(what, round(seen_kB[-1] / 1024, 1), "MiB", budget="devices_memory")


def _is_can_bms(name: str) -> bool:
    return profiles.load(name).family == "can_bms"


def share_of_core(name: str, ticks: int) -> float:
    """Part of a core that a bus full of this profile's frames takes."""
    bus, source = CanBus("can"), PairBus()
    device, frames = _pair(name)
    bus.add(device, 0)
    bus.port = CanPort(source, bus.by_id)
    used_ns = due_ns = 0
    for second in range(JOINING_S):  # until the driver has confirmed the dialect
        for can_id, data in frames(second):
            device.on_frame(can_id, data, second * 1_000_000)
    stream, taken = _stream(frames, _used(device, frames)), device.frames
    for tick in range(ticks):
        now_us = JOINING_S * 1_000_000 + tick * TICK_US
        due_ns += TICK_US * 1000
        while due_ns > 0:
            can_id, data = next(stream)
            bits = EXTENDED_FRAME_BITS if can_id >= EXTENDED else FRAME_BITS
            due_ns -= bits * 10**9 // BITRATE
            source.source.send(FRAME.pack(can_id, len(data), 0, data.ljust(8, b"\0")))
        began_ns = timing.cpu_ns()
        bus.read(now_us)
        used_ns += timing.cpu_ns() - began_ns
    if device.frames == taken:
        raise RuntimeError(f"{name}: the driver took none of its own frames")
    source.source.close()
    source.socket.close()
    return used_ns / (ticks * TICK_US * 1000)


def _used(device: CanBms, frames: Frames) -> set[int]:
    """Places in a cycle of the frames that the driver does not skip."""
    places = set()
    for place, (can_id, data) in enumerate(frames(JOINING_S)):
        before = _counts(device)
        device.on_frame(can_id, data, JOINING_S * 1_000_000)
        places |= {place} if _counts(device) > before else set()
    return places


def _counts(device: CanBms) -> int:
    return device.frames + device.bad_frames + device.refused


def _stream(frames: Frames, used: set[int]) -> Iterator[tuple[int, bytes]]:
    """The frames of the cycles of a BMS, one behind the other without a pause."""
    for cycle in itertools.count(JOINING_S + 1):
        yield from (frame for place, frame in enumerate(frames(cycle)) if place in used)


def _pair(name: str) -> tuple[CanBms, Frames]:
    """(driver, frames of a cycle) of one rack."""
    sink, profile = Sink(), profiles.load(name)
    rack = Rack(CabinetConfig(), "bench")
    mirrored = MirroredBms(rack, 0, profile)
    driver = CanBms(profile, 0, 0, sink, sink.layout, (CELLS, MODULES))

    def cycle(at: int) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = mirrored.frames(at * 10_000_000)
        return [(_marked(can_id), data) for can_id, data in found]

    return driver, cycle


def _marked(can_id: int) -> int:
    """An id with SocketCAN's mark where it has 29 bits."""
    return can_id | EXTENDED if can_id > 0x7FF else can_id
