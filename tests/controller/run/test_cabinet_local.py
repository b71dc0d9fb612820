"""What the controller itself tells the kernel: test mode, operations centre, second channel, tests
of itself.
"""

import pytest
from site_files import SiteFiles
from test_cabinet import CLEAR_TICKS, CONFIG, RUN_TICKS, Bench, found, is_kept_open, running

from controller.core import hint_codes, image
from controller.record import store, stored_record
from controller.run import operator_commands, run_request
from safety import latches, matrix
from safety import signals as s

TEST_TICKS = run_request.TEST_MS // CONFIG.tick_ms
STOP_TICKS = 60  # a controlled stop ends within a second
RATED_W = 250_000
WHO = "N. N., 2026-01-01: test"


def told(bench, signal):
    """What the kernel was told in the last tick."""
    return bench.cabinet.core.inp[signal]


def power_W(bench):
    """(charge_W_max, discharge_W_max) of the one unit."""
    layout = bench.field.layout
    return tuple(bench.out[layout.unit_output(0, at)] for at in (s.CHARGE_W_MAX, s.DISCHARGE_W_MAX))


def test_a_cabinet_that_nobody_asks_anything_of():
    bench = running()
    assert [told(bench, at) for at in (s.ARMED_STORED, s.RUN_REQUEST, s.LOCK_OUT_OK)] == [1, 1, 1]
    assert [
        told(bench, at)
        for at in (
            s.TEST_REQUEST,
            s.NOC_LINK_OK,
            s.NOC_VERIFIED,
            s.PEER_CODE,
            s.SELF_TEST_BITS,
            s.CPU_TEMPERATURE_DDEGC,
        )
    ] == [0] * 6
    bench.keeper.ok = False
    bench.tick()
    assert told(bench, s.RUN_REQUEST) == 0 and bench.state == "stopping"


def test_a_lock_out_is_told_in_the_next_tick():
    bench = running()
    bench.cabinet.request_lock_out("anna", True)
    bench.tick()
    assert told(bench, s.LOCK_OUT_OK) == 0
    assert is_kept_open(bench.tick(RUN_TICKS))


# -- test mode


def keyed(level, bench):
    """Turn the key: 0 out of RUN, 1 back."""
    bench.field.wrong[s.KEY_RUN_OK] = level
    return bench.tick()


def asked():
    """A cabinet at rest, the key out of RUN, that has just been asked for a test."""
    bench = keyed(0, Bench().tick())
    assert bench.state == "inhibited" and bench.standing == ["47"]
    assert bench.cabinet.request_test() == operator_commands.ACCEPTED
    return bench


def watched(bench, ticks, elapsed=1):
    """Tick on and see that nothing is ever closed without the limit of the test; the state after
    each tick.
    """
    states = []
    for _ in range(ticks):
        bench.now_us += 20_000 * elapsed
        bench.cabinet.tick(bench.now_us, elapsed)
        states.append(bench.state)
        if bench.out[s.CONTACTOR_SUPPLY_OK]:
            assert told(bench, s.TEST_REQUEST) == 1 and max(power_W(bench)) <= RATED_W // 20
    return states


def test_no_test_while_the_key_is_in_run():
    bench = running()
    assert bench.cabinet.request_test() == operator_commands.KEY_IN_RUN
    bench.tick(5)
    assert told(bench, s.TEST_REQUEST) == 0 and bench.state == "running"


def test_no_test_while_nobody_knows_where_the_key_is():
    bench = Bench()
    bench.field.wrong[s.KEY_RUN_OK] = 0
    assert bench.cabinet.request_test() == operator_commands.KEY_IN_RUN
    bench.tick(2)
    bench.cabinet.core.kernel.features.ages.seen[s.G_IO_1] = 0
    assert (
        bench.cabinet.request_test() == operator_commands.KEY_IN_RUN
        and told(bench, s.TEST_REQUEST) == 0
    )


def test_a_test_closes_when_the_key_is_back_and_runs_with_a_twentieth():
    bench = asked()
    assert set(watched(bench, 50)) == {"inhibited"}, "the key is still out"
    bench.field.wrong.clear()
    states = watched(bench, RUN_TICKS)
    assert states[-1] == "running" and {"closing", "running"} < set(states)
    watched(bench, 1300)  # until the limits have come back to what they may be
    assert power_W(bench) == (RATED_W // 20, RATED_W // 20)


@pytest.mark.parametrize("elapsed", [1, 3, 7])
def test_after_its_minute_it_opens_and_nothing_runs_until_somebody_asks(elapsed):
    bench = asked()
    bench.field.wrong.clear()
    states = watched(bench, TEST_TICKS // elapsed, elapsed)
    assert states[-1] == "running"
    states = watched(bench, STOP_TICKS, elapsed)
    assert states[0] in ("running", "stopping") and states[-1] == "ready"
    assert told(bench, s.TEST_REQUEST) == told(bench, s.RUN_REQUEST) == 0
    assert set(watched(bench, RUN_TICKS)) == {"ready"} and not bench.out[s.ARM_REQUEST]
    bench.cabinet.request_run(1)
    bench.tick(1300)
    assert bench.state == "running" and min(power_W(bench)) > RATED_W // 20


@pytest.mark.parametrize("again_at", [10, TEST_TICKS - 1])
def test_no_run_request_survives_the_test(again_at):
    """Whoever asks for a run meanwhile, before the key is back or just before the end, gets the
    test and no more.
    """
    bench = asked()
    if again_at > 10:
        bench.field.wrong.clear()
    watched(bench, again_at)
    bench.cabinet.request_run(1)
    watched(bench, TEST_TICKS + STOP_TICKS - again_at)
    bench.field.wrong.clear()
    assert set(watched(bench, RUN_TICKS)) == {"ready"} and told(bench, s.RUN_REQUEST) == 0


def test_a_key_that_stays_out_lets_the_test_pass_by():
    bench = asked()
    assert set(watched(bench, TEST_TICKS)) == {"inhibited"} and told(bench, s.TEST_REQUEST) == 1
    bench.field.wrong.clear()
    assert set(watched(bench, RUN_TICKS)) == {"ready"}
    assert told(bench, s.TEST_REQUEST) == told(bench, s.RUN_REQUEST) == 0


def test_a_second_request_is_refused_until_the_first_is_over():
    """The kernel counts one minute from the first on, and anew only once it has been told of the
    end.
    """
    bench = asked()
    watched(bench, TEST_TICKS - 100)
    assert bench.cabinet.request_test() == operator_commands.IN_TEST
    watched(bench, 101)
    assert (
        told(bench, s.TEST_REQUEST) == 1
        and bench.cabinet.request_test() == operator_commands.IN_TEST
    )
    bench.tick()
    assert (
        told(bench, s.TEST_REQUEST) == 0
        and bench.cabinet.request_test() == operator_commands.ACCEPTED
    )
    bench.field.wrong.clear()
    assert "running" in watched(bench, RUN_TICKS), "a minute of its own"


@pytest.mark.parametrize("stop", ["key", "estop", "stop", "lock-out"])
def test_every_row_and_every_stop_acts_in_a_test(stop):
    bench = asked()
    bench.field.wrong.clear()
    assert watched(bench, RUN_TICKS)[-1] == "running"
    if stop == "stop":
        bench.cabinet.request_run(0)
    elif stop == "lock-out":
        bench.cabinet.request_lock_out("anna", True)
    else:
        bench.field.wrong[s.KEY_RUN_OK if stop == "key" else s.ESTOP_1_OK] = 0
    states = watched(bench, STOP_TICKS)
    assert states[-1] in ("inhibited", "ready", "tripped") and not bench.out[s.CONTACTOR_SUPPLY_OK]
    assert {"estop": "1a", "key": "47"}.get(stop) in [*bench.standing, None]
    watched(bench, TEST_TICKS)
    assert told(bench, s.TEST_REQUEST) == told(bench, s.RUN_REQUEST) == 0


def test_contactors_that_are_still_closed_stay_in_the_test():
    """At its end the current does not go to zero: until the stop's longest time is over the
    twentieth holds.
    """
    bench = asked()
    bench.field.wrong.clear()
    watched(bench, TEST_TICKS)
    for rack in range(3):
        bench.field.wrong[bench.field.layout.rack_input(rack, s.RACK_CURRENT_MA)] = 60_000
    states = watched(bench, 200)
    assert set(states) == {"stopping"} and told(bench, s.TEST_REQUEST) == 1
    watched(bench, 200)
    assert (
        not bench.out[s.CONTACTOR_SUPPLY_OK]
        and told(bench, s.TEST_REQUEST) == told(bench, s.RUN_REQUEST) == 0
    )


# -- the operations centre (row 46)


@pytest.fixture
def centre(tmp_path):
    """Settings whose path to the operations centre is the source site_ems alone."""
    files = SiteFiles(tmp_path).replace(
        "type", '["suppression", "door"]', '["suppression", "door", "supervised"]'
    )
    files.replace("type", "noc_derate =", 'noc_source = "site_ems"\nnoc_derate =')
    settings = files.append("site", f'[not_fitted]\nsupervised = "{WHO}"').load()
    assert settings.sources[settings.noc_source].name == "site_ems" and len(settings.sources) > 1
    return settings


def heartbeat(bench, source_index, valid_s):
    assert (
        bench.cabinet.request_hint(source_index, hint_codes.HEARTBEAT, 0, 0, valid_s * 1000)
        is not None
    )
    return bench.tick(2)  # the table hears it in this tick, the kernel is told in the next


def path(bench):
    return told(bench, s.NOC_LINK_OK), told(bench, s.NOC_VERIFIED)


def test_nothing_starts_before_the_operations_centre_was_heard_for_the_first_time(centre):
    bench = Bench(settings=centre).tick(RUN_TICKS)
    assert bench.state == "inhibited" and bench.standing == ["46c"] and path(bench) == (0, 0)
    assert bench.stored["values"] == {}
    other = next(source.index for source in centre.sources if source.index != centre.noc_source)
    assert path(heartbeat(bench, other, 5)) == (0, 0) and bench.standing == ["46c"]
    heartbeat(bench, centre.noc_source, 5)
    assert path(bench) == (1, 1) and bench.stored["values"] == {stored_record.NOC_VERIFIED: 1}
    assert bench.tick(200).state == "running" and path(bench) == (1, 1)
    bench.tick(100)
    assert path(bench) == (0, 1) and bench.state == "running" and bench.standing == []


def test_that_it_was_heard_is_stored_at_once_also_when_nothing_else_changes(centre):
    bench = keyed(0, Bench(settings=centre).tick())
    count = len(bench.keeper.records)
    heartbeat(bench, centre.noc_source, 5)
    assert bench.standing == ["47"] and len(bench.keeper.records) == count + 1
    assert bench.stored["values"] == {stored_record.NOC_VERIFIED: 1}


def test_a_link_that_is_lost_for_a_quarter_of_an_hour_is_row_46(centre):
    bench = heartbeat(Bench(settings=centre).tick(), centre.noc_source, 5).tick(400)
    bench.cabinet.core.kernel.features.noc_ticks[0] = 901 * 50 - 2
    assert bench.tick().standing == [] and bench.tick().standing == ["46a"]
    assert heartbeat(bench, centre.noc_source, 5).standing == []


@pytest.mark.parametrize("state", [store.CLEAN, store.ARMED])
def test_that_it_was_heard_survives_a_restart(centre, state):
    bench = heartbeat(Bench(settings=centre).tick(), centre.noc_source, 5)
    again = Bench(loaded=found(state, values=bench.stored["values"]), settings=centre).tick()
    assert path(again) == (0, 1) and "46c" not in again.standing
    again.tick(RUN_TICKS)
    assert again.state == ("running" if state == store.CLEAN else "inhibited")
    assert again.stored["values"] == {stored_record.NOC_VERIFIED: 1}


def test_a_lock_out_and_its_end_leave_it_in_the_store(centre):
    bench = heartbeat(Bench(settings=centre).tick(), centre.noc_source, 5)
    bench.cabinet.request_lock_out("anna", True)
    bench.tick()
    rests = {"stopped.anna": run_request.LOCK_OUT}
    assert bench.stored["values"] == {"locked_out.anna": 1, stored_record.NOC_VERIFIED: 1, **rests}
    again = Bench(loaded=found(store.CLEAN, values=bench.stored["values"]), settings=centre).tick()
    assert again.cabinet.locked_out == "anna" and path(again) == (0, 1)
    again.cabinet.request_lock_out("anna", False)
    again.tick()
    assert (
        again.stored["values"] == {stored_record.NOC_VERIFIED: 1, **rests}
        and again.cabinet.locked_out == ""
    )


def test_where_the_panels_path_is_supervised_no_heartbeat_is_taken_for_a_link():
    bench = heartbeat(Bench().tick(), 0, 5)
    assert path(bench) == (0, 0) and bench.stored["values"] == {} and bench.standing == []


# -- second channel (row 51), tests of itself (row 44)


class Peer:
    """Stands in for channel_link.ChannelLink: what a test says stands in the second channel, and
    what it answers.
    """

    def __init__(self):
        self.code, self.standing, self.orders = 0, (-1, 0), []
        self.result = self.at_once = latches.NONE

    def update(self, elapsed_ticks):
        """Nothing comes in."""

    def report(self):
        """Nothing goes out."""

    def causes(self):
        return self.standing

    def order_reset(self, *order):
        self.orders.append(order)
        self.result = self.at_once


def with_peer(bench):
    """The bench and the second channel that it has from now on."""
    bench.cabinet.peer = Peer()
    return bench, bench.cabinet.peer


def test_what_the_second_channel_says_is_passed_on():
    bench, peer = with_peer(running())
    assert bench.tick().state == "running" and told(bench, s.PEER_CODE) == 0
    peer.code = 7
    assert bench.tick().standing == [] and told(bench, s.PEER_CODE) == 7, (
        "its row is not armed in this cabinet"
    )


def test_what_stands_in_the_second_channel_is_told_in_every_tick():
    bench = running()
    at = image.places(bench.cabinet.core.layout)["peer"].start
    assert list(bench.cabinet.core.inp[at : at + 2]) == [-1, 0], "there is none"
    bench, peer = with_peer(bench)
    for causes in ((0, s.INT_MAX), (7, 9), (-1, 0)):
        peer.standing = causes
        assert tuple(bench.tick().cabinet.core.inp[at : at + 2]) == causes


def test_that_the_process_is_told_to_end_is_told_in_every_tick_a_stop_by_a_person_is_not_that():
    bench = running()
    at = image.places(bench.cabinet.core.layout)["is_ending"].start
    bench.cabinet.request_run(False)
    assert told(bench.tick(), at) == 0
    bench.cabinet.end()
    assert [told(bench.tick(), at) for _ in range(3)] == [1, 1, 1]


def asked_of_both(bench, kind=matrix.REMOTE, here=None):
    """Ask for a reset of what stands, or of what somebody has seen `here`; of (7, 9) in the second
    channel.
    """
    seen = here or (bench.out[s.FIRST_OUT_INSTANCE], bench.out[s.CAUSE_MASK])
    bench.cabinet.request_reset(kind, *seen, 7, 9)
    return bench.tick()


def test_a_reset_is_passed_on_for_what_was_seen_and_answered_when_both_have_ended_it():
    bench, peer = with_peer(Bench().tick(100).trip().tick(CLEAR_TICKS))
    peer.standing = (7, 10)
    asked_of_both(bench)
    assert bench.standing == [] and bench.answers == [] and peer.orders == [(matrix.REMOTE, 7, 9)]
    bench.tick(20)
    assert bench.answers == []
    peer.result = latches.CHANGED
    bench.tick()
    assert (bench.answers, bench.cabinet.peer_answer) == ([latches.DONE], latches.CHANGED)
    bench.tick(5)
    assert (bench.answers, bench.cabinet.peer_answer, len(peer.orders)) == (
        [latches.DONE],
        latches.NONE,
        1,
    )


def test_what_the_second_channel_answers_at_once_is_answered_in_the_same_tick():
    bench, peer = with_peer(Bench().tick(100).trip().tick(CLEAR_TICKS))
    peer.at_once = latches.NOTHING
    asked_of_both(bench)
    assert (bench.answers, bench.cabinet.peer_answer) == ([latches.DONE], latches.NOTHING)


def test_the_second_channel_is_asked_when_the_store_holds_the_reset():
    bench, peer = with_peer(Bench().tick(100).trip().tick(CLEAR_TICKS))
    bench.keeper.durable = len(bench.keeper.records)
    asked_of_both(bench).tick(10)
    assert peer.orders == [] and bench.standing == ["29.rack1"]
    bench.keeper.durable += 1
    bench.tick()
    assert len(peer.orders) == 1 and bench.standing == []


@pytest.mark.parametrize(
    "wait_ticks, kind, here, answer, is_passed_on",
    [
        (CLEAR_TICKS, matrix.REMOTE, None, latches.DONE, True),
        (CLEAR_TICKS - 40, matrix.REMOTE, None, latches.NOT_CLEAR_YET, True),
        (CLEAR_TICKS, matrix.REMOTE, (0, 12345), latches.CHANGED, False),
        (CLEAR_TICKS, matrix.KEY, None, latches.KEY_NEEDED, False),
    ],
)
def test_what_is_refused_here_for_what_holds_there_too_is_not_passed_on(
    wait_ticks, kind, here, answer, is_passed_on
):
    bench, peer = with_peer(Bench().tick(100).trip().tick(wait_ticks))
    peer.at_once = latches.DONE
    asked_of_both(bench, kind, here)
    assert bench.answers == [answer] and bool(peer.orders) == is_passed_on
    assert bench.cabinet.peer_answer == (latches.DONE if is_passed_on else latches.NONE)


def test_without_a_reset_left_here_none_is_passed_on():
    spent = found(store.CLEAN, token_ages_ms=[0, 0, 0])
    bench, peer = with_peer(Bench(loaded=spent).tick(100).trip().tick(CLEAR_TICKS))
    assert asked_of_both(bench).answers == [latches.NO_TOKENS] and peer.orders == []


def test_a_reset_that_the_store_does_not_take_is_not_passed_on():
    bench, peer = with_peer(Bench().tick(100).trip().tick(CLEAR_TICKS))
    bench.keeper.durable = len(bench.keeper.records)
    asked_of_both(bench)
    bench.keeper.ok = False
    bench.tick(5)
    assert bench.answers == [operator_commands.NOT_STORED] and peer.orders == []


def test_the_second_channel_alone_can_be_reset():
    bench, peer = with_peer(running())
    peer.at_once = latches.DONE
    asked_of_both(bench)
    assert (bench.answers, bench.cabinet.peer_answer) == ([latches.NOTHING], latches.DONE)
    assert bench.stored["token_ages_ms"] == [], "which costs no reset here"


def test_a_new_reset_is_not_answered_with_what_became_of_the_last_one():
    bench, peer = with_peer(running())
    asked_of_both(bench)
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_reset(matrix.REMOTE, 0, 12345, 7, 9)
    peer.result = latches.DONE
    bench.tick(3)
    assert bench.answers == [latches.CHANGED]


class SelfTest:
    """Stands in for self_test.SelfTest: counts its slices."""

    def __init__(self):
        self.steps = self.bits = 0
        self.cpu_temperature_ddegC = 611

    def step(self):
        self.steps += 1


@pytest.mark.parametrize(
    "change, stage, ticks", [({"bits": 2}, "44e", 1), ({"cpu_temperature_ddegC": 1101}, "44f", 25)]
)
def test_what_a_test_of_itself_finds_is_row_44(change, stage, ticks):
    bench, tested = Bench(), SelfTest()
    bench.cabinet.self_test = tested
    assert bench.tick(RUN_TICKS).state == "running" and tested.steps == RUN_TICKS, (
        "one slice in every tick"
    )
    assert (told(bench, s.SELF_TEST_BITS), told(bench, s.CPU_TEMPERATURE_DDEGC)) == (0, 611)
    vars(tested).update(change)
    assert bench.tick(ticks - 1).standing == [] and bench.tick().standing == [stage]
    assert (told(bench, s.SELF_TEST_BITS), told(bench, s.CPU_TEMPERATURE_DDEGC)) == (
        change.get("bits", 0),
        change.get("cpu_temperature_ddegC", 611),
    )
    assert bench.state == "tripped" and bench.stored["latches"] == {stage: 1}
    assert next(row for row in matrix.STAGES if row[matrix.S_ID] == stage)[matrix.S_ROW] == 44


@pytest.mark.parametrize(
    "state, verified", [(store.ARMED, 1), (store.CLEAN, 1), (store.UNREADABLE, 0)]
)
def test_what_two_unlike_stores_leave_keeps_the_lock_and_verifies_no_operations_centre(
    state, verified
):
    """A lock-out and a latch of either copy hold; that the centre was heard may be said of another
    cabinet.
    """
    record = {
        **stored_record.on_disk(stored_record.Record()),
        "values": {stored_record.LOCKED_OUT + "eve": 1, stored_record.NOC_VERIFIED: 1},
        "latches": {"12a": 1},
    }
    bench = Bench(store.Loaded(state, record, 1, [])).tick(3)
    assert bench.cabinet.locked_out == "eve" and told(bench, s.NOC_VERIFIED) == verified
    assert "12a" in bench.standing and ("44d" in bench.standing) == (state == store.UNREADABLE)
