"""The dispatcher beside stand-ins of cabinets: shares follow the load, and never exceed the
connection, whatever the broker does.
"""

from fleet_world import World
from hypothesis import given as for_all, settings, strategies as st

from controller.core.base import hint_codes as h
from controller.dispatch.member import LENT_ON
from controller.dispatch.report import report_of
from controller.hints import wire as w
from hil.fleet import jobs
from hil.fleet.broker import Faults
from tests.tables import cases

LOADS_W = 2000, 300, 300


def test_a_share_follows_the_load():
    world = World().run(90, LOADS_W)
    assert world.limits_W[0] >= 2000 and min(world.limits_W) >= 300
    world.run(10, LOADS_W[::-1])
    assert world.limits_W[2] >= 2000


def test_it_waits_until_every_earlier_hint_has_run_out():
    world = World().run(60, LOADS_W)
    assert world.limits_W == [200, 200, 200]


def test_shares_are_renewed_for_ever():
    world = World(faults=Faults(0.05, 0.05, 50)).run(90, LOADS_W)
    for _ in range(600):
        world.run(1)
        assert world.limits_W[0] >= 2000


def test_shares_end_with_the_dispatcher():
    world = World().run(90, LOADS_W)
    world.dispatcher = None
    world.run(64)
    assert world.limits_W == [200, 200, 200]


def test_a_restarted_dispatcher_takes_the_shares_over():
    world = World().run(90, LOADS_W)
    world.start()
    world.run(90)
    assert world.limits_W[0] >= 2000


def test_a_restarted_cabinet_gets_its_share_again():
    world = World().run(90, LOADS_W)
    world.boxes[0].boot(world.now_ms)
    world.run(1)
    assert world.limits_W[0] == 200
    world.run(25)
    assert world.limits_W[0] >= 2000


def test_an_earlier_dispatcher_ends_when_a_later_one_has_fenced_two_cabinets():
    world = World().run(90, LOADS_W)
    earlier = world.dispatcher
    world.start(is_taken=True)
    world.run(5)
    world.dispatcher = earlier
    for _ in range(300):
        world.run(1)
        if earlier.deposed:
            break
    assert earlier.deposed.startswith("c0, c1")


def test_a_cabinet_without_its_disconnection_counts_again():
    world = World().run(90, LOADS_W)
    world.silent.add("c2")
    world.run(70)
    world.start(is_taken=True, without=["c2"])
    world.run(90)
    assert world.limits_W[0] >= 2000 and not world.awaited
    world.broker.cut.add("c2")  # it reports, and takes no hints
    world.dispatcher.hear_report("c2", report_of(world.boxes[2].report(0)), world.now_us)
    assert world.awaited == ["c2"]
    world.run(70)
    assert world.limits_W == [200, 200, 200]


def test_after_a_take_over_nothing_is_lent_before_each_cabinet_has_answered():
    world = World().run(90, LOADS_W)
    world.silent.add("c2")
    world.start(is_taken=True)
    world.run(200)
    assert world.limits_W == [200, 200, 200] and world.awaited == ["c2"]
    assert world.dispatcher.problems() == [("c2", LENT_ON)]
    world.silent.clear()
    world.run(30)
    assert world.limits_W[0] >= 2000 and not world.awaited


def test_a_silent_cabinet_counts_with_its_load():
    world = World().run(90, LOADS_W)
    world.silent.add("c0")
    world.run(120)
    assert sum(world.limits_W[1:]) <= 1000


def test_a_message_of_a_megabyte_is_no_report():
    world = World()
    world.dispatcher.hear_report("c0", report_of(b"1" * 1_000_000), 0)
    assert world.dispatcher.counts["wrong_report"] == 1


def test_a_foreign_cabinet_and_a_foreign_answer_are_counted():
    world = World().run(5, LOADS_W)
    before = world.dispatcher.counts["foreign_answer"]
    world.dispatcher.hear_answer("c9", b"", 0)
    world.dispatcher.hear_answer("c0", b"x" * 116, 0)
    assert world.dispatcher.counts["foreign_answer"] == before + 2


def answer(world, sequence, **fields):
    """A genuine answer of cabinet 0 to a sequence."""
    reply = w.Reply(
        *("fleet", b"n" * 8, sequence, 99_000, h.GRANTED, h.HEARTBEAT, h.IMPORT_W_MAX, 0, 200, 0),
        *(200, 0, 0, 0, 0, 0, 0),
    )
    return w.reply_bytes(reply._replace(**fields), world.fleet.cabinets[0].key)


def answer_of(world, at, **fields):
    """A genuine answer of a cabinet to a heartbeat."""
    sequence = world.dispatcher.ledger.next_sequence()
    world.dispatcher.members[at].exchange.heartbeat(sequence, world.now_us)
    found = w.reply_of(answer(world, sequence, **fields))
    return w.reply_bytes(found, world.fleet.cabinets[at].key)


def asked(world):
    """The sequence of a heartbeat to cabinet 0."""
    member = world.dispatcher.members[0]
    sequence = world.dispatcher.ledger.next_sequence()
    member.exchange.heartbeat(sequence, world.now_us)
    return sequence


@cases("""
    fields                                    problem
    {"fallback_W": w.NOTHING_W}               "lacks fallback_import_W_max"
    {"code": h.CHARGING_ONLY}                 "lacks the role grid_cap"
    {"code": h.ROLE}                          "lacks the role grid_cap"
    {"fallback_W": 900}                       "fallback_import_W_max is 900 W, and FLEET.toml says"
""")
def test_a_cabinet_that_cannot_keep_a_share_gets_none(fields, problem):
    world = World().run(2, LOADS_W)
    world.dispatcher.hear_answer("c0", answer(world, asked(world), **fields), world.now_us)
    assert problem in world.dispatcher.members[0].problem
    world.silent = {"c0"}  # its real answers would mend it
    world.broker.cut.add("c0")
    world.run(90)
    assert world.limits_W[0] == 200


def test_a_fallback_above_that_of_the_file_counts():
    """The others get only what is left beside it."""
    world = World()
    world.boxes[1].fallback_W = 1500
    world.run(120, LOADS_W)
    assert world.limits_W[1] == 1500 and world.limits_W[0] <= 1300


@cases("""
    fields
    {"fallback_W": w.NOTHING_W}
    {"code": h.CHARGING_ONLY}
""")
def test_a_cabinet_without_a_bound_leaves_nothing_to_lend(fields):
    world = World().run(2, LOADS_W)
    world.dispatcher.hear_answer("c0", answer(world, asked(world), **fields), world.now_us)
    ledger = world.dispatcher.ledger
    assert ledger.hold_W(0, world.now_us + 99_000_000) == ledger.most_W(0) == 2600


def test_two_boxes_of_one_name_get_no_share():
    world = World().run(90, LOADS_W)
    for nonce in (b"1" * 8, b"2" * 8, b"1" * 8):
        world.dispatcher.hear_answer("c1", answer_of(world, 1, nonce=nonce), world.now_us)
    assert world.dispatcher.problems() == [("c1", "two boxes answer with its name and key")]


def test_an_overtaken_answer_of_an_earlier_start_names_no_second_box():
    world = World().run(90, LOADS_W)
    first, second = asked(world), asked(world)
    world.dispatcher.hear_answer("c0", answer(world, second, nonce=b"2" * 8), world.now_us)
    world.dispatcher.hear_answer("c0", answer(world, first, nonce=b"1" * 8), world.now_us)
    world.dispatcher.hear_answer("c0", answer(world, asked(world), nonce=b"2" * 8), world.now_us)
    assert world.dispatcher.problems() == []


def test_a_granted_heartbeat_does_not_hide_a_role_that_is_too_low():
    world = World().run(2, LOADS_W)
    for code in (h.CHARGING_ONLY, h.GRANTED):
        world.dispatcher.hear_answer("c0", answer(world, asked(world), code=code), world.now_us)
    ledger = world.dispatcher.ledger
    assert "lacks the role grid_cap" in world.dispatcher.members[0].problem
    assert ledger.hold_W(0, world.now_us + 99_000_000) == ledger.most_W(0)


def test_no_value_is_sent_before_the_cabinet_has_stored_the_epoch():
    world = World().run(2, LOADS_W)
    world.start()
    member = world.dispatcher.members[0]
    sequence = asked(world)
    unstored = answer(world, sequence, code=h.EPOCH_UNSTORED)
    world.dispatcher.hear_answer("c0", unstored, world.now_us)
    assert member.exchange.is_known and not member.exchange.is_fenced
    assert not world.dispatcher.ledger.shares[0].is_heard


def test_a_sequence_that_somebody_else_has_used_deposes():
    """One cabinet alone may be wrong: it gets no share, and the others keep theirs."""
    world = World().run(90, LOADS_W)
    wrong = answer_of(world, 0, asked_W=77)
    world.dispatcher.hear_answer("c0", wrong, world.now_us)
    later = "it takes the hints of a later dispatcher"
    assert world.dispatcher.problems() == [("c0", later)] and not world.dispatcher.deposed
    world.run(30)
    assert world.dispatcher.problems() == [("c0", later)] and world.limits_W[1] > 200
    world.dispatcher.hear_answer("c1", answer_of(world, 1, asked_W=77), world.now_us)
    assert world.dispatcher.deposed == "c0, c1"


def test_an_answer_that_was_never_asked_for_changes_nothing():
    world = World().run(2, LOADS_W)
    known = world.dispatcher.ledger.shares[0].answered
    world.dispatcher.hear_answer("c0", answer(world, 99 << 32 | 1), world.now_us)
    assert world.dispatcher.ledger.shares[0].answered == known


def test_answers_of_an_overtaken_hint_depose_nobody():
    world = World().run(5, LOADS_W)
    for _ in range(5):
        first, _ = asked(world), asked(world)
        world.dispatcher.hear_answer("c0", answer(world, first, code=h.OLD_SEQUENCE), world.now_us)
    assert not world.dispatcher.deposed


EVENTS = st.sampled_from(["load", "boot", "restart", "kill", "cut", "join", "down", "silent"])


@settings(max_examples=30)
@for_all(
    st.lists(st.tuples(EVENTS, st.integers(0, 2), st.integers(1, 70)), max_size=8),
    st.floats(0, 0.3),
    st.floats(0, 0.3),
    st.sampled_from([20.0, 300.0, 3000.0]),
    st.integers(0, 99),
)
def test_the_connection_keeps(events, lost, doubled, delay_ms, seed):
    world = World(faults=Faults(lost, doubled, delay_ms), seed=seed).run(70, LOADS_W)
    for what, at, for_s in events:
        name = world.boxes[at].name
        if what == "load":
            world.boxes[at].load_W = for_s * 40
        elif what == "boot":
            world.boxes[at].boot(world.now_ms)
        elif what == "restart":
            world.start()
        elif what == "kill":
            world.dispatcher = None
        elif what == "cut":
            world.broker.cut.add(name)
        elif what == "join":
            world.broker.cut.clear()
            world.silent.clear()
        elif what == "down":
            world.broker.until_ms = world.now_ms + for_s * 1000
        else:
            world.silent.add(name)
        world.run(for_s)


def test_eight_cabinets_among_which_jobs_move():
    found = jobs.played(1, 0.25, Faults())
    assert found.short_permille < 15 < 250 < found.fixed_permille and found.above_W <= 0
