"""The DC side of one unit: racks in parallel on the DC link of one PCS, solved in closed form.

A connected rack is a source E behind a conductance g; the PCS takes constant power P. With the
short-circuit current S = sum(E g) and G = sum(g): G V^2 - S V + P = 0. The upper root is the
working point. A fault adds its conductance to G until its fuse blows.
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
        link_V = self.voltage_V
        short_circuit_A = total_S = 0.0
        is_carried = False
        for rack in self.racks:
            rack.switch(dt_s, supply, link_V)
            conductance = rack.conductance_S
            if conductance:
                short_circuit_A += rack.source_V * conductance
                total_S += conductance
                is_carried = is_carried or rack.contactors.conducting
        pcs = self.pcs
        pcs.step(dt_s, now_us, enabled, link_V)
        if self.fault is not None:
            total_S += self.fault.conductance_S(link_V)
        if is_carried:
            self.voltage_V = link_V = self._solve(short_circuit_A, total_S)
        else:
            pcs.lose_dc()
            most_V = SOURCE_CELL_V_MAX * self.racks[0].cells_online
            floating_V = _floating(link_V, short_circuit_A, total_S, dt_s)
            self.voltage_V = link_V = min(most_V, floating_V)
        if self.fault is not None and self.fault.blows(link_V, dt_s):
            self.fault = None
        pcs.dc_voltage_V = link_V + pcs.dc_voltage_offset_V
        pcs.dc_current_A = pcs.dc_power_W / link_V if link_V > 1.0 else 0.0
        for rack in self.racks:
            conductance = rack.conductance_S
            rack.carry((rack.source_V - link_V) * conductance if conductance else 0.0, dt_s)

    def _solve(self, short_circuit_A: float, total_S: float) -> float:
        """Link voltage, V. A load above the racks' highest possible power trips the PCS."""
        discriminant = short_circuit_A * short_circuit_A - 4.0 * total_S * self.pcs.dc_power_W
        if discriminant < 0.0:
            self.pcs.lose_dc()
            return short_circuit_A / total_S
        return (short_circuit_A + math.sqrt(discriminant)) / (2.0 * total_S)


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

    def conductance_S(self, link_V: float) -> float:
        """Conductance at this voltage. A constant current flows only above 1 V."""
        if self._ohm is not None:
            return 1.0 / self._ohm
        return self._current_A / link_V if link_V > 1.0 else 0.0

    def blows(self, link_V: float, dt_s: float) -> bool:
        """Heat the fuse for dt_s at this voltage. True if the fuse has blown."""
        current_A = link_V * self.conductance_S(link_V)
        self._left_A2s -= current_A * current_A * dt_s
        return self._left_A2s <= 0.0


def _floating(link_V: float, short_circuit_A: float, total_S: float, dt_s: float) -> float:
    """Link voltage while only pre-charge resistors feed the capacitor, V. A fault may drain it."""
    if total_S:
        final_V = short_circuit_A / total_S
        return final_V + (link_V - final_V) * math.exp(-dt_s * total_S / LINK_F)
    return link_V * math.exp(-dt_s / BLEED_S)
