"""Weights of the units when they share a power, by the energy left and by temperature.

The neighbours of a hot unit keep their weight, because less power would hardly cool them. Measured
in the rig with three units: a cell heated at 6 K/min stops every unit after 12 s (row 22 of the
matrix). At 0.9 K/min, too slow for that row, the neighbours' own power makes them 0.3 K warmer in
11 min.
"""

from array import array
from collections.abc import Sequence

from controller.core.base.integers import within
from controller.core.health import counted

WEIGHT_BITS = 20
PERMILLE = 1000
# A unit gets 40 % less for each 1 K above the coolest unit, but at least a fifth. The heat of a
# cell grows with the square of its current, so a unit with half the air flow settles less than 1 K
# above the others.
LESS_PERMILLE_PER_DDEGC = 40
WARM_PERMILLE_MIN = 200
HELD_DDEGC = 2  # hysteresis: changes of temperature within this band do not change a weight


class Weights:
    """Weight of each unit, so that all units reach their limit at the same time.

    The energy for a discharge is rated power x state of charge above the backup reserve x mean
    state of health. For a charge, the free part of the state of charge counts. Rated power stands
    for capacity: no configuration states the capacity of a rack, and units of one site have the
    same ratio of energy to power. While any state of charge is unknown, only the rated power
    counts. While any temperature is unknown, temperature does not count. `held`: temperature of
    each unit with hysteresis, 0.1 degC.
    """

    def __init__(self, rated_W: list[int], rack_units: tuple[int, ...], kept_permille: int = 0):
        """rack_units: unit of each rack, from 0; kept_permille: the backup reserve."""
        self._rated_kW = [power_W // 1000 for power_W in rated_W]
        units = range(len(rated_W))
        self._racks = [
            [rack for rack, own in enumerate(rack_units) if own == unit] for unit in units
        ]
        self._kept_permille = kept_permille
        self._shift = max(0, (max(self._rated_kW) * PERMILLE).bit_length() - WEIGHT_BITS)
        self.held = array("i", [0] * len(rated_W))
        self.charge: list[int] = []
        self.discharge: list[int] = []
        self.forget()
        self.update(None)

    def forget(self) -> None:
        """Make the next update compute all weights, because `held` has been restored."""
        self._inputs: tuple[object, ...] = ()

    def update(
        self,
        soc_permille: list[int] | None,
        hottest_ddegC: Sequence[int] | None = None,
        soh_permille: Sequence[int] = (),
    ) -> None:
        """Compute the weights from the values of each rack, None if any is unknown. soh_permille: 0
        is unknown; if it is empty, all racks count as new.
        """
        inputs = soc_permille, hottest_ddegC, soh_permille
        if inputs == self._inputs:
            return
        self._inputs = inputs
        discharge_permille = charge_permille = [PERMILLE] * len(self._rated_kW)
        if soc_permille is not None:
            soc_means = [self._mean(soc_permille, racks) for racks in self._racks]
            sohs = counted(soh_permille) or [PERMILLE] * len(soc_permille)
            soh_means = [self._mean(sohs, racks) for racks in self._racks]
            units, kept = list(zip(soc_means, soh_means)), self._kept_permille
            discharge_permille = [max(0, soc - kept) * soh // PERMILLE for soc, soh in units]
            charge_permille = [(PERMILLE - soc) * soh // PERMILLE for soc, soh in units]
        parts = self._temperature_parts(hottest_ddegC)
        self.discharge = self._weights(discharge_permille, parts)
        self.charge = self._weights(charge_permille, parts)

    def _mean(self, permille: list[int], racks: list[int]) -> int:
        return sum([permille[rack] for rack in racks]) // len(racks) if racks else 0

    def _temperature_parts(self, hottest_ddegC: Sequence[int] | None) -> list[int]:
        """Part of its weight that each unit keeps at its temperature, permille."""
        held = self.held
        if hottest_ddegC is None or not all(self._racks):
            return [PERMILLE] * len(held)
        for unit, racks in enumerate(self._racks):
            hottest = max([hottest_ddegC[rack] for rack in racks])
            held[unit] = within(held[unit], hottest - HELD_DDEGC, hottest + HELD_DDEGC)
        least = min(held)
        return [
            max(WARM_PERMILLE_MIN, PERMILLE - LESS_PERMILLE_PER_DDEGC * (unit_ddegC - least))
            for unit_ddegC in held
        ]

    def _weights(self, energy_permille: list[int], temperature_permille: list[int]) -> list[int]:
        units = zip(self._rated_kW, energy_permille, temperature_permille)
        return [(kW * energy >> self._shift) * part // PERMILLE for kW, energy, part in units]
