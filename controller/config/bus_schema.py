"""Describes a bus (CAN, Modbus RTU or Modbus TCP) and the keys of its table [bus.NAME]."""

import re
from dataclasses import dataclass

from controller.forms.field import Field, matching

BITRATES_BPS = (125_000, 250_000, 500_000, 1_000_000)
BAUDS_BD = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200)
CHARACTERS = {"8N1": 10, "8E1": 11, "8O1": 11, "8N2": 11}  # {form of a character: its bits}

_BYTE = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
_TCP_PORT = r"(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"
# The address of one device. 0.x.x.x is this machine itself, and 224 and above mean several devices.
_HOST = rf"(?!0\.|22[4-9]\.|2[3-5]\d\.)({_BYTE}\.){{3}}{_BYTE}"
_ADDRESS = re.compile(rf"{_HOST}:{_TCP_PORT}")
_NAME = r"(?=[\d.-]*[A-Za-z])[A-Za-z\d.-]{1,253}"
PORT = (
    re.compile(r"(?![!-~]*/tty(USB|ACM)\d+$)/[!-~]{1,200}"),
    "a path that stays the same when plugs move, such as /dev/serial/by-path/... "
    "(not /dev/ttyUSB0)",
)
_CHANNEL = (re.compile(r"[A-Za-z0-9_.:/-]{1,64}"), "the name of a CAN interface, such as can0")
# {interface: allowed channel names}. For any other interface, its driver defines the names.
CHANNELS = {
    "socketcan": (
        re.compile(r"[A-Za-z0-9_.:-]{1,15}"),
        "the name of a CAN interface of this machine, such as can0",
    ),
    "socketcand": (
        re.compile(rf"(({_HOST}|{_NAME})(:{_TCP_PORT})?/)?[A-Za-z0-9_.-]{{1,40}}"),
        "a CAN interface of a server: IPv4 address, port, name, such as 192.168.1.30:29536/can0",
    ),
}

BUS = {
    "kind": Field("choice", ("can", "rtu", "tcp")),
    "interface": Field("choice", ("socketcan", "socketcand", "slcan", "pcan", "kvaser", "virtual")),
    "channel": matching(*_CHANNEL, None),
    "bitrate_bps": Field("choice", BITRATES_BPS),
    "port": matching(*PORT, None),
    "address": matching(_ADDRESS, "an IPv4 address and a port, such as 192.168.1.20:502", None),
    "baud_Bd": Field("choice", BAUDS_BD),
    "characters": Field("choice", tuple(CHARACTERS), "8N1"),
}
BUS_KEYS = {
    "can": ("interface", "channel", "bitrate_bps"),
    "rtu": ("port", "baud_Bd"),
    "tcp": ("address",),
}

WIRE_KEYS = {"can": "channel", "rtu": "port", "tcp": "address"}  # the key that names the wire


@dataclass(frozen=True, slots=True)
class Bus:
    """One wire. kind: "can", "rtu" or "tcp". With "tcp", baud_Bd is an assumed speed."""

    name: str
    kind: str
    interface: str = ""
    channel: str = ""
    bitrate_bps: int = 0
    port: str = ""
    baud_Bd: int = 0
    characters: str = "8N1"
    address: str = ""

    @property
    def character_bits(self) -> int:
        """Bits of one character on the wire, start and stop included."""
        return CHARACTERS[self.characters]
