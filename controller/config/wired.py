"""Rows in hard wiring: which a site proves once more with the controller switched off, and how fast
they have to act.

The wiring is a contact of the cause, the relay chain behind it, and the off-delay of the contactor
supply: the assumed times of time_chain.py without bus, tick or write. Row 44 is no contact but the
expiry of the outputs.

That expiry hides the chain: soon after the controller is off nothing is on any more that a chain
could drop, and a cabinet without one looks the same. So the outputs are held on from outside, and
seen on, before a contact opens.
"""

from controller.config import hma, time_chain

EXPIRY = 44  # the row whose cause is the controller itself, gone
HELD = ("pcs_enable_ok", "contactor_supply_ok")  # outputs that the chain has to drop


def rows(config) -> list:
    """Numbers of the rows that this site proves by wire: those it says act so, beside a second
    channel too.
    """
    said = config.hma["hard_wired_rows"] or ()
    return [row for row in sorted(said) if hma.has_contact(row, config.topology.not_fitted)]


def enable_ms(config, row: int) -> int:
    """Latest time from the contact that opens (row 44: from the controller's end) to the PCS enable
    that is gone.
    """
    cause_ms = config.cabinet["permit_expiry_ms"] if row == EXPIRY else time_chain.CONTACT_MS
    return cause_ms + time_chain.RELAY_MS


def supply_ms(config, row: int) -> int:
    """Latest time from there to the contactor supply that is gone behind its off-delay relay, the
    contactor's own time included.
    """
    return enable_ms(config, row) + time_chain.OPENING_MS


def steps(config) -> list:
    """What to do, in this order, for the rows whose cause is a contact: lines."""
    modules = list(
        dict.fromkeys([device.name for device in map(config.topology.driven, HELD) if device])
    )
    expiry_ms = enable_ms(config, EXPIRY)
    return [
        "Lock the DC disconnects and the converter's AC disconnect open: while outputs are held "
        "on from outside, "
        "nothing but the chain takes them away.",
        f"Switch the controller off. The I/O modules drop PCS enable and contactor supply by "
        f"themselves within "
        f"{expiry_ms / 1000:.2f} s: what is off from here on proves no chain.",
        f"Hold the outputs for PCS enable and contactor supply of {' and '.join(modules)} on, "
        f"from a bench supply or "
        "by jumpers at the output terminals of the modules; never bridge a contact of the chain.",
        "See PCS enable at the converter and contactor supply at the racks ON, and mark it; with "
        "one of them off the "
        "row is not proven.",
        "Open the contact of the row and measure, from there, until each is gone. Close it again, "
        "reset what latches, "
        "and see both ON before the next row.",
        "Take the jumpers off: PCS enable drops at once and contactor supply behind its "
        "off-delay, because the modules "
        "have expired. What stays on is still bridged: find it before anything is energised.",
    ]
