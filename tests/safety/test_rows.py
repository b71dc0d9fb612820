"""Every row through the kernel's inputs: its trip, its effects, its reset, silence."""

import functools
import pickle

import pytest
import rows as r
from bench import COARSE
from started import running

from hil.oracle.design import CLEARS, KEY, REMOTE, ROWS, SELF, effects
from safety import bounds, latches, signals as s

RATED_W = 250_000
LOAD_MA = 100_000
MINUTE = r.ticks(60_000)
# Times that are measured elsewhere (test_permit.py, test_latches.py), cut short.
SHORT = {"reset_clear_ms": 500, "open_at_zero_ms_max": 400, "ramp_to_zero_ms": 400}
CLEAR, AT_ZERO, RAMP = (r.ticks(duration_ms) for duration_ms in SHORT.values())
EVENTUALLY = 1300  # ticks: longer than any silence budget, debounce and clear time together
BOOLEANS = ("_ok", "_discrepancy", "_missing")
NUMBERS = [name for name in r.VALUE_ROWS if not ROWS[name].watches.endswith(BOOLEANS)]
SINGLE = [name for name in ROWS if name not in r.COMPANIONS]
LATCHING = [name for name in SINGLE if ROWS[name].reset != SELF]


def test_every_row_is_tried():
    assert set(r.VALUE_ROWS) | set(r.OTHERS) == set(ROWS)


def armed(name):
    bench = running(racks=r.RACKS)
    return bench.alone(name) if r.debounce_ticks(name) > MINUTE else bench


@pytest.mark.parametrize(
    "offset, name", [(0, name) for name in r.VALUE_ROWS] + [(1, name) for name in NUMBERS]
)
def test_trips_at_its_threshold_in_its_tick(name, offset):
    bench, last = r.prepare(armed(name), name), r.debounce_ticks(name)
    r.feed(bench, name, r.beyond(name, offset))
    if last > 1:
        assert name not in bench.wait(last - 1).standing()
    assert name in bench.step().standing()
    assert name in bench.step().standing()


@pytest.mark.parametrize("name", r.VALUE_ROWS)
def test_never_trips_on_the_safe_side(name):
    bench = r.prepare(armed(name), name)
    r.feed(bench, name, r.beyond(name, -1))
    assert name not in bench.wait(r.debounce_ticks(name) + 60).standing()


@pytest.mark.parametrize("name", [name for name in r.OTHERS if r.debounce_ticks(name) > 1])
def test_silence_trips_in_its_tick(name):
    bench = armed(name)
    r.OTHERS[name][0](bench)
    assert name not in r.step(bench, name, r.debounce_ticks(name) - 1).standing()
    assert name in bench.step().standing()
    assert name in bench.step().standing()


@pytest.mark.parametrize("silent", [{s.G_GAS_1}, {s.G_GAS_2}, {s.G_GAS_1, s.G_GAS_2}])
def test_detectors_count_as_lost_only_when_none_is_left(silent):
    bench = running(racks=r.RACKS).silence(*silent)
    assert "14" not in r.step(bench, "13b", r.debounce_ticks("13b") - 1).standing()
    assert ("14" in bench.step().standing()) == (len(silent) == 2)
    assert "13b" in bench.standing()


@pytest.mark.parametrize("name", r.VALUE_ROWS)
def test_stale_inputs_never_trip(name):
    groups = [r.VALUES[ROWS[name].watches][0], r.GATE_GROUPS.get(name, lambda bench: set())]
    for group in set().union(*[of(running(racks=r.RACKS)) for of in groups]):
        bench = r.prepare(armed(name), name).silence(group)
        bench.wait(bench.kernel.features.ages.budget_ticks[group] + COARSE)
        r.feed(bench, name, r.beyond(name, 0))
        bench.wait(r.debounce_ticks(name) + 60)
        worst = group == s.G_UPS  # a silent monitor may hide a loss of mains
        assert bench.kernel.evaluator.active[bench.instance(name)] == worst, group


def wanted(name, letter):
    return 1 if any(letter in effects(each) for each in (name, *r.COMPANIONS.get(name, ()))) else 0


def derate_pct(name, way):
    shares = [each[1:] for each in effects(name) if each[0] == way and each[1:].isdigit()]
    return max(map(int, shares), default=0)


def limit_W(bench, way, index):
    return bench.kernel.bounds.limit_W[way * len(bounds.LIMITS) + index]


def tripped(name, load_mA=0):
    return pickle.loads(_tripped(name, load_mA))


@functools.cache
def _tripped(name, load_mA):
    bench = running(racks=r.RACKS, **SHORT).alone(name, *r.COMPANIONS.get(name, ())).load(load_mA)
    bench = r.trip(r.prepare(bench, name), name)
    assert set(bench.standing()) == {name, *r.COMPANIONS.get(name, ())}
    return pickle.dumps(bench)


@pytest.mark.parametrize("name", ROWS)
def test_signals(name):
    out = tripped(name).out
    shown = {"fan": s.FAN_ON, "H": s.HORN_ON, "red": s.RED_LAMP_ON, "P": s.PRE_ALARM_ON}
    shown |= {"M": s.NOTIFY_MAINTENANCE, "O": s.NOTIFY_OPERATOR, "T": s.SHUNT_TRIP_ON}
    found = {letter: out[signal] for letter, signal in shown.items()}
    assert found == {letter: wanted(name, letter) for letter in shown}
    well = out[s.SUPERVISORY_OK], out[s.AUX_LOAD_OK]
    assert well == (1 - wanted(name, "F"), 1 - wanted(name, "A"))
    alarm = any(wanted(name, letter) for letter in ("L", "H", "red"))
    assert out[s.LAMP_ON] == (1 if alarm or out[s.STATE] in (s.INHIBITED, s.TRIPPED) else 0)
    assert out[s.ACTIVE_COUNT] == 1 or name in r.COMPANIONS


@pytest.mark.parametrize("name", SINGLE)
def test_power(name):
    bench = tripped(name)
    out, stop, ramp = bench.out, "S" in effects(name), "R" in effects(name)
    assert (out[s.PCS_ENABLE_OK], bench.unit(s.PCS_RUN_OK)) == ((0, 0) if stop else (1, 1))
    for way, inhibit, published in ((0, "ich", s.CHARGE_W_MAX), (1, "idc", s.DISCHARGE_W_MAX)):
        assert limit_W(bench, way, bounds.L_STOP) == (0 if stop else RATED_W)
        assert (limit_W(bench, way, bounds.L_RAMP_TO_ZERO) < RATED_W) == (
            stop or ramp or inhibit in effects(name)
        )
        if inhibit in effects(name) and not effects(name) & {"R", "r"}:
            assert (limit_W(bench, way, bounds.L_INHIBIT), bench.unit(published)) == (0, 0)
        else:
            assert limit_W(bench, way, bounds.L_INHIBIT) == RATED_W
        left_pct = 100 - derate_pct(name, "cd"[way])
        left_W = limit_W(bench, way, bounds.L_BMS_CURRENT) * left_pct // 100
        assert limit_W(bench, way, bounds.L_DERATE) == (RATED_W if left_pct == 100 else left_W)
        assert bench.unit(published) <= limit_W(bench, way, bounds.L_DERATE)


@pytest.mark.parametrize("name", [name for name in SINGLE if effects(name) & {"R", "r"}])
def test_a_ramp_begins_at_once_and_ends_in_its_time(name):
    way = s.DISCHARGE_W_MAX if "idc" in effects(name) else s.CHARGE_W_MAX
    before_W = r.prepare(running(racks=r.RACKS, **SHORT), name).step().unit(way)
    bench = tripped(name, LOAD_MA)
    assert bench.out[s.PCS_ENABLE_OK] == 1
    falling = [bench.unit(way)]
    left_pct = 100 - derate_pct(name, "d")
    assert falling[0] < before_W
    assert falling[0] > before_W * left_pct // 100 * 9 // 10 or name == "40b"
    falling += [bench.step().unit(way) for _ in range(RAMP - 1)]
    assert falling == sorted(falling, reverse=True) and falling[-1] == 0


def supply_lasts(bench, at_most):
    """Ticks from the trip until the contactor supply falls, or None."""
    for waited in range(at_most + 1):
        if not bench.out[s.CONTACTOR_SUPPLY_OK]:
            return waited
        assert bench.rack(s.CONTACTOR_CLOSE_OK, r.RACK) == 1
        bench.step()
    return None


OPENING = {"I": r.ticks(200), "Z": AT_ZERO}


def opening_ticks(name):
    """Ticks until it opens with a current; None: the supply stays."""
    return next((OPENING[letter] for letter in effects(name) if letter in OPENING), None)


@pytest.mark.parametrize("name", [name for name in SINGLE if name not in ("44b", "38a", "39")])
def test_opening_under_load(name):
    assert supply_lasts(tripped(name, LOAD_MA), AT_ZERO + 1) == opening_ticks(name)


def carries(bench):
    """A current flows: the row needs one to trip."""
    converter = bench.layout.unit_input(0, s.PCS_DC_CURRENT_MA)
    places = [converter, *[bench.rack_at(s.RACK_CURRENT_MA, rack) for rack in range(r.RACKS)]]
    return any(bench.inp[at] for at in places)


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "38a"])
def test_opening_without_load(name):
    """Row 38a is of a closing that failed: there is no supply."""
    bench, letters = tripped(name), effects(name) & {"I", "Z", "I0"}
    # while the PCS runs, zero current must be seen once more
    waits = 1 if "R" in effects(name) else 0
    without = waits if letters else None
    wanted_ticks = opening_ticks(name) if carries(bench) else without
    assert supply_lasts(bench, AT_ZERO + 1) == wanted_ticks


def until_clear(bench, name):
    r.remove(bench, name, CLEARS[name][0])
    for _ in range(EVENTUALLY):
        if not bench.step().kernel.evaluator.active[bench.instance(name)]:
            return bench
    raise AssertionError("never clears")


@pytest.mark.parametrize("name", [name for name in SINGLE if name not in LATCHING])
def test_resets_by_itself(name):
    bench = until_clear(tripped(name), name)
    assert (bench.standing(), bench.out[s.FIRST_OUT], bench.out[s.CAUSE_MASK]) == ([], -1, 0)
    assert bench.out[s.LATCHED_COUNT] == 0
    assert bench.step().out[s.NOTIFY_OPERATOR] == 0 == bench.out[s.NOTIFY_MAINTENANCE]


@pytest.mark.parametrize("name", LATCHING)
def test_stands_until_the_right_reset_and_the_clear_time(name):
    bench = until_clear(tripped(name), name).step(CLEAR - 3)
    assert bench.standing() == [name] and bench.out[s.LATCHED_COUNT] == 1
    bench.inp[s.KEY_RUN_OK] = 0 if ROWS[name].reset == KEY else 1
    assert bench.reset(ROWS[name].reset).step().out[s.RESET_RESULT] == latches.NOT_CLEAR_YET
    if ROWS[name].reset == KEY:
        assert bench.reset(REMOTE).step().out[s.RESET_RESULT] == latches.KEY_NEEDED
    assert bench.reset(ROWS[name].reset).step().out[s.RESET_RESULT] == latches.DONE
    assert bench.step().standing() == []
