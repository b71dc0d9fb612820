"""The keeper: the process that saves, and its answers to the loop."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
from test_two_copies import NEW, OLD, record

from controller.store import keeper as kp, two_copies as st
from controller.store.stored_record import encode

pytestmark = pytest.mark.wire
GUARD_S = 20  # longer than any process start; only a hang reaches it


def answered(keeper, number):
    while keeper.poll() < number and keeper.ok:
        assert select.select([keeper], [], [], GUARD_S)[0], "the keeper does not answer"
    return keeper.saved


@pytest.fixture
def keeper(tmp_path):
    made = kp.Keeper(str(tmp_path))
    yield made
    made.close()


def stored(folder):
    return st.Store(str(folder)).load().record


def stopped(keeper):
    os.kill(keeper._process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, keeper._process.pid, os.WSTOPPED | os.WNOWAIT)
    return keeper


def kill(keeper, number):
    os.kill(keeper._process.pid, number)


def test_the_keeper_saves_in_order_and_signals_for_the_controller_do_not_end_it(keeper, tmp_path):
    assert (keeper.saved, keeper.ok) == (0, True)
    assert [keeper.submit(each) for each in (OLD, NEW)] == [1, 2]
    assert answered(keeper, 2) == 2 and stored(tmp_path) == NEW
    for number in (signal.SIGINT, signal.SIGTERM):
        kill(keeper, number)
    keeper.submit(record())
    keeper.close()
    assert st.Store(str(tmp_path)).load().state == st.CLEAN


def test_a_store_that_saves_again_with_what_it_missed_is_whole_again(tmp_path):
    """A latch that met a full disk must outlive a restart, and the operation goes on."""
    place = tmp_path / "state"
    place.mkdir()
    keeper = kp.Keeper(str(place))
    keeper.submit(record())
    assert answered(keeper, 1) == 1
    shutil.rmtree(place)
    keeper.submit(OLD)
    assert answered(keeper, 2) == 1
    assert keeper.line == f"{place}: the store could not be saved: No such file or directory"
    keeper.submit(NEW)
    stopped(keeper)
    keeper.poll()
    place.mkdir()
    kill(keeper, signal.SIGCONT)
    while not keeper.ok:
        assert not keeper.saved > 1, "not whole before the newest is durable"
        assert select.select([keeper], [], [], GUARD_S)[0], "the keeper does not answer"
        keeper.poll()
    assert (keeper.saved, keeper.line, stored(place)) == (3, "", NEW)
    keeper.close()


def answering(keeper, *answers):
    """Let the keeper's process answer so, and nothing more. The socket to close at the end."""
    waiting, connection = [*answers], keeper._socket

    def recv(_bytes_max):
        if waiting:
            return waiting.pop(0)
        raise BlockingIOError

    keeper._socket = SimpleNamespace(send=len, recv=recv, close=connection.close)
    keeper.poll()


def test_a_store_is_whole_again_only_with_its_newest_record(keeper):
    """An older record may lack the latch that met the full disk."""
    for each in (record(), OLD, NEW):
        keeper.submit(each)
    line = "state: the store could not be saved: No space left on device"
    answering(keeper, b"saved 1", line.encode(), b"saved 2")
    assert (keeper.ok, keeper.line, keeper.saved) == (False, line, 2)
    answering(keeper, b"saved 3")
    assert (keeper.ok, keeper.line, keeper.saved) == (True, "", 3)
    keeper.submit(OLD)
    answering(keeper, b"disk gone")
    assert (keeper.ok, keeper.line) == (False, "disk gone"), "the new reason, not the first one"
    answering(keeper, b"saved 4", b"")
    assert not keeper.ok, "nobody saves the next one"
    keeper.submit(NEW)
    answering(keeper, b"saved 5")
    assert not keeper.ok, "a process that is gone stays so"


@pytest.mark.parametrize("failures", [1, 2, 5])
@pytest.mark.parametrize("is_newer_waiting", [False, True])
def test_the_process_tries_until_the_newest_record_is_saved(
    failures, is_newer_waiting, tmp_path, monkeypatch
):
    """Nobody else hands the record over again: the loop has changed nothing since."""
    end, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    saved, left = [], [failures]

    def save(_, each):
        left[0] -= 1
        if left[0] >= 0:
            if is_newer_waiting and left[0] == failures - 1:
                end.send(encode(8, NEW))
            raise st.StoreError("no space")
        saved.append(each)
        end.shutdown(socket.SHUT_WR)

    monkeypatch.setattr(st.Store, "save", save)
    monkeypatch.setattr(kp, "RETRY_S", 0)
    end.send(encode(7, OLD))
    with its:
        kp.serve(str(tmp_path), its)
    answers = []
    while answer := end.recv(1024):
        answers.append(answer)
    end.close()
    newest, number = (NEW, 8) if is_newer_waiting else (OLD, 7)
    assert saved == [newest]
    told = min(failures, 1 + is_newer_waiting)  # of each record its first failure
    assert answers == [*[b"no space"] * told, b"saved %d" % number]


def test_the_newest_record_is_handed_over_again_after_a_full_queue(keeper, tmp_path):
    """It holds everything that the refused ones held."""
    stopped(keeper)
    count = 0
    while keeper.ok:
        keeper.submit(OLD)
        count += 1
    assert "takes no record: Resource temporarily unavailable" in keeper.line
    keeper.submit(NEW)
    kill(keeper, signal.SIGCONT)
    while not keeper.ok:
        assert select.select([keeper], [], [], GUARD_S)[0], "the keeper does not answer"
        keeper.watch(0)
    assert keeper.saved == count + 1 and stored(tmp_path) == NEW


def test_a_killed_controller_loses_no_record_that_it_handed_over(tmp_path):
    for _ in range(2):
        keeper = kp.Keeper(str(tmp_path))
        for each in (OLD, record(), NEW):
            keeper.submit(each)
        keeper.close()
        assert stored(tmp_path) == NEW


def test_a_start_after_a_kill_waits_until_the_old_keeper_has_saved(tmp_path):
    """Two keepers would overwrite records of one number and lose the first latch."""
    held, paused = st.hold(str(tmp_path)), []
    keeper = stopped(kp.Keeper(str(tmp_path), held))
    keeper.submit(NEW)
    keeper._socket.close()  # a kill closes every socket
    os.close(held)

    def pause():
        paused.append(1)
        if len(paused) == 3:
            assert not (tmp_path / st.COPIES[0]).exists()
            kill(keeper, signal.SIGCONT)
            keeper._process.wait(GUARD_S)

    held = st.hold(str(tmp_path), pause)
    assert held is not None and len(paused) == 3 and stored(tmp_path) == NEW
    os.close(held)


def test_a_killed_keeper_is_detected_and_does_not_block(keeper):
    keeper.submit(OLD)
    answered(keeper, 1)
    kill(keeper, signal.SIGKILL)
    assert answered(keeper, 2) == 1
    assert (keeper.ok, keeper.line) == (False, "the process that saves the store has ended")
    assert keeper.submit(NEW) == 2 and keeper.poll() == 1
    keeper.watch(0)
    assert not keeper.ok and keeper.is_gone


def test_a_socket_that_fails_is_a_failed_store(keeper):
    """`line` has the first reason."""
    connection = keeper._socket

    def recv(_bytes_max):
        raise ConnectionResetError(104, "Connection reset by peer")

    def send(_record):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    keeper._socket = SimpleNamespace(send=send, recv=recv, close=connection.close)
    full = "the process that saves the store takes no record: Resource temporarily unavailable"
    assert (keeper.submit(NEW), keeper.ok, keeper.line) == (1, False, full)
    assert (keeper.poll(), keeper.line) == (0, full)
    keeper.ok, keeper.line = True, ""
    assert keeper.poll() == 0
    gone = "the process that saves the store is gone: Connection reset by peer"
    assert (keeper.ok, keeper.line) == (False, gone)


def test_a_keeper_that_hangs_has_failed_after_five_seconds_until_it_answers(keeper, tmp_path):
    keeper.submit(record())
    answered(keeper, 1)
    keeper.watch(100_000_000)
    stopped(keeper).watch(900_000_000)
    assert keeper.ok, "nothing waits for it"
    keeper.submit(NEW)
    keeper.watch(905_000_000)
    assert keeper.ok
    keeper.watch(905_000_001)
    assert (keeper.ok, keeper.line) == (False, f"{tmp_path}: the store does not answer")
    kill(keeper, signal.SIGCONT)
    assert select.select([keeper], [], [], GUARD_S)[0]
    assert keeper.poll() == 2 and keeper.ok
    # poll() has read the answer: unread answers would block the keeper one day
    assert not select.select([keeper], [], [], 0)[0]
    keeper.close()
    assert stored(tmp_path) == NEW


def test_a_slow_disk_that_acknowledges_has_not_failed(keeper):
    now_us = 0
    for number in range(1, 5):
        for each in (OLD, NEW):
            keeper.submit(each)
        for saved in (2 * number - 1, 2 * number):
            keeper.watch(now_us)
            now_us += 5_000_000
            answered(keeper, saved)
            keeper.watch(now_us)
            assert keeper.ok


def test_the_first_record_may_take_as_long_as_a_process_takes_to_start(keeper):
    stopped(keeper).submit(OLD)
    for now_us, is_ok in ((7, True), (30_000_007, True), (30_000_008, False)):
        keeper.watch(now_us)
        assert keeper.ok == is_ok
    kill(keeper, signal.SIGCONT)


@pytest.mark.parametrize("name", [*st.COPIES, "store.a.new"])
def test_a_pipe_in_place_of_a_file_does_not_block_the_keeper(tmp_path, name):
    os.mkfifo(tmp_path / name)
    loaded, is_copy = st.Store(str(tmp_path)).load(), name in st.COPIES
    pipe = "it is a link, a pipe or a device; allowed a regular file"
    assert loaded.state == (st.UNREADABLE if is_copy else st.MISSING)
    assert not is_copy or loaded.lines == [f"{tmp_path / name}: unreadable: {pipe}"]
    keeper = kp.Keeper(str(tmp_path))
    keeper.submit(NEW)
    assert answered(keeper, 1) and keeper.ok
    assert stored(tmp_path) == NEW, "in the pipe's place"
    keeper.close()
    assert keeper._process.returncode == 0


STANDING_STILL = """
import sys
from controller.store import keeper, two_copies
disk, descriptor, act, hang_us = sys.argv[1:]
keeper.HANG_US = int(hang_us)
done = lambda *_: (print("opening", flush=True), open(disk).close(), print("done", flush=True))
setattr(two_copies.Store, "load", lambda self: None)
setattr(two_copies.Store, act, done)
keeper.main(".", int(descriptor))
"""


def on_hanging_disk(folder, act, hang_us):
    """(keeper whose disk hangs on load or save, the controller's end of its socket)"""
    os.mkfifo(folder / "disk")
    end, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = (str(folder / "disk"), str(its.fileno()), act, str(hang_us))
    with its:
        line, handed = [sys.executable, "-c", STANDING_STILL, *words], (its.fileno(),)
        process = subprocess.Popen(line, pass_fds=handed, stdout=subprocess.PIPE)
    if act == "save":
        end.send(encode(0, NEW))
    assert process.stdout.readline() == b"opening\n"
    return process, end


def test_a_record_received_before_the_signal_is_saved(tmp_path):
    process, end = on_hanging_disk(tmp_path, "save", 10 * GUARD_S * 1_000_000)
    end.close()
    process.send_signal(signal.SIGTERM)
    back = os.open(tmp_path / "disk", os.O_RDWR)
    assert process.stdout.readline() == b"done\n"
    assert process.wait(GUARD_S) == 0
    os.close(back)
    process.stdout.close()


@pytest.mark.parametrize("is_left", [False, True])
def test_a_keeper_on_a_hanging_disk_ends_after_the_controller(tmp_path, is_left):
    """It stays while it holds the only copy of a record."""
    process, end = on_hanging_disk(tmp_path, "load", 100_000)
    process.send_signal(signal.SIGTERM)
    # the controller lives, and the signal was for the controller
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    if is_left:
        end.send(encode(0, NEW))
    end.close()
    process.send_signal(signal.SIGTERM)
    if is_left:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.kill()
    assert process.wait(GUARD_S) == (-signal.SIGKILL if is_left else 0)
    process.stdout.close()
