"""Starts and ends processes, such as programs of the box beside the controller (`rig --with`)."""

import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any

import msgpack

from hil.engine import clocked, run_directory

ROOT, STOP_S, END_S = pathlib.Path(__file__).parents[2], 10.0, 15.0
MESSAGE_BYTES_MAX = 1 << 20


def module(
    name: str, *arguments: object, before: Sequence[str] = (), **options: Any
) -> "subprocess.Popen[Any]":
    """Start `python -m name arguments` without an input. before: a command line to put first."""
    settings: dict[str, Any] = {"cwd": ROOT, "stdin": subprocess.DEVNULL} | options
    return subprocess.Popen([*before, sys.executable, "-m", name, *map(str, arguments)], **settings)


def end(process: "subprocess.Popen[Any]", wait_s: float = END_S) -> int:
    """Send SIGTERM, then wait. Returns the exit code."""
    process.terminate()
    return wait(process, wait_s)


def wait(process: "subprocess.Popen[Any]", wait_s: float = END_S) -> int:
    """Wait for the exit code and return it. After wait_s the process is killed."""
    try:
        return process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return kill(process)


def kill(process: "subprocess.Popen[Any]") -> int:
    """Kill a process. Returns the exit code."""
    process.kill()
    return process.wait()


def message(connection: socket.socket) -> dict[str, Any] | None:
    """The next message of the process at the other end; None: it has ended, perhaps without
    reading what it was sent. Raises BlockingIOError or TimeoutError if no message waits.
    """
    try:
        packed = connection.recv(MESSAGE_BYTES_MAX)
    except ConnectionError:
        return None
    return dict(msgpack.unpackb(packed)) if packed else None


class Processes:
    """Programs beside the controller. Call `start` after the controller has started, and `stop`
    before it stops. before: a command line to put before each program.
    """

    before: tuple[str, ...] = ()

    def __init__(self, directory: str) -> None:
        self.directory, self.state = directory, os.path.join(directory, "state")
        self.where = "--run-dir", directory, "--state-dir", self.state
        self._logs: dict[str, IO[bytes]] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start the programs."""
        raise NotImplementedError

    def welcome(self) -> list[str]:
        """Lines for the start of a run: what the user can look at."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """Facts about the programs for the document of the run."""
        return {}

    def begin(self, name: str, *arguments: str) -> None:
        """Start `firebreak ARGUMENTS`; its messages go to NAME.log."""
        self._logs[name] = log = open(os.path.join(self.directory, f"{name}.log"), "ab")
        command = clocked.BESIDE, os.getpid(), *arguments
        options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": log, "process_group": 0}
        self.running[name] = module(clocked.__name__, *command, before=self.before, **options)

    def record(self) -> None:
        """Start the recorder."""
        self.begin("recorder", "record", "run", *self.where)

    def trouble(self) -> str | None:
        """A line about a program that has ended; None if all run."""
        for name, process in self.running.items():
            if process.poll() is not None:
                last = run_directory.last_message(self.directory, name)
                return f"the {name} ended with exit code {process.returncode}: {last}"
        return None

    def stop(self) -> None:
        """End all programs by SIGTERM, the last one first."""
        for name, process in reversed(self.running.items()):
            end(process, STOP_S)
            self._logs[name].close()
