"""Resets: who may clear what, how often, only what the operator saw; what comes back after a
restart.
"""

import itertools
from array import array

import pytest
from bench import default_image
from rows import ticks
from started import Plant, running

from safety import latches
from safety import matrix as m
from safety import signals as s

NONE, DONE, CHANGED, NOT_CLEAR_YET, NO_TOKENS, KEY_NEEDED, NOTHING = range(7)
CLEAR = ticks(5000)
HOUR = ticks(3_600_000)
SELF_ROW, REMOTE_ROW, KEY_ROW = "40a", "40b", "2"


class Desk:
    """The latches of a kernel that is never stepped: what stands and since when it is clear is set
    by hand.
    """

    def __init__(self, **cabinet):
        self.plant = Plant(default_image(racks=2, **cabinet))
        self.latches, self.evaluator, self.inp = (
            self.plant.kernel.latches,
            self.plant.kernel.evaluator,
            self.plant.inp,
        )

    def stand(self, name, active=0, clear=CLEAR, known=m.KNOWN):
        """Latch the last instance of a stage."""
        at = self.plant.instance(name)
        self.evaluator.features.known[self.evaluator.watch[at][0]] = known
        self.evaluator.latched[at] = 1 if name != SELF_ROW else 0
        self.evaluator.active[at], self.evaluator.clear_count[at] = active, clear
        self.evaluator.busy[self.evaluator.block[at]] = 1
        self.evaluator.refresh_first_out()
        return self

    def ask(self, kind, key_run=1, known=1, mask=None, first=None):
        """Ask for a reset of what stands, or of what is given."""
        self.inp[s.RESET_KIND] = kind
        self.inp[s.RESET_MASK] = self.evaluator.cause_mask() if mask is None else mask
        self.inp[s.RESET_FIRST_OUT] = self.evaluator.first_out[0] if first is None else first
        self.inp[s.KEY_RUN_OK] = key_run
        return self.latches.update(1, self.inp, known)

    def latched(self):
        """Ids of the latched stages."""
        return [
            m.STAGES[self.evaluator.stage[at]][m.S_ID]
            for at in range(self.evaluator.count)
            if self.evaluator.latched[at]
        ]


# -- every combination of what stands with each kind of reset

# a remote latch is: absent, clear, not clear long enough, active; a key latch likewise
STANDS = (None, (0, CLEAR), (0, CLEAR - 1), (1, 0))


def expected(kind, remote, key):
    """What a reset gives that names what stands, with tokens left and the key turned out of RUN for
    a key reset.
    """
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
    verdict = desk.latches.verdict(
        kind, desk.evaluator.first_out[0], desk.evaluator.cause_mask(), True
    )
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
def test_what_is_not_known_in_full_is_not_clear(name, kind, known):
    desk = Desk().stand(name, known=known)
    assert desk.ask(kind, key_run=0) == NOT_CLEAR_YET and desk.latched() == [name]


def alone(desk, at, others_clear):
    """Latch one instance whose cause is gone; all others are not latched, and clear as well or
    anything but.
    """
    evaluator, count = desk.evaluator, desk.evaluator.count
    evaluator.latched[:] = bytes(count)
    evaluator.active[:] = bytes([0 if others_clear or each == at else 1 for each in range(count)])
    evaluator.clear_count[:] = array(
        "i", [CLEAR if others_clear or each == at else 0 for each in range(count)]
    )
    known = evaluator.features.known
    known[:] = bytes([m.KNOWN if others_clear else 0] * len(known))
    evaluator.latched[at], known[evaluator.watch[at][0]] = 1, m.KNOWN
    evaluator.busy[:] = bytes([each == evaluator.block[at] for each in range(len(evaluator.busy))])
    evaluator.refresh_first_out()


def test_every_latch_of_every_unit_and_rack_is_judged_by_its_own_cause_and_row():
    desk = Desk()
    evaluator = desk.evaluator
    latching = [
        at for at, stage in enumerate(evaluator.stage) if m.STAGES[stage][m.S_LATCH] != m.SELF
    ]
    assert latching[0] == 0 and latching[-1] == evaluator.count - 1
    for at in latching:
        level = m.STAGES[evaluator.stage[at]][m.S_LATCH]
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


def test_a_key_latch_that_stands_after_a_remote_one_keeps_it_from_nothing():
    desk = Desk().stand("20b").stand("21a")
    assert desk.plant.instance("20b") < desk.plant.instance("21a")
    assert desk.ask(m.REMOTE) == DONE
    assert desk.latched() == ["21a"]


@pytest.mark.parametrize("level", (m.REMOTE, m.KEY))
def test_a_reset_clears_latches_of_its_level_and_none_that_are_not_there(level):
    """What the controller stores as cleared before the kernel clears it."""
    desk = running()
    evaluator, rules = desk.kernel.evaluator, desk.kernel.latches
    for index in range(evaluator.count):
        may = m.STAGES[evaluator.stage[index]][m.S_LATCH] <= level
        told = []
        for latched in (0, 1):
            evaluator.latched[index] = latched
            told.append(bool(rules.clears(index, level)))
        assert told == [False, may]


def test_a_stage_that_only_stands_by_itself_is_nothing_to_reset():
    desk = Desk().stand(SELF_ROW, active=1)
    assert desk.ask(m.REMOTE) == NOTHING and desk.ask(m.KEY, key_run=0) == NOTHING
    assert desk.evaluator.first_out[0] == desk.plant.instance(SELF_ROW)


@pytest.mark.parametrize(
    "key_run, known, result",
    [(1, 1, KEY_NEEDED), (0, 0, KEY_NEEDED), (1, 0, KEY_NEEDED), (0, 1, DONE)],
)
def test_a_key_reset_needs_the_key_turned_and_its_contact_fresh(key_run, known, result):
    assert Desk().stand(KEY_ROW).ask(m.KEY, key_run, known) == result


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
    assert desk.latches.left() == 3
    assert desk.ask(kind, 0) == DONE


# -- tokens


def spend(desk, times):
    """So many successful remote resets."""
    return [desk.stand(REMOTE_ROW).ask(m.REMOTE) for _ in range(times)]


@pytest.mark.parametrize("allowed", range(4))
def test_as_many_as_allowed_in_an_hour(allowed):
    desk = Desk(resets_per_hour_max=allowed)
    assert desk.latches.left() == allowed
    assert spend(desk, 4) == [DONE] * allowed + [NO_TOKENS] * (4 - allowed)
    assert desk.latches.left() == 0 and desk.latched() == [REMOTE_ROW]
    assert desk.ask(m.KEY, key_run=0) == DONE, "the key needs none"


def test_the_resets_that_are_left_are_published():
    bench = running()
    for left in (3, 2, 1, 0, 0):
        assert bench.step().out[s.RESETS_LEFT] == left
        bench.kernel.latches._spend()


def test_a_token_comes_back_an_hour_after_it_was_spent():
    desk = Desk()
    for _ in range(3):
        spend(desk, 1)
        desk.latches.update(1000, array("i", [0] * len(desk.inp)), 1)
    quiet = array("i", [0] * len(desk.inp))
    assert desk.latches.left() == 0
    desk.latches.update(HOUR - 3002 - 1, quiet, 1)
    assert desk.latches.left() == 0
    desk.latches.update(1, quiet, 1)
    assert desk.latches.left() == 1
    desk.latches.update(1000, quiet, 1)
    assert desk.latches.left() == 1
    desk.latches.update(1, quiet, 1)
    assert desk.latches.left() == 2


def test_more_resets_used_than_are_allowed_leave_none_and_not_less():
    desk = Desk(resets_per_hour_max=1)
    desk.latches.token_age[:] = array("i", [0, 0, 0])
    assert desk.latches.left() == 0
    assert desk.stand(REMOTE_ROW).ask(m.REMOTE) == NO_TOKENS


@pytest.mark.parametrize(
    "ages, after",
    [
        ((HOUR, HOUR, HOUR), (0, HOUR, HOUR)),
        ((0, HOUR, HOUR), (1, 0, HOUR)),
        ((5, 3, HOUR), (6, 4, 0)),
        ((HOUR, 5, 3), (0, 6, 4)),
        ((3, HOUR, 5), (4, 0, 6)),
    ],
)
def test_a_reset_spends_the_oldest_token_the_first_of_several(ages, after):
    desk = Desk().stand(REMOTE_ROW, clear=CLEAR)
    desk.latches.token_age[:] = array("i", ages)
    assert desk.ask(m.REMOTE) == DONE
    assert tuple(desk.latches.token_age) == after, "all but the spent one are a tick older"


def test_every_token_ages_and_stops_at_the_hour():
    desk = Desk()
    desk.latches.token_age[:] = array("i", [0, 0, HOUR - 1])
    desk.latches.update(5, desk.inp, 1)
    assert list(desk.latches.token_age) == [5, 5, HOUR]
    desk.latches.token_age[:] = array("i", [HOUR - 1, 0, 0])
    desk.latches.update(5, desk.inp, 1)
    assert list(desk.latches.token_age) == [HOUR, 5, 5]


@pytest.mark.parametrize("clear_ms", [5000, 5010, 600_000])
def test_how_long_a_cause_must_be_gone_is_a_parameter(clear_ms):
    desk = Desk(reset_clear_ms=clear_ms).stand(REMOTE_ROW, clear=ticks(clear_ms) - 1)
    assert desk.ask(m.REMOTE) == NOT_CLEAR_YET
    assert desk.stand(REMOTE_ROW, clear=ticks(clear_ms)).ask(m.REMOTE) == DONE


# -- through the kernel


def test_no_request_no_result():
    assert running().step().out[s.RESET_RESULT] == NONE


def test_first_out_moves_to_the_next_latch_when_it_is_reset_and_vanishes_with_the_last():
    bench = running()
    bench.silent.add(bench.layout.rack_group(0, s.G_BMS_CELLS))
    bench.wait(ticks(1000))
    assert bench.out[s.FIRST_OUT_INSTANCE] == bench.instance(REMOTE_ROW)
    bench.inp[s.FIRE_ALARM_OK] = 0
    bench.step(10)
    assert bench.out[s.FIRST_OUT_INSTANCE] == bench.instance(REMOTE_ROW), (
        "the first one stays the first"
    )
    bench.silent.clear()
    bench.inp[s.FIRE_ALARM_OK] = 1
    bench.step(CLEAR + 60)
    assert bench.reset().step().out[s.RESET_RESULT] == DONE
    assert bench.standing() == [KEY_ROW]
    assert (bench.out[s.FIRST_OUT_INSTANCE], bench.out[s.FIRST_OUT]) == (
        bench.instance(KEY_ROW),
        [stage[m.S_ID] for stage in m.STAGES].index(KEY_ROW),
    )
    assert bench.key_reset().step().out[s.RESET_RESULT] == DONE
    bench.inp[s.KEY_RUN_OK] = 1
    bench.step()
    assert (
        bench.out[s.FIRST_OUT],
        bench.out[s.FIRST_OUT_INSTANCE],
        bench.out[s.LATCHED_COUNT],
        bench.out[s.ACTIVE_COUNT],
        bench.out[s.CAUSE_MASK],
    ) == (-1, -1, 0, 0, 0)


def test_the_very_first_stage_of_the_matrix_stays_first_out_too():
    bench = running()
    bench.inp[s.ESTOP_1_OK] = 0
    bench.step(ticks(500))
    assert bench.standing() == ["1a", "1c"]
    assert (bench.out[s.FIRST_OUT], bench.out[s.FIRST_OUT_INSTANCE]) == (0, 0)
