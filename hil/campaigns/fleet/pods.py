"""An hour of Shanghai's connection with several pods, each with its own controller.

Dispatcher and broker are killed at drawn moments; one pod dies, one is moved, one is cut off, and
the clock of one runs fast or slow. Load jobs begin and end. The course without a dispatcher has
fixed parts, for comparison. In a course with a liar, one pod's reports are wrong.
"""

import contextlib
import math
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from controller.config.cabinet_config import Config
from controller.core.policies.meter_statistics import TURN_S
from hil.engine.pod import with_control
from hil.fleet.broker import Faults
from hil.fleet.fleet_pod import Event, FleetPod
from hil.fleet.messages import SOURCE, Messages
from hil.systems import run, sized, spec
from hil.systems.live import _later

SYSTEM, VARIANT = "shanghai", "four_cabinets"
LIMIT_W, CAP_W = 6_000_000, 5_700_000  # the connection; what fixed parts and fallbacks share
SPARE_W = 600_000  # the sun that a cloud takes: without a dispatcher the pods answer it late
TICK_MS, BEGIN_S = 100, 36_000
POWER_W, ENERGY_WH = 4_000_000, 16_000_000  # of all pods
BASE_W, JOB_W, FRIDAY_W = 5_200_000, 2_800_000, 3_800_000
FALLBACK_PART = 0.6  # of an equal part of what is shared (chosen by the project)
SOC = 0.8
HOLD_H = 1.0  # no job lasts longer, so the hold-back is on while the charge is not low
ANSWER_S = 0.5  # after a rise; the batteries answer within 0.4 s
STOP_S, CLOSES_S = 20, 40  # a controlled stop; the way from a start to a closed pod
WHOLE_S = 3600  # a shorter course has shorter events
GAINED_MS, WITHIN_MS = 1000, 60_000  # by which a clock runs fast or slow
LED, FIXED, LYING, REAL = "", "fixed parts", "a report", "real time"
HONEST = LED, REAL  # kinds of courses in which the connection must keep
LIES = {  # factors of what a liar reports
    "of no load": {"load_W": 0},
    "of twice its battery": {"battery_W": 2, "discharge_W_max": 2},
    "of twice its load": {"load_W": 2},
}


class Course(NamedTuple):
    """A drawn course. jobs: (begin s, end s, W); falls of dispatcher, broker: (begin s, length s);
    dead and liar: (s, pod); moved and cut: (begin s, end s, pod); clock: (begin s, gained ms, pod).
    """

    pods: int
    number: int
    seed: int
    length_s: int
    jobs: tuple[tuple[float, float, int], ...]
    dispatcher: tuple[float, float]
    broker: tuple[float, float]
    dead: tuple[float, int]
    moved: tuple[float, float, int]
    cut: tuple[float, float, int]
    clock: tuple[float, int, int]
    liar: tuple[float, int]
    kind: str = LED

    @property
    def name(self) -> str:
        """Name in lines and JSON."""
        kind = f"{self.kind} {self.lie}" if self.kind == LYING else self.kind
        return f"{self.pods} pods, course {self.number}" + (f", {kind}" if kind else "")

    @property
    def lie(self) -> str:
        """The key of LIES."""
        return list(LIES)[self.number % len(LIES)]


def drawn(pods: int, number: int, seed: int, length_s: int) -> Course:
    """The course of this number. Each event happens at a drawn moment."""
    rng = random.Random(f"{seed}/{pods}/{number}/fleet")
    starts_s = [rng.uniform(0, 0.8) * length_s for _ in range(5)]
    names = rng.sample(range(pods), 3) if pods > 2 else [0, 0, 1]

    def lasting(low_s: float, high_s: float) -> float:
        return rng.uniform(low_s, high_s) * min(1.0, length_s / WHOLE_S)

    jobs, now_s = [], lasting(0, 300)
    while now_s < length_s:
        for_s = lasting(300, 1500)
        watts = FRIDAY_W if rng.random() < 0.2 else JOB_W
        jobs.append((now_s, now_s + for_s, watts))
        now_s += for_s + lasting(30, 600)
    dispatcher, broker = (starts_s[0], lasting(5, 300)), (starts_s[1], lasting(5, 120))
    return Course(
        pods,
        number,
        seed=rng.randrange(2**32),
        length_s=length_s,
        jobs=tuple(jobs),
        dispatcher=dispatcher,
        broker=broker,
        dead=(starts_s[2], names[0]),
        moved=(starts_s[3], starts_s[3] + max(2 * STOP_S, lasting(300, 900)), names[1]),
        cut=(starts_s[4], starts_s[4] + lasting(30, 600), names[2]),
        clock=(
            rng.uniform(0, 0.8) * length_s,
            rng.choice((-1, 1)) * GAINED_MS,
            rng.randrange(pods),
        ),
        liar=(rng.uniform(0, 0.5) * length_s, rng.randrange(pods)),
    )


def played(course: Course) -> dict[str, Any]:
    """The figures of a course."""
    with built(course) as pod:
        pod.messages = messages = Messages(
            pod.members, LIMIT_W, SPARE_W, course.seed, Faults(), HOLD_H
        )
        if course.kind == FIXED:
            messages.kill()
        watch = watched(pod, course, course.pods * TURN_S + 120)
        while watch.step():
            pass
    return {
        "name": course.name,
        "kind": course.kind,
        **watch.figures(),
        "counts": messages.broker.counts,
    }


def watched(pod: FleetPod, course: Course, begin_s: float) -> "Watch":
    """Let load and events of the course begin at this second of the pod."""
    pod.site.load = lambda now_s: (
        BASE_W + sum(watts for begin, end, watts in course.jobs if begin <= now_s - begin_s < end)
    )
    events = sorted(_events(course), key=lambda event: event[0])
    pod.events = [(begin_s + at_s, do) for at_s, do in events]
    rises_s = [begin for begin, _, _ in course.jobs]
    return Watch(pod, begin_s, begin_s + course.length_s, rises_s, _away_s(course))


def _away_s(course: Course) -> list[tuple[float, float]]:
    """Spans in which a pod is away: a dead one, and a moved one until its meter is tested."""
    leaves_s, returns_s, moved = course.moved
    again_s = returns_s + STOP_S + CLOSES_S + (moved + 1) * TURN_S
    return [(course.dead[0], math.inf), (leaves_s, again_s)]


def _events(course: Course) -> list[Event]:
    (dispatcher_s, dispatcher_for_s), (broker_s, broker_for_s) = course.dispatcher, course.broker
    (dead_s, dead), (leaves_s, returns_s, moved) = course.dead, course.moved
    (cut_s, joined_s, cut), (drifts_s, gained_ms, drifting) = course.cut, course.clock
    (lies_s, liar), lie = course.liar, LIES[course.lie]
    cut_name, drifting_name, liar_name = [f"cabinet{index + 1}" for index in (cut, drifting, liar)]
    events: list[Event] = [
        (dead_s, lambda pod: pod.members[dead].controller.kill()),
        # a pod that is moved is stopped before, and started at its new place
        (leaves_s, lambda pod: pod.members[moved].controller.run_request(False)),
        (leaves_s + STOP_S, lambda pod: pod.members[moved].controller.kill()),
        (returns_s, lambda pod: pod.members[moved].controller.start()),
        (returns_s + STOP_S, lambda pod: pod.members[moved].controller.run_request(True)),
    ]
    if course.kind != FIXED:
        events += [
            (cut_s, lambda pod: pod.messages.cut(cut_name)),
            (joined_s, lambda pod: pod.messages.join(cut_name)),
            (
                drifts_s,
                lambda pod: pod.messages.boxes[drifting_name].clock.drift(gained_ms, WITHIN_MS),
            ),
            (broker_s, lambda pod: pod.messages.stop_broker()),
            (broker_s + broker_for_s, lambda pod: pod.messages.start_broker()),
            (dispatcher_s, lambda pod: pod.messages.kill()),
            (dispatcher_s + dispatcher_for_s, lambda pod: pod.messages.start(pod.now_us)),
        ]
    if course.kind == LYING:
        events.append((lies_s, lambda pod: pod.messages.boxes[liar_name].lie.update(lie)))
    return events


@contextlib.contextmanager
def built(course: Course) -> Iterator[FleetPod]:
    """A context with the pods, before their first tick."""
    system = spec.load(SYSTEM, VARIANT)
    size = _size(system.size, course)
    site = run.site_of(_later(system, BEGIN_S), {})
    with tempfile.TemporaryDirectory() as folder:
        config = sized.load(size, Path(folder), TICK_MS)
        configs = [_in_turn(config, number, course.pods) for number in range(course.pods)]
        plant = size.plant | {"ambient_degC": 25.0} | system.plant
        yield FleetPod(site, configs, course.seed, SOC, plant)


def _size(size: sized.Size, course: Course) -> sized.Size:
    """The size of a pod. Without a dispatcher its fallback is a fixed equal part."""
    part = 1.0 if course.kind == FIXED else FALLBACK_PART
    source = {
        "role": "grid_cap",
        "priority": 2,
        "fallback_import_W_max": int(CAP_W / course.pods * part),
        "hints_per_s_max": 10,
    }
    control = {**size.control, "soc_target_permille": int(SOC * 1000)}
    return size._replace(
        units=1,
        rated_W=POWER_W // course.pods,
        energy_Wh=ENERGY_WH // course.pods,
        devices={},
        control=control,
        sources={SOURCE: source},
    )


def _in_turn(config: Config, number: int, count: int) -> Config:
    """The configuration of a pod: its meter test waits for those before it, and shares sum to
    1000.
    """
    share_permille = 1000 * (number + 1) // count - 1000 * number // count
    own = {"meter_code_wait_s": number * TURN_S, "share_permille": share_permille}
    return with_control(config, own)


class Watch:
    """Compares the mean import of each second with what the remaining pods could give.

    Seconds of a rise are counted apart, because a load is measured only after it has risen.
    """

    def __init__(
        self,
        pod: FleetPod,
        begin_s: float,
        end_s: float,
        rises_s: Sequence[float],
        away_s: Sequence[tuple[float, float]],
    ) -> None:
        """rises_s: when the load rises, from begin_s on. away_s: when the course takes a pod away.
        A pod that the product itself does not use counts as able.
        """
        self._pod, self._begin_us, self._end_us = pod, begin_s * 1e6, end_s * 1e6
        self._of_rises = {math.floor(rise_s + by_s) for rise_s in rises_s for by_s in (0, ANSWER_S)}
        self._away_s = away_s
        self._ticks: list[tuple[float, bool]] = []
        self.seconds: list[tuple[float, bool]] = []  # mean import; True if the pods could keep it
        self._given_J, self._shares_W = 0.0, 0

    def step(self) -> bool:
        """Make a tick and note it. False at the end."""
        pod = self._pod
        pod.step()
        if pod.now_us > self._begin_us:
            self._see()
        return pod.now_us < self._end_us

    def _see(self) -> None:
        pod, members = self._pod, self._pod.members
        grid_W = pod.site.grid_power_W
        given_W = pod.site.battery_W
        now_s = (pod.now_us - self._begin_us) / 1e6
        away = sum(begin_s <= now_s < end_s for begin_s, end_s in self._away_s)
        able_W = (len(members) - away) * POWER_W / len(members)
        self._ticks.append((grid_W, grid_W + given_W - able_W <= LIMIT_W))
        self._given_J += max(0.0, given_W) * TICK_MS / 1000
        self._shares_W = max(self._shares_W, pod.shares_W)
        if len(self._ticks) == 1000 // TICK_MS:
            ticks_W, is_able = zip(*self._ticks)
            self.seconds.append((float(np.mean(ticks_W)), all(is_able)))
            self._ticks.clear()

    def figures(self) -> dict[str, Any]:
        """The figures of the course, as plain data."""
        over_W = {
            at_s: grid_W - LIMIT_W
            for at_s, (grid_W, _) in enumerate(self.seconds)
            if grid_W > LIMIT_W
        }
        able_s = [at_s for at_s in over_W if self.seconds[at_s][1]]
        usual_W = [over_W[at_s] for at_s in able_s if at_s not in self._of_rises]
        rising_W = [over_W[at_s] for at_s in able_s if at_s in self._of_rises]
        return {
            "highest_W": round(max(grid_W for grid_W, _ in self.seconds)),
            "seconds_over": len(usual_W),
            "seconds_beyond": len(over_W) - len(able_s),
            "most_over_W": round(max(usual_W, default=0)),
            "seconds_of_rises": len(rising_W),
            "most_of_rises_W": round(max(rising_W, default=0)),
            "shares_over_W": self._shares_W - LIMIT_W,
            "given_kWh": round(self._given_J / 3.6e6),
            "over_kWh": round(math.fsum(over_W.values()) / 3.6e6, 1),
            "over_at_s": [*over_W][:200],
            "trips": [
                [trip["stage"], trip["scope"], round(trip["t_s"], 1)]
                for member in self._pod.members
                for trip in member.trips.trips
            ][:20],
        }
