"""A reset is a start nowhere: what rests after which stage, and until when."""

import pytest
from started import resting, running

from safety import kernel, matrix as m, signals as s

REST_ROWS = {*range(1, 13), 22, 23, 47, 48, 53}
LATCHING = [index for index, stage in enumerate(m.STAGES) if stage[m.S_LATCH] != m.SELF]
OPENS = [index for index in LATCHING if m.STAGES[index][m.S_DEMAND][m.D_DC] >= m.DC_OPEN_AT_ZERO]
CLOSED_TICKS, RETRY_TICKS = 50, 500


def names(stage):
    return m.STAGES[stage][m.S_ID]


def latch(bench, stage, level=1):
    evaluator = bench.kernel.evaluator
    index = next(at for at in range(evaluator.count) if evaluator.stage[at] == stage)
    evaluator.latched[index] = evaluator.busy[evaluator.block[index]] = level
    return bench


def opened(stage):
    """A running cabinet that this stage has opened, and whose latch is gone."""
    bench = latch(running(), stage).load(0).step(CLOSED_TICKS)
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0
    return latch(bench, stage, 0)


@pytest.mark.parametrize("stage", OPENS, ids=names)
def test_what_closes_by_itself_after_a_reset(stage):
    """Contactors closed 1.2 s after the key, or after the remote reset of an off-gas row. A start
    takes 17 ticks, and may wait 10 s for another attempt.
    """
    rests = m.STAGES[stage][m.S_ROW] in REST_ROWS or m.STAGES[stage][m.S_LATCH] == m.KEY
    bench = opened(stage)
    assert bench.out[s.START_NEEDED] == rests
    bench.step(RETRY_TICKS // 5 + 20, elapsed=5)
    assert bench.out[s.STATE] == (s.READY if rests else s.RUNNING)


def test_a_start_after_the_reset_ends_the_rest():
    bench = opened(LATCHING[0]).step(CLOSED_TICKS)
    assert bench.set(s.RUN_REQUEST, 0).step().out[s.START_NEEDED] == 0
    assert bench.step(CLOSED_TICKS).out[s.STATE] == s.READY
    assert bench.set(s.RUN_REQUEST, 1).step(CLOSED_TICKS).out[s.STATE] == s.RUNNING


def test_a_start_before_the_reset_ends_no_rest():
    bench = latch(running(), LATCHING[0]).load(0).step(CLOSED_TICKS)
    bench.set(s.RUN_REQUEST, 0).step(10).set(s.RUN_REQUEST, 1).step(10)
    assert bench.out[s.START_NEEDED] == 1
    assert latch(bench, LATCHING[0], 0).step(CLOSED_TICKS).out[s.STATE] == s.READY


def test_a_row_that_opens_nothing_lets_a_running_cabinet_run():
    """Trouble of the fire panel inhibits closing; it is no reason to stop."""
    (stage,) = [at for at in LATCHING if m.STAGES[at][m.S_ID] == "6a"]
    bench = latch(running(), stage).step(10)
    assert (bench.out[s.STATE], bench.out[s.START_NEEDED]) == (s.RUNNING, 0)
    bench = latch(resting(), stage).step(10)
    assert bench.out[s.START_NEEDED] == 1


@pytest.mark.parametrize("signal, stops", [(s.KEY_RUN_OK, True), (s.DOOR_OK, False)])
def test_a_key_that_is_turned_back_and_a_door_that_is_shut_start_nothing(signal, stops):
    """A key out of RUN stops a running cabinet, a door takes its power and leaves it closed."""
    bench = running().load(0).set(signal, 0).step(2 * CLOSED_TICKS)
    assert bench.out[s.START_NEEDED] == stops
    bench.set(signal, 1).step(2 * CLOSED_TICKS)
    assert bench.out[s.STATE] == (s.READY if stops else s.RUNNING)
    bench = resting().set(signal, 0).set(s.RUN_REQUEST, 1).step(CLOSED_TICKS)
    bench.set(signal, 1).step(CLOSED_TICKS)
    assert (bench.out[s.STATE], bench.out[s.START_NEEDED]) == (s.READY, 1)
    bench.set(s.RUN_REQUEST, 0).step(2).set(s.RUN_REQUEST, 1).step(CLOSED_TICKS)
    assert bench.out[s.STATE] == s.RUNNING


def test_the_end_of_another_row_that_resets_itself_ends_no_request():
    bench = resting().set(s.AIR_TEMPERATURE_DDEGC, 501).set(s.RUN_REQUEST, 1).step(CLOSED_TICKS)
    assert (bench.out[s.STATE], bench.out[s.START_NEEDED]) == (s.INHIBITED, 0)
    assert bench.set(s.AIR_TEMPERATURE_DDEGC, 200).step(CLOSED_TICKS).out[s.STATE] == s.RUNNING


def test_a_test_is_asked_for_before_the_key_is_turned_back():
    bench = resting().set(s.KEY_RUN_OK, 0).step(CLOSED_TICKS)
    assert bench.out[s.START_NEEDED] == 1
    bench.step().set(s.TEST_REQUEST, 1).step(2).set(s.RUN_REQUEST, 1).step(CLOSED_TICKS)
    assert bench.out[s.STATE] == s.INHIBITED
    assert bench.set(s.KEY_RUN_OK, 1).step(CLOSED_TICKS).out[s.STATE] == s.RUNNING


def test_a_door_that_is_not_known_is_not_open():
    bench = resting().silence(s.G_IO_1).step(CLOSED_TICKS).set(s.DOOR_OK, 0).step(CLOSED_TICKS)
    assert bench.out[s.START_NEEDED] == 0


def test_each_bit_has_a_place_of_its_own():
    places = len(m.ALERTS) + 1 + len(m.CONFLICTS)
    bits = [kernel._alert_bits(stage) for stage in m.STAGES]
    assert len(m.ALERTS) == kernel.REST_AT and kernel.CONFLICTS_AT == kernel.REST_AT + 1
    assert max(bits) < 1 << places
    rested = {m.STAGES[at][m.S_ID] for at, each in enumerate(bits) if each >> kernel.REST_AT & 1}
    wanted = [each for each in m.STAGES if each[m.S_ROW] in REST_ROWS or each[m.S_LATCH] == m.KEY]
    assert rested == {each[m.S_ID] for each in wanted} - {"47a", "48a", "48b"}
