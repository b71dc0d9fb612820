"""Plays many announced steps of one source: what its notices save, minus what they cost.

A source that is right while it is watched, and wrong when its notices move the battery, would cost
a step each time. So sequences of notices are played. The worst moment of each is judged:

    net = sum over notices of (error without the notice - error with it), in ms of the step
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from controller.core.tracking.announced import A_CREDIT_W_MS, LATE_MS, Announced, Notice
from hil.campaigns.smooth.paths import PATHS, TICK_MS

STEP_W, LEVEL_W, NOTICES = 100_000, 200_000, 200
FROM_MS, UNTIL_MS = -400, 600
NEVER, LATE = "never", 150
# {name: function (number of the notice, True while the source is only watched) -> ms late, or
# NEVER}
SEQUENCES: dict[str, Callable[[int, bool], str | int]] = {
    "always right": lambda number, is_watched: 0,
    "always 50 ms late": lambda number, is_watched: 50,
    "always 150 ms late": lambda number, is_watched: LATE,
    "never right": lambda number, is_watched: NEVER,
    "right, wrong, right": lambda number, is_watched: NEVER if number % 2 else 0,
    "one of ten wrong": lambda number, is_watched: NEVER if number % 10 == 9 else 0,
    "right, then never": lambda number, is_watched: 0 if number < NOTICES // 2 else NEVER,
    "right while watched": lambda number, is_watched: 0 if is_watched else NEVER,
    "late while it acts": lambda number, is_watched: 0 if is_watched else LATE,
}


class Life(NamedTuple):
    """acted: notices that moved the battery; net_ms: saving in the end; least_ms: lowest saving."""

    sequence: str
    acted: int
    net_ms: float
    least_ms: float


def run(paths: tuple) -> list:
    """Print and return the rows of the lives on each path."""
    print(f"life       {NOTICES} notices of one source: saved less lost, ms of the step")
    print(f"{'the step comes':22}{'ms':>5}{'acted':>8}{'in the end':>12}{'least':>8}{'bound':>8}")
    rows = []
    for path in paths:
        delay_ms, sample_ms = PATHS[path].delay_ms, PATHS[path].sample_ms
        bound = bound_ms(delay_ms, sample_ms)
        for life in lives(delay_ms, sample_ms):
            row = {"path": path, **life._asdict(), "bound_ms": bound, "missed": missed(life, bound)}
            rows.append(row)
            print(
                f"{life.sequence:22}{path:>5}{life.acted:8}{life.net_ms:12.0f}{life.least_ms:8.0f}"
                f"{-bound:8.0f}",
                flush=True,
            )
    return rows


def missed(life: Life, bound: float) -> list[str]:
    """A line if the life lost more than the bound."""
    is_lost = life.least_ms < -bound
    return (
        [f"life, {life.sequence}: {life.least_ms:.0f} ms, at least {-bound:.0f} ms"]
        if is_lost
        else []
    )


def lives(delay_ms: int, sample_ms: int) -> list[Life]:
    """Play each of SEQUENCES. Returns one Life for each."""
    return [_life(name, delay_ms, sample_ms) for name in SEQUENCES]


def _life(name: str, delay_ms: int, sample_ms: int) -> Life:
    announced, net_ms, least_ms, acted = Announced(TICK_MS, sample_ms, 1, 1000), 0.0, 0.0, 0
    for number in range(NOTICES):
        is_watched = announced.words[A_CREDIT_W_MS] < 0
        acted += not is_watched
        late = SEQUENCES[name](number, is_watched)
        net_ms += saved_ms(announced, late, delay_ms, sample_ms)
        least_ms = min(least_ms, net_ms)
    return Life(name, acted, net_ms, least_ms)


def bound_ms(delay_ms: int, sample_ms: int) -> float:
    """Highest allowed loss, ms: a wrong step, and one more for each doubling of the notices."""
    wrong_ms = delay_ms + sample_ms + LATE_MS + TICK_MS
    return wrong_ms * (1 + math.log2(1 + NOTICES))


def saved_ms(announced: Announced, late: str | int, delay_ms: int, sample_ms: int) -> float:
    """Saving by one notice: ms of the whole step that the grid is spared. The meter shows the load
    sample_ms later.
    """
    times_ms = range(FROM_MS, UNTIL_MS, TICK_MS)
    load_W = [_load_W(at_ms, late) for at_ms in times_ms]
    behind, ahead = sample_ms // TICK_MS, (delay_ms - sample_ms) // TICK_MS
    seen_W = [load_W[max(0, tick - behind)] for tick in range(len(load_W))]
    guess_W = list[int]()
    for at_ms, now_W in zip(times_ms, seen_W):
        notice = Notice(0, STEP_W, max(0, -at_ms), UNTIL_MS)
        guess_W.append(announced.ahead_W(now_W, now_W, (notice,), 1, delay_ms))
    plain, with_notice = (
        sum(abs(real - held) for real, held in zip(load_W[ahead:], decided))
        for decided in (seen_W, guess_W)
    )
    return (plain - with_notice) * TICK_MS / STEP_W


def _load_W(at_ms: int, late: str | int) -> int:
    return LEVEL_W + STEP_W * (late != NEVER and isinstance(late, int) and at_ms >= late)
