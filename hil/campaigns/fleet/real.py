"""A course in real time: mosquitto, the dispatcher's process, and an MQTT door for each pod.

The pods run in this process in value mode, a tick each 100 ms of the real clock. Each has a hint
socket and a journal in its own run directory, which the door reads. A link is cut by a stop of the
door. When the door goes on, all waiting messages come at once.
"""

import random
import signal
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from controller.config import approval
from controller.core.policies.meter_statistics import TURN_S
from controller.hints import admission
from controller.hints.listener import HintListener
from controller.journal.journal_header import open_journal
from controller.run.cabinet import Cabinet
from controller.system import clock
from hil.campaigns.benchmarks import mosquitto, timing
from hil.campaigns.fleet import pods
from hil.engine import doors_beside, processes, run_directory
from hil.engine.simulate import VirtualRig
from hil.fleet.messages import SOURCE, cabinet_of
from hil.fleet.own_clock import OwnClock

WAIT_S = 75  # a dispatcher lends nothing in its first 64 s
DISPATCHER, LINES_MAX = "dispatch", 40
DOORS = """[source.{source}]
may = "grid_cap"
hints_per_min_max = 600
[mqtt.fleet]
host = "127.0.0.1"
port = {port}
tls = false
cabinet = "{name}"
sources = ["{source}"]
"""
FLEET = """[fleet]
connection_W = {connection_W}
load = "common"
source = "{source}"
spare_W = {spare_W}
hold_back_h = {hold_h}
[broker]
host = "127.0.0.1"
port = {port}
tls = false
"""
CABINET = """[cabinet.{0.name}]
key = "{0.name}.key"
fallback_W = {0.fallback_W}
load_permille = {0.load_permille}
"""


class _Box:
    """The run directory of a pod, with the hint socket and the journal of its controller."""

    def __init__(self, rig: VirtualRig, folder: Path, key: bytes) -> None:
        self.clock, self._folder = OwnClock(rig), folder
        self._keys: dict[str, tuple[admission.Key, ...]] = {SOURCE: (admission.key_of(key, 0),)}
        self._cabinet: Cabinet[Any] | None = None
        self._listener: HintListener | None = None
        (folder / "state").mkdir(parents=True)
        cabinet, path = rig.controller.cabinet, str(folder / "journal")
        assert cabinet is not None  # no pod has died yet
        approved = approval.packed(cabinet.approval.before)
        cabinet.journal = open_journal(path, rig.config, cabinet.core, approved=approved)
        rig.controller.journal_path = path

    def step(self) -> None:
        """Answer the hints of the tick that ended, and take those that have come."""
        cabinet = self.clock.rig.controller.cabinet
        if cabinet is not self._cabinet:
            if self._listener is not None:
                self._listener.close()
            self._cabinet, self._listener = cabinet, None
            if cabinet is not None:
                self._listener = HintListener(str(self._folder), cabinet, self._keys)
        if self._listener is None or not self.clock.has_ticked:
            return
        now_us = self.clock.now_ms * 1000
        self._listener.answer(now_us)
        while self._listener.hungry:
            self._listener.receive(now_us)


class Field:
    """hil.fleet.fleet_pod.Carrier with real processes. Call `open` once the pods run."""

    def __init__(self, pod: pods.FleetPod, folder: Path, seed: int) -> None:
        rng, self._folder, self._port = random.Random(seed), folder, doors_beside.free_port()
        self._programs = processes.Processes(str(folder))
        self._cabinets = [
            cabinet_of(number, member.config, rng.randbytes(32))
            for number, member in enumerate(pod.members, 1)
        ]
        self.boxes = {
            cabinet.name: _Box(member, folder / cabinet.name, cabinet.key)
            for cabinet, member in zip(self._cabinets, pod.members)
        }

    def open(self) -> None:
        """Start broker, doors and dispatcher."""
        self.start_broker()
        settings = {"source": SOURCE, "port": self._port}
        shared = {"connection_W": pods.LIMIT_W, "spare_W": pods.SPARE_W, "hold_h": pods.HOLD_H}
        text = FLEET.format(**shared, **settings)
        for cabinet in self._cabinets:
            own = self._folder / cabinet.name
            key, doors = self._folder / f"{cabinet.name}.key", own / "doors.toml"
            key.write_text(cabinet.key.hex(), encoding="ascii")
            key.chmod(0o600)
            doors.write_text(DOORS.format(name=cabinet.name, **settings), encoding="ascii")
            text += CABINET.format(cabinet)
            where = "--run-dir", str(own), "--state-dir", str(own / "state"), "--own-dir", str(own)
            self._programs.begin(cabinet.name, "doors", "mqtt", str(doors), *where)
        (self._folder / "FLEET.toml").write_text(text, encoding="ascii")
        self.start(0)

    def start(self, now_us: int) -> None:
        """See Carrier."""
        where = str(self._folder / "FLEET.toml"), "--own-dir", str(self._folder)
        self._programs.begin(DISPATCHER, "dispatch", *where)

    def kill(self) -> None:
        """See Carrier."""
        processes.kill(self._programs.running[DISPATCHER])

    def start_broker(self) -> None:
        """See Carrier."""
        self._broker = mosquitto.start(self._folder, self._port)

    def stop_broker(self) -> None:
        """See Carrier."""
        processes.kill(self._broker)

    def cut(self, name: str) -> None:
        """See Carrier."""
        self._programs.running[name].send_signal(signal.SIGSTOP)

    def join(self, name: str) -> None:
        """See Carrier."""
        self._programs.running[name].send_signal(signal.SIGCONT)

    def step(self, now_us: int) -> None:
        """See Carrier."""
        for box in self.boxes.values():
            box.step()

    def close(self) -> None:
        """End all processes."""
        for name in self.boxes:
            self.join(name)
        self._programs.stop()
        processes.end(self._broker)


def played(course: pods.Course) -> dict[str, Any]:
    """The figures of a course, with the lateness of the ticks and the lines of the processes."""
    with tempfile.TemporaryDirectory() as folder, pods.built(course) as pod:
        field = pod.messages = Field(pod, Path(folder), course.seed)
        settled_s = course.pods * TURN_S + 120
        watch = pods.watched(pod, course, settled_s + WAIT_S)
        pod.run(settled_s)
        field.open()
        try:
            late_ms = _paced(watch, pod)
        finally:
            field.close()
        names = (DISPATCHER, *field.boxes, "broker")
        logs = {name: run_directory.messages(folder, name) for name in names}
    p50_ms, p99_ms, most_ms = np.percentile(late_ms, (50, 99, 100))
    lines = [
        f"ticks late by {p50_ms:.1f} ms (median), {p99_ms:.1f} ms (p99), {most_ms:.1f} ms (most)"
    ]
    lines += logs[DISPATCHER][:LINES_MAX]
    lines += [line for line in logs["broker"] if "New " not in line][:LINES_MAX]
    outcome = {"name": course.name, "kind": course.kind, "lines": lines, "logs": logs}
    return outcome | watch.figures()


def _paced(watch: pods.Watch, pod: pods.FleetPod) -> list[float]:
    """Step to the end, each tick at its time. Returns by how much each was late, ms."""
    began_us, late_ms = clock.now_us() - pod.now_us, []
    while True:
        due_us = began_us + pod.now_us + pod.tick_us
        timing.wait_s(max(0.0, (due_us - clock.now_us()) / 1e6))
        late_ms.append((clock.now_us() - due_us) / 1000)
        if not watch.step():
            return late_ms
