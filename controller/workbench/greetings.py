"""Finds the devices on a Modbus bus for `firebreak bus probe`, with reads only.

Nearly every device answers the reads in GREETINGS. A unit that answers none of them gets the first
read of each profile, because some devices answer only reads of their own registers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from controller.system import clock
from controller.workbench import fits
from controller.workbench.fits import Answer
from drivers.profile import Profile

# Nearly every Modbus device answers one of these reads, at least with an exception: holding
# registers, input registers, contacts, SunSpec.
GREETINGS = ((3, 0, 1), (4, 0, 1), (2, 0, 1), (3, 40000, 2))
# Exceptions with which a device says that it has no such function, address or value.
EXCEPTIONS_OF_DEVICES = [f"{fits.EXCEPTION}{code}" for code in (1, 2, 3)]
SILENT = "no answer"
# Longest time for the first reads of profiles at one baud rate. 10 silent units x 53 reads would
# need 90 s.
FIRST_READS_S = 30
WIRE_MS = 20  # time of a read on the wire at 9600 Bd, before its time-out begins


def first_reads(profiles: Iterable[Profile]) -> list[fits.Place]:
    """The first read of each profile, each only once. A read of many profiles comes first."""
    counts = Counter[fits.Place]()

    def silent(function: int, address: int, count: int) -> Answer:
        counts[function, address, count] += 1
        return SILENT

    for profile in profiles:
        fits.judged(profile, silent)
    return [place for place, _ in counts.most_common()]


def ask_silent(
    reads: Mapping[int, fits.Read], answers: dict[int, list[Answer]], places: list[fits.Place]
) -> list[str]:
    """Try the first read of each profile on each silent unit, until the unit answers or the time is
    over. Returns a note if the time was too short.
    """
    silent = [unit_id for unit_id in reads if set(answers[unit_id]) == {SILENT}]
    end_us = clock.now_us() + FIRST_READS_S * 1_000_000
    for asked, place in enumerate(places):
        for unit_id in list(silent):
            if clock.now_us() >= end_us:
                progress = f"{asked} of {len(places)} first reads of profiles"
                return [f"{progress} in {FIRST_READS_S} s: --units and --baud ask more of fewer"]
            answers[unit_id] += [reads[unit_id](*place)]
            if answers[unit_id][-1] != SILENT:
                silent.remove(unit_id)
    return []


def longest(units: int, bauds: int, timeout_ms: int, profiles: Iterable[Profile]) -> str:
    """A line about how long the probe takes if nothing answers."""
    read_s = (timeout_ms + WIRE_MS) / 1000
    first_s = min(FIRST_READS_S, units * len(first_reads(profiles)) * read_s)
    whole_s = bauds * (units * len(GREETINGS) * read_s + first_s)
    rate_text = f" at {bauds} baud rates" if bauds > 1 else ""
    return f"probe of {units} addresses{rate_text}: about {whole_s:.0f} s if nothing answers"


def refusal_code(greeting: list[Answer]) -> int:
    """The exception code of a unit that sends only exceptions for other reasons than function,
    address or value, else 0. A gateway without its device, or a busy device, sends such a code.
    """
    if any(map(is_answer, greeting)):
        return 0
    codes = [str(answer) for answer in greeting if str(answer).startswith(fits.EXCEPTION)]
    return int(codes[0].removeprefix(fits.EXCEPTION)) if codes else 0


def is_answer(answer: Answer) -> bool:
    """True for data, and for an exception about function, address or value. These come from the
    device itself. Any other exception may come from a gateway.
    """
    return isinstance(answer, bytes) or answer in EXCEPTIONS_OF_DEVICES


def is_telling(answer: Answer) -> bool:
    """True for data that is not 0. Exceptions and zeros say nothing about a device, because devices
    of every kind send them.
    """
    return isinstance(answer, bytes) and any(answer)
