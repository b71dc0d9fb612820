"""Rows in hard wiring: which a site proves once more with the controller switched off, and how fast they have to act.

The wiring is a contact of the cause, the relay chain behind it, and the off-delay of the contactor supply: the assumed
times of time_chain.py without bus, tick or write. Row 44 is no contact but the expiry of the outputs.
"""

from controller import hma, time_chain

EXPIRY = 44  # the row whose cause is the controller itself, gone


def rows(config):
    """Numbers of the rows that this site proves by wire; none where a second channel does it."""
    return [] if config.topology.second_channel else hma.hard_wired_rows(config.topology.not_fitted)


def enable_ms(config, row):
    """Latest time from the contact that opens (row 44: from the controller's end) to the PCS enable that is gone."""
    cause_ms = config.cabinet["permit_expiry_ms"] if row == EXPIRY else time_chain.CONTACT_MS
    return cause_ms + time_chain.RELAY_MS


def supply_ms(config, row):
    """Latest time from there to the contactor supply that is gone, behind its off-delay relay."""
    return enable_ms(config, row) + time_chain.OPENING_MS
