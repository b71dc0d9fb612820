"""The wires of a cabinet in real time: a pty, a socket or a CAN server for each bus."""

from collections.abc import Iterable

from controller.config.topology import Bus
from hil.engine.cabinet import SimulatedCabinet
from hil.observer.beats import Beats
from hil.observer.observer import Observer
from hil.wires.can_server import CanServer
from hil.wires.pty_wire import PtyWire
from hil.wires.tcp_wire import TcpWire
from hil.wires.virtual_can import VirtualCan


def made(
    buses: Iterable[Bus], cabinet: SimulatedCabinet, observer: Observer, beats: Beats | None
) -> tuple[dict[str, PtyWire | TcpWire], dict[str, VirtualCan], list[CanServer]]:
    """The wires with the cabinet's devices, tapped by the observer and, if given, by `beats`."""
    ptys: dict[str, PtyWire | TcpWire] = {}
    cans = {}
    for bus in buses:
        can_tap, rtu_tap = observer.can_tap(bus.name), observer.rtu_tap(bus.name)
        if beats is not None:
            can_tap = beats.can_tap(bus.name, can_tap)
            rtu_tap = beats.rtu_tap(bus.name, rtu_tap)
        if bus.kind == "can":
            cans[bus.name] = VirtualCan(bus.name, can_tap)
            cabinet.join(cans[bus.name])
        else:
            on_down = cabinet.slaves[bus.name].receive
            wire = TcpWire if bus.kind == "tcp" else PtyWire
            ptys[bus.name] = wire(bus.baud_Bd, bus.character_bits, on_down, rtu_tap)
    return ptys, cans, [CanServer(can) for can in cans.values()]
