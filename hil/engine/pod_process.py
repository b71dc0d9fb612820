"""The plant process of a pod in real time: one site, and each cabinet's devices behind wires of
their own. The counterpart of plant_process.py; pod_rig.py starts it.

It sends the wires of all members, waits for the controllers' process ids and steps the site. After
the duration it only serves the wires, until the controllers have stopped and the rig says `end`.
Then it writes the document and the page.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

import msgpack

from controller.config.configuration import Config
from controller.system import realtime
from hil.engine import pod, pod_command, real_wires
from hil.engine.cabinet import SimulatedCabinet, observed_wiring
from hil.engine.journal_watch import JournalWatch
from hil.engine.plant_process import SAMPLE_US, STEP_US
from hil.engine.remote_controller import RemoteController
from hil.engine.simulate import METER_TESTS
from hil.observer.observer import Observer
from hil.observer.trips import TripWatch
from hil.results.pauses import Pauses
from hil.results.recorder import Recorder
from hil.results.site_record import SiteRecord
from hil.site import description
from hil.site.site import Site
from safety import signals as s

RESULT = "pod.json"
ORPHAN_S = 20.0  # after the rig has died, the wires are served so long for the controlled stop


class Member(JournalWatch):
    """A cabinet with its wires; its controller is a process of its own."""

    def __init__(self, config: Config, site: Site, run_dir: str, seed: int, soc: float) -> None:
        super().__init__(run_dir, config.tick_ms, TripWatch(config.layout()))
        self.config = config
        self.cabinet = SimulatedCabinet(config, None, seed, {"soc": soc}, site)
        self.plant = self.cabinet.plant
        self.observer = Observer(observed_wiring(self.cabinet))
        self.recorder = Recorder()
        self.controller = RemoteController(lambda message: None)
        self.ptys, self.cans, self.servers = real_wires.made(
            config.buses, self.cabinet, self.observer, None
        )

    def wires(self) -> dict[str, dict[str, str]]:
        """The places of the wires, for the cabinet's file."""
        ports = {name: wire.slave_name for name, wire in self.ptys.items()}
        cans = {each.bus.name: f"127.0.0.1:{each.port}/{each.bus.name}" for each in self.servers}
        return {"ports": ports, "cans": cans}

    def serve(self, now_us: int) -> None:
        """Bytes that are due."""
        for wire in self.ptys.values():
            wire.service(now_us)
        for can in self.cans.values():
            can.now_us = now_us

    def watch(self, now_us: int, is_sample: bool) -> None:
        """Watch after a step of the site."""
        self.observer.sample(now_us, self.plant)
        if is_sample:
            hottest_degC = max([max(rack.temperatures_degC) for rack in self.plant.racks])
            state = self.snapshot.out[s.STATE] if self.snapshot else s.INHIBITED
            setpoint_W = self.observer.setpoint_W
            self.recorder.sample(now_us, self.plant, setpoint_W, hottest_degC, 0, state)

    @property
    def shown(self) -> tuple[str, str | None]:
        """(state, result of the meter test), as the journal says; without one it is dead."""
        seen = self.snapshot
        if seen is None:
            return "dead", None
        place = seen.output_names.index("meter_sign")
        return s.STATES[seen.out[s.STATE]], METER_TESTS[seen.out[place]]


class PodProcess:
    """Site and members on one clock, which starts at `go`. pod_command.document reads it."""

    def __init__(self, order: dict[str, Any], connection: socket.socket) -> None:
        """order: of pod_rig.py; connection: the socket to it."""
        self.order, self.connection = order, connection
        path, seed = order["file"], order["seed"]
        self.site = description.built(description.read(path), seed, os.path.dirname(path))
        soc, folders = order["soc_pct"] / 100, order["run_dirs"]
        configs = pod.member_configs(path)
        self.members = [
            Member(config, self.site, folder, seed + number, soc)
            for number, (config, folder) in enumerate(zip(configs, folders))
        ]
        for member, given in zip(self.members, description.read(path)["pod"]):
            for unit in member.plant.pcs:
                unit.can_form = given["can_form"]
        self.mode = f"real time, {configs[0].tick_ms} ms"
        self.record = SiteRecord(len(configs))
        self.settled_us = round(len(configs) * pod.TURN_S * 1e6) + pod.SETTLE_US
        self.pauses = Pauses()
        self._heard = select.epoll()
        self._ptys = [wire for each in self.members for wire in each.ptys.values()]
        self._servers = [server for each in self.members for server in each.servers]
        for wire in self._ptys:
            self._heard.register(wire.fileno(), select.EPOLLIN | select.EPOLLET)
        self.now_us = self._begin_ns = self._sample_us = self._step_us = 0
        self._is_recording, self._is_over = True, False

    def run(self) -> None:
        """Serve until the rig says `end`, or has died."""
        self._begin_ns = time.monotonic_ns()
        duration_us = round(self.order["seconds"] * 1e6)
        while not self._is_over:
            self._turn()
            if self._is_recording and self.now_us >= duration_us:
                self._is_recording = False
                self.connection.send(msgpack.packb({"what": "done"}))

    def _clock_us(self) -> int:
        return (time.monotonic_ns() - self._begin_ns) // 1000

    def _turn(self) -> None:
        """Wait for bytes or the next due time, then serve; at most one step of the site."""
        due_us = min(self._step_us, *[wire.next_us for wire in self._ptys])
        waiting = [self._heard, *self._servers, self.connection]
        ready = select.select(waiting, (), (), max(0, due_us - self._clock_us()) / 1e6)[0]
        if self._heard in ready:
            self._heard.poll(0)
        now_us = self._clock_us()
        if self._is_recording:
            self.pauses.turn(now_us)
        for member in self.members:
            member.serve(now_us)
        if now_us >= self._step_us:
            self._step(now_us)
        for server in self._servers:
            server.service(now_us)
        if self.connection in ready:
            self._hear()

    def _step(self, now_us: int) -> None:
        """Step the site with every plant. After a stall of this process, one step is longer."""
        elapsed_us = min(now_us - self.site.now_us, 1_000_000)
        self._step_us += STEP_US * (1 + (now_us - self._step_us) // STEP_US)
        if elapsed_us > 0:
            self.site.step(elapsed_us / 1e6)
        for member in self.members:
            member.cabinet.tick(now_us, member.cans)
        if self._is_recording:
            self._watch(now_us)

    def _watch(self, now_us: int) -> None:
        self.now_us = now_us
        is_sample = now_us >= self._sample_us
        self._sample_us += SAMPLE_US * is_sample
        for member in self.members:
            member.watch(now_us, is_sample)
            if is_sample:
                member._follow(now_us)
        self.record.see(now_us, self.site, [member.plant for member in self.members])

    def _hear(self) -> None:
        data = self.connection.recv(65_536)
        message = msgpack.unpackb(data) if data else {"what": "lost"}
        if message["what"] == "finish":
            self._is_recording = False
        else:
            self._is_over = True
            if message["what"] == "lost":
                self._stop_orphans()

    def _stop_orphans(self) -> None:
        """Stop the controllers, because the rig has died."""
        controllers = [member.controller for member in self.members]
        for controller in controllers:
            controller.signal(signal.SIGTERM)
        until_us = self._clock_us() + round(ORPHAN_S * 1e6)
        self.connection, _ = socket.socketpair()
        while not all(each.ended() for each in controllers) and self._clock_us() < until_us:
            self._turn()
        for controller in controllers:
            controller.signal(signal.SIGKILL)

    def write(self) -> None:
        """The document and the page, after the end."""
        order = {key: self.order[key] for key in ("seconds", "seed", "soc_pct")}
        named = {"file": os.path.basename(self.order["file"])}
        named |= {"name": description.read(self.order["file"])["name"], "speed": 1.0}
        doc = {**named, **order, **pod_command.document(self), "expectations": []}
        every = [*self.pauses.found, *[one for each in self.members for one in each.pauses.found]]
        if every:
            doc["pauses"] = sorted(every, key=lambda each: each["t_s"])
        with open(self.order["result"], "w", encoding="utf-8") as file:
            json.dump(doc, file)
        pod_command.write_page(doc, self.record, self.order["html"])


def main(argv: list[str]) -> int:
    """argv: descriptor of the socket, the order as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the rig ends this process in order
    connection = socket.socket(fileno=int(argv[0]))
    process = PodProcess(json.loads(argv[1]), connection)
    wires = [member.wires() for member in process.members]
    connection.send(msgpack.packb({"what": "wires", "members": wires}))
    data = connection.recv(65_536)
    message = msgpack.unpackb(data) if data else {"what": "end"}
    if message["what"] != "go":
        return 0  # the rig ended before there was a controller
    for member, pid in zip(process.members, message["pids"]):
        member.controller.runs_as(pid)
    realtime.prepare()
    process.run()
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # a page takes a second
    process.write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
