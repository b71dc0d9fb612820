"""The cabinet: the state a start takes over, the order in which it acts and stores."""

import itertools

import pytest
from cabinet_bench import CONFIG, NAMES, TICK_US, Bench, found, running
from site_files import SiteFiles

from controller.core import image
from controller.core.base import standby
from controller.run import record_feed
from controller.store import two_copies
from controller.store.stored_record import AWAKE, Record
from safety import latches, matrix, signals as s
from tests.tables import cases

UNKNOWN = (standby.UNKNOWN, "")


@cases("""
    loaded                                                                standing
    found(two_copies.CLEAN)                                                    []
    found(two_copies.ARMED)                                                    ["44c"]
    found(two_copies.UNREADABLE)                                               ["44d", "58"]
    found(two_copies.MISSING)  ["44d", "58"]
    found(two_copies.CLEAN, approved=b"")  ["58"]
    found(two_copies.CLEAN, latches={"29.rack2": 1})  ["29.rack2"]
    found(two_copies.ARMED, latches={"29.rack2": 1, "1a": 1})  ["1a", "44c", "29.rack2"]
    found(two_copies.CLEAN, latches={"29.rack9": 1})  ["44d"]
    found(two_copies.CLEAN, latches={"a row of another version": 1, "1a": 1})  ["1a", "44d"]
""")
def test_a_start_takes_over_what_the_store_holds(loaded, standing):
    bench = Bench(loaded).tick()
    assert bench.standing == standing
    stored, latched = bench.stored.latches, [name for name in standing if name != "58"]
    assert sorted(stored) == sorted(latched)
    assert sorted(stored.values()) == [*range(1, len(latched) + 1)]
    assert max(stored, key=stored.get, default=None) == (latched or [None])[0]
    assert bench.tick(20).state == ("inhibited" if standing else "running")


@pytest.mark.parametrize("order", [*itertools.permutations(("1a", "2", "29.rack2"))])
def test_in_which_order_stages_latched_survives_a_restart(order):
    """The first-out after a power cut is what began it, not the lowest row of what followed."""
    latched = {name: 3 - place for place, name in enumerate(order)}
    bench = Bench(found(two_copies.ARMED, latches=latched)).tick()
    assert bench.standing == ["1a", "2", "44c", "29.rack2"]
    index, stages = NAMES.index(order[0]), bench.kernel.evaluator.stage
    assert (bench.out[s.FIRST_OUT_INSTANCE], bench.out[s.FIRST_OUT]) == (index, stages[index])
    assert bench.stored.latches == {name: 4 - at for at, name in enumerate((*order, "44c"))}


def test_a_latch_of_a_row_that_is_no_longer_armed_asks_for_the_key_instead(tmp_path):
    settings = SiteFiles(tmp_path).without(["suppression"]).load()
    bench = Bench(found(two_copies.CLEAN, latches={"3": 1}), settings=settings).tick()
    assert bench.standing == ["44d"]
    bench.key(0).clear().reset(matrix.KEY)
    assert bench.answers == [latches.DONE] and bench.standing == ["47a"]
    assert bench.key(1).standing == []


@pytest.mark.parametrize(
    "ages_ms, left",
    [([], 3), ([0], 2), ([0, 3_599_900], 1), ([3_600_000], 3), ([1, 2, 3], 0), ([1, 2, 3, 4], 0)],
)
def test_spent_tokens_stay_spent(ages_ms, left):
    assert Bench(found(two_copies.CLEAN, token_ages_ms=ages_ms)).tick().out[s.RESETS_LEFT] == left


def test_a_token_comes_back_after_an_hour_of_running_only():
    bench = Bench(found(two_copies.CLEAN, token_ages_ms=[3_600_000 - 60]))
    assert [bench.tick().out[s.RESETS_LEFT] for _ in range(3)][1:] == [2, 3]
    assert bench.stored.token_ages_ms == []


@cases("""
    state             fields                                  rest
    two_copies.UNREADABLE  {}                                      UNKNOWN
    two_copies.MISSING     {}                                      UNKNOWN
    two_copies.CLEAN       {}                                      AWAKE
    two_copies.KILLED      {}                                      AWAKE
    two_copies.ARMED       {}                                      UNKNOWN
    two_copies.WAITING     {}                                      UNKNOWN
    two_copies.UNREADABLE  {"armed": 0}                            UNKNOWN
    two_copies.UNREADABLE  {"rest": (standby.PERSON, "")}      (standby.PERSON, "")
    two_copies.UNREADABLE  {"locked_out": "bob"}                   (standby.LOCK_OUT, "bob")
    two_copies.CLEAN       {"locked_out": "bob"}                   (standby.LOCK_OUT, "bob")
    two_copies.CLEAN       {"locked_out": "bob", "rest": (1, "")}  (standby.PERSON, "")
""")
def test_where_no_store_says_whether_it_was_stopped_it_rests(state, fields, rest):
    """A person's start ends a lock-out that cannot be read; the reset of row 44d does not."""
    bench = Bench(found(state, **fields)).tick()
    locked_out = fields.get("locked_out", "")
    assert bench.cabinet.locked_out == locked_out and bench.people == (locked_out, rest)
    assert bench.told(s.RUN_REQUEST) == (rest == AWAKE)
    if state == two_copies.UNREADABLE:
        bench.key(0).clear().reset(matrix.KEY).key(1)
        assert bench.answers == [latches.DONE] and bench.standing == ([] if fields else ["58"])
        assert bench.tick(20).is_open() and bench.people == (locked_out, rest)


@pytest.mark.parametrize(
    "state, verified", [(two_copies.ARMED, 1), (two_copies.CLEAN, 1), (two_copies.UNREADABLE, 0)]
)
def test_two_unlike_stores_keep_the_lock_and_verify_no_operations_centre(state, verified):
    """The stored contact with the centre may be that of another cabinet."""
    loaded = found(state, locked_out="eve", noc_verified=1, latches={"12a": 1})
    bench = Bench(loaded).tick(3)
    assert bench.cabinet.locked_out == "eve" and bench.told(s.NOC_VERIFIED) == verified
    assert "12a" in bench.standing and ("44d" in bench.standing) == (state == two_copies.UNREADABLE)


@pytest.mark.parametrize("durable, is_ok", [(0, True), (0, False), (1, False)])
def test_nothing_closes_until_armed_is_stored(durable, is_ok):
    bench = Bench()
    bench.keeper.durable, bench.keeper.ok = durable, is_ok
    closing = [bench.layout.rack_output(rack, s.CONTACTOR_CLOSE_OK) for rack in range(3)]
    for _ in range(100):
        bench.tick()
        assert bench.is_open() or bench.state == "ready" and bench.out[s.ARM_REQUEST]
        assert not bench.out[s.PCS_ENABLE_OK] and not any([bench.out[at] for at in closing])
    # Without a working store nothing is even asked for: a latch could be lost.
    assert bench.state == "ready" and bench.stored.armed == is_ok


def test_armed_is_stored_anew_for_every_closing_and_clean_after_the_stop():
    bench = Bench().hold().tick(5)
    number = next(at for at, record in enumerate(bench.keeper.records, 1) if record.armed)
    bench.keeper.durable = number - 1
    assert bench.tick(5).state == "ready"
    assert bench.release(1).tick().state == "closing"
    assert bench.release().tick(40).state == "running"
    assert (bench.stored.armed, bench.stored.clean) == (1, 0)
    bench.cabinet.request_run(0)
    bench.tick()
    assert bench.state == "stopping" and bench.stored.armed == 1
    bench.tick(60)
    assert bench.is_open() and bench.stored == Record(rest=(standby.PERSON, ""))
    bench.hold().cabinet.request_run(1)
    assert bench.tick(20).state == "ready"
    assert bench.release(1).tick(20).state == "ready", "the start itself"
    assert bench.stored.armed == 1 and bench.release(1).tick(2).state == "closing"


def test_a_later_record_that_is_not_stored_stops_nothing():
    bench = running().hold()
    bench.kernel.latches.token_age[0] = 0  # a change of what must survive
    assert len(bench.tick(5).keeper.records) == bench.keeper.durable + 1
    assert bench.told(s.ARMED_STORED) == 1 and bench.state == "running"


def test_a_latch_takes_effect_before_it_is_handed_over_and_in_the_same_tick():
    bench = running().hold()
    bench.field.wrong[s.ESTOP_1_OK] = 0
    while "1a" not in bench.standing:
        del bench.log[:]
        bench.tick()
    assert bench.log == ["written", "stored"], "and a keeper that hangs does not hold it up"
    assert bench.field.out[s.PCS_ENABLE_OK] == 0
    assert "1a" in bench.stored.latches and bench.stored.armed == 1


@pytest.mark.parametrize("elapsed", [1, 7])
def test_records_are_handed_over_on_changes_and_every_ten_minutes(monkeypatch, elapsed):
    """A disk that takes nothing must be known before a latch needs it."""
    assert record_feed.KEEP_MS == 600_000
    monkeypatch.setattr(record_feed, "KEEP_MS", 4000)
    bench = running()
    before, ticks = len(bench.keeper.records), record_feed.KEEP_MS // CONFIG.tick_ms
    assert before <= 4
    saved = []
    for _ in range(2 * ticks // elapsed + 2):
        bench.tick(elapsed=elapsed)
        saved.append(len(bench.keeper.records) - before)
    assert saved[-1] in (2, 3) and saved.count(1) == -(-ticks // elapsed)
    assert bench.keeper.records[-1] == bench.keeper.records[before - 1]


class Journal:
    def __init__(self):
        self.frames, self.elapsed = [], []

    def append(self, sequence, elapsed_ticks, inp, fresh, out, state=None):
        assert sequence == len(self.frames)
        self.elapsed.append(elapsed_ticks)
        self.frames.append(state is not None)


def test_a_keyframe_every_10_s_and_whenever_causes_or_the_state_change():
    journal = Journal()
    bench = Bench(journal=journal).tick(501)
    # closing, running
    assert [at for at, key in enumerate(journal.frames) if key] == [0, 1, 15, 500]
    bench.trip()
    assert sum(journal.frames[501:]) == 1
    assert journal.elapsed == [1] * 501 + [10] * 11


def test_the_summary_is_what_the_screen_needs():
    bench = running()
    reason, *rest = bench.cabinet.summary()
    assert rest == [s.RUNNING, *bench.cabinet.core.setpoints()] and reason >= 0
    for name in ("", "a", "anna", "a" * 16):
        assert image.name_of(image.packed_name(name)) == name


def test_instances_are_named_in_the_kernels_order():
    evaluator, scopes = Bench().kernel.evaluator, ("", "unit1", "rack1", "rack2", "rack3")
    assert len(NAMES) == evaluator.count == len(set(NAMES))
    for at, name in enumerate(NAMES):
        stage, _, scope = name.partition(".")
        assert matrix.STAGES[evaluator.stage[at]][matrix.S_ID] == stage
        assert scope == scopes[evaluator.block[at]]


def test_a_lamp_test_flashes_both_lamps_for_five_seconds_and_nothing_else_changes():
    bench, plain, lit = running(), running(), []
    bench.cabinet.request_lamp_test()
    for _ in range(260):
        out, expected = bench.tick().field.out, plain.tick().field.out[:]
        lit.append(out[s.LAMP_ON])
        expected[s.LAMP_ON] = expected[s.RED_LAMP_ON] = lit[-1]
        assert out == expected
    changes = sum(before != after for before, after in zip(lit, lit[1:]))
    assert sum(lit) == 120 and changes == 19 and lit[0] == 1 and not any(lit[250:])
    bench.cabinet.request_lamp_test()
    bench.tick(20, elapsed=10)  # skipped ticks count as time
    assert bench.told("lamp_test") == [5000 - 20 * 10 * TICK_US // 1000]


def test_a_lamp_test_takes_no_light_away():
    bench = running().trip()
    bench.cabinet.request_lamp_test()
    assert bench.out[s.LAMP_ON] and all(bench.tick().field.out[s.LAMP_ON] for _ in range(60))


def test_an_epoch_is_stored_before_it_counts_and_kept_over_a_restart():
    bench, names = Bench(found(two_copies.CLEAN)), ["fleet.0badcafe"]
    cabinet, keeper = bench.cabinet, bench.cabinet.keeper
    keeper.durable = len(keeper.records)
    assert not cabinet.keep_epoch(names, 7)
    assert keeper.records[-1].epochs == {"fleet.0badcafe": 7}
    keeper.durable += 1
    assert cabinet.keep_epoch(names, 7)
    restarted = Bench(found(two_copies.CLEAN, epochs=keeper.records[-1].epochs)).cabinet
    assert restarted.epochs == {"fleet.0badcafe": 7} and restarted.keep_epoch(names, 7)
    assert Bench(found(two_copies.UNREADABLE, epochs={names[0]: 7})).cabinet.epochs == {}


def test_the_epoch_of_a_key_that_has_gone_is_not_kept():
    cabinet = Bench(found(two_copies.CLEAN, epochs={"fleet.1": 7, "other.1": 8})).cabinet
    cabinet.keep_epoch(["fleet.2", "fleet.1"], 1)
    assert cabinet.epochs == {"fleet.1": 7, "fleet.2": 1, "other.1": 8}
    cabinet.keep_epoch(["fleet.2"], 2)
    assert cabinet.epochs == {"fleet.2": 2, "other.1": 8}
