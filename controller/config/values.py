"""Looks up the merged values of a configuration. It adds defaults, refuses missing keys, and knows
the file of each value.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from controller.config import schema
from controller.config.thresholds import LFP
from controller.forms.field import Entry, Field, allowed_text, check_tighter
from controller.forms.refusal import Path, not_allowed, refuse

NUMBERED = ("unit", "rack")  # sections with a table for each number and one named `all`
SAFE = ("cabinet", *NUMBERED)  # sections whose values go into the limit image


@dataclass(eq=False)
class Values:
    """Looks up values. entries: {path: Entry} of the merged layers. last_file: the cabinet file.
    chemistry: of the cells; it decides defaults and ranges.
    """

    entries: dict[Path, Entry]
    last_file: str
    chemistry: str = LFP

    def spec(self, path: Path) -> Field:
        """Field of the key at `path`. Raises KeyError for an unknown key."""
        field = schema.spec_of(path, self.chemistry)
        if field is None:
            raise KeyError(path)
        return field

    def entry(self, *path: str) -> Entry | None:
        """Entry of the key. If no file has the key, an entry with its default, or None."""
        if path[0] in NUMBERED and path[1] != "all":
            return self._numbered(*path)
        if path in self.entries:
            return self.entries[path]
        default = self.spec(path).default
        return None if default is None else Entry(default, self.last_file)

    def get(self, *path: str) -> Any:
        """Value of the key or its default, or None."""
        entry = self.entry(*path)
        return entry.value if entry else None

    def need(self, *path: str) -> Any:
        """Value of a required key."""
        return self.needed(*path).value

    def needed(self, *path: str) -> Entry:
        """Entry of a required key."""
        entry = self.entry(*path)
        if entry is None:
            self.refuse(path, "is missing", allowed_text(self.spec(path)))
        return entry

    def file(self, *path: str) -> str:
        """The file that holds the key, or the last layer."""
        return self.entries[path].file if path in self.entries else self.last_file

    def refuse(
        self, path: Path, problem: str, allowed: str = "", equipment: Sequence[str] = ()
    ) -> NoReturn:
        """Refuse a key in the file that holds it. equipment: see refusal.refuse."""
        refuse(self.file(*path), path, problem, allowed, equipment=equipment)

    def not_accepted(self, name: str, problem: str) -> NoReturn:
        """Refuse a file that lacks equipment, because no person has accepted that it is missing."""
        path = ("not_fitted", name)
        self.refuse(path, f"is missing: {problem}", self.spec(path).allowed[1], (name,))

    def not_allowed(self, path: Path, allowed: str, candidates: Collection[str] = ()) -> NoReturn:
        """Refuse the value of a key in the file that holds it."""
        value, unit = self.get(*path), self.spec(path).unit
        not_allowed(self.file(*path), path, value, allowed, candidates, unit)

    def check_no_more(self, table: Path, kind: str, keys: Sequence[str]) -> None:
        """Refuse every key of a table that is not in `keys`. kind: text about the table."""
        for path in self.entries:
            if path[:-1] == table and path[-1] not in keys:
                self.refuse(path, f"is not a key of {kind}", ", ".join(keys))

    def _numbered(self, section: str, number: str, key: str) -> Entry | None:
        """The entry of one unit or rack, or that of `all` if it is tighter, or None. The entry of a
        unit or rack may not be looser than `all`, unless `all` is in a later file.
        """
        own, common = (section, number, key), (section, "all", key)
        if own not in self.entries or common not in self.entries:
            return self.entries.get(own) or self.entry(*common)
        entry, shared, spec = self.entries[own], self.entries[common], self.spec(own)
        if spec.tighter == "fixed" or entry.rank >= shared.rank:
            check_tighter(entry.file, own, entry.value, shared, spec)
        tighter_of = min if spec.tighter == "down" else max
        return tighter_of(entry, shared, key=lambda candidate: candidate.value)

    def tables(self, section: str) -> list[str]:
        """Names of the tables of a section, in the order of the files."""
        return list(
            dict.fromkeys(path[1] for path in self.entries if path[0] == section and len(path) > 1)
        )

    def numbers(self, section: str) -> int:
        """How many units or racks there are. Refuse a gap in their numbers."""
        numbers = {int(name) for name in self.tables(section) if name != "all"}
        allowed = f"{section}s numbered from 1 without a gap"
        if not numbers:
            allowed = f"a table for each {section}, numbered from 1"
        for number in range(1, max(1, len(numbers)) + 1):
            if number not in numbers:
                self.refuse((section, str(number)), "is missing", allowed)
        return len(numbers)

    def check_defaults(self, of_type: set[Path], budgets: set[str]) -> None:
        """Refuse a number for the kernel that is looser than its default, unless the type sets it.
        budgets: keys that are not checked, because their values depend on the periods of devices.
        """
        for path, entry in self.entries.items():
            in_type = {path, (path[0], "all", *path[2:])} & of_type
            if entry.rank and path[0] in SAFE and not in_type and path[-1] not in budgets:
                spec = schema.spec_of(path, self.chemistry)
                if spec is not None and spec.default is not None and spec.tighter in ("up", "down"):
                    check_tighter(
                        entry.file, path, entry.value, Entry(spec.default, "the default"), spec
                    )
