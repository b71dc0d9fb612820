"""Runs the loop of channel B.

It takes bytes until the tick is due. Then it runs one step, sets the relay, sends the frame, and
kicks the watchdog last.
"""

from safety import parameters as p, second as sc, second_image as si

LINE = bytearray(64)  # bytes taken from the link at a time


class Board:
    """The methods of a board (board_*.py): only a board touches the hardware."""

    def service(self) -> bool:
        """True while the service jumper is fitted: the loop must not run."""

    def image(self) -> bytes:
        """The file of the limit image. OSError if the file is missing."""

    def remembered(self) -> tuple[int, int, int]:
        """Latch level of the last run, and revision and digest of the store of channel A."""

    def remember(self, level: int, count: int, digest: int) -> None:
        """Store what `remembered` returns after the next start."""

    def start(self, tick_ms: int) -> None:
        """Start clock and watchdog."""

    def lock_heap(self) -> None:
        """Lock the heap: nothing may allocate afterwards."""

    def elapsed(self) -> int:
        """Whole ticks since the last call. A remaining part of a tick counts in the next call."""

    def contacts(self) -> int:
        """Bits in the order of second.CONTACT_NAMES; 1: closed."""

    def relay(self, on: int) -> None:
        """Set the permit relay."""

    def read(self, buffer: bytearray) -> int:
        """Copy received bytes into `buffer`; returns how many."""

    def send(self, data: bytearray) -> None:
        """Send a frame."""

    def kick(self) -> None:
        """Reload the watchdog."""


def build(board: Board) -> sc.Second:
    """Channel B on a board: relay off, clock and watchdog not started.

    OSError or ValueError if there is no usable limit image.
    """
    board.relay(0)
    return sc.Second(si.read_file(board.image()), *board.remembered())


def start(board: Board, second: sc.Second) -> None:
    """Start clock and watchdog, and lock the heap: nothing may allocate afterwards."""
    board.start(second.kernel.image[p.H_TICK_MS])
    board.lock_heap()
    # A latch that the watchdog or an unreadable file has caused is not in the file yet. Without
    # this call it would be lost at the next power cut.
    if second.latch_level:
        _remember(board, second)


def turn(board: Board, second: sc.Second) -> None:
    """One tick. The watchdog is kicked last, so a hang anywhere drops the relay."""
    elapsed = _wait(board, second)
    level = second.latch_level
    kept_count = second.kept_count
    second.step(elapsed, board.contacts())
    board.relay(second.permit)
    # storing is slow, so it comes after the relay
    if second.latch_level != level or second.kept_count != kept_count:
        _remember(board, second)
    if second.frame_due:
        board.send(second.report())
    board.kick()


def _remember(board: Board, second: sc.Second) -> None:
    board.remember(second.latch_level, second.kept_count, second.kept_digest)


def _wait(board: Board, second: sc.Second) -> int:
    """Take bytes from the link until at least one tick has passed; returns the number of ticks."""
    while True:
        count = board.read(LINE)
        if count:
            second.receive(LINE, count)
        elapsed = board.elapsed()
        if elapsed:
            return elapsed


def run(board: Board) -> None:
    """Run until an exception. With the service jumper fitted, return at once.

    Either end switches the relay off. Then the watchdog, if it was started, resets the board.
    """
    try:
        if board.service():
            return
        second = build(board)
        start(board, second)
        while True:
            turn(board, second)
    finally:
        board.relay(0)
