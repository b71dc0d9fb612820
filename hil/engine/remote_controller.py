"""The controller's process as the plant process has it: killed here, started and commanded by the
rig.
"""

import contextlib
import os
import select
import signal


def _message(what, *keys):
    """A method that sends its arguments under these keys."""
    return lambda self, *values: self._send({"what": what, **dict(zip(keys, values))})


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

    # the rig answers each of these; the arguments of a call are the keys named here
    start = _message("start")
    stall = _message("stall", "duration_ms")
    spoil_store = _message("spoil_store")
    store_other_image = _message("store_other_image")
    reset = _message("reset", "by")
    run_request = _message("run_request", "on")

    def hint(self, source, kind, quantity, value_W, valid_ms):
        """Have the rig send a hint over the wire, signed with the key of the source."""
        self._send({"what": "hint", "source": source, "order": [kind, quantity, value_W, valid_ms]})
