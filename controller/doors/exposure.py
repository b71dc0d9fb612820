"""What is open: one row for each place where a door listens or that it connects to."""

import importlib
import ipaddress
import urllib.parse
from collections.abc import Callable
from typing import Any, NamedTuple

from controller.doors.settings import Settings

LISTENS, CONNECTS = "listens", "connects"
LOCAL = ("127.0.0.1", "::1", "localhost")
HEAD = ("door", "way", "place", "what", "encrypted", "who proves it", "may at most")


class Exposure(NamedTuple):
    """way: listens or connects; proof: how a sender is known; may: what comes in at most."""

    door: str
    way: str
    place: str
    what: str
    encryption: str
    proof: str
    may: str


Rows = Callable[[Settings, tuple[str, str], dict[str, Any]], list[Exposure]]


def of(settings: Settings) -> list[Exposure]:
    """All rows, door by door."""
    return [
        row
        for kind, doors in settings.doors.items()
        for name, values in doors.items()
        for row in _rows(kind)(settings, (kind, name), values)
    ]


def table(settings: Settings) -> list[str]:
    """The lines of `firebreak doors check`."""
    found = of(settings)
    if not found:
        return ["no door: nothing is open"]
    rows = [HEAD, *found]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]


def drop_in(settings: Settings, kind: str) -> str:
    """The drop-in of firebreak-doors@KIND.service: the addresses that this kind needs."""
    allowed = {_allowed(row) for row in of(settings) if row.door.partition(".")[0] == kind}
    return f"[Service]\nIPAddressAllow={'any' if 'any' in allowed else ' '.join(sorted(allowed))}\n"


def _allowed(row: Exposure) -> str:
    """A name may lead anywhere, by way of a name server; who listens may hear anybody."""
    host = urllib.parse.urlsplit(row.place if "://" in row.place else f"//{row.place}").hostname
    if host in LOCAL:
        return "localhost"
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "any"
    return "any" if row.way == LISTENS else str(address)


def _rows(kind: str) -> Rows:
    found: Rows = importlib.import_module(f"controller.doors.{kind}.form").exposure
    return found
