"""The Stage of a disturbance: rig, companions, folders, the controller's counters."""

import contextlib
import os
import signal
import sqlite3

from controller.journal import snapshot
from controller.run import loop_statistics, operator_client, operator_commands
from hil.engine.process_memory import memory_kB

POLL_S = 0.1


class Stage:
    """What a disturbance acts on; `notes`: its (ok, sentence)."""

    def __init__(self, rig, companions, seed):
        """rig: started; companions: running."""
        self.rig, self.companions, self.seed = rig, companions, seed
        self.directory = rig.directory
        self.state_directory = os.path.join(rig.directory, "state")
        self.notes, self.state = [], None
        self.wait = None  # of the Course: wait(seconds), raises Over

    def see(self, shown):
        """Take a view of the plant process, which has the state in the controller's journal."""
        self.state = shown.get("state", self.state)

    def note(self, ok, sentence):
        """Add a note about the disturbance."""
        self.notes.append((bool(ok), sentence))

    def wait_for(self, condition, guard_s=60.0):
        """Wait until condition(), at most guard_s (a restart takes 10 s). Its last value."""
        for _ in range(round(guard_s / POLL_S)):
            if condition():
                return True
            self.wait(POLL_S)
        return condition()

    def mark(self, name):
        """Put a mark on the timeline of the plant process, which has the clock of the wires."""
        self.rig.send({"what": "mark", "name": name})

    def act(self, what, **arguments):
        """Apply an action of the scenarios now."""
        self.rig.send({"what": "act", "do": what, "arguments": arguments})

    def runs_again(self):
        """(ok, sentence): the cabinet runs again, if necessary after a reset with the key."""
        # the cause of a trip must be clear for 5 s
        if self.wait_for(lambda: self.state == "running", 6.0):
            return True, "runs again by itself"
        self.act("key", run=False)
        for _ in range(20):
            self.wait(1.0)
            answer = self._reset()
            if answer.is_done:
                break
        self.act("key", run=True)
        ok = self.wait_for(lambda: self.state == "running")
        return ok, f"runs again after a reset with the key: {answer.words()}"

    def _reset(self):
        """command.Answer to a reset of the present causes."""
        with contextlib.closing(snapshot.read(os.path.join(self.directory, "journal"))) as seen:
            socket = os.path.join(self.directory, "command.sock")
            return operator_client.reset(socket, operator_commands.KEY_RESET, *seen.causes)

    def counters(self):
        """{loop: bytes of loop.stats, memory_kB: private memory of the controller}."""
        return {
            "loop": loop_statistics.content(os.path.join(self.directory, "loop.stats")),
            "memory_kB": memory_kB(self.rig.controller.pid)["anonymous"],
        }

    def signal_keeper(self, number):
        """Send a signal to the controller's child process that stores the latches."""
        for pid in map(int, _proc(self.rig.controller.pid, "children").split()):
            descriptor = os.pidfd_open(pid)
            try:
                if "controller.store.keeper" in _proc(pid, "cmdline"):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)

    def clock_notes(self):
        """The recorder's notes about steps of the wall clock, oldest first."""
        return self._column("SELECT text FROM events WHERE kind = 'note' AND code = 'CLOCK'")

    def recorded_gap_ms(self):
        """The longest time between two seconds of the history; None: fewer than two."""
        uptimes_ms = self._column("SELECT uptime_ms FROM seconds ORDER BY uptime_ms")
        gaps_ms = [after - before for before, after in zip(uptimes_ms, uptimes_ms[1:])]
        return max(gaps_ms, default=None)

    def _column(self, query):
        path = os.path.join(self.state_directory, "record.db")
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return [value for (value,) in database.execute(query)]
        except sqlite3.Error:  # the database does not exist yet, or is busy
            return []


def _proc(pid, name):
    """A file of the main thread of a process."""
    with open(f"/proc/{pid}/task/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read()
