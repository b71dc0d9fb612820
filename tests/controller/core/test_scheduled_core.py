"""A schedule through the whole controller in the rig: it acts, only narrows, and replays."""

import random
from array import array

import pytest
from hypothesis import given, settings, strategies as st
from test_core import CONFIGS, FIREBREAK, Walk, core_of, square_W, word
from test_hint_table import source
from test_hinted_core import CAPS, LIMITS, drawn_hints, is_narrower, put

from controller.config import configuration
from controller.core.base import hint_codes as h, reasons, setpoint
from controller.core.base.schedule_table import BLOCK, OPEN_W, Slot, Table, steps_of
from controller.core.image import ProcessImage, places
from controller.core.policies import schedule as s
from controller.journal import journal_header, replay, ring
from controller.sites import FOLDER
from hil.site.pv import Pv
from hil.values.rig import ValueRig
from safety import matrix

START_MIN = 29_453_760  # of the rig's clock at 0
SITE_EMS = 2


def rig_of(load_W=square_W):
    return ValueRig(FIREBREAK, load_W, 1, (), {"soc": 0.55})


def steps(rig, seconds):
    for _ in range(50 * seconds):
        rig.step()
        yield rig.controller.cabinet.core


def run(rig, seconds):
    """The core after these seconds."""
    return list(steps(rig, seconds))[-1]


def beat(rig, valid_s=300):
    rig.controller.hint("site_ems", h.HEARTBEAT, 0, 0, 1000 * valid_s)


def drawn(draw):
    powers = [OPEN_W, -(10**9), -90_000, -5000, 0, 5000, 90_000, 10**9]
    low_W, high_W = sorted([draw.choice(powers), draw.choice(powers)])
    return Slot(draw.choice([OPEN_W, 0, 200_000, 10**9]), low_W, high_W, draw.choice([0, 600]))


def test_a_table_enters_once_a_part_a_tick():
    image = ProcessImage(FIREBREAK.layout(), FIREBREAK.site_devices)
    at, fresh, seen = image.places["schedule"].start, bytearray(image.fresh), []
    image.add_schedule(Table(1, START_MIN, 15, (Slot(1, 2, 3, 4),) * 5))
    for _ in range(5):
        inp = array("i", image.inp)
        image.freeze(inp, fresh)
        seen.append((*inp[at : at + 4], image.is_schedule_entering))
    parts = (1, 0, 1, 2, True), (1, 16, 1, 2, True), (2, 0, 2, START_MIN, False)
    assert seen[:3] == [*parts] and [step for step, *_ in seen[3:]] == [0, 0]


@pytest.mark.whole
def test_a_negative_price_curtails_pv_to_the_load_until_the_notice_ends():
    """The rig, with frames of the inverter: the battery takes 140 kW of 200 kW before it."""
    config = configuration.load(str(FOLDER / "pv_genset" / "cabinet.toml"))
    rig = ValueRig(config, lambda t_s: 60_000.0, 1, (), {"soc": 0.55})
    (pv,) = [part for part in rig.plant.site.parts if isinstance(part, Pv)]
    pv._measured = lambda time_s: 200_000.0
    run(rig, 40)
    assert pv.feeds_W > 199_000
    rig.controller.hint("site_ems", h.NOTICE, h.PRICE_IS_NEGATIVE, 1, 20_000)
    grids_W = [core.known.grid_W for core in steps(rig, 19)]
    assert pv.feeds_W == pytest.approx(60_000, rel=0.02) and min(grids_W) > -2000
    run(rig, 15)
    assert pv.feeds_W > 199_000


def test_a_journal_with_hints_and_schedules_replays_and_names_every_word(tmp_path):
    path, rig, draw = str(tmp_path / "journal"), rig_of(), random.Random(7)
    cabinet = rig.controller.cabinet
    cabinet.journal = journal_header.open_journal(path, FIREBREAK, cabinet.core, 1 << 22)
    seen = set()
    for _ in range(8):
        slots = tuple([drawn(draw) for _ in range(draw.choice([1, 5, 96]))])
        rig.controller.schedule("site_ems", START_MIN + draw.choice([0, 0, 1]), 1, slots)
        if draw.random() < 0.7:
            beat(rig, draw.choice([1, 5]))
        if draw.random() < 0.3:
            rig.controller.hint("site_ems", h.NOTICE, h.PRICE_IS_NEGATIVE, 1, 2000)
        cabinet.site_clock.error_us = draw.choice([5000, 5000, None, 20_000_000])
        for core in steps(rig, 5):
            seen.add(core.functions["schedule"].out[s.O_STATE])
            for index, quantity, *rest in drawn_hints(draw, 2):
                cabinet.request_hint(h.HintSlot(index + 1, h.KIND_OF[quantity], quantity, *rest))
    cabinet.journal.close()
    found = replay.replay(path, replay.core_of)
    assert found.exit_code == replay.EQUAL, found.lines()
    assert {s.NONE, s.ACTS, s.SILENT, s.CLOCK} <= seen
    header, core = ring.JournalReader(path).header, cabinet.core
    assert header["source_names"] == ["planner", "scheduler", "site_ems"]
    for name, count in (("input_names", len(core.inp)), ("output_names", core.standing_at)):
        assert len(set(header[name])) == len(header[name]) == count
    assert (replay.core_of(header).layout.units, replay.core_of(header).layout.racks) == (1, 3)
    assert header["stage_instances"][0] == matrix.STAGES[0][matrix.S_ID]
    assert header["output_names"][core.out_at["hint_table"]] == "hint_control_source"
    changed = dict(header, source_image=CONFIGS["pylontech"].source_image)
    with pytest.raises(ValueError, match="other inputs, outputs or sources"):
        replay.replay(path, lambda _: replay.core_of(changed))


@pytest.fixture(scope="module")
def running():
    rig = rig_of(lambda t_s: 250_000)
    run(rig, 15)
    return rig


def test_a_band_holds_the_battery_and_its_end_gives_way_to_tracking(running):
    rig = running
    slot = Slot(OPEN_W, -60_000, -40_000, 0)
    rig.controller.schedule("site_ems", START_MIN, 5, (slot,))
    beat(rig, 10)
    powers_W = [core.chain.out[setpoint.O_SETPOINT_W] for core in steps(rig, 8)]
    assert min(powers_W[-100:]) >= -60_000 and max(powers_W[-100:]) <= -39_000
    core = rig.controller.cabinet.core
    assert core.chain.out[setpoint.O_REQUEST_BASE_REASON] == reasons.SCHEDULE
    core = run(rig, 8)
    assert core.functions["schedule"].out[s.O_STATE] == s.SILENT
    assert abs(core.chain.out[setpoint.O_SETPOINT_W]) < 10_000


def test_beside_an_exact_power_load_tracking_pauses(running):
    rig = running
    rig.controller.hint("scheduler", h.EXACT, h.POWER_W, 30_000, 6000)
    out = run(rig, 5).chain.out
    assert out[setpoint.O_SETPOINT_W] == 30_000
    assert out[setpoint.O_REQUEST_FAST_REASON] == reasons.TRACKING_PAUSED
    core = run(rig, 5)
    assert core.chain.out[setpoint.O_REQUEST_FAST_REASON] == reasons.LOAD_TRACKING
    assert abs(core.chain.out[setpoint.O_SETPOINT_W]) < 10_000


NARROWING = source(0, "grid_cap", 1, ramp=10**9)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from(sorted(CONFIGS)))
def test_limits_hold_and_caps_only_narrow_whatever_the_schedule(seed, name):
    """Two cores with the same inputs; one has a source, its schedules and its heartbeats."""
    planned, plain = core_of(CONFIGS[name], (NARROWING,)), core_of(CONFIGS[name], ())
    walk, draw, waiting, acted = Walk(plain, seed), random.Random(seed), [], 0
    for number in range(150):
        elapsed_ticks = walk.feed(plain, planned)
        if number % 50 == 0:
            slots_ = tuple([drawn(draw) for _ in range(9)])
            waiting = steps_of(Table(0, 0, 60, slots_))
        put(planned, [(0, 0, 0, 300_000)] if number % 50 == 0 else [])
        place = places(planned.layout, CONFIGS[name].site_devices)["schedule"]
        planned.inp[place] = waiting.pop(0) if waiting else array("i", [0] * len(BLOCK))
        plain.tick(elapsed_ticks)
        planned.tick(elapsed_ticks)
        acted += planned.functions["schedule"].out[s.O_STATE] == s.ACTS
        assert planned.kernel.out == plain.kernel.out
        ends = [word(planned, at) for at in LIMITS]
        assert ends == [word(plain, at) for at in LIMITS] and is_narrower(planned, plain, CAPS)
        assert ends[0] <= word(planned, setpoint.O_SETPOINT_W) <= ends[1]
    assert acted
