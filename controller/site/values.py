"""Access to the merged values of a configuration: defaults, what must be said, and the file to
blame.
"""

from controller.site import schema
from controller.site.layers import Entry
from controller.site.refusal import refuse
from controller.site.value_checks import allowed_text, check_tighter

SAFE = ("cabinet", "unit", "rack")  # sections of the safety kernel


class Values:
    """The merged flat values, with defaults, and the file to blame for each."""

    def __init__(self, entries, last_file, chemistry=schema.LFP):
        """chemistry: of the cells; it decides defaults and ranges."""
        self.entries = entries
        self.last_file = last_file
        self.chemistry = chemistry

    def spec(self, path):
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
        """Value of a key that must be said."""
        entry = self.entry(*path)
        if entry is None:
            spec = self.spec(path)
            refuse(self.last_file, path, "is missing", allowed_text(spec))
        return entry.value

    def file(self, *path):
        """The file that said the key, or the last layer."""
        return self.entries[path].file if path in self.entries else self.last_file

    def numbered(self, section, number, key):
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

    def said(self, section, number, key):
        """Value of a key of unit or rack `number` that must be said where it has no default."""
        entry = self.numbered(section, number, key)
        return entry.value if entry else self.need(section, number, key)

    def tables(self, section):
        """Names of the tables of a section, in the order they were first said."""
        return list(
            dict.fromkeys(path[1] for path in self.entries if path[0] == section and len(path) > 1)
        )

    def numbers(self, section):
        """How many units or racks there are; refuses a gap in their numbers."""
        found = sorted(int(name) for name in self.tables(section) if name != "all")
        if not found:
            refuse(
                self.last_file,
                (section, "1"),
                "is missing",
                f"a table for each {section}, numbered from 1",
            )
        if found != list(range(1, len(found) + 1)):
            missing = next(number for number in range(1, len(found) + 1) if number not in found)
            refuse(
                self.last_file,
                (section, str(missing)),
                "is missing",
                f"{section}s numbered from 1 without a gap",
            )
        return len(found)

    def check_defaults(self, of_type, budgets):
        """Refuse a number of the safety kernel that a later layer says looser than the default,
        where the type says nothing of it. of_type: paths that the type says; budgets: names of what
        follows from the devices' periods.
        """
        for path, entry in self.entries.items():
            said = {path, (path[0], "all", *path[2:])} & of_type
            if entry.rank and path[0] in SAFE and not said and path[-1] not in budgets:
                spec = self.spec(path)
                if spec is not None and spec.default is not None and spec.tighter in ("up", "down"):
                    check_tighter(
                        entry.file, path, entry.value, Entry(spec.default, "the default"), spec
                    )
