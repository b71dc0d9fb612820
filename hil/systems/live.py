"""Plays an example system on the rig from any hour, with the real controller and plant."""

from datetime import UTC, timedelta
from pathlib import Path

from controller.core.base import hint_codes
from controller.core.base.schedule_table import Table
from hil.engine import coverage
from hil.engine.pod import Pod
from hil.engine.simulate import VirtualRig
from hil.engine.virtual_controller import VirtualClock
from hil.scenarios.scenario import Scenario
from hil.systems import run, sized
from hil.systems.member import HEARTBEAT_MS, HEARTBEAT_S, SENDER
from hil.systems.sender import Sender
from hil.systems.series import outages_of
from hil.systems.spec import Inputs, Spec
from hil.values.rig import ValueRig

SLOT_MIN, HOUR_S = run.SLOT_S // 60, 3600
# Highest temperature with which a plant begins. In chain-only mode (no kernel, no trips) a battery
# that is far too small gets hotter.
HOT_DEGC = 60.0


class LivePod(Pod):
    """The real controller of a system on its site: a Pod with one member."""

    def __init__(
        self,
        spec: Spec,
        folder: Path,
        begin_s: int,
        soc: float | None = None,
        values: bool = False,
        inputs: Inputs | None = None,
        scenario: Scenario | None = None,
        degC: float | None = None,
    ) -> None:
        """folder: for the files of the configuration. begin_s: time in the system's run at which
        the rig begins, s. soc: state of charge at begin_s; None: that of the system's file. degC:
        temperature of the cells and of the air between them at begin_s. NotSimulatedError: one
        line, the scenario acts on a part that the system lacks.
        """
        self._begin_s, inputs = begin_s, inputs or {}
        self._series = run.series_of(spec, inputs)
        self._sender = Sender(spec, self._series, run.before_of(spec, inputs))
        kind = ValueRig if values else VirtualRig
        config = sized.load(spec.size, folder, kind.POD_TICK_MS)
        coverage.check_scenario(config, scenario, tuple(spec.site))
        actions = scenario.actions if scenario else ()
        site = run.site_of(_later(spec, begin_s), inputs)
        load = site.load
        assert load is not None, "the file of a system has [load]"
        site.load = lambda now_s: load(begin_s + now_s)
        for part in site.parts:
            part.begin_at(begin_s)
        soc = spec.soc_permille / 1000 if soc is None else soc
        outside_degC = max(-40.0, min(HOT_DEGC, site.weather.outside_degC(0.0)))
        start = {} if degC is None else {"start_degC": min(HOT_DEGC, degC)}
        plant = spec.size.plant | {"ambient_degC": outside_degC} | spec.plant | start
        super().__init__(site, [config], spec.seed, soc, kind, plant, actions)
        cabinet = self.members[0].controller.cabinet
        assert cabinet is not None, "nobody has killed it yet"
        start_s = round(spec.start.replace(tzinfo=UTC).timestamp())
        cabinet.site_clock = VirtualClock(cabinet.image, (start_s + begin_s) * 1_000_000)
        self._start_min = start_s // 60
        self._heartbeat_s, self._is_sender_dead = 0, SENDER in inputs.get("dead", ())

    def step(self) -> None:
        """Make a tick. Before it, send the heartbeat if it is due, and each hour the schedule."""
        now_s, cabinet = self.now_us // 1_000_000, self.members[0].controller.cabinet
        if now_s >= self._heartbeat_s and cabinet is not None and not self._is_sender_dead:
            cabinet.image.add_hint(0, hint_codes.HEARTBEAT, 0, 0, HEARTBEAT_MS)
            is_hour = now_s == 0 or (self._begin_s + now_s) % HOUR_S < HEARTBEAT_S
            if is_hour and self._sender.sends:
                cabinet.image.add_schedule(self._table(now_s))
            self._heartbeat_s = now_s + HEARTBEAT_S
        super().step()

    @property
    def soc(self) -> float:
        """Mean state of charge of the racks, 0 to 1."""
        racks = self.members[0].plant.racks
        return sum([rack.soc for rack in racks]) / len(racks)

    def _table(self, now_s: int) -> Table:
        """The schedule from the present slot on."""
        slot = (self._begin_s + now_s) // run.SLOT_S
        rows = self._sender.rows(slot % len(self._series.price), self.soc)
        start_min = self._start_min + slot * SLOT_MIN
        return Table(0, start_min, SLOT_MIN, tuple(rows))


def _later(spec: Spec, begin_s: int) -> Spec:
    """The system with sun, weather and outages that begin begin_s later in its run."""
    weather = {"day": 172, **spec.site.get("weather", {})}
    days, weather["time_of_day_s"] = divmod(begin_s, run.DAY_S)
    weather["day"] = (weather["day"] - 1 + days) % 365 + 1
    outages = [[at_s - begin_s, for_s] for at_s, for_s in outages_of(spec) if at_s >= begin_s]
    start = spec.start + timedelta(seconds=begin_s)
    return spec._replace(start=start, site={**spec.site, "weather": weather}, outages=outages)
