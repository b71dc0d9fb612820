"""Channel B's loop: bytes until the tick is due, one step, relay, frame, and only then the
watchdog.

A board (board_*.py) is everything that touches the hardware:
    image() -> bytes of the limit image
    remembered() -> latch level of the last run, count and digest of channel A's store;
    remember(level, count, digest)
    contacts() -> bits in the order of second.CONTACT_NAMES, 1: closed; relay(on)
    read(buffer) -> how many bytes of the link were put there; send(data)
    start(tick_ms): clock and watchdog run from here; elapsed() -> whole ticks since it last said so
    kick(): the watchdog; lock_heap(); service() -> True: do not run, somebody loads the board
"""

from safety import parameters as p, second as sc, second_image as si

LINE = bytearray(64)  # bytes taken from the link at a time


def build(board):
    """The channel on a board, relay off, nothing running yet. ValueError when there is no usable
    limit image.
    """
    board.relay(0)
    return sc.Second(si.read_file(board.image()), *board.remembered())


def start(board, second):
    """From here the watchdog wants to be kicked, and nothing may allocate."""
    board.start(second.kernel.image[p.H_TICK_MS])
    board.lock_heap()
    # what a watchdog or an unreadable file left is nowhere yet: a cut of power would end it
    if second.latch_level:
        _remember(board, second)


def turn(board, second):
    """One tick. The watchdog is kicked only when all of it was done: a hang anywhere lets the relay
    fall.
    """
    elapsed = _wait(board, second)
    level = second.latch_level
    count = second.kept_count
    second.step(elapsed, board.contacts())
    board.relay(second.permit)
    if second.latch_level != level or second.kept_count != count:  # effect first, then persist
        _remember(board, second)
    if second.frame_due:
        board.send(second.report())
    board.kick()


def _remember(board, second):
    board.remember(second.latch_level, second.kept_count, second.kept_digest)


def _wait(board, second):
    """Take the link's bytes until at least one tick has passed; returns how many."""
    while True:
        count = board.read(LINE)
        if count:
            second.receive(LINE, count)
        elapsed = board.elapsed()
        if elapsed:
            return elapsed


def run(board):
    """Never ends by itself but for service. Whatever ends it leaves the relay off, and the watchdog
    does the rest.
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
