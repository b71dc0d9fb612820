"""What stands on a site: units, areas, exposures, barriers."""

from typing import NamedTuple

from controller.siting import geometry


class Unit(NamedTuple):
    """area: name of the one that holds it, empty outside all; model: its table, None for what is
    not said.
    """

    name: str
    model_name: str
    model: dict
    shape: geometry.Shape
    group_word: str
    area: str

    @property
    def group(self):
        """Name of its group."""
        return self.group_word or self.name

    @property
    def energy_kWh(self):
        """Said, or rated voltage times rated capacity (row B3)."""
        said_kWh = self.model["energy_kWh"]
        if said_kWh is not None:
            return said_kWh
        return self.model["rated_voltage_V"] * self.model["rated_capacity_Ah"] / 1000

    @property
    def technology(self):
        """One of fields.TECHNOLOGIES."""
        return self.model["technology"]


class Area(NamedTuple):
    """A room, or a roof: everything in it is one fire area, with what is open to it."""

    name: str
    shape: geometry.Shape
    facts: dict


class Exposure(NamedTuple):
    """Something that a fire of the storage must not reach, or that has to be kept free.

    shape: all that is measured to; an open lot line is drawn on straight beyond the ends that the
    file says.
    """

    name: str
    kind: str
    shape: geometry.Shape
    facts: dict


class Barrier(NamedTuple):
    """A straight free-standing wall."""

    name: str
    ends: tuple
    height_m: float
    fire_rating_h: float
