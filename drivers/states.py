"""Translates the states of a device by the `values` of its profile.

A manufacturer may add states that no profile names. Such a state must not make the other values of
its reply unknown. So it counts as the less safe of the known states, and the page `links` shows its
number. If there is no less safe value, it is unknown.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from drivers.rack_sources import FAULT
from safety import signals as s

LESS_SAFE = {"state": s.PCS_UNNAMED, "forming": 0, "charge_allowed": 0, "discharge_allowed": 0}
RAW_MAX = (1 << 63) - 1


class States:
    """The values of one register or signal.

    unnamed: the last raw state if the profile does not name it, else None.
    """

    def __init__(self, name: str, values: Mapping[str, int], otherwise: int | None = None):
        """otherwise: the value in the profile for every raw value that is not in `values`."""
        self._values = {int(raw): value for raw, value in values.items()}
        self.less_safe = 1 if name.startswith(FAULT) else LESS_SAFE.get(name)
        self._otherwise = otherwise
        self.unnamed: int | None = None

    def value(self, raw: int) -> int | None:
        """The value of a raw state; None if it has no name and no less safe value."""
        is_named = raw in self._values or self._otherwise is not None
        self.unnamed = None if is_named else min(raw, RAW_MAX)
        return self._values.get(raw, self._otherwise if is_named else self.less_safe)


def unnamed(codecs: Iterable[Any]) -> int | None:
    """The first raw state without a name among the last states of these codecs, or None."""
    raws = [codec.states.unnamed for codec in codecs if codec.states is not None]
    return next((raw for raw in raws if raw is not None), None)
