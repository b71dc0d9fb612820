"""The highest epoch of each sender of hints: a restart must not let an earlier sender in again.

A program that shares a connection among cabinets takes a new epoch at each start. The epoch is the
upper half of the sequence of its hints. A cabinet that forgot the epoch at a restart would take the
hints of an earlier program, which may have been replaced because nobody could stop it.
"""

from collections.abc import Sequence

from controller.run.stored_value import Acknowledging


class Epochs:
    """`highest`: by the name of source and key (hints/admission.py)."""

    def __init__(self, stored: dict[str, int]):
        """stored: from the record of the last run."""
        self.highest = dict(stored)
        self._numbers: dict[str, int] = {}  # of the first record that has the epoch

    def take(self, names: Sequence[str], epoch: int) -> bool:
        """Take an epoch under names[0]. names: one for each present key of the source; the epochs
        of its other keys are removed. Returns True if a record must be stored.
        """
        if epoch <= self.highest.get(names[0], 0):
            return False
        source = names[0].rpartition(".")[0]
        stored = [name for name in self.highest if name.rpartition(".")[0] == source]
        for name in {*stored} - {*names}:
            del self.highest[name]
        self.highest[names[0]] = epoch
        return True

    def submitted(self, name: str, number: int) -> None:
        """The keeper has received a record with the highest epoch of this name."""
        self._numbers[name] = number

    def is_stored(self, name: str, keeper: Acknowledging) -> bool:
        """True once the highest epoch of this name is on the disk."""
        return keeper.poll() >= self._numbers.get(name, 0)
