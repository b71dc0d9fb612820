"""Runs the real controller as a process on wires without answers.

The wires are ptys, connections to a socket that is never read, and a virtual CAN bus.
"""

import contextlib
import os
import pathlib
import select
import socket
import tempfile
from collections.abc import Mapping

from controller.config import configuration
from controller.run import loop_statistics
from controller.sites import EXAMPLE
from hil.campaigns import process
from hil.campaigns.benchmarks import machine, timing
from hil.engine import cabinet_file, run_directory


class StartError(RuntimeError):
    """The controller did not start, or ended early. One line."""


class SilentCabinet(contextlib.ExitStack):
    """A context inside which the controller ticks. first_tick_ms: time from exec to the first tick;
    first_tick_cpu_ms: CPU time until then.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, file: str | pathlib.Path = EXAMPLE
    ) -> None:
        """environment: of the process; None: the present one. file: of the cabinet."""
        super().__init__()
        self._environment, self._file = environment, file
        self._masters: list[int] = []

    def __enter__(self) -> "SilentCabinet":
        try:
            folder = tempfile.TemporaryDirectory(prefix="firebreak-bench-")
            self.directory = self.enter_context(folder)
            self._write_files()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _write_files(self) -> None:
        wires: dict[str, dict[str, str]] = {"ports": {}, "cans": {}}
        config = configuration.load(self._file)
        for bus in config.buses:
            if bus.kind == "can":
                wires["cans"][bus.name] = bus.name
                continue
            if bus.kind == "tcp":
                server = self.enter_context(socket.create_server(("127.0.0.1", 0)))
                wires["ports"][bus.name] = f"127.0.0.1:{server.getsockname()[1]}"
                continue
            master, slave = process.raw_pty()
            self.callback(os.close, master)
            self.callback(os.close, slave)
            self._masters.append(master)
            wires["ports"][bus.name] = os.ttyname(slave)
        text = cabinet_file.text({"site": self._file, "can_interface": "virtual"}, wires)
        pathlib.Path(self.directory, "cabinet.toml").write_text(text, encoding="ascii")
        run_directory.commission(self.directory, config)

    def _start(self) -> None:
        log = self.enter_context(open(os.path.join(self.directory, "controller.log"), "wb"))
        began_ns = timing.now_ns()
        self._process = process.module(
            "controller",
            "run",
            os.path.join(self.directory, "cabinet.toml"),
            "--run-dir",
            self.directory,
            "--state-dir",
            os.path.join(self.directory, "state"),
            stderr=log,
            process_group=0,
            env=self._environment,
        )
        self.callback(process.end, self._process, 20)
        self.pid = self._process.pid
        while loop_statistics.read(os.path.join(self.directory, "loop.stats")) is None:
            if timing.now_ns() - began_ns > 20_000_000_000:
                message = "the controller has not ticked after 20 s"
                raise StartError(f"{message}: {run_directory.last_message(self.directory)}")
            self.wait(0.005)
        self.first_tick_ms = (timing.now_ns() - began_ns) // 1_000_000
        self.first_tick_cpu_ms = machine.cpu_ns(self.pid) // 1_000_000

    def wait(self, seconds: float) -> None:
        """Let the controller run for this time. StartError if the controller ends meanwhile."""
        until_ns = timing.now_ns() + round(seconds * 1e9)
        while (left_s := (until_ns - timing.now_ns()) / 1e9) > 0:
            if self._process.poll() is not None:
                message = f"the controller ended with {self._process.returncode}"
                raise StartError(f"{message}: {run_directory.last_message(self.directory)}")
            # the ptys hold some seconds of polls, so emptying them once a second suffices
            timing.wait_s(min(left_s, 1.0))
            for master in select.select(self._masters, (), (), 0)[0]:
                os.read(master, 65_536)

    def statistics(self) -> bytes:
        """The content of loop.stats (controller.run.loop_statistics). StartError if missing."""
        content = loop_statistics.content(os.path.join(self.directory, "loop.stats"))
        if content is None:
            raise StartError("the controller does not tick")
        return content

    def priority(self) -> str:
        """A text about priority and locked memory of the process."""
        return machine.priority(self.pid)
