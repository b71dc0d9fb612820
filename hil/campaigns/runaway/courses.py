"""Draws test cases (courses): true runaways, and causes of false alarms, called makers."""

import math
import pathlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

from hil.loads import reader, trace as traces
from hil.plant.cabinet import CabinetPlant

MAKER_S = 1200.0  # duration of a course with a maker
FAULT_S = 60  # when the fault of a runaway begins in its course
SETTLE_S = 40  # when a maker's first event happens: the kernel then has 30 s of history
# One sigma of a module's temperature. The kernel's heating feature allows for 0.1 K.
NOISES_K = (0.02, 0.05, 0.1)
# Sensors sit on the hottest cell, on four cells of a module, or on one in its middle.
SENSOR_CELLS: tuple[tuple[int, ...], ...] = ((), (2, 6, 10, 14), (7,))
# An external heater (C31). An internal short that warms its cell (assumed, without a source).
RATES_K_PER_MIN = {"heater": (4.0, 7.0), "short": (12.0, 60.0)}
SUDDEN_DEGC = 165.0
START_DEGC, TRIGGER_DEGC = 25.0, 160.0
Steps = list[tuple[float, Callable[[CabinetPlant], object]]]  # (second, function of the plant)
Load = Callable[[float], Any]  # second -> W
SLOW = "heater", "short"  # only these leave time for a warning
KINDS = *["heater"] * 4, *["short"] * 3, "sudden"  # the kinds of eight runaways in turn
LOAD_FILES = (
    ("gpt3_512xh100_2s.csv.gz", "ac_total_kW"),
    *(("lora_512xh100_2s.csv.gz", f"run0{number}_kW") for number in range(1, 6)),
)
LOAD_NAMES = ", ".join(sorted({name for name, _ in LOAD_FILES}))
BASES: dict[str, dict[str, Any]] = {
    "lfp 30 %": {"soc": 0.3},
    "lfp 55 %": {"soc": 0.55},
    "lfp 90 %": {"soc": 0.9},
    "hot": {"soc": 0.55, "ambient_degC": 42.0},
    "nmc": {"soc": 0.55, "chemistry": "nmc"},
}
LFP = [name for name in BASES if name.startswith("lfp")]


def _place(rng: Random) -> tuple[int, int]:
    """(rack, module)."""
    return rng.randrange(3), rng.randrange(15)


def _logarithmic(rng: Random, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


# Each function of a maker draws the steps of an event, in seconds after its begin.


def _for(for_s: float, act: Callable[[CabinetPlant, bool], object]) -> Steps:
    """Call act(plant, True) at once, and act(plant, False) for_s later."""
    return [(0.0, lambda plant: act(plant, True)), (for_s, lambda plant: act(plant, False))]


def _zero(rng: Random) -> Steps:
    (rack, module), for_s = _place(rng), rng.uniform(2.0, 60.0)
    return _for(
        for_s, lambda plant, on: plant.racks[rack].stick_sensor(module, 0.0 if on else None)
    )


def _invalid(rng: Random) -> Steps:
    (rack, module), for_s = _place(rng), rng.uniform(2.0, 60.0)
    return _for(for_s, lambda plant, on: plant.racks[rack].invalidate_sensors(module, 2 * on))


def _misread(rng: Random) -> Steps:
    (rack, module), offset_K = _place(rng), rng.choice((-1.0, 1.0)) * rng.uniform(1.0, 60.0)
    return [(0.0, lambda plant: plant.racks[rack].misread(module, offset_K))]


def _stuck(rng: Random) -> Steps:
    """A sensor repeats its last reading for minutes; then it is right again."""
    rack, module = _place(rng)

    def stick(plant: CabinetPlant, on: bool) -> None:
        faulty_rack = plant.racks[rack]
        faulty_rack.stick_sensor(module, faulty_rack.temperatures_degC[module] if on else None)

    return _for(rng.uniform(120.0, 500.0), stick)


def _solvent(rng: Random) -> Steps:
    """Someone paints or cleans nearby: 2 to 60 ppm for minutes, more at one head than the other."""
    ppm, for_s = _logarithmic(rng, 2.0, 60.0), rng.uniform(20.0, 200.0)
    share = rng.random()

    def drift(plant: CabinetPlant, on: bool) -> None:
        plant.air.cap("vapour", ppm * on, (0,))
        plant.air.cap("vapour", ppm * share * on, (1,))

    return _for(for_s, drift)


def _drift(rng: Random) -> Steps:
    """The zero of one detector drifts within one course as far as it really does in months."""
    offgas_ppm, toxic_ppm = rng.choice(
        ((rng.uniform(2.0, 18.0), 0.0), (0.0, rng.uniform(5.0, 45.0)))
    )

    def drift(share: float, plant: CabinetPlant) -> None:
        plant.air.cap("vapour", offgas_ppm * share, (0,))
        plant.air.cap("toxic", toxic_ppm * share, (0,))

    return [(50.0 * part, partial(drift, part / 20.0)) for part in range(1, 21)]


def _hvac(rng: Random) -> Steps:
    return [(0.0, lambda plant: setattr(plant.climate, "hvac_failed", True))]


def _balancing(rng: Random) -> Steps:
    """A balancer or a contact moves one cell's voltage suddenly, and back."""
    rack, module = _place(rng)
    offset_V, cell = rng.choice((-1.0, 1.0)) * rng.uniform(0.005, 0.06), rng.randrange(16)
    return _for(60.0, lambda plant, on: plant.racks[rack].offset_cell(offset_V * on, module, cell))


def _door(rng: Random) -> Steps:
    """The door is open for two minutes. The air inside mixes with the air of the hall."""
    hall_degC = rng.uniform(5.0, 40.0)

    def open_(plant: CabinetPlant, on: bool) -> None:
        plant.door_closed = not on
        plant.climate.hold(hall_degC if on else None, 0.1 * on)

    return _for(120.0, open_)


def _two(rng: Random) -> Steps:
    """Solvent in the air, and another event at the same time."""
    steps = _solvent(rng)
    return steps + _later(10.0, rng.choice((_zero, _misread, _balancing, _door))(rng))


def _later(by_s: float, steps: Steps) -> Steps:
    return [(by_s + at_s, act) for at_s, act in steps]


# {maker: (its function, events in 1000 cabinet-days, seconds of observation after each event)}. The
# rates are assumed, for a cabinet with 45 sensors, 5 detectors and one service visit per quarter.
TABLE: dict[str, tuple[Callable[[Random], Steps], float, int]] = {
    "sensor_zero": (_zero, 3.0, 240),
    "sensor_invalid": (_invalid, 3.0, 180),
    "misread": (_misread, 1000.0, 60),
    "stuck": (_stuck, 1.0, 600),
    "solvent": (_solvent, 5.0, 300),
    "drift": (_drift, 3.0, 1200),
    "hvac": (_hvac, 3.0, 1200),
    "balancing": (_balancing, 1000.0, 120),
    "door": (_door, 12.0, 300),
    "two_at_once": (_two, 0.5, 300),
}
RATES = {name: rate for name, (_, rate, _) in TABLE.items()}
WINDOW_S = {name: seconds for name, (_, _, seconds) in TABLE.items()} | {"load": 1200}


class Course(NamedTuple):
    """kind: of KINDS, RATES, or "load"; base: of BASES; events: times of the maker's events, s;
    rack: of the fault.
    """

    kind: str
    base: str
    seed: str
    duration_s: float
    noise_K: float
    sensor_cells: tuple[int, ...]
    load: Load
    steps: tuple
    events: tuple[float, ...] = ()
    rack: int | None = None


def drawn(seed: int, runaways: int, days: float, load_folder: str | None = None) -> list[Course]:
    """`runaways` courses of true runaways, then courses of makers that last `days` in all."""
    loads = _traces(load_folder)
    courses = []
    numbers = Counter[str]()
    for index in range(runaways):
        kind = KINDS[index % len(KINDS)]
        courses.append(_runaway(kind, f"{seed}/{kind}/{numbers[kind]}", loads))
        numbers[kind] += 1
    # in half of the courses only the load varies
    kinds = [kind for maker in RATES for kind in (maker, "load")]
    count = math.ceil(days * 86_400.0 / MAKER_S)
    return courses + [
        _maker(kinds[number % len(kinds)], f"{seed}/maker/{number}", loads)
        for number in range(count)
    ]


def _traces(folder: str | None) -> list[traces.Trace]:
    """The folder's measured loads. Each restarts at its end. Raises LoadError if there are none."""
    if not folder:
        return []
    paths = [(pathlib.Path(folder, name), column) for name, column in LOAD_FILES]
    loads = [reader.read_trace(str(path), column) for path, column in paths if path.is_file()]
    if not loads:
        raise traces.LoadError(f"--loads {folder}: has none of {LOAD_NAMES}")
    return loads


def _load(rng: Random, loads: list[traces.Trace], seed: str) -> Load:
    """A measured load from a random moment on in half of the courses; a synthetic one in the
    others.
    """
    if loads and rng.random() < 0.5:
        trace, from_s = rng.choice(loads), rng.uniform(0.0, 3600.0)
        return lambda t_s: trace((t_s + from_s) % trace.duration_s)
    return traces.synthetic_load(seed, 4000.0, rng.choice((250_000.0, 400_000.0, 600_000.0)))


def _common(rng: Random, loads: list[traces.Trace], seed: str) -> dict[str, Any]:
    return {
        "seed": seed,
        "noise_K": rng.choice(NOISES_K),
        "sensor_cells": rng.choice(SENSOR_CELLS),
        "load": _load(rng, loads, seed),
    }


def _runaway(kind: str, seed: str, loads: list[traces.Trace]) -> Course:
    rng = Random(seed)
    (rack, module), cell = _place(rng), rng.randrange(16)
    common = _common(rng, loads, seed)
    start: tuple[float | None, float | None] = (None, SUDDEN_DEGC)  # (K/s, degC at once)
    heating_s = 0.0
    if kind != "sudden":
        rate_K_per_min = _logarithmic(rng, *RATES_K_PER_MIN[kind])
        start = (rate_K_per_min / 60.0, None)
        heating_s = 60.0 * (TRIGGER_DEGC - START_DEGC) / rate_K_per_min
    steps: Steps = [(FAULT_S, lambda plant: plant.racks[rack].start_runaway(module, cell, *start))]
    if kind == "short":
        drop_V = rng.uniform(0.02, 0.4)
        steps.append(
            (FAULT_S, lambda plant: plant.racks[rack].offset_cell(-drop_V, module, cell, heating_s))
        )
    if rng.random() < 0.3:
        steps.insert(0, (0, lambda plant: setattr(plant, "fan_by_hand", True)))
    return Course(
        kind=kind,
        base=rng.choice((*LFP, "nmc")),
        duration_s=FAULT_S + heating_s + 240.0,
        steps=tuple(steps),
        events=(FAULT_S,),
        rack=rack,
        **common,
    )


def _maker(kind: str, seed: str, loads: list[traces.Trace]) -> Course:
    rng = Random(seed)
    common = _common(rng, loads, seed)
    steps: Steps = []
    events: list[float] = []
    at_s: float = SETTLE_S
    while kind != "load" and at_s + min(WINDOW_S[kind], MAKER_S - SETTLE_S) <= MAKER_S:
        events.append(at_s)
        steps += _later(at_s, TABLE[kind][0](rng))
        at_s += WINDOW_S[kind]
    return Course(
        kind=kind,
        base="hot" if kind == "hvac" else rng.choice(LFP),
        duration_s=MAKER_S,
        steps=tuple(sorted(steps, key=lambda step: step[0])),
        events=tuple(events),
        **common,
    )
