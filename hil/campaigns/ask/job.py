"""Asks `firebreak ask` about a job on a drawn cabinet, then simulates the job second by second.

A job is short in three cases: the import of a second is above a limit of the connection; the mean
import of an interval is above the limit of peak shaving; an obligation takes energy at or below the
reserve for peaks or the reserve of a slot. The simulation (hil/values/lumped.py) and the forecast
have different losses, temperatures and BMS.
"""

import functools
import math
import random
import tempfile
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from controller.config.cabinet_config import Config
from controller.core.base import hint_codes as h, setpoint
from controller.core.base.schedule_table import OPEN_W
from controller.core.kernel_facts import KernelFacts
from controller.core.policies.peak_shaving import OFF_W
from controller.state import ask, situation
from controller.state.forecast import Job
from hil.systems import sized
from hil.systems.member import ChainMember

BEGIN_S = 1_780_000_000 // 900 * 900  # UTC, where an interval begins
RATED_W, ENERGY_WH, CONNECTION_W = 250_000, 645_000, 500_000
BEFORE_S, SAMPLE_S = 300, 10  # before the question; between two samples
INTERVAL_S = 900
METER_W = 200  # tolerance: set-points are multiples of 100 W, meters show whole W


class Draw(NamedTuple):
    """Random values of a job and its cabinet. load: (base W, swinging part, period s, square)."""

    peak_W: int
    reserve_permille: int
    soc: float
    degC: float
    load: tuple[float, float, float, bool]
    slots: tuple[tuple[int, ...], ...]
    hint_W: int | None
    step: tuple[int, int] | None
    is_blind: bool
    begin_min: int  # minutes of the present interval of peak shaving that have passed
    job: Job


class Outcome(NamedTuple):
    """The answer, and why the simulated job was short ("" if it was not)."""

    number: int
    answer: str
    missing: tuple[str, ...]
    short: str


def drawn(seed: int, number: int, minutes: int = 60) -> Draw:
    """Draw a job; equal arguments give an equal one. minutes: length of the longest job."""
    rng = random.Random(f"{seed} {number}")
    peak_W = rng.choice((OFF_W, OFF_W, OFF_W, 270_000, 340_000, 410_000))
    reserve_permille = rng.choice((100, 150, 300))
    base_W = rng.uniform(100_000, 420_000)
    slots: tuple[tuple[int, ...], ...] = ()
    if rng.random() < 0.2:
        cap_W = rng.randrange(250_000, 500_000, 1000)
        slots = tuple(
            (rng.choice((-1, cap_W)), OPEN_W, OPEN_W, rng.choice((0, 200, 400))) for _ in range(12)
        )
    at_s = rng.choice((0, rng.randrange(1, 20 * minutes)))
    for_s = round(60 * math.exp(rng.uniform(0, math.log(minutes))))
    return Draw(
        peak_W,
        reserve_permille,
        soc=rng.uniform(0.12, 0.95),
        degC=rng.choice((rng.uniform(15, 35), rng.uniform(-15, 52))),
        load=(base_W, rng.choice((0.0, 0.05, 0.3)), rng.uniform(20, 300), rng.random() < 0.5),
        slots=slots,
        hint_W=rng.randrange(300_000, 500_000, 1000) if rng.random() < 0.2 else None,
        step=(rng.randrange(20_000, 80_000), rng.randrange(10, 900))
        if rng.random() < 0.1
        else None,
        is_blind=rng.random() < 0.03,
        begin_min=rng.randrange(15),
        job=Job(rng.randrange(10_000, 400_000, 1000), at_s, for_s),
    )


@functools.cache
def config_of(peak_W: int, reserve_permille: int, folder: str) -> Config:
    """A cabinet with one unit of three racks. folder: for its files."""
    size = sized.Size(
        units=1,
        racks_per_unit=3,
        rated_W=RATED_W,
        energy_Wh=ENERGY_WH,
        import_W=CONNECTION_W,
        export_W=0,
        control={"peak_import_W_max": peak_W, "soc_reserve_peaks_permille": reserve_permille},
    )
    return sized.load(size, Path(tempfile.mkdtemp(dir=folder)), 100)


class Simulation:
    """A cabinet on a connection, second by second. Powers in W."""

    def __init__(self, draw: Draw, folder: str) -> None:
        """folder: for files; the caller removes it."""
        self.draw = draw
        self.job_W = self.grid_W = 0.0
        members: list[ChainMember] = []
        site = SimpleNamespace(
            load_power_W=self._load_at(0),
            other_load_W=0.0,
            is_live=True,
            is_off_grid=False,
            parts=[],
            members=members,
            join=members.append,
            weather=SimpleNamespace(outside_degC=lambda now_s: draw.degC),
        )
        self._site = cast(Any, site)
        config = config_of(draw.peak_W, draw.reserve_permille, folder)
        self._begin_s = BEGIN_S + draw.begin_min * 60
        plant = {"air_degC": draw.degC, "ambient_degC": draw.degC}
        self.member = ChainMember(config, self._site, draw.soc, self._begin_s, plant)
        self.member.clock_off_s = -1.0  # the question comes at the end of a second
        self._used_Ws = draw.load[0] * draw.begin_min * 60
        stored_peak = self._begin_s // 60, round(self._used_Ws / 3600)
        self.member.image.put("peak", stored_peak)
        if draw.slots:
            self.member.schedule(0, 15, draw.slots)
        self.connections_W: deque[int] = deque(maxlen=BEFORE_S // SAMPLE_S)

    @property
    def end_s(self) -> int:
        """End of the job, in s from now; with peak shaving, the end of the job's last interval."""
        end_s = self.draw.job.at_s + self.draw.job.for_s
        if self.draw.peak_W == OFF_W:
            return end_s
        end_utc_s = self._begin_s + self.member.now_s + end_s + 1
        return end_s + -end_utc_s % INTERVAL_S

    def _load_at(self, now_s: int) -> float:
        base_W, part, period_s, is_square = self.draw.load
        wave = math.sin(2 * math.pi * now_s / period_s)
        return base_W * (1 + part * (math.copysign(1, wave) if is_square else wave))

    def second(self) -> str:
        """Let a second pass. Returns why the job was short in it, or ""."""
        member, now_s, hint_W = self.member, self.member.now_s, self.draw.hint_W
        self._site.load_power_W = self._load_at(now_s) + self.job_W + self._step_W(now_s)
        if hint_W and now_s % 100 == 0:
            member.image.add_hint(h.HintSlot(1, h.GRID_CAP, h.IMPORT_W_MAX, hint_W, 300_000))
        soc_permille = int(1000 * member.soc)
        member.advance(1.0, 0)
        battery_W = math.fsum(unit.ac_power_W for unit in member.pcs)
        self.grid_W = self._site.load_power_W + member.drawn_W - battery_W
        if member.now_s % SAMPLE_S == 0:
            self.connections_W.extend(situation.connection_of(member.control))
        out = member.control.chain.out
        is_obliged = out[setpoint.O_OBLIGATION_W] > out[setpoint.O_AFTER_RAMP_W]
        slot = self._slot()
        kept_permille = max(self.draw.reserve_permille, slot[3] if slot else 0)
        if battery_W > 0 and is_obliged and soc_permille <= kept_permille:
            return "reserve"
        return self._over()

    def _step_W(self, now_s: int) -> int:
        step = self.draw.step
        return step[0] if step and now_s >= BEFORE_S + step[1] else 0

    def _slot(self) -> tuple[int, ...] | None:
        index = self.member.now_s // 900
        return self.draw.slots[index] if index < len(self.draw.slots) else None

    def _over(self) -> str:
        limits_W = [CONNECTION_W, self.draw.hint_W or CONNECTION_W]
        slot = self._slot()
        if slot and slot[0] >= 0:
            limits_W.append(slot[0])
        if self.grid_W > min(limits_W) + METER_W:
            return "connection"
        utc_s = self._begin_s + self.member.now_s
        if utc_s % INTERVAL_S == 0:
            self._used_Ws = 0.0
        self._used_Ws += max(0.0, self.grid_W)
        is_last = (utc_s + 1) % INTERVAL_S == 0
        if is_last and self._used_Ws > (self.draw.peak_W + METER_W) * INTERVAL_S:
            return "peak"
        return ""


def run(folder: str, seed: int, number: int, minutes: int = 60) -> Outcome:
    """Ask, then simulate the job. folder: for files; the caller removes it."""
    draw = drawn(seed, number, minutes)
    simulation, job = Simulation(draw, folder), draw.job
    member = simulation.member
    for _ in range(BEFORE_S):
        simulation.second()
    if draw.step:
        step_W, start_s = draw.step
        member.image.add_hint(
            h.HintSlot(1, h.NOTICE, h.STEP_W, step_W, valid_ms=60_000, start_ms=start_s * 1000)
        )
        simulation.second()
    if draw.is_blind:
        member.control.found.connection_W = None
    facts = KernelFacts(member.loop.limits.kernel)
    present = situation.of_control(
        member.control, member.loop.settings, facts, simulation.connections_W
    )
    answer = ask.answer(present, job)
    missing = tuple(shortage["what"] for shortage in answer["missing"])
    for second in range(simulation.end_s):
        simulation.job_W = job.power_W * (job.at_s <= second < job.at_s + job.for_s)
        short = simulation.second()
        if short and second >= job.at_s:
            return Outcome(number, answer["answer"], missing, short)
    return Outcome(number, answer["answer"], missing, "")


def several(seed: int, numbers: range, minutes: int) -> list[Outcome]:
    """The outcomes of the jobs with these numbers."""
    with tempfile.TemporaryDirectory() as folder:
        return [run(folder, seed, number, minutes) for number in numbers]
