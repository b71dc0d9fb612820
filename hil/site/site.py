"""A site: the parts that its cabinets share, and the balance of all powers once per step.

An island needs a transfer switch that has left the grid. The generator set first gives its base
power. Converters that can form the voltage share the rest by their ratings; the set carries what
exceeds them. Other converters keep their power. Without enough power the site is dark and tries
again after DARK_S. If an island has too much power, PV gives less.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from hil.site.account import Account
from hil.site.branches import LoadShed
from hil.site.cooling import Cooling
from hil.site.genset import Genset
from hil.site.grid import FREQUENCY_HZ, PHASE_V, Grid
from hil.site.load_ups import LoadUps
from hil.site.part import SitePart
from hil.site.parts import PARTS
from hil.site.racks import Racks
from hil.site.transfer_switch import TransferSwitch
from hil.site.weather import Weather

ON_GRID, ISLAND, DARK = range(3)
DARK_S = 5.0


class Unit(Protocol):
    """A converter of a member."""

    rated_W: float
    ac_power_W: float

    @property
    def forms(self) -> bool:
        """True if the converter can carry an island now."""

    def carry(self, power_W: float | None) -> float:
        """Give this power in an island; returns the power given. None: follow the set-point."""


class Member(Protocol):
    """A cabinet. drawn_W: power of its auxiliaries in this step."""

    drawn_W: float

    @property
    def pcs(self) -> Sequence[Unit]:
        """The converters of the cabinet."""

    def advance(self, dt_s: float, now_us: int) -> None:
        """Advance this cabinet alone."""

    def supply(self, is_live: bool) -> None:
        """Note whether the site has voltage."""


class Site:
    """Power in W: grid > 0 imports, load > 0 draws. parts: described by the site's own file."""

    def __init__(
        self,
        load: Callable[[float], Any] | None = None,
        seed: object = 0,
        grid: Grid | None = None,
        parts: Sequence[SitePart] = (),
        cooling: Cooling | None = None,
        weather: Weather | None = None,
    ) -> None:
        """load: t_s -> W, or t_s -> (W, 3 x (W, V, A, PF))."""
        self.load, self.grid, self.cooling = load, grid or Grid(seed), cooling
        self.weather = weather or Weather()
        self.parts: list[SitePart] = []
        self.switch: TransferSwitch | None = None
        self.load_ups: LoadUps | None = None
        self.gensets: list[Genset] = []
        for part in parts:
            self._add(part)
        self._described = tuple(parts)
        self.members: list[Member] = []
        self.units: list[Unit] = []
        self.load_channels = None
        self.load_wanted_W = self.inside_W = 0.0  # inside: seen only by a load meter at the racks
        if load is not None:
            self._draw(load(0.0))  # a meter may be read before the first step
        self.other_load_W = 0.0  # on the same connection, but not on the load meter; PV is negative
        self.load_power_W = self.grid_power_W = self.load_wanted_W
        self.account = Account()
        self.now_us = 0
        self.source = ON_GRID
        self.is_parted = False  # the switch to the grid was opened by hand
        self._rest_s, self._is_short = 0.0, False

    is_live = property(lambda self: self.source != DARK)
    # stages of the load that are switched off
    open_stages = property(lambda self: sum([part.asked.get("stages", 0) for part in self.parts]))
    battery_W = property(lambda self: math.fsum([unit.ac_power_W for unit in self.units]))

    @property
    def island_W(self) -> float:
        """Power with which the sources of an island can carry the load."""
        forming_W = math.fsum(unit.rated_W for unit in self.units if unit.forms)
        return forming_W + math.fsum(genset.capacity_W for genset in self.gensets)

    @property
    def is_off_grid(self) -> bool:
        """True if the site has left the grid, by its transfer switch or by hand."""
        return self.is_parted or (self.switch is not None and not self.switch.is_on_grid)

    @property
    def grid_voltage_V(self) -> float:
        """Voltage of one phase at the site, V."""
        if self.source == ISLAND:
            return PHASE_V
        return self.grid.voltage_V if self.source == ON_GRID else 0.0

    @property
    def grid_frequency_Hz(self) -> float:
        """Frequency at the site, Hz."""
        return FREQUENCY_HZ if self.source == ISLAND else self.grid.frequency_Hz

    def join(self, member: Member) -> None:
        """Connect a cabinet on a feeder of its own."""
        self.members.append(member)
        self.units += member.pcs

    def part(self, role: str, settings: Mapping[str, float]) -> SitePart:
        """The part behind a device. Makes a part that the site's file does not describe.
        ValueError, one line, if the file and the device give different numbers.
        """
        part = next((part for part in self._described if part.kind == role), None)
        if part is None:
            return self._add(PARTS[role](settings))
        for key, value in settings.items():
            site_number = part.parameters.get(key, value)
            if site_number != value:
                text = f"site: {role}.{key} = {site_number:g}, but a cabinet's device has {value}"
                raise ValueError(f"{text}: allowed is the same number")
        return part

    def _add(self, part: SitePart) -> SitePart:
        self.parts.append(part)
        if isinstance(part, TransferSwitch):
            self.switch = part
        elif isinstance(part, LoadUps):
            self.load_ups = part
        elif isinstance(part, Genset):
            self.gensets.append(part)
        return part

    def _draw(self, load_W: float | tuple[float, Any]) -> None:
        """Take the present load. A tuple also contains the channels of the load meter."""
        if type(load_W) is tuple:
            load_W, self.load_channels = load_W
        self.load_wanted_W = load_W  # type: ignore[assignment]

    def step(self, dt_s: float) -> None:
        """Advance load, parts, members and balance by dt_s (s, > 0, at most 1)."""
        if not 0.0 < dt_s <= 1.0:
            raise ValueError(f"plant step of {dt_s} s: allowed is more than 0, at most 1")
        self.now_us = now_us = self.now_us + round(dt_s * 1e6)
        if self.load is not None:
            self._draw(self.load(now_us / 1e6))
            self.inside_W = self.load.inside_W if isinstance(self.load, Racks) else 0.0
        self.grid.look(now_us)
        self._choose(dt_s)
        drawn_W = self._step_load(dt_s)
        fed_W = 0.0
        for part in self.parts:
            if part is not self.load_ups and part is not self.switch:
                part.is_live = self.is_live
                is_shed = isinstance(part, LoadShed)
                part.step(now_us / 1e6, dt_s, self._beside_W(drawn_W) if is_shed else drawn_W)
                self.load_power_W -= part.sheds_W
                fed_W += part.feeds_W
        for member in self.members:
            member.advance(dt_s, now_us)
        self._balance(fed_W)
        self._book(dt_s)
        self.grid.drift(now_us, self.grid_power_W)

    def _choose(self, dt_s: float) -> None:
        """Decide whether grid, island or nothing gives the voltage of this step."""
        earlier_source, switch, is_present = self.source, self.switch, self.grid.is_present
        if switch is None and is_present and earlier_source == ON_GRID and not self.is_parted:
            return
        if switch is not None:
            switch.is_grid_present = is_present
            switch.step(self.now_us / 1e6, dt_s, self.load_power_W)
            for genset in self.gensets:
                genset.called = switch.calls
        if not self.is_off_grid:
            self.source = ON_GRID if is_present else DARK
        else:
            self.source = ISLAND if self._can_carry() else DARK
        self._rest_s -= dt_s
        if self._is_short:
            self._rest_s, self._is_short = DARK_S, False
        if self.source != ISLAND:
            for unit in self.units:
                unit.carry(None)
        if (self.source == DARK) != (earlier_source == DARK):
            for member in self.members:
                member.supply(self.is_live)

    def _can_carry(self) -> bool:
        """True if the island continues, or if the sources suffice for a new island."""
        capacity_W = self.island_W
        if not capacity_W or self.source == ISLAND:
            return bool(capacity_W) and not self._is_short
        cooling_W = self.cooling.power_W if self.cooling else 0.0
        load_W, ups = self.load_wanted_W, self.load_ups
        wanted_W = (ups.needed_W(load_W) if ups else load_W) + cooling_W
        open_W = math.fsum(part.open_W for part in self.parts if isinstance(part, LoadShed))
        wanted_W += self.other_load_W - min(self._beside_W(wanted_W), open_W)
        sun_W = math.fsum(part.feeds_W for part in self.parts if part.GIVES_WAY)
        return wanted_W <= capacity_W + sun_W and self._rest_s <= 0.0

    def _beside_W(self, drawn_W: float) -> float:
        """The part of this power that stages can shed. They cannot shed the load behind a UPS."""
        if self.load_ups is None:
            return drawn_W
        return self.load_ups.beside_W(self.load_wanted_W) if drawn_W else 0.0

    def _step_load(self, dt_s: float) -> float:
        """Power of the load with its UPS and its cooling, W."""
        drawn_W, is_live = self.load_wanted_W, self.is_live
        if self.load_ups is not None:
            self.load_ups.is_live, self.load_ups.may_recharge = (is_live, self.source == ON_GRID)
            self.load_ups.step(self.now_us / 1e6, dt_s, drawn_W)
            drawn_W = self.load_ups.draws_W
        if self.cooling is not None:
            outside_degC = self.weather.outside_degC(self.now_us / 1e6)
            shed_W = math.fsum([part.sheds_W for part in self.parts])
            heat_W = max(0.0, self.load_wanted_W - shed_W)
            self.cooling.step(dt_s, heat_W, outside_degC, is_live)
            drawn_W += self.cooling.power_W
        self.load_power_W = drawn_W if is_live else 0.0
        return self.load_power_W

    def _balance(self, fed_W: float) -> None:
        """Let the grid give the missing power; in an island, let its sources give it."""
        aux_W = math.fsum([member.drawn_W for member in self.members])
        needed_W = self.load_power_W + self.other_load_W - self.battery_W + aux_W - fed_W
        if self.source == ON_GRID:
            self.grid_power_W = needed_W
            return
        self.grid_power_W = 0.0
        if self.source == ISLAND:
            self.carry(needed_W)
            return
        for unit in self.units:
            unit.ac_power_W = 0.0

    def carry(self, missing_W: float) -> None:
        """Share the missing power of an island. PV or load gives up what remains."""
        forming = [unit for unit in self.units if unit.forms]
        rated_W = math.fsum(unit.rated_W for unit in forming)
        missing_W += math.fsum(unit.ac_power_W for unit in forming)
        for unit in forming:
            missing_W -= unit.carry(missing_W * unit.rated_W / rated_W)
            rated_W -= unit.rated_W
        for genset in self.gensets:
            if genset.capacity_W:
                before_W = genset.feeds_W
                genset.feeds_W = min(genset.capacity_W, max(0.0, before_W + missing_W))
                missing_W -= genset.feeds_W - before_W
        for part in self.parts:
            if part.GIVES_WAY and missing_W < 0.0:
                spared_W = min(part.feeds_W, -missing_W)
                part.feeds_W -= spared_W
                missing_W += spared_W
        self._is_short = abs(missing_W) > 1e-6
        self.load_power_W -= missing_W

    def _book(self, dt_s: float) -> None:
        """Add the powers of this step to the account."""
        is_live, ups = self.is_live, self.load_ups
        energy_J = self.account.energy_J
        energy_J["load"] += self.load_power_W * dt_s
        if isinstance(self.load, Racks):
            energy_J["burnt"] = self.load.smoothing.burnt_J
            energy_J["withheld"] = self.load.smoothing.withheld_J
        if is_live:
            energy_J["other"] += self.other_load_W * dt_s
            energy_J["auxiliaries"] += math.fsum([member.drawn_W for member in self.members]) * dt_s
        for part in self.parts:
            if part.feeds_W:
                energy_J[part.kind] += part.feeds_W * dt_s
            energy_J[part.FLOW] += part.sheds_W * is_live * dt_s
        for unit in self.units:
            power_W = unit.ac_power_W
            energy_J["discharged" if power_W > 0 else "charged"] += abs(power_W) * dt_s
        self.account.add_grid(self.grid_power_W, dt_s)
        if ups is not None:
            energy_J["unserved"] += ups.unserved_W * dt_s
        elif not is_live:
            energy_J["unserved"] += self.load_wanted_W * dt_s
