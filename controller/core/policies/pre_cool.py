"""Chiller: cools more while the air of the cabinet is warm, so that no limit of heat is reached.

While the temperature is unknown the request stays as it is.
"""

from array import array

from controller.core import contract, reasons
from controller.core.answers import BaseRequest, ForDevice
from controller.core.contract import Function, Setup, View


class PreCool(Function):
    """One request for each chiller; `state`: whether each is wanted."""

    NAME, STAGE = "pre_cool", contract.BASE
    ROLE = "chiller"
    TEXTS = {
        reasons.PRE_COOL: (
            "pre-cooling",
            "The air in the cabinet is warm: the chiller is asked to cool more.",
            "Nothing. If the air stays warm, check filters, fans and the chiller.",
        )
    }

    def __init__(self, setup: Setup):
        self._devices = setup.actuators(self.ROLE)
        self.state = array("i", [0] * len(self._devices))

    def step(self, view: View, elapsed_ticks: int) -> list[ForDevice]:
        """For each chiller 1 to cool more, else 0."""
        found = []
        for place, (device, number) in enumerate(self._devices):
            air_ddegC = view.air_temperature_ddegC
            if air_ddegC is not None:
                if air_ddegC >= device.settings["start_ddegC"]:
                    self.state[place] = 1
                elif air_ddegC <= device.settings["stop_ddegC"]:
                    self.state[place] = 0
            wanted = self.state[place]
            reason = reasons.PRE_COOL if wanted else reasons.NO_REQUEST
            found.append(ForDevice(number, BaseRequest(wanted, reason)))
        return found
