"""The plant process: the simulated cabinet in real time, behind ptys and a CAN server.

rig.py starts the process with one end of a socket pair. The process sends the names of its wires
and waits for the controller's process id. Then it runs scenario and observer, and sends a view ten
times a second. At the end it writes its recording and serves the wires until the rig ends it. The
process never imports a driver; it reads the controller's decisions from the journal.
"""

import json
import os
import select
import signal
import socket
import sys
import time

import msgpack

from controller.config import configuration
from controller.core.setpoint import O_BINDING_REASON
from controller.system import realtime
from hil.engine import real_wires
from hil.engine.cabinet import SimulatedCabinet, observed_wiring
from hil.engine.journal_watch import JournalWatch
from hil.engine.mailbox import Mailbox
from hil.engine.remote_controller import RemoteController
from hil.loads import selection
from hil.observer.beats import Beats
from hil.observer.observer import Observer
from hil.observer.trips import TripWatch
from hil.results import files, view, words
from hil.results.live import Live
from hil.results.recorder import Recorder
from hil.scenarios import scenario
from hil.scenarios.faults import ACTIONS, NEVER_US, Clockwork
from hil.scenarios.world import World
from safety import signals as s

STEP_US = 10_000  # of the plant: half a tick, so reactions are measured to 10 ms
SAMPLE_US = 20_000
VIEW_US = 100_000
RESULT = "plant.result"
ORPHAN_S = 20.0  # after the rig has died, the wires are served so long for the controlled stop


class PlantProcess(JournalWatch):
    """Wires, devices, clockwork and observer on one clock, which starts at `go`."""

    def __init__(self, order: dict, connection: socket.socket) -> None:
        """order: dict from rig.py's command line; connection: the socket to rig.py."""
        self.order, self.connection = order, connection
        self.mailbox = Mailbox(connection)
        self.send = self.mailbox.send
        self.recording, self.ending, self.is_orphan = True, False, False
        self.config = configuration.load(order["site"])
        self.scenario = scenario.load(order["scenario"]) if order["scenario"] else None
        load = selection.load_of(order, self.scenario)
        self.cabinet = SimulatedCabinet(
            self.config, load.power, order["seed"], {"soc": order["soc_pct"] / 100}
        )
        self.observer = Observer(observed_wiring(self.cabinet))
        self.beats = Beats(self.observer.wiring) if order.get("beats") else None
        super().__init__(order["run_dir"], self.config.tick_ms, TripWatch(self.config.layout()))
        actions = self.scenario.actions if self.scenario else ()
        self.may_stall = any(action.do == "controller_stall" for action in actions)
        self.recorder = Recorder()
        self.controller = RemoteController(self.send)
        self.ptys, self.cans, self.servers = real_wires.made(
            self.config.buses, self.cabinet, self.observer, self.beats
        )
        # Edge-triggered, because a read of an empty tty waits for a kernel worker of low priority.
        self._heard = select.epoll()
        for wire in self.ptys.values():
            self._heard.register(wire.fileno(), select.EPOLLIN | select.EPOLLET)
        self.world = World(
            self.cabinet.plant, self.cabinet.devices, {**self.ptys, **self.cans}, self.controller
        )
        self.clockwork = Clockwork(actions, self.world, self.observer.mark)
        self.since_s = {}
        self.live = Live(self.recorder, self.observer.result, self.config)
        self.start_ns = self.last_us = 0
        self.step_due_us = self.sample_due_us = self.view_due_us = 0

    def announce(self) -> None:
        """Send the rig the places of the wires."""
        ports = {name: wire.slave_name for name, wire in self.ptys.items()}
        channels = {
            each.bus.name: f"127.0.0.1:{each.port}/{each.bus.name}" for each in self.servers
        }
        self.send({"what": "wires", "ports": ports, "cans": channels})

    def now_us(self) -> int:
        """Time since `go`."""
        return (time.monotonic_ns() - self.start_ns) // 1000

    def run(self) -> None:
        """Serve until the rig says `end`; record and write the events within the duration."""
        self.start_ns = time.monotonic_ns()
        self._play()
        if self.is_orphan:
            self._stop_orphan()

    def _play(self) -> None:
        """Serve until the rig says `end`. Campaigns override this with their cases."""
        duration_us = round(self.order["duration_s"] * 1e6)
        while not self.ending:
            self.turn()
            if self.recording and self.now_us() >= duration_us:
                self._finish()

    def turn(self) -> None:
        """Wait for bytes or the next due time, then serve; at most one step of the plant."""
        self._wait([self._heard, *self.servers, self.connection])
        self._service(self.now_us())
        self.mailbox.flush()
        self._hear()

    def _stop_orphan(self) -> None:
        """Stop the controller, because the rig has died."""
        self.recording = False
        self.controller.signal(signal.SIGTERM)
        until_us = self.now_us() + round(ORPHAN_S * 1e6)
        while not self.controller.ended() and self.now_us() < until_us:
            self._wait([self._heard, *self.servers])
            self._service(self.now_us())
        self.controller.signal(signal.SIGKILL)

    def _wait(self, waiting: list) -> None:
        now_us = self.now_us()
        action_us = self.clockwork.next_us if self.recording else NEVER_US
        due_us = min(self.step_due_us, action_us, *[wire.next_us for wire in self.ptys.values()])
        if self._heard in select.select(waiting, (), (), max(0, due_us - now_us) / 1e6)[0]:
            self._heard.poll(0)

    def _service(self, now_us: int) -> None:
        if self.recording:
            self.pauses.turn(now_us)
        for wire in self.ptys.values():
            wire.service(now_us)
        for can in self.cans.values():
            can.now_us = now_us
        # Not tied to the plant's step, because a person presses at any phase of the tick.
        if self.recording:
            self.clockwork.apply(now_us)
        if now_us >= self.step_due_us:
            self._step(now_us)
        for server in self.servers:
            server.service(now_us)

    def _step(self, now_us: int) -> None:
        """Step plant, devices and observers. After a stall of this process, one step is longer."""
        elapsed_us = min(now_us - self.last_us, 1_000_000)
        self.last_us = now_us
        self.step_due_us += STEP_US * (1 + (now_us - self.step_due_us) // STEP_US)
        if elapsed_us > 0:
            self.cabinet.plant.step(elapsed_us / 1e6)
        self.cabinet.tick(now_us, self.cans)
        if self.recording:
            self._watch(now_us)

    def _watch(self, now_us: int) -> None:
        """Observe the run; the controlled stop after it is not observed."""
        self.observer.sample(now_us, self.cabinet.plant)
        if now_us >= self.sample_due_us:
            self.sample_due_us += SAMPLE_US * (1 + (now_us - self.sample_due_us) // SAMPLE_US)
            self._record(now_us)
        if now_us >= self.view_due_us:
            self.view_due_us = now_us + VIEW_US
            self._show(now_us)

    def _record(self, now_us: int) -> None:
        plant, seen = self.cabinet.plant, self.snapshot
        reason = seen.chain(O_BINDING_REASON) if seen else 0
        state = seen.out[s.STATE] if seen else s.INHIBITED
        hottest_degC = max([max(rack.temperatures_degC) for rack in plant.racks])
        self.recorder.sample(now_us, plant, self.observer.setpoint_W, hottest_degC, reason, state)

    def _show(self, now_us: int) -> None:
        self._follow(now_us)
        shown = view.plant_part(self.cabinet.plant)
        if self.snapshot and self.snapshot.sequence is not None:
            seen = self.snapshot
            shown |= view.controller_part(
                seen.out, seen.layout, seen.stage_names, self.since_s, now_us / 1e6
            )
        shown |= {
            **self.live.shown(now_us),
            "elapsed_s": now_us / 1e6,
            "next_action": self.clockwork.upcoming(),
        }
        if self.pauses.found:
            shown["headline"] = words.paused(self.pauses.found)
        self.send({"what": "view", "view": shown})

    def _hear(self) -> None:
        """Obey the rig: process id of a controller, mark, action, end of recording, end of run."""
        while not self.ending:
            try:
                data = self.connection.recv(65_536)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            message = msgpack.unpackb(data) if data else {"what": "lost"}
            if message["what"] == "go":
                self.controller.runs_as(message["pid"])
            elif message["what"] == "mark":
                self.observer.mark(self.now_us(), message["name"])
            elif message["what"] == "act":
                ACTIONS[message["do"]][1](self.world, message["arguments"])
            elif message["what"] != "finish":
                self.ending, self.is_orphan = True, message["what"] == "lost"
            elif self.recording:
                self._finish()

    def _finish(self) -> None:
        """End and write the recording; afterwards only the wires are served."""
        self.recording = False
        self._follow(self.now_us())
        path = os.path.join(self.order["run_dir"], RESULT)
        try:
            with files.naming(path), open(path, "wb") as file:
                file.write(msgpack.packb(self._content()))
        except files.DiskFullError as error:
            self.send({"what": "failed", "text": str(error)})
        else:
            self.send({"what": "done"})

    def _content(self) -> dict:
        """Content of the result file."""
        content = {
            "rows": self.recorder.rows().tobytes(),
            "units": self.recorder.units.result(),
            "timeline": self.observer.result(),
            "violations": self.observer.violations,
            "trips": self.trips.trips,
            "pauses": self.pauses.found,
        }
        if self.beats is not None:
            content |= {
                "beats": self.beats.packed(),
                "setpoints_W": self.beats.setpoints_W.tobytes(),
                "start_ns": self.start_ns,
            }
        return content


def main(argv: list[str], kind: type[PlantProcess] = PlantProcess) -> int:
    """argv: descriptor of the socket, the order as JSON; kind: PlantProcess or a subclass."""
    # Ctrl-C reaches the rig too, and the rig ends this process in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=int(argv[0]))
    process = kind(json.loads(argv[1]), connection)
    process.announce()
    data = connection.recv(65_536)
    message = msgpack.unpackb(data) if data else {"what": "end"}
    if message["what"] != "go":
        return 0  # the rig ended before there was a controller
    process.controller.runs_as(message["pid"])
    connection.setblocking(False)
    realtime.prepare()
    process.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
