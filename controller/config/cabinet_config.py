"""Holds the checked configuration of a cabinet, for the rest of the program."""

from array import array
from dataclasses import dataclass
from typing import Any, NamedTuple

from controller.config import site_devices
from controller.config.bus_schema import Bus
from controller.config.devices import Device, Topology
from controller.config.site_plan import SitePlan
from controller.config.sources import Source
from controller.core.site_devices.layout import SiteDevice, image_of
from safety import matrix, parameters, signals

Numbers = dict[str, int]  # by the name of the parameter


class StageWords(NamedTuple):
    """The numbers of a stage in the limit image. set, clear: the thresholds, in the unit of the
    feature. The other two are debounce times in ticks.
    """

    set: int
    clear: int
    set_ticks: int
    clear_ticks: int


@dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration. Indexes count from 0, names in files and on doors from 1.

    names: (layer, its own name), the type first. cabinet, control: {parameter: integer}.
    unit_tables, rack_tables: such a dictionary for each unit and rack. coil_period_ms: coils are
    written at least this often, because permits would expire otherwise. proof_tests: {key of
    proof_intervals: most days between two tests, or None}. neighbours: table [neighbours], for an
    estimate that no interlock uses. responder: table [responder], for the fire service's sheet.
    site_plan: table [plan], only for people.
    """

    path: str
    names: tuple[tuple[str, str], ...]
    topology: Topology
    tick_ms: int
    modules: int
    cabinet: Numbers
    unit_tables: tuple[Numbers, ...]
    rack_tables: tuple[Numbers, ...]
    control: Numbers
    stage_words: dict[str, StageWords]
    safety_image: "array[int]"
    control_image: "array[int]"
    coil_period_ms: int
    sources: tuple[Source, ...]
    source_image: "array[int]"
    proof_tests: dict[str, int | None]
    neighbours: Numbers
    responder: dict[str, str | None]
    site_plan: SitePlan | None

    @property
    def units(self) -> int:
        """Number of units (PCS with its DC bus)."""
        return self.topology.units

    @property
    def racks(self) -> int:
        """Number of racks."""
        return self.topology.racks

    @property
    def buses(self) -> tuple[Bus, ...]:
        """All buses."""
        return self.topology.buses

    @property
    def devices(self) -> tuple[Device, ...]:
        """All devices that are fitted."""
        return self.topology.devices

    @property
    def site_devices(self) -> tuple[SiteDevice, ...]:
        """The site devices in the form that the core uses. The first one is the box's clock."""
        return site_devices.site_devices(self.devices)

    @property
    def site_image(self) -> "array[int]":
        """The site devices as integers."""
        return image_of(self.site_devices)

    @property
    def hma(self) -> dict[str, Any]:
        """{key of [hma]: value or None}."""
        return self.topology.hma

    @property
    def noc_source(self) -> int:
        """Index of the source of hints whose heartbeat row 46 watches, or -1."""
        return next(
            (source.index for source in self.sources if source.name == self.hma["noc_source"]), -1
        )

    @property
    def channel_b(self) -> Bus | None:
        """The wire to channel B, or None."""
        return self.topology.channel_b

    def layout(self) -> signals.Layout:
        """The layout of the signals of this topology."""
        return signals.Layout(self.units, self.racks, self.modules)

    def image_map(self) -> parameters.ImageMap:
        """The map of safety_image."""
        return parameters.ImageMap(self.units, self.racks, matrix.STAGES_PER_SCOPE)
