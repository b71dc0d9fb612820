"""The keeper: a process of its own that saves the loop's records, and the loop's end of it.

Saving takes as long as the disk takes; the loop hands records over and takes acknowledgements in.
"""

import contextlib
import select
import signal
import socket
import subprocess
import sys

from controller.store.stored_record import RECORD_BYTES_MAX, StoreError, decode, encode
from controller.store.two_copies import Store

# without any acknowledgement (chosen by the project): a slow disk needs a second or two a record
HANG_US = 5_000_000
# before the first one: the process starts beside the controller, perhaps on a slow box
START_US = 30_000_000
RETRY_S = 1  # between two attempts to save what could not be saved
SAVED = b"saved"


class Keeper:
    """The loop's end: records go to a process that saves them, acknowledgements come back; nothing
    here waits.

    `saved` counts the records known durable, in the order of `submit`, whose number it reaches when
    that record is; `ok` turns False for good when the process has died, could not save or does not
    answer, with the reason in `line`; what it says after that is not counted.
    """

    def __init__(self, directory: str, held: int | None = None):
        """Starts the process, or raises OSError. To be called before any real-time priority is set.

        held: descriptor of `hold`, which the process keeps open until it has ended.
        """
        self._socket, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with child:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controller.store.keeper", directory, str(child.fileno())],
                pass_fds=(child.fileno(), *(() if held is None else (held,))),
            )
        self._socket.setblocking(False)
        self.submitted = self.saved = 0
        self._directory = directory
        self._moved = (None, 0)  # (saved, since when in us), as `watch` has seen it
        self.ok = True
        self.line = ""

    def fileno(self) -> int:
        """Becomes readable when an acknowledgement is waiting."""
        return self._socket.fileno()

    def submit(self, record) -> int:
        """Hand over a record. Returns its number, to be compared with `saved`. Raises StoreError
        for a wrong one.
        """
        try:
            self._socket.send(encode(0, record))
        except OSError as error:
            self._fail(f"the store's process takes nothing: {error.strerror}")
        self.submitted += 1
        return self.submitted

    def poll(self) -> int:
        """Take in what has been acknowledged. Returns `saved`."""
        # also after a failure: a process blocks on answers that are not taken
        while True:
            try:
                answer = self._socket.recv(1024)
            except BlockingIOError:
                return self.saved
            except OSError as error:
                self._fail(f"the store's process is gone: {error.strerror}")
                return self.saved
            if answer == SAVED:
                self.saved += self.ok
            else:
                self._fail(answer.decode() or "the store's process has ended")
            if not answer:
                return self.saved

    def watch(self, now_us: int) -> None:
        """Once a tick: a store that saves nothing for HANG_US while a record waits has failed.

        A frozen disk or a stopped process reports nothing, and the next restart loses what waits.
        """
        saved = self.poll()
        if saved != self._moved[0] or saved >= self.submitted:
            self._moved = (saved, now_us)
        elif now_us - self._moved[1] > (HANG_US if saved else START_US):
            self._fail(f"{self._directory}: the store does not answer")

    def _fail(self, line):
        self.ok = False
        self.line = self.line or line

    def close(self) -> None:
        """Let the process finish what it has and end; waits for it."""
        self._socket.close()
        self._process.wait()


def serve(directory: str, connection) -> None:
    """The process's end: save each record that arrives and answer; ends when the other side has
    closed.

    The last record that could not be saved is tried again until it is saved, without an answer:
    `ok` stays False.
    """
    store, record = Store(directory), None
    store.load()
    while True:
        is_new = record is None or select.select([connection], [], [], RETRY_S)[0]
        if is_new:
            content = _received(connection, RECORD_BYTES_MAX)
            if not content:
                return
            _, record = decode(content)
        answer = _answer(store, record)
        record = None if answer == SAVED else record
        if is_new:
            # the controller may be gone; the records it has handed over are not
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(answer)


def _received(connection, bytes_max, flags=0):
    """The next record; b"" once the other side has closed and nothing is left."""
    while True:
        # the other side left without reading every answer; its records are still here
        with contextlib.suppress(ConnectionResetError):
            return connection.recv(bytes_max, flags)


def _answer(store, record):
    try:
        store.save(record)
        return SAVED
    except StoreError as error:
        return str(error).encode()


def main(directory: str, descriptor: int) -> None:
    """The process: serves the socket of this descriptor.

    It ignores SIGINT and SIGTERM, which are meant for the controller, and ends after the
    controller. Once the controller has gone, SIGTERM ends a process whose disk hangs for HANG_US,
    unless a record still waits to be received.
    """
    connection = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit())

    def end_soon(*_):
        # not at once: a record that was received may not be saved yet
        if _is_left_alone(connection):
            signal.signal(
                signal.SIGTERM, signal.SIG_IGN
            )  # another one must not begin the time anew
            signal.setitimer(signal.ITIMER_REAL, HANG_US / 1e6)

    signal.signal(signal.SIGTERM, end_soon)
    serve(directory, connection)


def _is_left_alone(connection):
    """True once the other side has closed and has left no record."""
    try:
        return not _received(connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
