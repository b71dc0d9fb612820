"""The plant process: the simulated cabinet in real time, behind ptys and a CAN server.

rig.py starts it with one end of a socket pair. This process sends the names of its wires and waits
for the process id of the controller. Then it runs scenario and observer, and sends the screen ten
views a second. At the end this process writes its recording, and serves the wires until the rig
ends the process. No driver is ever imported here.
"""

import os
import socket
import sys
from typing import Any

import msgpack

from controller.config import configuration
from controller.config.cabinet_config import Config
from hil.engine import processes, wired_cabinet
from hil.engine.cabinet import SimulatedCabinet
from hil.engine.remote_controller import Mailbox, RemoteController
from hil.engine.wired_cabinet import PlantLoop, WiredCabinet
from hil.loads import selection
from hil.results import files, words
from hil.results.live import Live
from hil.results.pauses import judged
from hil.scenarios import scenario
from hil.scenarios.faults import ACTIONS, NEVER_US, Clockwork
from hil.scenarios.world import World
from hil.wires.foreign_pty import ForeignPty, is_pty
from hil.wires.virtual import RealWire

SAMPLE_US = 20_000
VIEW_US = 100_000
FAULTLESS = ("hint", "reset", "run_request")  # actions that cause no trip
Plugs = dict[str, dict[str, str]]  # {foreign bus: its keys in the cabinet's file}
RESULT = "plant.result"


def foreign_ptys(config: Config, plugs: Plugs) -> dict[str, RealWire]:
    """A wire for each foreign bus that is a pty. The controller opens other buses by itself."""
    paths = {name: plug["port"] for name, plug in plugs.items() if "port" in plug}
    return {
        bus.name: ForeignPty(paths[bus.name], bus.baud_Bd, bus.character_bits)
        for bus in config.buses
        if bus.name in paths and is_pty(paths[bus.name])
    }


class PlantProcess(WiredCabinet, PlantLoop):
    """Wires, devices, scenario and observer on one clock, which starts at the message `go` of
    rig.py.
    """

    def __init__(self, order: dict[str, Any], connection: socket.socket) -> None:
        """order: made by rig.py from its command line; connection: the socket to rig.py."""
        self.order = order
        self.mailbox = Mailbox(connection)
        self.send = self.mailbox.send
        self.ending = self.is_orphan = False
        config, foreign = configuration.load(order["site"]), order.get("external", {})
        self.scenario = scenario.load(order["scenario"]) if order["scenario"] else None
        load = selection.load_of(order, self.scenario)
        soc = {"soc": order["soc_pct"] / 100}
        cabinet = SimulatedCabinet(config, load.power, order["seed"], soc, foreign=foreign)
        controller, has_beats = RemoteController(self.send), bool(order.get("beats"))
        WiredCabinet.__init__(self, config, order["run_dir"], cabinet, controller, has_beats)
        self.ptys |= foreign_ptys(config, foreign)
        PlantLoop.__init__(self, connection, [self], self.plant.site)
        actions = self.scenario.actions if self.scenario else ()
        self.may_stall = any(action.do == "controller_stall" for action in actions)
        wires = {**self.ptys, **self.cans}
        self.world = World(self.plant, self.cabinet.devices, wires, self.controller)
        self.clockwork = Clockwork(actions, self.world, self.observer.mark)
        self.fault_us: int | None = None  # when the first fault was made
        self.live = Live(self.recorder, self.observer.result, self.config)
        self.sample_due_us = self.view_due_us = 0

    def announce(self) -> None:
        """Send the rig the names under which the controller opens the wires."""
        self.send({"what": "wires", **self.places()})

    def follow(self, go: dict[str, Any]) -> None:
        """Note the controller. From now on, do not wait for messages of the rig."""
        self.controller.runs_as(go["pid"])
        self.connection.setblocking(False)

    def run(self) -> None:
        """Serve until the rig says `end`. The recording ends after the duration of the run."""
        self._play()
        if self.is_orphan:
            self._stop_orphans()

    def _play(self) -> None:
        """Serve until the rig says `end`. Campaigns override this with their cases."""
        duration_us = round(self.order["duration_s"] * 1e6)
        while not self.ending:
            self.turn()
            if self.recording and self.clock_us() >= duration_us:
                self._finish()

    def turn(self) -> None:
        """Wait for bytes or the next due time, then serve. Make at most one step of the plant."""
        self._serve(self.clockwork.next_us if self.recording else NEVER_US)
        self.mailbox.flush()
        self._hear()

    def _act(self, now_us: int) -> None:
        # An action does not wait for the plant's step: a person may press at any phase of the tick.
        for action in self.clockwork.apply(now_us):
            self._note(action.do, now_us)

    def _watch(self, now_us: int) -> None:
        self.observer.sample(now_us, self.plant)
        if now_us >= self.sample_due_us:
            sample_us = min(SAMPLE_US, self.config.tick_ms * 1000)
            self.sample_due_us += sample_us * (1 + (now_us - self.sample_due_us) // sample_us)
            self.record(now_us)
        if now_us >= self.view_due_us:
            self.view_due_us = now_us + VIEW_US
            self._show(now_us)

    def _show(self, now_us: int) -> None:
        self._follow(now_us)
        snapshot = self.snapshot
        out = snapshot.out if snapshot and snapshot.sequence is not None else None
        shown = self.live.view(now_us, self.plant, out, self.clockwork.upcoming())
        if self.pauses.so_far:
            shown["headline"] = words.paused(self.pauses.so_far)
        self.send({"what": "view", "view": shown})

    def _note(self, do: str, at_us: int) -> None:
        """Note the time of the first fault. A trip after it counts even if this machine paused."""
        if self.fault_us is None and do not in FAULTLESS:
            self.fault_us = at_us

    def _hear(self) -> None:
        """Read and obey the rig's messages: process id of a controller, note, action, end."""
        while not self.ending:
            try:
                message = processes.message(self.connection)
            except BlockingIOError:
                return
            if message is None:
                self.ending = self.is_orphan = True
                return
            kind = message["what"]
            if kind == "go":
                self.controller.runs_as(message["pid"])
            elif kind == "mark":
                detail = message.get("detail", "")
                self.observer.mark(self.clock_us(), message["name"], detail)
                self._note(message["name"], self.clock_us())
            elif kind == "act":
                ACTIONS[message["do"]][1](self.world, message["arguments"])
            elif kind != "finish":
                self.ending = True
            elif self.recording:
                self._finish()

    def _finish(self) -> None:
        """End and write the recording. Afterwards this process only serves the wires."""
        self.recording = False
        self._follow(self.clock_us())
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
        fault_s = None if self.fault_us is None else self.fault_us / 1e6
        content: dict[str, Any] = {
            "rows": self.recorder.rows().tobytes(),
            "units": self.recorder.units.result(),
            "timeline": self.observer.result(),
            "violations": self.observer.violations,
            **judged(self.trips.trips, self.pauses, fault_s),
        }
        if self.beats is not None:
            content |= {"beats": self.beats.packed(), "start_ns": self.start_ns}
            content["setpoints_W"] = self.beats.setpoints_W.tobytes()
        return content


if __name__ == "__main__":
    sys.exit(wired_cabinet.main(sys.argv[1:], PlantProcess))
