"""The cabinet: what a start takes over, and the order in which things take effect and are
stored.
"""

import itertools
from array import array

import pytest
from site_files import SiteFiles

from controller.core import image
from controller.record import journal_header, store, stored_record
from controller.record.stored_record import Record
from controller.run import cabinet as cabinets
from controller.run import operator_commands, record_feed, run_request
from controller.site import config
from controller.sites import EXAMPLE
from safety import latches, matrix
from safety import signals as s
from safety.evidence import INHIBIT_REASONS

CONFIG = config.load(EXAMPLE)
NAMES = journal_header.stage_instances(CONFIG.layout())
TICK_US = 20_000
CLEAR_TICKS = 260  # a cause must have been gone for 5 s
RATED = {
    "rack_voltage_mV": 790_000,
    "cell_voltage_mV_min": 3290,
    "cell_voltage_mV_max": 3300,
    "soc_permille": 550,
    "soh_permille": 990,
    "charge_current_mA_max": 140_000,
    "discharge_current_mA_max": 140_000,
    "cells_online": 240,
    "insulation_kohm": 2000,
    "gas_1_calibration_d": 100,
    "gas_2_calibration_d": 100,
    "offgas_1_calibration_d": 100,
    "offgas_2_calibration_d": 100,
    "toxic_calibration_d": 100,
    "air_temperature_ddegC": 250,
    "humidity_permille": 400,
    "ups_reserve_min": 180,
}


class Keeper:
    """Takes records; acknowledges the first `durable` of them (all, unless a test says
    otherwise).
    """

    def __init__(self, log, durable=1 << 30):
        self.log, self.durable = log, durable
        self.ok, self.line = True, ""
        self.records = []

    def submit(self, record):
        self.records.append(stored_record.on_disk(record))
        self.log.append("stored")
        return len(self.records)

    def poll(self):
        return min(len(self.records), self.durable)


class Field:
    """Stands in for ports and devices: everything is well, contactors and permits do what they are
    told.
    """

    def __init__(self, image, log):
        self.image, self.log, self.layout = image, log, image.layout
        self.out = array("i", [0] * self.layout.outputs)
        self.wrong = {}  # input index -> value
        self.ticks = 0
        self.cabinet = array(
            image.inp.typecode,
            [
                1 if name.endswith("_ok") else RATED.get(name, 0)
                for name, *_ in s.CABINET_INPUTS[: s.RUN_REQUEST]
            ],
        )
        self.rack = array(
            image.inp.typecode,
            [RATED.get(name, 0) for name, *_ in s.RACK_INPUTS] + [250] * self.layout.modules,
        )

    def read(self, now_us):
        image, layout = self.image, self.layout
        self.ticks += 1
        image.inp[: s.RUN_REQUEST] = self.cabinet
        image.inp[s.GRID_RAW_HASH] = image.inp[s.LOAD_RAW_HASH] = self.ticks
        image.inp[s.PERMIT_1_CLOSED] = self.out[s.PCS_ENABLE_OK]
        image.inp[s.PERMIT_2_CLOSED] = self.out[s.CONTACTOR_SUPPLY_OK]
        for unit in range(layout.units):
            image.inp[layout.unit_input(unit, s.PCS_DC_VOLTAGE_MV)] = RATED["rack_voltage_mV"]
        for rack in range(layout.racks):
            first = layout.rack_input(rack, 0)
            image.inp[first : first + len(self.rack)] = self.rack
            closed = self.out[layout.rack_output(rack, s.CONTACTOR_CLOSE_OK)]
            image.inp[first + s.CONTACTOR_STATE] = (
                s.CONTACTOR_CLOSED if closed else s.CONTACTOR_OPEN
            )
        for at, value in self.wrong.items():
            image.inp[at] = value
        image.fresh[:] = b"\1" * len(image.fresh)

    def write(self, inp, out, setpoints_W, now_us):
        self.out[:] = out[: self.layout.outputs]
        self.log.append("written")


class Bench:
    """A cabinet on a stand-in field and keeper, ticked by hand."""

    def __init__(self, loaded=None, durable=1 << 30, settings=CONFIG, journal=None):
        self.log, self.now_us = [], 0
        loaded = loaded or found(store.CLEAN)
        if isinstance(loaded.record, dict):
            loaded.record = stored_record.in_memory(loaded.record)
        self.keeper = Keeper(self.log, durable)
        self.cabinet = cabinets.Cabinet(settings, loaded, self.keeper, journal)
        self.field = self.cabinet.field = Field(self.cabinet.image, self.log)
        self.answers = []

    def tick(self, count=1):
        for _ in range(count):
            self.now_us += TICK_US
            self.cabinet.tick(self.now_us, 1)
            if self.cabinet.answer:
                self.answers.append(self.cabinet.answer)
        return self

    @property
    def out(self):
        return self.cabinet.core.kernel.out

    @property
    def state(self):
        return s.STATES[self.out[s.STATE]]

    @property
    def standing(self):
        evaluator = self.cabinet.core.kernel.evaluator
        return [NAMES[at] for at in range(evaluator.count) if evaluator.standing(at)]

    @property
    def stored(self):
        """The last record, the name of the cabinet taken out of its values: that one stands in all
        of them.
        """
        record = self.keeper.records[-1]
        assert record["values"][stored_record.CABINET + self.cabinet.config.names[-1][1]] == 1
        return {
            **record,
            "values": {
                name: value
                for name, value in record["values"].items()
                if not name.startswith(stored_record.CABINET)
            },
        }

    def reset(self, kind=matrix.REMOTE):
        self.cabinet.request_reset(
            kind, self.out[s.FIRST_OUT_INSTANCE], self.out[s.CAUSE_MASK], *image.PEER_EMPTY
        )
        return self.tick()

    def trip(self, rack=0):
        """Row 29 of a rack: a cell at 3.7 V for 2 s; then well again until a reset may clear it."""
        at = self.cabinet.core.layout.rack_input(rack, s.CELL_VOLTAGE_MV_MAX)
        self.field.wrong[at] = 3700
        self.tick(110)
        assert f"29.rack{rack + 1}" in self.standing
        del self.field.wrong[at]
        return self


def found(state, **changes):
    """What store.load gives; changes: fields of the record, no record for a missing or unreadable
    store.
    """
    record = (
        None
        if state in (store.MISSING, store.UNREADABLE)
        else {**stored_record.on_disk(Record()), **changes}
    )
    return store.Loaded(state, record, 1, [])


# -- what a start takes over


@pytest.mark.parametrize(
    "loaded, standing",
    [
        (found(store.CLEAN), []),
        (found(store.ARMED), ["44c"]),
        (found(store.UNREADABLE), ["44d"]),
        (found(store.MISSING), ["44d"]),
        (found(store.CLEAN, latches={"29.rack2": 1}), ["29.rack2"]),
        (found(store.ARMED, latches={"29.rack2": 1, "1a": 1}), ["1a", "44c", "29.rack2"]),
        (found(store.CLEAN, latches={"29.rack9": 1}), ["44d"]),
        (found(store.CLEAN, latches={"a row of another version": 1, "1a": 1}), ["1a", "44d"]),
    ],
)
def test_a_start_takes_over_what_the_store_holds(loaded, standing):
    bench = Bench(loaded).tick()
    assert bench.standing == standing
    assert sorted(bench.stored["latches"]) == sorted(standing)
    assert sorted(bench.stored["latches"].values()) == [*range(1, len(standing) + 1)]
    assert (
        max(bench.stored["latches"], key=bench.stored["latches"].get, default=None)
        == (standing or [None])[0]
    )
    bench.tick(200)
    assert bench.state == ("inhibited" if standing else "running")


@pytest.mark.parametrize("order", [*itertools.permutations(("1a", "2", "29.rack2"))])
def test_in_which_order_stages_latched_survives_a_restart(order):
    """Whoever comes after a power cut reads what began it, not the lowest row of what followed."""
    bench = Bench(
        found(store.ARMED, latches={name: 3 - place for place, name in enumerate(order)})
    ).tick()
    assert bench.standing == ["1a", "2", "44c", "29.rack2"]
    index = NAMES.index(order[0])
    out, stages = bench.cabinet.core.kernel.out, bench.cabinet.core.kernel.evaluator.stage
    assert (out[s.FIRST_OUT_INSTANCE], out[s.FIRST_OUT]) == (index, stages[index])
    assert bench.stored["latches"] == {
        name: 4 - place for place, name in enumerate((*order, "44c"))
    }


def test_a_latch_of_a_row_that_is_no_longer_armed_asks_for_the_key_instead(tmp_path):
    settings = (
        SiteFiles(tmp_path)
        .append("site", '[not_fitted]\nsuppression = "N. N., 2026-01-01: test"')
        .load()
    )
    bench = Bench(found(store.CLEAN, latches={"3": 1}), settings=settings).tick()
    assert bench.standing == ["44d"]
    bench.tick(CLEAR_TICKS)
    bench.field.wrong[s.KEY_RUN_OK] = 0
    bench.tick(2).reset(matrix.KEY)
    assert bench.answers == [latches.DONE] and bench.standing == ["47"]
    bench.field.wrong.clear()
    assert bench.tick().standing == []


@pytest.mark.parametrize(
    "ages_ms, left",
    [([], 3), ([0], 2), ([0, 3_599_900], 1), ([3_600_000], 3), ([1, 2, 3], 0), ([1, 2, 3, 4], 0)],
)
def test_spent_tokens_stay_spent(ages_ms, left):
    bench = Bench(found(store.CLEAN, token_ages_ms=ages_ms)).tick()
    assert bench.out[s.RESETS_LEFT] == left


def test_a_token_comes_back_after_an_hour_of_running_only():
    bench = Bench(found(store.CLEAN, token_ages_ms=[3_600_000 - 60])).tick(2)
    assert bench.out[s.RESETS_LEFT] == 2
    bench.tick()
    assert bench.out[s.RESETS_LEFT] == 3
    assert bench.stored["token_ages_ms"] == []


# -- ARMED before anything closes


@pytest.mark.parametrize(
    "loaded, asked",
    [
        (found(store.UNREADABLE), 0),
        (found(store.MISSING), 0),
        (found(store.CLEAN), 1),
        (found(store.ARMED), 1),
        (store.Loaded(store.UNREADABLE, stored_record.on_disk(Record()), 1, []), 0),
    ],
)
def test_where_no_store_says_whether_it_was_stopped_it_rests(loaded, asked):
    """A lock-out that cannot be read any more is ended by a person's start, not by the reset of row
    44d.

    Nor one that the store could not take, or that stands in the store of the cabinet this box came
    from.
    """
    bench = Bench(loaded).tick(3)
    assert bench.cabinet.core.inp[s.RUN_REQUEST] == asked
    assert bench.stored["values"] == ({} if asked else {"stopped.": run_request.UNKNOWN})


@pytest.mark.parametrize(
    "values, kept",
    [
        ({}, {"stopped.": run_request.UNKNOWN}),
        ({"stopped.": run_request.PERSON}, {"stopped.": run_request.PERSON}),
        ({"locked_out.bob": 1}, {"locked_out.bob": 1, "stopped.bob": run_request.LOCK_OUT}),
    ],
)
def test_after_a_store_that_lacks_something_the_key_reset_is_no_start(values, kept):
    bench = Bench(
        store.Loaded(store.UNREADABLE, {**stored_record.on_disk(Record()), "values": values}, 1, [])
    ).tick(CLEAR_TICKS)
    bench.field.wrong[s.KEY_RUN_OK] = 0
    bench.tick(2).reset(matrix.KEY)
    bench.field.wrong.clear()
    bench.tick(RUN_TICKS)
    assert (
        bench.answers == [latches.DONE]
        and bench.standing == []
        and not bench.out[s.CONTACTOR_SUPPLY_OK]
    )
    assert bench.stored["values"] == kept, "why it rests is said as well as it is known"


@pytest.mark.parametrize("elapsed", [1, 7])
def test_the_store_is_tried_every_ten_minutes_also_while_nothing_changes(monkeypatch, elapsed):
    """A disk that takes nothing is to be known before a latch needs it: what runs is stopped,
    nothing starts.
    """
    assert record_feed.KEEP_MS == 600_000
    monkeypatch.setattr(record_feed, "KEEP_MS", 20_000)
    bench = Bench(found(store.CLEAN)).tick(300)
    before, ticks = len(bench.keeper.records), record_feed.KEEP_MS // CONFIG.tick_ms
    saved = []
    for _ in range(2 * ticks // elapsed + 2):
        bench.now_us += TICK_US * elapsed
        bench.cabinet.tick(bench.now_us, elapsed)
        saved.append(len(bench.keeper.records) - before)
    assert saved[-1] in (2, 3) and saved.count(1) == -(-ticks // elapsed), (
        "the first one counts from the start's last"
    )
    assert bench.keeper.records[-1] == bench.keeper.records[before - 1]


@pytest.mark.parametrize("broken", ["never acknowledges", "dead", "dead after two records"])
def test_nothing_closes_until_armed_is_stored(broken):
    bench = Bench(durable=1 if "two" in broken else 0)
    bench.keeper.ok = broken == "never acknowledges"
    for _ in range(500):
        bench.tick()
        assert not bench.out[s.CONTACTOR_SUPPLY_OK] and not bench.out[s.PCS_ENABLE_OK]
        assert not any(
            bench.out[bench.field.layout.rack_output(rack, s.CONTACTOR_CLOSE_OK)]
            for rack in range(3)
        )
    # Without a store that works nothing is even asked for: a latch could be lost.
    assert bench.state == "ready" and bench.stored["armed"] == (1 if bench.keeper.ok else 0)


def test_it_closes_as_soon_as_armed_is_stored():
    bench = Bench(durable=0).tick(5)
    number = next(at for at, record in enumerate(bench.keeper.records, 1) if record["armed"])
    bench.keeper.durable = number - 1
    assert bench.tick(5).state == "ready"
    bench.keeper.durable = number
    assert bench.tick().state == "closing"


def test_armed_must_be_stored_anew_for_every_closing():
    bench = Bench().tick(100)
    assert bench.state == "running"
    bench.cabinet.request_run(0)
    bench.tick(100)
    assert bench.state == "ready" and bench.stored["armed"] == 0
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(1)
    assert bench.tick(100).state == "ready"
    bench.keeper.durable += 1  # the start itself
    assert bench.tick(100).state == "ready" and bench.stored["armed"] == 1
    bench.keeper.durable += 1
    assert bench.tick(2).state == "closing"


def test_a_controlled_stop_ends_with_clean_stored():
    bench = Bench().tick(100)
    assert (bench.stored["armed"], bench.stored["clean"]) == (1, 0)
    bench.cabinet.request_run(0)
    bench.tick()
    assert bench.state == "stopping" and bench.stored["armed"] == 1
    bench.tick(60)
    assert not bench.out[s.CONTACTOR_SUPPLY_OK]
    assert (bench.stored["armed"], bench.stored["clean"], bench.stored["latches"]) == (0, 1, {})


# -- set: effect first, then stored


def test_a_latch_takes_effect_before_it_is_handed_over_and_in_the_same_tick():
    bench = Bench().tick(100)
    bench.field.wrong[s.ESTOP_1_OK] = 0
    while "1a" not in bench.standing:
        del bench.log[:]
        bench.tick()
    assert bench.log == ["written", "stored"]
    assert bench.field.out[s.PCS_ENABLE_OK] == 0
    assert "1a" in bench.stored["latches"] and bench.stored["armed"] == 1


def test_a_keeper_that_hangs_does_not_hold_up_a_trip():
    bench = Bench().tick(100)
    bench.keeper.durable = 0
    bench.trip()
    assert bench.field.out[s.PCS_ENABLE_OK] == 0


def test_records_are_handed_over_on_changes_only():
    bench = Bench().tick(100)
    count = len(bench.keeper.records)
    bench.tick(500)
    assert len(bench.keeper.records) == count <= 4


# -- clear: stored first, then effect


def test_a_reset_takes_effect_only_when_the_store_has_acknowledged_it():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset()
    assert (bench.stored["latches"], bench.stored["token_ages_ms"]) == ({}, [0])
    bench.tick(50)
    assert bench.standing == ["29.rack1"] and bench.out[s.RESETS_LEFT] == 3 and bench.answers == []
    bench.keeper.durable += 1
    bench.tick()
    assert (
        bench.standing == [] and bench.out[s.RESETS_LEFT] == 2 and bench.answers == [latches.DONE]
    )
    assert (bench.stored["latches"], bench.stored["token_ages_ms"]) == ({}, [0])


def test_a_reset_that_cannot_be_stored_is_void_and_says_so():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset()
    bench.keeper.ok = False
    bench.tick()
    assert (
        bench.answers == [operator_commands.NOT_STORED]
        and bench.standing == ["29.rack1"]
        and bench.out[s.RESETS_LEFT] == 3
    )
    assert bench.stored["latches"] == {"29.rack1": 1} and bench.stored["token_ages_ms"] == []
    bench.reset()
    assert bench.answers == [operator_commands.NOT_STORED] * 2 and bench.standing == ["29.rack1"]


def test_a_reset_that_is_not_stored_while_somebody_waits_for_the_answer_is_void():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset().tick(operator_commands.STORED_MS // CONFIG.tick_ms - 1)
    assert bench.answers == []
    bench.tick()
    assert bench.answers == [operator_commands.NOT_STORED]
    bench.keeper.durable += 100
    bench.tick(10)
    assert bench.standing == ["29.rack1"] and bench.out[s.RESETS_LEFT] == 3
    assert bench.stored["latches"] == {"29.rack1": 1} and bench.stored["token_ages_ms"] == []
    assert bench.reset().answers[1:] == [latches.DONE], "the next one is judged anew"


def test_a_row_that_latches_while_a_reset_waits_voids_it():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset()
    bench.trip(rack=1)
    assert bench.answers == [latches.CHANGED], "at once, whatever the store does"
    assert bench.stored["latches"] == {"29.rack1": 2, "29.rack2": 1}
    bench.keeper.durable = len(bench.keeper.records)
    bench.tick()
    assert bench.answers == [latches.CHANGED] and bench.standing == ["29.rack1", "29.rack2"]
    assert bench.out[s.RESETS_LEFT] == 3
    assert bench.stored["latches"] == {"29.rack1": 2, "29.rack2": 1}
    assert bench.stored["token_ages_ms"] == []


def test_a_record_that_comes_between_carries_the_reset_too_and_is_waited_for():
    bench = Bench(
        found(store.CLEAN, latches={"40b.rack1": 1}, token_ages_ms=[3_600_000 - 6000])
    ).tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset()
    bench.cabinet.core.kernel.latches.token_age[0] = (
        bench.cabinet.core.kernel.latches.hour_ticks - 1
    )
    bench.tick()  # the hour of the first token is over: a change of its own
    assert len(bench.keeper.records) == bench.keeper.durable + 2
    assert bench.stored["latches"] == {}
    bench.keeper.durable += 1
    bench.tick(20)
    assert bench.standing == ["40b.rack1"]
    bench.keeper.durable += 1
    bench.tick()
    assert bench.standing == [] and bench.answers == [latches.DONE]


def test_a_cause_that_returns_while_the_reset_waits_keeps_its_latch_in_the_store():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset()
    at = bench.cabinet.core.layout.rack_input(0, s.CELL_VOLTAGE_MV_MAX)
    bench.field.wrong[at] = 3700
    bench.tick(110)
    bench.keeper.durable = len(bench.keeper.records)
    bench.tick()
    assert bench.answers == [latches.NOT_CLEAR_YET] and bench.standing == ["29.rack1"]
    assert bench.stored["latches"] == {"29.rack1": 1} and bench.stored["token_ages_ms"] == []


def test_a_second_reset_replaces_one_that_waits():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset()
    # of something nobody saw
    bench.cabinet.request_reset(matrix.REMOTE, 0, 12345, *image.PEER_EMPTY)
    bench.tick()
    assert bench.answers == [latches.CHANGED] and bench.standing == ["29.rack1"]
    assert bench.stored["latches"] == {"29.rack1": 1} and bench.stored["token_ages_ms"] == []


@pytest.mark.parametrize(
    "wait_ticks, kind, key, answer",
    [
        (CLEAR_TICKS, matrix.REMOTE, 1, latches.DONE),
        (CLEAR_TICKS - 40, matrix.REMOTE, 1, latches.NOT_CLEAR_YET),
        (CLEAR_TICKS, matrix.KEY, 1, latches.KEY_NEEDED),
        (CLEAR_TICKS, matrix.KEY, 0, latches.DONE),
    ],
)
def test_what_the_kernel_refuses_is_answered_at_once_and_stores_nothing(
    wait_ticks, kind, key, answer
):
    bench = Bench().tick(100).trip().tick(wait_ticks)
    bench.field.wrong[s.KEY_RUN_OK] = key
    bench.tick()
    count = len(bench.keeper.records)
    bench.reset(kind)
    assert bench.answers == [answer]
    if answer != latches.DONE:
        assert [record["latches"] for record in bench.keeper.records[count:]] in (
            [],
            [{"29.rack1": 1}],
        )
    spent = answer == latches.DONE and kind == matrix.REMOTE
    assert bench.out[s.RESETS_LEFT] == (2 if spent else 3)
    assert bench.stored["token_ages_ms"] == ([0] if spent else [])


def test_a_remote_reset_leaves_a_key_latch_in_the_store_and_in_force():
    bench = Bench(found(store.CLEAN, latches={"1a": 1, "29.rack1": 1})).tick(CLEAR_TICKS)
    bench.reset()
    assert bench.answers == [latches.DONE] and bench.standing == ["1a"]
    assert bench.stored["latches"] == {"1a": 1}
    bench.reset()
    assert bench.answers[-1] == latches.KEY_NEEDED
    bench.field.wrong[s.KEY_RUN_OK] = 0
    bench.tick().reset(matrix.KEY)
    assert bench.standing == ["47"] and bench.stored["latches"] == {}
    bench.field.wrong.clear()
    assert bench.tick(200).standing == [] and bench.state == "running"


def test_the_fourth_remote_reset_of_an_hour_waits_even_over_a_restart():
    bench = Bench().tick(100)
    for _ in range(3):
        bench.trip().tick(CLEAR_TICKS).reset()
    assert bench.answers == [latches.DONE] * 3
    bench.trip().tick(CLEAR_TICKS).reset()
    assert bench.answers[-1] == latches.NO_TOKENS
    again = Bench(store.Loaded(store.ARMED, bench.stored, 1, [])).tick(CLEAR_TICKS).reset()
    assert again.answers == [latches.NO_TOKENS] and again.standing == ["44c", "29.rack1"]


def test_a_cut_of_power_at_any_record_never_frees_what_stood():
    """From each record that may be the last durable one: not clean or latched, until the one with
    the reset in it.
    """
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS).reset().tick(5)
    assert bench.answers == [latches.DONE]
    tripped = next(at for at, record in enumerate(bench.keeper.records) if record["latches"])
    assert bench.keeper.records[tripped:] and not bench.stored["latches"]
    for record in bench.keeper.records[2:]:
        again = Bench(
            store.Loaded(store.ARMED if record["armed"] else store.CLEAN, record, 1, [])
        ).tick(200)
        freed = not record["armed"] and not record["latches"]
        assert (again.state == "running") == freed
        assert not freed or record["token_ages_ms"]


# -- the rest of a tick


class Journal:
    """Remembers which frames were keyframes."""

    def __init__(self):
        self.frames = []

    def append(self, sequence, elapsed_ticks, inp, fresh, out, state=None):
        assert sequence == len(self.frames)
        self.frames.append(state is not None)


def test_a_keyframe_every_10_s_and_whenever_other_rows_stand_or_the_state_changes():
    journal = Journal()
    bench = Bench(journal=journal).tick(1001)
    # closing, running
    assert [at for at, key in enumerate(journal.frames) if key] == [0, 1, 13, 500, 1000]
    bench.trip()
    assert sum(journal.frames[1001:]) == 1


def test_the_summary_is_what_the_screen_needs():
    bench = Bench().tick(100)
    reason, state, setpoint_W = bench.cabinet.summary()
    assert (state, setpoint_W) == (s.RUNNING, bench.cabinet.core.setpoints()[0])
    assert reason >= 0


def test_instances_are_named_in_the_kernels_order():
    evaluator = Bench().cabinet.core.kernel.evaluator
    assert len(NAMES) == evaluator.count == len(set(NAMES))
    for at, name in enumerate(NAMES):
        stage, _, scope = name.partition(".")
        assert matrix.STAGES[evaluator.stage[at]][matrix.S_ID] == stage
        assert scope == {0: "", 1: "unit1", 2: "rack1", 3: "rack2", 4: "rack3"}[evaluator.block[at]]


# -- lock-out and lamp test

RUN_TICKS = 300
AWAITED_TICKS = operator_commands.STORED_MS // CONFIG.tick_ms - 10


def running(**options):
    bench = Bench(**options).tick(RUN_TICKS)
    assert bench.state == "running"
    return bench


def who(bench):
    """What the journal says of a lock-out, and what the start of a restarted cabinet would read."""
    core = bench.cabinet.core
    return image.name_of(core.inp[image.places(core.layout)["locked_out"]]), sorted(
        bench.stored["values"]
    )


LOCKED = ["locked_out.anna", "stopped.anna"]


def is_at_rest(bench):
    """Nothing is missing for the start, and nobody asks for it."""
    return (
        bench.state == "ready"
        and not bench.out[s.ARM_REQUEST]
        and not bench.out[s.CONTACTOR_SUPPLY_OK]
    )


def is_kept_open(bench):
    """Inhibited by a lock-out, and nothing prepares a closing."""
    return (
        bench.state == "inhibited"
        and INHIBIT_REASONS[bench.out[s.INHIBIT_REASON]] == "locked out"
        and not bench.out[s.ARM_REQUEST]
        and not bench.out[s.CONTACTOR_SUPPLY_OK]
    )


def test_a_lock_out_stops_at_once_is_stored_and_nothing_starts_until_it_is_ended():
    bench = running()
    assert bench.cabinet.request_lock_out("anna", True) == 0
    bench.tick()
    assert bench.answers == [operator_commands.ACCEPTED] and bench.state == "stopping"
    bench.tick(RUN_TICKS)
    assert is_kept_open(bench) and who(bench) == ("anna", LOCKED)
    assert bench.cabinet.request_run(1) == operator_commands.STAYS_LOCKED
    bench.tick(RUN_TICKS)
    assert is_kept_open(bench)
    assert bench.cabinet.request_lock_out("anna", False) == 0
    bench.tick(RUN_TICKS)
    assert is_at_rest(bench) and who(bench) == ("", ["stopped.anna"]), (
        "taking a lock away is no start"
    )
    assert bench.cabinet.request_run(1) == 0
    bench.tick(RUN_TICKS)
    assert bench.state == "running" and who(bench) == ("", [])
    assert bench.answers == [operator_commands.ACCEPTED] * 3


def test_a_lock_out_takes_effect_before_it_is_stored_and_is_answered_after():
    bench = running()
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_lock_out("anna", True)
    bench.tick(AWAITED_TICKS)
    assert is_kept_open(bench) and bench.answers == []
    bench.keeper.durable += 100
    bench.tick()
    assert bench.answers == [operator_commands.ACCEPTED]


def test_the_end_of_a_lock_out_is_stored_before_it_takes_effect():
    bench = Bench(loaded=found(store.CLEAN, values={"locked_out.anna": 1})).tick(RUN_TICKS)
    assert is_kept_open(bench) and who(bench)[0] == "anna"
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_lock_out("anna", False)
    bench.tick(AWAITED_TICKS)
    assert is_kept_open(bench) and bench.answers == [] and who(bench) == ("anna", ["stopped.anna"])
    bench.keeper.durable += 100
    bench.tick(RUN_TICKS)
    assert is_at_rest(bench) and bench.answers == [operator_commands.ACCEPTED]


@pytest.mark.parametrize("is_locked", [True, False])
def test_a_store_that_fails_leaves_the_cabinet_locked_out_and_says_so(is_locked):
    bench = (
        running()
        if is_locked
        else Bench(loaded=found(store.CLEAN, values={"locked_out.anna": 1})).tick(RUN_TICKS)
    )
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_lock_out("anna", is_locked)
    bench.tick()
    bench.keeper.ok = False
    bench.tick(RUN_TICKS)
    assert bench.answers == [
        operator_commands.UNSTORED if is_locked else operator_commands.NOT_STORED
    ], "in effect, or void"
    assert bench.cabinet.locked_out == "anna" and is_kept_open(bench)


def test_a_lock_out_that_nobody_awaits_is_no_answer_to_the_reset_that_waits():
    bench = Bench().tick(100).trip().tick(CLEAR_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.reset()
    bench.cabinet.request_lock_out("anna", True, is_awaited=False)
    bench.tick()
    assert bench.cabinet.locked_out == "anna" and bench.answers == []
    bench.keeper.durable += 1
    bench.tick()
    assert bench.answers == [latches.DONE], "the reset; the record of the lock-out is the next one"
    bench.keeper.durable += 100
    bench.tick(10)
    assert bench.answers == [latches.DONE] and who(bench) == ("anna", LOCKED)


@pytest.mark.parametrize("keeper_ok", [True, False])
def test_a_lock_out_overrules_the_end_of_one_that_is_not_stored_yet(keeper_ok):
    """It was refused as one too many, and a moment later nothing was locked out any more."""
    bench = Bench(loaded=found(store.CLEAN, values={"locked_out.anna": 1})).tick(RUN_TICKS)
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_lock_out("anna", False)
    bench.tick(3)
    assert bench.cabinet.request_lock_out("bert", True, is_awaited=False) == 0
    bench.tick(3)
    assert bench.cabinet.locked_out == "bert" and is_kept_open(bench)
    bench.keeper.ok = keeper_ok
    bench.keeper.durable += 100 * keeper_ok
    bench.tick(3)
    assert bench.answers == [operator_commands.OVERRULED] and is_kept_open(bench)
    assert who(bench) == ("bert", ["locked_out.bert", "stopped.bert"])


def test_a_start_that_waits_is_overruled_by_a_lock_out():
    bench = Bench(loaded=found(store.CLEAN, values={"stopped.": run_request.PERSON})).tick(
        RUN_TICKS
    )
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_run(1)
    bench.tick()
    bench.cabinet.request_lock_out("anna", True, is_awaited=False)
    bench.tick(3)
    assert bench.answers == [operator_commands.OVERRULED] and is_kept_open(bench)
    bench.keeper.durable += 100
    bench.tick(10)
    assert bench.answers == [operator_commands.OVERRULED] and who(bench) == ("anna", LOCKED)


def test_a_restart_ends_no_lock_out():
    bench = running()
    bench.cabinet.request_lock_out("anna", True)
    bench.tick(RUN_TICKS)
    again = Bench(loaded=found(store.CLEAN, **bench.stored)).tick(RUN_TICKS)
    assert is_kept_open(again) and who(again) == ("anna", LOCKED)
    again.trip()
    assert sorted(again.stored["values"]) == LOCKED, "whatever else is stored meanwhile"


def test_only_who_locked_out_ends_it_or_anybody_with_the_key_out():
    bench = Bench(loaded=found(store.CLEAN, values={"locked_out.anna": 1})).tick(RUN_TICKS)
    assert bench.cabinet.request_lock_out("bert", False) == operator_commands.OTHERS_LOCK
    assert bench.cabinet.request_lock_out("bert", True) == operator_commands.LOCKED
    assert bench.cabinet.request_lock_out("anna", True) == operator_commands.LOCKED
    bench.field.wrong[s.KEY_RUN_OK] = 0
    bench.tick()
    assert bench.cabinet.request_lock_out("bert", False) == 0
    bench.tick()
    assert (
        bench.cabinet.locked_out == ""
        and bench.cabinet.request_lock_out("bert", False) == operator_commands.NOT_LOCKED
    )


def test_a_key_that_is_not_known_ends_no_lock_of_others():
    bench = Bench(loaded=found(store.CLEAN, values={"locked_out.anna": 1}))
    assert bench.cabinet.request_lock_out("bert", False) == operator_commands.OTHERS_LOCK


def test_a_lamp_test_flashes_both_lamps_for_five_seconds_and_nothing_else_changes():
    bench, plain = running(), running()
    bench.cabinet.request_lamp_test()
    lit = []
    for _ in range(300):
        bench.tick()
        plain.tick()
        lit.append(bench.field.out[s.LAMP_ON])
        assert bench.field.out[s.RED_LAMP_ON] == lit[-1]
        rest = [at for at in range(len(plain.field.out)) if at not in (s.LAMP_ON, s.RED_LAMP_ON)]
        assert [bench.field.out[at] for at in rest] == [plain.field.out[at] for at in rest]
    changes = sum(before != after for before, after in zip(lit, lit[1:]))
    assert sum(lit) == 120 and changes == 19 and lit[0] == 1 and not any(lit[250:])


def test_a_lamp_test_takes_no_light_away():
    bench = running().trip()
    assert bench.out[s.LAMP_ON]
    bench.cabinet.request_lamp_test()
    for _ in range(300):
        bench.tick()
        assert bench.field.out[s.LAMP_ON]


@pytest.mark.parametrize("name", ["", "a", "anna", "a" * 16])
def test_names_fit_into_words(name):
    assert image.name_of(image.packed_name(name)) == name
