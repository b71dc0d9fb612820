"""Lists the open doors: one row for each place where a door listens or to which it connects."""

import urllib.parse
from collections.abc import Iterable
from typing import NamedTuple

from controller.doors.settings import Settings, form
from controller.forms.addresses import LOCAL, address
from controller.forms.refusal import Path

LISTENS, CONNECTS = "listens", "connects"
HEAD = ("door", "way", "place", "what", "encrypted", "who proves it", "may at most")


class Exposure(NamedTuple):
    """One place of a door."""

    door: str
    way: str  # LISTENS or CONNECTS
    place: str
    what: str
    encryption: str
    proof: str  # how a sender proves its identity
    may: str  # the most that can come in
    only: tuple[str, ...] = ()  # addresses that the door accepts; (): all


def of(settings: Settings) -> list[Exposure]:
    """The rows of all doors."""
    return [
        row
        for kind, doors in settings.doors.items()
        for name, values in doors.items()
        for row in form(kind).exposure(settings, (kind, name), values)
    ]


def rows(
    path: Path,
    way: str,
    place: str,
    encryption: str,
    triples: Iterable[tuple[str, str, str]],
    only: tuple[str, ...] = (),
) -> list[Exposure]:
    """The rows of one place. triples: (what, proof, may) of each row, as in Exposure."""
    door = ".".join(path)
    return [
        Exposure(door, way, place, subject, encryption, proof=proof, may=most, only=only)
        for subject, proof, most in triples
    ]


def table(settings: Settings) -> list[str]:
    """The lines of `firebreak doors check`."""
    exposures = of(settings)
    if not exposures:
        return ["no door: nothing is open"]
    lines = [HEAD, *[tuple(map(str, row[: len(HEAD)])) for row in exposures]]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    ]


def drop_in(settings: Settings, kind: str) -> str:
    """The drop-in of firebreak-doors@KIND.service, which allows the addresses of this kind."""
    kind_rows = [row for row in of(settings) if row.door.partition(".")[0] == kind]
    allowed = {host for row in kind_rows for host in _allowed(row)}
    return f"[Service]\nIPAddressAllow={'any' if 'any' in allowed else ' '.join(sorted(allowed))}\n"


def _allowed(row: Exposure) -> Iterable[str]:
    """The addresses that a row needs. A UNIX socket at a path needs none.

    A host name needs any address, because a name server decides to which address it leads. A door
    that accepts all clients needs any address too.
    """
    if row.place.startswith("/"):
        return []
    host = urllib.parse.urlsplit(row.place if "://" in row.place else f"//{row.place}").hostname
    if host in LOCAL:
        return ["localhost"]
    if row.way == LISTENS:
        return row.only or ["any"]
    return [str(address(host) or "any")]
