"""Resets and the store: none takes effect before it is stored, and no cut of power frees what
stood.
"""

import random

import pytest
from power_loss import cuts, disk_with
from test_cabinet import CLEAR_TICKS, CONFIG, NAMES, Bench
from test_cabinet_local import asked_of_both, with_peer

from controller.core import image
from controller.record import store, stored_record
from controller.run import operator_commands
from safety import latches, matrix
from safety import signals as s

NO_RESET = [0, 0]
VOID_TICKS = operator_commands.STORED_MS // CONFIG.tick_ms + 1


def void_reset(bench):
    """[kind, answer] of the reset that ended in the last tick without the kernel."""
    at = image.places(bench.cabinet.core.layout)["void_reset"].start
    return list(bench.cabinet.core.inp[at:])


# -- what is refused never reaches the kernel


@pytest.mark.parametrize("kind", [matrix.REMOTE, matrix.KEY])
@pytest.mark.parametrize("missing_ticks", range(4))
def test_a_reset_asked_for_when_the_five_seconds_end_takes_no_effect_before_it_is_stored(
    kind, missing_ticks
):
    bench = Bench().tick(100).trip()
    bench.field.wrong[s.KEY_RUN_OK] = 0
    kernel = bench.cabinet.core.kernel
    while (
        kernel.evaluator.clear_count[NAMES.index("29.rack1")]
        < kernel.latches.clear_ticks - missing_ticks
    ):
        bench.tick()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_reset(
        kind, bench.out[s.FIRST_OUT_INSTANCE], bench.out[s.CAUSE_MASK], *image.PEER_EMPTY
    )
    for _ in range(VOID_TICKS):
        bench.tick()
        assert "29.rack1" in bench.standing and bench.out[s.RESETS_LEFT] == 3
    assert bench.answers == [
        latches.NOT_CLEAR_YET if missing_ticks else operator_commands.NOT_STORED
    ]
    assert bench.stored["latches"].keys() == {"29.rack1"} and bench.stored["token_ages_ms"] == []


@pytest.mark.parametrize(
    "wait_ticks, kind, mask, answer",
    [
        (0, matrix.REMOTE, None, latches.NOT_CLEAR_YET),
        (CLEAR_TICKS, matrix.REMOTE, 12345, latches.CHANGED),
        (CLEAR_TICKS, matrix.KEY, None, latches.KEY_NEEDED),
    ],
)
def test_the_journal_says_of_a_reset_that_the_kernel_was_not_given_how_it_ended(
    wait_ticks, kind, mask, answer
):
    bench = Bench().tick(100).trip().tick(wait_ticks)
    mask = bench.out[s.CAUSE_MASK] if mask is None else mask
    assert void_reset(bench) == NO_RESET
    bench.cabinet.request_reset(kind, bench.out[s.FIRST_OUT_INSTANCE], mask, *image.PEER_EMPTY)
    bench.tick()
    assert bench.cabinet.core.inp[s.RESET_KIND] == bench.out[s.RESET_RESULT] == 0
    assert void_reset(bench) == [kind, answer] and bench.answers == [answer]
    assert void_reset(bench.tick()) == NO_RESET, "in its tick alone"


def test_the_journal_says_that_a_reset_was_not_stored():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset().tick(VOID_TICKS - 2)
    assert void_reset(bench) == NO_RESET
    assert (
        void_reset(bench.tick())
        == [matrix.REMOTE, operator_commands.NOT_STORED]
        == [matrix.REMOTE, *bench.answers]
    )


def test_of_a_reset_that_the_kernel_was_given_the_kernel_says_how_it_ended():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS).reset()
    assert (bench.cabinet.core.inp[s.RESET_KIND], bench.out[s.RESET_RESULT]) == (
        matrix.REMOTE,
        latches.DONE,
    )
    assert void_reset(bench) == NO_RESET


# -- a reset that waits for the store ends as soon as it would be refused

PRESSED = {s.ESTOP_1_OK: 0, s.ESTOP_2_OK: 0}
KEY_OUT = {s.KEY_RUN_OK: 0}
# The answer once the cause is back: an E-stop trips in that very tick, which is another event than
# the one seen.
RETURNED = {matrix.KEY: latches.CHANGED, matrix.REMOTE: latches.NOT_CLEAR_YET}


def waiting(kind, loaded=None):
    """A cabinet whose reset waits for a store that acknowledges nothing: of the E-stop by key, of
    row 29 remote.
    """
    bench = Bench(loaded).tick(100)
    if kind == matrix.KEY:
        bench.field.wrong.update(PRESSED)
        bench.tick(100)
        bench.field.wrong = dict(KEY_OUT)
    else:
        bench.trip()
    bench.tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset(kind)
    assert bench.answers == [] and bench.stored["latches"] == {} and bench.standing
    return bench


def latched(bench):
    """Names of what is latched in the kernel."""
    return {
        name
        for name, is_latched in zip(NAMES, bench.cabinet.core.kernel.evaluator.latched)
        if is_latched
    }


def restarted(record):
    """A cabinet that finds this record after a cut of power, all causes gone and the key in RUN."""
    clean = record["clean"] and not record["armed"]
    return Bench(store.Loaded(store.CLEAN if clean else store.ARMED, record, 1, [])).tick(400)


def again(bench, kind):
    """The cause that the reset is for is there again."""
    cell = bench.cabinet.core.layout.rack_input(0, s.CELL_VOLTAGE_MV_MAX)
    bench.field.wrong.update(PRESSED if kind == matrix.KEY else {cell: 3700})
    return bench


def gone(bench, kind):
    """Nothing is wrong any more; the key stays where a reset by `kind` needs it."""
    bench.field.wrong = dict(KEY_OUT) if kind == matrix.KEY else {}
    return bench


KINDS = pytest.mark.parametrize("kind", [matrix.REMOTE, matrix.KEY])


@KINDS
@pytest.mark.parametrize("ticks_before", [0, 1, 30])
@pytest.mark.parametrize("stands_ticks", [1, 150])
def test_a_cause_that_returns_ends_the_reset_and_its_latch_is_stored_in_that_tick(
    kind, ticks_before, stands_ticks
):
    """One tick is less than any debounce: not yet the row again, but no longer gone."""
    bench = waiting(kind).tick(ticks_before)
    held, count = latched(bench), len(bench.keeper.records)
    again(bench, kind).tick()
    assert bench.answers == [RETURNED[kind]] and void_reset(bench) == [kind, RETURNED[kind]]
    assert len(bench.keeper.records) == count + 1 and bench.stored["latches"].keys() == held
    assert bench.stored["token_ages_ms"] == [] and bench.out[s.RESETS_LEFT] == 3
    gone(bench.tick(stands_ticks - 1), kind).tick(CLEAR_TICKS)
    assert bench.answers == [RETURNED[kind]] and bench.stored["latches"].keys() == held
    for record in bench.keeper.records[count:]:
        start = restarted(record)
        assert (
            held <= set(start.standing)
            and start.state == "inhibited"
            and start.out[s.RESETS_LEFT] == 3
        )


@KINDS
@pytest.mark.parametrize("acknowledged", [1, 2])
@pytest.mark.parametrize("late_ticks", [0, 1, 50])
def test_an_acknowledgement_that_comes_after_that_clears_nothing(kind, acknowledged, late_ticks):
    bench = waiting(kind)
    held = latched(bench)
    again(bench, kind).tick()
    gone(bench, kind).tick(late_ticks)
    assert bench.answers == [RETURNED[kind]]
    bench.keeper.durable += acknowledged
    bench.tick(CLEAR_TICKS)
    assert (
        latched(bench) == held == bench.stored["latches"].keys() and bench.out[s.RESETS_LEFT] == 3
    )
    bench.keeper.durable += 100
    bench.reset(kind)
    assert bench.answers == [RETURNED[kind], latches.DONE] and latched(bench) == set(
        bench.stored["latches"]
    )
    assert bench.stored["token_ages_ms"] == ([0] if kind == matrix.REMOTE else []), (
        "one reset, one token"
    )


@pytest.mark.parametrize(
    "kind, wrong",
    [(matrix.KEY, {}), (matrix.REMOTE, KEY_OUT), (matrix.KEY, {**KEY_OUT, s.FIRE_ALARM_OK: 0})],
)
def test_whatever_would_refuse_it_now_ends_a_reset_that_waits(kind, wrong):
    """The key back in RUN, with which row 47 goes, and a row that was not there when the operator
    looked.
    """
    bench = waiting(kind)
    held = latched(bench)
    bench.field.wrong = dict(wrong)
    bench.tick(60)
    assert bench.answers == [latches.CHANGED] and held <= bench.stored["latches"].keys() == latched(
        bench
    )
    bench.keeper.durable += 100
    assert held <= latched(bench.tick(10)) and bench.answers == [latches.CHANGED]


def test_a_cause_of_which_nothing_is_heard_any_more_ends_a_reset_that_waits():
    bench = waiting(matrix.REMOTE)
    group = bench.cabinet.core.layout.rack_group(0, s.G_BMS_CELLS)
    hear = bench.field.read

    def silent(now_us):
        hear(now_us)
        bench.cabinet.image.fresh[group] = 0

    bench.field.read = silent
    for _ in range(VOID_TICKS):
        bench.tick()
        assert bench.answers or bench.stored["latches"] == {}
    assert bench.answers == [latches.CHANGED] and "29.rack1" in bench.stored["latches"]


def test_the_second_of_two_resets_waits_for_its_own_record_and_ends_like_the_first():
    bench = waiting(matrix.KEY)
    held = latched(bench)
    bench.reset(matrix.KEY)
    assert bench.stored["latches"] == {} and bench.answers == []
    bench.keeper.durable += 1
    assert latched(bench.tick()) == held, "what is acknowledged is the first one's"
    again(bench, matrix.KEY).tick()
    assert bench.answers == [latches.CHANGED] and bench.stored["latches"].keys() == held
    bench.keeper.durable += 100
    assert latched(bench.tick(10)) == held


def test_a_reset_asked_for_while_the_full_record_is_not_acknowledged_is_judged_anew():
    bench = waiting(matrix.REMOTE)
    again(bench, matrix.REMOTE).tick()
    gone(bench, matrix.REMOTE).reset()
    assert bench.answers == [latches.NOT_CLEAR_YET] * 2 and "29.rack1" in bench.stored["latches"]
    bench.tick(CLEAR_TICKS).reset()
    assert bench.stored["latches"] == {} and "29.rack1" in bench.standing
    bench.keeper.durable += 2
    assert "29.rack1" in bench.tick().standing, "the record of the first reset and the full one"
    bench.keeper.durable += 100
    assert "29.rack1" not in bench.tick().standing and bench.out[s.RESETS_LEFT] == 2


def test_a_lock_out_stored_meanwhile_does_not_carry_the_reset_further_than_its_cause_allows():
    bench = waiting(matrix.REMOTE)
    bench.cabinet.request_lock_out("anna", True, is_awaited=False)
    again(bench, matrix.REMOTE).tick()
    assert bench.stored["latches"].keys() == {"29.rack1"}
    bench.keeper.durable += 100
    bench.tick(10)
    assert "29.rack1" in latched(bench) and bench.stored["latches"].keys() == latched(bench)


@pytest.mark.parametrize(
    "kind, wrong, answer, is_passed_on",
    [
        (matrix.REMOTE, {"cell": 3700}, latches.NOT_CLEAR_YET, True),
        (matrix.KEY, {}, latches.CHANGED, False),
        (matrix.KEY, {**KEY_OUT, **PRESSED}, latches.CHANGED, False),
    ],
)
def test_a_reset_that_ends_so_goes_on_to_the_second_channel_as_any_other(
    kind, wrong, answer, is_passed_on
):
    """That one judges for itself what it sees."""
    bench, peer = with_peer(waiting(kind))
    peer.at_once = latches.NOT_CLEAR_YET
    asked_of_both(bench, kind)
    assert peer.orders == [] and bench.answers == []
    cell = bench.cabinet.core.layout.rack_input(0, s.CELL_VOLTAGE_MV_MAX)
    bench.field.wrong = {cell if each == "cell" else each: value for each, value in wrong.items()}
    bench.tick()
    assert bench.answers == [answer] and peer.orders == [(kind, 7, 9)] * is_passed_on
    assert bench.cabinet.peer_answer == (latches.NOT_CLEAR_YET if is_passed_on else latches.NONE)
    assert bench.stored["latches"].keys() == latched(bench)


# -- both copies on the disk


def records_of_a_return():
    """(latched, the same without what a key reset clears, latched again): records as a cabinet
    hands them over.
    """
    bench = waiting(matrix.KEY)
    again(bench, matrix.KEY).tick()
    full, cleared, again_full = bench.keeper.records[-3:]
    assert cleared["latches"] == {} and full["latches"].keys() == again_full["latches"].keys() == {
        "1a",
        "1b",
    }
    return [stored_record.in_memory(each) for each in (full, cleared, again_full)]


def test_a_cut_while_the_latch_is_stored_again_finds_one_record_or_the_other():
    full, cleared, again_full = records_of_a_return()
    for disk, finished in cuts(
        lambda: disk_with(full, cleared), lambda disk: save(disk, again_full)
    ):
        loaded = store.Store("d", disk).load()
        assert (
            loaded.record in ([again_full] if finished else [cleared, again_full])
            and loaded.lines == []
        )


@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize("saved", [2, 3])
def test_a_copy_that_is_torn_frees_nothing(copy, saved):
    """Also of the record in which the reset is: the other copy may have held a latch."""
    disk = disk_with(*records_of_a_return()[:saved])
    inode = disk.inodes[disk.names[store.Store("d", disk).paths[copy]]]
    inode[0] = inode[0][: len(inode[0]) // 2]
    start = Bench(store.Store("d", disk).load()).tick(400)
    assert start.state == "inhibited" and {"44d"} | ({"1a", "1b"} if saved == 3 else set()) == set(
        start.standing
    )


def save(disk, record):
    found = store.Store("d", disk)
    found.load()
    found.save(record)


# -- any course


class Course:
    """Causes, keys, resets and a slow store as drawn; every tick must keep what a cut of power has
    to leave.
    """

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.bench = Bench().tick(100)
        self.bench.keeper.durable = len(self.bench.keeper.records)
        self.asked, self.ends = None, set()

    def run(self, ticks):
        kinds = (matrix.REMOTE, matrix.KEY)
        while self.bench.field.ticks < ticks:
            kind = self.draw.choice(kinds)
            if self.draw.random() < 0.7:
                self._tick(
                    again(self.bench, self.draw.choice(kinds)), self.draw.choice((1, 5, 110))
                )
            gone(self.bench, self.draw.choice(kinds))
            self._tick(self.bench, self.draw.choice((3, 251, 260, 300)))
            self._ask(kind)
            self._tick(self.bench, self.draw.choice((1, 2, 10, 40)))
        return self.ends

    def _ask(self, kind):
        self.asked = kind, self.bench.out[s.FIRST_OUT_INSTANCE], self.bench.out[s.CAUSE_MASK]
        self.bench.cabinet.request_reset(*self.asked, *image.PEER_EMPTY)

    def _tick(self, bench, count):
        for _ in range(count):
            if self.draw.random() < 0.1:
                bench.keeper.durable = self.draw.randint(
                    bench.keeper.durable, len(bench.keeper.records)
                )
            before = latched(bench)
            durable = bench.keeper.records[bench.keeper.poll() - 1]
            bench.tick()
            if bench.cabinet.answer:
                self.asked = None
                self.ends.add(bench.cabinet.answer)
            assert before - latched(bench) <= before - durable["latches"].keys(), (
                "cleared, and not yet stored so"
            )
            lacking = latched(bench) - bench.keeper.records[-1]["latches"].keys()
            assert not lacking or self._is_granted(), (
                f"{lacking} stand, and a cut of power frees them"
            )

    def _is_granted(self):
        kernel = self.bench.cabinet.core.kernel
        key_out = kernel.features.ages.known(s.G_IO_1) and not kernel.inp[s.KEY_RUN_OK]
        return self.asked and kernel.latches.verdict(*self.asked, key_out) == latches.DONE


@pytest.mark.parametrize("seed", range(2))
def test_in_any_course_what_stands_is_in_the_newest_record_unless_a_reset_that_holds_waits(seed):
    ends = Course(seed).run(5000)
    assert {latches.DONE, latches.CHANGED} <= ends
