"""The keys of [local.NAME] in doors.toml."""

import os

from controller.config.bus_schema import BAUDS_BD
from controller.doors.exposure import LISTENS, Exposure, rows as placed
from controller.doors.settings import Settings, Values
from controller.forms.field import choice, integer, text
from controller.forms.refusal import Path, refuse

LISTEN = "/run/firebreak-upstream/upstream.sock"
FORM = {
    "listen": text(LISTEN, "UNIX stream socket; the user of the door must be able to create it."),
    "serial": text(
        "", "Device of a serial line that carries JSON lines too, such as /dev/ttyUSB0."
    ),
    "baud_Bd": choice(BAUDS_BD, 115_200, "Speed of the serial line."),
    "connections_max": integer(2, 500, 16, "Connections at one time."),
}


def check(settings: Settings, path: Path, values: Values) -> None:
    """Refuse paths that are not absolute. Raises ConfigError."""
    for name in ("listen", "serial"):
        if values[name] and not os.path.isabs(values[name]):
            refuse(settings.path, (*path, name), "is no whole path", "a path that begins with /")


def exposure(settings: Settings, path: Path, values: Values) -> list[Exposure]:
    """One row for each place. A sender proves its identity by a MAC with the key of a source."""
    triples = [("hints, state", "the MAC of each hint", "as site.toml")]
    places = [place for place in (values["listen"], values["serial"]) if place]
    return [row for place in places for row in placed(path, LISTENS, place, "no", triples)]
