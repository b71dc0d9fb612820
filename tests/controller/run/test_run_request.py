"""Starts, stops, lock-outs and TEST mode: when they act, are stored and survive."""

from dataclasses import replace

import pytest
from cabinet_bench import CONFIG, RUN_TICKS, STORED_TICKS, Bench, at_rest, found, running

from controller.core import image
from controller.core.base import standby
from controller.run import operator_commands as oc, sign_request
from controller.run.run_request import RunRequest
from controller.store import keeper, two_copies
from controller.store.stored_record import AWAKE, Record
from safety import latches, signals as s

PERSON, TESTED = (standby.PERSON, ""), (standby.TEST, "")
ANNA = (standby.LOCK_OUT, "anna")
TEST_TICKS = 60_000 // CONFIG.tick_ms
RATED_W = 250_000


def told(bench):
    why, *name = bench.told("rest")
    return bench.told(s.RUN_REQUEST), (why, image.name_of(name))


def ask(bench, what, is_awaited=True):
    if what in ("start", "stop"):
        return bench.cabinet.request_run(what == "start", is_awaited)
    return bench.cabinet.request_lock_out("anna", what == "lock", is_awaited)


def before(what):
    records = {"start": (PERSON,), "unlock": (ANNA, "anna")}
    bench = at_rest(*records[what]) if what in records else running()
    assert bench.is_open() == (what in records)
    return bench


# act: (the last record then, (run request, rest) until it is stored, the same after)
ACTS = {
    "stop": (("", PERSON), (0, PERSON), (0, PERSON)),
    "lock": (("anna", ANNA), (0, ANNA), (0, ANNA)),
    "start": (("", AWAKE), (0, PERSON), (1, AWAKE)),
    "unlock": (("", ANNA), (0, ANNA), (0, ANNA)),
}
EVERY = pytest.mark.parametrize("what", ACTS)


def is_locked(bench):
    name = image.name_of(bench.told("locked_out"))
    assert (name == "") == bench.told(s.LOCK_OUT_OK) and name == bench.cabinet.locked_out
    return name != ""


@EVERY
def test_what_stops_takes_effect_first_and_what_permits_is_stored_first(what):
    stored, waiting, ended = ACTS[what]
    bench = before(what).hold()
    assert ask(bench, what) == 0
    bench.tick()
    assert bench.state == ("stopping" if what in ("stop", "lock") else bench.state)
    assert bench.told("is_ending") == [0]
    for _ in range(3):
        assert bench.people == stored and told(bench) == waiting and bench.answers == []
        assert is_locked(bench) == (what in ("lock", "unlock"))
        bench.tick(RUN_TICKS)
    assert bench.is_open() and (what != "lock" or bench.is_kept_open())
    bench.release().tick(2)
    assert bench.answers == [oc.ACCEPTED] and bench.people == stored and told(bench) == ended
    assert is_locked(bench) == (what == "lock")
    bench.tick(20)
    assert bench.state == ("running" if what == "start" else bench.state)
    assert bench.is_open() == (what != "start"), "taking a lock away is no start"


@EVERY
@pytest.mark.parametrize("how", ["late", "failed", "failed unawaited"])
def test_what_the_store_does_not_take_is_void_or_in_effect_and_said_so(what, how):
    """A void command is taken back: the keeper tries its last record until the disk takes it."""
    bench = before(what)
    old = bench.people
    ask(bench.hold(), what, "un" not in how)
    bench.tick()
    assert bench.people == ACTS[what][0]
    bench.keeper.ok = how == "late"
    bench.tick(STORED_TICKS - 1 if how == "late" else 0)
    assert bench.answers == []
    bench.tick(2)
    is_void = what in ("start", "unlock")
    answers = [oc.NOT_STORED if is_void else oc.UNSTORED]
    assert bench.answers == ([] if "un" in how else answers)
    assert bench.people == (old if is_void else ACTS[what][0]) and told(bench) == ACTS[what][1]
    count = len(bench.keeper.records)
    bench.release().tick(RUN_TICKS)
    assert len(bench.keeper.records) == count and bench.is_open() and told(bench) == ACTS[what][1]
    assert is_locked(bench) == (what in ("lock", "unlock"))
    bench.keeper.ok = True
    if is_void:
        ask(bench, what)
        assert bench.tick(20).answers[-1] == oc.ACCEPTED, "the next one is judged anew"


@EVERY
def test_a_restart_finds_what_was_stored(what):
    bench = before(what)
    ask(bench, what)
    again = Bench(found(two_copies.CLEAN, rest=bench.tick().people[1], locked_out=bench.people[0]))
    again.tick(RUN_TICKS)
    assert (told(again), is_locked(again)) == (ACTS[what][2], what == "lock")
    assert again.state == {"start": "running", "lock": "inhibited"}.get(what, "ready")
    again.trip()
    assert again.people == ACTS[what][0], "whatever else is stored meanwhile"


@pytest.mark.parametrize("what", ["stop", "start"])
def test_what_is_so_already_is_answered_and_not_stored_anew(what):
    """Otherwise a runaway script would write the store all the time."""
    bench = running() if what == "start" else at_rest(PERSON)
    count = len(bench.keeper.records)
    for _ in range(10):
        ask(bench, what)
        bench.tick()
    assert bench.answers == [oc.ACCEPTED] * 10 and len(bench.keeper.records) == count


def test_starts_and_stops_in_one_tick_are_one_record():
    bench = running()
    count = len(bench.keeper.records)
    for is_run in (0, 1, 0, 1, 0):
        bench.cabinet.request_run(is_run, False)
    assert len(bench.tick().keeper.records) == count + 1
    assert bench.stored == Record(armed=1, clean=0, rest=PERSON)


@pytest.mark.parametrize(
    "asked, overruling", [("start", "stop"), ("start", "lock"), ("unlock", "lock")]
)
@pytest.mark.parametrize("keeper_ok", [True, False])
def test_what_stops_overrules_what_is_not_stored_yet(asked, overruling, keeper_ok):
    bench, people = before(asked).hold(), ACTS[overruling][0]
    ask(bench, asked)
    bench.tick(3)
    for _ in range(2 if overruling == "stop" else 1):
        assert ask(bench, overruling, False) == 0
    bench.tick(2)
    assert bench.answers == [oc.OVERRULED] and bench.people == people
    bench.keeper.ok = keeper_ok
    bench.release().tick(20)
    assert bench.answers == [oc.OVERRULED] and bench.people == people and bench.is_open()
    assert is_locked(bench) == (overruling == "lock")


def test_a_row_overrules_a_start_that_is_not_stored_yet():
    bench = before("start").hold()
    ask(bench, "start")
    bench.tick(3).field.wrong[s.ESTOP_1_OK] = 0
    assert bench.tick(3).people == ("", (standby.ROW, "")) and bench.answers == [oc.OVERRULED]


def test_a_lock_out_that_nobody_awaits_is_no_answer_to_the_reset_that_waits():
    bench = running().trip().clear().hold().reset()
    ask(bench, "lock", False)
    bench.tick()
    assert is_locked(bench) and bench.answers == []
    bench.release(1).tick()
    assert bench.answers == [latches.DONE], "the record of the lock-out is the next one"
    bench.release().tick(10)
    assert bench.answers == [latches.DONE] and bench.people == ("anna", ANNA)


def test_only_who_locked_out_ends_it_or_anybody_with_the_key_out():
    lock_out = at_rest(ANNA, "anna").cabinet.request_lock_out
    refused = [lock_out(*each) for each in (("bert", 0), ("bert", 1), ("anna", 1))]
    assert refused == [oc.OTHERS_LOCK, oc.LOCKED, oc.LOCKED]
    bench = at_rest(ANNA, "anna").key(0)
    assert bench.cabinet.request_run(1) == bench.cabinet.request_test() == oc.STAYS_LOCKED
    assert bench.cabinet.request_lock_out("bert", False) == 0
    assert not is_locked(bench.tick(2))
    assert bench.cabinet.request_lock_out("bert", False) == oc.NOT_LOCKED
    assert bench.cabinet.request_test() == oc.ACCEPTED
    slow = at_rest(ANNA, "anna").hold()
    assert [ask(slow, "unlock"), ask(slow, "unlock")] == [0, 0], "it is locked until that is stored"
    unknown = Bench(found(two_copies.CLEAN, locked_out="anna"))
    assert unknown.cabinet.request_lock_out("bert", False) == oc.OTHERS_LOCK, "no key is known"


def test_sigterm_is_reported_every_tick_and_is_nobodys_stop():
    bench = running()
    assert bench.told("is_ending") == [0]
    bench.cabinet.end()
    bench.tick(RUN_TICKS)
    assert bench.state == "ready" and told(bench) == (0, AWAKE) and bench.people == ("", AWAKE)
    assert [bench.tick().told("is_ending") for _ in range(2)] == [[1], [1]]
    bench.cabinet.request_run(1)
    assert bench.tick(20).state == "ready", "nothing takes that back"
    bench.cabinet.request_run(0)
    assert bench.tick().people == ("", PERSON), "but a stop is stored"


def test_who_asks_waits_longer_than_the_store_may_take():
    """The loop hears of it a few ticks later; channel B is not asked by a start."""
    assert oc.ANSWER_S * 1000 >= oc.STORED_MS + 1000
    assert keeper.HANG_US <= oc.STORED_MS * 1000


def test_whatever_it_rests_after_it_is_not_asked_to_run():
    """The codes are those of every earlier store and journal."""
    codes = [PERSON[0], TESTED[0], ANNA[0], standby.UNKNOWN, standby.ROW]
    assert [*codes, standby.RESTART, standby.STORE, standby.SIGN] == [1, 2, 3, 4, 5, 6, 7, 8]
    for why in range(1, 9):
        assert not RunRequest((why, "")).is_asked and RunRequest(AWAKE).is_asked


@pytest.mark.parametrize("is_alone", [False, True])
@pytest.mark.parametrize("state", [two_copies.CLEAN, two_copies.KILLED])
def test_a_restart_closes_by_itself_only_where_the_analysis_says_so(is_alone, state):
    """A crash: not before the reset of row 44c either."""
    hma = {**CONFIG.hma, "restart_alone": is_alone}
    settings = replace(CONFIG, topology=replace(CONFIG.topology, hma=hma))
    bench = Bench(found(state), settings).tick(RUN_TICKS)
    rest = AWAKE if is_alone else (standby.RESTART, "")
    assert told(bench) == (is_alone, rest)
    runs = is_alone and state == two_copies.CLEAN
    assert (bench.state == "running") == runs and bench.is_open() != runs


def fail_the_store(bench):
    bench.keeper.ok = False
    bench.tick(RUN_TICKS)
    assert bench.is_open()
    bench.keeper.ok = True
    return bench.tick(RUN_TICKS)


def test_a_store_that_fails_again_and_again_waits_for_a_person():
    """Three starts by itself in an hour, so that a disk does not wear the contactors."""
    bench = Bench().tick(RUN_TICKS)
    for _ in range(3):
        assert fail_the_store(bench).state == "running"
    assert told(fail_the_store(bench)) == (False, (standby.STORE, "")) and bench.is_open()
    assert bench.people[1] == (standby.STORE, "") and fail_the_store(bench).is_open()
    ask(bench, "start")
    assert bench.tick(RUN_TICKS).state == "running"


def test_a_start_after_a_failure_of_the_store_comes_back_each_20_min():
    request = RunRequest(AWAKE)

    def fail(pause_ms):
        request.note_store(False, 0)
        request.note_store(True, pause_ms)
        return request.is_asked

    assert all([fail(1_200_000) for _ in range(9)])
    assert [fail(0), fail(0), fail(1_199_999), fail(0)] == [True, True, True, False]
    assert request.rest.chosen == (standby.STORE, "")


def test_a_store_that_fails_in_standby_changes_no_reason():
    request = RunRequest(PERSON)
    for _ in range(9):
        request.note_store(False, 1)
        request.note_store(True, 1)
    assert request.rest.chosen == PERSON


def under_test():
    bench = Bench().tick().key(0)
    assert bench.state == "inhibited" and bench.standing == ["47a"]
    assert bench.cabinet.request_test() == oc.ACCEPTED
    return bench


def in_test():
    bench = under_test()
    bench.field.wrong.clear()
    assert "closing" in (states := watched(bench, RUN_TICKS, 1)) and states[-1] == "running"
    assert told(bench) == (1, TESTED) and bench.people == ("", TESTED)
    return bench


def watched(bench, ticks, elapsed=10):
    states = []
    for _ in range(-(-ticks // elapsed)):
        states.append(bench.tick(elapsed=elapsed).state)
        if bench.out[s.CONTACTOR_SUPPLY_OK]:
            assert bench.told(s.TEST_REQUEST) == 1 and max(power_W(bench)) <= RATED_W // 20
    return states


def power_W(bench):
    places = s.CHARGE_W_MAX, s.DISCHARGE_W_MAX
    return [bench.out[bench.layout.unit_output(0, at)] for at in places]


def is_over(bench):
    return bench.told(s.TEST_REQUEST) == bench.told(s.RUN_REQUEST) == 0 and bench.is_open()


def test_a_test_needs_the_key_out_closes_when_it_is_back_and_runs_with_a_twentieth():
    bench = running()
    assert bench.cabinet.request_test() == oc.KEY_IN_RUN
    assert bench.tick(5).told(s.TEST_REQUEST) == 0 and bench.state == "running"
    bench.key(0).kernel.features.ages.seen[s.G_IO_1] = 0
    assert bench.cabinet.request_test() == oc.KEY_IN_RUN
    bench = under_test()
    assert set(watched(bench, 50)) == {"inhibited"}, "the key is still out"
    bench.field.wrong.clear()
    watched(bench, 1500)  # until the limits have come back to what they may be
    assert bench.state == "running" and power_W(bench) == [RATED_W // 20] * 2


@pytest.mark.parametrize("elapsed", [7, 10])
def test_after_its_minute_it_opens_and_rests_until_somebody_asks(elapsed):
    bench = under_test()
    bench.field.wrong.clear()
    assert watched(bench, TEST_TICKS - elapsed, elapsed)[-1] == "running"
    states = watched(bench, 70, 1)
    assert states[0] in ("running", "stopping") and states[-1] == "ready"
    assert is_over(bench) and set(watched(bench, 100)) == {"ready"}
    assert told(bench) == (0, TESTED)
    bench.cabinet.request_run(1)
    bench.tick(200, elapsed=10)
    assert bench.state == "running" and min(power_W(bench)) > RATED_W // 20
    assert bench.people == ("", AWAKE)


def test_a_key_that_stays_out_lets_the_test_pass_by():
    bench = under_test()
    assert set(watched(bench, TEST_TICKS)) == {"inhibited"} and bench.told(s.TEST_REQUEST) == 1
    bench.tick(2).field.wrong.clear()
    assert set(watched(bench, RUN_TICKS, 1)) == {"ready"} and is_over(bench)


def test_a_second_request_is_refused_until_the_kernel_was_told_of_the_end():
    """The kernel counts one minute from the first request, and anew only after its end."""
    bench = under_test()
    assert bench.cabinet.request_test() == oc.IN_TEST
    watched(bench, TEST_TICKS)
    bench.tick()
    assert bench.told(s.TEST_REQUEST) == 1 and bench.cabinet.request_test() == oc.IN_TEST
    bench.tick()
    assert bench.told(s.TEST_REQUEST) == 0 and bench.cabinet.request_test() == oc.ACCEPTED
    bench.field.wrong.clear()
    assert "running" in watched(bench, RUN_TICKS, 1), "a minute of its own"


@pytest.mark.parametrize("stop", ["key", "estop", "stop", "lock"])
def test_every_row_and_every_stop_acts_in_a_test_and_no_start_is_taken(stop):
    bench, people = in_test(), ACTS[stop][0] if stop in ACTS else ("", TESTED)
    assert bench.cabinet.request_run(1) == oc.IN_TEST
    if stop in ("stop", "lock"):
        ask(bench, stop)
    else:
        bench.field.wrong[s.KEY_RUN_OK if stop == "key" else s.ESTOP_1_OK] = 0
    assert watched(bench, 60, 1)[-1] in ("inhibited", "ready", "tripped") and bench.is_open()
    assert {"estop": "1a", "key": "47a"}.get(stop) in [*bench.standing, None]
    refusal = oc.STAYS_LOCKED if stop == "lock" else oc.IN_TEST
    assert bench.cabinet.request_run(1) == refusal
    watched(bench, TEST_TICKS)
    bench.tick()
    assert is_over(bench) and bench.people == people
    after = {"lock": oc.STAYS_LOCKED, "estop": oc.RESET_FIRST, "key": oc.RESET_FIRST}
    assert bench.cabinet.request_run(1) == after.get(stop, 0)


def test_what_is_tested_rests_after_a_restart_in_the_middle_of_it():
    again = Bench(found(two_copies.CLEAN, rest=in_test().people[1])).tick(RUN_TICKS)
    assert again.state == "ready" and told(again) == (0, TESTED)


def test_contactors_that_are_still_closed_stay_in_the_test():
    """The current does not reach zero at its end: the limit holds for the longest stop."""
    bench = in_test()
    watched(bench, TEST_TICKS - RUN_TICKS)
    for rack in range(3):
        bench.field.wrong[bench.layout.rack_input(rack, s.RACK_CURRENT_MA)] = 60_000
    bench.field.wrong[bench.layout.unit_input(0, s.PCS_DC_CURRENT_MA)] = 180_000
    assert set(watched(bench, 200)) <= {"running", "stopping"} and bench.told(s.TEST_REQUEST) == 1
    watched(bench, 250)
    bench.tick()
    assert is_over(bench)


def test_a_start_waits_for_the_sign_test_and_nothing_else_does():
    bench = at_rest(PERSON)
    sign = bench.cabinet.request_sign
    given = (1, 1), (0, 1), (2, 1), (1, 4), (1, -1)
    assert [sign(*each) for each in given] == [100, 101, 101, 101, 101]
    assert bench.cabinet.request_run(1) == oc.SIGN_HELD and bench.cabinet.request_run(0) == 0
    bench.tick()
    assert list(bench.told("sign_held")) == [1] and bench.is_open()
    assert in_test().cabinet.request_sign(1, 1) == oc.ACCEPTED, "TEST mode goes on"
    assert sign(1, 0) == oc.ACCEPTED and bench.cabinet.request_run(1) == 0
    bench.tick(RUN_TICKS)
    assert list(bench.told("sign_held")) == [0] and bench.state == "running"


def test_a_cabinet_that_runs_goes_on():
    bench = running()
    bench.cabinet.request_sign(1, 1)
    assert bench.tick(100).state == "running"


def fails_and_is_saved(bench):
    """One start by itself is allowed after a failure of the store."""
    bench.keeper.ok = False
    bench.tick(RUN_TICKS)
    bench.keeper.ok = True


def is_reset_after(act):
    def after(bench):
        act(bench)
        bench.clear().reset()

    return after


def is_restarted(bench):
    return Bench(found(two_copies.KILLED, signs=bench.stored.signs)).clear().reset()


ENTRIES = {
    "start": lambda bench: ask(bench, "start"),
    "remote reset": is_reset_after(lambda bench: bench.trip()),
    "store is saved again": fails_and_is_saved,
    "crash": is_restarted,
    "orderly restart": lambda bench: Bench(found(two_copies.CLEAN, signs=bench.stored.signs)),
}


@pytest.mark.parametrize("how", [sign_request.DUE, sign_request.FAILED])
@pytest.mark.parametrize("entry", ENTRIES)
def test_each_entry_into_running_waits_for_the_sign_test(entry, how):
    """Each of them runs if there is no hold."""
    for is_held in (0, how):
        bench = at_rest(PERSON) if entry == "start" else running()
        bench.cabinet.request_sign(1, is_held)
        bench.tick()
        bench = ENTRIES[entry](bench) or bench
        bench = (at_rest(PERSON) if bench == oc.SIGN_HELD else bench).tick(RUN_TICKS + 20)
        assert (bench.state == "running") == bench.told(s.RUN_REQUEST) == (not is_held)
    assert bench.people[1] == (PERSON if entry == "start" else (standby.SIGN, ""))
    bench.cabinet.request_sign(1, sign_request.OVER)
    assert bench.tick(RUN_TICKS).is_open(), "a person starts it after the test"
    ask(bench, "start")
    assert bench.tick(RUN_TICKS).state == "running"


def test_a_start_that_waits_for_the_store_and_a_closing_end_with_a_hold():
    bench = at_rest(PERSON).hold()
    ask(bench, "start")
    bench.tick().cabinet.request_sign(1, sign_request.FAILED)
    bench.tick().release()
    assert bench.tick(RUN_TICKS).is_open() and bench.answers == [oc.OVERRULED]
    bench = Bench().tick(2)
    while bench.state != "closing":
        bench.tick()
    bench.cabinet.request_sign(1, sign_request.DUE)
    assert bench.tick(RUN_TICKS).is_open()


def test_a_hold_is_stored_and_only_a_passed_test_ends_a_failed_one():
    bench = running()
    sign = bench.cabinet.request_sign
    assert sign(1, sign_request.DUE) == oc.ACCEPTED == sign(1, sign_request.ACCEPT)
    assert bench.tick().stored.signs == {"1": sign_request.DUE}
    assert sign(1, sign_request.FAILED) == oc.ACCEPTED == sign(1, sign_request.DUE)
    assert sign(1, sign_request.ACCEPT) == oc.SIGN_HELD
    assert bench.tick().stored.signs == {"1": sign_request.FAILED} and bench.state == "running"
    assert Bench(found(two_copies.ARMED, signs=bench.stored.signs)).cabinet.sign_held == {1}
    assert sign(1, sign_request.OVER) == oc.ACCEPTED and bench.tick().stored.signs == {}


@pytest.mark.parametrize("name", ["9", "0", "-1", "x", "1.5"])
def test_the_store_keeps_the_hold_of_a_unit_that_is_not_configured(name):
    """It holds no other unit, and it holds the unit when it comes back."""
    bench = Bench(found(two_copies.CLEAN, signs={name: sign_request.FAILED}))
    assert bench.cabinet.sign_held == set() and bench.tick().stored.signs == {name: 2}


def test_no_start_is_sent_to_a_converter_whose_sign_test_is_due():
    bench = running()
    (unit,) = bench.field.pcs
    assert not unit.is_sign_due
    bench.cabinet.request_sign(1, sign_request.DUE)
    bench.tick()
    assert unit.is_sign_due
    bench = in_test()
    bench.cabinet.request_sign(1, sign_request.DUE)
    bench.tick()
    assert not bench.field.pcs[0].is_sign_due, "the test needs it"


@pytest.mark.parametrize("rest", [AWAKE, PERSON])
def test_the_store_says_clean_only_if_nothing_closes_by_itself(rest):
    """Otherwise a lock-out that the disk did not take would be gone after a power cut."""
    bench = (running() if rest == AWAKE else at_rest(rest)).trip().tick(RUN_TICKS)
    assert bench.is_open() and bench.stored.clean == (rest != AWAKE) and not bench.stored.armed
    bench.cabinet.end()
    assert bench.tick(3).stored.clean == 1 and bench.people[1] == rest
