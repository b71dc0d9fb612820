"""What each course must show: the rows as they were designed (oracle.toml), and how much time there
is (safety/hazards/log.toml); never the shipped table and its time chain.
"""

import pathlib
import tomllib
from typing import NamedTuple

import safety

DATA = pathlib.Path(__file__).with_name("oracle.toml")
LOG = pathlib.Path(safety.__file__).parent / "hazards" / "log.toml"
KEY, REMOTE, SELF = 2, 1, 0


class Row(NamedTuple):
    """One stage. at: the value that trips; above: larger values trip too; reset; gate or ""."""

    watches: str
    above: bool
    at: int
    debounce_ms: int
    reset: int
    gate: str
    effects: str


def read(path):
    """What the file holds. Raises OSError."""
    with path.open("rb") as file:
        return tomllib.load(file)


_TOLD = read(DATA)


def row_number(stage_id):
    """12 of "12a"."""
    return int(stage_id.rstrip("abcdefg"))


def _ms(text):
    return round(float(text) * 1000)


def _row(words):
    """(stage, Row, (clear, for how long in ms)) of a line."""
    name, watches, at, after_s, latch, clear, clear_s, *rest = words
    did, _, gate = " ".join(rest).partition(" if ")
    trips = watches, at[:2] == ">=", int(at[2:]), _ms(after_s)
    row = Row(*trips, int(latch[1:]), gate, _TOLD["groups"].get(did, did))
    return name, row, (int(clear), _ms(clear_s))


_LINES = [line for line in _TOLD["stages"].splitlines() if line and line[0] != "#"]
_READ = [_row(line.split()) for line in _LINES]
ROWS = {name: row for name, row, _ in _READ}
CLEARS = {name: clear for name, _, clear in _READ}


def effects(stage_id):
    """The letters of what it does."""
    return set(ROWS[stage_id].effects.split())


def derate_pct(stage_id, way):
    """What it takes away of charging (way "c") or discharging ("d")."""
    shares = [each[1:] for each in effects(stage_id) if each[0] == way and each[1:].isdigit()]
    return max(map(int, shares), default=0)


def _named(table, stage_id, default):
    """The key of the entry that names the stage, or its row."""
    own = {stage_id, str(row_number(stage_id))}
    return next((key for key, names in table.items() if own & set(names.split())), default)


def scope(stage_id):
    """ "cabinet", "unit" or "rack"."""
    return _named(_TOLD["scopes"], stage_id, "cabinet")


def decision_ms(stage_id):
    """From what the sensor shows until the stage is active, at the latest."""
    row = ROWS[stage_id]
    scale = {"_ms": 1, "_s": 1000}.get("_" + row.watches.rpartition("_")[2])
    takes_ms = scale * row.at if scale else int(_named(_TOLD["takes_ms"], stage_id, 0))
    return int(_named(_TOLD["reads_ms"], stage_id, 0)) + takes_ms + row.debounce_ms


def acts_ms(stage_id, letters):
    """From the active stage until the slowest of these effects shows; None without a time."""
    acts = _TOLD["acts_ms"]
    times_ms = [acts.get(each, acts["others"]) for each in effects(stage_id) & set(letters)]
    return max(times_ms, default=None)


def process_safety_ms(stage_id):
    """Of the hazards that its row stands against the shortest; None where none names it."""
    row = str(row_number(stage_id))
    times_s = [each["process_safety_time_s"] for each in _HAZARDS if row in each["rows"]]
    return 1000 * min(times_s, default=None)


_HAZARDS = read(LOG)["hazard"]
