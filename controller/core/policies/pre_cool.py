"""Asks the chiller for more cooling while the air, the cells or one unit is warm.

The naive way cools when a temperature limit is reached, but the power has already been reduced
then. So thresholds below those limits ask the chiller earlier, each with its hysteresis
(two_point.py).
"""

from collections.abc import Sequence

from controller.core.base import reasons
from controller.core.policies.contract import Found, Known
from controller.core.policies.two_point import TwoPoints, above


class PreCool(TwoPoints):
    """Requests to chillers. Each cause stays as it is while its temperature is unknown."""

    NAME, ROLES = "pre_cool", ("chiller",)
    READS = ("air_temperature_ddegC", "unit_temperature_ddegC")
    CAUSES = (reasons.PRE_COOL, reasons.CHILL_CELLS, reasons.CHILL_SPREAD)
    TEXTS = reasons.texts("""
        PRE_COOL | pre-cooling | The air in the cabinet is warm: the chiller is asked to cool more.
          | Nothing. If the air stays warm, check filters, fans and the chiller.
        CHILL_CELLS | pre-cooling, warm cells | The warmest cell nears the temperature at which
          power falls: the chiller is asked to cool more. | Nothing. If the cells stay warm, check
          filters, fans and the chiller.
        CHILL_SPREAD | pre-cooling, uneven units | One unit is warmer than the coolest one: the
          chiller is asked to cool more. | Check filter and fan of the warmest unit: page Racks
          shows the temperatures.
    """)

    def present_causes(
        self, known: Known, findings: Found, settings: dict[str, int]
    ) -> tuple[bool | None, ...]:
        """See TwoPoints."""
        air_ddegC = known.air_temperature_ddegC
        return (
            above(air_ddegC, settings["start_ddegC"], settings["stop_ddegC"]),
            *warm_causes(known.unit_temperature_ddegC, settings),
        )


def warm_causes(
    units_ddegC: Sequence[int] | None, settings: dict[str, int], unit: int = 0
) -> tuple[bool | None, bool | None]:
    """(cells are warm, the unit is warmer than the coolest unit). unit: from 1; 0: the warmest."""
    if units_ddegC is None:
        return None, None
    warmest_ddegC = units_ddegC[unit - 1] if 0 < unit <= len(units_ddegC) else max(units_ddegC)
    cells = above(warmest_ddegC, settings["cells_start_ddegC"], settings["cells_stop_ddegC"])
    spread_ddegC = warmest_ddegC - min(units_ddegC)
    return cells, above(spread_ddegC, settings["spread_start_ddegC"], settings["spread_stop_ddegC"])
