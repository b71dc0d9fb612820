"""One controller of a system on its site, in chain-only mode: without kernel and buses.

The real control functions, chain, split and site devices run once a second, on lumped batteries. A
member reads the site's meters without any delay, so do not use it for figures below 10 s. Units
with `can_form` carry an island; then the site sets their power. A site may have several such
controllers (members). Each sees the meters of the whole site, answers with its share, and does not
know the decisions of the others.
"""

import math
from array import array
from collections.abc import Sequence
from typing import cast

from controller.config.cabinet_config import Config
from controller.core.base import hint_codes
from controller.core.base.integers import within
from controller.core.base.schedule_table import OPEN_W, Slot, Table
from controller.core.image import ProcessImage
from controller.core.site_devices.actuator_chain import ActuatorChain
from hil.engine.cabinet import SimulatedCabinet
from hil.site.site import Site
from hil.values.chain_only import ChainLoop
from hil.values.lumped import LumpedUnit
from hil.values.lumped_air import LumpedAir

HEARTBEAT_S = 100
# The sender of the schedule is the first source.
HEARTBEAT = hint_codes.HintSlot(1, hint_codes.HEARTBEAT, 0, 0, valid_ms=300_000)
SOC_FORMS = 0.03  # below it a unit cannot carry an island
# Row 41d of the cause-and-effect matrix stops a unit whose power is beyond its limit by more than a
# margin for BEYOND_S. The margin is 2 kW, or a fiftieth of the rated power if that is more.
BEYOND_S, MARGIN_W_MIN, MARGIN_PART = 5, 2000, 50
SENDER = "sender"  # name of the sender of the schedule, in `silent`
CLOCK_ERROR_MS = 500
CHARGE_OPENS = 0.1  # part of the rated power: a lower limit counts as no charge
DAY_S = 86_400


class ChainUnit:
    """A converter with its lumped racks (hil.site.site.Unit)."""

    def __init__(self, battery: LumpedUnit, can_form: bool) -> None:
        self.battery, self.can_form = battery, can_form
        self.rated_W = float(battery.rated_W)
        self.ac_power_W = self.sent_W = 0.0
        self.is_forming = False
        self._beyond_s = 0
        # power in the last second of an island, until its energy is taken from the battery
        self._island_W: float | None = None

    @property
    def forms(self) -> bool:
        """True if the unit can carry an island at this moment."""
        return self.can_form and self._beyond_s < BEYOND_S and self.battery.soc > SOC_FORMS

    def carry(self, power_W: float | None) -> float:
        """Give this power in an island, within the rating. None: follow set-points again."""
        if power_W is not None:
            self.ac_power_W = max(-self.rated_W, min(self.rated_W, power_W))
        elif self.is_forming:
            self._island_W, self.ac_power_W = self.ac_power_W, self.sent_W
        self.is_forming = power_W is not None
        return self.ac_power_W

    def watch(self, charge_W: int, discharge_W: int, is_off_grid: bool) -> None:
        """Apply row 41d, once a second. A stopped unit carries no island until the grid is back."""
        margin_W = max(MARGIN_W_MIN, self.rated_W / MARGIN_PART)
        is_beyond = not -charge_W - margin_W < self.ac_power_W < discharge_W + margin_W
        if not is_off_grid:
            self._beyond_s = 0
        elif self._beyond_s < BEYOND_S:
            self._beyond_s = self._beyond_s + 1 if is_beyond else 0

    def send(self, power_W: int) -> None:
        """Take a new set-point."""
        self.ac_power_W = self.sent_W = float(power_W)

    def advance(self, dt_s: float) -> None:
        """Take the energy of the second that ended from the battery."""
        power_W = self.ac_power_W if self._island_W is None else self._island_W
        self.battery.step(power_W, dt_s)
        self._island_W = None


def share_of(row: Sequence[int], share_permille: int) -> Slot:
    """The slot of a schedule for a cabinet that answers this share of its powers."""
    *powers_W, reserve = row
    shares_W = [
        power_W if power_W == OPEN_W else power_W * share_permille // 1000 for power_W in powers_W
    ]
    return Slot._make([*shares_W, reserve])


class ChainMember:
    """A controller on a site (hil.site.site.Member). Call `schedule` with each new day."""

    def __init__(
        self, config: Config, site: Site, soc: float, begin_s: int, plant: dict[str, float]
    ) -> None:
        """begin_s: UTC of the first second, since 1970; plant: keys of the plant's config."""
        self.site, self._begin_s, self.now_s, self.is_here = site, begin_s, 0, True
        self._config = config
        self._plant = of_plant = SimulatedCabinet(config, None, 1, plant).plant.config
        self._aux_W = self.drawn_W = float(of_plant.aux_W)
        self._parts = [
            site.part(site_device.role.name, site_device.settings)
            for site_device in config.site_devices[1:]
        ]
        self._has_contact = any(
            "source_code" in device.inputs for device in config.topology.devices
        )
        batteries = self._start(soc)
        self.clock_off_s, self.clock_error_ms = 0.0, CLOCK_ERROR_MS
        self.silent: frozenset[str] = frozenset()  # SENDER, or the name of a site device
        self.share_permille = config.control["share_permille"]
        self.charge_opens_s: int | None = None  # when CHARGE_OPENS was first allowed; None: not yet
        self._rated_W = sum(self.loop.limits.rated_W)
        forming = config.topology.forming
        self.pcs = [ChainUnit(battery, forms) for battery, forms in zip(batteries, forming)]
        site.join(self)

    def leave(self) -> None:
        """Take the cabinet away or let it fail: its contactors open, and it decides nothing."""
        self.is_here, self.drawn_W = False, 0.0
        for unit in self.pcs:
            unit.send(0)
            unit.can_form = False

    def come(self, soc: float) -> None:
        """Bring the cabinet back with this charge, 0 to 1, and start its controller anew."""
        self.is_here = True
        forming = self._config.topology.forming
        for unit, battery, forms in zip(self.pcs, self._start(soc), forming):
            unit.battery, unit.can_form = battery, forms

    def _start(self, soc: float) -> list[LumpedUnit]:
        """Make a new controller and new batteries. soc: 0 to 1."""
        self._prepare()
        plant = self._plant
        batteries = self.loop.make_batteries(plant, soc, plant.start_degC)
        self._air = LumpedAir(plant, batteries, self._parts)
        return batteries

    def _prepare(self) -> None:
        """Make a new controller."""
        config = self._config
        layout = config.layout()
        self.image = image = ProcessImage(layout, config.site_devices)
        self._inp, self._fresh = array("i", image.inp), bytearray(image.fresh)
        self._groups = layout.groups
        self.loop = ChainLoop(config, self._plant.soh, self._inp)
        self.devices, self.control = self.loop.site, self.loop.control

    @property
    def soc(self) -> float:
        """Mean state of charge of the units, 0 to 1."""
        return math.fsum([unit.battery.soc for unit in self.pcs]) / len(self.pcs)

    @property
    def heat_J(self) -> float:
        """Heat that the heaters have given, J."""
        return self._air.heater_J

    def schedule(self, start_s: int, slot_min: int, rows: Sequence[tuple[int, ...]]) -> None:
        """Take a schedule from second start_s of the run on, with this member's share of powers."""
        start_min = (self._begin_s + start_s) // 60
        slots = tuple([share_of(row, self.share_permille) for row in rows])
        self.image.add_schedule(Table(0, start_min, slot_min, slots))

    def supply(self, is_live: bool) -> None:
        """Ignore that the site's voltage has come or gone, because the auxiliaries have a UPS."""

    def advance(self, dt_s: float, now_us: int) -> None:
        """Advance by a second: take the energy of the last second, then decide. The last member
        starts the decisions of all members, so that no meter shows a decision of this second.
        """
        self.now_s += 1
        if self.is_here:
            for unit in self.pcs:
                unit.advance(dt_s)
            outside_degC = self.site.weather.outside_degC(self.now_s)
            self.drawn_W = self._aux_W + self._air.step(dt_s, outside_degC)
        if self is self.site.members[-1]:
            self._decide_all()

    def _decide_all(self) -> None:
        site = self.site
        drawn_W = math.fsum([member.drawn_W for member in site.members])
        battery_W = math.fsum([unit.ac_power_W for member in site.members for unit in member.pcs])
        fed_W = math.fsum([part.feeds_W for part in site.parts])
        grid_W = site.load_power_W + site.other_load_W + drawn_W - battery_W - fed_W
        before = site.load_power_W, [part.feeds_W for part in site.parts]
        if site.is_off_grid and site.is_live:
            # The sources of an island follow a change at once, before a controller reads them.
            site.carry(grid_W)
        for member in cast(list[ChainMember], site.members):
            if member.is_here:
                member.decide(grid_W)
        site.load_power_W, fed = before
        for part, feeds_W in zip(site.parts, fed):
            part.feeds_W = feeds_W

    def decide(self, grid_W: float) -> None:
        """Decide the power of each unit and the actuators. grid_W: as the site's meter shows it."""
        self._read()
        self._measure(grid_W)
        batteries = [unit.battery for unit in self.pcs]
        powers_W = self.loop.step(batteries, self._fresh[self._groups :])
        limits = self.loop.limits
        for unit, charge_W, discharge_W in zip(self.pcs, limits.charge_W, limits.discharge_W):
            unit.watch(charge_W, discharge_W, self.site.is_off_grid)
        for unit, power_W in zip(self.pcs, powers_W):
            unit.send(power_W)
        charge_W = sum(limits.charge_W)
        if self.charge_opens_s is None and charge_W >= CHARGE_OPENS * self._rated_W:
            self.charge_opens_s = self.now_s
        for actuator in self.control.actuators:
            self._ask(actuator)

    def _ask(self, actuator: ActuatorChain) -> None:
        """Send a value to its part, and note in the image that it was sent."""
        device, record = actuator.view.device, actuator.actuator
        part = self._parts[self.devices.devices.index(actuator.view) - 1]
        part.ask(record.name, actuator.value)
        first, _ = self.image.site_place(device.role.name, device.number)
        sent_at = len(device.role.signals) + device.role.actuators.index(record)
        self.image.inp[first + sent_at] = actuator.value

    def _read(self) -> None:
        """Fill the image with the clock, the site devices and the heartbeat."""
        image = self.image
        if self.now_s % HEARTBEAT_S == 1 and SENDER not in self.silent:
            image.add_hint(HEARTBEAT)
        # The clock shows the start of this second, because a decision counts from then on.
        now_s = self._begin_s + self.now_s - 1 - self.clock_off_s
        day_d, time_s = divmod(int(now_s), DAY_S)
        start = image.places["site"].start
        image.inp[start : start + 3] = array("i", [day_d, time_s, self.clock_error_ms])
        image.fresh[self._groups :] = bytes(
            [
                view.device.name not in self.silent
                for view in self.devices.devices
                for _ in view.device.role.signals
            ]
        )
        for view, part in zip(self.devices.devices[1:], self._parts):
            first, _ = image.site_place(view.device.role.name, view.device.number)
            known = part.signals()
            for place, signal in enumerate(view.device.role.signals):
                image.inp[first + place] = within(
                    round(known.get(signal.name, 0)), signal.low, signal.high
                )
        image.freeze(self._inp, self._fresh)

    def _measure(self, grid_W: float) -> None:
        """Take the readings of meters, converters and the contact of the transfer switch."""
        site, readings = self.site, self.loop.readings
        shown_W = 0 if site.is_off_grid else round(grid_W)
        readings.load_W = round(site.load_power_W) if site.is_live else None
        readings.grid_W = shown_W if site.is_live else None
        readings.powers_W = [round(unit.ac_power_W) for unit in self.pcs]
        readings.is_off_grid = site.is_off_grid and self._has_contact
        readings.forming = [unit.is_forming for unit in self.pcs]
        readings.air_ddegC = round(10 * self._air.climate.air_degC)
