"""Starts the processes that run beside a controller on a box, and ends only these."""

import json
import os
import pathlib
import signal
import socket
from collections.abc import Callable
from typing import Any

import numpy as np

from controller.system import sockets
from hil.campaigns import process
from hil.campaigns.chaos.terminal import Terminal
from hil.campaigns.hint_attack.attack import SOURCE

Works = Callable[[], tuple[bool, str]]


class Companion:
    """One process that can be killed, stopped and started again. Call `start` first."""

    def __init__(
        self, name: str, command: tuple[Any, ...], log_path: str, works: Works | None
    ) -> None:
        """command: words after `python -m`; works(): (ok, sentence) about whether the process
        works.
        """
        self.name, self.works = name, works
        self._command, self._log_path = command, log_path

    def start(self) -> None:
        """Start the process, or start it again after its end."""
        with open(self._log_path, "ab") as log:
            self._process = process.module(*self._command, stdout=log, stderr=log, process_group=0)

    @property
    def alive(self) -> bool:
        """True while the process runs or is stopped."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process with kill -9, and wait for its end."""
        process.kill(self._process)

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def log_lines(self) -> list[str]:
        """The lines of its log."""
        text = pathlib.Path(self._log_path).read_text(encoding="utf-8", errors="replace")
        return text.splitlines()

    def end(self) -> None:
        """End the process by SIGTERM, or kill it if that takes too long."""
        if self.alive:
            self.signal(signal.SIGCONT)
            process.end(self._process)


class Companions:
    """A context with `recorder`, `gateway`, `reader`, `console` with its `terminal`, and witnesses.

    `clock_offset_us`: a shared array of one number; `doors local`: the path of the gateway's
    socket.
    """

    def __init__(self, run_directory: str, state_directory: str, log_directory: str) -> None:
        where, state = ["--run-dir", run_directory], ["--state-dir", state_directory]
        cores = sorted(os.sched_getaffinity(0))
        offset_path = os.path.join(log_directory, "offset")
        stall_path = os.path.join(log_directory, "stall")
        self.clock_offset_us = np.memmap(offset_path, "<i8", "w+", shape=1)
        self._stall_us = np.memmap(stall_path, "<u8", "w+", shape=(cores[-1] + 1, 2))
        self.terminal = terminal = Terminal()

        def companion(name: str, *command: Any, works: Works | None = None) -> Companion:
            return Companion(name, command, os.path.join(log_directory, f"{name}.log"), works)

        self.upstream = os.path.join(run_directory, "upstream.sock")
        clock = f"{__package__}.shifted_clock"
        self.recorder = companion("recorder", clock, offset_path, "record", "run", *where, *state)
        doors = "controller", "doors", "local", *where, "--listen", self.upstream
        self.gateway = companion("gateway", *doors, works=lambda: gateway_works(self.upstream))
        self.reader = companion(
            "page reader", f"{__package__}.page_reader", run_directory, state_directory
        )
        console = "controller", "console", "--tty", terminal.slave_name
        self.console = companion("serial console", *console, *where, *state, works=terminal.works)
        witnesses = [
            companion(
                f"witness on core {core}", f"{__package__}.witness", stall_path, core, os.getpid()
            )
            for core in cores
        ]
        self.all = (self.recorder, self.gateway, self.reader, self.console, *witnesses)

    def __enter__(self) -> "Companions":
        self.terminal.__enter__()
        for companion in self.all:
            companion.start()
        return self

    def __exit__(self, *_: object) -> None:
        for companion in self.all:
            companion.end()
        self.terminal.__exit__()

    def take_stall_us(self) -> tuple[int, int]:
        """(largest, sum) of all cores' stalls since the last call."""
        stalls_us = int(self._stall_us[:, 0].max()), int(self._stall_us[:, 1].sum())
        self._stall_us[:] = 0
        return stalls_us


def gateway_works(path: str) -> tuple[bool, str]:
    """(ok, sentence): the gateway passes a hello to the loop, and the answer back."""
    try:
        with socket.socket(socket.AF_UNIX) as client, sockets.short(path) as name:
            client.settimeout(5.0)
            client.connect(name)
            client.sendall(json.dumps({"hello": SOURCE}).encode() + b"\n")
            answer = json.loads(client.makefile().readline())
    except (OSError, ValueError) as error:
        return False, f"the gateway does not answer: {error}"
    return "nonce" in answer, "the gateway passes on a hello and its answer"
