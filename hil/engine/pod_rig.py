"""A pod in real time: each cabinet has an installed controller in its own process.

One plant process simulates the site with all devices. At the end the controllers stop first, while
that process still serves their wires.
"""

import json
import os
import pathlib
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import msgpack

from controller.config.cabinet_config import Config
from controller.run import loop_statistics
from hil.engine import cabinet_file, pod, pod_process, processes, run_directory
from hil.engine.process_memory import memory_kB
from hil.engine.rig import (
    CONTROLLER_STOP_S,
    RigError,
    end_plant,
    start_controller,
    start_plant,
    wait,
)
from hil.results import files

WATCH_S = 1.0
START_S = 60.0  # longest start of the plant process
PLANT_STOP_S = 60.0  # writing the page at the end may take tens of seconds on a busy machine


class Box:
    """The controller of one cabinet: its folder and its process."""

    def __init__(self, folder: str, config: Config) -> None:
        self.folder, self.config = folder, config
        os.makedirs(folder, mode=0o750)
        self._log = open(os.path.join(folder, "controller.log"), "ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wires: dict[str, dict[str, str]]) -> int:
        """Write the cabinet's file and start the controller on it. Returns its process id."""
        control = {key: self.config.control[key] for key in ("share_permille", "meter_code_wait_s")}
        path = pathlib.Path(self.folder, "cabinet.toml")
        order = {"site": self.config.path, "control": control}
        path.write_text(cabinet_file.text(order, wires), encoding="ascii")
        run_directory.commission(self.folder, self.config)
        self.process = start_controller(self.folder, self._log)
        return self.process.pid

    def check(self) -> None:
        """Check that the controller runs. RigError: it has ended."""
        if self.process and self.process.poll() is not None:
            last = run_directory.last_message(self.folder)
            raise RigError(f"the controller ended with {self.process.returncode}: {last}")

    def figures(self) -> dict[str, Any]:
        """Ticks, lateness and memory of the controller that runs."""
        loop = loop_statistics.read(os.path.join(self.folder, "loop.stats")) or {}
        figures = {"loop": loop, "messages": run_directory.messages(self.folder)}
        return figures | {"memory_kB": memory_kB(self.process.pid)} if self.process else figures

    def stop(self) -> None:
        """Wait for the controlled stop of the controller, and end its process."""
        if self.process is not None:
            wait(self.process, CONTROLLER_STOP_S)
        self._log.close()


class PodRig:
    """One run: `start`, `run`, `stop`; then `document`."""

    def __init__(self, order: dict[str, Any], folder: str) -> None:
        """order: file, seconds, seed, soc_pct, html (a path or None)."""
        configs = pod.member_configs(order["file"])
        self.boxes = [
            Box(os.path.join(folder, f"cabinet_{number}"), config)
            for number, config in enumerate(configs, 1)
        ]
        self._result = os.path.join(folder, pod_process.RESULT)
        folders = [box.folder for box in self.boxes]
        self._order = {**order, "run_dirs": folders, "result": self._result}
        self._plant: subprocess.Popen[bytes] | None = None
        self._connection, self._plant_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.figures: list[dict[str, Any]] = []

    def start(self) -> None:
        """Start the plant process and every controller. RigError: one line."""
        self._plant = start_plant(pod_process.__name__, self._order, self._plant_end)
        self._connection.settimeout(START_S)
        wires = self._received()["members"]
        pids = [box.start(wire) for box, wire in zip(self.boxes, wires)]
        self._connection.send(msgpack.packb({"what": "go", "pids": pids}))

    def _received(self) -> dict[str, Any]:
        message = processes.message(self._connection)
        if message is None:
            code = self._plant.wait() if self._plant else None
            raise RigError(f"the simulated pod has ended, exit code {code}")
        return message

    def run(self, see: Callable[["PodRig"], object]) -> None:
        """Wait for the end; see(this rig) once a second. Ctrl-C ends it early."""
        self._connection.settimeout(WATCH_S)
        try:
            while True:
                try:
                    if self._received()["what"] == "done":
                        break
                except TimeoutError:
                    self._look()
                    see(self)
        except KeyboardInterrupt:
            self._connection.send(msgpack.packb({"what": "finish"}))
        self._look()

    def _look(self) -> None:
        for box in self.boxes:
            box.check()
        self.figures = [box.figures() for box in self.boxes]

    def stop(self) -> None:
        """End the controllers, then the plant process, which writes the document."""
        for box in self.boxes:
            if box.process is not None:
                box.process.terminate()
        for box in self.boxes:
            box.stop()
        end_plant(self._plant, self._connection, PLANT_STOP_S)

    def document(self) -> dict[str, Any]:
        """See pod_command.played. Each member gets `controller`: the figures of its process."""
        doc = json.loads(pathlib.Path(self._result).read_text(encoding="utf-8"))
        for member, figure in zip(doc["members"], self.figures):
            member["controller"] = figure
        return doc


def played(
    order: dict[str, Any], see: Callable[[PodRig], object], kept: str | None = None
) -> dict[str, Any]:
    """The document of a run. kept: a folder for its files, or None. Raises RigError, OSError."""
    with run_directory.kept_or_temporary(kept) as folder:
        rig = PodRig(order, folder)
        try:
            with files.naming(folder):
                rig.start()
            rig.run(see)
        finally:
            rig.stop()
        return rig.document()
