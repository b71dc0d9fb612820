"""The store: a power cut leaves the old record or the new one; damage is never clean."""

import fcntl
import os
from dataclasses import replace

import pytest
from command_line import lines_of
from power_loss import Disk, as_of_form, cuts, disk_with, found_on, save_after_load

from controller.sites import EXAMPLE
from controller.store import two_copies as st
from controller.store.stored_record import Record, StoreError, decode, encode
from tests.instead_of_os import instead_of_os
from tests.tables import cases


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
        save_after_load(disk, record())
        assert found_on(disk.restart()).record == record()
    assert seen == {str(OLD), str(NEW)}


def test_a_cut_during_the_first_save_is_clean_only_when_it_was_saved():
    states = set()
    for disk, finished in cuts(Disk, lambda disk: save_after_load(disk, record())):
        loaded = found_on(disk)
        states.add(loaded.state)
        assert loaded.state == st.CLEAN if finished else loaded.state != st.UNREADABLE
        assert loaded.record == (None if loaded.state == st.MISSING else record())
    assert states == {st.MISSING, st.ARMED, st.CLEAN}


def test_no_cut_loses_a_latch_or_the_armed_state():
    """ARMED is saved before a closing, CLEAN after an opening; a latch acts first, a reset then."""
    live, found = [None], {}
    latched, spent = record(1, 0, row_12=1), replace(record(1, 0), token_ages_ms=[0])
    steps = ((record(1, 0), "closed"), (latched, "latched"), (spent, "reset"), (record(), "open"))

    def run(disk):
        store = st.Store("d")
        store.load()
        live[0] = "open before"
        for each, then in steps:
            store.save(each)
            live[0] = then
            disk._count()  # the run itself

    for disk, _ in cuts(lambda: disk_with(record()), run):
        loaded = found_on(disk)
        found.setdefault(live[0], []).append((loaded.state, loaded.record))
    states = {name: {state for state, _ in found[name]} for name in found}
    armed, latched, spent = ((st.ARMED, each) for each in (record(1, 0), latched, spent))
    assert states["open before"] <= {st.CLEAN, st.ARMED} and states["open"] == {st.CLEAN}
    assert all(each in (armed, latched) for each in found["closed"])
    assert all(each in (latched, spent) for each in found["latched"])
    assert states["reset"] == {st.ARMED, st.CLEAN}, "it is open by then"
    assert all(each in (spent[1], record()) for _, each in found["reset"])


def test_a_full_disk_is_an_error_and_costs_no_record():
    for error_at in range(20):
        disk = disk_with(OLD)
        disk.error_at, store = error_at, st.Store("d")
        try:
            with instead_of_os(disk):
                store.load()
                store.save(NEW)
            assert error_at >= disk.operations
        except StoreError as error:
            assert str(error) == "d: the store could not be saved: No space left on device"
        finished, found = error_at >= disk.operations, found_on(disk.restart())
        assert disk.descriptors == {} and found.record in ((NEW,) if finished else (OLD, NEW))
        assert found.state == (st.ARMED if finished else st.UNREADABLE)
        disk.error_at = None
        with instead_of_os(disk):
            store.save(record())
        assert found_on(disk.restart()).state == st.CLEAN


def save_in_vain(disk, new):
    disk.is_full = True
    with pytest.raises(StoreError):
        save_after_load(disk, new)


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_a_latch_lost_on_a_full_disk_is_detected_after_a_power_cut(saves):
    """The cabinet would, after the clean stop, close by itself without the latch."""
    disk = disk_with(*[record()] * saves)
    save_in_vain(disk, NEW)
    found = found_on(disk.restart())
    assert (found.state, found.record) == (st.UNREADABLE, record())
    save_in_vain(disk, NEW)
    assert found_on(disk.restart()).record == record(), "and nothing else is lost then"
    disk.is_full = False
    save_after_load(disk, NEW)
    assert found_on(disk.restart()).record == NEW


def test_a_cut_while_one_copy_is_removed_costs_no_record():
    def action(disk):
        for _ in range(9):
            save_in_vain(disk, NEW)

    for disk, finished in cuts(lambda: disk_with(OLD), action):
        found = found_on(disk)
        states = (st.UNREADABLE,) if finished else (st.UNREADABLE, st.ARMED)
        assert found.record == OLD and found.state in states


def write(folder, *copies):
    """Files of the two copies: bytes, or (number, record)."""
    for name, copy in zip(st.COPIES, copies):
        (folder / name).write_bytes(copy if isinstance(copy, bytes) else encode(*copy))


@cases("""
    copies                          left
    ((4, record()), (5, record()))  (None, 5)
    ((5, record()), (4, record()))  (None, 5)
    ((4, record()), (4, record()))  (None, 4)
    (b"damaged", (4, OLD))          (b"damaged", 4)
    ((4, NEW), (4, OLD))            (encode(4, NEW), 4)
    ((77, NEW), (4, OLD))           (encode(77, NEW), 4)
""")
def test_a_failed_save_leaves_the_newer_of_two_good_copies(tmp_path, copies, left):
    """Copies of two stores may both hold latches; beside a damaged copy one is left."""
    write(tmp_path, *copies)
    (tmp_path / (st.COPIES[0] + st.NEW_SUFFIX)).mkdir()
    with pytest.raises(StoreError):
        st.Store(str(tmp_path)).save(NEW)
    first, second = (tmp_path / name for name in st.COPIES)
    assert (first.read_bytes() if first.exists() else None) == left[0]
    assert decode(second.read_bytes())[0] == left[1]


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
def test_a_bad_copy_is_never_clean_and_the_key_is_needed(tmp_path, how, copy, other):
    """The bad copy may be the newer one, with a latch that only the key clears."""
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
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in st.COPIES} == {0o600}


@pytest.mark.parametrize(
    "armed, clean, state",
    [(0, 1, st.CLEAN), (1, 0, st.ARMED), (0, 0, st.WAITING), (1, 1, st.ARMED)],
)
def test_clean_needs_clean_and_not_armed(tmp_path, armed, clean, state):
    st.Store(str(tmp_path)).save(record(armed, clean))
    assert st.Store(str(tmp_path)).load().state == state


@cases("""
    numbers  unlike  state
    (4, 4)  False  st.ARMED | (5, 4)  True  st.ARMED | (4, 5)  True  st.CLEAN
    (4, 4)  True  st.UNREADABLE | (4, 77)  True  st.UNREADABLE | (77, 4)  True  st.UNREADABLE
    (6, 4)  False  st.UNREADABLE
""")
def test_copies_that_no_power_cut_leaves_belong_to_two_stores(tmp_path, numbers, unlike, state):
    """The copy of another cabinet would remove the latches."""
    own = Record(1, 0, {"12a": 1}, [7], locked_out="eve")
    foreign = Record(0, 1, {"2": 1}, noc_verified=1)
    write(tmp_path, (numbers[0], own), (numbers[1], foreign if unlike else own))
    found = st.Store(str(tmp_path)).load()
    mixed = [f"{tmp_path}: the two copies belong to different stores"]
    assert (found.state, found.lines) == (state, mixed if state == st.UNREADABLE else [])
    if state == st.UNREADABLE and unlike:
        both = Record(1, 0, {"12a": 1, "2": 1}, [7], locked_out="eve", noc_verified=1)
        assert found.record == both


KEY_NEEDED = ": its latches and lock-outs stay, and the key is needed"


@cases("""names  foreign
    []  "" | ["own"]  "" | ["theirs"]  "theirs" | ["own", "theirs"]  "theirs" | [""]  ""
""")
def test_the_store_of_another_cabinet_keeps_its_latches_and_needs_the_key(names, foreign):
    """A moved box lacks the latches of its new cabinet."""
    kept = Record(latches={"12a": 1}, cabinets=tuple(names), locked_out="eve")
    loaded = st.Loaded(st.ARMED, kept, 7, ["a line"])
    mine = st.of_cabinet(loaded, "own" if "" not in names else "")
    assert mine.state == (st.UNREADABLE if foreign else st.ARMED)
    assert (mine.record, mine.generation) == (loaded.record, 7)
    line = f'the store belongs to cabinet "{foreign}", not to "own"{KEY_NEEDED}'
    assert mine.lines == ["a line", *([line] if foreign else [])]
    without = st.Loaded(st.ARMED, None, 0, [])
    assert st.of_cabinet(without, "own") is without


def test_a_store_with_another_writer_is_not_taken(tmp_path):
    held, paused, open_before = st.hold(str(tmp_path)), [], os.listdir("/proc/self/fd")
    assert st.hold(str(tmp_path), lambda: paused.append(1)) is None
    assert len(paused) == 50 == st.HOLD_S / st.HOLD_PAUSE_S
    assert len(os.listdir("/proc/self/fd")) == len(open_before)
    os.close(held)
    os.close(st.hold(str(tmp_path), lambda: 1 / 0))
    (lock,) = tmp_path.iterdir()
    assert lock.stat().st_size == 0, "an empty file needs no block of a full disk"


def test_locks_of_a_reader_do_not_stop_a_start(tmp_path):
    """A member of the group locked the folder, and the controller did not start."""
    os.close(st.hold(str(tmp_path), lambda: 1 / 0))
    readable = [path for path in tmp_path.iterdir() if path.stat().st_mode & 0o077]
    readers = [os.open(path, os.O_RDONLY) for path in (tmp_path, *readable)]
    for each in readers:
        fcntl.flock(each, fcntl.LOCK_SH)
    os.close(st.hold(str(tmp_path), lambda: 1 / 0))
    for each in readers:
        os.close(each)


def test_a_run_that_could_not_save_marks_its_run_directory(tmp_path):
    loaded, folder = st.Loaded(st.CLEAN, record(), 7, []), str(tmp_path)
    assert st.of_run(loaded, folder) is loaded
    assert st.mark_failed(folder, True) and st.mark_failed(folder, True)
    assert not st.mark_failed(str(tmp_path / "absent"), True), "and nothing is raised in the loop"
    line = f"the last run could not save the store{KEY_NEEDED}"
    assert st.of_run(loaded, folder) == (st.UNREADABLE, record(), 7, [line], 0)
    st.mark_failed(folder, False)
    st.mark_failed(folder, False)
    assert st.of_run(loaded, folder) is loaded
    os.mkfifo(tmp_path / st.FAILED_NAME)
    assert not st.mark_failed(folder, True)


@pytest.mark.parametrize("state, proven", [(st.ARMED, st.KILLED), (st.WAITING, st.CLEAN)])
def test_an_end_without_order_counts_as_stored_only_if_its_run_directory_says_so(
    state, proven, tmp_path
):
    loaded, folder = st.Loaded(state, record(), 7, []), str(tmp_path)
    line = f"{folder}: {st.UNPROVEN}"
    assert st.of_run(loaded, folder) == loaded._replace(lines=[line]), "after a power cut"
    assert st.mark_failed(folder, False)
    assert st.of_run(loaded, folder) == loaded._replace(state=proven)
    damaged = loaded._replace(lines=["store.a: damaged"])
    assert st.of_run(damaged, folder).state == state
    assert st.mark_failed(folder, True)
    assert st.of_run(loaded, folder).state == st.UNREADABLE
    st.mark_failed(folder, False)
    assert st.of_run(loaded, folder).state == proven


def newer(tmp_path, *names):
    """The bytes of a store, of which these copies have the form of a newer release."""
    st.Store(str(tmp_path)).save(NEW)
    as_of_form(tmp_path, 2, names)
    return newer_bytes(tmp_path)


@pytest.mark.parametrize("names", [st.COPIES, st.COPIES[:1], st.COPIES[1:]])
def test_a_store_of_a_newer_release_is_not_damage_and_is_never_replaced(names, tmp_path):
    """It may hold a latch or a lock-out: after a power cut, in one copy alone."""
    before, store = newer(tmp_path, *names), st.Store(str(tmp_path))
    found = store.load()
    assert (found.state, found.record, len(found.lines)) == (st.NEWER, None, 1)
    assert found.lines[0].startswith(f"{tmp_path}/{names[0]}: a newer release has written")
    with pytest.raises(StoreError, match="not saved: a newer release has written the store"):
        store.save(record())
    assert newer_bytes(tmp_path) == before


def newer_bytes(tmp_path):
    return {name: (tmp_path / name).read_bytes() for name in st.COPIES}


def test_every_command_leaves_a_store_of_a_newer_release(tmp_path, capsys):
    """`run` ends with the exit code after which systemd does not start it again."""
    before = newer(tmp_path, *st.COPIES)
    for code, words in (
        (2, ["run", EXAMPLE, "--run-dir", tmp_path / "run"]),
        (2, ["box", "prepare"]),
        (3, ["box", "backup", tmp_path / "b.tar", "--etc-dir", tmp_path / "etc"]),
        (1, ["box", "migrate", EXAMPLE]),
    ):
        found, lines = lines_of(capsys, *words, "--state-dir", tmp_path)
        (line,) = [each for each in lines if "store" in each]
        assert found == code
        assert ("a newer release has written" in line) == (words[1] != "prepare")
    assert newer_bytes(tmp_path) == before and not (tmp_path / "b.tar").exists()


@pytest.mark.parametrize("form", range(256))
def test_the_byte_of_the_form_decides_whose_store_it_is(form, tmp_path):
    """Nothing of another form counts as this release's own, and an older form is no newer one."""
    st.Store(str(tmp_path)).save(NEW)
    as_of_form(tmp_path, form)
    found = st.Store(str(tmp_path)).load()
    state = {0: st.UNREADABLE, 1: st.ARMED}.get(form, st.NEWER)
    assert (found.state, found.record) == (state, NEW if form == 1 else None)


@pytest.mark.parametrize("content", [b"", b"FBSTORE", b"FBSTORE\2", b"FBSTORF\2", b"fbstore\3"])
def test_a_copy_that_is_cut_in_its_first_bytes_is_damaged_or_newer(content, tmp_path):
    st.Store(str(tmp_path)).save(NEW)
    (tmp_path / st.COPIES[0]).write_bytes(content)
    found = st.Store(str(tmp_path)).load()
    assert found.state == (st.NEWER if content == b"FBSTORE\2" else st.UNREADABLE)
