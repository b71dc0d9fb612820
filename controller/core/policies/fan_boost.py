"""Asks a fan for more air while the cells are warm, or its unit is warmer than the coolest unit.

The naive way waits for warm cells. A blocked filter can be detected earlier, because its unit
becomes warmer than the coolest unit before any cell is warm.
"""

from controller.core.base import reasons
from controller.core.policies.contract import Found, Known
from controller.core.policies.pre_cool import warm_causes
from controller.core.policies.two_point import TwoPoints


class FanBoost(TwoPoints):
    """Each cause stays as it is while the temperatures are unknown."""

    NAME, ROLES = "fan_boost", ("fan",)
    READS = ("unit_temperature_ddegC",)
    CAUSES = (reasons.FAN_CELLS, reasons.FAN_SPREAD)
    TEXTS = reasons.texts("""
        FAN_CELLS | fan, warm cells | The warmest cell nears the temperature at which power falls:
          the fan is asked to move more air. | Nothing. If the cells stay warm, check the filters
          and the cooling.
        FAN_SPREAD | fan, uneven units | The unit of this fan is warmer than the coolest one: the
          fan is asked to move more air. | Check filter and fan of the warmest unit: page Racks
          shows the temperatures.
    """)

    def present_causes(
        self, known: Known, findings: Found, settings: dict[str, int]
    ) -> tuple[bool | None, ...]:
        """See TwoPoints."""
        return warm_causes(known.unit_temperature_ddegC, settings, settings["fan_unit"])
