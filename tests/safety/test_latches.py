"""Resets: rights of each kind, how often, and only of the causes that the operator saw."""

import itertools
from array import array

import pytest
from bench import Bench, default_image
from rows import ticks
from started import running

from safety import latches, matrix as m, signals as s
from tests.tables import cases

NONE, DONE, CHANGED, NOT_CLEAR_YET, NO_TOKENS, KEY_NEEDED, NOTHING = range(7)
CLEAR = ticks(5000)
HOUR = ticks(3_600_000)
SELF_ROW, REMOTE_ROW, KEY_ROW = "40a", "40b", "2"


class Desk:
    def __init__(self, **cabinet):
        self.plant = Bench(default_image(racks=2, **cabinet))
        self.latches, self.evaluator = self.plant.kernel.latches, self.plant.kernel.evaluator
        self.inp = self.plant.inp

    def stand(self, name, active=0, clear=CLEAR, known=m.KNOWN):
        at = self.plant.instance(name)
        self.evaluator.features.known[self.evaluator.watch[at][0]] = known
        self.evaluator.latched[at] = 1 if name != SELF_ROW else 0
        self.evaluator.active[at], self.evaluator.clear_count[at] = active, clear
        self.evaluator.busy[self.evaluator.block[at]] = 1
        self.evaluator.refresh_first_out()
        return self

    def ask(self, kind, key_run=1, key_service=None, io=(1, 1), mask=None, first=None):
        """key_service: as a sound switch has it unless given; io: modules 1 and 3 were heard."""
        self.inp[s.RESET_KIND] = kind
        self.inp[s.RESET_MASK] = self.evaluator.cause_mask() if mask is None else mask
        self.inp[s.RESET_FIRST_OUT] = self.evaluator.first_out[0] if first is None else first
        self.inp[s.KEY_RUN_OK] = key_run
        self.inp[s.KEY_SERVICE_CLOSED] = 1 - key_run if key_service is None else key_service
        seen = self.evaluator.features.ages.seen
        seen[s.G_IO_1], seen[s.G_IO_3] = io
        return self.latches.update(1, self.inp)

    def latched(self):
        marked = zip(self.evaluator.stage, self.evaluator.latched)
        return [m.STAGES[stage][m.S_ID] for stage, latched in marked if latched]


# a remote latch is: absent, clear, not clear long enough, active; a key latch likewise
STANDS = (None, (0, CLEAR), (0, CLEAR - 1), (1, 0))


def expected(kind, remote, key):
    """Tokens are left and the key is out of RUN."""
    due = [row for row in ((remote,) if kind == m.REMOTE else (remote, key)) if row]
    if any(row != (0, CLEAR) for row in due):
        return NOT_CLEAR_YET
    if due:
        return DONE
    return KEY_NEEDED if key else NOTHING


@pytest.mark.parametrize("kind", [m.REMOTE, m.KEY])
@pytest.mark.parametrize("remote, key", list(itertools.product(STANDS, repeat=2)))
def test_what_a_reset_clears(kind, remote, key):
    desk = Desk()
    for name, row in ((REMOTE_ROW, remote), (KEY_ROW, key)):
        if row:
            desk.stand(name, *row)
    before = desk.latched(), list(desk.latches.token_age)
    first, mask = desk.evaluator.first_out[0], desk.evaluator.cause_mask()
    verdict = desk.latches.verdict(kind, first, mask, True)
    assert before == (desk.latched(), list(desk.latches.token_age)), "asking changes nothing"
    result = desk.ask(kind, key_run=0)
    assert verdict == result
    assert latches.RESULTS[result] == latches.RESULTS[expected(kind, remote, key)]
    left = ([KEY_ROW] if key else []) + ([REMOTE_ROW] if remote else [])
    if result == DONE:
        left = [KEY_ROW] if key and kind == m.REMOTE else []
    assert desk.latched() == left
    assert desk.latches.left() == (2 if result == DONE and kind == m.REMOTE else 3)


@pytest.mark.parametrize("name, kind", [(REMOTE_ROW, m.REMOTE), (KEY_ROW, m.KEY)])
@pytest.mark.parametrize("known", [0, m.IN_PART, m.DOUBTED])
def test_a_cause_known_in_part_is_not_clear(name, kind, known):
    desk = Desk().stand(name, known=known)
    assert desk.ask(kind, key_run=0) == NOT_CLEAR_YET and desk.latched() == [name]


def alone(desk, at, others_clear):
    evaluator, count = desk.evaluator, desk.evaluator.count
    clear = [others_clear or each == at for each in range(count)]
    evaluator.latched[:] = bytes(count)
    evaluator.active[:] = bytes([not each for each in clear])
    evaluator.clear_count[:] = array("i", [CLEAR * each for each in clear])
    known = evaluator.features.known
    known[:] = bytes([m.KNOWN if others_clear else 0] * len(known))
    evaluator.latched[at], known[evaluator.watch[at][0]] = 1, m.KNOWN
    evaluator.busy[:] = bytes([each == evaluator.block[at] for each in range(len(evaluator.busy))])
    evaluator.refresh_first_out()


def test_every_latch_is_judged_by_its_own_cause_and_row():
    desk = Desk()
    evaluator = desk.evaluator
    levels = [m.STAGES[stage][m.S_LATCH] for stage in evaluator.stage]
    latching = [at for at, level in enumerate(levels) if level != m.SELF]
    assert latching[0] == 0 and latching[-1] == evaluator.count - 1
    for at in latching:
        level = levels[at]
        for spoil in (
            lambda: evaluator.active.__setitem__(at, 1),
            lambda: evaluator.clear_count.__setitem__(at, CLEAR - 1),
            lambda: evaluator.features.known.__setitem__(evaluator.watch[at][0], 0),
        ):
            alone(desk, at, others_clear=True)
            spoil()
            assert (desk.ask(level, key_run=0), evaluator.latched[at]) == (NOT_CLEAR_YET, 1), at
        alone(desk, at, others_clear=False)
        if level == m.KEY:
            assert (desk.ask(m.REMOTE), evaluator.latched[at]) == (KEY_NEEDED, 1), at
        assert (desk.ask(m.KEY, key_run=0), any(evaluator.latched)) == (DONE, False), at


@pytest.mark.parametrize("level", (m.REMOTE, m.KEY))
def test_a_reset_clears_latches_of_its_level_only(level):
    """The controller stores these as cleared before the kernel clears them."""
    desk = running()
    evaluator, rules = desk.kernel.evaluator, desk.kernel.latches
    for index in range(evaluator.count):
        may = m.STAGES[evaluator.stage[index]][m.S_LATCH] <= level
        told = []
        for latched in (0, 1):
            evaluator.latched[index] = latched
            told.append(bool(rules.clears(index, level)))
        assert told == [False, may]


def test_a_remote_reset_is_of_remote_latches():
    """A self-resetting stage is nothing to reset; a later key latch does not hold a remote one."""
    desk = Desk().stand("20b").stand("21a")
    assert desk.ask(m.REMOTE) == DONE and desk.latched() == ["21a"]
    desk = Desk().stand(SELF_ROW, active=1)
    assert desk.ask(m.REMOTE) == NOTHING and desk.ask(m.KEY, key_run=0) == NOTHING
    assert desk.evaluator.first_out[0] == desk.plant.instance(SELF_ROW)


@pytest.mark.parametrize("kind", [m.REMOTE, m.KEY])
def test_only_what_the_operator_saw(kind):
    desk = Desk().stand(REMOTE_ROW).stand("35b")
    mask, first = desk.evaluator.cause_mask(), desk.evaluator.first_out[0]
    for wrong in (mask ^ 1, 0, mask + 1):
        assert desk.ask(kind, 0, mask=wrong) == CHANGED
    for wrong in (first + 1, -1, desk.plant.instance("35b")):
        assert wrong == first or desk.ask(kind, 0, first=wrong) == CHANGED
    desk.stand("20b")
    assert desk.ask(kind, 0, mask=mask, first=first) == CHANGED, "one more stands than was seen"
    assert (desk.latches.left(), desk.ask(kind, 0)) == (3, DONE)


def spend(desk, times):
    return [desk.stand(REMOTE_ROW).ask(m.REMOTE) for _ in range(times)]


@pytest.mark.parametrize("allowed", range(4))
def test_as_many_as_allowed_in_an_hour(allowed):
    desk = Desk(resets_per_hour_max=allowed)
    desk.latches.token_age[:] = array("i", [0, 0, 0])
    assert desk.latches.left() == 0, "not less, if more were used than are allowed"
    desk = Desk(resets_per_hour_max=allowed)
    assert desk.latches.left() == allowed
    assert spend(desk, 4) == [DONE] * allowed + [NO_TOKENS] * (4 - allowed)
    assert desk.latches.left() == 0 and desk.latched() == [REMOTE_ROW]
    assert desk.ask(m.KEY, key_run=0) == DONE, "the key needs none"


@cases("""ages after
    (HOUR,HOUR,HOUR)  (0,HOUR,HOUR) | (0,HOUR,HOUR)  (1,0,HOUR) | (5,3,HOUR)  (6,4,0)
    (HOUR,5,3)  (0,6,4) | (3,HOUR,5)  (4,0,6)""")
def test_a_reset_spends_the_oldest_token_the_first_of_several(ages, after):
    desk = Desk().stand(REMOTE_ROW, clear=CLEAR)
    desk.latches.token_age[:] = array("i", ages)
    assert desk.ask(m.REMOTE) == DONE
    assert tuple(desk.latches.token_age) == after, "all but the spent one are a tick older"


@pytest.mark.parametrize("fitted", (0, 1))
def test_one_contact_of_two_is_no_key_that_is_out(fitted):
    """A wire that breaks opens one contact; nothing is known of a module that is silent."""
    desk = Desk(key_service_fitted=fitted)
    for run, service, *io in itertools.product((0, 1), repeat=4):
        is_out = io[0] and not run and (not fitted or io[1] and service)
        result = desk.stand(KEY_ROW).ask(m.KEY, key_run=run, key_service=service, io=io)
        assert result == (DONE if is_out else KEY_NEEDED), (run, service, io)


def test_every_token_ages_and_stops_at_the_hour():
    desk = Desk()
    desk.latches.token_age[:] = array("i", [0, 0, HOUR - 1])
    desk.latches.update(5, desk.inp)
    assert (list(desk.latches.token_age), desk.latches.left()) == ([5, 5, HOUR], 1)
    desk.latches.token_age[:] = array("i", [HOUR - 1, 0, 0])
    desk.latches.update(5, desk.inp)
    assert list(desk.latches.token_age) == [HOUR, 5, 5]
    bench = running()
    for left in (3, 2, 1, 0, 0):
        assert bench.step().out[s.RESETS_LEFT] == left and bench.out[s.RESET_RESULT] == NONE
        bench.kernel.latches._spend()


@pytest.mark.parametrize("clear_ms", [5000, 5010, 600_000])
def test_how_long_a_cause_must_be_gone_is_a_parameter(clear_ms):
    desk = Desk(reset_clear_ms=clear_ms).stand(REMOTE_ROW, clear=ticks(clear_ms) - 1)
    assert desk.ask(m.REMOTE) == NOT_CLEAR_YET
    assert desk.stand(REMOTE_ROW, clear=ticks(clear_ms)).ask(m.REMOTE) == DONE


def test_first_out_moves_to_the_next_latch_and_vanishes_with_the_last():
    bench = running()
    bench.silence(bench.layout.rack_group(0, s.G_BMS_CELLS)).wait(ticks(1000))
    assert bench.out[s.FIRST_OUT_INSTANCE] == bench.instance(REMOTE_ROW)
    bench.set(s.FIRE_ALARM_OK, 0).step(10)
    assert bench.out[s.FIRST_OUT_INSTANCE] == bench.instance(REMOTE_ROW)
    bench.speak().set(s.FIRE_ALARM_OK, 1).step(CLEAR + 60)
    assert (bench.reset().step().out[s.RESET_RESULT], bench.standing()) == (DONE, [KEY_ROW])
    assert bench.out[s.FIRST_OUT_INSTANCE] == bench.instance(KEY_ROW)
    assert bench.out[s.FIRST_OUT] == [stage[m.S_ID] for stage in m.STAGES].index(KEY_ROW)
    assert bench.key_reset().step().out[s.RESET_RESULT] == DONE
    bench.set(s.KEY_RUN_OK, 1).step()
    assert bench.out[s.FIRST_OUT] == bench.out[s.FIRST_OUT_INSTANCE] == -1
    assert bench.out[s.LATCHED_COUNT] == bench.out[s.ACTIVE_COUNT] == bench.out[s.CAUSE_MASK] == 0
    assert bench.set(s.ESTOP_1_OK, 0).step(ticks(500)).standing() == ["1a", "1c"]
    assert bench.out[s.FIRST_OUT] == bench.out[s.FIRST_OUT_INSTANCE] == 0
