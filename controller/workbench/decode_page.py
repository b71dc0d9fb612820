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

    def __init__(self) -> None:
        self.values = 0

    def begin(self, file: str, profile: str) -> None:
        """The line above the values."""
        _print(f"{file} by {profile}:")

    def value(self, each: Value) -> None:
        """One value."""
        self.values += 1
        value = f"{each.value:.9g} {each.unit}".rstrip()
        _print(f"{_seconds(each)} {each.name:28} {value:16} {each.place}")

    def end(self, rest: Rest) -> None:
        """The lines after the values."""
        for line in _lines(rest):
            _print(line)


def _print(line: str) -> None:
    sys.stdout.write(ascii_only(line) + "\n")


def _seconds(each: Value | Refusal) -> str:
    return f"{each.time_us / 1e6:10.3f} s"


def _lines(rest: Rest) -> Iterator[str]:
    for each in rest["refused"]:
        where = f"{each.place}: " if each.place else ""
        times = f" ({each.times} times)" if each.times > 1 else ""
        head = f"{_seconds(each)} {each.name:28} REFUSED  "
        yield from wrapped(head, f"{where}{each.reason}{times}")
    if rest["other_ids"]:
        yield from wrapped("ids of no message: ", ", ".join(rest["other_ids"]))
    for each in rest["notes"]:
        yield from wrapped("Note: ", each)
    if rest["stored"]:
        stored = rest["stored"].items()
        words = [f"{name} {each['value']} {each['unit']}".rstrip() for name, each in stored]
        yield from wrapped("A cabinet would store: ", "; ".join(words))
        if rest["fault"]:
            yield from wrapped("At its end nothing counts any more: ", rest["fault"])
        return
    yield from wrapped("A cabinet would store nothing: ", rest["fault"])
    yield from wrapped("This capture: ", rest["fitting"])


class Json:
    """One JSON object. Each of its values is written at once."""

    def __init__(self) -> None:
        self.values = 0

    def begin(self, file: str, profile: str) -> None:
        """The beginning of the object."""
        head = cli.as_json({"profile": profile, "file": file})
        sys.stdout.write(head.removesuffix("\n}") + ',\n "values": [')

    def value(self, each: Value) -> None:
        """One value."""
        sys.stdout.write(f"{',' if self.values else ''}\n  {cli.as_json(each._asdict(), None)}")
        self.values += 1

    def end(self, rest: Rest) -> None:
        """The other keys of the object."""
        rest = rest | {"refused": [each._asdict() for each in rest["refused"]]}
        sys.stdout.write("\n ],\n" + cli.as_json(rest).removeprefix("{\n") + "\n")
