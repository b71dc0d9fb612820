"""Starts and stops of a person: in which order they take effect and are stored, and what a restart
makes of them.
"""

import pytest
from test_cabinet import CONFIG, RUN_TICKS, Bench, found, running

from controller.core import image
from controller.record import keeper, store, stored_record
from controller.run import operator_commands, run_request
from safety import signals as s

STOPPED = {"stopped.": run_request.PERSON}
STORED_TICKS = operator_commands.STORED_MS // CONFIG.tick_ms
AWAITED_TICKS = STORED_TICKS - 10


def told(bench):
    """(the cabinet is to run, why it rests) as the kernel and the journal were told in the last
    tick.
    """
    inp = bench.cabinet.core.inp
    return inp[s.RUN_REQUEST], inp[image.places(bench.cabinet.core.layout)["rest"].start]


def at_rest(**options):
    """A cabinet that a person had stopped before this start of the controller."""
    bench = Bench(loaded=found(store.CLEAN, values=STOPPED), **options).tick(RUN_TICKS)
    assert (
        bench.state == "ready"
        and told(bench) == (0, run_request.PERSON)
        and not bench.out[s.ARM_REQUEST]
    )
    return bench


def test_a_stop_takes_effect_before_it_is_stored_and_is_answered_after():
    bench = running()
    bench.keeper.durable = len(bench.keeper.records)
    assert bench.cabinet.request_run(0) == 0
    bench.tick()
    assert (
        bench.state == "stopping"
        and told(bench) == (0, run_request.PERSON)
        and bench.stored["values"] == STOPPED
    )
    bench.tick(AWAITED_TICKS)
    assert bench.state == "ready" and bench.answers == []
    bench.keeper.durable += 100
    bench.tick()
    assert bench.answers == [operator_commands.ACCEPTED] and bench.stored["values"] == STOPPED


def test_a_start_is_stored_before_it_takes_effect():
    bench = at_rest()
    bench.keeper.durable = len(bench.keeper.records)
    assert bench.cabinet.request_run(1) == 0
    bench.tick(AWAITED_TICKS)
    assert (
        bench.stored["values"] == {}
        and told(bench) == (0, run_request.PERSON)
        and bench.answers == []
    )
    bench.keeper.durable += 100
    bench.tick(RUN_TICKS)
    assert (
        bench.state == "running"
        and told(bench) == (1, 0)
        and bench.answers == [operator_commands.ACCEPTED]
    )


def test_what_was_stopped_rests_after_a_restart_until_somebody_starts_it():
    bench = running()
    bench.cabinet.request_run(0)
    bench.tick(RUN_TICKS)
    again = Bench(loaded=found(store.CLEAN, **bench.stored)).tick(RUN_TICKS)
    assert again.state == "ready" and told(again) == (0, run_request.PERSON)
    again.trip()
    assert again.stored["values"] == STOPPED, "whatever else is stored meanwhile"


def test_a_start_that_was_not_stored_is_lost_with_the_restart():
    bench = at_rest()
    before = bench.stored
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(1)
    bench.tick()
    again = Bench(loaded=found(store.CLEAN, **before)).tick(RUN_TICKS)
    assert again.state == "ready"


def test_that_the_process_is_told_to_end_is_nobodys_stop():
    bench = running()
    bench.cabinet.end()
    bench.tick(RUN_TICKS)
    assert bench.state == "ready" and told(bench) == (0, 0) and bench.stored["values"] == {}
    bench.cabinet.request_run(1)
    assert bench.tick(RUN_TICKS).state == "ready", "nothing takes that back"
    assert Bench(loaded=found(store.CLEAN, **bench.stored)).tick(RUN_TICKS).state == "running"


def test_a_stop_while_the_process_ends_is_stored():
    bench = running()
    bench.cabinet.end()
    bench.cabinet.request_run(0)
    bench.tick(RUN_TICKS)
    assert bench.stored["values"] == STOPPED


def test_a_stop_voids_a_start_that_is_not_stored_yet():
    bench = at_rest()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(1)
    bench.tick(3)
    for _ in range(2):
        bench.cabinet.request_run(0, False)
    bench.tick(3)
    assert bench.answers == [operator_commands.OVERRULED] and bench.stored["values"] == STOPPED
    bench.keeper.durable += 100
    bench.tick(RUN_TICKS)
    assert bench.state == "ready" and bench.answers == [operator_commands.OVERRULED]


def test_a_stop_that_nobody_awaits_takes_no_answer_away():
    bench = running()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(0)
    bench.cabinet.request_run(0, False)
    bench.tick(5)
    bench.keeper.durable += 100
    bench.tick(5)
    assert bench.answers == [operator_commands.ACCEPTED]


@pytest.mark.parametrize("is_run", [0, 1])
def test_what_is_so_already_is_answered_and_not_stored_anew(is_run):
    """Or a script gone wild would write the store of a cabinet full time."""
    bench = running() if is_run else at_rest()
    count = len(bench.keeper.records)
    for _ in range(10):
        bench.cabinet.request_run(is_run)
        bench.tick()
    assert bench.answers == [operator_commands.ACCEPTED] * 10 and len(bench.keeper.records) == count


def test_starts_and_stops_in_one_tick_are_one_record():
    bench = running()
    count = len(bench.keeper.records)
    for is_run in (0, 1, 0, 1, 0):
        bench.cabinet.request_run(is_run, False)
    bench.tick()
    assert len(bench.keeper.records) == count + 1 and bench.stored["values"] == STOPPED


@pytest.mark.parametrize("is_run", [0, 1])
def test_a_store_that_fails_leaves_it_at_rest_and_says_so(is_run):
    """The start is void, the stop is in effect: one word for both would make somebody stop it in
    another way.
    """
    bench = at_rest() if is_run else running()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(is_run)
    bench.tick()
    bench.keeper.ok = False
    bench.tick(RUN_TICKS)
    answer = operator_commands.NOT_STORED if is_run else operator_commands.UNSTORED
    assert (
        bench.answers == [answer]
        and told(bench) == (0, run_request.PERSON)
        and bench.state == "ready"
    )


@pytest.mark.parametrize("is_awaited", [True, False])
def test_a_start_that_was_refused_is_taken_back_from_the_store_too(is_awaited):
    """The keeper tries its last record until the disk takes it: with the start in it, the next boot
    would close.
    """
    bench = at_rest()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(1, is_awaited)
    bench.tick()
    assert bench.stored["values"] == {}
    bench.keeper.ok = False
    bench.tick()
    assert (
        bench.answers == [operator_commands.NOT_STORED] * is_awaited
        and bench.stored["values"] == STOPPED
    )
    count = len(bench.keeper.records)
    assert len(bench.tick(100).keeper.records) == count, "once"


def test_a_start_that_is_not_stored_while_somebody_waits_for_the_answer_is_void():
    """The disk came back later, and the cabinet closed long after "no answer"."""
    bench = at_rest()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(1)
    bench.tick(STORED_TICKS)
    assert bench.answers == []
    bench.tick(2)
    assert bench.answers == [operator_commands.NOT_STORED] and bench.stored["values"] == STOPPED
    bench.keeper.durable += 100
    bench.tick(RUN_TICKS)
    assert bench.state == "ready" and told(bench) == (0, run_request.PERSON)
    bench.cabinet.request_run(1)
    assert bench.tick(RUN_TICKS).state == "running", "the next one is judged anew"


def test_a_stop_that_is_not_stored_while_somebody_waits_is_said_to_be_in_effect():
    bench = running()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(0)
    bench.tick(STORED_TICKS)
    assert bench.answers == []
    bench.tick(2)
    assert bench.answers == [operator_commands.UNSTORED] and bench.stored["values"] == STOPPED


def test_a_start_may_take_nearly_as_long_as_somebody_waits():
    bench = at_rest()
    bench.keeper.durable = len(bench.keeper.records)
    for _ in range(2):
        bench.cabinet.request_run(1)
        bench.tick(STORED_TICKS - 1)
    bench.keeper.durable += 100
    assert bench.tick(RUN_TICKS).state == "running" and bench.answers == [
        operator_commands.ACCEPTED
    ]


def test_whoever_asks_waits_longer_than_the_store_may_take():
    """The loop is told at most a few ticks later; the second channel is not asked by a start."""
    assert (
        operator_commands.ANSWER_S * 1000 >= operator_commands.STORED_MS + 1000
        and keeper.HANG_US <= operator_commands.STORED_MS * 1000
    )


def test_an_end_of_a_lock_out_that_was_refused_is_taken_back_from_the_store_too():
    bench = running()
    bench.cabinet.request_lock_out("bob", True)
    bench.tick(RUN_TICKS)
    locked = bench.stored["values"]
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_lock_out("bob", False)
    bench.tick()
    bench.keeper.ok = False
    bench.tick()
    assert bench.answers[-1] == operator_commands.NOT_STORED and bench.stored["values"] == locked
    assert locked == {"locked_out.bob": 1, "stopped.bob": run_request.LOCK_OUT}


def test_two_copies_that_are_not_of_one_store_leave_it_stopped(tmp_path):
    directory = str(tmp_path)
    for values in ({}, STOPPED):
        place = store.Store(directory)
        place._generation = 6
        rest = (run_request.PERSON, "") if values else stored_record.AWAKE
        place.save(stored_record.Record(rest=rest))
        (tmp_path / "store.a").rename(tmp_path / f"kept{len(values)}")
    (tmp_path / "kept0").rename(tmp_path / "store.a")
    (tmp_path / "kept1").rename(tmp_path / "store.b")
    loaded = store.Store(directory).load()
    assert loaded.state == store.UNREADABLE
    assert not run_request.RunRequest(loaded.record.rest).is_asked


def test_of_two_reasons_to_rest_one_is_kept():
    values = {"stopped.": run_request.TEST, "noc_verified": 1, "stopped.anna": run_request.PERSON}
    record = stored_record.in_memory(
        {**stored_record.on_disk(stored_record.Record()), "values": values}
    )
    assert (
        record.rest == (run_request.TEST, "") and not run_request.RunRequest(record.rest).is_asked
    )


# -- a lock-out


def test_what_was_locked_out_rests_after_the_end_and_after_a_restart_until_somebody_starts_it():
    bench = running()
    bench.cabinet.request_lock_out("anna", True)
    bench.tick(RUN_TICKS)
    bench.cabinet.request_lock_out("anna", False)
    bench.tick(RUN_TICKS)
    assert (
        bench.state == "ready"
        and told(bench) == (0, run_request.LOCK_OUT)
        and bench.cabinet.run_request.rest.in_effect[1] == "anna"
    )
    assert bench.stored["values"] == {"stopped.anna": run_request.LOCK_OUT}
    again = Bench(loaded=found(store.CLEAN, **bench.stored)).tick(RUN_TICKS)
    assert again.state == "ready" and told(again) == (0, run_request.LOCK_OUT)
    at = image.places(again.cabinet.core.layout)["rest"].start + 1
    assert image.name_of(again.cabinet.core.inp[at : at + 4]) == "anna"
    again.cabinet.request_run(1)
    again.tick(RUN_TICKS)
    assert again.state == "running" and not any(again.cabinet.core.inp[at : at + 4])


def test_a_lock_out_of_an_older_store_leaves_a_rest_too():
    bench = Bench(loaded=found(store.CLEAN, values={"locked_out.anna": 1})).tick(RUN_TICKS)
    assert bench.stored["values"] == {"locked_out.anna": 1, "stopped.anna": run_request.LOCK_OUT}
    bench.cabinet.request_lock_out("anna", False)
    assert bench.tick(RUN_TICKS).state == "ready"


def test_a_lock_out_keeps_no_stop_of_a_person_from_being_one():
    values = {"locked_out.anna": 1, **STOPPED}
    bench = Bench(loaded=found(store.CLEAN, values=values)).tick(RUN_TICKS)
    assert bench.stored["values"] == values


def test_nothing_is_asked_of_a_cabinet_that_is_locked_out():
    bench = running()
    bench.field.wrong[s.KEY_RUN_OK] = 0
    bench.cabinet.request_lock_out("anna", True)
    bench.tick(RUN_TICKS)
    assert (
        bench.cabinet.request_run(1)
        == bench.cabinet.request_test()
        == operator_commands.STAYS_LOCKED
    )
    bench.cabinet.request_lock_out("anna", False)
    bench.tick()
    assert bench.cabinet.request_test() == operator_commands.ACCEPTED


# -- a test


def under_test(**options):
    """A cabinet in TEST mode that runs."""
    bench = Bench(**options).tick()
    bench.field.wrong[s.KEY_RUN_OK] = 0
    bench.tick()
    assert bench.cabinet.request_test() == operator_commands.ACCEPTED
    bench.field.wrong.clear()
    bench.tick(RUN_TICKS)
    assert bench.state == "running" and told(bench) == (1, run_request.TEST)
    return bench


@pytest.mark.parametrize("more_ticks", [0, 3000])
def test_what_was_tested_rests_after_a_restart_also_in_the_middle_of_the_test(more_ticks):
    bench = under_test().tick(more_ticks)
    assert bench.state == ("ready" if more_ticks else "running")
    assert bench.stored["values"] == {"stopped.": run_request.TEST}
    again = Bench(loaded=found(store.CLEAN, **bench.stored)).tick(RUN_TICKS)
    assert again.state == "ready" and told(again) == (0, run_request.TEST)
    again.cabinet.request_run(1)
    assert again.tick(RUN_TICKS).state == "running" and again.stored["values"] == {}


def test_no_start_is_taken_during_a_test_and_a_stop_ends_its_run():
    bench = under_test()
    assert bench.cabinet.request_run(1) == operator_commands.IN_TEST
    bench.cabinet.request_run(0)
    bench.tick(100)
    assert bench.state == "ready" and told(bench) == (0, run_request.PERSON)
    assert bench.cabinet.request_run(1) == operator_commands.IN_TEST
    bench.tick(3000)
    assert bench.state == "ready" and bench.cabinet.request_run(1) == 0
