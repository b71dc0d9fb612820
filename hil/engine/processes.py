"""Programs of the box beside the rig's controller, each as installed (`rig --with`)."""

import os
import pathlib
import subprocess
import sys
from typing import IO, Any

from hil.engine import clocked, run_directory

ROOT, STOP_S = pathlib.Path(__file__).parents[2], 10.0


class Processes:
    """`start` after the controller, `stop` before it. before: a program that starts each."""

    before: tuple[str, ...] = ()

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._logs: dict[str, IO[bytes]] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start them."""
        raise NotImplementedError

    def welcome(self) -> list[str]:
        """Lines for the beginning of a run: what to look at."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """What the document of the run says of them."""
        return {}

    def begin(self, name: str, *arguments: str) -> None:
        """Start `firebreak ARGUMENTS`; its messages go to NAME.log."""
        self._logs[name] = log = open(os.path.join(self.directory, f"{name}.log"), "ab")
        command = [*self.before, sys.executable, "-m", clocked.__name__, clocked.BESIDE]
        command += [str(os.getpid()), *arguments]
        nothing = subprocess.DEVNULL
        self.running[name] = subprocess.Popen(
            command, cwd=ROOT, stdin=nothing, stdout=nothing, stderr=log, process_group=0
        )

    def trouble(self) -> str | None:
        """A line about a process that has ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                last = run_directory.last_message(self.directory, name)
                return f"the {name} ended with exit code {process.returncode}: {last}"
        return None

    def stop(self) -> None:
        """End all by SIGTERM, the last one first."""
        for name, process in reversed(self.running.items()):
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._logs[name].close()
