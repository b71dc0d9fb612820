"""The plant process of a pod in real time: the site, and each cabinet's devices behind their wires.

After the duration this process only serves the wires until the rig says `end`, then writes the
document and the page.
"""

import json
import os
import socket
import sys
from typing import Any

import msgpack

from controller.config.cabinet_config import Config
from controller.core.policies.meter_statistics import TURN_S
from hil.engine import pod, pod_command, processes, wired_cabinet
from hil.engine.cabinet import SimulatedCabinet
from hil.engine.plant_process import SAMPLE_US
from hil.engine.remote_controller import RemoteController
from hil.engine.simulate import METER_TESTS
from hil.engine.wired_cabinet import PlantLoop, WiredCabinet
from hil.results.pauses import Pauses
from hil.results.site_record import SiteRecord
from hil.site import description
from hil.site.site import Site
from safety import signals as s

RESULT = "pod.json"


class Member(WiredCabinet):
    """A cabinet of the pod."""

    def __init__(self, config: Config, site: Site, run_dir: str, seed: int, soc: float) -> None:
        cabinet = SimulatedCabinet(config, None, seed, {"soc": soc}, site)
        super().__init__(config, run_dir, cabinet, RemoteController(lambda message: None))

    def watch(self, now_us: int, is_sample: bool) -> None:
        """Observe and record after a step of the site."""
        self.observer.sample(now_us, self.plant)
        if is_sample:
            self.record(now_us)
            self._follow(now_us)

    @property
    def shown(self) -> tuple[str, str | None]:
        """(state, result of the meter test) from the journal; ("dead", None) without a journal."""
        snapshot = self.snapshot
        if snapshot is None:
            return "dead", None
        index = snapshot.output_names.index("meter_sign")
        return s.STATES[snapshot.out[s.STATE]], METER_TESTS[snapshot.out[index]]


class PodProcess(PlantLoop):
    """Site and members on one clock, which starts at `go`. pod_command.document reads it."""

    def __init__(self, order: dict[str, Any], connection: socket.socket) -> None:
        """order: made by pod_rig.py; connection: the socket to pod_rig.py."""
        self.order = order
        path, seed = order["file"], order["seed"]
        tables, configs = description.read(path), pod.member_configs(path)
        site = description.built(tables, seed, os.path.dirname(path))
        soc, folders = order["soc_pct"] / 100, order["run_dirs"]
        self.members = [
            Member(config, site, folder, seed + number, soc)
            for number, (config, folder) in enumerate(zip(configs, folders))
        ]
        pod.let_form(self.members, tables["pod"])
        super().__init__(connection, self.members, site)
        self.mode = f"real time, {configs[0].tick_ms} ms"
        self.record = SiteRecord(len(configs))
        self.settled_us = round(len(configs) * TURN_S * 1e6) + pod.SETTLE_US
        self.pauses = Pauses()
        self.now_us = self._sample_due_us = 0
        self._is_over = False

    def announce(self) -> None:
        """Send the rig the places of the wires."""
        places = [member.places() for member in self.members]
        self.connection.send(msgpack.packb({"what": "wires", "members": places}))

    def follow(self, go: dict[str, Any]) -> None:
        """Note the controllers."""
        for member, pid in zip(self.members, go["pids"]):
            member.controller.runs_as(pid)

    def run(self) -> None:
        """Serve until the rig says `end`, or has died; then write document and page."""
        duration_us = round(self.order["seconds"] * 1e6)
        while not self._is_over:
            if self._serve():
                self._hear()
            if self.recording and self.now_us >= duration_us:
                self.recording = False
                self.connection.send(msgpack.packb({"what": "done"}))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # writing a page takes 1 s
        self.write()

    def _watch(self, now_us: int) -> None:
        self.now_us = now_us
        is_sample = now_us >= self._sample_due_us
        self._sample_due_us += SAMPLE_US * is_sample
        for member in self.members:
            member.watch(now_us, is_sample)
        self.record.see(now_us, self.site, [member.plant for member in self.members])

    def _hear(self) -> None:
        message = processes.message(self.connection)
        if message is None:
            self._is_over = True
            self._stop_orphans()
        elif message["what"] == "finish":
            self.recording = False
        else:
            self._is_over = True

    def write(self) -> None:
        """Write the document and the page, after the end of the run."""
        doc = {
            "file": os.path.basename(self.order["file"]),
            "name": description.read(self.order["file"])["name"],
            "speed": 1.0,
            **{key: self.order[key] for key in ("seconds", "seed", "soc_pct")},
            **pod_command.document(self),
            "expectations": [],
        }
        pauses = [
            *self.pauses.so_far,
            *[pause for member in self.members for pause in member.pauses.so_far],
        ]
        if pauses:
            doc["pauses"] = sorted(pauses, key=lambda pause: pause["t_s"])
        with open(self.order["result"], "w", encoding="utf-8") as file:
            json.dump(doc, file)
        pod_command.write_page(doc, self.record, self.order["html"])


if __name__ == "__main__":
    sys.exit(wired_cabinet.main(sys.argv[1:], PodProcess))
