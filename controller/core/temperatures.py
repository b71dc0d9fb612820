"""Hottest and coldest module of each rack. One rack a tick: 16 racks would take too long."""

from array import array

from safety import matrix as m, signals as s
from safety.kernel import Kernel

UNKNOWN = -(1 << 15)


class ModuleTemperatures:
    """`state`: the rack whose turn it is, then the hottest and the coldest module of each rack,
    0.1 degC.
    """

    def __init__(self, kernel: Kernel):
        features, layout = kernel.features, kernel.layout
        self._features, self._racks = features, layout.racks
        racks = range(layout.racks)
        self._groups = [layout.rack_group(rack, s.G_BMS_TEMPERATURES) for rack in racks]
        self._bases = [features.rack_base + rack * m.RACK_FEATURE_COUNT for rack in racks]
        self.state = array("i", [0] + 2 * self._racks * [UNKNOWN])

    def step(self) -> None:
        """Read the next rack."""
        state, value, racks = self.state, self._features.value, self._racks
        rack = state[0]
        is_known = self._features.ages.known(self._groups[rack])
        base = self._bases[rack]
        state[1 + rack] = value[base + m.F_TEMPERATURE_DDEGC_MAX] if is_known else UNKNOWN
        state[1 + racks + rack] = value[base + m.F_TEMPERATURE_DDEGC_MIN] if is_known else UNKNOWN
        state[0] = (rack + 1) % racks

    def hottest(self) -> array | None:
        """Of each rack, 0.1 degC; None if any is unknown."""
        found = self.state[1 : 1 + self._racks]
        return None if UNKNOWN in found else found

    def ends(self) -> tuple[int, int] | None:
        """(coldest, hottest) module of the cabinet, 0.1 degC; None if any rack is unknown."""
        found = self.state[1:]
        return None if UNKNOWN in found else (min(found), max(found))
