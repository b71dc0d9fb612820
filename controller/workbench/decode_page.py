"""Prints the page of `firebreak bus decode`. Each value is printed at once, because a capture may
be long.
"""

import sys
from collections.abc import Iterator
from typing import Any

from controller.documents.document import wrapped
from controller.system import cli
from controller.system.paths import ascii_only
from controller.workbench.findings import Refusal, Value

Rest = dict[str, Any]  # facts at the end of a capture


class Text:
    """Lines for a person. `values`: number of printed values."""

    values = 0

    def begin(self, file: str, profile: str) -> None:
        """The line above the values."""
        _print(f"{file} by {profile}:")

    def value(self, finding: Value) -> None:
        """One value."""
        self.values += 1
        value = f"{finding.value:.9g} {finding.unit}".rstrip()
        _print(f"{_seconds(finding)} {finding.name:28} {value:16} {finding.place}")

    def end(self, rest: Rest) -> None:
        """The lines after the values."""
        for line in _lines(rest):
            _print(line)


def _print(line: str) -> None:
    sys.stdout.write(ascii_only(line) + "\n")


def _seconds(finding: Value | Refusal) -> str:
    return f"{finding.time_us / 1e6:10.3f} s"


def _lines(rest: Rest) -> Iterator[str]:
    for refusal in rest["refused"]:
        where = f"{refusal.place}: " if refusal.place else ""
        times = f" ({refusal.times} times)" if refusal.times > 1 else ""
        head = f"{_seconds(refusal)} {refusal.name:28} REFUSED  "
        yield from wrapped(head, f"{where}{refusal.reason}{times}")
    if rest["other_ids"]:
        yield from wrapped("ids of no message: ", ", ".join(rest["other_ids"]))
    for note in rest["notes"]:
        yield from wrapped("Note: ", note)
    if rest["stored"]:
        stored = rest["stored"].items()
        readings = [
            f"{name} {reading['value']} {reading['unit']}".rstrip() for name, reading in stored
        ]
        yield from wrapped("A cabinet would store: ", "; ".join(readings))
        if rest["fault"]:
            yield from wrapped("At its end nothing counts any more: ", rest["fault"])
        return
    yield from wrapped("A cabinet would store nothing: ", rest["fault"])
    yield from wrapped("This capture: ", rest["fitting"])


class Json:
    """One JSON object. Each of its values is written at once."""

    values = 0

    def begin(self, file: str, profile: str) -> None:
        """The beginning of the object."""
        head = cli.as_json({"profile": profile, "file": file})
        sys.stdout.write(head.removesuffix("\n}") + ',\n "values": [')

    def value(self, finding: Value) -> None:
        """One value."""
        sys.stdout.write(f"{',' if self.values else ''}\n  {cli.as_json(finding._asdict(), None)}")
        self.values += 1

    def end(self, rest: Rest) -> None:
        """The other keys of the object."""
        rest = rest | {"refused": [refusal._asdict() for refusal in rest["refused"]]}
        sys.stdout.write("\n ],\n" + cli.as_json(rest).removeprefix("{\n") + "\n")
