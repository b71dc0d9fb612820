"""Makes a drop-in file for the controller's systemd unit. It allows the service to use the network
addresses and serial ports of the buses.

`firebreak.service` itself allows only the usual kinds of serial ports, and no IP network.
"""

import ipaddress
import os

from controller.config.bus_schema import Bus
from controller.config.cabinet_config import Config
from controller.forms.addresses import address

DROP_IN = "/etc/systemd/system/firebreak.service.d/addresses.conf"
# Kinds of serial ports that DeviceAllow= of the unit already names, in the words of /proc/devices.
# systemd allows pseudo-terminals (pts) itself.
SERIAL_KINDS = ("ttyS", "ttyUSB", "ttyACM", "ttyAMA", "ttymxc")
CAN_SERVER_PORT = 29_536


def can_server(channel: str) -> tuple[str, int, str]:
    """(host, port, interface) of a socketcand channel: [HOST[:PORT]/]NAME."""
    server, _, name = channel.rpartition("/")
    host, _, port = server.partition(":")
    return host or "127.0.0.1", int(port or CAN_SERVER_PORT), name


def addresses(config: Config) -> dict[str, str]:
    """{bus: host} of the buses that need IP."""
    hosts = {bus.name: _host(bus) for bus in config.buses}
    return {name: host for name, host in hosts.items() if host}


def _host(bus: Bus) -> str:
    if bus.kind == "tcp":
        return bus.address.rpartition(":")[0]
    return can_server(bus.channel)[0] if bus.interface == "socketcand" else ""


def nameless(config: Config) -> dict[str, str]:
    """{bus: host} of the hosts that are names. The service can use only IPv4 addresses, because it
    cannot look up a name.
    """
    return {name: host for name, host in addresses(config).items() if not _is_address(host)}


def _is_address(host: str) -> bool:
    return isinstance(address(host), ipaddress.IPv4Address)


def port_kinds(config: Config, devices: str = "/proc/devices") -> list[str]:
    """Kinds of the plugged-in serial ports of the configuration that the unit does not allow."""
    buses = [*config.buses, *([config.channel_b] if config.channel_b else [])]
    ports = [bus.channel if bus.interface == "slcan" else bus.port for bus in buses]
    kinds = {_kind(port, devices) for port in ports if port}
    return sorted(kinds - {"", "pts", *SERIAL_KINDS})


def _kind(port: str, list_path: str) -> str:
    """Name of a port's driver in the list of the Linux kernel. "" if the port is absent."""
    try:
        major = str(os.major(os.stat(port).st_rdev))
        with open(list_path, encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return ""
    return next((line[1] for line in lines if len(line) == 2 and line[0] == major), "")


def drop_in(config: Config) -> str:
    """Text of DROP_IN. "" if the unit needs no drop-in."""
    hosts = sorted({host for host in addresses(config).values() if _is_address(host)})
    lines = [f"DeviceAllow=char-{kind} rw" for kind in port_kinds(config)]
    lines += ["RestrictAddressFamilies=AF_INET"] if hosts else []
    lines += [f"IPAddressAllow={host}" for host in hosts]
    if not lines:
        return ""
    heading = f"# From {config.path} by `firebreak check --drop-in`; ./flash.sh install renews it."
    return "\n".join([heading, "[Service]", *lines, ""])
