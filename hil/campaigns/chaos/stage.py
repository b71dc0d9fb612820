"""What a disturbance may touch and what is looked at around it: rig, companions, folders, the
controller's counters.
"""

import contextlib
import os
import signal
import sqlite3

from controller.journal import snapshot
from controller.run import loop_statistics, operator_client, operator_commands
from hil.campaigns.benchmarks.machine import memory_kB

POLL_S = 0.1


class Stage:
    """`rig`, `companions`, `directory` and `state_directory` of the controller, `seed`; `notes` of
    the disturbance.
    """

    def __init__(self, rig, companions, seed):
        """rig: has started; companions: run."""
        self.rig, self.companions, self.seed = rig, companions, seed
        self.directory = rig.directory
        self.state_directory = os.path.join(rig.directory, "state")
        self.notes, self.state = [], None
        self.wait = None  # of the Course that uses it: wait(seconds), raises Over

    def see(self, shown):
        """A view of the plant process: the cabinet's state as the controller's journal has it."""
        self.state = shown.get("state", self.state)

    def note(self, ok, sentence):
        """Something else that was seen during a disturbance."""
        self.notes.append((bool(ok), sentence))

    def wait_for(self, condition, guard_s=60.0):
        """Wait until condition() is true; to run again after trips takes about ten seconds. Returns
        whether it is.
        """
        for _ in range(round(guard_s / POLL_S)):
            if condition():
                return True
            self.wait(POLL_S)
        return condition()

    def mark(self, name):
        """A mark on the time line of the plant process, whose clock all figures of the wires are
        of.
        """
        self.rig.send({"what": "mark", "name": name})

    def act(self, what, **arguments):
        """An action of the scenarios, now."""
        self.rig.send({"what": "act", "do": what, "arguments": arguments})

    def runs_again(self):
        """(ok, sentence): does the cabinet run again, if need be by an operator's reset: key out of
        RUN, reset, RUN?
        """
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
        """command.Answer to a reset of what stands now."""
        with contextlib.closing(snapshot.read(os.path.join(self.directory, "journal"))) as seen:
            socket = os.path.join(self.directory, "command.sock")
            return operator_client.reset(socket, operator_commands.KEY_RESET, *seen.causes)

    def counters(self):
        """{loop: bytes of loop.stats, memory_kB: the controller's own}."""
        return {
            "loop": loop_statistics.content(os.path.join(self.directory, "loop.stats")),
            "memory_kB": memory_kB(self.rig.controller.pid)["anonymous"],
        }

    def signal_keeper(self, number):
        """A signal to the process that stores the latches: the controller's own child, checked by
        its name.
        """
        for pid in map(int, _proc(self.rig.controller.pid, "children").split()):
            descriptor = os.pidfd_open(pid)
            try:
                if "controller.store.keeper" in _proc(pid, "cmdline"):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)

    def clock_notes(self):
        """What the recorder has written about steps of the wall clock, oldest first."""
        return self._column("SELECT text FROM events WHERE kind = 'note' AND code = 'CLOCK'")

    def recorded_gap_ms(self):
        """The longest time between two seconds of the history, None without two."""
        uptimes_ms = self._column("SELECT uptime_ms FROM seconds ORDER BY uptime_ms")
        gaps_ms = [after - before for before, after in zip(uptimes_ms, uptimes_ms[1:])]
        return max(gaps_ms, default=None)

    def _column(self, query):
        path = os.path.join(self.state_directory, "record.db")
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return [value for (value,) in database.execute(query)]
        except sqlite3.Error:  # none yet, or busy: then there is nothing to be read now
            return []


def _proc(pid, name):
    """A file of the main thread of a process."""
    with open(f"/proc/{pid}/task/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read()
