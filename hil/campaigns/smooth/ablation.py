"""`smooth --without PART` measures the worth of a part of load tracking by leaving it out.

A part is switched off by replacing its function in the process of the case, never by a setting of
the product. Parts that act only on a stated range, a notice or a sag are judged by `--range-kW`,
`--notices` and `trials ride`.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from controller.core.tracking import judge, repetition
from controller.core.tracking.guess import Guess
from controller.core.tracking.repetition import Repetition
from hil.campaigns.smooth import cells, followers, loads, rules, spectra
from hil.campaigns.smooth.paths import PATHS
from hil.campaigns.smooth.simulator import TICK_S
from hil.runner.cases import Runner

LENGTH_S = 600  # part of each load that is played
FIGURES = ("range_5s", "change_15s", "line", "rms_2s")
DRAWN = 6  # drawn spectra of each kind, as loads of the group MADE
MEASURED, HELD, MADE = "measured", "held", "made"


def _takes_next(self: Repetition) -> None:
    self.words[repetition.R_PERIOD] = 0
    _CHOOSE(self)


def _nothing(*_: Any) -> None:
    """Do nothing."""


_CHOOSE = Repetition._choose
PARTS: dict[str, tuple[Any, str, Any]] = {  # {part: (owner, name in it, replacement)}
    "repetition": (Repetition, "learn", _nothing),
    "period kept": (Repetition, "_choose", _takes_next),
    "fine period": (repetition, "FINE_LAG_MS", 0),
    "choice": (Guess, "is_repeating", property(lambda self: self.repetition.is_found)),
    "slope": (Guess, "_find_slope", _nothing),
    "judge": (judge.Judge, "guess_W", lambda self, slow_W, mix_W, ticks: mix_W),
    "calm": (judge, "CALM_PART", 1 << 62),
    "change": (judge, "CHANGE_PCT", 0),
}


class Job(NamedTuple):
    """A load, W in each tick, that is played with each of the parts off in turn."""

    name: str
    group: str
    load_W: np.ndarray
    path: str
    parts: Sequence[str]


def run(
    sources: Sequence[loads.Source], paths: Sequence[str], parts: Sequence[str], seed: int,
    runner: Runner,
) -> list[dict[str, Any]]:  # fmt: skip
    """Print and return a row for each part and group."""
    all_loads = [*_loads(sources), *_drawn(seed)]
    todo = [Job(*load, path, parts) for path in paths for load in all_loads]
    outcomes = runner.play(todo, played, name=lambda job: f"{job.name}, {job.path} ms")
    print(f"{'without':16}{'loads':14}" + "".join(f"{figure:>20}" for figure in FIGURES))
    rows = [
        row
        for part in parts
        for group in (MEASURED, HELD, MADE)
        for row in _rows(part, group, [outcome[part] for job, outcome in zip(todo, outcomes)
                                       if job.group == group])
    ]  # fmt: skip
    for row in rows:
        print(_line(row), flush=True)
    return rows


def _loads(sources: Sequence[loads.Source]) -> Iterator[tuple[str, str, np.ndarray]]:
    for source in sources:
        load = loads.read(source)
        group = (MEASURED if load.kinds == loads.FINE else HELD) if source.file else MADE
        yield source.name, group, loads.ticks_W(load, load.kinds[0], "")[: round(LENGTH_S / TICK_S)]


def _drawn(seed: int) -> Iterator[tuple[str, str, np.ndarray]]:
    for kind in spectra.KINDS:
        for number in range(DRAWN):
            yield f"{kind} {number}", MADE, spectra.power_W(kind, number, seed)
    for ms in spectra.RAMPS_ms[::3]:
        yield f"ramp {ms}", MADE, spectra.ramp_W(ms)


def played(job: Job) -> dict[str, list[float] | None]:
    """{part: FIGURES without it minus those with all parts, points}; None: a load is too short."""
    whole, differences = _figures(job.load_W, job.path), dict[str, list[float] | None]()
    for name in job.parts:
        with without(name):
            part = _figures(job.load_W, job.path)
        is_known = None not in (*whole, *part)
        differences[name] = [b - a for a, b in zip(whole, part)] if is_known else None
    return differences


def without(name: str) -> Any:
    """A context in which load tracking lacks this part."""
    return mock.patch.object(*PARTS[name])


def _figures(load_W: np.ndarray, path: str) -> list[float]:
    grid_W = followers.ours(load_W, PATHS[path]).grid_W
    figures = rules.figures_pct(grid_W, float(np.abs(load_W).max()))
    return [*[figures[figure] for figure in FIGURES[:-1]], cells.rms_2s_pct(load_W, grid_W)]


def _rows(
    part: str, group: str, differences: Sequence[list[float] | None]
) -> Iterator[dict[str, Any]]:
    """One row, or none if no load is long enough."""
    points = np.array([difference for difference in differences if difference is not None])
    if len(points):
        named = {"mean": points.mean(axis=0), "costs": points.min(axis=0)}
        named["earns"] = points.max(axis=0)
        figures = {name: dict(zip(FIGURES, values.tolist())) for name, values in named.items()}
        yield {"part": part, "group": group, "loads": len(points)} | figures


def _line(row: dict[str, Any]) -> str:
    about = f"{row['part']:16}{row['group'] + ' ' + str(row['loads']):14}"
    figures = [
        f"{row['mean'][figure]:+.2f} ({row['costs'][figure]:+.1f}..{row['earns'][figure]:+.1f})"
        for figure in FIGURES
    ]
    return about + "".join(f"{figure:>20}" for figure in figures)
