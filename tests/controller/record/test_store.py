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


def test_what_is_live_is_never_lost_at_any_cut():
    """ARMED is saved before contactors close, CLEAN after they have opened; a latch takes effect
    and is saved, a reset is saved with its token spent and takes effect. `live`: what is so.
    """
    live, found = [None], {}
    latched, spent = record(1, 0, row_12=1), replace(record(1, 0), token_ages_ms=[0])
    steps = ((record(1, 0), "closed"), (latched, "latched"), (spent, "reset"), (record(), "open"))

    def run(disk):
        store = st.Store("d", disk)
        store.load()
        live[0] = "open before"
        for each, then in steps:
            store.save(each)
            live[0] = then
            disk._count()  # the run itself

    for disk, _ in cuts(lambda: disk_with(record()), run):
        loaded = found_on(disk)
        found.setdefault(live[0], []).append((loaded.state, loaded.record))
    armed = (st.ARMED, record(1, 0))
    assert {state for state, _ in found["open before"]} <= {st.CLEAN, st.ARMED}
    assert all(each in (armed, (st.ARMED, latched)) for each in found["closed"])
    assert all(each in ((st.ARMED, latched), (st.ARMED, spent)) for each in found["latched"])
    assert {state for state, _ in found["reset"]} == {st.ARMED, st.CLEAN}, "it is open by then"
    assert all(each in (spent, record()) for _, each in found["reset"])
    assert set(state for state, _ in found["open"]) == {st.CLEAN}


def test_a_full_disk_is_an_error_and_costs_no_record():
    for error_at in range(20):
        disk = disk_with(OLD)
        disk.error_at = error_at
        store = st.Store("d", disk)
        store.load()
        try:
            store.save(NEW)
            assert error_at >= disk.operations
        except StoreError as error:
            assert str(error) == "d: the store could not be saved: No space left on device"
        finished, found = error_at >= disk.operations, found_on(disk.restart("lost", "lost"))
        assert disk.descriptors == {}
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


def write(folder, *copies):
    """Files of the two copies: bytes, or (number, record)."""
    for name, copy in zip(st.COPIES, copies):
        (folder / name).write_bytes(copy if isinstance(copy, bytes) else encode(*copy))


@pytest.mark.parametrize("numbers, left", [((4, 5), 5), ((5, 4), 5), ((4, 4), 4)])
def test_the_newer_copy_is_the_one_that_is_left_alone(tmp_path, numbers, left):
    write(tmp_path, *[(number, record()) for number in numbers])
    (tmp_path / (st.COPIES[0] + st.NEW_SUFFIX)).mkdir()
    with pytest.raises(StoreError):
        st.Store(str(tmp_path)).save(NEW)
    assert not (tmp_path / st.COPIES[0]).exists()
    assert decode((tmp_path / st.COPIES[1]).read_bytes())[0] == left


@pytest.mark.parametrize("first", [b"damaged", encode(4, NEW), encode(77, NEW)])
def test_what_cannot_be_believed_already_is_left_as_it_is(tmp_path, first):
    """Two copies that are not of one store may both hold latches; one behind a damaged one is all
    there is.
    """
    contents = [first, encode(4, OLD)]
    write(tmp_path, *contents)
    (tmp_path / (st.COPIES[0] + st.NEW_SUFFIX)).mkdir()
    with pytest.raises(StoreError):
        st.Store(str(tmp_path)).save(NEW)
    assert [(tmp_path / name).read_bytes() for name in st.COPIES] == contents


BAD = {"empty": b"", "short": encode(1, record())[:-1], "long": encode(1, record()) + b"\0"}
BAD |= {"zeros": bytes(90), "gone": None, "a directory": None}


def spoil(path, how):
    if path.exists():
        path.unlink()
    if how == "a directory":
        path.mkdir()
    elif how != "gone":
        path.write_bytes(BAD[how])


@pytest.mark.parametrize("other", ["whole", "as bad", "gone"])
@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize("how", BAD)
def test_a_bad_copy_is_never_clean_and_the_key_is_asked_for(tmp_path, how, copy, other):
    """It may have been the newer one, with a latch that only the key may clear; no cut of power
    makes one.
    """
    write(tmp_path, (7, record()), (7, record()))
    spoil(tmp_path / st.COPIES[copy], how)
    if other != "whole":
        spoil(tmp_path / st.COPIES[1 - copy], how if other == "as bad" else other)
    found = st.Store(str(tmp_path)).load()
    is_nothing = how == "gone" and other != "whole"
    assert found.state == (st.MISSING if is_nothing else st.UNREADABLE)
    assert found.record == (record() if other == "whole" else None)
    bad = st.COPIES if other == "as bad" else [st.COPIES[copy]]
    paths = [str(tmp_path)] if how == "gone" else [str(tmp_path / name) for name in bad]
    assert [line.split(":")[0] for line in found.lines] == paths


def test_the_newer_copy_counts(tmp_path):
    write(tmp_path, (8, OLD), (9, NEW))
    store = st.Store(str(tmp_path))
    assert store.load().record == NEW
    store.save(OLD)
    assert [decode((tmp_path / name).read_bytes()) for name in st.COPIES] == [(10, OLD), (10, OLD)]


@pytest.mark.parametrize(
    "armed, clean, state", [(0, 1, st.CLEAN), (1, 0, st.ARMED), (0, 0, st.ARMED), (1, 1, st.ARMED)]
)
def test_clean_needs_clean_and_not_armed(tmp_path, armed, clean, state):
    st.Store(str(tmp_path)).save(record(armed, clean))
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
    write(tmp_path, (numbers[0], ours), (numbers[1], foreign if unlike else ours))
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
    without = st.Loaded(state, None, 0, [])
    assert st.of_cabinet(without, "ours") is without


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
    os.mkfifo(tmp_path / st.FAILED_NAME)
    assert not st.mark_failed(str(tmp_path), True)
