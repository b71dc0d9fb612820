"""`--without PART`: what each part of load tracking earns, by playing the loads without it.

A part is switched off by a replacement of its function in the process of the case, never by a
setting of the product. Parts that act only on a stated range, a notice or a sag are not here: no
load has those, and `--range-kW`, `--notices` and `trials ride` judge them.
"""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from controller.core.tracking import judge, repetition
from controller.core.tracking.guess import Guess
from controller.core.tracking.judge import Judge
from controller.core.tracking.repetition import Repetition
from hil.campaigns.smooth import followers, loads, metrics, rules, simulator, spectra
from hil.campaigns.smooth.paths import PATHS
from hil.campaigns.smooth.simulator import TICK_S
from hil.runner.cases import Runner

LENGTH_S = 600  # of each load
FIGURES = ("range_5s", "change_15s", "line", "rms_2s")
DRAWN = 6  # spectra of each kind, as made loads
MEASURED, HELD, MADE = "measured", "held", "made"


class Part(NamedTuple):
    """owner.name is replaced; code: whose lines it has."""

    owner: Any
    name: str
    replacement: Any
    code: tuple[Any, ...]


def _follows_all(self: Judge, slow_W: int, mix_W: int, ticks: int) -> int:
    return mix_W


def _takes_next(self: Repetition) -> None:
    self.words[repetition.R_PERIOD] = 0
    _CHOOSE(self)


def _nothing(*_: Any) -> None:
    """Do nothing."""


_CHOOSE = Repetition._choose
PARTS = {
    "repetition": Part(Repetition, "learn", _nothing, (repetition,)),
    "period kept": Part(Repetition, "_choose", _takes_next, (Repetition._choose,)),
    "fine period": Part(repetition, "FINE_LAG_MS", 0, (Repetition._refine, Repetition._all_unlike)),
    "choice": Part(
        Guess,
        "is_repeating",
        property(lambda self: self.repetition.is_found),
        (Guess._count_errors,),
    ),
    "slope": Part(Guess, "_find_slope", _nothing, (Guess._find_slope, Guess._lead_W)),
    "judge": Part(Judge, "guess_W", _follows_all, (judge,)),
    "calm": Part(judge, "CALM_PART", 1 << 62, ()),
    "change": Part(judge, "CHANGE_PCT", 0, ()),
}


class Job(NamedTuple):
    """One load of a group with each of the parts off in turn."""

    group: str
    source: Any
    number: int
    path: str
    seed: int
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name in a table."""
        named = f"{self.source} {self.number}" if self.group == MADE else self.source.name
        return f"{named}, {self.path} ms"


def run(
    sources: Sequence[loads.Source], paths: Sequence[str], parts: Sequence[str], seed: int,
    runner: Runner,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for each part and group; prints them."""
    todo = [
        Job(group, source, number, path, seed, tuple(parts))
        for path in paths
        for group, source, number in [*_measured(sources), *_made()]
    ]
    found = runner.play(todo, played, name=lambda job: job.name)
    every = [
        _row(part, group, [(job, each) for job, each in zip(todo, found) if job.group == group])
        for part in parts
        for group in (MEASURED, HELD, MADE)
    ]
    rows = [row for row in every if row is not None]
    print(
        f"{'without':16}{'lines':>6}  {'loads':14}" + "".join([f"{each:>20}" for each in FIGURES])
    )
    for row in rows:
        print(_line(row), flush=True)
    return rows


def _measured(sources: Sequence[loads.Source]) -> Iterator[tuple[str, Any, int]]:
    for each in sources:
        if each.file:
            yield (MEASURED if loads.read(each).kinds == loads.FINE else HELD), each, 0
        else:
            yield MADE, each.column, -1


def _made() -> Iterator[tuple[str, Any, int]]:
    for kind in spectra.KINDS:
        for number in range(DRAWN):
            yield MADE, kind, number
    for ms in spectra.RAMPS_ms[::3]:
        yield MADE, "ramp", ms


def _load_W(job: Job) -> np.ndarray:
    if job.group != MADE:
        load = loads.read(job.source)
        return loads.ticks_W(load, load.kinds[0], "")[: round(LENGTH_S / TICK_S)]
    if job.number < 0:
        load = loads.read(loads.Source("", job.source))
        return loads.ticks_W(load, load.kinds[0], "")[: round(LENGTH_S / TICK_S)]
    if job.source == "ramp":
        return spectra.ramp_W(job.number)
    return spectra.power_W(job.source, job.number, job.seed)


def played(job: Job) -> dict[str, list[float] | None]:
    """{part: FIGURES without it less those with all parts, points}; None: the load is too short."""
    load_W, path = _load_W(job), PATHS[job.path]
    whole = _figures(load_W, path)
    found: dict[str, list[float] | None] = {}
    for name in job.parts:
        with without(name):
            part = _figures(load_W, path)
        found[name] = (
            None if whole is None or part is None else [b - a for a, b in zip(whole, part)]
        )
    return found


@contextlib.contextmanager
def without(name: str) -> Iterator[None]:
    """Load tracking without this part."""
    part = PARTS[name]
    with mock.patch.object(part.owner, part.name, part.replacement):
        yield


def _figures(load_W: np.ndarray, path: Any) -> list[float] | None:
    seen_W = simulator.seen_W(load_W, path)
    grid_W = simulator.run(followers.Ours(seen_W, path), load_W, path).grid_W
    found = rules.figures_pct(grid_W, float(np.abs(load_W).max()))
    changes_W = [metrics.changes_W(power_W, 2) for power_W in (load_W, grid_W)]
    residual_pct = metrics.residual_pct(*changes_W)
    if residual_pct is None or found["line"] is None:
        return None
    return [*[found[each] for each in FIGURES[:-1]], residual_pct["rms"]]


def _row(part: str, group: str, played_: Sequence[tuple[Job, dict]]) -> dict[str, Any] | None:
    known = [(job.name, each[part]) for job, each in played_ if each[part] is not None]
    if not known:
        return None
    points = np.array([each for _, each in known])
    return {
        "part": part,
        "lines": sum([len(inspect.getsource(each).splitlines()) for each in PARTS[part].code]),
        "group": group,
        "loads": len(known),
        "mean": dict(zip(FIGURES, points.mean(axis=0).tolist())),
        "earns": dict(zip(FIGURES, points.max(axis=0).tolist())),
        "costs": dict(zip(FIGURES, points.min(axis=0).tolist())),
        "best": known[int(points.max(axis=1).argmax())][0],
    }


def _line(row: dict[str, Any]) -> str:
    cells = [
        f"{row['mean'][each]:+.2f} ({row['costs'][each]:+.1f}..{row['earns'][each]:+.1f})"
        for each in FIGURES
    ]
    about = f"{row['part']:16}{row['lines'] or '-':>6}  {row['group'] + ' ' + str(row['loads']):14}"
    return about + "".join([f"{each:>20}" for each in cells]) + f"  {row['best']}"
