"""The keeper is a process that saves the stored records of the loop. `Keeper` is the loop's end.

The loop does not save records itself, because it must never wait for a disk. It hands records over
and receives acknowledgements. Each record has everything that must survive. So a store that has
failed is complete again once the newest record is durable: that record includes the content of the
records that failed.
"""

import contextlib
import select
import signal
import socket
import subprocess
import sys

from controller.store.stored_record import RECORD_BYTES_MAX, Record, StoreError, decode, encode
from controller.store.two_copies import Store

# Longest time without an acknowledgement (chosen by the project). A slow disk needs a second or two
# for a record.
HANG_US = 5_000_000
# Longest time before the first acknowledgement. The process starts together with the controller,
# maybe on a slow box.
START_US = 30_000_000
RETRY_S = 1  # between two attempts to save a record
SAVED = b"saved "  # the number of the record follows


class Keeper:
    """The loop's end; only the constructor and `close` wait.

    Record number n of `submit` is durable when `saved` is n or more. ok: False from a failure until
    every record is durable; `line` is the reason. After the process has died (`is_gone`), `ok`
    stays False.
    """

    def __init__(self, directory: str, held: int | None = None):
        """Start the process, before the real-time priority. held: see two_copies.hold."""
        self._socket, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with child:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controller.store.keeper", directory, str(child.fileno())],
                pass_fds=[fd for fd in (child.fileno(), held) if fd is not None],
            )
        self._socket.setblocking(False)
        self.submitted = self.saved = 0
        self._directory = directory
        self._before: int | None = None  # last value of `saved`; _since_us: when it was first seen
        self._since_us = 0
        self._unsent = b""
        self.ok, self.is_gone = True, False
        self.line = ""

    def fileno(self) -> int:
        """File descriptor, which is readable when an acknowledgement waits."""
        return self._socket.fileno()

    def submit(self, record: Record) -> int:
        """Hand over a record, and return its number, to compare with `saved`.

        StoreError: wrong values.
        """
        self._unsent = encode(self.submitted + 1, record)
        self.submitted += 1
        self._send()
        return self.submitted

    def _send(self) -> None:
        """Send the newest record. `watch` tries this again; older records are not needed."""
        try:
            self._socket.send(self._unsent)
            self._unsent = b""
        except OSError as error:
            self.is_gone = self.is_gone or not isinstance(error, BlockingIOError)
            self._fail(f"the process that saves the store takes no record: {error.strerror}")

    def poll(self) -> int:
        """Receive acknowledgements. Returns `saved`."""
        # Read also after a failure, because the process would block on unread acknowledgements.
        while True:
            try:
                answer = self._socket.recv(1024)
            except BlockingIOError:
                return self.saved
            except OSError as error:
                self.is_gone = True
                self._fail(f"the process that saves the store is gone: {error.strerror}")
                return self.saved
            if answer.startswith(SAVED):
                self._take(int(answer[len(SAVED) :]))
            else:
                self.is_gone = self.is_gone or not answer
                self._fail(answer.decode() or "the process that saves the store has ended")
            if not answer:
                return self.saved

    def _take(self, number: int) -> None:
        """Note that a record is durable, maybe after failures."""
        self.saved = number
        if number >= self.submitted and not self.is_gone:
            self.ok, self.line = True, ""

    def watch(self, now_us: int) -> None:
        """Check the process once a tick.

        The store has failed if it saves nothing for HANG_US while a record waits. A frozen disk
        reports no error, and a restart would lose these records.
        """
        saved = self.poll()
        if self._unsent and not self.is_gone:
            self._send()
        if saved != self._before or saved >= self.submitted:
            self._before, self._since_us = saved, now_us
        elif now_us - self._since_us > (HANG_US if saved else START_US):
            self._fail(f"{self._directory}: the store does not answer")

    def _fail(self, line: str) -> None:
        self.ok = False
        self.line = self.line or line

    def close(self) -> None:
        """Wait until the process has saved its records and ended."""
        self._socket.close()
        self._process.wait()


def serve(directory: str, connection: socket.socket) -> None:
    """Run the process: save each record and answer, until the other side closes.

    A record that fails is tried again until it is saved or another record comes. Only the first
    failure is reported.
    """
    store = Store(directory)
    store.load()
    pending: tuple[int, Record] | None = None
    while True:
        is_new = False
        if pending is None or select.select([connection], [], [], RETRY_S)[0]:
            content = _received(connection, RECORD_BYTES_MAX)
            if not content:
                return
            pending, is_new = decode(content), True
            if pending is None:
                raise StoreError("a record arrived damaged")
        answer, is_saved = _answer(store, *pending)
        pending = None if is_saved else pending
        if is_new or is_saved:
            # The controller may be gone. Its last records are saved anyway.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(answer)


def _received(connection: socket.socket, bytes_max: int, flags: int = 0) -> bytes:
    """The next record; b"" after the other side has closed and every record is received."""
    while True:
        # The other side may have closed before it read every answer. Its records are still queued.
        with contextlib.suppress(ConnectionResetError):
            return connection.recv(bytes_max, flags)


def _answer(store: Store, number: int, record: Record) -> tuple[bytes, bool]:
    """(answer, True if the record is saved)."""
    try:
        store.save(record)
    except StoreError as error:
        return str(error).encode(), False
    return SAVED + str(number).encode(), True


def main(directory: str, descriptor: int) -> None:
    """Start the process, which ends after the controller.

    SIGINT and SIGTERM are for the controller, so they do not end this process. After the controller
    has gone and no record waits, SIGTERM ends it after HANG_US, even if the disk is frozen.
    """
    connection = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit())

    def end_soon(*_: object) -> None:
        # do not end at once, because a received record may not be saved yet
        if _is_left_alone(connection):
            # A second SIGTERM must not start the time again.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.setitimer(signal.ITIMER_REAL, HANG_US / 1e6)

    signal.signal(signal.SIGTERM, end_soon)
    serve(directory, connection)


def _is_left_alone(connection: socket.socket) -> bool:
    """True once the other side has closed and no record waits."""
    try:
        return not _received(connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
