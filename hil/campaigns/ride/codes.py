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
# The longest sag, even if the curve allows more. All sags of a case together are not longer.
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
        """The code and the number of the case."""
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
    rng = random.Random(f"{seed}/ride/{code}/{number}")
    at_s = _whole_ticks_s(rng.uniform(2.0, 3.0))
    is_several = not is_outside and rng.random() < SEVERAL
    sags = []
    count = rng.choice(SAGS) if is_several else 1
    for _ in range(count):
        sags.append(_sag(rng, code, at_s, LENGTH_S_MAX / count, is_outside))
        at_s = _whole_ticks_s(at_s + sags[-1].for_s + rng.uniform(*GAP_S))
    return Case(
        code,
        number,
        sags=tuple(sags),
        load=rng.choice(LOADS),
        request_kW=rng.choice(REQUESTS_kW),
        wave=(rng.uniform(0.0, 0.15), rng.uniform(2.0, 8.0)),
        outside_s=_outside_s(sags[0], curve(code)) if is_outside else None,
    )


def _whole_ticks_s(time_s: float) -> float:
    return round(round(time_s / TICK_S) * TICK_S, 3)


def _sag(rng: random.Random, code: str, at_s: float, longest_s: float, is_outside: bool) -> Sag:
    values, nominal_Hz = curve(code), CODES[code]
    rate_Hz_per_s = values["rate_Hz_per_s"]
    frequency_rows = _fitting(values["frequency_Hz_s"], is_outside)
    if not (frequency_rows or rate_Hz_per_s) or rng.random() < 0.6:
        low_pu, high_pu, most_s = rng.choice(_fitting(values["voltage_pu_s"], is_outside))
        voltage_pu = rng.uniform(low_pu, min(high_pu, PU_MAX))
        length_s = _length_s(rng, min(most_s, longest_s), is_outside)
        return Sag("voltage", at_s, length_s, voltage_pu)
    if rate_Hz_per_s:
        return _slope(rng, rate_Hz_per_s, nominal_Hz, at_s, is_outside)
    low_Hz, high_Hz, most_s = rng.choice(frequency_rows)
    frequency_Hz = rng.uniform(max(low_Hz, nominal_Hz - 4), min(high_Hz, nominal_Hz + 4))
    length_s = _length_s(rng, min(most_s, longest_s), is_outside)
    length_s += 2 * abs(frequency_Hz - nominal_Hz) / RISE_HZ_PER_S
    return Sag("frequency", at_s, _whole_ticks_s(length_s), frequency_Hz, RISE_HZ_PER_S)


def _fitting(rows: Sequence[Sequence[float]], is_outside: bool) -> list[Sequence[float]]:
    """The rows from which a sag's length can be drawn. A sag inside the curve needs a row that
    allows more than 0 s. A sag outside needs a row that allows less than LENGTH_S_MAX.
    """
    return [row for row in rows if (row[2] < LENGTH_S_MAX if is_outside else row[2] > 0)]


def _length_s(rng: random.Random, most_s: float, is_outside: bool) -> float:
    if is_outside:
        return _whole_ticks_s(max(0.2, most_s * rng.uniform(*BEYOND)))
    # Half a tick less, so that rounding never gives more than most_s.
    return max(TICK_S, _whole_ticks_s(rng.uniform(TICK_S, most_s) - TICK_S / 2))


def _slope(
    rng: random.Random, most_Hz_per_s: float, nominal_Hz: float, at_s: float, is_outside: bool
) -> Sag:
    share = rng.uniform(1.1, 2.0) if is_outside else rng.uniform(0.1, 0.98)
    rate_Hz_per_s = share * most_Hz_per_s
    off_Hz = rate_Hz_per_s
    if not is_outside:
        off_Hz = min(OFF_HZ_MAX, rate_Hz_per_s * rng.uniform(0.2, 3.0))
    length_s = _whole_ticks_s(2 * off_Hz / rate_Hz_per_s + rng.uniform(0.1, 1.0))
    frequency_Hz = nominal_Hz + rng.choice((-1, 1)) * off_Hz
    return Sag("frequency", at_s, length_s, frequency_Hz, rate_Hz_per_s)


def _outside_s(sag: Sag, values: dict[str, Any]) -> float:
    """The first moment outside the curve, for a sag that leaves the curve."""
    if sag.kind == "frequency" and values["rate_Hz_per_s"]:
        return sag.at_s + values["rate_window_s"]
    bands, normal = values["frequency_Hz_s"], values["normal_Hz"]
    if sag.kind == "voltage":
        bands, normal = values["voltage_pu_s"], values["normal_pu"]
    low, high, most_s = next(band for band in bands if band[0] <= sag.value <= band[1])
    middle = math.fsum(normal) / 2
    edge = high if sag.value < middle else low
    rise_s = abs(edge - middle) / sag.rate_Hz_per_s if sag.rate_Hz_per_s else 0.0
    return sag.at_s + rise_s + float(most_s)


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
