"""Chiller: cools more while the air of the cabinet is warm, so that no limit of heat is reached."""

from controller.core import reasons
from controller.core.contract import View
from controller.core.site_devices.two_point import TwoPoint


class PreCool(TwoPoint):
    """The request stays as it is while the temperature is unknown."""

    NAME, ROLES = "pre_cool", ("chiller",)
    REASON = reasons.PRE_COOL
    TEXTS = {
        reasons.PRE_COOL: (
            "pre-cooling",
            "The air in the cabinet is warm: the chiller is asked to cool more.",
            "Nothing. If the air stays warm, check filters, fans and the chiller.",
        )
    }

    def wanted(self, view: View, settings: dict[str, int]) -> bool | None:
        """As the contract says."""
        air_ddegC = view.air_temperature_ddegC
        if air_ddegC is None:
            return None
        if air_ddegC >= settings["start_ddegC"]:
            return True
        return False if air_ddegC <= settings["stop_ddegC"] else None
