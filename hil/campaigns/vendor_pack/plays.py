"""Plays the tests T1 to T11 of a GPU vendor's battery guide on the rig.

T11 runs in chain-only mode (no safety kernel), all other tests in byte mode (frames on wires).
"""

import copy
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from controller.config import bus_times, configuration, schema, track_path
from controller.config.cabinet_config import Config
from controller.config.sources import Source
from controller.core.base import hint_codes
from controller.core.base.hint_codes import GRID_CAP, IMPORT_W_MAX, POWER_W, REQUEST
from hil.campaigns.outage.course import island_rig
from hil.campaigns.vendor_pack import verdicts
from hil.campaigns.vendor_pack.verdicts import Findings
from hil.engine import coverage
from hil.engine.pod import with_control
from hil.engine.simulate import VirtualRig
from hil.loads import selection
from hil.loads.trace import Power, step_load, synthetic_load
from hil.values.chain_only import ChainOnly
from safety import signals as s

START_S, SOC = selection.START_S, 0.55
SHARES = (0.1, 0.5, 0.75, 1.0)  # of the rated power, in T1
HOLD_S = 6.0  # how long each power is held
STEPS = (0.1, 0.25, 0.5)  # of the rated power, in T10
BASE, STEP_S, OUTAGE_S = 0.1, 5.0, 60.0
T4_S, T6_S, T11_H = 180.0, 30.0, 24
T4_JOB_S, STEP_OF_JOB_S = 3600.0, 0.02
BUFFER_J_per_kW = 54  # 65 J per GPU of 1.2 kW (2026, from a secondary source)
PATH_MS_MIN = schema.CONTROL["track_path_delay_ms"].allowed[0]  # of a path with capacitors
VALID_MS = 119_000
RESPONSE = 0.4  # of the rated power, in T6
Row = tuple[float, ...]
Rows = list[Row]
GRID = s.GRID_POWER_W


def played(name: str, cabinet: str, seed: int) -> Findings:
    """The findings of one test."""
    return PLAYS[name](coverage.loaded(cabinet), seed)


def _rated_W(config: Config) -> float:
    return sum(unit["rated_W"] for unit in config.unit_tables)


def _rig(config: Config, load: Power, seed: int) -> VirtualRig:
    """A running cabinet."""
    return VirtualRig(config, load, seed, (), {"soc": SOC}).run(START_S)


def _source(config: Config, kind: int) -> Source:
    """The source with the lowest role that may send hints of this kind."""
    rank = hint_codes.ROLES.index(hint_codes.KINDS[kind])
    return min(
        [source for source in config.sources if source.rank >= rank], key=lambda source: source.rank
    )


def _ask(rig: VirtualRig, kind: int, quantity: int, power_W: float) -> None:
    name = _source(rig.config, kind).name
    rig.controller.hint(name, kind, quantity, round(power_W), VALID_MS)


def _follow(rig: VirtualRig, end_s: float, row: Callable[[], Row]) -> Rows:
    """A row for each tick, which begins with the time."""
    rows: Rows = []
    while rig.now_us < round(end_s * 1e6):
        rig.step()
        rows.append((rig.now_us / 1e6, *row()))
    return rows


def _t1(config: Config, seed: int) -> Findings:
    """Discharge at each share, then charge in a second run. Each run has a load that allows it."""
    rated_W = _rated_W(config)
    high_W = 1.12 * rated_W
    low_W = max(0.0, selection.connection_W(config, False)["import"] - 1.1 * rated_W)
    rows, ends_s = _shares(config, seed, [share * rated_W for share in SHARES], high_W)
    after_s = ends_s[-1] - START_S
    more, later_s = _shares(config, seed, [-share * rated_W for share in SHARES], low_W)
    rows += [(row[0] + after_s, *row[1:]) for row in more]
    ends_s += [end_s + after_s for end_s in later_s]
    return verdicts.t1(rows, config.tick_ms, ends_s)


def _shares(
    config: Config, seed: int, powers_W: Sequence[float], load_W: float
) -> tuple[Rows, list[float]]:
    """(rows, the end of each power) of requests that follow each other."""
    ramp_W_per_s = _source(config, REQUEST).request_ramp_W_per_s
    rig = _rig(config, lambda t_s: load_W, seed)
    core, wanted_W, end_s = rig.core, 0.0, START_S
    indices = [core.layout.unit_input(unit, s.PCS_POWER_W) for unit in range(config.units)]

    def row() -> Row:
        reported_W = sum(core.inp[index] for index in indices)
        return wanted_W, rig.plant.battery_W, reported_W, rig.plant.grid_power_W, core.inp[GRID]

    rows, ends_s = Rows(), []
    for power_W in powers_W:
        end_s += abs(power_W - wanted_W) / ramp_W_per_s + HOLD_S
        ends_s.append(end_s)
        wanted_W = power_W
        _ask(rig, REQUEST, POWER_W, power_W)
        rows += _follow(rig, end_s, row)
    return rows, ends_s


def _t4(config: Config, seed: int) -> Findings:
    """Play the built-in training job around its largest change within the cabinet's path delay,
    because the grid sees an unannounced edge for that long. A cabinet without capacitors plays it
    again with capacitors, because a site that misses the limit can add them.
    """
    job = synthetic_load(seed, T4_JOB_S, selection.peak_W(config), "training")
    path_s = config.control["track_path_delay_ms"] / 1000
    begin_s = sharpest_s(job, path_s) - START_S - T4_S / 2

    def load(t_s: float) -> float:
        return power_of(job, max(0.0, begin_s) + t_s)

    rated_W = _rated_W(config)
    findings = verdicts.t4(*_t4_rows(config, load, seed), START_S, rated_W)
    meter = config.topology.device("meter_load")
    if meter is None or schema.BUFFER in meter.settings:
        return findings
    path_us = track_path.totals_us(track_path.path_delay(config))[1]
    J_per_kW = min(BUFFER_J_per_kW, path_us // 1000 - PATH_MS_MIN)
    again = verdicts.t4(*_t4_rows(buffered(config, J_per_kW), load, seed), START_S, rated_W)
    name = f"the same with {schema.BUFFER} = {J_per_kW} at meter_load"
    answers = [(f"{name}: {asked}", answer, is_met) for asked, answer, is_met in again.answers]
    return findings._replace(
        line=f"{findings.line}; with capacitors {again.line}", answers=[*findings.answers, *answers]
    )


def power_of(job: Power, t_s: float) -> float:
    """The power of the built-in load, which has no channels."""
    power_W = job(t_s)
    assert isinstance(power_W, float)
    return power_W


def sharpest_s(job: Power, within_s: float) -> float:
    """The time of the job's largest change within within_s."""
    times_s = np.arange(0.0, T4_JOB_S, STEP_OF_JOB_S)
    powers_W = np.array([power_of(job, t_s) for t_s in times_s])
    steps = max(1, round(within_s / STEP_OF_JOB_S))
    return float(times_s[np.abs(powers_W[steps:] - powers_W[:-steps]).argmax()])


def buffered(config: Config, J_per_kW: int) -> Config:
    """The same cabinet with capacitors in the GPU racks, and its load meter at these racks."""
    topology = copy.deepcopy(config.topology)
    topology.required("meter_load").settings[schema.BUFFER] = J_per_kW
    altered = dataclasses.replace(config, topology=topology)
    return with_control(altered, track_path.parameters(altered, bus_times.schedule(config)))


def _t4_rows(config: Config, load: Callable[[float], float], seed: int) -> tuple[Rows, np.ndarray]:
    """(rows, rows of the rig's recorder)."""
    rig = _rig(config, load, seed)

    def row() -> Row:
        cabinet = rig.controller.cabinet
        setpoint_W = cabinet.summary()[2] if cabinet else 0
        plant = rig.plant
        return plant.load_power_W, plant.grid_power_W, plant.battery_W, setpoint_W

    return _follow(rig, START_S + T4_S, row), rig.recorder.rows()


def _t6(config: Config, seed: int) -> Findings:
    """Play a fast answer (a limit of the import), and a slow one (a request on its ramp)."""
    load_W = 0.8 * config.cabinet["grid_import_W_max"]
    steps_W = RESPONSE * _rated_W(config)

    def play(act: Callable[[VirtualRig], None]) -> Rows:
        rig = _rig(config, lambda t_s: load_W, seed)
        before_s = rig.now_us / 1e6
        act(rig)
        grid_rows = _follow(rig, START_S + T6_S, lambda: (rig.plant.grid_power_W,))
        return [(t_s - before_s, grid_W) for t_s, grid_W in grid_rows]

    fast = play(lambda rig: _ask(rig, GRID_CAP, IMPORT_W_MAX, load_W - steps_W))
    slow = play(lambda rig: _ask(rig, REQUEST, POWER_W, steps_W))
    rows = [(t_s, grid_W, other_W) for (t_s, grid_W), (_, other_W) in zip(fast, slow)]
    return verdicts.t6(rows, load_W, steps_W)


def _t10(config: Config, seed: int) -> Findings:
    """Steps of the load in an island, each from the base power and back to it."""
    rated_W, begin_s = _rated_W(config), START_S + 2.0
    base_kW = BASE * rated_W / 1000
    steps = [[0.0, base_kW]]
    for place, share in enumerate(STEPS):
        at_s = begin_s + 10 + 2 * STEP_S * place
        steps += [[at_s, base_kW + share * rated_W / 1000], [at_s + STEP_S, base_kW]]
    outages, switch = [(begin_s, OUTAGE_S)], {"open_s": 0.1}
    rig = island_rig(config, step_load(steps), seed, outages, switch, {"soc": SOC})
    rig.run(begin_s)
    trips = len(rig.trips.trips)
    end_s = begin_s + 10 + 2 * STEP_S * len(STEPS)

    def row() -> Row:
        site = rig.plant.site
        return site.load_wanted_W, site.load_power_W, rig.plant.battery_W, float(site.is_live)

    rows = _follow(rig, end_s, row)
    stages = [trip["stage"] for trip in rig.trips.trips[trips:]]
    is_running = rig.core.out[s.STATE] == s.RUNNING
    return verdicts.t10(rows, [at_s for at_s, _ in steps[1:]], stages, is_running)


def _t11(config: Config, seed: int) -> Findings:
    """A day of the built-in training job."""
    seconds = T11_H * 3600
    job = synthetic_load(seed, float(seconds), selection.peak_W(config), "training")
    soc = config.control["soc_target_permille"] / 1000
    chain = ChainOnly(
        configuration.load(config.path, tick_ms=100), lambda t_s: power_of(job, t_s), soc
    )
    rows: Rows = [(0.0, soc, chain.load_W, chain.grid_W)]
    for now_s in range(1, seconds + 1):
        chain.step()
        if now_s % 60 == 0:
            rows.append((float(now_s), chain.soc, chain.load_W, chain.grid_W))
    return verdicts.t11(rows, ChainOnly.MODE)


PLAYS = {"T1": _t1, "T4": _t4, "T6": _t6, "T10": _t10, "T11": _t11}
