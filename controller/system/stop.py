"""Notes that a signal has asked this process to end."""

import os
import select
import signal


class Stop:
    """asked: True after one of the signals has come. Then the file descriptor is readable."""

    def __init__(self, *signals: int) -> None:
        self.asked = False
        self._reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True

    def fileno(self) -> int:
        """The file descriptor to wait for."""
        return self._reading

    def wait(self, seconds: float) -> None:
        """Wait for a signal, at most so many seconds."""
        select.select([self], (), (), seconds)
