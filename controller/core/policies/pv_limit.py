"""Limits the PV power to what load, battery and grid may take together.

An export limit forbids PV power that neither load nor battery takes. The naive way lowers PV as
soon as the site exports, although the battery could take the rest. All four powers of this sum are
measured in one tick, so the sum needs no model of the inverter:

    PV at most = measured PV + import with the battery at 0 + charging power left + export limit.

Obligations do not count in the charging power. A battery that must discharge to hold the import
limit may charge as soon as PV gives more. A full battery that must charge because export is
forbidden stops charging as soon as PV gives less.

While the grid power is unknown or not proven, PV may give the power that the load meter shows. In
an island that a converter forms, PV may also give the charging power that is left.

While a notice says that the price is negative, PV gives only the power of the load: energy from the
grid then earns money, and export costs money. Without a load meter the measured powers show the
load within some seconds.
"""

from controller.core.base import reasons
from controller.core.base.answers import BaseRequest, Cap, ForDevice
from controller.core.policies.contract import BASE, Found, Function, Known, Setup
from controller.core.policies.source_reports import given_W


class PvLimit(Function):
    """Gives each inverter a request and a cap. The caps divide the room by rated power."""

    NAME, STAGE = "pv_limit", BASE
    ROLES = ("pv",)
    READS = (
        "battery_W",
        "connection_W",
        "is_forming",
        "is_load_wrong",
        "is_price_negative",
        "charge_W_max",
        "export_less_W",
        "load_meter_W",
        "low_W",
    )
    TEXTS = reasons.texts("""
        PV_WANTED | PV | The inverter may feed in all that the sun gives. | Nothing.
        PV_CURTAILED | PV curtailed | Load, battery and the export limit leave no room for more PV
          power. | Nothing. To use more PV, raise the export limit or keep the battery emptier.
        PV_PRICE_NEGATIVE | PV curtailed, price negative | A notice says that the price of energy is
          negative: PV gives what the load takes. | Nothing: PV gives more again when the notice
          ends.
    """)

    def __init__(self, setup: Setup):
        self._inverters = setup.actuators(self.ROLES)
        self._export_W = setup.settings["grid_export_W_max"]
        self._rated_W = sum([view.settings["rated_W"] for view, _ in self._inverters])
        self._sources = setup.site.engines + setup.site.inverters

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> list[ForDevice]:
        """Request (the largest power that it may feed in) and cap of each inverter."""
        room_W = max(0, self._room_W(known, findings))
        is_negative = findings.is_price_negative
        reason = reasons.PV_PRICE_NEGATIVE if is_negative else reasons.PV_CURTAILED
        answers = []
        for inverter, number in self._inverters:
            rated_W = inverter.settings["rated_W"]
            share_W = room_W * rated_W // self._rated_W
            request = BaseRequest(inverter.settings["limit_W_max"], reasons.PV_WANTED)
            cap = Cap(0, reason, share_W, reason)
            answers.append(ForDevice(number, request))
            answers.append(ForDevice(number, cap))
        return answers

    def _room_W(self, known: Known, findings: Found) -> int:
        """Power that load, battery and export limit allow; at a negative price the load alone."""
        # a load meter that other signals contradict is replaced by the sum of all sources
        load_W = given_W(known, self._sources) if findings.is_load_wrong else known.load_meter_W
        if findings.connection_W is None:
            return (load_W or 0) - (findings.low_W if findings.is_forming else 0)
        # A silent inverter counts as 0, so the others get less room. An inverter whose report jumps
        # against the other powers counts as before the jump.
        powers_W = [max(0, inverter.held("power_W") or 0) for inverter, _ in self._inverters]
        beside_W = sum(powers_W) + findings.connection_W
        room_W = beside_W + findings.charge_W_max + self._export_W - findings.export_less_W
        if findings.is_price_negative:
            room_W = min(room_W, beside_W if load_W is None else load_W)
        return room_W
