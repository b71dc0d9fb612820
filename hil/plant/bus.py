"""The DC side of one unit: racks in parallel on the DC link of one PCS, solved in closed form.

A connected rack is a source E behind a conductance g; the PCS takes constant power P. With S =
sum(E g) and G = sum(g): G V^2 - S V + P = 0. The upper root is the working point. A fault adds its
load to G, behind a fuse of its own.
"""

import math

from hil.plant.pcs import Pcs
from hil.plant.rack import Rack

LINK_F = 0.005
# V per cell: a converter of this DC class goes no higher when a fault makes it charge
SOURCE_CELL_V_MAX = 4.1
BLEED_S = 20.0  # time constant of the discharge resistor: below 60 V within a minute


class Bus:
    """One PCS and the racks on its DC side; `voltage_V` is the link voltage."""

    def __init__(self, pcs: Pcs, racks: list[Rack]) -> None:
        """racks: at least one."""
        self.pcs = pcs
        self.racks = racks
        self.voltage_V = 0.0
        self.fault: FaultLoad | None = None

    def step(self, dt_s: float, now_us: int, enabled: bool, supply: bool) -> None:
        """Advance by dt_s to now_us. enabled: level of the PCS enable; supply: contactor supply."""
        volts = self.voltage_V
        weighted = total = 0.0
        carried = False
        for rack in self.racks:
            rack.switch(dt_s, supply, volts)
            conductance = rack.conductance_S
            if conductance:
                weighted += rack.source_V * conductance
                total += conductance
                carried = carried or rack.contactors.conducting
        pcs = self.pcs
        pcs.step(dt_s, now_us, enabled, volts)
        if self.fault is not None:
            total += self.fault.conductance_S(volts)
        if carried:
            self.voltage_V = volts = self._solve(weighted, total)
        else:
            pcs.lose_dc()
            most_V = SOURCE_CELL_V_MAX * self.racks[0].cells_online
            self.voltage_V = volts = min(most_V, _floating(volts, weighted, total, dt_s))
        if self.fault is not None and self.fault.blows(volts, dt_s):
            self.fault = None
        pcs.dc_voltage_V = volts + pcs.dc_voltage_offset_V
        pcs.dc_current_A = pcs.dc_power_W / volts if volts > 1.0 else 0.0
        for rack in self.racks:
            conductance = rack.conductance_S
            rack.carry((rack.source_V - volts) * conductance if conductance else 0.0, dt_s)

    def _solve(self, weighted: float, total: float) -> float:
        """Link voltage, V. A load above the racks' highest possible power trips the PCS."""
        root = weighted * weighted - 4.0 * total * self.pcs.dc_power_W
        if root < 0.0:
            self.pcs.lose_dc()
            return weighted / total
        return (weighted + math.sqrt(root)) / (2.0 * total)


class FaultLoad:
    """A load on the DC link, of constant current or resistance, with a fuse."""

    def __init__(
        self, current_A: float = 0.0, ohm: float | None = None, fuse_A2s: float = 1e6
    ) -> None:
        """Give current_A (> 0 discharges the racks) or ohm > 0. fuse_A2s: I2t that blows the
        fuse.
        """
        self._current_A, self._ohm = current_A, ohm
        self._left_A2s = fuse_A2s

    def conductance_S(self, volts: float) -> float:
        """Conductance at this voltage. A constant current flows only above 1 V."""
        if self._ohm is not None:
            return 1.0 / self._ohm
        return self._current_A / volts if volts > 1.0 else 0.0

    def blows(self, volts: float, dt_s: float) -> bool:
        """Heat the fuse for dt_s at this voltage. True if the fuse has blown."""
        current_A = volts * self.conductance_S(volts)
        self._left_A2s -= current_A * current_A * dt_s
        return self._left_A2s <= 0.0


def _floating(volts: float, weighted: float, total: float, dt_s: float) -> float:
    """Link voltage while only pre-charge resistors feed the capacitor, V. A fault may drain it."""
    if total:
        aim = weighted / total
        return aim + (volts - aim) * math.exp(-dt_s * total / LINK_F)
    return volts * math.exp(-dt_s / BLEED_S)
