"""The steps of a person who replaces a device, as plain data. For each kind of device there are
steps before and after the exchange.
"""

from typing import NamedTuple

from controller.config.devices import METERS
from controller.config.schema import IO_GROUPS


class Kind(NamedTuple):
    """A kind of devices with the same steps. before, after: steps before and after the exchange."""

    roles: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


FIRST = (
    "Put your own lock and tag on the isolator. Measure that no voltage is left where you work.",
    "Note type, serial number and settings from the old device. Photograph its wires.",
    "Mark each wire with its terminal. Note whether the bus terminator of the device is on.",
)
THEN = (
    "Set address, speed and framing on the new device before you connect it to the bus.",
    "Set the bus terminator as on the old device. Connect each wire to its terminal.",
)
SIGN = (
    "The sign is not proven: compare meter, converter and racks during a small charge before you "
    "trust the power."
)
KINDS = {
    "meter": Kind(
        METERS,
        (
            "Short the current transformers at their terminals before you open a wire.",
            "Note ratio and direction of each current transformer, and the phase of each wire.",
        ),
        ("Enter ratio and phases in the new meter. Remove the shorting links last.", SIGN),
    ),
    "pcs": Kind(
        ("pcs",),
        (
            "Open and lock the AC and the DC isolator. Wait for the discharge time on its plate.",
            "Note firmware, grid code, power limits and the installer's feed-in limit.",
        ),
        ("Set grid code, power limits and feed-in limit as noted. Set its watchdog.", SIGN),
    ),
    "bms": Kind(
        ("bms",),
        (
            "Open the disconnect of the rack. Its cells stay live: use insulated gloves and tools.",
            "Note the parameters of the BMS with the maker's tool.",
        ),
        ("Load the noted parameters. Compare the number of cells and modules.", SIGN),
    ),
    "io": Kind(
        tuple(IO_GROUPS),
        ("Note each contact and each relay with its terminal. Keep fail-safe contacts closed.",),
        (
            "Set the time after which the outputs expire by themselves, as in the profile.",
            "Test each relay: switch the controller off and see that all outputs drop (44w).",
        ),
    ),
}
