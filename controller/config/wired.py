"""The hard-wired rows, which a site also proves with the controller switched off. Their latest time
is that of time_chain.py without bus, tick and write.

Row 44 has no contact: without the controller, its outputs expire. The test of another row must not
take this expiry for the effect of the relay chain. So it holds the outputs on from outside.
"""

from controller.config import hma, time_chain
from controller.config.cabinet_config import Config

EXPIRY = 44  # the row whose cause is the missing controller itself
HELD = ("pcs_enable_ok", "contactor_supply_ok")  # outputs that the relay chain must drop


def rows(config: Config) -> list[int]:
    """The rows that this site proves by wire, even if it has channel B."""
    named = config.hma["hard_wired_rows"] or ()
    return [row for row in sorted(named) if hma.has_contact(row, config.topology.not_fitted)]


def enable_ms(config: Config, row: int) -> int:
    """Latest time, ms, from the cause to the lost PCS enable. The cause is the opening contact, and
    for row 44 the end of the controller.
    """
    cause_ms = config.cabinet["permit_expiry_ms"] if row == EXPIRY else time_chain.CONTACT_MS
    return cause_ms + time_chain.RELAY_MS


def supply_ms(config: Config, row: int) -> int:
    """Latest time, ms, from the same cause to open contactors, including the off-delay relay."""
    return enable_ms(config, row) + time_chain.OPENING_MS


def steps(config: Config) -> list[str]:
    """The steps of the test, in order, for the rows with a contact."""
    modules = list(
        dict.fromkeys([device.name for device in map(config.topology.driven, HELD) if device])
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
