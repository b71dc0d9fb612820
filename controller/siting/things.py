"""Defines the things on a site: units, areas, exposures, barriers."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple, TypeVar

from controller.siting import geometry

# A table of the file: {key of fields.py: its checked value, or None for a missing key}.
Table = dict[str, Any]
Member = TypeVar("Member")
Key = TypeVar("Key", bound=Hashable)


class Unit(NamedTuple):
    """A unit. group: its own name if the file gives no group. area: the area around it, or ""."""

    name: str
    model_name: str
    model: Table
    shape: geometry.Shape
    energy_kWh: float
    group: str
    area: str


class Area(NamedTuple):
    """A room or a roof. An area and the areas that are open to it are one fire area."""

    name: str
    shape: geometry.Shape
    facts: Table


class Exposure(NamedTuple):
    """An object or place that a fire must not reach. An open lot line continues beyond the file."""

    name: str
    kind: str
    shape: geometry.Shape
    facts: Table


class Barrier(NamedTuple):
    """A straight free-standing wall."""

    name: str
    ends: geometry.Edge
    height_m: float
    fire_rating_h: float


def grouped(members: Iterable[Member], key: Callable[[Member], Key]) -> dict[Key, list[Member]]:
    """{key(member): [members]} in the order of the members."""
    groups: dict[Key, list[Member]] = {}
    for member in members:
        groups.setdefault(key(member), []).append(member)
    return groups
