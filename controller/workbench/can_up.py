"""`firebreak bus can-up NAME`: sets up a CAN interface of Linux as the configuration states it.

SocketCAN has no default bit rate. "restart-ms 100" restarts the interface after a bus-off
(linux-can/can-utils #262). The queue has 100 frames, because a burst fills the default queue of 10
(#400, python-can #2004).
"""

import os
from argparse import Namespace

from controller.config import configuration
from controller.system import cli, programs
from controller.system.paths import DONE, NO_START, say

CONFIG_FILE = "/etc/firebreak/cabinet/cabinet.toml"
IP = "/sbin/ip"  # iproute2; a full path, because a service may have no PATH


def steps(name: str, bitrate_bps: int, is_hardware: bool) -> list[list[str]]:
    """Arguments of `ip`, one list per call. A virtual interface has no bit rate and no bus-off."""
    speed = f"link set {name} type can bitrate {bitrate_bps} restart-ms 100"
    changes = [
        f"link set {name} down",
        *([speed] if is_hardware else []),
        f"link set {name} txqueuelen 100 up",
    ]
    return [change.split() for change in changes]


@cli.command(
    "bus can-up",
    cli.option("name", help="the interface: can0"),
    cli.option("--file", default=CONFIG_FILE, help="cabinet.toml (%(default)s)"),
)
def _run(arguments: Namespace, system: str = "/sys/class/net", ip: str = IP) -> int:
    name = arguments.name
    buses = configuration.load(arguments.file).buses
    rates_bps = {
        bus.channel: bus.bitrate_bps
        for bus in buses
        if bus.kind == "can" and bus.interface == "socketcan"
    }
    if name not in rates_bps:
        known = ", ".join(rates_bps) or "no SocketCAN interface"
        say(f"{name}: nothing done, the configuration has {known}")
        return DONE
    place = os.path.join(system, name)
    if not os.path.isdir(place):
        remedy = f"plug the adapter in, or correct the channel in {arguments.file}"
        raise cli.Ended(NO_START, f"{name}: no such interface: {remedy}")
    is_hardware = os.path.exists(os.path.join(place, "device"))
    for change in steps(name, rates_bps[name], is_hardware):
        _change(name, change, ip)
    return DONE


def _change(name: str, change: list[str], ip: str) -> None:
    done = programs.ran([ip, *change], capture_output=True, text=True, stdin=programs.NOTHING)
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise cli.Ended(NO_START, f"{name}: ip {' '.join(change)}: {why}")
