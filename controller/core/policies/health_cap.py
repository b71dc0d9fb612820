"""Worn racks carry less power: a cap from their state of health (controller/core/health.py).

The naive way gives each rack its share of the rated power, whatever its health. Here the power of a
unit below a state of health of 80 % is reduced in proportion.
"""

from controller.core.base import reasons
from controller.core.base.answers import Cap
from controller.core.policies.contract import BOUND, Found, Function, Known, Setup


class HealthCap(Function):
    """Caps the power of worn racks. The cap stays when a BMS falls silent (health.py)."""

    NAME, STAGE = "health_cap", BOUND
    READS = ("healthy_W",)
    TEXTS = reasons.texts("""
        HEALTH_CAP | limit by health | A rack has a state of health below 80 %: its unit carries
          less power, in proportion. | Page Racks shows the state of health. Plan to replace the
          worst rack.
    """)

    def __init__(self, setup: Setup):
        self._rated_W = setup.rated_W

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[Cap, ...]:
        """The cap while a rack is worn, otherwise nothing."""
        if known.healthy_W >= self._rated_W:
            return ()
        most_W, reason = known.healthy_W, reasons.HEALTH_CAP
        return (Cap(most_W, reason, most_W, reason),)
