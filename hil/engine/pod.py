"""Runs several cabinets on one site in virtual time: a pod.

Each cabinet has its own devices, wires and controller. Only one cabinet at a time tests the sign of
its meter, because the battery of another cabinet would look like a load.
"""

import contextlib
import dataclasses
import os
from array import array
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, Self

from controller.config import configuration, schema
from controller.config.cabinet_config import Config
from controller.core.policies.meter_statistics import TURN_S
from controller.forms.refusal import ConfigError
from controller.system import toml_text
from hil.engine import coverage
from hil.engine.simulate import VirtualRig
from hil.results.site_record import SiteRecord
from hil.scenarios.scenario import Action, Scenario
from hil.site import description
from hil.site.site import Site

WATCH_US = 1_000_000
SETTLE_US = 30_000_000  # wait after the last test, until slow means of the grid have settled


def is_pod(path: str) -> bool:
    """True if the file describes a site with several cabinets; False if it cannot be read."""
    with contextlib.suppress(OSError, toml_text.TomlError):
        return "pod" in toml_text.read(path)
    return False


def with_control(config: Config, changes: dict[str, int]) -> Config:
    """The configuration with other numbers for the controller."""
    control = config.control | changes
    return dataclasses.replace(config, control=control, control_image=array("i", control.values()))


def member_configs(path: str, whole: bool = False, tick_ms: int | None = None) -> list[Config]:
    """The configuration of each cabinet, with its share of the load and the turn of its meter test.

    whole: each cabinet answers the whole load. tick_ms: tick of all cabinets; None: as in each
    file. Raises ConfigError.
    """
    site = description.read(path)
    if not site["pod"]:
        raise ConfigError(f"{os.path.basename(path)}: [pod] is missing: it names the cabinets")
    configs = []
    for turn, member in enumerate(site["pod"]):
        file = os.path.normpath(os.path.join(os.path.dirname(path), member["cabinet"]))
        share_permille = 1000 if whole else member["share_permille"]
        config = configuration.load(file, tick_ms=tick_ms)
        _check_racks(path, site["racks"], config)
        changes = {"share_permille": share_permille, "meter_code_wait_s": turn * TURN_S}
        configs.append(with_control(config, changes))
    ticks_ms = {config.tick_ms for config in configs}
    if len(ticks_ms) > 1:
        raise ConfigError(
            f"{os.path.basename(path)}: pod: ticks of {sorted(ticks_ms)} ms: allowed is one tick "
            f"for all members"
        )
    return configs


def _check_racks(path: str, racks: Mapping[str, Any] | None, config: Config) -> None:
    """Refuse capacitors on the site that do not match the settings of a member's load meter."""
    meter = config.topology.device("meter_load")
    built = racks["J_per_kW"] if racks and racks["is_metered_inside"] else 0
    stated = meter.settings.get(schema.BUFFER, 0) if meter else built
    if meter and abs(stated - built) >= 1:
        raise ConfigError(
            f"{os.path.basename(path)}: racks: the load meter is behind {built:g} J per kW (0 "
            f"without is_metered_inside), but device.{meter.name}.{schema.BUFFER} of {config.path} "
            f"is {stated}: allowed is the same number"
        )


def let_form(members: Sequence[Any], tables: Sequence[Mapping[str, Any]]) -> None:
    """Let the converters of each member form an island if its table says so."""
    for member, table in zip(members, tables):
        for unit in member.plant.pcs:
            unit.can_form = unit.can_form or table["can_form"]


class Played(Protocol):
    """A pod in virtual or real time, from which the figures are read."""

    site: Site
    mode: str
    now_us: int

    @property
    def members(self) -> Sequence[Any]:
        """The cabinets."""

    @property
    def settled_us(self) -> int:
        """When the figures begin."""


class Pod:
    """One run: call `run`, then read `site`, `members`, `record`. tested_us: end of the last meter
    test; mode: the text that is printed beside each figure.
    """

    def __init__(
        self,
        site: Site,
        configs: Sequence[Config],
        seed: int = 1,
        soc: float = 0.55,
        kind: type[VirtualRig] = VirtualRig,
        plant: Mapping[str, float] = MappingProxyType({}),
        actions: Sequence[Action] = (),
    ) -> None:
        """plant: keys of hil/plant/config.py; actions: on the site and on the first cabinet."""
        self.site = site
        plant = {**plant, "soc": soc}
        self.members = [
            kind(config, None, seed + number, () if number else actions, plant, site=site)
            for number, config in enumerate(configs)
        ]
        self.tick_us = self.members[0].tick_us
        self.mode = f"{kind.MODE}, {self.tick_us // 1000} ms"
        self.record = SiteRecord(len(configs))
        self.now_us = self.tested_us = self._watched_us = 0

    @classmethod
    def of_file(
        cls,
        path: str,
        seed: int = 1,
        soc: float = 0.55,
        whole: bool = False,
        kind: type[VirtualRig] = VirtualRig,
        tick_ms: int | None = None,
        scenario: Scenario | None = None,
    ) -> Self:
        """The pod of a site file. kind: class of each member; tick_ms: None for the default of
        `kind`. Raises ConfigError, LoadError, NotSimulatedError.
        """
        tables = description.read(path)
        configs = member_configs(path, whole, tick_ms or kind.POD_TICK_MS)
        fitted = [key for key, table in tables.items() if table]
        coverage.check_scenario(configs[0], scenario, fitted)
        site = description.built(tables, seed, os.path.dirname(path))
        actions = scenario.actions if scenario else ()
        try:
            pod = cls(site, configs, seed, soc, kind, actions=actions)
        except ValueError as error:  # the site's file and a cabinet's device disagree
            raise ConfigError(f"{os.path.basename(path)}: {error}") from None
        let_form(pod.members, tables["pod"])
        for member in pod.members:
            member.quicken()
        return pod

    def run(self, duration_s: float, show: Callable[[], object] | None = None) -> Self:
        """Step until duration_s of virtual time have passed; call show() every WATCH_US."""
        end_us = round(duration_s * 1e6)
        while self.now_us < end_us:
            self.step()
            if show is not None and self._watched_us == self.now_us:
                show()
        return self

    def step(self) -> None:
        """Make a tick: move the bytes of all members, step the site with every plant, then run the
        controllers.
        """
        for member in self.members:
            member.move_bytes()
        self.site.step(self.tick_us / 1e6)
        for member in self.members:
            member.conclude()
        self.now_us += self.tick_us
        self.record.see(self.now_us, self.site, [member.plant for member in self.members])
        if self.now_us - self._watched_us >= WATCH_US:
            self._watched_us = self.now_us
            if any(core.found.is_meter_tested for core in self.cores()):
                self.tested_us = self.now_us

    @property
    def settled_us(self) -> int:
        """When the figures begin: SETTLE_US after the last meter test."""
        return self.tested_us + SETTLE_US

    def cores(self) -> list[Any]:
        """The core of each member whose controller runs."""
        return [
            member.controller.cabinet.core for member in self.members if member.controller.cabinet
        ]
