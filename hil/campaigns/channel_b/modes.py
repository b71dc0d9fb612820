"""Modes of the emulated microcontroller. A word in its outer memory chooses one after a reset.

Only the rig's firmware contains this module. In the mode lockstep, each request on the link is one
step, and the answer is a digest of all state. In the counting mode, the program prints the timer
ticks of some steps.
"""

from array import array

import channel_b_course as course
from machine import mem32
from micropython import heap_lock

from safety import crc, parameters as p, second as sc, second_image as si
from safety.mcu import board_qemu

RUN, LOCKSTEP, COUNT = 0, 1, 2
MODE, STEPS = 0x21000000, 0x2100001C
TIMER_VALUE = 0x40000004
# The inputs are held for 3 steps of 200 ms. Rows 1 and 44 wait 0.5 s, so they have tripped by then.
HELD_STEPS, HELD_MS = 3, 200


def take(board: board_qemu.Board, buffer: bytearray) -> int:
    """The next byte of the link. buffer: of one byte."""
    while not board.read(buffer):
        pass
    return buffer[0]


def answer(board: board_qemu.Board, value: int, word: bytearray) -> None:
    """Send an integer as four bytes. word: a buffer of four bytes."""
    for index in range(4):
        word[index] = value >> 8 * index & 255
    board.send(word)


def lockstep(board: board_qemu.Board, second: sc.Second) -> None:
    """Answer requests: elapsed (1 byte), contacts (2), length (1), that many bytes."""
    line, word, buffer = bytearray(256), bytearray(4), bytearray(1)
    second.blocks = second.kernel.state_blocks()  # type: ignore[attr-defined]
    answer(board, 0, word)
    heap_lock()
    while True:
        elapsed = take(board, buffer)
        contacts = take(board, buffer) | take(board, buffer) << 8
        length = take(board, buffer)
        for index in range(length):
            line[index] = take(board, buffer)
        course.play(second, elapsed, contacts, line, length)
        answer(board, course.digest(crc.START, second), word)


def measure(steps: int, image: "array[int]") -> None:
    """Print the time of each kind of work (see `report`), healthy and tripped."""
    second = sc.Second(image, 0)
    way = course.Course(1, image)
    for _ in range(60):
        way.turn(second)
    works = (
        ("kernel", lambda: second.kernel.judge(1)),
        ("step", lambda: second.step(1, way.contacts)),
        ("report", second.report),
        ("receive", lambda: second.receive(way.line, way.length)),
    )
    for state in ("healthy", "tripped"):
        for name, work in works:
            report(state, name, steps, work, second, way)
    combinations(second, way)
    print("permit", second.permit, "end")


def report(state: str, name: str, steps: int, work, second: sc.Second, way) -> None:  # type: ignore[no-untyped-def]
    """Print the least, the greatest and the sum of timer ticks of `work`."""
    least, most, total = 1 << 29, 0, 0
    for _ in range(steps):
        way.count &= 1  # so that the test sequence never reaches a disturbance
        way.next(second)
        if state == "tripped":
            way.contacts &= ~1
        if name != "receive":
            second.receive(way.line, way.length)
        began = mem32[TIMER_VALUE]
        work()
        taken = began - mem32[TIMER_VALUE]
        if name != "step":
            second.step(1, way.contacts)
        if second.frame_due:
            second.report()
        if name != "receive" or way.length:
            least, most, total = min(least, taken), max(most, taken), total + taken
    print("count", state, name, least, most, total)


def combinations(second: sc.Second, way: course.Course) -> None:
    """Print the time of `judge` in the first step of each combination of contacts."""
    least, most, total = 1 << 29, 0, 0
    held_ticks = HELD_MS // second.kernel.image[p.H_TICK_MS]
    for open_bits in range(sc.RELAY_BIT):
        contacts = course.ALL_CLOSED & ~open_bits
        second.see(contacts)
        began = mem32[TIMER_VALUE]
        second.kernel.judge(1)
        taken = began - mem32[TIMER_VALUE]
        for _ in range(HELD_STEPS):
            way.count &= 1
            way.next(second)
            second.receive(way.line, way.length)
            second.step(held_ticks, contacts)
            if second.frame_due:
                second.report()
        least, most, total = min(least, taken), max(most, taken), total + taken
    print("count combinations kernel", least, most, total)


def main() -> None:
    """Run the mode that the mode word names."""
    mode = mem32[MODE]
    if mode == RUN:
        from safety.mcu import main  # noqa: F401  it runs as it is imported

        return
    board = board_qemu.Board()
    image = si.read_file(board.image())
    if mode == LOCKSTEP:
        lockstep(board, sc.Second(image, 0))
    measure(mem32[STEPS], image)


main()
