"""The store: a power cut at every step leaves the record before or the new one, and damage is never
called clean.
"""

import os
from dataclasses import replace

import pytest
from power_loss import Disk, cuts, disk_with, found_on, save_after_load

from controller.record import store as st
from controller.record.stored_record import Record, StoreError, decode, encode


def record(armed=0, clean=1, **latches):
    return Record(armed, clean, latches)


OLD = record(1, 0, row_1=1)
NEW = record(1, 0, row_1=1, row_29=1)


def test_a_cut_at_any_step_leaves_the_old_record_or_the_new_one():
    seen = set()
    for disk, finished in cuts(lambda: disk_with(OLD), lambda disk: save_after_load(disk, NEW)):
        loaded = found_on(disk)
        assert loaded.record in ((NEW,) if finished else (OLD, NEW))
        assert (loaded.state, loaded.lines) == (st.ARMED, [])
        seen.add(str(loaded.record))
        later = record(0, 1)
        save_after_load(disk, later)
        assert found_on(disk.restart("lost", "lost")).record == later
    assert seen == {str(OLD), str(NEW)}


def test_a_cut_during_the_first_save_is_never_clean_unless_it_was_saved():
    states = set()
    for disk, finished in cuts(Disk, lambda disk: save_after_load(disk, record())):
        loaded = found_on(disk)
        states.add(loaded.state)
        assert loaded.state == st.CLEAN if finished else loaded.state != st.UNREADABLE
        assert loaded.record == (None if loaded.state == st.MISSING else record())
    assert states == {st.MISSING, st.ARMED, st.CLEAN}


def test_contactors_that_may_be_closed_are_never_found_clean():
    """ARMED is saved, contactors close, contactors open, CLEAN is saved; nothing but MISSING or
    ARMED in between.
    """
    may_be_closed = []

    def run(disk):
        store = st.Store("d", disk)
        store.load()
        may_be_closed[:] = [False]
        store.save(record(1, 0))
        may_be_closed[:] = [True]
        disk._count()  # the run itself
        may_be_closed[:] = [False]
        store.save(record(0, 1))

    found = {True: set(), False: set()}
    for disk, _ in cuts(lambda: disk_with(record()), run):
        found[may_be_closed[0]].add(found_on(disk).state)
    assert found == {True: {st.ARMED}, False: {st.ARMED, st.CLEAN}}


def test_a_reset_is_never_given_back_and_a_latch_never_lost():
    """Latch: effect, then save. Reset: save with the token spent, then effect. `live` is what the
    kernel had.
    """
    live = []
    latched = record(1, 0, row_12=1)
    spent = replace(record(1, 0), token_ages_ms=[0])

    def run(disk):
        store = st.Store("d", disk)
        store.load()
        live[:] = ["latched"]
        store.save(latched)
        live[:] = ["latched and saved"]
        store.save(spent)
        live[:] = ["reset"]

    for disk, _ in cuts(lambda: disk_with(record(1, 0)), run):
        found = found_on(disk)
        assert found.state == st.ARMED
        if live[0] == "reset":
            assert found.record == spent
        if live[0] == "latched and saved":
            assert found.record in (latched, spent)


@pytest.mark.parametrize("error_at", range(20))
def test_a_full_disk_is_an_error_and_costs_no_record(error_at):
    disk = disk_with(OLD)
    disk.error_at = error_at
    store = st.Store("d", disk)
    store.load()
    try:
        store.save(NEW)
        assert error_at >= disk.operations
    except StoreError as error:
        assert str(error) == "d: the store could not be saved: No space left on device"
    assert disk.descriptors == {}
    found = found_on(disk.restart("lost", "lost"))
    finished = error_at >= disk.operations
    assert found.record in ((NEW,) if finished else (OLD, NEW))
    assert found.state == (st.ARMED if finished else st.UNREADABLE)
    disk.error_at = None
    store.save(record())
    assert found_on(disk.restart("lost", "lost")).state == st.CLEAN


def save_in_vain(disk, new):
    disk.is_full = True
    with pytest.raises(StoreError):
        save_after_load(disk, new)


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_a_latch_that_met_a_full_disk_is_known_to_lack_after_a_power_cut(saves):
    """It was stopped cleanly before, so without the latch it would close by itself."""
    disk = disk_with(*[record()] * saves)
    save_in_vain(disk, NEW)
    found = found_on(disk.restart("lost", "lost"))
    assert (found.state, found.record) == (st.UNREADABLE, record())
    save_in_vain(disk, NEW)
    assert found_on(disk.restart("lost", "lost")).record == record(), (
        "and nothing else is lost then"
    )
    disk.is_full = False
    save_after_load(disk, NEW)
    assert found_on(disk.restart("lost", "lost")).record == NEW


def test_a_cut_while_one_copy_is_left_alone_costs_no_record():
    for disk, finished in cuts(
        lambda: disk_with(OLD), lambda disk: [save_in_vain(disk, NEW) for _ in range(9)]
    ):
        found = found_on(disk)
        assert found.record == OLD and found.state in (
            (st.UNREADABLE,) if finished else (st.UNREADABLE, st.ARMED)
        )


@pytest.mark.parametrize("numbers, left", [((4, 5), 5), ((5, 4), 5), ((4, 4), 4)])
def test_the_newer_copy_is_the_one_that_is_left_alone(tmp_path, numbers, left):
    for name, number in zip(st.COPIES, numbers):
        (tmp_path / name).write_bytes(encode(number, record()))
    (tmp_path / (st.COPIES[0] + st.NEW_SUFFIX)).mkdir()
    with pytest.raises(StoreError):
        st.Store(str(tmp_path)).save(NEW)
    assert not (tmp_path / st.COPIES[0]).exists()
    assert decode((tmp_path / st.COPIES[1]).read_bytes())[0] == left


@pytest.mark.parametrize("others", [None, 4, 77])
def test_what_cannot_be_believed_already_is_left_as_it_is(tmp_path, others):
    """Two copies that are not of one store may both hold latches; one behind a damaged one is all
    there is.
    """
    contents = [b"damaged" if others is None else encode(others, NEW), encode(4, OLD)]
    for name, content in zip(st.COPIES, contents):
        (tmp_path / name).write_bytes(content)
    (tmp_path / (st.COPIES[0] + st.NEW_SUFFIX)).mkdir()
    with pytest.raises(StoreError):
        st.Store(str(tmp_path)).save(NEW)
    assert [(tmp_path / name).read_bytes() for name in st.COPIES] == contents


def real_store(tmp_path, *records):
    store = st.Store(str(tmp_path))
    for each in records:
        store.save(each)
    return store


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    elif how == "a directory":
        path.unlink()
        path.mkdir()
    else:
        content = {
            "empty": b"",
            "short": content[:-1],
            "long": content + b"\0",
            "zeros": bytes(len(content)),
        }[how]
        path.write_bytes(content)


DAMAGES = ("empty", "short", "long", "zeros", "a directory")


@pytest.mark.parametrize("other", [None, "gone"])
@pytest.mark.parametrize("how", DAMAGES)
def test_two_bad_copies_are_unreadable_and_never_clean(tmp_path, how, other):
    real_store(tmp_path, record())
    damage(tmp_path / st.COPIES[0], how)
    damage(tmp_path / st.COPIES[1], other or how)
    found = st.Store(str(tmp_path)).load()
    assert (found.state, found.record) == (st.UNREADABLE, None)
    bad = st.COPIES[:1] if other else st.COPIES
    assert [line.split(":")[0] for line in found.lines] == [str(tmp_path / name) for name in bad]


@pytest.mark.parametrize("how", DAMAGES + ("gone",))
@pytest.mark.parametrize("copy", [0, 1])
def test_with_one_bad_copy_what_the_other_holds_stands_and_the_key_is_asked_for(
    tmp_path, how, copy
):
    """The bad one may have been the newer, with a latch that only the key may clear; no cut of
    power makes one.
    """
    real_store(tmp_path, OLD, record())
    damage(tmp_path / st.COPIES[copy], how)
    loaded = st.Store(str(tmp_path)).load()
    assert (loaded.state, loaded.record) == (st.UNREADABLE, record())
    assert len(loaded.lines) == 1 and str(tmp_path) in loaded.lines[0]


def test_the_newer_copy_counts(tmp_path):
    (tmp_path / st.COPIES[0]).write_bytes(encode(8, OLD))
    (tmp_path / st.COPIES[1]).write_bytes(encode(9, NEW))
    store = st.Store(str(tmp_path))
    assert store.load().record == NEW
    store.save(OLD)
    assert [decode((tmp_path / name).read_bytes()) for name in st.COPIES] == [(10, OLD), (10, OLD)]


def test_no_store_is_missing_and_not_clean(tmp_path):
    loaded = st.Store(str(tmp_path)).load()
    assert (loaded.state, loaded.record, loaded.lines) == (
        st.MISSING,
        None,
        [f"{tmp_path}: no store here yet"],
    )


@pytest.mark.parametrize(
    "armed, clean, state", [(0, 1, st.CLEAN), (1, 0, st.ARMED), (0, 0, st.ARMED), (1, 1, st.ARMED)]
)
def test_clean_needs_clean_and_not_armed(tmp_path, armed, clean, state):
    real_store(tmp_path, record(armed, clean))
    assert st.Store(str(tmp_path)).load().state == state


@pytest.mark.parametrize(
    "numbers, unlike, state",
    [
        ((4, 4), False, st.ARMED),
        ((5, 4), True, st.ARMED),
        ((4, 5), True, st.CLEAN),
        ((4, 4), True, st.UNREADABLE),
        ((4, 77), True, st.UNREADABLE),
        ((77, 4), True, st.UNREADABLE),
        ((6, 4), False, st.UNREADABLE),
    ],
)
def test_copies_that_no_cut_of_power_leaves_are_not_of_one_store(tmp_path, numbers, unlike, state):
    """One of another cabinet would take the latches away with it."""
    ours = Record(1, 0, {"12a": 1}, [7], locked_out="eve")
    foreign = Record(0, 1, {"2": 1}, noc_verified=1)
    for name, number, content in zip(st.COPIES, numbers, (ours, foreign if unlike else ours)):
        (tmp_path / name).write_bytes(encode(number, content))
    found = st.Store(str(tmp_path)).load()
    assert found.state == state
    assert found.lines == (
        [f"{tmp_path}: the two copies are not of one store"] if state == st.UNREADABLE else []
    )
    if state == st.UNREADABLE and unlike:
        both = Record(1, 0, {"12a": 1, "2": 1}, [7], locked_out="eve", noc_verified=1)
        assert found.record == both


@pytest.mark.parametrize(
    "names, foreign",
    [([], ""), (["ours"], ""), (["theirs"], "theirs"), (["ours", "theirs"], "theirs"), ([""], "")],
)
@pytest.mark.parametrize("state", [st.CLEAN, st.ARMED, st.UNREADABLE])
def test_the_store_of_another_cabinet_keeps_what_latches_and_asks_for_the_key(
    names, foreign, state
):
    """A box that is moved brings its own cabinet's store, and lacks the latches of the one it comes
    to.
    """
    kept = Record(latches={"12a": 1}, cabinets=tuple(names), locked_out="eve")
    loaded = st.Loaded(state, kept, 7, ["a line"])
    mine = st.of_cabinet(loaded, "ours" if "" not in names else "")
    assert mine.state == (st.UNREADABLE if foreign else state)
    assert (mine.record, mine.generation) == (loaded.record, 7)
    said = [
        f'the store is of the cabinet "{foreign}", not of "ours": what it holds stands, and '
        f"the key is needed"
    ]
    assert mine.lines == ["a line", *(said if foreign else [])]


@pytest.mark.parametrize("state", [st.MISSING, st.UNREADABLE])
def test_without_a_record_nothing_is_said_of_whose_it_is(state):
    loaded = st.Loaded(state, None, 0, ["a line"])
    assert st.of_cabinet(loaded, "ours") is loaded


def test_a_store_that_somebody_else_keeps_writing_is_not_taken(tmp_path):
    held, paused, open_before = st.hold(str(tmp_path)), [], os.listdir("/proc/self/fd")
    assert st.hold(str(tmp_path), lambda: paused.append(1)) is None
    assert len(paused) == 50 == st.HOLD_S / st.HOLD_PAUSE_S
    assert len(os.listdir("/proc/self/fd")) == len(open_before), (
        "and the next try finds nothing of this one"
    )
    os.close(held)
    again = st.hold(str(tmp_path), lambda: 1 / 0)
    os.close(again)
    assert os.listdir(tmp_path) == [], "a disk without room for a file takes it too"


def test_a_run_that_could_not_save_leaves_word_for_the_next(tmp_path):
    loaded = st.Loaded(st.CLEAN, record(), 7, [])
    assert st.of_run(loaded, str(tmp_path)) is loaded
    assert st.mark_failed(str(tmp_path), True) and st.mark_failed(str(tmp_path), True)
    assert not st.mark_failed(str(tmp_path / "absent"), True), "and nothing is raised in the loop"
    doubted = st.of_run(loaded, str(tmp_path))
    assert (doubted.state, doubted.record) == (st.UNREADABLE, record())
    assert doubted.lines == [
        "the last run could not save the store: what it holds stands, and the key is needed"
    ]
    st.mark_failed(str(tmp_path), False)
    st.mark_failed(str(tmp_path), False)
    assert st.of_run(loaded, str(tmp_path)) is loaded


def test_word_of_a_failed_store_is_not_left_in_a_pipe(tmp_path):
    os.mkfifo(tmp_path / st.FAILED_NAME)
    assert not st.mark_failed(str(tmp_path), True)
