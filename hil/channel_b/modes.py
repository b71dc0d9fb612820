"""What the emulated microcontroller does after a reset, by a word in its outer memory: its work, or a measurement.

Frozen into the rig's firmware only. In lockstep each request on the link is one step (elapsed, contacts, bytes that
came), answered with a digest of all state; in counting it prints how many timer ticks some steps took.
"""

import gc

import course
from machine import mem8, mem32
from micropython import heap_lock
from safety import crc
from safety import second as sc
from safety.mcu import board_qemu

RUN, LOCKSTEP, COUNT = 0, 1, 2
MODE, STEPS = 0x21000000, 0x2100001C
TIMER_VALUE = 0x40000004


def wait_byte(board):
    """The next byte of the link."""
    while True:
        byte = board.byte()
        if byte >= 0:
            return byte


def answer(board, value, word):
    """Four bytes of an integer."""
    for at in range(4):
        word[at] = value >> 8 * at & 255
    board.send(word)


def lockstep(board, second):
    """Answer requests: elapsed (1 byte), contacts (2), length (1), that many bytes."""
    line, word = bytearray(256), bytearray(4)
    second.blocks = second.kernel.state_blocks()
    answer(board, 0, word)
    gc.collect()
    heap_lock()
    while True:
        elapsed = wait_byte(board)
        contacts = wait_byte(board) | wait_byte(board) << 8
        length = wait_byte(board)
        for at in range(length):
            line[at] = wait_byte(board)
        course.play(second, elapsed, contacts, line, length)
        answer(board, course.digest(crc.START, second), word)


def measure(steps, image):
    """Print per kind of work the least, the greatest and the sum of timer ticks over `steps` steps."""
    second = sc.Second(image, 0)
    way = course.Course(1, image)
    for _ in range(60):
        way.next(second)
        course.play(second, way.elapsed, way.contacts, way.line, way.length)
    report("kernel", steps, lambda: second.kernel.step(1), second, way)
    report("step", steps, lambda: second.step(1, way.contacts), second, way)
    report("frame received", steps, lambda: receive(second, way), second, way)
    way.contacts &= ~1
    second.step(1, way.contacts)
    report("step, tripped", steps, lambda: second.step(1, way.contacts), second, way)
    print("permit", second.permit, "end")


def receive(second, way):
    """The bytes that came with one tick."""
    for at in range(way.length):
        second.receive(way.line[at])


def report(name, steps, work, second, way):
    """Count the timer ticks of `work` alone, the course going on between."""
    least, most, total = 1 << 29, 0, 0
    for _ in range(steps):
        tripped = not second.permit
        way.next(second)
        if tripped:
            way.contacts &= ~1
        if not name.startswith("frame"):
            receive(second, way)
        began = mem32[TIMER_VALUE]
        work()
        taken = began - mem32[TIMER_VALUE]
        if name.startswith("frame"):
            second.step(1, way.contacts)
        least, most, total = min(least, taken), max(most, taken), total + taken
    began = mem32[TIMER_VALUE]
    print(name, "ticks", least, most, total, began - mem32[TIMER_VALUE])


def main():
    """By the mode word."""
    mode = mem32[MODE]
    if mode == RUN:
        from safety.mcu import main  # noqa: F401  it runs as it is imported
        return
    board = board_qemu.Board()
    image = sc.read_file(board.image())
    if mode == LOCKSTEP:
        lockstep(board, sc.Second(image, 0))
    measure(mem32[STEPS], image)
    mem8[0x21000003] = 1  # done


main()
