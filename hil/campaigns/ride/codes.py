"""Draws ride-through cases: sags of voltage and frequency, from the curve of a grid code.

The curves are the rules of `firebreak audit`. A code whose voltage curve is not known borrows the
curve of CAISO, the longest known one; `is_borrowed` says so.
"""

import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from controller.audit import rules

TICK_S = 0.02
# name of the shipped rule: nominal frequency of that grid, Hz
CODES = {"ercot": 60.0, "caiso": 60.0, "eirgrid": 50.0, "aemc": 50.0, "ieso": 60.0}
BORROWED = "caiso"
# The longest sag, even if the curve allows more. Also the sum of all sags of a case.
LENGTH_S_MAX = 8.0
PU_MAX = 1.25  # highest drawn over-voltage
# Part of the cases that have several sags; the numbers of sags to draw from; the range of the pause
# between two sags, s.
SEVERAL, SAGS, GAP_S = 0.3, (2, 3, 5, 20), (0.2, 1.0)
RISE_HZ_PER_S = 2.0  # rate of a frequency sag, if the code gives no limit
OFF_HZ_MAX = 2.5  # largest deviation of the frequency, if the code limits only its rate
# what the load does in a sag: it draws on, falls with the voltage, or leaves below 0.7 pu
HOLDS, FALLS, LEAVES = "holds", "falls", "leaves"
LOADS = HOLDS, FALLS, LEAVES
REQUESTS_kW = 0, 100, -100
BEYOND = 1.3, 3.0  # the length of a sag outside the curve, as a multiple of the allowed length


class Sag(NamedTuple):
    """One sag. value: pu if kind is voltage, Hz if it is frequency. rate_Hz_per_s: slope of a
    frequency sag.
    """

    kind: str
    at_s: float
    for_s: float
    value: float
    rate_Hz_per_s: float = 0.0


class Case(NamedTuple):
    """Times count from the start of the case. outside_s: the first moment outside the curve."""

    code: str
    number: int
    sags: tuple[Sag, ...]
    load: str
    request_kW: int
    wave: tuple[float, float]  # the load's wave: share of its power, period in s
    outside_s: float | None

    @property
    def name(self) -> str:
        """Its code and its number."""
        return f"{self.code} {self.number}"

    @property
    def end_s(self) -> float:
        """The end of the last sag."""
        last = self.sags[-1]
        return last.at_s + last.for_s


def curve(code: str) -> dict[str, Any]:
    """The values of the code's ride-through rule, with a voltage curve (a borrowed one if
    needed).
    """
    values = _values(code)
    if not values["voltage_pu_s"]:
        lowest_pu = values["normal_pu"][0]
        rows = [row for row in _values(BORROWED)["voltage_pu_s"] if row[1] <= lowest_pu]
        values = {**values, "voltage_pu_s": rows}
    return values


def is_borrowed(code: str) -> bool:
    """True if the code's own voltage curve is not known."""
    return not _values(code)["voltage_pu_s"]


def _values(code: str) -> dict[str, Any]:
    return next(rule.values for rule in rules.load(code) if rule.quantity == rules.RIDE)


def drawn(code: str, number: int, seed: int, is_outside: bool) -> Case:
    """The case of a code with this number."""
    deal = random.Random(f"{seed}/ride/{code}/{number}")
    values, at_s = curve(code), _ticks(deal.uniform(2.0, 3.0))
    is_several = not is_outside and deal.random() < SEVERAL
    sags = []
    count = deal.choice(SAGS) if is_several else 1
    for _ in range(count):
        sags.append(_sag(deal, code, at_s, LENGTH_S_MAX / count, is_outside))
        at_s = _ticks(at_s + sags[-1].for_s + deal.uniform(*GAP_S))
    return Case(
        code,
        number,
        sags=tuple(sags),
        load=deal.choice(LOADS),
        request_kW=deal.choice(REQUESTS_kW),
        wave=(deal.uniform(0.0, 0.15), deal.uniform(2.0, 8.0)),
        outside_s=_outside_s(sags[0], values) if is_outside else None,
    )


def _ticks(time_s: float) -> float:
    return round(round(time_s / TICK_S) * TICK_S, 3)


def _sag(deal: random.Random, code: str, at_s: float, longest_s: float, is_outside: bool) -> Sag:
    values = curve(code)
    rows = {name: _fitting(values[name], is_outside) for name in ("voltage_pu_s", "frequency_Hz_s")}
    has_frequency = rows["frequency_Hz_s"] or values["rate_Hz_per_s"]
    if not has_frequency or deal.random() < 0.6:
        low, high, most_s = deal.choice(rows["voltage_pu_s"])
        value = deal.uniform(low, min(high, PU_MAX))
        return Sag("voltage", at_s, _length_s(deal, min(most_s, longest_s), is_outside), value)
    if values["rate_Hz_per_s"]:
        return _slope(deal, values["rate_Hz_per_s"], CODES[code], at_s, is_outside)
    low, high, most_s = deal.choice(rows["frequency_Hz_s"])
    value = deal.uniform(max(low, CODES[code] - 4), min(high, CODES[code] + 4))
    length_s = (
        _length_s(deal, min(most_s, longest_s), is_outside)
        + 2 * abs(value - CODES[code]) / RISE_HZ_PER_S
    )
    return Sag("frequency", at_s, _ticks(length_s), value, RISE_HZ_PER_S)


def _fitting(rows: Sequence[Sequence[float]], is_outside: bool) -> list[Sequence[float]]:
    """The rows from which a sag's length can be drawn. A sag inside the curve needs a row that
    allows more than 0 s. A sag outside needs a row that allows less than LENGTH_S_MAX.
    """
    return [row for row in rows if (row[2] < LENGTH_S_MAX if is_outside else row[2] > 0)]


def _length_s(deal: random.Random, most_s: float, is_outside: bool) -> float:
    if is_outside:
        return _ticks(max(0.2, most_s * deal.uniform(*BEYOND)))
    return max(TICK_S, _ticks(deal.uniform(TICK_S, most_s) - TICK_S / 2))  # never above most_s


def _slope(
    deal: random.Random, most_Hz_per_s: float, nominal_Hz: float, at_s: float, is_outside: bool
) -> Sag:
    share = deal.uniform(1.1, 2.0) if is_outside else deal.uniform(0.1, 0.98)
    rate = share * most_Hz_per_s
    off_Hz = rate if is_outside else min(OFF_HZ_MAX, rate * deal.uniform(0.2, 3.0))
    length_s = 2 * off_Hz / rate + deal.uniform(0.1, 1.0)
    way = deal.choice((-1, 1))
    return Sag("frequency", at_s, _ticks(length_s), nominal_Hz + way * off_Hz, rate)


def _outside_s(sag: Sag, values: dict[str, Any]) -> float:
    """The first moment outside the curve, for a sag that leaves the curve."""
    if sag.kind == "frequency" and values["rate_Hz_per_s"]:
        return sag.at_s + values["rate_window_s"]
    key, normal = (
        ("voltage_pu_s", values["normal_pu"])
        if sag.kind == "voltage"
        else ("frequency_Hz_s", values["normal_Hz"])
    )
    row = next(band for band in values[key] if band[0] <= sag.value <= band[1])
    middle = math.fsum(normal) / 2
    edge = row[1] if sag.value < middle else row[0]
    rise_s = abs(edge - middle) / sag.rate_Hz_per_s if sag.rate_Hz_per_s else 0.0
    return sag.at_s + rise_s + float(row[2])


def voltage_pu(sags: Sequence[Sag], t_s: float) -> float:
    """The voltage at this time of the case."""
    for sag in sags:
        if sag.kind == "voltage" and sag.at_s <= t_s < sag.at_s + sag.for_s:
            return sag.value
    return 1.0


def frequency_Hz(sags: Sequence[Sag], nominal_Hz: float, t_s: float) -> float:
    """The frequency at this time of the case. A sag falls and rises at its own rate."""
    for sag in sags:
        left_s = min(t_s - sag.at_s, sag.at_s + sag.for_s - t_s)
        if sag.kind == "frequency" and left_s > 0:
            off_Hz = sag.value - nominal_Hz
            most_Hz = min(abs(off_Hz), sag.rate_Hz_per_s * left_s)
            return nominal_Hz + (most_Hz if off_Hz > 0 else -most_Hz)
    return nominal_Hz
