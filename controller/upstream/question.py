"""A question (`ask`) to the gateway, answered in its worker, one after the other.

A question about a day takes a second of CPU. Between two messages it would hold up the hints of all
other clients, and a hint expires after 2 s. Of each client one question waits at most, because the
gateway reads no further message of it before the answer.
"""

import socket
from concurrent.futures import ThreadPoolExecutor

from controller.core.base import hint_codes as h
from controller.upstream import messages
from controller.upstream.framing import Message

_WORKER = ThreadPoolExecutor(1, "questions")


class Question:
    """Its descriptor can be read when the answer is there."""

    def __init__(self, run_directory: str, job: object, now_us: int) -> None:
        self._here, there = socket.socketpair()
        self._answer = _WORKER.submit(messages.asked, run_directory, job, now_us)
        self._answer.add_done_callback(lambda _: there.close())

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._here.fileno()

    def answer(self) -> Message:
        """The answer, which is there."""
        self._here.close()
        try:
            return self._answer.result()
        except messages.MessageError as error:
            return messages.problem(h.NOT_UNDERSTOOD, str(error))

    def close(self) -> None:
        """Nobody waits for the answer any more."""
        self._here.close()
        self._answer.cancel()
