"""Energy and power that each rack still has, by its state of health. Each tick reads one rack.

In the first LOWER_MS of a rack's reports, its state of health (SOH) is the highest report. Then the
SOH only falls until a restart, because a BMS that has lost its history reports the SOH of a new
rack. A lower value must last: after LOWER_MS in which every report was lower, the SOH falls to the
highest of these reports. Otherwise a single wrong value would derate the cabinet until a restart. A
rack without a value (a BMS may report 0) counts as UNKNOWN_PERMILLE, or as the lowest known rack if
that is lower.

The energy of a full rack is its rated energy x SOH, because a BMS reports the state of charge
relative to the present capacity. Below WORN_PERMILLE the power of a unit falls in proportion to the
SOH of its worst rack. So the current of a cell relative to its capacity does not rise further.
"""

from array import array
from collections.abc import Sequence

from safety import parameters as p
from safety.kernel import Kernel

PERMILLE = 1000
UNKNOWN_PERMILLE = 700  # usual end of a warranty (project): a rack below it is replaced
WORN_PERMILLE = 800  # usual end of the first life of a cell (project)
# An SOH falls within months, and a BMS sends it each second, so a minute is a short delay
# (project).
LOWER_MS = 60_000
S_RACK, S_ENERGY_WH, S_POWER_W, S_LOWEST = range(4)


def counted(lowest_permille: Sequence[int]) -> list[int]:
    """The SOH that counts for each rack. lowest_permille: lowest SOH of each rack, 0 if unknown."""
    unknown_permille = min([*filter(None, lowest_permille), UNKNOWN_PERMILLE])
    return [permille or unknown_permille for permille in lowest_permille]


class Health:
    """`state`: the rack whose turn it is, energy of all racks when full, power of all units. Then
    three words for each rack, in three blocks:

    - the lowest SOH, permille; 0: none yet
    - time for which the rack has reported lower values, ms; < 0 in its first LOWER_MS of reports
    - the highest of these lower values
    """

    def __init__(self, kernel: Kernel, energy_Wh: int, rated_W: list[int], tick_ms: int):
        """kernel: its image describes the racks; energy_Wh: rated energy of all racks; rated_W:
        rated power of each unit.
        """
        image, self._racks = kernel.image, kernel.layout.racks
        self._rack_unit, self._rated_W = kernel.features.rack_unit, rated_W
        racks = range(self._racks)
        self._turn_ms = tick_ms * self._racks
        self._ms_at = S_LOWEST + self._racks
        places = [kernel.bounds.map.rack + rack * p.RACK_WORDS for rack in racks]
        sizes = [image[place + p.R_CELLS] * image[place + p.R_RATED_CURRENT_MA] for place in places]
        # No configuration states the capacity of a rack, so the energy is divided in
        # proportion to cells x rated current.
        self._energy_Wh = [energy_Wh * size // max(1, sum(sizes)) for size in sizes]
        self.state = array("i", [0] * (S_LOWEST + 3 * self._racks))
        self._sum_up()

    @property
    def energy_Wh(self) -> int:
        """Energy of all racks when full."""
        return self.state[S_ENERGY_WH]

    @property
    def power_W(self) -> int:
        """Largest power that the units should carry, equal for charge and discharge."""
        return self.state[S_POWER_W]

    def step(self, rack: int, reported: int | None) -> None:
        """Take the SOH of the rack whose turn it is, permille; 0 or None if it reports none."""
        state, place = self.state, S_LOWEST + rack
        state[S_RACK] = (rack + 1) % self._racks
        if reported:
            before = state[place]
            self._take(rack, before, reported)
            if state[place] != before:
                self._sum_up()
        elif state[self._ms_at + rack] > 0:
            state[self._ms_at + rack] = 0

    def _take(self, rack: int, before: int, reported: int) -> None:
        """Update a rack's lowest SOH, which is `before`, by a report. Both in permille."""
        state, place, ms_at = self.state, S_LOWEST + rack, self._ms_at + rack
        lower_ms = state[ms_at]
        if not before:
            state[place], state[ms_at] = reported, -LOWER_MS
        elif lower_ms < 0:
            state[place], state[ms_at] = (max(before, reported), min(lower_ms + self._turn_ms, 0))
        elif reported >= before:
            state[ms_at] = 0
        else:
            seen_at = ms_at + self._racks
            state[seen_at] = max(reported, state[seen_at]) if lower_ms else reported
            state[ms_at] = lower_ms + self._turn_ms
            if state[ms_at] >= LOWER_MS:
                state[place], state[ms_at] = state[seen_at], 0

    def lowest(self) -> "array[int]":
        """SOH of each rack, permille; 0: not known."""
        return self.state[S_LOWEST : self._ms_at]

    def rack_energies_Wh(self) -> list[int]:
        """Energy of each rack when full."""
        racks = zip(self._energy_Wh, counted(self.lowest()))
        return [energy_Wh * permille // PERMILLE for energy_Wh, permille in racks]

    def _sum_up(self) -> None:
        self.state[S_ENERGY_WH] = sum(self.rack_energies_Wh())
        parts_W = [rated_W * self._share(unit) for unit, rated_W in enumerate(self._rated_W)]
        self.state[S_POWER_W] = sum(parts_W) // WORN_PERMILLE

    def _share(self, unit: int) -> int:
        """Part of a unit's rated power that its worst rack allows; WORN_PERMILLE is all of it. An
        unknown SOH does not reduce this part, because the BMS also limits the current.
        """
        racks = zip(self.lowest(), self._rack_unit)
        known_permille = [soh for soh, rack_unit in racks if rack_unit == unit and soh]
        return min([*known_permille, WORN_PERMILLE])
