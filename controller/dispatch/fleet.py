"""FLEET.toml: the cabinets behind one connection, and the broker that reaches them.

[fleet]
connection_W = 6_000_000
load = "common"            # or "own"
[broker]                   # keys as in [mqtt.NAME] of doors.toml
host = "broker.site"
ca = "ca.pem"
[cabinet.hall1]            # the name is that of the cabinet in the topics
key = "hall1.key"
fallback_W = 1_000_000
load_permille = 250
"""

import os
import re
from typing import NamedTuple

from controller.core.policies.meter_statistics import TURN_S, WAIT_S_MAX
from controller.forms.field import choice, integer, matching, number, text
from controller.forms.reading import Values, read, read_each, tables_of, unknown
from controller.forms.refusal import refuse
from controller.hints import key_file
from controller.mqtt.form import BROKER, NAME, NAME_WORDS, check as check_broker

POWER_W_MAX = 1_000_000_000
BYTES_MAX = 4_000_000  # some 10 000 cabinets
TABLES = "fleet", "broker", "cabinet"
COMMON, OWN = "common", "own"
PERMILLE = 1000
FLEET = {
    "connection_W": integer(1, POWER_W_MAX, note="The most that all cabinets may import."),
    "load": choice(
        (COMMON, OWN),
        OWN,
        "common: all see the load meter of the site. own: each has meters of its own.",
    ),
    "source": matching(
        re.compile(r"[A-Za-z0-9_-]{1,16}"),
        "1 to 16 letters, digits, _ and -",
        "fleet",
        "[source.NAME] of each cabinet's site.toml, with the role grid_cap.",
    ),
    "hold_back_h": number(
        0, 48, 4.0, "The largest discharge is held back while the charge lasts so long; 0: always."
    ),
    "spare_W": integer(
        0,
        POWER_W_MAX,
        0,
        "Kept free for a rise of the load and for clouds, while the charge lasts.",
    ),
}
CABINET = {
    "key": text(note="File beside FLEET.toml with the key of the source at this cabinet."),
    "fallback_W": integer(0, POWER_W_MAX, note="fallback_import_W_max of the source there."),
    "load_permille": integer(0, PERMILLE, 0, "Part of a common load: share_permille there."),
}


class Cabinet(NamedTuple):
    """One cabinet of the fleet. load_permille: part of a common load; 0: it has its own load."""

    name: str
    key: bytes
    fallback_W: int
    load_permille: int


class Fleet(NamedTuple):
    """The whole file. hold_h: see hold_back_h of FLEET. broker: values of BROKER."""

    path: str
    connection_W: int
    is_common: bool
    source: str
    spare_W: int
    hold_h: float
    cabinets: tuple[Cabinet, ...]
    broker: Values

    def beside(self, name: str) -> str:
        """The path of a file that FLEET.toml names."""
        return os.path.join(os.path.dirname(os.path.abspath(self.path)), name)


def turns_s(fleet: Fleet) -> list[int | None]:
    """meter_code_wait_s of each cabinet. Cabinets that see one meter test it one after another.
    None: its turn is later than a cabinet can wait, so a person starts its test.
    """
    step_s = TURN_S if fleet.is_common else 0
    waits_s = [turn * step_s for turn in range(len(fleet.cabinets))]
    return [wait_s if wait_s <= WAIT_S_MAX else None for wait_s in waits_s]


def load(path: str, reads_keys: bool = True) -> Fleet:
    """The checked file. reads_keys False: without the keys, which a reader of the broker does not
    need. ConfigError, KeyStoreError: one line.
    """
    tables = tables_of(path, "the tables [fleet], [broker] and [cabinet.NAME]", BYTES_MAX)
    for table in tables:
        if table not in TABLES:
            unknown(path, (table,), TABLES)
    fleet = read(path, ("fleet",), tables.get("fleet", {}), FLEET)
    broker = read(path, ("broker",), tables.get("broker", {}), BROKER)
    rows = read_each(path, ("cabinet",), tables.get("cabinet", {}), CABINET)
    _check(path, fleet, rows)
    check_broker(path, ("broker",), broker)
    checked_fleet = Fleet(
        path,
        connection_W=fleet["connection_W"],
        is_common=fleet["load"] == COMMON,
        source=fleet["source"],
        spare_W=fleet["spare_W"],
        hold_h=fleet["hold_back_h"],
        cabinets=(),
        broker=broker,
    )
    return checked_fleet._replace(
        cabinets=tuple(_cabinet(checked_fleet, reads_keys, *row) for row in rows.items())
    )


def _cabinet(fleet: Fleet, reads_key: bool, name: str, row: Values) -> Cabinet:
    key, key_path = b"", fleet.beside(row["key"])
    if reads_key:
        with key_file.explained(key_path):
            key, _ = key_file.read(key_path)
    return Cabinet(name, key, row["fallback_W"], row["load_permille"])


def _check(path: str, fleet: Values, rows: dict[str, Values]) -> None:
    """Refuse a fleet whose sums do not keep the connection. Raises ConfigError."""
    if not rows:
        refuse(path, ("cabinet",), "is missing", "at least one [cabinet.NAME]")
    for name in rows:
        if not NAME.fullmatch(name):
            refuse(path, ("cabinet",), f"has the name {name[:40]!r}", NAME_WORDS)
    fallbacks_W = sum(row["fallback_W"] for row in rows.values())
    if fallbacks_W > fleet["connection_W"]:
        refuse(
            path,
            ("fleet", "connection_W"),
            f"is {fleet['connection_W']} W, and the fallbacks of the cabinets sum to {fallbacks_W}",
            "fallbacks that sum to at most the connection",
        )
    permille = sum(row["load_permille"] for row in rows.values())
    required = PERMILLE if fleet["load"] == COMMON else 0
    if permille != required:
        refuse(
            path,
            ("cabinet",),
            f"has parts of the load that sum to {permille} permille",
            f"exactly {required} beside load = {fleet['load']!r}",
        )
