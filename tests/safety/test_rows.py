"""Every row through the kernel's inputs: when it trips, what it does, how it resets, silence."""

import functools
import pickle

import pytest
from rows import (
    COMPANIONS,
    GATE_GROUPS,
    OTHERS,
    RACK,
    RACKS,
    VALUE_ROWS,
    VALUES,
    beyond,
    debounce_ticks,
    feed,
    prepare,
    remove,
    step,
    ticks,
    trip,
)
from section_7 import CLEARS, KEY, REMOTE, ROWS, SELF, effects
from started import COARSE, running

from safety import bounds, latches, signals as s

RATED_W = 250_000
LOAD_MA = 100_000
MINUTE = ticks(60_000)
# Times that are measured elsewhere (test_permit.py, test_latches.py), cut short.
SHORT = {"reset_clear_ms": 500, "open_at_zero_ms_max": 400, "ramp_to_zero_ms": 400}
CLEAR, AT_ZERO, RAMP = (ticks(duration_ms) for duration_ms in SHORT.values())
EVENTUALLY = 1300  # ticks: longer than any silence budget, debounce and clear time together
BOOLEANS = [
    name for name in VALUE_ROWS if ROWS[name].watches.endswith(("_ok", "_discrepancy", "_missing"))
]
NUMBERS = [name for name in VALUE_ROWS if name not in BOOLEANS]


def test_every_row_is_tried():
    assert set(VALUE_ROWS) | set(OTHERS) == set(ROWS)


# -- when it trips
def armed(name):
    """A running cabinet; of a row that counts for minutes nothing else is armed."""
    bench = running(racks=RACKS)
    return bench.alone(name) if debounce_ticks(name) > MINUTE else bench


@pytest.mark.parametrize(
    "offset, name", [(0, name) for name in VALUE_ROWS] + [(1, name) for name in NUMBERS]
)
def test_trips_at_its_threshold_in_its_tick(name, offset):
    bench, last = prepare(armed(name), name), debounce_ticks(name)
    feed(bench, name, beyond(name, offset))
    if last > 1:
        assert name not in bench.wait(last - 1).standing()
    assert name in bench.step().standing()
    assert name in bench.step().standing()


@pytest.mark.parametrize("name", VALUE_ROWS)
def test_never_trips_on_the_safe_side(name):
    bench = prepare(armed(name), name)
    feed(bench, name, beyond(name, -1))
    assert name not in bench.wait(debounce_ticks(name) + 60).standing()


@pytest.mark.parametrize("name", [name for name in OTHERS if debounce_ticks(name) > 1])
def test_silence_trips_in_its_tick(name):
    bench = armed(name)
    OTHERS[name][0](bench)
    assert name not in step(bench, name, debounce_ticks(name) - 1).standing()
    assert name in bench.step().standing()
    assert name in bench.step().standing()


@pytest.mark.parametrize("silent", [{s.G_GAS_1}, {s.G_GAS_2}, {s.G_GAS_1, s.G_GAS_2}])
def test_detectors_count_as_lost_only_when_none_is_left(silent):
    bench = running(racks=RACKS)
    bench.silent |= silent
    assert "14" not in step(bench, "13b", debounce_ticks("13b") - 1).standing()
    assert ("14" in bench.step().standing()) == (len(silent) == 2)
    assert "13b" in bench.standing()


# -- silence is no answer: a stale input never trips and never clears
def one_by_one(name, gates):
    """The groups whose silence blinds the row, each alone."""
    bench = running(racks=RACKS)
    groups = set(VALUES[ROWS[name].watches][0](bench))
    if gates and name in GATE_GROUPS:
        groups |= GATE_GROUPS[name](bench)
    return sorted(groups)


@pytest.mark.parametrize("name", VALUE_ROWS)
def test_stale_inputs_never_trip(name):
    for group in one_by_one(name, gates=True):
        bench = prepare(armed(name), name).silence(group)
        bench.wait(bench.kernel.features.ages.budget_ticks[group] + COARSE)
        feed(bench, name, beyond(name, 0))
        bench.wait(debounce_ticks(name) + 60)
        assert not bench.kernel.evaluator.active[bench.instance(name)], group


# -- what it does
def wanted(name, letter):
    return 1 if any(letter in effects(each) for each in (name, *COMPANIONS.get(name, ()))) else 0


def derate_pct(name, way):
    shares = [each[1:] for each in effects(name) if each[0] == way and each[1:].isdigit()]
    return max(map(int, shares), default=0)


def limit_W(bench, way, index):
    return bench.kernel.bounds.limit_W[way * len(bounds.LIMITS) + index]


def tripped(name, load_mA=0):
    """A clone of a bench with only this row armed, in the tick in which it trips."""
    return pickle.loads(_tripped(name, load_mA))


@functools.cache
def _tripped(name, load_mA):
    bench = running(racks=RACKS, **SHORT).alone(name, *COMPANIONS.get(name, ())).load(load_mA)
    bench = trip(prepare(bench, name), name)
    assert set(bench.standing()) == {name, *COMPANIONS.get(name, ())}
    return pickle.dumps(bench)


@pytest.mark.parametrize("name", ROWS)
def test_signals(name):
    out = tripped(name).out
    for signal, letter in (
        (s.FAN_ON, "fan"),
        (s.HORN_ON, "H"),
        (s.RED_LAMP_ON, "red"),
        (s.PRE_ALARM_ON, "P"),
        (s.NOTIFY_MAINTENANCE, "M"),
        (s.NOTIFY_OPERATOR, "O"),
    ):
        assert out[signal] == wanted(name, letter), letter
    assert out[s.SUPERVISORY_OK] == 1 - wanted(name, "F")
    assert (out[s.SHUNT_TRIP_ON], out[s.AUX_LOAD_OK]) == (wanted(name, "T"), 1 - wanted(name, "A"))
    alarm = any(wanted(name, letter) for letter in ("L", "H", "red"))
    assert out[s.LAMP_ON] == (1 if alarm or out[s.STATE] in (s.INHIBITED, s.TRIPPED) else 0)
    assert out[s.ACTIVE_COUNT] == 1 or name in COMPANIONS


@pytest.mark.parametrize("name", [name for name in ROWS if name not in COMPANIONS])
def test_power(name):
    bench = tripped(name)
    out, stop, ramp = bench.out, "S" in effects(name), "R" in effects(name)
    assert (out[s.PCS_ENABLE_OK], bench.unit(s.PCS_RUN_OK)) == ((0, 0) if stop else (1, 1))
    for way, inhibit, published in ((0, "ich", s.CHARGE_W_MAX), (1, "idc", s.DISCHARGE_W_MAX)):
        assert limit_W(bench, way, bounds.L_STOP) == (0 if stop else RATED_W)
        assert (limit_W(bench, way, bounds.L_RAMP_TO_ZERO) < RATED_W) == (stop or ramp)
        if inhibit in effects(name) and not ramp:
            assert (limit_W(bench, way, bounds.L_INHIBIT), bench.unit(published)) == (0, 0)
        else:
            assert limit_W(bench, way, bounds.L_INHIBIT) == RATED_W
        left_pct = 100 - derate_pct(name, "cd"[way])
        left_W = limit_W(bench, way, bounds.L_BMS_CURRENT) * left_pct // 100
        assert limit_W(bench, way, bounds.L_DERATE) == (RATED_W if left_pct == 100 else left_W)
        assert bench.unit(published) <= limit_W(bench, way, bounds.L_DERATE)


@pytest.mark.parametrize(
    "name", [name for name in ROWS if "R" in effects(name) and name not in COMPANIONS]
)
def test_a_ramp_begins_at_once_and_ends_in_its_time(name):
    before_W = prepare(running(racks=RACKS, **SHORT), name).step().unit(s.DISCHARGE_W_MAX)
    bench = tripped(name, LOAD_MA)
    assert bench.out[s.PCS_ENABLE_OK] == 1
    falling = [bench.unit(s.DISCHARGE_W_MAX)]
    left_pct = 100 - derate_pct(name, "d")
    assert falling[0] < before_W
    assert falling[0] > before_W * left_pct // 100 * 9 // 10 or name == "40b"
    falling += [bench.step().unit(s.DISCHARGE_W_MAX) for _ in range(RAMP - 1)]
    assert falling == sorted(falling, reverse=True) and falling[-1] == 0


def supply_lasts(bench, at_most):
    """Ticks for which the contactor supply stays after the trip, or None: all the time."""
    for waited in range(at_most + 1):
        if not bench.out[s.CONTACTOR_SUPPLY_OK]:
            return waited
        assert bench.rack(s.CONTACTOR_CLOSE_OK, RACK) == 1
        bench.step()
    return None


OPENING = {"I": ticks(200), "Z": AT_ZERO}


@pytest.mark.parametrize(
    "name", [name for name in ROWS if name not in (*COMPANIONS, "44b", "38a", "39")]
)
def test_opening_under_load(name):
    opens = [OPENING[letter] for letter in effects(name) if letter in OPENING]
    assert supply_lasts(tripped(name, LOAD_MA), AT_ZERO + 1) == (opens[0] if opens else None)


CARRYING = ("35a", "35b", "36", "20a", "18a", "38a", "39")


@pytest.mark.parametrize("name", [name for name in ROWS if name not in (*COMPANIONS, *CARRYING)])
def test_opening_without_load(name):
    letters = effects(name) & {"I", "Z", "I0"}
    # while the PCS runs, zero current must be seen once more
    waits = 1 if "R" in effects(name) else 0
    assert supply_lasts(tripped(name), 20) == (waits if letters else None)


# -- how it resets
def until_clear(bench, name):
    remove(bench, name, CLEARS[name][0])
    for _ in range(EVENTUALLY):
        if not bench.step().kernel.evaluator.active[bench.instance(name)]:
            return bench
    raise AssertionError("never clears")


@pytest.mark.parametrize(
    "name", [name for name in ROWS if ROWS[name].reset == SELF and name not in COMPANIONS]
)
def test_resets_by_itself(name):
    bench = until_clear(tripped(name), name)
    assert (bench.standing(), bench.out[s.FIRST_OUT], bench.out[s.CAUSE_MASK]) == ([], -1, 0)
    assert bench.out[s.LATCHED_COUNT] == 0
    assert bench.step().out[s.NOTIFY_OPERATOR] == 0 == bench.out[s.NOTIFY_MAINTENANCE]


@pytest.mark.parametrize(
    "name", [name for name in ROWS if ROWS[name].reset != SELF and name not in COMPANIONS]
)
def test_stands_until_the_right_reset_and_the_clear_time(name):
    bench = until_clear(tripped(name), name).step(CLEAR - 3)
    assert bench.standing() == [name] and bench.out[s.LATCHED_COUNT] == 1
    bench.inp[s.KEY_RUN_OK] = 0 if ROWS[name].reset == KEY else 1
    assert bench.reset(ROWS[name].reset).step().out[s.RESET_RESULT] == latches.NOT_CLEAR_YET
    if ROWS[name].reset == KEY:
        assert bench.reset(REMOTE).step().out[s.RESET_RESULT] == latches.KEY_NEEDED
    assert bench.reset(ROWS[name].reset).step().out[s.RESET_RESULT] == latches.DONE
    assert bench.step().standing() == []


@pytest.mark.parametrize(
    "name", [name for name in ROWS if ROWS[name].reset != SELF and name not in COMPANIONS]
)
def test_no_reset_while_the_cause_is_there(name):
    if name in ("44b", "44c", "44d"):
        return  # over in the step that sees them
    bench = tripped(name).set(s.KEY_RUN_OK, 0)
    for kind in (REMOTE, KEY):
        result = bench.reset(kind).step().out[s.RESET_RESULT]
        assert result in (latches.NOT_CLEAR_YET, latches.KEY_NEEDED)
    assert bench.standing() == [name]
