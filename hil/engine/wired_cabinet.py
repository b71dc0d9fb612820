"""A simulated cabinet in real time behind ptys, sockets and CAN servers.

The module also has the loop of a process with one or several such cabinets. The decisions of their
controllers are read from the journal.
"""

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from controller.config.bus_schema import Bus
from controller.config.cabinet_config import Config
from controller.core.base.setpoint import O_BINDING_REASON
from controller.journal.ring import JournalError
from controller.journal.snapshot import Snapshot
from controller.system import realtime
from hil.engine import processes
from hil.engine.cabinet import SimulatedCabinet, observed_wiring
from hil.engine.remote_controller import RemoteController
from hil.observer.beats import Beats
from hil.observer.observer import Observer
from hil.observer.trips import TripWatch
from hil.results.pauses import CONTROLLER, Pauses
from hil.results.recorder import Recorder
from hil.scenarios.faults import NEVER_US
from hil.site.site import Site
from hil.wires.can_server import CanServer
from hil.wires.pty_wire import PtyWire
from hil.wires.tcp_wire import TcpWire
from hil.wires.virtual import RealWire
from hil.wires.virtual_can import VirtualCan
from safety import signals as s

STEP_US = 10_000  # step of the plant, at most half a tick; reactions are measured to 10 ms
ORPHAN_S = 20.0  # after the rig has died, the wires are served this long for the controlled stop


class JournalWatch:
    """Follows the journal of the running controller. `snapshot`: its newest state; None before the
    first journal. `pauses`: pauses of this process, and pauses between ticks of the controller.
    """

    def __init__(self, run_dir: str, tick_ms: int, trips: TripWatch) -> None:
        self._journal = os.path.join(run_dir, "journal")
        self._journal_tick_us, self.trips = tick_ms * 1000, trips
        self.pauses = Pauses()
        self.may_stall = False  # the scenario stalls the controller on purpose
        self.snapshot: Snapshot | None = None
        self.seen_ino: int | None = None

    def _follow(self, now_us: int) -> None:
        """Read the new frames of the journal. A restarted controller writes a new file."""
        try:
            inode = os.stat(self._journal).st_ino
            if inode != self.seen_ino:
                newer = Snapshot(self._journal)
                if self.snapshot:
                    self.snapshot.close()
                self.snapshot, self.seen_ino = newer, inode
        except (OSError, JournalError):
            return
        snapshot = self.snapshot
        if snapshot is None:
            return
        if snapshot.sequence is None:
            snapshot.reader.skip()  # a search of the whole ring would take two ticks
        newest = snapshot.reader.newest() or 0
        for frame in snapshot.follow():
            age_us = (newest - frame.sequence) * self._journal_tick_us
            self.trips.see(max(0, now_us - age_us), snapshot.standing_words)
            if not self.may_stall:
                gap_us = frame.elapsed_ticks * self._journal_tick_us
                self.pauses.see(CONTROLLER, now_us - age_us, gap_us, self._journal_tick_us)


class WiredCabinet(JournalWatch):
    """Plant, devices behind wires, observer and recorder. The controller is another process."""

    def __init__(
        self,
        config: Config,
        run_dir: str,
        cabinet: SimulatedCabinet,
        controller: RemoteController,
        has_beats: bool = False,
    ) -> None:
        super().__init__(run_dir, config.tick_ms, TripWatch(config.layout()))
        self.config, self.cabinet, self.plant = config, cabinet, cabinet.plant
        self.controller, self.recorder = controller, Recorder()
        self.observer = Observer(observed_wiring(cabinet))
        self.beats = Beats(self.observer.wiring) if has_beats else None
        self.ptys: dict[str, RealWire] = {}
        self.cans: dict[str, VirtualCan] = {}
        for bus in config.buses:
            if bus.name not in cabinet.foreign:
                self._wire(bus)
        self.servers = [CanServer(can) for can in self.cans.values()]

    def _wire(self, bus: Bus) -> None:
        """Join the devices of a bus to its wire. The observer and `beats`, if set, hear all its
        bytes.
        """
        can_tap, rtu_tap = self.observer.can_tap(bus.name), self.observer.rtu_tap(bus.name)
        if self.beats is not None:
            can_tap = self.beats.can_tap(bus.name, can_tap)
            rtu_tap = self.beats.rtu_tap(bus.name, rtu_tap)
        if bus.kind == "can":
            self.cans[bus.name] = VirtualCan(bus.name, can_tap)
            self.cabinet.join(self.cans[bus.name])
        else:
            on_down = self.cabinet.slaves[bus.name].receive
            kind = TcpWire if bus.kind == "tcp" else PtyWire
            self.ptys[bus.name] = kind(bus.baud_Bd, bus.character_bits, on_down, rtu_tap)

    def places(self) -> dict[str, dict[str, str]]:
        """The names under which the controller opens the wires, for the cabinet's file."""
        ports = {name: wire.slave_name for name, wire in self.ptys.items()}
        cans = {
            server.bus.name: f"127.0.0.1:{server.port}/{server.bus.name}" for server in self.servers
        }
        return {"ports": ports, "cans": cans}

    def record(self, now_us: int) -> None:
        """Record a row: the plant, and the decision in the journal."""
        snapshot, plant = self.snapshot, self.plant
        reason, state = 0, s.INHIBITED
        if snapshot is not None:
            reason, state = snapshot.chain(O_BINDING_REASON), snapshot.out[s.STATE]
        setpoint_W = self.observer.setpoint_W
        self.recorder.sample(now_us, plant, setpoint_W, plant.hottest_degC, reason, state)


class PlantLoop:
    """Clock and loop of a plant process, which serves the cabinets of one site on their wires."""

    pauses: Pauses

    def __init__(
        self, connection: socket.socket, cabinets: Sequence[WiredCabinet], site: Site
    ) -> None:
        """connection: the socket to the rig."""
        self.connection, self._cabinets, self.site = connection, cabinets, site
        self.recording = True
        self.start_ns = self.last_us = self.step_due_us = 0
        self._step_us = min([STEP_US, *[cabinet.config.tick_ms * 500 for cabinet in cabinets]])
        # Edge-triggered, because a read of an empty tty waits for a kernel worker of low priority.
        self._heard = select.epoll()
        for cabinet in cabinets:
            for wire in cabinet.ptys.values():
                self._heard.register(wire.fileno(), select.EPOLLIN | select.EPOLLET)

    def clock_us(self) -> int:
        """Time since start_ns, us."""
        return (time.monotonic_ns() - self.start_ns) // 1000

    def _serve(self, due_us: int = NEVER_US, hears_rig: bool = True) -> bool:
        """Wait for bytes or the next due time, then serve, with at most one step of the site.
        Returns True if the rig has sent a message. hears_rig: such a message ends the waiting.
        """
        servers = [server for cabinet in self._cabinets for server in cabinet.servers]
        waiting: list[Any] = [self._heard, *servers, *([self.connection] if hears_rig else [])]
        arrivals_us = [wire.next_us for cabinet in self._cabinets for wire in cabinet.ptys.values()]
        wait_us = min(due_us, self.step_due_us, *arrivals_us) - self.clock_us()
        ready = select.select(waiting, (), (), max(0, wait_us) / 1e6)[0]
        if self._heard in ready:
            self._heard.poll(0)
        self._service(self.clock_us())
        return self.connection in ready

    def _service(self, now_us: int) -> None:
        if self.recording:
            self.pauses.turn(now_us)
        for cabinet in self._cabinets:
            for wire in cabinet.ptys.values():
                wire.service(now_us)
            for can in cabinet.cans.values():
                can.now_us = now_us
        if self.recording:
            self._act(now_us)
        if now_us >= self.step_due_us:
            self._step(now_us)
        for cabinet in self._cabinets:
            for server in cabinet.servers:
                server.service(now_us)

    def _step(self, now_us: int) -> None:
        """Step plants and devices. After a stall of this process the step is longer."""
        elapsed_us = min(now_us - self.last_us, 1_000_000)
        self.last_us = now_us
        step_us = self._step_us
        self.step_due_us += step_us * (1 + (now_us - self.step_due_us) // step_us)
        if elapsed_us > 0:
            self.site.step(elapsed_us / 1e6)
        for cabinet in self._cabinets:
            cabinet.cabinet.tick(now_us, cabinet.cans)
        if self.recording:
            self._watch(now_us)

    def _act(self, now_us: int) -> None:
        """Apply the actions of a scenario that are due."""

    def _watch(self, now_us: int) -> None:
        """Observe the run after a step. The controlled stop after the run is not observed."""
        raise NotImplementedError

    def _stop_orphans(self) -> None:
        """Stop the controllers, because the rig has died."""
        self.recording = False
        controllers = [cabinet.controller for cabinet in self._cabinets]
        for controller in controllers:
            controller.signal(signal.SIGTERM)
        end_us = self.clock_us() + round(ORPHAN_S * 1e6)
        while not all(controller.ended() for controller in controllers):
            if self.clock_us() >= end_us:
                break
            self._serve(hears_rig=False)
        for controller in controllers:
            controller.signal(signal.SIGKILL)

    def announce(self) -> None:
        """Send the rig the names under which the controllers open the wires."""
        raise NotImplementedError

    def follow(self, go: dict[str, Any]) -> None:
        """Note the controllers that the rig has started. go: the rig's message."""
        raise NotImplementedError

    def run(self) -> None:
        """Serve until the rig says `end`, or has died."""
        raise NotImplementedError


def main(argv: list[str], kind: Callable[[dict[str, Any], socket.socket], PlantLoop]) -> int:
    """Run a plant process. argv: descriptor of the socket, and the options of the run as JSON."""
    # Ctrl-C reaches the rig too, which then ends this process in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=int(argv[0]))
    process = kind(json.loads(argv[1]), connection)
    process.announce()
    message = processes.message(connection)
    if message and message["what"] == "go":  # otherwise the rig ended before it had a controller
        process.follow(message)
        realtime.prepare()
        process.start_ns = time.monotonic_ns()
        process.run()
    return 0
