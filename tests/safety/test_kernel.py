"""The kernel as a whole: its arrays, the check of its image, demands, boot, refused images."""

import random
from array import array

import pytest
from bench import Bench, default_image
from parity_steps import Walk
from rows import ticks
from started import running

from safety import bounds, evaluate, matrix as m, parameters as p, signals as s
from safety.image_check import CRC_STEPS
from safety.kernel import ELAPSED_MAX, Kernel

# Arrays that a step writes before it reads them.
SCRATCH = set(
    "heating.order heating.rise gas.high ages.news ages.oldest_ticks rack_limits.now fresh "
    "bounds.least".split()
)
# Known without a message over a wire.
KNOWN_AT_ONCE = (
    "closing_failures step_late_ms late_steps boot_not_clean boot_store_unreadable noc_lost_s "
    "energised gas_or_smoke_alert gas_alert heating_alert any_sign"
).split()
PASS_STEPS = CRC_STEPS + 1  # a whole scan, and the step that has its result


def arrays(kernel):
    """{path: array} of every array and bytearray the kernel and its parts hold, each once."""
    features, parts = kernel.features, {"": kernel, "rack_limits.": kernel.bounds.racks}
    for name in "features evaluator image_check latches bounds contactors permit".split():
        parts[name + "."] = getattr(kernel, name)
    parts.update({"ages.": features.ages, "gas.": features.gas, "racks.": features.racks})
    parts.update({"witness.": features.witness, "opening.": kernel.permit.opening})
    parts.update({"connection.": features.connection, "pace.": features.pace})
    parts["heating."] = features.racks.heating
    found, seen = {}, set()
    for path, part in parts.items():
        for name, value in vars(part).items():
            if isinstance(value, (array, bytearray)) and id(value) not in seen:
                seen.add(id(value))
                found[path + name] = value
    return found


def started_with(kernel):
    """{path: content} of the arrays of a new kernel that are not all zero."""
    out = array("i", [0] * len(kernel.out))
    out[s.FIRST_OUT] = out[s.FIRST_OUT_INSTANCE] = -1
    out[s.IMAGE_CRC] = p.image_crc(kernel.image)
    out[s.EVIDENCE_TOTAL] = kernel.permit.checklist.total
    known = [m.CABINET_FEATURES.index(name) for name in KNOWN_AT_ONCE]
    first = (bounds.L_PCS_RATED, bounds.L_INSTALLER)
    limits = {way * len(bounds.LIMITS) + limit for way in range(2 * 2) for limit in first}
    return {
        "out": out,
        "image_check.crc": [p.image_crc(kernel.image), 0, 0, 0],
        **{"standing": [1, 0], "evaluator.first_out": [-1], "bounds.signature": [-1] * 2},
        "features.known": [at in known for at in range(len(kernel.features.known))],
        "bounds.limit_W": [250_000 * (at in limits) for at in range(len(kernel.bounds.limit_W))],
        **{"contactors.was_closed": [3] * 3, "opening.waited": [-1] * 2, "gas.history": [-1] * 15},
        **{"heating.history": [100_000] * 3 * 4 * 30, "racks.clock": [0, 1, 2]},
        **{"pace.words": [0] * 5 + [1_000_000] + [ticks(10_000)] * 3},
        **{"latches.token_age": [ticks(3_600_000)] * 3, "image": kernel.image},
    }


# Entries of each array with 2 units, 3 racks and 4 modules: memory is short on a board.
SIZES = """
ages.news 4 ages.oldest_ticks 4 ages.seen 35 ages.ticks 35 bounds.limit_W 52 bounds.least 11
bounds.lowest_W 4 bounds.published_W 4 bounds.rack_limit 33 rack_limits.now 11 bounds.signature
2 conflict_ticks 1 contactors.closing_ticks 3 contactors.open_ticks 3 contactors.step 3
contactors.was_closed 3 evaluator.order 219 evaluator.last 1 racks.open_string 3 image_check.crc
4 demand 17 evaluator.active 219 evaluator.busy 6 evaluator.clear_count 219 evaluator.first_out
1 evaluator.latched 219 evaluator.set_count 219 features.boot 2 features.changed 6
pace.words 9 features.known 152 features.noc_ticks 1
features.value 152 gas.clock 2 gas.high 3 gas.history 15 heating.heat_uK 90 heating.history 360
heating.order 4 heating.place 6 heating.rise 3 heating.whole_s 3 heating.zeros 3 heating.doubt_s
3 latches.token_age 3 permit.relays 2 permit.state 1 permit.timer 3 permit.tried 3 opening.waited 2
racks.bad_frames 6 racks.cells_mV 9 racks.clock 3 evaluator.moved 1 racks.current_mA 9
racks.mismatch 3 standing 2 unit_demand 34 witness.words 207 connection.words 42
""".split()


def test_a_new_kernel_has_seen_nothing_and_permits_nothing():
    kernel = Kernel(default_image(units=2, racks=3, modules=4))
    expected, sizes = started_with(kernel), dict(zip(SIZES[::2], map(int, SIZES[1::2])))
    for path, value in arrays(kernel).items():
        assert list(value) == list(expected.get(path, [0] * len(value))), path
        assert len(value) == sizes.get(path, len(value)), path


def image_changed(kernel, steps=2 * PASS_STEPS):
    for _ in range(steps):
        kernel.image_check.update()
    return kernel.features.value[m.F_IMAGE_CHANGED]


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("at", [0, 1, -2, -1])
def test_a_threshold_that_changed_where_it_is_used_is_seen(at, place):
    """The evaluator works with a copy: 70 % LFL tripped nothing while the image was whole."""
    kernel = Kernel(default_image(racks=3))
    assert image_changed(kernel, PASS_STEPS) == 0 and kernel.features.known[m.F_IMAGE_CHANGED]
    evaluator = kernel.evaluator
    watch, debounce = list(evaluator.watch), list(evaluator.debounce)
    feature, sense, set_at, _ = watch[at]
    if place == 0:
        watch[at] = (feature, sense, set_at ^ 512, at)
    elif place == 1:
        watch[at] = (kernel.features.never, sense, set_at, at)
    else:
        changed = enumerate(debounce[at], 2)
        debounce[at] = tuple([value + (index == place) for index, value in changed])
    evaluator.watch, evaluator.debounce = tuple(watch), tuple(debounce)
    assert image_changed(kernel) == 1
    evaluator.build(kernel.image, p.ImageMap(1, 3, m.STAGES_PER_SCOPE))
    assert image_changed(kernel) == 0


CHANGES = {
    "taken out": lambda armed, at: armed[:at] + armed[at + 1 :],
    "cut": lambda armed, at: armed[:at],
    "doubled": lambda armed, at: (armed[0], *armed),
    "another's": lambda armed, at: (*armed[:at], armed[at - 1], *armed[at + 1 :]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["armed", "armed_at"])
def test_the_armed_comparisons_are_compared_with_the_image(name, change):
    """An E-stop taken out of them stopped nothing, unnoticed."""
    kernel = Kernel(default_image(racks=3))
    of_blocks = list(getattr(kernel.evaluator, name))
    for block in (0, len(of_blocks) - 1):
        changed = of_blocks.copy()
        changed[block] = CHANGES[change](changed[block], len(changed[block]) // 2)
        setattr(kernel.evaluator, name, tuple(changed))
        assert image_changed(kernel) == 1
    setattr(kernel.evaluator, name, tuple(of_blocks))
    assert image_changed(kernel) == 0


@pytest.mark.parametrize("wrong", [(0, 1, 1), (1, 1, 0), (0, -1, 0)], ids=str)
@pytest.mark.parametrize("sense", [1, -1])
def test_a_threshold_that_is_another_in_all_places_is_seen(sense, wrong):
    """Another threshold; another feature; the other side, with the sign that fits it."""
    kernel = Kernel(default_image())
    evaluator, check = kernel.evaluator, kernel.image_check
    index = next(one[3] for one in evaluator.watch if one[1] == sense)
    feature, _, set_at, _ = evaluator.watch[index]
    later, side, above = wrong
    other = feature + later, sense * side, set_at * side + above, index
    evaluator.watch = evaluator.watch[:index] + (other,) + evaluator.watch[index + 1 :]
    place, (first, *others) = evaluator.place[index], evaluator.armed
    evaluator.armed = first[:place] + (other,) + first[place + 1 :], *others
    assert [at for at in range(evaluator.count) if not check.as_image(at)] == [index]


@pytest.mark.parametrize("is_armed", [0, 1])
def test_an_arming_that_differs_from_the_image_is_seen(is_armed):
    image, at = default_image(), p.ImageMap(1, 1, m.STAGES_PER_SCOPE).armed + 7
    image[at] = is_armed
    kernel = Kernel(image)
    kernel.evaluator.image[at] = 1 - is_armed
    differ = [at for at in range(kernel.evaluator.count) if not kernel.image_check.as_image(at)]
    assert differ == [7]


def test_every_instance_is_compared_once_in_a_scan():
    for racks in (1, 3, 16):
        kernel, seen = Kernel(default_image(racks=racks)), []
        kernel.image_check.as_image = lambda index, seen=seen: seen.append(index) or True
        while not kernel.features.known[m.F_IMAGE_CHANGED]:
            kernel.judge(1)
        assert seen == list(range(kernel.evaluator.count))


def test_the_image_is_checked_in_slices_of_the_same_size():
    kernel = Kernel(default_image())
    size, ends = -(-len(kernel.image) // CRC_STEPS), []
    for _ in range(CRC_STEPS + 1):
        kernel.judge(1)
        ends.append(kernel.image_check.crc[2])
    rounds = -(-len(kernel.image) // size)
    assert ends[: rounds + 1] == [*range(size, len(kernel.image), size), 0, size]
    assert size < len(kernel.image) // 10
    steps = [kernel.judge(late) for late in (1, ELAPSED_MAX, ELAPSED_MAX + 1, s.INT_MAX)]
    assert steps == [1] + [ELAPSED_MAX] * 3


def test_every_array_that_changes_is_carried_over():
    walk = Walk(5, 2, 3, 20)
    walk.count[0] = 880  # its cabinet runs and is about to be disturbed
    held = arrays(walk.kernel)
    before, changed = {path: bytes(value) for path, value in held.items()}, set()
    for _ in range(600):
        walk.step()
        changed |= {path for path, value in held.items() if bytes(value) != before[path]}
    blocks = {id(block) for block in walk.kernel.state_blocks()}
    carried = {path for path, value in held.items() if id(value) in blocks}
    assert changed - carried <= SCRATCH and set(held) - carried == SCRATCH | {"image"}
    assert len(walk.kernel.state_blocks()) == len(carried)


def test_a_stop_in_the_very_first_steps_is_seen():
    bench = Bench().set(s.ESTOP_1_OK, 0)
    assert bench.step().standing() == ["1a"]
    assert [bench.out[at] for at in (s.STATE, s.HORN_ON, s.SUPERVISORY_OK)] == [s.INHIBITED, 1, 0]


@pytest.mark.parametrize("state", range(6), ids=s.STATES)
def test_the_lamp_is_on_when_there_can_be_no_energy(state):
    bench = running()
    bench.kernel.permit.state[0] = state
    bench.kernel._publish()
    assert bench.out[s.LAMP_ON] == (state in (s.INHIBITED, s.TRIPPED))


# 15 and 16: "any gas or smoke alert"; 48: "gas > 0 alarm"; 8: "+ dT/dt"; 24: "any of 7-23"
ALERT_ROWS = {m.F_GAS_OR_SMOKE_ALERT: {2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 21}}
ALERT_ROWS |= {m.F_GAS_ALERT: {7, 8, 9, 10, 11, 12}, m.F_HEATING_ALERT: {22, 23}}
ALERT_ROWS[m.F_ANY_SIGN] = set(range(7, 24))


def test_which_rows_open_which_gate():
    kernel = Bench().kernel
    evaluator, features = kernel.evaluator, kernel.features
    for stage, (name, row, *_) in enumerate(m.STAGES):
        at = list(evaluator.stage).index(stage)
        evaluator.latched[at] = evaluator.busy[evaluator.block[at]] = 1
        kernel._combine()
        kernel._settle(1)
        for feature, rows in ALERT_ROWS.items():
            assert (features.value[feature], features.known[feature]) == (row in rows, 1), name
        evaluator.latched[at] = evaluator.busy[evaluator.block[at]] = 0


def test_what_stages_ask_has_a_bit_for_each_level_in_one_small_int():
    bits = [bit for ladder in m.LADDERS for bit, _ in ladder]
    assert bits == [1 << place for place in range(len(bits))] and len(bits) <= 30
    assert all(m.ASKS)


def asked(kernel, standing, units):
    evaluator = kernel.evaluator
    demand, of_unit = [0] * m.DEMAND_COUNT, [[0] * m.DEMAND_COUNT for _ in range(units)]
    for index in standing:
        levels, block = m.STAGES[evaluator.stage[index]][m.S_DEMAND], evaluator.block[index]
        concerned = [of_unit[(block - 1) % units]] if block else of_unit
        for before in (demand, *concerned):
            before[:] = map(max, before, levels)
    return demand, sum(of_unit, [])


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_demands_are_the_highest_in_the_cabinet_and_in_each_unit(seed):
    chance, units = random.Random(seed), 3
    kernel = Bench(units=units, racks=5).kernel
    evaluator = kernel.evaluator
    for _ in range(200):
        standing = chance.sample(range(evaluator.count), chance.choice((0, 1, 2, 6)))
        for marks in (evaluator.active, evaluator.latched, evaluator.busy):
            marks[:] = bytes(len(marks))
        for index in standing:
            chance.choice((evaluator.active, evaluator.latched))[index] = 1
            evaluator.busy[evaluator.block[index]] = 1
        kernel._combine()
        assert (list(kernel.demand), list(kernel.unit_demand)) == asked(kernel, standing, units)


def test_a_latch_of_the_last_run_keeps_its_own_block_busy():
    for block in range(1 + 2 + 3):
        for place in (0, -1):
            bench = Bench(units=2, racks=3, modules=1)
            evaluator = bench.kernel.evaluator
            index = [at for at in range(evaluator.count) if evaluator.block[at] == block][place]
            bench.kernel.boot(0, 0, (index,))
            assert list(evaluator.busy) == [each == block for each in range(6)]
            assert bench.step().out[s.LATCHED_COUNT] == 1
            assert bench.out[s.FIRST_OUT_INSTANCE] == index


def test_a_latch_of_a_disarmed_stage_needs_the_key():
    """No instance would be active for it: the latch must not vanish."""
    bench = Bench()
    image, index = default_image(), bench.instance("2")
    image[p.ImageMap(1, 1, m.STAGES_PER_SCOPE).armed + index] = 0
    kernel = Kernel(image)
    kernel.boot(0, 0, (index,))
    kernel.step(1)
    evaluator = kernel.evaluator
    assert (evaluator.latched[index], evaluator.latched[bench.instance("44d")]) == (0, 1)
    assert kernel.out[s.CONTACTOR_SUPPLY_OK] == 0 and kernel.demand[m.D_PCS] >= m.PCS_RAMP


def test_a_latch_of_the_last_run_comes_before_a_trip_in_the_first_step():
    bench = Bench()
    bench.kernel.boot(0, 0, (bench.instance("2"),))
    assert bench.set(s.ESTOP_1_OK, 0).step().standing() == ["1a", "2"]
    assert bench.out[s.FIRST_OUT_INSTANCE] == bench.instance("2")


def test_a_controlled_stop_is_a_ramp_of_every_unit():
    bench = running(units=2, racks=4)
    before_W = [bench.unit(s.DISCHARGE_W_MAX, unit) for unit in range(2)]
    bench.load(100_000).set(s.RUN_REQUEST, 0).step()
    for unit in range(2):
        assert 0 < bench.unit(s.DISCHARGE_W_MAX, unit) < before_W[unit]
    bench.step(100)
    assert [bench.unit(s.DISCHARGE_W_MAX, unit) for unit in range(2)] == [0, 0]
    assert bench.out[s.STATE] == s.STOPPING and bench.out[s.CONTACTOR_SUPPLY_OK] == 1


def test_a_stop_ramps_a_unit_that_has_no_ramp_of_its_own_yet():
    bench = running(units=2, racks=4).load(100_000)
    bench.silence(bench.layout.unit_group(0, s.G_PCS_MEASURE)).step(110)
    before_W = bench.unit(s.DISCHARGE_W_MAX, 1)
    assert bench.standing() == ["41a"] and bench.unit(s.DISCHARGE_W_MAX, 0) < before_W
    assert bench.set(s.RUN_REQUEST, 0).step().unit(s.DISCHARGE_W_MAX, 1) < before_W


def test_obligations_need_a_fresh_grid_meter_and_no_load_meter():
    bench = running().silence(s.G_METER_LOAD)
    assert bench.step(60).out[s.OBLIGATIONS_OK] == 1
    bench.silent.add(s.G_METER_GRID)
    assert (bench.step(25).out[s.OBLIGATIONS_OK], bench.step().out[s.OBLIGATIONS_OK]) == (1, 0)


def test_a_meter_that_is_not_proven_meets_no_obligation():
    assert running().step().out[s.OBLIGATIONS_OK] == 1
    assert running().set(s.METER_SIGN, 1).step().out[s.OBLIGATIONS_OK] == 0


@pytest.mark.parametrize("signal, value, trips", [(s.ESTOP_1_OK, 0, 1), (s.TOXIC_PPM, 250, 0)])
def test_a_breaker_ends_for_a_person_what_the_contactors_may_not(signal, value, trips):
    """Row 10 sheds the auxiliary loads and asks for no removal."""
    bench = running().set_rack(s.RACK_CURRENT_MA, 300_001).step()
    assert bench.out[s.SHUNT_TRIP_ON] == 0
    bench.set(signal, value).step(300)
    assert bench.standing() and bench.out[s.SHUNT_TRIP_ON] == trips


def test_what_an_operator_saw_is_never_that_of_a_run_before():
    """The number of trips goes on after a restart, and comes round after 2^29."""

    def seen(*trips):
        kernel = Kernel(default_image())
        kernel.boot(0, 0, (0,), *trips)
        return kernel.evaluator.cause_mask()

    assert len({seen(trips) for trips in (0, 1, 5, evaluate.TRIPS_END - 1)}) == 4
    assert seen(evaluate.TRIPS_END + 5) == seen(5) and seen() == seen(0)


def test_a_kernel_refuses_an_image_of_another_schema_or_length():
    other = default_image()
    other[p.H_SCHEMA] += 1
    for image, why in ((default_image()[:-1], "length"), (other, "schema")):
        with pytest.raises(ValueError, match=why):
            Kernel(image)
