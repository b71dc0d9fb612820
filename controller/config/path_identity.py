"""Identity of the path from meters to converters: a measured delay counts for its path only."""

import zlib

from controller.config import approval
from controller.config.configuration import Config


def of(config: Config) -> str:
    """CRC over control parameters, devices with profiles, and speeds of the buses, in hex."""
    buses = [(bus.name, bus.baud_Bd, bus.bitrate_bps) for bus in config.buses]
    path = (list(config.control_image), sorted(approval.devices(config).items()), buses)
    return f"{zlib.crc32(repr(path).encode()):08x}"
