"""The controller's process as the bench has it: killed here, started and commanded by the rig."""

import contextlib
import os
import select
import signal


class RemoteController:
    """kill() and signal() act at once; the others send a message to the rig."""

    def __init__(self, send):
        self._send = send
        # a descriptor of the process: its number may be another's by the time it is used
        self._process = None

    def runs_as(self, pid):
        """The rig has started it."""
        if self._process is not None:
            os.close(self._process)
            self._process = None
        with contextlib.suppress(ProcessLookupError):  # it has ended; the rig sees that for itself
            self._process = os.pidfd_open(pid)

    def ended(self):
        """True when the process is no more."""
        return self._process is None or bool(select.select([self._process], (), (), 0)[0])

    def signal(self, number):
        """Send a signal; one that has ended takes none."""
        if not self.ended():
            signal.pidfd_send_signal(self._process, number)

    def kill(self):
        """kill -9."""
        self.signal(signal.SIGKILL)
        self._send({"what": "killed"})

    def start(self):
        """Have the rig start it again."""
        self._send({"what": "start"})

    def stall(self, duration_ms):
        """Have the rig stop the process for so long."""
        self._send({"what": "stall", "duration_ms": duration_ms})

    def spoil_store(self):
        """Have the rig spoil both copies in the state directory."""
        self._send({"what": "spoil_store"})

    def reset(self, by):
        """Have the rig ask for a reset, as an operator would."""
        self._send({"what": "reset", "by": by})

    def run_request(self, on):
        """Have the rig ask for running or stopping."""
        self._send({"what": "run_request", "on": on})

    def hint(self, source, kind, quantity, value_W, valid_ms):
        """Have the rig send a hint over the wire, signed with the key of the source."""
        self._send({"what": "hint", "source": source, "order": [kind, quantity, value_W, valid_ms]})
