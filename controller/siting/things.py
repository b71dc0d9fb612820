"""The things on a site: units, areas, exposures, barriers."""

from typing import NamedTuple

from controller.siting import geometry


class Unit(NamedTuple):
    """model: its table, None for what the file does not have; energy_kWh: nameplate, or rated
    voltage times rated capacity (row B3); group: its own name without one; area: name of the one
    that holds it, empty outside all.
    """

    name: str
    model_name: str
    model: dict
    shape: geometry.Shape
    energy_kWh: float
    group: str
    area: str


class Area(NamedTuple):
    """A room, or a roof: everything in it is one fire area, with what is open to it."""

    name: str
    shape: geometry.Shape
    facts: dict


class Exposure(NamedTuple):
    """Something that a fire of the storage must not reach, or that has to be kept free.

    shape: all that is measured to; an open lot line is drawn on straight beyond its ends in the
    file.
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


def grouped(things: list | tuple, key) -> dict:
    """{key(thing): [things]} in the order of the things."""
    found = {}
    for each in things:
        found.setdefault(key(each), []).append(each)
    return found
