"""Says what each row of the cause-and-effect table must do, and how fast.

Campaigns and observer judge the controller by it. It reads the rows as designed (design.toml) and
safety/hazards/log.toml. It never reads the shipped table, because a mistake there would then be
expected.
"""

import pathlib
import tomllib
from typing import Any, NamedTuple

import safety

DATA = pathlib.Path(__file__).with_name("design.toml")
LOG = pathlib.Path(safety.__file__).parent / "hazards" / "log.toml"
KEY, REMOTE, SELF = 2, 1, 0


class Row(NamedTuple):
    """One stage. at: value at which it trips. above: larger values trip it too.

    gate: condition that must also hold, "" for none.
    """

    watches: str
    above: bool
    at: int
    debounce_ms: int
    reset: int
    gate: str
    effects: str


def read(path: pathlib.Path) -> dict:
    """Content of a TOML file. Raises OSError."""
    with path.open("rb") as file:
        return tomllib.load(file)


_DESIGN = read(DATA)


def row_number(stage_id: str) -> int:
    """The number of a stage's row: 12 for "12a"."""
    return int(stage_id.rstrip("abcdefg"))


def _ms(text: str) -> int:
    return round(float(text) * 1000)


def _row(fields: list[str]) -> tuple[str, Row, tuple[int, int]]:
    """(stage, Row, (clear value, clear time in ms)) of a line."""
    name, watches, threshold, after_s, latch, clear, clear_s, *rest = fields
    effect_text, _, gate = " ".join(rest).partition(" if ")
    trips = watches, threshold[:2] == ">=", int(threshold[2:]), _ms(after_s)
    row = Row(*trips, int(latch[1:]), gate, _DESIGN["groups"].get(effect_text, effect_text))
    return name, row, (int(clear), _ms(clear_s))


_LINES = [line for line in _DESIGN["stages"].splitlines() if line and line[0] != "#"]
_STAGES = [_row(line.split()) for line in _LINES]
ROWS = {name: row for name, row, _ in _STAGES}
CLEARS = {name: clear for name, _, clear in _STAGES}


def effects(stage_id: str) -> set[str]:
    """The letters of the stage's effects."""
    return set(ROWS[stage_id].effects.split())


def derate_pct(stage_id: str, way: str) -> float:
    """Percent by which the stage reduces charging (way "c") or discharging ("d")."""
    shares = [
        effect[1:] for effect in effects(stage_id) if effect[0] == way and effect[1:].isdigit()
    ]
    return max(map(int, shares), default=0)


def _named(table: dict[str, str], stage_id: str, default: Any) -> Any:
    """The key of the entry that names the stage, or its row."""
    wanted = {stage_id, str(row_number(stage_id))}
    return next((key for key, names in table.items() if wanted & set(names.split())), default)


def scope(stage_id: str) -> str:
    """ "cabinet", "unit" or "rack"."""
    return _named(_DESIGN["scopes"], stage_id, "cabinet")


def decision_ms(stage_id: str) -> int:
    """The longest time from the sensor's value until the stage is active."""
    row = ROWS[stage_id]
    scale = {"ms": 1, "s": 1000}.get(row.watches.rpartition("_")[2])
    takes_ms = scale * row.at if scale else int(_named(_DESIGN["takes_ms"], stage_id, 0))
    return int(_named(_DESIGN["reads_ms"], stage_id, 0)) + takes_ms + row.debounce_ms


def acts_ms(stage_id: str, letters: set[str]) -> int | None:
    """Time from the active stage until the slowest of these effects shows; None without one."""
    acts = _DESIGN["acts_ms"]
    times_ms = [acts.get(effect, acts["others"]) for effect in effects(stage_id) & letters]
    return max(times_ms, default=None)


def process_safety_ms(stage_id: str) -> int:
    """Shortest process safety time of the hazards that name the stage's row."""
    row = str(row_number(stage_id))
    times_s = [hazard["process_safety_time_s"] for hazard in _HAZARDS if row in hazard["rows"]]
    return 1000 * min(times_s)


_HAZARDS = read(LOG)["hazard"]
