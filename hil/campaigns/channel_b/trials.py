"""Trials of channel B on a live link, timed from outside by the Partner, which plays channel A."""

import os
import select
import time
from array import array
from collections.abc import Callable
from typing import TypeVar

from hil.campaigns.channel_b import memory as mem
from hil.campaigns.channel_b.emulator import Emulator
from hil.campaigns.channel_b.partner import GUARD_S, Partner, TrialError
from hil.oracle import channel_b_course as course
from safety import channel as c, crc, frame as f, latches, matrix as m, peer as pe, second as sc

HELD_UP_S_MAX = 0.015
# If the observer was held up for longer, channel A may have seemed silent to channel B.
SEEMS_SILENT_S = 0.1
TRIES = 10
Result = TypeVar("Result")


def boot(partner: Partner, began_s: float) -> tuple[float, float]:
    """Time to the first frame, s, and to the first permit, s."""
    first_s = began_s
    while partner.receiver.refused[c.R_FIRST] == 0 and time.monotonic() < began_s + GUARD_S:
        partner.turn()
        first_s = time.monotonic()
    permit_s = partner.wait(partner.permitted, "the first permit")
    return first_s - began_s, first_s - began_s + permit_s


def several(partner: Partner, trial: Callable[[Partner, int], Result], count: int) -> list[Result]:
    """Results of `count` trials. If the machine held up this observer, a trial is made again."""
    results = []
    for number in range(TRIES * count):
        try:
            result = trial(partner, number)
            held_up = partner.held_up_s > HELD_UP_S_MAX
        except TrialError:
            if partner.late_s <= SEEMS_SILENT_S:
                raise
            held_up = True
        if held_up:
            partner.repeated += 1
            continue
        results.append(result)
        if len(results) == count:
            return results
    raise TrialError(
        f"the machine is too busy: of {TRIES * count} trials only {len(results)} were not held up "
        f"for {HELD_UP_S_MAX * 1000:g} ms or more"
    )


def estop(partner: Partner, number: int) -> float:
    """Time from an E-stop at channel B, while channel A is silent, to the fallen permit, s."""
    partner.begin(number)
    partner.board.memory.write(mem.CONTACTS, mem.ALL_CLOSED & ~1)
    partner.sending = False
    taken_s = partner.fall()
    partner.wait(lambda: partner.reported(f.REASON) != pe.OK, "channel B gives a reason")
    if partner.reported(f.REASON) != pe.INTERLOCK:
        raise TrialError(f"the permit fell for another reason: {partner.reason()}")
    stage = m.STAGES[partner.reported(f.SUBJECT) - 1]
    if stage[m.S_ROW] != 1:
        raise TrialError(f"channel B names stage {stage[m.S_ID]}")
    return taken_s


def silence(partner: Partner, number: int) -> float:
    """Time from the last frame of channel A, which falls silent, to the fallen permit, s."""
    partner.begin(number)
    partner.sending = False
    partner.fall()
    taken_s = time.monotonic() - partner.sent_s
    partner.wait_for(pe.SILENT)
    partner.sending = True
    partner.wait_for(pe.WAITS)
    if partner.permitted():
        raise TrialError("the permit came back while channel A gave its own")
    partner.vote = 0
    partner.wait(partner.permitted, "the permit returns when A gives none")
    return taken_s


def hang(partner: Partner, number: int) -> tuple[float, float]:
    """(s until the permit of a program that hangs falls, s from then until the next frame)."""
    partner.begin(number)
    memory = partner.board.memory
    memory.write(mem.HANG, 1)
    falls_s = partner.fall()
    memory.write(mem.HANG, 0)
    partner.vote = 0
    partner.receiver.forget()
    heard = partner.receiver.accepted
    returns_s = partner.wait(lambda: partner.receiver.accepted > heard, "it starts by itself")
    partner.wait_for(pe.INTERLOCK)
    return falls_s, returns_s


def reset(partner: Partner) -> None:
    """Send the remote reset that the watchdog's latch needs, 5 s after its cause has gone."""
    frame = partner.sender.frame
    partner.rest(5.5)
    frame.put(f.RESET_FIRST_OUT, partner.reported(f.FIRST_OUT))
    frame.put(f.RESET_MASK, partner.reported(f.CAUSE_MASK))
    frame.put(f.RESET_KIND, m.REMOTE)
    partner.wait(lambda: partner.reported(f.RESET_RESULT) != 0, "an answer to the reset")
    frame.put(f.RESET_KIND, 0)
    result = partner.reported(f.RESET_RESULT)
    if result != latches.DONE:
        raise TrialError(f"the reset: {latches.RESULTS[result]}")
    partner.wait(partner.permitted, "the permit after the reset")


def lockstep(board: Emulator, image: "array[int]", seed: int, steps: int) -> int:
    """Number of the steps with the same state and frame on the board and on CPython."""
    second, way = sc.Second(image, 0), course.Course(seed, image)
    second.blocks = second.kernel.state_blocks()  # type: ignore[attr-defined]
    _answer(board)
    equal = 0
    for _ in range(steps):
        way.turn(second)
        head = bytes((way.elapsed, way.contacts & 255, way.contacts >> 8, way.length))
        os.write(board.link, head + way.line[: way.length])
        equal += _answer(board) == course.digest(crc.START, second)
    return equal


def _answer(board: Emulator) -> int:
    """The board's answer: four bytes as an integer."""
    data, until_s = b"", time.monotonic() + GUARD_S
    while len(data) < 4:
        if not select.select([board.link], (), (), max(0.0, until_s - time.monotonic()))[0]:
            raise TrialError("the microcontroller does not answer")
        data += os.read(board.link, 4 - len(data))
    return int.from_bytes(data, "little")
