"""An agent's hold-off against the fan; a kernel without converters and racks."""

import pytest
from bench import Bench, default_image
from rows import ticks

from safety import matrix as m, signals as s
from tests.tables import cases

HOLD_OFF_TICKS = 20
CABINET_STAGES = [stage for stage in m.STAGES if stage[m.S_SCOPE] == s.CABINET]


def holding(hold_off_ms=400):
    return Bench(default_image(agent_hold_off_ms=hold_off_ms)).step(30)


def release(bench):
    bench.inp[s.SUPPRESSION_OK] = 0
    assert "3" not in bench.step(ticks(100) - 1).standing()
    assert "3" in bench.step().standing()
    return bench


def fan_course(bench, steps):
    found = []
    for _ in range(steps):
        found.append(bench.out[s.FAN_ON])
        bench.step()
    return found


@cases("""row signal value wait
    '11'  s.GAS_1_LFL_PERMILLE  100  2000 | '12a'  s.GAS_1_LFL_PERMILLE  250  0
    '2'  s.FIRE_ALARM_OK  0  200""")
def test_a_fan_started_by_gas_or_fire_yields_for_the_hold_off(row, signal, value, wait):
    bench = holding().set(signal, value).step(max(1, ticks(wait)))
    assert row in bench.standing() and bench.out[s.FAN_ON] == 1
    assert fan_course(release(bench), 40) == [0] * HOLD_OFF_TICKS + [1] * 20


@pytest.mark.parametrize("elapsed, off", [(3, 7), (7, 3), (20, 1), (24, 1)])
def test_late_steps_count_in_full(elapsed, off):
    bench = release(holding())
    found = [bench.out[s.FAN_ON]]
    for _ in range(10):
        found.append(bench.step(1, elapsed=elapsed).out[s.FAN_ON])
    assert found[0] == 0 and found[1:] == [0] * found[1:].count(0) + [1] * found[1:].count(1)
    assert found.count(0) == 1 + max(0, -(-(HOLD_OFF_TICKS - 1) // elapsed))


def test_the_next_release_has_a_hold_off_of_its_own():
    bench = release(holding()).step(40).set(s.SUPPRESSION_OK, 1)
    bench.step(ticks(5000)).key_reset().step().set(s.KEY_RUN_OK, 1)
    assert bench.step().standing() == [] and bench.out[s.FAN_ON] == 0
    assert fan_course(release(bench), 30) == [0] * HOLD_OFF_TICKS + [1] * 10


# delay of row 2 after row 3; hold-off of the horn in the test
LATER, HELD = ticks(100), ticks(1000)


def with_a_second_conflict(monkeypatch):
    horn = (m.D_HORN, 2, "contactor_close_ms_max", "made up")
    monkeypatch.setattr(m, "CONFLICTS", (*m.CONFLICTS, horn))
    return Bench(default_image(agent_hold_off_ms=400, contactor_close_ms_max=1000))


@cases("""signals fan horn
    (s.SUPPRESSION_OK,)  [0]*HOLD_OFF_TICKS  [] | (s.FIRE_ALARM_OK,)  []  [0]*HELD
    (s.SUPPRESSION_OK,s.FIRE_ALARM_OK)  [0]*HOLD_OFF_TICKS  [1]*LATER+[0]*HELD""")
def test_each_conflict_has_a_row_a_demand_and_a_time_of_its_own(monkeypatch, signals, fan, horn):
    """The table has one conflict; a second one must not use the demand or time of the first."""
    bench = with_a_second_conflict(monkeypatch).step(30)
    for signal in signals:
        bench.inp[signal] = 0
    while not bench.standing():
        bench.step()
    told = []
    for _ in range(80):
        told.append((bench.out[s.FAN_ON], bench.out[s.HORN_ON]))
        bench.step()
    expected = [off + [1] * (80 - len(off)) for off in (fan, horn)]
    assert [list(levels) for levels in zip(*told)] == expected


@pytest.mark.parametrize("stood", [True, False])
def test_a_restart_does_not_stop_a_fan_that_has_run_meanwhile(stood):
    """The fan's contact, without a controller, falls, the fan runs and the agent is gone."""
    bench = holding()
    names = ("3", "12a") if stood else ("12a",)
    bench.kernel.boot(True, False, [bench.instance(name) for name in names])
    assert bench.step().out[s.FAN_ON] == 1 and set(names) < set(bench.standing())
    if not stood:
        assert fan_course(release(bench), 30) == [0] * HOLD_OFF_TICKS + [1] * 10


@pytest.mark.parametrize("name, past", [("3", [1, 0]), ("2", [0, 1]), ("1a", [0, 0])])
def test_a_restart_ends_only_the_hold_off_of_a_latched_row(monkeypatch, name, past):
    bench = with_a_second_conflict(monkeypatch)
    bench.kernel.boot(True, False, [bench.instance(name)])
    assert list(bench.kernel.conflict_ticks) == [HOLD_OFF_TICKS * past[0], HELD * past[1]]


def test_its_time_stays_in_range():
    bench = release(holding())
    bench.kernel.conflict_ticks[0] = s.TICKS_MAX - 1
    assert bench.step(1, elapsed=1_000_000).kernel.conflict_ticks[0] == s.TICKS_MAX


def test_a_kernel_without_converters_and_racks_runs():
    bench = Bench(units=0, racks=0)
    assert bench.step(20).out[s.STATE] == s.RUNNING and bench.standing() == []
    assert (bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]) == (1, 1)
    evaluator = bench.kernel.evaluator
    assert list(evaluator.stage) == list(range(len(CABINET_STAGES))) and set(evaluator.block) == {0}
    bench.inp[s.RUN_REQUEST] = 0
    assert bench.step(5).out[s.STATE] == s.INHIBITED or bench.out[s.STATE] == s.READY
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0
    others = m.F_GAS_LFL_PERMILLE_MAX, m.F_FIRE_DETECTORS, m.F_IO_SILENCE_MS, m.F_GRID_OVER_PERMILLE
    assert not any([bench.kernel.features.known[each] for each in others]), "channel A's alone"
