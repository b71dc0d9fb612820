"""The shape of the synthetic loads: a synchronous GPU training cluster, as in published data.

A plateau has a sawtooth at the training step: 10.9 s, about 10 % peak to peak. The plateau dips for
13 s every 142 s (evaluation), and sometimes below half the power (checkpoint). Between jobs the
cluster is idle. `cluster` begins idle, `training` begins within a job. `iterations` trains a small
model: steps of 0.4 to 2.5 s that differ in length, each with a wait at its end (no measurement of
this is public). `squares` has random periods, so it cannot be foreseen. `swing` rises from idle by
more than a battery of 250 kW can give.
"""

import random
from collections.abc import Iterator

STEP_S = 10.9
LOW_S = 2.0  # time in each step in which the GPUs wait for each other
EVALUATION_PERIOD_S = 142.0
EVALUATION_S = 13.0
SAWTOOTH = (0.085, 0.10)  # share of peak; the noise of the plateau adds up to 0.015
IDLE = (0.12, 0.16)
JOB_S = (480.0, 2400.0)
PAUSE_S = (30.0, 240.0)
CHECKPOINT_PERIOD_S = (300.0, 900.0)
# First events of `training`: both come within two minutes, when the limits have recovered.
FIRST_EVALUATION_S = (40.0, 50.0)
FIRST_CHECKPOINT_S = (75.0, 90.0)
# A GPU moves most of its power within 10 ms, the sum of a cluster within 0.1 s.
EDGE_S = (0.05, 0.2)
# Small models: jobs follow each other, each with its own length of iteration and its own jitter.
ITERATION_S, ITERATION_JITTER = (0.4, 2.5), (0.01, 0.1)
ITERATIONS_S, WAIT, WAIT_SHARE = (60.0, 180.0), (0.1, 0.35), (0.3, 0.7)
# range of the drawn period, s; edge, s; lower power
SQUARE_S, SQUARE_EDGE_S, SQUARE_LOW = (0.35, 0.5), 0.17, 0.3
SWING_S, SWING_LOW, SWING_EDGE_S, SWING_IDLE_S = 2320.0, 0.17, 1.0, 60.0
Breakpoints = tuple[list[float], list[float]]


class _Curve:
    """Breakpoints of a piecewise linear curve, as shares of the peak."""

    def __init__(self, start: float) -> None:
        self.times, self.shares = [0.0], [start]

    now_s = property(lambda self: self.times[-1])

    def line(self, duration_s: float, share: float) -> None:
        self.times.append(self.times[-1] + duration_s)
        self.shares.append(share)

    def hold(self, duration_s: float) -> None:
        self.line(duration_s, self.shares[-1])


def cluster(seed: object, duration_s: float) -> _Curve:
    """A cluster's power, by seed. Every curve goes beyond duration_s."""
    deal = random.Random(f"{seed}/load")
    curve = _Curve(deal.uniform(*IDLE))
    # The first job starts early, so that a short run has one.
    curve.hold(min(20.0, duration_s / 4.0))
    while curve.now_s < duration_s:
        _job(curve, deal, min(curve.now_s + deal.uniform(*JOB_S), duration_s))
        _idle(curve, deal, curve.now_s + deal.uniform(*PAUSE_S))
    return curve


def training(seed: object, duration_s: float) -> _Curve:
    """A cluster that is training at time 0. With the same seed, a longer run begins like a shorter
    one.
    """
    curve = _Curve(0.97)
    for times, shares in training_parts(seed):
        curve.times += times[1:]
        curve.shares += shares[1:]
        if curve.now_s > duration_s:
            break
    return curve


def training_parts(seed: object) -> Iterator[Breakpoints]:
    """(times_s, shares) of the cluster of `training`, job by job. Each part begins with the last
    point of the part before.
    """
    deal = random.Random(f"{seed}/training")
    curve = _Curve(0.97)
    evaluated_s = deal.uniform(*FIRST_EVALUATION_S) - EVALUATION_PERIOD_S
    checkpoint_s = deal.uniform(*FIRST_CHECKPOINT_S)
    _train(curve, deal, deal.uniform(*JOB_S), evaluated_s, checkpoint_s)
    while True:
        yield curve.times, curve.shares
        curve.times, curve.shares = curve.times[-1:], curve.shares[-1:]
        _idle(curve, deal, curve.now_s + deal.uniform(*PAUSE_S))
        _job(curve, deal, curve.now_s + deal.uniform(*JOB_S))


def iterations(seed: object, duration_s: float) -> _Curve:
    """Short iterations, whose length jitters and differs between jobs."""
    deal = random.Random(f"{seed}/iterations")
    curve = _Curve(0.97)
    while curve.now_s < duration_s:
        iteration_s, jitter = deal.uniform(*ITERATION_S), deal.uniform(*ITERATION_JITTER)
        wait, share, edge_s = deal.uniform(*WAIT), deal.uniform(*WAIT_SHARE), EDGE_S[0]
        end_s = curve.now_s + deal.uniform(*ITERATIONS_S)
        while curve.now_s < end_s:
            length_s = iteration_s * max(0.5, deal.gauss(1.0, jitter)) - 2 * edge_s
            curve.hold(length_s * (1 - wait))
            curve.line(edge_s, share + deal.uniform(0.0, 0.05))
            curve.hold(length_s * wait)
            curve.line(edge_s, deal.uniform(0.95, 1.0))
        curve.hold(deal.uniform(2.0, EVALUATION_S))
    return curve


def squares(seed: object, duration_s: float) -> _Curve:
    """A square wave; each square has its own period."""
    deal, curve = random.Random(f"{seed}/squares"), _Curve(SQUARE_LOW)
    while curve.now_s < duration_s:
        half_s = deal.uniform(*SQUARE_S) / 2
        for share in (1.0, SQUARE_LOW):
            curve.line(SQUARE_EDGE_S, share)
            curve.hold(half_s - SQUARE_EDGE_S)
    return curve


def swing(seed: object, duration_s: float) -> _Curve:
    """A slow square wave that begins idle; the same for every seed."""
    curve = _Curve(SWING_LOW)
    curve.hold(SWING_IDLE_S)
    while curve.now_s < duration_s:
        for share in (1.0, SWING_LOW):
            curve.line(SWING_EDGE_S, share)
            curve.hold(SWING_S / 2 - SWING_EDGE_S)
    return curve


def _idle(curve: _Curve, deal: random.Random, until_s: float) -> None:
    while curve.now_s < until_s:
        curve.line(deal.uniform(3.0, 10.0), deal.uniform(*IDLE))


def _job(curve: _Curve, deal: random.Random, until_s: float) -> None:
    """Add a job: from idle to training, and back to idle."""
    curve.line(deal.uniform(1.0, 3.0), deal.uniform(0.5, 0.65))
    curve.hold(deal.uniform(10.0, 40.0))
    curve.line(deal.uniform(1.0, 4.0), 0.97)
    checkpoint_s = curve.now_s + deal.uniform(*CHECKPOINT_PERIOD_S)
    _train(curve, deal, until_s, curve.now_s, checkpoint_s)


def _train(
    curve: _Curve, deal: random.Random, until_s: float, evaluated_s: float, checkpoint_s: float
) -> None:
    """Add training steps, evaluations and checkpoints. Then go to idle."""
    while curve.now_s < until_s:
        _training_step(curve, deal)
        if curve.now_s >= checkpoint_s:
            _checkpoint(curve, deal)
            checkpoint_s += deal.uniform(*CHECKPOINT_PERIOD_S)
        elif curve.now_s + STEP_S > evaluated_s + EVALUATION_PERIOD_S:
            _evaluation(curve, deal)
            evaluated_s += EVALUATION_PERIOD_S
    curve.line(deal.uniform(0.5, 2.0), deal.uniform(*IDLE))


def _training_step(curve: _Curve, deal: random.Random) -> None:
    top = deal.uniform(0.99, 1.0)
    rise_s, edge_s = deal.uniform(1.5, 2.5), deal.uniform(*EDGE_S)
    curve.line(rise_s, top)
    curve.line(STEP_S - LOW_S - rise_s, top - deal.uniform(0.0, 0.005))
    curve.line(edge_s, top - deal.uniform(*SAWTOOTH))
    curve.hold(LOW_S - edge_s)


def _evaluation(curve: _Curve, deal: random.Random) -> None:
    curve.line(deal.uniform(*EDGE_S), deal.uniform(0.62, 0.72))
    curve.hold(2.0)
    curve.line(0.8, deal.uniform(0.88, 0.90))
    curve.hold(EVALUATION_S - 3.0)
    curve.line(deal.uniform(*EDGE_S), 0.97)


def _checkpoint(curve: _Curve, deal: random.Random) -> None:
    low, pause_s = deal.uniform(0.42, 0.48), deal.uniform(8.0, 14.0)
    for duration_s, share in (
        (2.0, 0.82),
        (2.0, 0.50),
        (2.0, low),
        (pause_s, low),
        (3.0, 0.58),
        (3.0, 0.95),
    ):
        curve.line(duration_s, share)


CURVES = {
    "synthetic": cluster,
    "training": training,
    "iterations": iterations,
    "squares": squares,
    "swing": swing,
}


def points(kind: str, seed: object, duration_s: float, peak_W: float) -> Breakpoints:
    """(times_s, powers_W): breakpoints of a curve of CURVES from 0 to exactly duration_s."""
    curve = CURVES[kind](seed, duration_s)
    last = next(i for i, t in enumerate(curve.times) if t >= duration_s)
    (t0, t1), (share0, share1) = curve.times[last - 1 : last + 1], curve.shares[last - 1 : last + 1]
    share = share0 + (share1 - share0) * (duration_s - t0) / (t1 - t0)
    return curve.times[:last] + [duration_s], [s * peak_W for s in curve.shares[:last] + [share]]
