"""The DC side of one unit: racks in parallel on the link of one PCS, solved in closed form.

Every rack that is connected is a source E behind a conductance g; the PCS takes constant power P. With S = sum(E g),
G = sum(g): sum((E - V) g) = P / V, so G V^2 - S V + P = 0, of which the upper root is the working point.
"""

import math

LINK_F = 0.005
BLEED_S = 20.0  # discharge resistor: below 60 V within a minute


class Bus:
    """One PCS and the racks on its DC side; `voltage_V` is the link voltage."""

    def __init__(self, pcs, racks):
        """pcs: pcs.Pcs; racks: list of rack.Rack, at least one."""
        self.pcs = pcs
        self.racks = racks
        self.voltage_V = 0.0

    def step(self, dt_s, now_us, enabled, supply):
        """Advance by dt_s to now_us. enabled: PCS enable input; supply: the contactor supply is there."""
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
        if carried:
            self.voltage_V = volts = self._solve(weighted, total)
        else:
            pcs.lose_dc()
            pcs.dc_power_W = 0.0
            self.voltage_V = volts = _floating(volts, weighted, total, dt_s)
        pcs.dc_voltage_V = volts
        pcs.dc_current_A = pcs.dc_power_W / volts if volts > 1.0 else 0.0
        for rack in self.racks:
            conductance = rack.conductance_S
            rack.carry((rack.source_V - volts) * conductance if conductance else 0.0, dt_s)

    def _solve(self, weighted, total):
        """Link voltage; a load beyond what the racks can give at all trips the PCS."""
        root = weighted * weighted - 4.0 * total * self.pcs.dc_power_W
        if root < 0.0:
            self.pcs.lose_dc()
            self.pcs.dc_power_W = 0.0
            return weighted / total
        return (weighted + math.sqrt(root)) / (2.0 * total)


def _floating(volts, weighted, total, dt_s):
    """Link voltage while nothing but pre-charge resistors feeds its capacitor."""
    if total:
        aim = weighted / total
        return aim + (volts - aim) * math.exp(-dt_s * total / LINK_F)
    return volts * math.exp(-dt_s / BLEED_S)
