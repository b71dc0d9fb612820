"""Resets and the store: none takes effect before it is stored, and no cut of power frees what stood."""

import pytest

from controller import command, image
from safety import latches, matrix
from safety import signals as s
from test_cabinet import CLEAR_TICKS, CONFIG, NAMES, Bench

NO_RESET = [0, 0]
VOID_TICKS = command.STORED_MS // CONFIG.tick_ms + 1


def void_reset(bench):
    """[kind, answer] of the reset that ended in the last tick without the kernel."""
    at = image.void_reset_at(bench.cabinet.core.layout)
    return list(bench.cabinet.core.inp[at:])


# -- what is refused never reaches the kernel

@pytest.mark.parametrize("kind", [matrix.REMOTE, matrix.KEY])
@pytest.mark.parametrize("missing_ticks", range(4))
def test_a_reset_asked_for_when_the_five_seconds_end_takes_no_effect_before_it_is_stored(kind, missing_ticks):
    bench = Bench().tick(100).trip()
    bench.field.wrong[s.KEY_RUN_OK] = 0
    kernel = bench.cabinet.core.kernel
    while kernel.evaluator.clear_count[NAMES.index("29.rack1")] < kernel.latches.clear_ticks - missing_ticks:
        bench.tick()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_reset(kind, bench.out[s.FIRST_OUT_INSTANCE], bench.out[s.CAUSE_MASK], *image.PEER_EMPTY)
    for _ in range(VOID_TICKS):
        bench.tick()
        assert "29.rack1" in bench.standing and bench.out[s.RESETS_LEFT] == 3
    assert bench.answers == [latches.NOT_CLEAR_YET if missing_ticks else command.NOT_STORED]
    assert bench.stored["latches"].keys() == {"29.rack1"} and bench.stored["token_ages_ms"] == []


@pytest.mark.parametrize("wait_ticks, kind, mask, answer", [
    (0, matrix.REMOTE, None, latches.NOT_CLEAR_YET), (CLEAR_TICKS, matrix.REMOTE, 12345, latches.CHANGED),
    (CLEAR_TICKS, matrix.KEY, None, latches.KEY_NEEDED)])
def test_the_journal_says_of_a_reset_that_the_kernel_was_not_given_how_it_ended(wait_ticks, kind, mask, answer):
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
    assert void_reset(bench.tick()) == [matrix.REMOTE, command.NOT_STORED] == [matrix.REMOTE, *bench.answers]


def test_of_a_reset_that_the_kernel_was_given_the_kernel_says_how_it_ended():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS).reset()
    assert (bench.cabinet.core.inp[s.RESET_KIND], bench.out[s.RESET_RESULT]) == (matrix.REMOTE, latches.DONE)
    assert void_reset(bench) == NO_RESET
