"""Plays an example system on the rig from any hour, with the real controller and plant."""

import math
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path

from controller.config.cabinet_config import Config
from controller.core.base.schedule_table import Table
from controller.core.policies.meter_statistics import TURN_S
from hil.engine.pod import Pod, with_control
from hil.engine.simulate import VirtualRig
from hil.engine.virtual_controller import VirtualClock
from hil.fleet.broker import Faults
from hil.fleet.messages import Messages
from hil.systems import run, sized
from hil.systems.member import HEARTBEAT, HEARTBEAT_S, SENDER, share_of
from hil.systems.sender import Sender
from hil.systems.series import outages_of
from hil.systems.spec import Inputs, Spec
from hil.values.rig import TICK_MS, ValueRig

SLOT_MIN, HOUR_S = run.SLOT_S // 60, 3600
# Highest temperature with which a plant begins. In chain-only mode (no kernel, no trips) a battery
# that is far too small gets hotter.
HOT_DEGC = 60.0


class LivePod(Pod):
    """The real controllers of a system on its site."""

    def __init__(
        self,
        spec: Spec,
        folder: Path,
        begin_s: int,
        soc: float,
        inputs: Inputs,
        degC: float | None = None,
    ) -> None:
        """folder: for the files of the configuration. begin_s: time in the system's run at which
        the rig begins, s. soc, degC: charge, and temperature of the cells and of the air between
        them, at begin_s.
        """
        self._begin_s = begin_s
        self._series = run.series_of(spec, inputs)
        self._sender = Sender(spec, self._series, run.before_of(spec, inputs))
        sizes = sized.cabinets(spec.size, spec.cabinets, run.sources_of(spec))
        configs = _configs(sizes, folder)
        site = run.site_of(_later(spec, begin_s), inputs)
        load = site.load
        assert load is not None, "the file of a system has [load]"
        site.load = lambda now_s: load(begin_s + now_s)
        for part in site.parts:
            part.begin_at(begin_s)
        outside_degC = max(-40.0, min(HOT_DEGC, site.weather.outside_degC(0.0)))
        start = {} if degC is None else {"start_degC": min(HOT_DEGC, degC)}
        plant = sizes[0].plant | {"ambient_degC": outside_degC} | spec.plant | start
        super().__init__(site, configs, spec.seed, soc, ValueRig, plant=plant)
        self._heartbeat_s, self._is_sender_dead = 0, SENDER in inputs.get("dead", ())
        self._begin(spec)

    def _begin(self, spec: Spec) -> None:
        """Set the clocks, make the dispatcher, and take away cabinets that left before begin_s."""
        start_s = round(spec.start.replace(tzinfo=UTC).timestamp())
        self._start_us = (start_s + self._begin_s) * 1_000_000
        for member in self.members:
            self._set_clock(member)
        self._start_min = start_s // 60
        self.messages: Messages | None = None
        if spec.fallback_W is not None:
            shared_W = spec.size.import_W, spec.spare_W
            self.messages = Messages(self.members, *shared_W, spec.seed, Faults())
        self._moves = run.moves_of(spec)
        for second in sorted(self._moves):
            if second < self._begin_s:
                self._move(second)

    def step(self) -> None:
        """Make a tick. Before it, send the heartbeat if it is due, and each hour the schedule.
        After it, carry the messages of a dispatcher.
        """
        now_s = self.now_us // 1_000_000
        if self.now_us % 1_000_000 == 0 and self._begin_s + now_s in self._moves:
            self._move(self._begin_s + now_s)
        if now_s >= self._heartbeat_s and not self._is_sender_dead:
            is_hour = now_s == 0 or (self._begin_s + now_s) % HOUR_S < HEARTBEAT_S
            table = self._table(now_s) if is_hour and self._sender.sends else None
            for member in self.members:
                self._send(member, table)
            self._heartbeat_s = now_s + HEARTBEAT_S
        super().step()
        if self.messages is not None:
            self.messages.step(self.now_us)

    def _send(self, member: VirtualRig, table: Table | None) -> None:
        """Send a cabinet the heartbeat, and its share of a schedule."""
        cabinet = member.controller.cabinet
        if cabinet is None:
            return
        cabinet.image.add_hint(HEARTBEAT)
        if table is not None:
            share = member.config.control["share_permille"]
            slots = tuple([share_of(slot, share) for slot in table.slots])
            cabinet.image.add_schedule(table._replace(slots=slots))

    def _move(self, second: int) -> None:
        """Let cabinets leave and come, as in the run: their controllers end and start."""
        for place, soc in self._moves[second]:
            member = self.members[place]
            if soc is None:
                member.controller.kill()
            else:
                member.controller.start()
                self._set_clock(member)

    def _set_clock(self, member: VirtualRig) -> None:
        cabinet = member.controller.cabinet
        assert cabinet is not None, "it has just started"
        cabinet.site_clock = VirtualClock(cabinet.image, self._start_us)

    @property
    def soc(self) -> float:
        """Mean of the racks of all cabinets."""
        racks = [rack for member in self.members for rack in member.plant.racks]
        return math.fsum([rack.soc for rack in racks]) / len(racks)

    def _table(self, now_s: int) -> Table:
        """The schedule from the present slot on."""
        slot = (self._begin_s + now_s) // run.SLOT_S
        rows = self._sender.rows(slot % len(self._series.price), self.soc)
        start_min = self._start_min + slot * SLOT_MIN
        return Table(0, start_min, SLOT_MIN, tuple(rows))


def _configs(sizes: Sequence[sized.Size], folder: Path) -> list[Config]:
    """The configuration of each cabinet; its meter test waits for its turn."""
    configs = []
    for number, size in enumerate(sizes):
        own = folder / f"{number + 1}"
        own.mkdir()
        config = sized.load(size, own, TICK_MS)
        configs.append(with_control(config, {"meter_code_wait_s": number * TURN_S}))
    return configs


def _later(spec: Spec, begin_s: int) -> Spec:
    """The system with sun, weather and outages that begin begin_s later in its run."""
    weather = {"day": 172, **spec.site.get("weather", {})}
    days, weather["time_of_day_s"] = divmod(begin_s, run.DAY_S)
    weather["day"] = (weather["day"] - 1 + days) % 365 + 1
    outages = [[at_s - begin_s, for_s] for at_s, for_s in outages_of(spec) if at_s >= begin_s]
    start = spec.start + timedelta(seconds=begin_s)
    return spec._replace(start=start, site={**spec.site, "weather": weather}, outages=outages)
