"""The store: a power cut at every step leaves the record before or the new one, and damage is never
called clean.
"""

import errno
import os
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys

import pytest

from controller.record import store as st
from controller.system import clock

GUARD_S = 20  # longer than any process start; only a hang reaches it


class PowerCut(BaseException):
    """Ends the program in the middle, as a cut does: nothing may catch it as an error."""


class Disk:
    """Stands in for `os`: files and names become durable only by fsync. Stops before operation
    `cut_at`.

    After a cut `restart(data, names)` gives the disk as found: what was not yet synced is `lost`,
    `torn` (half of it) or `kept`; names not yet synced are `lost` or `kept`.
    """

    def __init__(self, cut_at=None, error_at=None):
        self.operations = 0
        self.cut_at = cut_at
        self.error_at = error_at
        self.is_full = False
        self.inodes = []  # [volatile, durable] contents
        self.names = {}
        self.durable_names = {}
        self.descriptors = {}

    def _count(self, needs_room=False):
        self.operations += 1
        if self.operations - 1 == self.cut_at:
            raise PowerCut
        if self.operations - 1 == self.error_at or self.is_full and needs_room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path, flags, mode=None):
        if flags & os.O_CREAT:
            self._count(needs_room=True)
            self.names[path] = len(self.inodes)
            self.inodes.append([b"", b""])
        if not flags & os.O_DIRECTORY and path not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        descriptor = 100 + self.operations * 10 + len(self.descriptors)
        self.descriptors[descriptor] = self.names.get(path)
        return descriptor

    def fstat(self, descriptor):
        return os.stat_result([stat.S_IFREG, *[0] * 9])

    def write(self, descriptor, content):
        self._count(needs_room=True)
        self.inodes[self.descriptors[descriptor]][0] += content[:61]
        return len(content[:61])

    def read(self, descriptor, size):
        return self.inodes[self.descriptors[descriptor]][0][:size]

    def fsync(self, descriptor):
        self._count()
        inode = self.descriptors[descriptor]
        if inode is None:
            self.durable_names = dict(self.names)
        else:
            self.inodes[inode][1] = self.inodes[inode][0]

    def replace(self, source, target):
        self._count()
        self.names[target] = self.names.pop(source)

    def unlink(self, path):
        self._count()
        del self.names[path]

    def close(self, descriptor):
        del self.descriptors[descriptor]

    def restart(self, data, names):
        found = Disk()
        for volatile, durable in self.inodes:
            torn = volatile[: (len(durable) + len(volatile)) // 2]
            content = {"lost": durable, "torn": torn, "kept": volatile}[data]
            found.inodes.append([content, content])
        found.names = dict(self.names if names == "kept" else self.durable_names)
        found.durable_names = dict(found.names)
        return found


def record(armed=0, clean=1, **latches):
    return dict(st.empty_record(), armed=armed, clean=clean, latches=latches)


OLD = record(1, 0, row_1=1)
NEW = record(1, 0, row_1=1, row_29=1)


def disk_with(*records):
    disk = Disk()
    store = st.Store("d", disk)
    for each in records:
        store.save(each)
    return disk.restart("lost", "lost")


def cuts(first_disk, action):
    """Every (disk as found after the cut, whether the action had finished), for a cut before each
    operation.
    """
    cut_at, finished = 0, False
    while not finished:
        disk = first_disk()
        disk.cut_at = cut_at
        try:
            action(disk)
            finished = True
        except PowerCut:
            pass
        for data in ("lost", "torn", "kept"):
            for names in ("lost", "kept"):
                yield disk.restart(data, names), finished
        cut_at += 1
    assert cut_at > 10


def save_after_load(disk, new):
    store = st.Store("d", disk)
    store.load()
    store.save(new)


def test_a_cut_at_any_step_leaves_the_old_record_or_the_new_one():
    seen = set()
    for disk, finished in cuts(lambda: disk_with(OLD), lambda disk: save_after_load(disk, NEW)):
        loaded = st.Store("d", disk).load()
        assert loaded.record in ((NEW,) if finished else (OLD, NEW))
        assert (loaded.state, loaded.lines) == (st.ARMED, [])
        seen.add(str(loaded.record))
        later = record(0, 1)
        save_after_load(disk, later)
        assert st.Store("d", disk.restart("lost", "lost")).load().record == later
    assert seen == {str(OLD), str(NEW)}


def test_a_cut_during_the_first_save_is_never_clean_unless_it_was_saved():
    states = set()
    for disk, finished in cuts(Disk, lambda disk: save_after_load(disk, record())):
        loaded = st.Store("d", disk).load()
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
        found[may_be_closed[0]].add(st.Store("d", disk).load().state)
    assert found == {True: {st.ARMED}, False: {st.ARMED, st.CLEAN}}


def test_a_reset_is_never_given_back_and_a_latch_never_lost():
    """Latch: effect, then save. Reset: save with the token spent, then effect. `live` is what the
    kernel had.
    """
    live = []
    latched = dict(record(1, 0, row_12=1))
    spent = dict(record(1, 0), token_ages_ms=[0])

    def run(disk):
        store = st.Store("d", disk)
        store.load()
        live[:] = ["latched"]
        store.save(latched)
        live[:] = ["latched and saved"]
        store.save(spent)
        live[:] = ["reset"]

    for disk, _ in cuts(lambda: disk_with(record(1, 0)), run):
        found = st.Store("d", disk).load()
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
    except st.StoreError as error:
        assert str(error) == "d: the store could not be saved: No space left on device"
    assert disk.descriptors == {}
    found = st.Store("d", disk.restart("lost", "lost")).load()
    finished = error_at >= disk.operations
    assert found.record in ((NEW,) if finished else (OLD, NEW))
    assert found.state == (st.ARMED if finished else st.UNREADABLE)
    disk.error_at = None
    store.save(record())
    assert st.Store("d", disk.restart("lost", "lost")).load().state == st.CLEAN


def save_in_vain(disk, new):
    disk.is_full = True
    with pytest.raises(st.StoreError):
        save_after_load(disk, new)


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_a_latch_that_met_a_full_disk_is_known_to_lack_after_a_power_cut(saves):
    """It was stopped cleanly before, so without the latch it would close by itself."""
    disk = disk_with(*[record()] * saves)
    save_in_vain(disk, NEW)
    found = st.Store("d", disk.restart("lost", "lost")).load()
    assert (found.state, found.record) == (st.UNREADABLE, record())
    save_in_vain(disk, NEW)
    assert st.Store("d", disk.restart("lost", "lost")).load().record == record(), (
        "and nothing else is lost then"
    )
    disk.is_full = False
    save_after_load(disk, NEW)
    assert st.Store("d", disk.restart("lost", "lost")).load().record == NEW


def test_a_cut_while_one_copy_is_left_alone_costs_no_record():
    for disk, finished in cuts(
        lambda: disk_with(OLD), lambda disk: [save_in_vain(disk, NEW) for _ in range(9)]
    ):
        found = st.Store("d", disk).load()
        assert found.record == OLD and found.state in (
            (st.UNREADABLE,) if finished else (st.UNREADABLE, st.ARMED)
        )


@pytest.mark.parametrize("numbers, left", [((4, 5), 5), ((5, 4), 5), ((4, 4), 4)])
def test_the_newer_copy_is_the_one_that_is_left_alone(tmp_path, numbers, left):
    for name, number in zip(st.COPIES, numbers):
        (tmp_path / name).write_bytes(st.encode(number, record()))
    (tmp_path / (st.COPIES[0] + st.NEW_SUFFIX)).mkdir()
    with pytest.raises(st.StoreError):
        st.Store(str(tmp_path)).save(NEW)
    assert not (tmp_path / st.COPIES[0]).exists()
    assert st.decode((tmp_path / st.COPIES[1]).read_bytes())[0] == left


@pytest.mark.parametrize("others", [None, 4, 77])
def test_what_cannot_be_believed_already_is_left_as_it_is(tmp_path, others):
    """Two copies that are not of one store may both hold latches; one behind a damaged one is all
    there is.
    """
    contents = [b"damaged" if others is None else st.encode(others, NEW), st.encode(4, OLD)]
    for name, content in zip(st.COPIES, contents):
        (tmp_path / name).write_bytes(content)
    (tmp_path / (st.COPIES[0] + st.NEW_SUFFIX)).mkdir()
    with pytest.raises(st.StoreError):
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


@pytest.mark.parametrize("how", DAMAGES)
def test_two_damaged_copies_are_unreadable_and_never_clean(tmp_path, how):
    real_store(tmp_path, record())
    for name in st.COPIES:
        damage(tmp_path / name, how)
    loaded = st.Store(str(tmp_path)).load()
    assert (loaded.state, loaded.record) == (st.UNREADABLE, None)
    assert [line.split(":")[0] for line in loaded.lines] == [
        str(tmp_path / name) for name in st.COPIES
    ]


@pytest.mark.parametrize("how", DAMAGES)
def test_one_damaged_and_one_missing_copy_are_unreadable(tmp_path, how):
    real_store(tmp_path, record())
    damage(tmp_path / st.COPIES[0], how)
    damage(tmp_path / st.COPIES[1], "gone")
    assert st.Store(str(tmp_path)).load().state == st.UNREADABLE


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


def test_every_flipped_bit_is_noticed():
    content = st.encode(7, NEW)
    assert st.decode(content) == (7, NEW)
    for at in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            assert st.decode(bytes(damaged)) is None


def test_the_newer_copy_counts(tmp_path):
    (tmp_path / st.COPIES[0]).write_bytes(st.encode(8, OLD))
    (tmp_path / st.COPIES[1]).write_bytes(st.encode(9, NEW))
    store = st.Store(str(tmp_path))
    assert store.load().record == NEW
    store.save(OLD)
    assert [st.decode((tmp_path / name).read_bytes()) for name in st.COPIES] == [
        (10, OLD),
        (10, OLD),
    ]


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
    "wrong, words",
    [
        (
            {"armed": 1},
            "a record has the fields armed, clean, latches, token_ages_ms, values, not armed",
        ),
        (dict(record(), latches=[1]), "record field latches is a list, not a dict"),
        (dict(record(), values={"x" * st.RECORD_BYTES_MAX: 1}), "at most 65512 fit"),
        (dict(record(), values={"x": "y"}), "whole numbers from 0 to 2\\^31 - 1"),
        (dict(record(), token_ages_ms=[-1]), "whole numbers"),
        (dict(record(), token_ages_ms=[2**31]), "whole numbers"),
        (dict(record(), latches={7: 1}), "texts as names"),
    ],
)
def test_a_wrong_record_is_refused_before_anything_is_written(tmp_path, wrong, words):
    store = real_store(tmp_path, OLD)
    with pytest.raises(st.StoreError, match=words):
        store.save(wrong)
    assert st.Store(str(tmp_path)).load().record == OLD


PEOPLE = ["a" * 17, "anna\0", "\xe4nna", "an\nna", "\U0001f511"]


@pytest.mark.parametrize(
    "value",
    [prefix + name for prefix in ("locked_out.", "stopped.") for name in PEOPLE] + ["locked_out."],
)
def test_a_name_that_no_person_has_makes_a_copy_a_bad_one_and_ends_no_start(tmp_path, value):
    """The journal has no room for it: the start ended with a BufferError, and nothing said why."""
    odd = dict(record(), values={value: 1})
    with pytest.raises(st.StoreError, match="names no person: at most 16 of ASCII"):
        st.encode(4, odd)
    content = sealed(4, st.msgpack.packb(odd))
    (tmp_path / st.COPIES[0]).write_bytes(content)
    (tmp_path / st.COPIES[1]).write_bytes(st.encode(4, OLD))
    found = st.Store(str(tmp_path)).load()
    assert (found.state, found.record) == (st.UNREADABLE, OLD)
    assert found.lines == [f"{tmp_path / st.COPIES[0]}: damaged (length, CRC or fields are wrong)"]


@pytest.mark.parametrize(
    "value",
    [
        "stopped.",
        "stopped." + "a" * 16,
        "locked_out.anna_1",
        "noc_verified",
        "cabinet.K\xe4fig 1, serial 000000001",
    ],
)
def test_a_name_of_a_person_or_of_a_cabinet_is_kept(tmp_path, value):
    assert st.decode(st.encode(4, dict(record(), values={value: 1})))[1]["values"] == {value: 1}


def sealed(generation, body):
    """A copy with a right CRC over any bytes."""
    rest = struct.pack("<QI", generation, len(body)) + body
    return struct.pack("<8sI", st.MAGIC, st.crc32(rest)) + rest


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        b"\x05",
        b"\x90",
        b"\x80\x80",
        b"\x81\x90\x01",
        b"\xa1",
        b"",
        st.msgpack.packb(dict(record(), token_ages_ms=["x"])),
        st.msgpack.packb(dict(record(), latches={"1a": [1]})),
    ],
)
def test_what_has_a_right_crc_and_is_no_record_is_damaged(tmp_path, body):
    for name in st.COPIES:
        (tmp_path / name).write_bytes(sealed(3, body))
    found = st.Store(str(tmp_path)).load()
    assert found.state == st.UNREADABLE and len(found.lines) == 2


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
    ours = dict(record(1, 0), latches={"12a": 1}, values={"locked_out.eve": 1}, token_ages_ms=[7])
    foreign = dict(record(0, 1), latches={"2": 1}, values={"noc_verified": 1}, token_ages_ms=[])
    for name, number, content in zip(st.COPIES, numbers, (ours, foreign if unlike else ours)):
        (tmp_path / name).write_bytes(st.encode(number, content))
    found = st.Store(str(tmp_path)).load()
    assert found.state == state
    assert found.lines == (
        [f"{tmp_path}: the two copies are not of one store"] if state == st.UNREADABLE else []
    )
    if state == st.UNREADABLE and unlike:
        assert found.record == {
            "armed": 1,
            "clean": 0,
            "latches": {"12a": 1, "2": 1},
            "token_ages_ms": [7],
            "values": {"locked_out.eve": 1, "noc_verified": 1},
        }


@pytest.mark.parametrize(
    "ours_ms, theirs_ms, both_ms",
    [
        ([], [], []),
        ([7], [], [7]),
        ([3_500_000, 3_400_000], [10], [10, 3_500_000]),
        ([10], [3_500_000], [10]),
        ([10, 900], [900, 10], [10, 900]),
        ([900, 10, 5000], [20, 700], [10, 700, 5000]),
    ],
)
def test_of_two_copies_neither_number_nor_youth_of_spent_tokens_is_lost(
    tmp_path, ours_ms, theirs_ms, both_ms
):
    """The longer list may be all but an hour old: then a reset more was there within minutes."""
    for lists in ((ours_ms, theirs_ms), (theirs_ms, ours_ms)):
        for name, number, ages_ms in zip(st.COPIES, (4, 77), lists):
            (tmp_path / name).write_bytes(st.encode(number, dict(record(), token_ages_ms=ages_ms)))
        assert st.Store(str(tmp_path)).load().record["token_ages_ms"] == both_ms


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
    values = {"locked_out.eve": 1, **{st.CABINET + name: 1 for name in names}}
    loaded = st.Loaded(state, dict(record(), latches={"12a": 1}, values=values), 7, ["a line"])
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


def answered(keeper, number):
    while keeper.poll() < number and keeper.ok:
        assert select.select([keeper], [], [], GUARD_S)[0], "the keeper does not answer"
    return keeper.saved


@pytest.mark.wire
def test_the_keeper_saves_in_order_and_says_so(tmp_path):
    keeper = st.Keeper(str(tmp_path))
    assert (keeper.saved, keeper.ok) == (0, True)
    assert [keeper.submit(each) for each in (OLD, NEW)] == [1, 2]
    assert answered(keeper, 2) == 2
    assert st.Store(str(tmp_path)).load().record == NEW
    keeper.submit(record())
    keeper.close()
    assert st.Store(str(tmp_path)).load().state == st.CLEAN


@pytest.mark.wire
def test_a_keeper_that_cannot_save_says_why(tmp_path):
    keeper = st.Keeper(str(tmp_path / "absent"))
    keeper.submit(OLD)
    assert answered(keeper, 1) == 0
    assert keeper.line == (
        f"{tmp_path / 'absent'}: the store could not be saved: No such file or directory"
    )
    keeper.close()


@pytest.mark.wire
def test_what_could_not_be_saved_is_saved_once_it_can_be(tmp_path):
    """A latch that met a full or lost disk must not be gone after the restart that somebody makes
    meanwhile.
    """
    place = tmp_path / "state"
    place.mkdir()
    keeper = st.Keeper(str(place))
    keeper.submit(record())
    assert answered(keeper, 1) == 1
    shutil.rmtree(place)
    keeper.submit(NEW)
    assert answered(keeper, 2) == 1 and not keeper.ok
    place.mkdir()
    deadline = clock.now_us() + GUARD_S * 1_000_000
    while not (place / st.COPIES[1]).exists() and clock.now_us() < deadline:
        select.select([], [], [], 0.05)
    assert st.Store(str(place)).load().record == NEW
    assert keeper.poll() == 1 and not keeper.ok, "for good: it was told that it is not stored"
    keeper.close()


@pytest.mark.wire
def test_a_controller_that_is_killed_loses_nothing_that_it_handed_over(tmp_path):
    """Whoever is killed reads no answers: the records behind the first one are saved all the
    same.
    """
    for _ in range(5):
        keeper = st.Keeper(str(tmp_path))
        for each in (OLD, record(), NEW):
            keeper.submit(each)
        keeper._socket.close()
        keeper._process.wait()
        assert st.Store(str(tmp_path)).load().record == NEW


@pytest.mark.wire
def test_whoever_starts_after_a_kill_waits_until_the_keeper_it_left_has_saved_what_it_has(tmp_path):
    """Two keepers would write records of one number over each other, and the first one's latch was
    gone.
    """
    held = st.hold(str(tmp_path))
    keeper = stopped(st.Keeper(str(tmp_path), held))
    keeper.submit(NEW)
    keeper._socket.close()  # as a kill does, which closes all it had
    os.close(held)
    paused = []

    def pause():
        paused.append(1)
        if len(paused) == 3:
            assert not (tmp_path / st.COPIES[0]).exists()
            os.kill(keeper._process.pid, signal.SIGCONT)
            keeper._process.wait(GUARD_S)

    held = st.hold(str(tmp_path), pause)
    assert held is not None and len(paused) == 3 and st.Store(str(tmp_path)).load().record == NEW
    os.close(held)


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


@pytest.mark.wire
def test_a_killed_keeper_is_noticed_and_blocks_nothing(tmp_path):
    keeper = st.Keeper(str(tmp_path))
    keeper.submit(OLD)
    answered(keeper, 1)
    os.kill(keeper._process.pid, signal.SIGKILL)
    assert answered(keeper, 2) == 1
    assert (keeper.ok, keeper.line) == (False, "the store's process has ended")
    assert keeper.submit(NEW) == 2 and keeper.poll() == 1
    keeper.close()


def stopped(keeper):
    """A keeper that hangs, as over a frozen disk: in vain waits whoever waits for it."""
    os.kill(keeper._process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, keeper._process.pid, os.WSTOPPED | os.WNOWAIT)
    return keeper


@pytest.mark.wire
def test_a_keeper_that_hangs_has_failed_after_five_seconds_for_good(tmp_path):
    keeper = st.Keeper(str(tmp_path))
    keeper.submit(record())
    answered(keeper, 1)
    keeper.watch(100_000_000)
    stopped(keeper).watch(900_000_000)
    assert keeper.ok, "nothing waits for it"
    keeper.submit(NEW)
    keeper.watch(900_000_000 + st.HANG_US)
    assert keeper.ok
    keeper.watch(900_000_001 + st.HANG_US)
    assert (keeper.ok, keeper.line) == (False, f"{tmp_path}: the store does not answer")
    os.kill(keeper._process.pid, signal.SIGCONT)
    assert select.select([keeper], [], [], GUARD_S)[0]
    assert keeper.poll() == 1 and not keeper.ok, "for good: it was told that it is not stored"
    assert not select.select([keeper], [], [], 0)[0], (
        "and the answer is taken, or it would wait for that one day"
    )
    keeper.close()
    assert st.Store(str(tmp_path)).load().record == NEW


@pytest.mark.wire
def test_a_slow_disk_that_goes_on_acknowledging_is_no_failed_one(tmp_path):
    keeper, now_us = st.Keeper(str(tmp_path)), 0
    for number in range(1, 5):
        for each in (OLD, NEW):
            keeper.submit(each)
        for saved in (2 * number - 1, 2 * number):
            keeper.watch(now_us)
            now_us += st.HANG_US
            answered(keeper, saved)
            keeper.watch(now_us)
            assert keeper.ok
    keeper.close()


@pytest.mark.wire
def test_the_first_record_may_take_as_long_as_a_process_takes_to_start(tmp_path):
    keeper = stopped(st.Keeper(str(tmp_path)))
    keeper.submit(OLD)
    for now_us, is_ok in ((7, True), (7 + st.START_US, True), (8 + st.START_US, False)):
        keeper.watch(now_us)
        assert keeper.ok == is_ok
    os.kill(keeper._process.pid, signal.SIGCONT)
    keeper.close()


@pytest.mark.wire
def test_an_interrupt_meant_for_the_controller_does_not_end_the_keeper(tmp_path):
    keeper = st.Keeper(str(tmp_path))
    keeper.submit(OLD)
    answered(keeper, 1)
    os.kill(keeper._process.pid, signal.SIGINT)
    os.kill(keeper._process.pid, signal.SIGTERM)
    keeper.submit(record())
    assert answered(keeper, 2) == 2
    keeper.close()


@pytest.mark.wire
@pytest.mark.parametrize("name", [*st.COPIES, "store.a.new"])
def test_a_pipe_in_place_of_a_file_holds_no_keeper_up(tmp_path, name):
    os.mkfifo(tmp_path / name)
    loaded = st.Store(str(tmp_path)).load()
    is_copy = name in st.COPIES
    assert loaded.state == (st.UNREADABLE if is_copy else st.MISSING)
    assert not is_copy or loaded.lines == [
        f"{tmp_path / name}: unreadable: it is a pipe or a device; allowed a regular file"
    ]
    keeper = st.Keeper(str(tmp_path))
    keeper.submit(NEW)
    if is_copy:
        assert answered(keeper, 1) == 1 and st.Store(str(tmp_path)).load().record == NEW, (
            "in the pipe's place"
        )
    else:
        assert (
            answered(keeper, 1) == 0
            and not keeper.ok
            and keeper.line
            == (
                f"{tmp_path / name}: the store could not be saved: it is a pipe or a device; "
                f"allowed "
                f"a regular file"
            )
        )
    keeper._socket.close()
    assert keeper._process.wait(GUARD_S) == 0


STANDING_STILL = """
import sys
from controller.record import store
store.Store.load = lambda self: (print("opening", flush=True), open(sys.argv[1]))
store.main(".", int(sys.argv[2]))
"""


@pytest.mark.wire
@pytest.mark.parametrize("is_left", [False, True])
def test_a_keeper_that_its_disk_holds_up_ends_when_told_to_once_the_controller_has_gone(
    tmp_path, is_left
):
    """Unless a record waits for it that nobody else has."""
    os.mkfifo(tmp_path / "disk")
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-c", STANDING_STILL, str(tmp_path / "disk"), str(its.fileno())],
            pass_fds=(its.fileno(),),
            stdout=subprocess.PIPE,
        )
    assert process.stdout.readline() == b"opening\n"
    process.send_signal(signal.SIGTERM)
    # the controller is there, and that signal was meant for it
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    if is_left:
        ours.send(st.encode(0, NEW))
    ours.close()
    process.send_signal(signal.SIGTERM)
    if is_left:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.kill()
    assert process.wait(GUARD_S) == (-signal.SIGKILL if is_left else 0)
    process.stdout.close()


def test_word_of_a_failed_store_is_not_left_in_a_pipe(tmp_path):
    os.mkfifo(tmp_path / st.FAILED_NAME)
    assert not st.mark_failed(str(tmp_path), True)
