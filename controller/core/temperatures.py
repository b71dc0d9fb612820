"""Finds the hottest and the coldest module of each rack. Each tick reads one rack, because
reading 16 racks would take too long.
"""

from array import array

UNKNOWN = -(1 << 15)


class ModuleTemperatures:
    """`state`: the rack whose turn it is, the hottest module of each rack, then the coldest module
    of each rack, 0.1 degC.
    """

    def __init__(self, racks: int):
        self._racks = racks
        self.state = array("i", [0] + 2 * racks * [UNKNOWN])

    @property
    def rack(self) -> int:
        """The rack whose turn it is."""
        return self.state[0]

    def step(self, ends_ddegC: tuple[int, int] | None) -> None:
        """Store (coldest, hottest) of this rack, None if unknown, and go on to the next rack."""
        state, rack = self.state, self.state[0]
        coldest, hottest = ends_ddegC or (UNKNOWN, UNKNOWN)
        state[1 + rack], state[1 + self._racks + rack] = hottest, coldest
        state[0] = (rack + 1) % self._racks

    def hottest(self) -> "array[int] | None":
        """Hottest module of each rack, 0.1 degC; None if any is unknown."""
        hottest_ddegC = self.state[1 : 1 + self._racks]
        return None if UNKNOWN in hottest_ddegC else hottest_ddegC

    def ends(self) -> tuple[int, int] | None:
        """(coldest, hottest) module of the cabinet, 0.1 degC; None if any rack is unknown."""
        ends_ddegC = self.state[1:]
        return None if UNKNOWN in ends_ddegC else (min(ends_ddegC), max(ends_ddegC))
