"""`rig --external BUS=ADDRESS`: a foreign device or simulator answers on a bus of the cabinet.

The rig simulates no device of that bus and does not see its messages, so the plant lacks these
devices. `LACKS` says what this means for each kind of device. `reach` opens each address once
before the run.
"""

import contextlib
import os
import re
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from controller.config import unit_access
from controller.config.bus_schema import BUS, PORT, Bus
from controller.config.cabinet_config import Config
from controller.forms.field import check_value
from controller.forms.refusal import refuse
from drivers.buses.can_port import CanPortError, open_bus
from drivers.buses.serial_port import SerialPort, SerialPortError

Plug = dict[str, str]  # the keys of a bus in the cabinet's file that name its address
OPTION = "--external"
CONNECT_S = 3.0
FORMS = {
    "rtu": "the path of a serial port or pty, such as /dev/ttyUSB0",
    "tcp": "an IPv4 address and a port, such as 127.0.0.1:5020",
    "can": "INTERFACE:CHANNEL, such as socketcan:can0",
}
ONE_PROCESS = "virtual"  # an interface of python-can that stays within one process
_SPEED = re.compile(r":\d{4,}$")
COMMANDED = "The controller commands it in earnest, and no emergency stop of the rig reaches it."
LACKS = {
    "meter": "Its values do not follow the plant.",
    "pcs": f"The plant takes 0 W for it. {COMMANDED}",
    "bms": f"Its rack in the plant does not follow it. {COMMANDED}",
    "io": f"Its outputs reach no permit of the plant. {COMMANDED}",
}
LACKS_OTHER = "The plant does without it."


class UnreachableError(OSError):
    """An address cannot be opened. The message is one line."""


def plugs(config: Config, texts: Sequence[str]) -> dict[str, Plug]:
    """Read the texts BUS=ADDRESS. Returns {bus: keys that name its address}. Raises ConfigError."""
    buses = {bus.name: bus for bus in config.buses}
    by_bus: dict[str, Plug] = {}
    for text in texts:
        name, _, address = text.partition("=")
        if name not in buses:
            refuse(OPTION, (text,), "no such bus", f"BUS=ADDRESS, BUS one of {', '.join(buses)}")
        if name in by_bus:
            refuse(OPTION, (text,), f"bus {name} is there twice", "each bus once")
        plug = _plug(buses[name], address)
        if plug in by_bus.values():
            refuse(OPTION, (text,), "another bus has this address", "an address for each bus")
        by_bus[name] = plug
    return by_bus


def _plug(bus: Bus, address: str) -> Plug:
    if bus.kind == "rtu":
        if not address.startswith(("/", "./", "../")) or _SPEED.search(address):
            _refuse_form(bus, address)
        return {"port": os.path.abspath(address)}
    if bus.kind == "tcp":
        return _checked(bus, {"address": address})
    interface, _, channel = address.partition(":")
    if interface == ONE_PROCESS or not channel:
        _refuse_form(bus, address)
    return _checked(bus, {"interface": interface, "channel": channel})


def _refuse_form(bus: Bus, address: str) -> None:
    speed = f"; baud_Bd of the bus has the speed, {bus.baud_Bd}" if bus.kind == "rtu" else ""
    reason = f"is no address of a bus of kind {bus.kind}"
    refuse(OPTION, (f"{bus.name}={address}",), reason, FORMS[bus.kind] + speed)


def _checked(bus: Bus, plug: Plug) -> Plug:
    for key, value in plug.items():
        check_value(OPTION, (bus.name, key), value, BUS[key])
    return plug


def inside(config: Config, foreign: Collection[str]) -> Config:
    """The configuration without the foreign buses and their devices. The rig simulates the rest."""
    topology = config.topology
    buses = tuple([bus for bus in topology.buses if bus.name not in foreign])
    devices = tuple([device for device in topology.devices if device.bus not in foreign])
    return replace(config, topology=replace(topology, buses=buses, devices=devices))


def about(config: Config, plugs: dict[str, Plug]) -> list[str]:
    """A line for each foreign bus: address, devices, and what the plant lacks."""
    return [
        f"{name} is {':'.join(plug.values())}, with {_devices_text(config, name)}"
        for name, plug in plugs.items()
    ]


def _devices_text(config: Config, bus: str) -> str:
    devices = config.topology.on_bus(bus)
    kinds = dict.fromkeys([device.role.partition("_")[0] for device in devices])
    lacks = dict.fromkeys([LACKS.get(kind, LACKS_OTHER) for kind in kinds])
    return f"{', '.join([device.name for device in devices])}. {' '.join(lacks)}"


def reach(config: Config, plugs: dict[str, Plug]) -> None:
    """Open each address once, then close it. Raises UnreachableError."""
    for bus in config.buses:
        if bus.name in plugs:
            try:
                _OPENERS[bus.kind](bus, plugs[bus.name])
            except (SerialPortError, CanPortError) as failure:
                raise UnreachableError(f"{OPTION} {bus.name}: {failure}") from None
            except OSError as failure:
                address = ":".join(plugs[bus.name].values())
                line = f"{OPTION} {bus.name}: {address}: {failure.strerror or failure}"
                raise UnreachableError(line) from None


def _open_rtu(bus: Bus, plug: Plug) -> None:
    port = SerialPort(plug["port"], bus.baud_Bd, bus.characters[1], int(bus.characters[2]))
    with contextlib.closing(port):
        port.open()


def _open_tcp(bus: Bus, plug: Plug) -> None:
    host, _, port = plug["address"].rpartition(":")
    socket.create_connection((host, int(port)), CONNECT_S).close()


def _open_can(bus: Bus, plug: Plug) -> None:
    interface, channel = plug["interface"], plug["channel"]
    server: dict[str, Any] = {}
    if interface == "socketcand":
        host, port, channel = unit_access.can_server(channel)
        server = {"host": host, "port": port}
        # A wrong address would make python-can 4.6.1 try for 10 s, with an error line each time.
        socket.create_connection((host, port), CONNECT_S).close()
    open_bus(interface, channel, bus.bitrate_bps, **server).shutdown()


_OPENERS: dict[str, Callable[[Bus, Plug], None]] = {
    "rtu": _open_rtu,
    "tcp": _open_tcp,
    "can": _open_can,
}


def named_in(directory: str, plugs: dict[str, Plug]) -> dict[str, Plug]:
    """The plugs for the cabinet's file. A path that the file does not allow gets a link."""
    return {name: _linked(directory, name, plug) for name, plug in plugs.items()}


def _linked(directory: str, name: str, plug: Plug) -> Plug:
    path = plug.get("port")
    if path is None or PORT[0].fullmatch(path):
        return plug
    link = os.path.abspath(os.path.join(directory, f"{name}.port"))
    os.symlink(path, link)
    return {"port": link}
