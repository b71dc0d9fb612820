"""Heater: warms cold cells from the grid before they are charged. LFP cells must not be charged
below 0 degC. The kernel's temperature taper allows no charge there, and more as the cells get warm.

The naive way heats when a charge begins, and the charge waits until the cells are warm. So the
heater also looks ahead, to a slot of the schedule or a notice:

    coldest cell < start_ddegC                                --> heat, to stop_ddegC
    a charge within ahead_min, coldest cell below ahead_ddegC --> heat ahead of it

The heater is off while the temperatures are unknown, and off the grid. It waits while an obligation
leaves no room for more import. Otherwise the battery would supply the heater.
"""

from controller.core.base import reasons
from controller.core.base.answers import BaseRequest
from controller.core.policies.contract import DeviceView, Found, Known, Setup
from controller.core.policies.known import ISLAND
from controller.core.policies.schedule import Schedule
from controller.core.policies.two_point import TwoPoints, below

HYSTERESIS_DDEGC = 10  # of the heating ahead of a charge


class PreHeat(TwoPoints):
    """Requests to heaters. While the power of the connection is unknown, the heater has no room."""

    NAME, ROLES = "pre_heat", ("heater",)
    READS = ("connection_W", "import_room_W", "module_temperature_ddegC", "notices", "source")
    ASKS = (Schedule.NAME,)
    CAUSES = (reasons.HEAT_COLD, reasons.HEAT_AHEAD)
    TEXTS = reasons.texts("""
        HEAT_COLD | heating, cold cells | Cold cells must not charge: the heater warms the cabinet
          from the grid. | Nothing: charging opens as the cells get warm. If they stay cold, check
          the heater.
        HEAT_AHEAD | heating ahead of a charge | The schedule or a notice says that a charge comes
          soon: the heater warms the cells. | Nothing: heating ends with the charge, or when the
          cells are warm.
        HEAT_TEMPERATURE_UNKNOWN | no heating, cells unknown | The temperature of a cell is unknown,
          so the heater is off. | Check the BMS: page Links.
        HEAT_NO_GRID | no heating off the grid | The cells are cold, but the site is off the grid:
          the battery does not heat itself. | Nothing: heating begins when the grid is back.
        HEAT_NO_ROOM | no heating, import limit | The cells are cold, but the import leaves no room
          for the heater, or is unknown. | Reduce the load. Page Why shows the limit of the import
          that acts.
    """)

    def __init__(self, setup: Setup):
        super().__init__(setup)
        self._schedule: Schedule = setup.functions[Schedule.NAME]

    def present_causes(
        self, known: Known, findings: Found, settings: dict[str, int]
    ) -> tuple[bool | None, ...]:
        """See TwoPoints."""
        if known.module_temperature_ddegC is None:
            return False, False
        coldest_ddegC, ahead_ddegC = known.module_temperature_ddegC[0], settings["ahead_ddegC"]
        # the battery also charges when a notice says that the load will fall
        is_noticed = any([notice.step_W < 0 for notice in findings.notices])
        is_soon = self._schedule.charges_within(settings["ahead_min"]) or is_noticed
        return (
            below(coldest_ddegC, settings["start_ddegC"], settings["stop_ddegC"]),
            is_soon and below(coldest_ddegC, ahead_ddegC - HYSTERESIS_DDEGC, ahead_ddegC),
        )

    def answer(
        self, known: Known, findings: Found, device: DeviceView, present: int
    ) -> BaseRequest:
        """The request to one heater."""
        if known.module_temperature_ddegC is None:
            return BaseRequest(0, reasons.HEAT_TEMPERATURE_UNKNOWN)
        if present and findings.source == ISLAND:
            return BaseRequest(0, reasons.HEAT_NO_GRID)
        more_W = 0 if device.sent("heat") else device.settings["rated_W"]
        if present and (findings.connection_W is None or findings.import_room_W < more_W):
            return BaseRequest(0, reasons.HEAT_NO_ROOM)
        return super().answer(known, findings, device, present)
