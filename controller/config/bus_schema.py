"""The keys of a bus: CAN, Modbus RTU or Modbus TCP."""

import re

from controller.config.spec import Spec

BITRATES_BPS = (125_000, 250_000, 500_000, 1_000_000)
BAUDS_BD = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200)
CHARACTERS = {"8N1": 10, "8E1": 11, "8O1": 11, "8N2": 11}  # bits on the wire of one character

_BYTE = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
_TCP_PORT = r"(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"
_ADDRESS = re.compile(rf"({_BYTE}\.){{3}}{_BYTE}:{_TCP_PORT}")
PORT = (
    re.compile(r"(?![!-~]*/tty(USB|ACM)\d+$)/[!-~]{1,200}"),
    "a path that stays the same when plugs move, such as /dev/serial/by-path/... "
    "(not /dev/ttyUSB0)",
)
_CHANNEL = (re.compile(r"[A-Za-z0-9_.:/-]{1,64}"), "the name of a CAN interface, such as can0")

BUS = {
    "kind": Spec("choice", ("can", "rtu", "tcp")),
    "interface": Spec("choice", ("socketcan", "socketcand", "slcan", "pcan", "kvaser", "virtual")),
    "channel": Spec("text", _CHANNEL),
    "bitrate_bps": Spec("choice", BITRATES_BPS),
    "port": Spec("text", PORT),
    "address": Spec("text", (_ADDRESS, "an IPv4 address and a port, such as 192.168.1.20:502")),
    "baud_Bd": Spec("choice", BAUDS_BD),
    "characters": Spec("choice", tuple(CHARACTERS), "8N1"),
}
BUS_KEYS = {
    "can": ("interface", "channel", "bitrate_bps"),
    "rtu": ("port", "baud_Bd"),
    "tcp": ("address",),
}
