"""An hour of Shanghai's connection with several pods, each with its kernel and its own controller.

Dispatcher and broker are killed at drawn moments; one pod dies, one is moved, one is cut off. Load
jobs begin and end. The course without a dispatcher has fixed parts, for comparison.
"""

import contextlib
import dataclasses
import random
import tempfile
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from controller.config.configuration import Config
from hil.engine.pod import TURN_S
from hil.fleet.broker import Faults
from hil.fleet.fleet_pod import FleetPod
from hil.fleet.messages import SOURCE
from hil.systems import run, sized, spec
from hil.systems.live import _later

SYSTEM, VARIANT = "shanghai", "four_cabinets"
LIMIT_W, SPARE_W = 6_000_000, 300_000  # of the connection; the system's cap is 5.7 MW
TICK_MS, BEGIN_S = 100, 36_000
POWER_W, ENERGY_WH = 4_000_000, 16_000_000  # of all pods
BASE_W, JOB_W, FRIDAY_W = 5_200_000, 2_800_000, 3_800_000
FALLBACK_PART = 0.6  # of an equal part of what is shared (chosen by the project)
SOC = 0.8


class Course(NamedTuple):
    """A drawn course. jobs: (begin s, end s, W); falls: {what: (begin s, length s)}; dead: (s,
    pod); moved and cut: (begin s, end s, pod).
    """

    pods: int
    number: int
    seed: int
    length_s: int
    jobs: tuple[tuple[float, float, int], ...]
    falls: dict[str, tuple[float, float]]
    dead: tuple[float, int]
    moved: tuple[float, float, int]
    cut: tuple[float, float, int]
    has_dispatcher: bool = True

    @property
    def name(self) -> str:
        """Name in lines and JSON."""
        kind = "" if self.has_dispatcher else ", fixed parts"
        return f"{self.pods} pods, course {self.number}{kind}"


def drawn(pods: int, number: int, seed: int, length_s: int) -> Course:
    """The course of this number. Each event happens at a drawn moment."""
    deal = random.Random(f"{seed}/{pods}/{number}/fleet")
    at = [deal.uniform(0, 0.8) * length_s for _ in range(5)]
    names = deal.sample(range(pods), 3) if pods > 2 else [0, 0, 1]
    jobs, now_s = [], deal.uniform(0, 300)
    while now_s < length_s:
        for_s = deal.uniform(300, 1500)
        watts = FRIDAY_W if deal.random() < 0.2 else JOB_W
        jobs.append((now_s, now_s + for_s, watts))
        now_s += for_s + deal.uniform(30, 600)
    falls = {"dispatcher": (at[0], deal.uniform(5, 300)), "broker": (at[1], deal.uniform(5, 120))}
    return Course(
        pods,
        number,
        deal.randrange(2**32),
        length_s,
        tuple(jobs),
        falls,
        (at[2], names[0]),
        (at[3], at[3] + deal.uniform(300, 900), names[1]),
        (at[4], at[4] + deal.uniform(30, 600), names[2]),
    )


def played(course: Course) -> dict[str, Any]:
    """The figures of a course."""
    with _pod(course) as pod:
        settled_s = course.pods * TURN_S + 120
        load = _load(course, settled_s)
        pod.site.load = load
        pod.events = _events(course, settled_s)
        watch = _Watch(pod)
        while pod.now_us < (settled_s + course.length_s) * 1_000_000:
            pod.step()
            if pod.now_us > settled_s * 1_000_000:
                watch.see()
    return {"name": course.name, "pods": course.pods, **watch.figures()}


def _load(course: Course, settled_s: float) -> Callable[[float], float]:
    def load_W(now_s: float) -> float:
        since_s = now_s - settled_s
        jobs = [watts for begin, end, watts in course.jobs if begin <= since_s < end]
        return BASE_W + sum(jobs)

    return load_W


def _events(course: Course, settled_s: float) -> list[tuple[float, Callable[[FleetPod], object]]]:
    (dies_s, for_s), (stops_s, down_s) = course.falls["dispatcher"], course.falls["broker"]
    dead_s, dead = course.dead
    leaves_s, returns_s, moved = course.moved
    cut_s, joined_s, cut = course.cut

    def stop_broker(pod: FleetPod) -> None:
        pod.messages.broker.until_ms = pod.now_us / 1000 + down_s * 1000

    events: list[tuple[float, Callable[[FleetPod], object]]] = [
        (dead_s, lambda pod: pod.members[dead].controller.kill()),
        (leaves_s, lambda pod: pod.members[moved].controller.kill()),
        (returns_s, lambda pod: pod.members[moved].controller.start()),
        (cut_s, lambda pod: pod.messages.broker.cut.add(f"cabinet{cut + 1}")),
        (joined_s, lambda pod: pod.messages.broker.cut.clear()),
        (stops_s, stop_broker),
    ]
    if course.has_dispatcher:
        events += [
            (dies_s, lambda pod: pod.messages.kill()),
            (dies_s + for_s, lambda pod: pod.messages.start(pod.now_us)),
        ]
    return sorted([(settled_s + at_s, do) for at_s, do in events], key=lambda each: each[0])


@contextlib.contextmanager
def _pod(course: Course) -> Iterator[FleetPod]:
    """The pods, before their first tick."""
    system = spec.load(SYSTEM, VARIANT)
    size = _size(system.size, course)
    site = run.site_of(_later(system, BEGIN_S), {})
    with tempfile.TemporaryDirectory() as folder:
        config = sized.load(size, Path(folder), TICK_MS)
        configs = [_in_turn(config, number) for number in range(course.pods)]
        plant = size.plant | {"ambient_degC": 25.0} | system.plant
        shared_W = LIMIT_W, SPARE_W
        pod = FleetPod(site, configs, shared_W, course.seed, SOC, plant, Faults())
        for member in pod.members:
            member.quicken()
        if not course.has_dispatcher:
            pod.messages.kill()
        yield pod


def _size(size: sized.Size, course: Course) -> sized.Size:
    """One of the pods. Without a dispatcher its fallback is a fixed equal part."""
    part = FALLBACK_PART if course.has_dispatcher else 1.0
    source = {
        "role": "grid_cap",
        "priority": 2,
        "fallback_import_W_max": int((LIMIT_W - SPARE_W) / course.pods * part),
        "hints_per_s_max": 10,
    }
    control = {
        **size.control,
        "share_permille": 1000 // course.pods,
        "soc_target_permille": int(SOC * 1000),
    }
    return size._replace(
        units=1,
        rated_W=POWER_W // course.pods,
        energy_Wh=ENERGY_WH // course.pods,
        devices={},
        control=control,
        sources={SOURCE: source},
    )


def _in_turn(config: Config, number: int) -> Config:
    """The configuration of a pod: its meter test waits for those before it, and shares sum to
    1000.
    """
    own = {"meter_code_wait_s": number * TURN_S}
    control = config.control | own
    return dataclasses.replace(config, control=control, control_image=array("i", control.values()))


class _Watch:
    """Means of a second of the import, and what the pods that remain could give."""

    def __init__(self, pod: FleetPod) -> None:
        self._pod = pod
        self._ticks_W: list[float] = []
        self.seconds: list[tuple[float, bool]] = []  # mean import, the pods could keep the limit
        self._given_J = 0.0

    def see(self) -> None:
        """Take the tick that ended."""
        pod = self._pod
        self._ticks_W.append(pod.site.grid_power_W)
        units = [unit.ac_power_W for member in pod.members for unit in member.plant.pcs]
        self._given_J += max(0.0, sum(units)) * TICK_MS / 1000
        if len(self._ticks_W) < 1000 // TICK_MS:
            return
        running = [member for member in pod.members if member.controller.cabinet is not None]
        able_W = len(running) * POWER_W / len(pod.members)
        is_able = pod.site.grid_power_W + sum(units) - able_W <= LIMIT_W
        self.seconds.append((float(np.mean(self._ticks_W)), is_able))
        self._ticks_W.clear()

    def figures(self) -> dict[str, Any]:
        """Plain data."""
        over = [(watts - LIMIT_W, is_able) for watts, is_able in self.seconds if watts > LIMIT_W]
        return {
            "highest_W": round(max(watts for watts, _ in self.seconds)),
            "seconds_over": sum(is_able for _, is_able in over),
            "seconds_beyond": sum(not is_able for _, is_able in over),
            "most_over_W": round(max((watts for watts, is_able in over if is_able), default=0)),
            "counts": self._pod.messages.broker.counts,
            "given_kWh": round(self._given_J / 3.6e6),
            "over_at_s": [at for at, (watts, _) in enumerate(self.seconds) if watts > LIMIT_W][
                :200
            ],
            "trips": [
                [each["stage"], each["scope"], round(each["t_s"], 1)]
                for member in self._pod.members
                for each in member.trips.trips
            ][:20],
        }
