"""Describes the process image for drivers: they store integers, and mark groups as fresh."""

from collections.abc import MutableSequence
from typing import Protocol


class Sink(Protocol):
    """The process image (controller/core/image.py). A driver writes `inp` before `fresh`."""

    @property
    def inp(self) -> MutableSequence[int]:
        """Input signals, by the indexes of safety.signals.Layout."""

    @property
    def fresh(self) -> MutableSequence[int]:
        """1 for each group that has arrived completely since the last tick."""
