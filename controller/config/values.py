"""The merged values of a configuration: defaults, required keys, and the file to blame."""

from controller.config import schema
from controller.config.layers import Entry
from controller.config.refusal import not_allowed, refuse
from controller.config.value_checks import allowed_text, check_tighter

SAFE = ("cabinet", "unit", "rack")  # sections of the safety kernel


class Values:
    """`entries`: {path: layers.Entry} of the merged layers; `chemistry`: of the cells."""

    def __init__(self, entries: dict, last_file: str, chemistry: str = schema.LFP):
        """chemistry: of the cells; it decides defaults and ranges."""
        self.entries = entries
        self.last_file = last_file
        self.chemistry = chemistry

    def spec(self, path: tuple):
        """Spec of the key at `path`, or None if there is none."""
        return schema.spec_of(path, self.chemistry)

    def entry(self, *path):
        """Entry of the key, its default blamed on the last layer, or None where there is
        neither.
        """
        if path in self.entries:
            return self.entries[path]
        default = self.spec(path).default
        return None if default is None else Entry(default, self.last_file)

    def get(self, *path):
        """Value of the key or its default, or None."""
        entry = self.entry(*path)
        return entry.value if entry else None

    def need(self, *path):
        """Value of a required key."""
        entry = self.entry(*path)
        if entry is None:
            self.refuse(path, "is missing", allowed_text(self.spec(path)))
        return entry.value

    def file(self, *path) -> str:
        """The file that holds the key, or the last layer."""
        return self.entries[path].file if path in self.entries else self.last_file

    def refuse(self, path: tuple, problem: str, allowed: str = "", equipment: list | tuple = ()):
        """Refuse a key in the file that holds it; equipment: as of refusal.refuse."""
        refuse(self.file(*path), path, problem, allowed, equipment=equipment)

    def not_allowed(self, path: tuple, allowed: str, candidates=()):
        """Refuse the value of a key in the file that holds it."""
        value, unit = self.get(*path), self.spec(path).unit
        not_allowed(self.file(*path), path, value, allowed, candidates, unit)

    def numbered(self, section: str, number: str, key: str):
        """Entry of a key of unit or rack `number`: the tighter of its own and that of `all`.

        Refuses an own value that is looser and was said in the same or a later layer; None where
        nothing is said.
        """
        own, common = (section, number, key), (section, "all", key)
        if own not in self.entries or common not in self.entries:
            return self.entries.get(own) or self.entry(*common)
        entry, shared, spec = self.entries[own], self.entries[common], self.spec(own)
        if spec.tighter == "fixed" or entry.rank >= shared.rank:
            check_tighter(entry.file, own, entry.value, shared, spec)
        pick = min if spec.tighter == "down" else max
        return pick(entry, shared, key=lambda candidate: candidate.value)

    def needed(self, section: str, number: str, key: str):
        """Entry of a key of unit or rack `number` that is required where it has no default."""
        return self.numbered(section, number, key) or self.need(section, number, key)

    def tables(self, section: str) -> list:
        """Names of the tables of a section, in the order of the files."""
        return list(
            dict.fromkeys(path[1] for path in self.entries if path[0] == section and len(path) > 1)
        )

    def numbers(self, section: str) -> int:
        """How many units or racks there are; refuses a gap in their numbers."""
        found = {int(name) for name in self.tables(section) if name != "all"}
        allowed = f"{section}s numbered from 1 without a gap"
        if not found:
            allowed = f"a table for each {section}, numbered from 1"
        for number in range(1, max(1, len(found)) + 1):
            if number not in found:
                self.refuse((section, str(number)), "is missing", allowed)
        return len(found)

    def check_defaults(self, of_type: set, budgets: set) -> None:
        """Refuse a number of the safety kernel that is looser than the default in a later layer,
        where the type does not hold it. of_type: paths of the type; budgets: keys that follow from
        the periods of the devices.
        """
        for path, entry in self.entries.items():
            said = {path, (path[0], "all", *path[2:])} & of_type
            if entry.rank and path[0] in SAFE and not said and path[-1] not in budgets:
                spec = self.spec(path)
                if spec is not None and spec.default is not None and spec.tighter in ("up", "down"):
                    check_tighter(
                        entry.file, path, entry.value, Entry(spec.default, "the default"), spec
                    )
