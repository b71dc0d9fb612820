"""Finds what the times of a foreign series mean, and whether its unit is right.

A time may be the start or the end of the period of its value. If an end is taken as a start, all
values move by one period, such as PV by an hour. A price may have another currency, or be for
another amount of energy, than its name says. If neither the file nor its user (`time_is`) states
the meaning, `Taken.doubts` gets a line, which the caller prints. Every reader of a series calls
`taken`.
"""

import itertools
import math
import re
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from controller.series.middle import median
from controller.series.money import currencies, other_currency, scales, small
from controller.series.refusal import SeriesError
from controller.series.units import CENT_PER_KWH, PER_KWH, PER_MWH, PRICE, Quantity, Unit

BEGIN, END = "begin", "end"
STEP_S_MAX = 3600.0
LOW_MEDIAN, LOW_MAX = 1.0, 10.0  # prices per MWh are higher, so lower ones are per kWh
PRICE_NAMES = "price_EUR_per_MWh, price_EUR_per_kWh or price_ct_per_kWh"
# A name may join the word with another word, as in `endtime` or `intervalend`.
_EDGE_PATTERN = (
    r"(?<![^\W\d_])(?:period|interval|slot|hour|time|date)?"
    r"(?:{})(?:zeit|tid|time|date)?(?![^\W\d_])"
)
_EDGE_WORDS = {
    BEGIN: "begins?|beginning|beginn|starts?|starting|from|since|von|ab|anfang|seit|fr[a\u00e5]n?"
    "|van|od|d[e\u00e9]but|desde|in[i\u00ed]cio|inizio",
    END: "ends?|ended|ending|ende|until|till?|to|bis|stops?|finish|slutt?|tot|einde?|do|konie?c"
    "|konec|fine?|fim|hasta|he"
    # names of the Australian market, whose times are ends (AEMO, MMS Data Model)
    "|settlementdate|nem",
}
_EDGE_PATTERNS = {
    edge: re.compile(_EDGE_PATTERN.format(pattern)) for edge, pattern in _EDGE_WORDS.items()
}


class Asked(NamedTuple):
    """Expectations of the reader of a series."""

    quantity: Quantity
    currency: str = ""  # currency of a price; "": any
    time_is: str = ""  # BEGIN or END, as the user states; "": not stated


class Taken(NamedTuple):
    """begins_s, step_s: start and length of the period of each value; doubts: lines."""

    begins_s: "array[float]"
    step_s: "array[float]"
    doubts: list[str]


def taken(
    times_s: "array[float]",
    values: Sequence[float],
    names: tuple[str, str],
    unit: Unit | None,
    asked: Asked,
) -> Taken:
    """The periods of values that are in order of time.

    names: columns of the time and of the value. unit: of the value; None: the name has none.
    SeriesError: another currency, or a wrong unit.
    """
    if asked.currency and (foreign := other_currency(names[1], asked.currency)):
        raise SeriesError(f"{names[1]} is in {foreign}: allowed is {asked.currency}, of the tariff")
    doubts = (
        _price_doubts(names[1], unit, values, asked) if asked.quantity.name == PRICE.name else []
    )
    if asked.currency and not currencies(names[1]):
        doubts.append(
            f"{names[1]}: names no currency, taken as {asked.currency}, of the tariff; the key "
            f'unit of the feed can name it, as "{asked.currency}/MWh" or "{asked.currency}/kWh"'
        )
    if asked.currency and not scales(asked.currency):
        doubts.append(
            f"{asked.currency}: the usual size of prices is unknown, so a wrong unit is not seen"
        )
    time_is = asked.time_is or said_by(names[0])
    if not time_is:
        doubts.append(
            f"{names[0]}: taken as the begin of each period; if it is the end: time_is = "
            f'"{END}" of the feed, or this name of the column; else "{BEGIN}"'
        )
    if time_is != END:
        return Taken(times_s, steps_s(times_s), doubts)
    step_s = steps_s([-time_s for time_s in reversed(times_s)])[::-1]
    begins_s = array("d", [at_s - length_s for at_s, length_s in zip(times_s, step_s)])
    return Taken(begins_s, step_s, doubts)


def said_by(name: str) -> str:
    """BEGIN or END, if the column name of the time has a word for only one of them; else ""."""
    edges = [edge for edge, pattern in _EDGE_PATTERNS.items() if pattern.search(small(name))]
    return edges[0] if len(edges) == 1 else ""


def steps_s(times_s: Sequence[float]) -> "array[float]":
    """Seconds for which each value holds, usually until the next value.

    A step that differs from those beside it may be a hole, so the shortest of them counts.
    """
    gaps_s = [after - before for before, after in itertools.pairwise(times_s)]
    gaps_s.append(min(gaps_s[-2:], default=STEP_S_MAX))
    lengths_s = array("d")
    for index, gap_s in enumerate(gaps_s):
        beside_s = gaps_s[max(0, index - 1) : index] + gaps_s[index + 1 : index + 2]
        lengths_s.append(min(STEP_S_MAX, gap_s if gap_s in beside_s else min([gap_s, *beside_s])))
    return lengths_s


def _price_doubts(
    name: str, unit: Unit | None, per_kWh: Sequence[float], asked: Asked
) -> list[str]:
    """Doubts about prices that are too low for their unit. SeriesError: too low without a unit."""
    sizes = [abs(price) / (unit or PER_MWH).factor for price in per_kWh] or [math.inf]
    per_euro = min(scales(asked.currency or name), default=1.0)
    is_low = median(sizes) < LOW_MEDIAN * per_euro and max(sizes) < LOW_MAX * per_euro
    if unit is None and is_low:
        raise SeriesError(
            f"{name} reaches {max(sizes):g}, which is too low for money per MWh: allowed is a "
            f"unit in the name, as {PRICE_NAMES}"
        )
    if unit is None:
        return [f"{name}: no unit in its name, taken as money per MWh; it may be {PRICE_NAMES}"]
    is_low &= unit is PER_MWH
    is_low |= max(sizes) < {CENT_PER_KWH: 1.0, PER_KWH: 1e-3}.get(unit, 0.0) * per_euro
    return [f"{name} reaches only {max(sizes):g} {unit.name}: is the unit right?"] if is_low else []
