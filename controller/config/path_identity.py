"""Identity of the path from the meters to the converters of a configuration.

A stored delay counts only for the path on which it was measured.
"""

import zlib

from controller.config import approval
from controller.config.configuration import Config


def of(config: Config) -> str:
    """CRC over control parameters, devices with their profiles, and speeds of the buses, as eight
    hexadecimal digits.
    """
    buses = [(bus.name, bus.baud_Bd, bus.bitrate_bps) for bus in config.buses]
    path = (list(config.control_image), sorted(approval.devices(config).items()), buses)
    return f"{zlib.crc32(repr(path).encode()):08x}"
