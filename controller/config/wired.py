"""Describes the test of the hard-wired rows, which a site does with the controller switched off.
The latest time of such a row is that of time_chain.py without bus, tick and write.

Row 44 has no contact. Its cause is that the controller is off and the outputs expire. In the test
of another row, a person must not mistake this expiry for the effect of the relay chain. So the
outputs are held on from outside.
"""

from controller.config import hma, time_chain
from controller.config.cabinet_config import Config

EXPIRY = 44  # the row whose cause is the missing controller itself
HELD = ("pcs_enable_ok", "contactor_supply_ok")  # outputs that the relay chain must drop


def rows(config: Config) -> list[int]:
    """The hard-wired rows that this site tests, even if it has channel B."""
    named = config.hma["hard_wired_rows"] or ()
    return [row for row in sorted(named) if hma.has_contact(row, config.topology.not_fitted)]


def enable_ms(config: Config, row: int) -> int:
    """Latest time from the cause to the loss of the PCS enable, ms. The cause is the opening
    contact, or for row 44 the end of the controller.
    """
    cause_ms = config.cabinet["permit_expiry_ms"] if row == EXPIRY else time_chain.CONTACT_MS
    return cause_ms + time_chain.RELAY_MS


def supply_ms(config: Config, row: int) -> int:
    """Latest time from the cause to open contactors, ms. It includes the off-delay relay."""
    return enable_ms(config, row) + time_chain.OPENING_MS


def steps(config: Config) -> list[str]:
    """The steps of the test, in order, for the rows with a contact."""
    modules = list(
        dict.fromkeys(device.name for device in map(config.topology.driven, HELD) if device)
    )
    expiry_ms = enable_ms(config, EXPIRY)
    return [
        "Lock the DC disconnects and the converter's AC disconnect open. While the outputs are "
        "held on from outside, only the relay chain switches them off.",
        "Switch the controller off. The I/O modules drop PCS enable and contactor supply by "
        f"themselves within {expiry_ms / 1000:.2f} s. An output that is off now proves no chain.",
        f"Hold the outputs for PCS enable and contactor supply of {' and '.join(modules)} on, from "
        "a bench supply or by jumpers at the output terminals of the modules. Never bridge a "
        "contact of the chain.",
        "See PCS enable at the converter and contactor supply at the racks ON, and write it down. "
        "If one of them is off, the test does not prove the row.",
        "Open the contact of the row and measure the time until each of the two is off. Close the "
        "contact, reset the latches, and see both ON before the next row.",
        "Take the jumpers off. PCS enable drops at once and contactor supply after its off-delay, "
        "because the modules have expired. An output that stays on is still bridged: find the "
        "bridge before you energise anything.",
    ]
