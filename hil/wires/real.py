"""The wires of a cabinet in real time: a pty per RTU bus, a CAN server per CAN bus."""

from hil.wires.can_server import CanServer
from hil.wires.pty_wire import PtyWire
from hil.wires.virtual_can import VirtualCan


def made(buses, cabinet, observer, beats):
    """({bus: PtyWire}, {bus: VirtualCan}, [CanServer]) with the cabinet's devices on them, tapped
    by the observer and, unless it is None, by `beats`.
    """
    ptys, cans = {}, {}
    for bus in buses:
        can_tap, rtu_tap = observer.can_tap, observer.rtu_tap(bus.name)
        if beats is not None:
            can_tap, rtu_tap = beats.can_tap(can_tap), beats.rtu_tap(bus.name, rtu_tap)
        if bus.kind == "can":
            cans[bus.name] = VirtualCan(bus.name, can_tap)
            cabinet.join(cans[bus.name])
        else:
            on_down = cabinet.slaves[bus.name].receive
            ptys[bus.name] = PtyWire(bus.baud_Bd, bus.character_bits, on_down, rtu_tap)
    return ptys, cans, [CanServer(can) for can in cans.values()]
