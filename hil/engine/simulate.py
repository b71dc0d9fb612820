"""Runs controller and simulated cabinet in one process in virtual time: a week in minutes.

Every frame takes its time on the wire. Plant and timers of the devices move once a tick. The
controller is the Cabinet object that the real loop ticks.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

from controller.config.cabinet_config import Config
from controller.core.core import Core
from controller.run.cabinet import Cabinet
from drivers.buses.port import RtuPort
from hil.devices.channel_b import VirtualChannelB
from hil.engine.cabinet import SimulatedCabinet, observed_wiring
from hil.engine.virtual_controller import VirtualController
from hil.observer.observer import Observer
from hil.observer.trips import TripWatch
from hil.results.recorder import Recorder
from hil.scenarios.faults import Action, Clockwork
from hil.scenarios.world import World
from hil.site.site import Site
from hil.wires.virtual import VirtualSerial
from hil.wires.virtual_can import VirtualCan
from safety import signals as s

# us between two rows. Every tick is recorded, because two figures need that rate: the worst moment
# of the grid, and the power in frequency bands.
RECORD_US = 20_000
METER_TESTS = "proven", "testing", "undecided", "reversed"  # names for meter_sign.O_RESULT
# Time between two searches for the hottest module. The plant refreshes each module once a second.
HOTTEST_US = 500_000


class VirtualRig:
    """One run. Call `run` or `step`, then read `recorder`, `observer` and `trips`."""

    MODE = "byte"  # printed beside each figure
    POD_TICK_MS: int | None = None  # tick of a pod if the caller names none; None: that of the file

    def __init__(
        self,
        config: Config,
        load: Callable[[float], Any] | None,
        seed: int = 1,
        actions: Sequence[Action] = (),
        plant_config: dict[str, Any] | None = None,
        journal_path: str | None = None,
        site: Site | None = None,
    ) -> None:
        """load: t_s -> W; actions: in order of time; site: a Site to join, with its own load."""
        self.config = config
        self.tick_us = config.tick_ms * 1000
        self.now_us = 0
        self.cabinet = SimulatedCabinet(config, load, seed, plant_config, site)
        self.plant = self.cabinet.plant
        image = config.safety_image
        self.channel_b = VirtualChannelB(self.plant, image) if config.channel_b else None
        self.controller = VirtualController(config, journal_path)
        self.recorder = Recorder()
        self._record_us = self._hottest_us = 0
        self._hottest_degC = 0.0
        self.observer = Observer(observed_wiring(self.cabinet))
        self.trips = TripWatch(config.layout())
        self._connect()
        self.clockwork = Clockwork(actions, self.world(), self.observer.mark)
        self.controller.start()

    def world(self) -> World:
        """The parts on which a scenario's actions act. A fitted channel B is one of the devices."""
        devices, wires = self.cabinet.devices, {**self.controller.wires, **self.controller.can}
        if self.channel_b:
            devices = {**devices, "channel_b": self.channel_b}
        return World(self.plant, devices, wires, self.controller)

    def _connect(self) -> None:
        for bus in self.config.buses:
            if bus.kind == "can":
                can = VirtualCan(bus.name, self.observer.can_tap(bus.name))
                self.controller.can[bus.name] = can
                self.cabinet.join(can)
            else:
                serial = VirtualSerial(bus.baud_Bd, bus.character_bits)
                serial.on_down = self.cabinet.slaves[bus.name].receive
                serial.tap = self.observer.rtu_tap(bus.name)
                self.controller.wires[bus.name] = serial

    def run(
        self, duration_s: float, show: Callable[[], object] | None = None, every_s: float = 1.0
    ) -> Self:
        """Step until duration_s of virtual time have passed; call show() every every_s."""
        end_us = round(duration_s * 1e6)
        show_us = 0
        while self.now_us < end_us:
            self.step()
            if show is not None and self.now_us >= show_us:
                show_us += round(every_s * 1e6)
                show()
        return self

    def quicken(self) -> None:
        """Make the decision faster with equal results, in modes that can do this."""

    @property
    def core(self) -> Core:
        """The core of the controller. A killed controller has none."""
        assert self.controller.cabinet is not None
        return self.controller.cabinet.core

    @property
    def shown(self) -> tuple[str, str | None]:
        """(state, result of the meter test); ("dead", None) if the controller was killed."""
        if self.controller.cabinet is None:
            return "dead", None
        core = self.core
        return s.STATES[core.out[s.STATE]], METER_TESTS[core.functions["meter_sign"].out[0]]

    ticks = property(lambda self: self.now_us // self.tick_us)

    def step(self) -> None:
        """Run one tick: bytes until its deadline, then plant and devices, then the controller."""
        self.move_bytes()
        self.plant.step(self.tick_us / 1e6)
        self.conclude()

    def move_bytes(self) -> None:
        """Run the first part of a tick: the bytes until its deadline."""
        end_us = self.now_us + self.tick_us
        for wire, port in self.controller.lines:
            _advance(wire, port, self.now_us, end_us)
        self.now_us = end_us

    def conclude(self) -> None:
        """Run the last part of a tick, after the plant: devices, faults, controller, record."""
        end_us, controller = self.now_us, self.controller
        self._tick_devices(end_us)
        if end_us >= self.clockwork.next_us:
            self.clockwork.apply(end_us)
        if self.channel_b is not None:
            self._carry(self.channel_b, end_us)
        if controller.cabinet is not None:
            self._tick_controller(controller.cabinet, end_us)
        if end_us >= self._record_us:
            self._record_us = end_us + min(RECORD_US, self.tick_us)
            self._record(end_us)
        self.observer.sample(end_us, self.plant)

    def _tick_devices(self, now_us: int) -> None:
        self.cabinet.tick(now_us, self.controller.can)

    def _carry(self, channel_b: VirtualChannelB, now_us: int) -> None:
        """Carry whole frames between the channels. Each arrives within its tick: it takes 5 ms."""
        channel_b.advance(now_us)
        data = channel_b.take()
        cabinet = self.controller.cabinet
        if cabinet and cabinet.peer:
            cabinet.peer.receive(data, now_us)
            channel_b.receive(cabinet.peer.poll(now_us))

    def _tick_controller(self, cabinet: Cabinet, now_us: int) -> None:
        cabinet.tick(now_us, 1)
        for wire, port in self.controller.lines:
            if port is not None and port.wake_us <= now_us:
                data = port.poll(now_us)
                if data:
                    wire.send_down(data, now_us)
        core = cabinet.core
        self.trips.see(now_us, core.out[core.standing_at :])

    def _record(self, now_us: int) -> None:
        plant, cabinet = self.plant, self.controller.cabinet
        reason, state, setpoint_W = cabinet.summary() if cabinet else (0, s.INHIBITED, 0)
        if now_us >= self._hottest_us:
            self._hottest_us = now_us + HOTTEST_US
            self._hottest_degC = plant.hottest_degC
        self.recorder.sample(now_us, plant, setpoint_W, self._hottest_degC, reason, state)


def _advance(wire: VirtualSerial, port: RtuPort | None, start_us: int, end_us: int) -> None:
    """Move the bytes of one bus from start_us to end_us, event by event."""
    if port is None:
        wire.deliver(end_us)
        return
    while True:
        wake_us, arrives_us = port.wake_us, wire.next_us
        if arrives_us <= wake_us:
            if arrives_us > end_us:
                return
            wire.deliver(max(arrives_us, start_us))
            continue
        if wake_us > end_us:
            return
        wake_us = max(wake_us, start_us)
        data = port.poll(wake_us)
        if data:
            wire.send_down(data, wake_us)
