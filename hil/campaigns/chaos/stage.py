"""The Stage is what a disturbance can reach: rig, other processes, folders, counters."""

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from typing import Any

from controller.journal import snapshot
from controller.run import loop_statistics, operator_client, operator_commands
from hil.campaigns.chaos.companions import Companions
from hil.engine.process_memory import memory_kB, read
from hil.engine.rig import Rig

POLL_S = 0.1
START_GUARD_S = 10.0  # the key is debounced, and a busy machine may be slow to read it


class Stage:
    """The rig and the processes of a disturbance. `notes`: (ok, sentence) of each note."""

    wait: Callable[[float], None]  # wait(seconds) of the Course, which raises Over

    def __init__(self, rig: Rig, companions: Companions, seed: int) -> None:
        """rig and companions: already started."""
        self.rig, self.companions, self.seed = rig, companions, seed
        self.directory = rig.directory
        self.state_directory = os.path.join(rig.directory, "state")
        self._socket = os.path.join(rig.directory, "command.sock")
        self.notes: list[tuple[bool, str]] = []
        self.state: str | None = None

    @property
    def controller(self) -> "subprocess.Popen[bytes]":
        """The controller's process."""
        assert self.rig.controller is not None  # the rig is started
        return self.rig.controller

    def see(self, shown: dict[str, Any]) -> None:
        """Take a view of the plant process, which contains the state from the controller's
        journal.
        """
        self.state = shown.get("state", self.state)

    def note(self, ok: object, sentence: str) -> None:
        """Add a note about the disturbance."""
        self.notes.append((bool(ok), sentence))

    def wait_for(self, condition: Callable[[], bool], guard_s: float = 60.0) -> bool:
        """Wait for condition(), at most guard_s (a restart takes 10 s). Returns its last value."""
        for _ in range(round(guard_s / POLL_S)):
            if condition():
                return True
            self.wait(POLL_S)
        return condition()

    def mark(self, name: str) -> None:
        """Put a note on the timeline of the plant process, whose clock is that of the wires."""
        self.rig.send({"what": "mark", "name": name})

    def act(self, action: str, **arguments: object) -> None:
        """Apply an action of a scenario now."""
        self.rig.send({"what": "act", "do": action, "arguments": arguments})

    def runs_again(self) -> tuple[bool, str]:
        """(ok, sentence): the cabinet runs again, if necessary after a reset with the key and a
        start. When the key leaves RUN, the cabinet goes to standby, which only a start ends.
        """
        # the cause of a trip must be gone for 5 s
        if self.wait_for(lambda: self.state == "running", 6.0):
            return True, "runs again by itself"
        self.act("key", run=False)
        for _ in range(20):
            self.wait(1.0)
            answer = self._reset()
            if answer.is_done:
                break
        self.act("key", run=True)
        self.wait_for(self._is_started, START_GUARD_S)
        ok = self.wait_for(lambda: self.state == "running")
        return ok, f"runs again after a reset with the key and a start: {answer.words()}"

    def _is_started(self) -> bool:
        """Ask for a start. The controller refuses it while it still reads that the key is out
        of RUN.
        """
        answer = operator_client.ask(self._socket, operator_commands.RUN)
        return answer == operator_commands.ACCEPTED

    def _reset(self) -> Any:
        """The controller's answer to a reset of the present causes."""
        with contextlib.closing(snapshot.read(os.path.join(self.directory, "journal"))) as seen:
            return operator_client.reset(self._socket, operator_commands.KEY_RESET, *seen.causes)

    def counters(self) -> dict[str, Any]:
        """{loop: bytes of loop.stats, memory_kB: the controller's private memory}."""
        return {
            "loop": loop_statistics.content(os.path.join(self.directory, "loop.stats")),
            "memory_kB": memory_kB(self.controller.pid)["anonymous"],
        }

    def signal_keeper(self, number: int) -> None:
        """Send a signal to the controller's child process that stores the latches."""
        for pid in map(int, _proc(self.controller.pid, "children").split()):
            descriptor = os.pidfd_open(pid)
            try:
                if "controller.store.keeper" in _proc(pid, "cmdline"):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)

    def clock_notes(self) -> list[str]:
        """The recorder's notes about steps of the wall clock, oldest first."""
        return self._column("SELECT text FROM events WHERE kind = 'note' AND code = 'CLOCK'")

    def recorded_gap_ms(self) -> int | None:
        """The longest time between two seconds of the history, or None if it has fewer than two."""
        uptimes_ms = self._column("SELECT uptime_ms FROM seconds ORDER BY uptime_ms")
        gaps_ms = [after - before for before, after in zip(uptimes_ms, uptimes_ms[1:])]
        return max(gaps_ms, default=None)

    def _column(self, query: str) -> list[Any]:
        path = os.path.join(self.state_directory, "record.db")
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return [value for (value,) in database.execute(query)]
        except sqlite3.Error:  # the database does not exist yet, or is busy
            return []


def _proc(pid: int, name: str) -> str:
    """The text of a file in /proc about the main thread of a process."""
    return read(f"/proc/{pid}/task/{pid}/{name}")
