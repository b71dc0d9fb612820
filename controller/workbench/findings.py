"""Collects the values that a profile finds in a capture of a bus, and counts the values that the
profile refuses.
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from drivers.rack_bms import EXTREMES

NO_LIMITS = "no charge voltage has come, by which it is judged"
KINDS_MAX = 1000  # limits memory: each line of a foreign file may have another kind of refusal
_NUMBER = re.compile(r"\b[-+.\dA-F]+\b")


class Value(NamedTuple):
    """One value at a time. place: its register or the id of its frame."""

    time_us: int
    name: str
    value: float
    unit: str
    place: str


class Refusal(NamedTuple):
    """The first case of a refused value or reading. times: the number of such cases."""

    time_us: int
    name: str
    reason: str
    place: str = ""
    times: int = 1


Found = Value | Refusal
Misfit = tuple[str, int, int, int]  # signal, value, lowest, highest


class Changes:
    """Finds the changes of values in a capture, and counts refusals. last: the last value of each
    name. others: ids of frames that belong to no message of the profile.

    Refusals of a signal are of one kind if their reasons differ only in numbers. Each kind keeps
    the text of its first case.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Refusal] = {}
        self.others = set[int]()
        self.last: dict[str, Found] = {}

    def end(self, time_us: int) -> dict[str, tuple[int, str]]:
        """{signal: (value, unit)}: the last value of each signal that the driver stored."""
        raise NotImplementedError

    def fault(self, time_us: int, has_stored: bool) -> str:
        """Why the driver stores nothing at that time. "" if it has stored values and still does."""
        raise NotImplementedError

    def new(self, findings: Iterable[Found]) -> Iterator[Found]:
        """Yield each value that differs from the last value of its name. Count the refusals."""
        for finding in findings:
            if isinstance(finding, Refusal):
                self.refuse(finding)
            last, self.last[finding.name] = self.last.get(finding.name), finding
            if last is None or last[1:] != finding[1:]:
                yield finding

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""
        key = refusal.name, refusal.place, _NUMBER.sub("", refusal.reason)
        if key in self._kinds:
            known = self._kinds[key]
            self._kinds[key] = known._replace(times=known.times + 1)
        elif len(self._kinds) < KINDS_MAX:
            self._kinds[key] = refusal

    def refusals(self, stored: Container[str]) -> list[Refusal]:
        """The refusals, in the order of their first cases. A voltage may come before the limits by
        which it is judged. Its refusal is left out if the driver has stored this signal later.
        """
        return [
            kind
            for kind in self._kinds.values()
            if not (kind.reason.endswith(NO_LIMITS) and kind.name in stored)
        ]


def unit_of(name: str) -> str:
    """The unit in a name such as cell_voltage_mV_12. "" if the name has none of these units."""
    unit = re.sub(r"(_min|_max|_\d+)+$", "", name).rpartition("_")[2]
    return unit if unit in ("W", "mV", "mA", "permille", "ddegC", "s", "kohm") else ""


def of_misfit(time_us: int, misfit: Misfit, place: str) -> Refusal:
    """The refusal of a value of a rack that does not fit its limits."""
    name, value, low, high = misfit
    unit = unit_of(name)
    value_text = f"{value} {unit}".rstrip()
    if name == EXTREMES[0] and low < value:
        reason = f"{value_text} is above the highest cell, {high} mV"
    elif high < low:
        reason = f"{value_text}: {NO_LIMITS}"
    else:
        reason = f"{value_text} is outside its limits; allowed {low}..{high} {unit}".rstrip()
    return Refusal(time_us, name, reason, place)
