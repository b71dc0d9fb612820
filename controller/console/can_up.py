"""`firebreak can-up NAME`: sets a CAN interface up as the configuration says, where bit rates stand
once and for all.

SocketCAN takes its bit rate from whoever brings the interface up. restart-ms 100: one bus-off is
not for ever (linux-can/can-utils #262); a queue of 100 frames: the default of 10 gives ENOBUFS on a
burst (#400, python-can #2004).
"""

import os
import subprocess

from controller.site import config
from controller.site.refusal import ConfigError
from controller.system.paths import DONE, NO_START, WRONG_INPUT, say

CONFIG_FILE = "/etc/firebreak/cabinet/cabinet.toml"
RESTART_MS, QUEUE_FRAMES = 100, 100
IP = "/sbin/ip"  # iproute2; named in full because a service has no say in its PATH


def add(commands):
    """Add `can-up` to the subparsers."""
    parser = commands.add_parser("can-up")
    parser.add_argument("name", help="the interface: can0")
    parser.add_argument("--file", default=CONFIG_FILE, help="cabinet.toml (%(default)s)")
    parser.set_defaults(run=_run)


def steps(name, bitrate_bps, is_hardware):
    """Arguments of `ip`, one list per call; a virtual interface (vcan) has no bit rate and never
    leaves the bus.
    """
    changes = [["link", "set", name, "down"]]
    if is_hardware:
        changes.append(
            [
                "link",
                "set",
                name,
                "type",
                "can",
                "bitrate",
                str(bitrate_bps),
                "restart-ms",
                str(RESTART_MS),
            ]
        )
    return changes + [["link", "set", name, "txqueuelen", str(QUEUE_FRAMES), "up"]]


def _run(arguments, system="/sys/class/net", ip=IP):
    name = arguments.name
    try:
        buses = config.load(arguments.file).buses
    except ConfigError as error:
        say(error)
        return WRONG_INPUT
    rates_bps = {
        bus.channel: bus.bitrate_bps
        for bus in buses
        if bus.kind == "can" and bus.interface == "socketcan"
    }
    if name not in rates_bps:
        say(
            f"{name}: left alone, the configuration has "
            f"{', '.join(rates_bps) or 'no SocketCAN interface'}"
        )
        return DONE
    place = os.path.join(system, name)
    if not os.path.isdir(place):
        say(
            f"{name}: no such interface: plug the adapter in, or correct the channel in "
            f"{arguments.file}"
        )
        return NO_START
    return _set_up(
        name, steps(name, rates_bps[name], os.path.exists(os.path.join(place, "device"))), ip
    )


def _set_up(name, changes, ip):
    for change in changes:
        done = subprocess.run(
            [ip, *change], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            say(f"{name}: ip {' '.join(change)}: {said}")
            return NO_START
    return DONE
