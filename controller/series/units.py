"""Lists the quantities of a series, with their units in column names and their ranges.

A name ends with its unit: `load_kW`, `load [kW]`. Upper and lower case differ: `mW` and `MW`. The
units of a price are in money.py.
"""

import re
from typing import NamedTuple

from controller.series.refusal import SeriesError, shown


class Unit(NamedTuple):
    """A unit of a file. A number times `factor` plus `offset` is in the unit of the quantity."""

    name: str
    factor: float
    offset: float = 0.0


class Quantity(NamedTuple):
    """A kind of value. low, high: its range in `unit`; units: {end of a column name: unit}."""

    name: str
    unit: str
    low: float
    high: float
    units: dict[str, Unit]

    def unit_of(self, column: str) -> Unit | None:
        """The unit at the end of a column's name, or None."""
        name = column.rstrip("])").rstrip()
        for ending, unit in self.units.items():
            before = name.removesuffix(ending)
            if before != name and re.search(r".[_ \[(]$", before):
                return unit
        return None

    def value(self, number: float, unit: Unit, cell: str) -> float:
        """A number of the file, converted to the unit of the quantity.

        cell: its text for the message. SeriesError: it is out of range.
        """
        value = number * unit.factor + unit.offset
        if not self.low <= value <= self.high:
            raise SeriesError(f"{shown(cell)}: {self.allowed(unit)}")
        return value

    def allowed(self, unit: Unit) -> str:
        """Text of the range, in the unit of a column."""
        low, high = [(bound - unit.offset) / unit.factor for bound in (self.low, self.high)]
        return f"{self.name}: allowed is {low:.7g} .. {high:.7g} {unit.name}"


def _units(text: str) -> dict[str, Unit]:
    """{ending: unit} of lines `unit factor offset: ending ending`."""
    units: dict[str, Unit] = {}
    for line in text.strip().splitlines():
        unit, _, endings = line.partition(":")
        name, factor, offset = unit.split()
        units |= dict.fromkeys(endings.split(), Unit(name, float(factor), float(offset)))
    return units


POWER = Quantity(
    "a power", "W", -50e6, 50e6, _units("W 1 0: W\nkW 1e3 0: kW KW kw\nMW 1e6 0: MW\nmW 1e-3 0: mW")
)
AIR = Quantity(
    "outside air",
    "degC",
    -60.0,
    60.0,
    _units("degC 1 0: degC C \u00b0C celsius\nK 1 -273.15: K kelvin"),
)
SUN = Quantity(
    "irradiance",
    "W/m2",
    -20.0,
    1500.0,  # a cold instrument reads a little below 0 at night
    _units(
        "W/m2 1 0: W_per_m2 W/m2 W/m^2 W/m\u00b2 Wm2 W_m2\n"
        "kW/m2 1e3 0: kW_per_m2 kW/m2 kW/m^2 kW/m\u00b2 kWm2 kW_m2"
    ),
)
DURATION = Quantity(
    "a time",
    "s",
    0.0,
    400 * 86_400.0,
    _units("s 1 0: s\nms 1e-3 0: ms\nmin 60 0: min\nh 3600 0: h"),
)
PER_MWH, PER_KWH = Unit("per MWh", 1e-3), Unit("per kWh", 1.0)
CENT_PER_KWH = Unit("hundredths per kWh", 1e-2)
PRICE = Quantity("a price", "per kWh", -1.0, 10.0, {})  # of euros; other currencies: money.py
