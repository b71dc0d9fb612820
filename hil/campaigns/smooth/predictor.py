"""The best linear causal predictor of a load, fitted by least squares on another part of it.

It sees 3 s of the meter's values and guesses the load at the moment when the battery acts. Each age
of the newest value has weights of its own. They are fitted on other runs of the same file, else on
the other half of the load. No rule forbids overshoot; `held_back_W` keeps the same guess inside the
range that the load has shown.
"""

import numpy as np

from hil.campaigns.smooth.paths import TICK_MS, Path
from hil.campaigns.smooth.simulator import samples_W

PAST_MS = 3000
DENSE, SPREAD = 12, 16  # lags: the newest samples, and as many over the rest of the past
RIDGE = 1e-9  # of the mean power of the lags
RUNS_MAX = 4  # that it is fitted on
RANGE_MS, OVER = 2000, 0.05


def lags(path: Path) -> np.ndarray:
    """Which samples the predictor sees, counted back from the newest: 28 to 30 over 3 s."""
    last = PAST_MS // path.sample_ms
    if last <= DENSE + SPREAD + 2:
        return np.arange(1, last + 1)
    spread = np.rint(np.linspace(DENSE + 1, last, SPREAD)).astype(int)
    return np.append(np.arange(1, DENSE + 1), spread)


class _Seen:
    """A load as the predictor sees it: newest values, and how far older ones lie from them.

    moved_W: how far the load has moved from the newest value when a request of each age acts.
    """

    def __init__(self, load_W: np.ndarray, path: Path):
        back, ticks = lags(path), path.sample_ticks
        values = np.append(np.full(back[-1] + 1, load_W[0]), samples_W(load_W, path))
        self.newest_W = values[back[-1] :]
        at = np.arange(back[-1], len(values))
        self.past_W = values[at[:, None] - back] - self.newest_W[:, None]
        acts = np.arange(len(self.newest_W) * ticks) + (path.dead_ms + path.lag_ms) / TICK_MS
        self.is_known = (acts <= len(load_W) - 1).reshape(-1, ticks)
        acting_W = np.interp(acts, np.arange(len(load_W)), load_W).reshape(-1, ticks)
        self.moved_W = acting_W - self.newest_W[:, None]

    def normal(self, part: slice) -> list:
        """[(matrix, right side)] of the normal equations over these samples, for each age."""
        sums = []
        for known, moved_W in zip(self.is_known[part].T, self.moved_W[part].T):
            past_W = self.past_W[part][known]
            sums.append((past_W.T @ past_W, past_W.T @ moved_W[known]))
        return sums

    def guess_W(self, weights: np.ndarray, part: slice) -> np.ndarray:
        """Guess of each tick of these samples, W."""
        return (self.newest_W[part, None] + self.past_W[part] @ weights).ravel()


def _weights(runs: list) -> np.ndarray:
    """[lag, age] from the normal equations of all runs."""
    found = []
    for age in zip(*runs):
        square, right = (sum(each) for each in zip(*age))
        square += np.eye(len(right)) * (RIDGE * np.trace(square) / len(right) + 1e-6)
        found.append(np.linalg.solve(square, right))
    return np.array(found).T


def guess_W(load_W: np.ndarray, others_W: list, path: Path) -> np.ndarray:
    """The guess of each tick, W; others_W: other runs, if the file has some."""
    seen = _Seen(load_W, path)
    if others_W:
        runs = [_Seen(other_W, path).normal(slice(None)) for other_W in others_W]
        guesses_W = [seen.guess_W(_weights(runs), slice(None))]
    else:
        half = len(seen.newest_W) // 2
        first, second = slice(0, half), slice(half, None)
        pairs = ((first, second), (second, first))
        guesses_W = [seen.guess_W(_weights([seen.normal(fit)]), part) for part, fit in pairs]
    return np.concatenate(guesses_W)[: len(load_W)]


def held_back_W(guess: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The guess inside the range of what the meter has shown for 2 s, and 5 % of it beyond, W."""
    ticks = RANGE_MS // TICK_MS
    padded_W = np.append(np.full(ticks - 1, seen[0]), seen)
    shown_W = np.lib.stride_tricks.sliding_window_view(padded_W, ticks)
    low_W, high_W = shown_W.min(axis=1), shown_W.max(axis=1)
    over_W = OVER * (high_W - low_W)
    return np.clip(guess, low_W - over_W, high_W + over_W)
