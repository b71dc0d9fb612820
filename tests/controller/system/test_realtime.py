"""Real-time set-up: the order, one line per refusal, notifications to the service manager."""

import errno
import gc
import os
import socket

import pytest

from controller.system import realtime


@pytest.fixture
def calls(monkeypatch):
    """Notes the system calls, in order, instead of making them; restores the collector."""
    seen = []

    def lock():
        seen.append(("lock", gc.isenabled(), gc.get_freeze_count()))

    def schedule(pid, policy, param):
        seen.append(("fifo", pid, policy, param.sched_priority))

    monkeypatch.setattr(realtime, "lock_memory", lock)
    monkeypatch.setattr(os, "sched_setscheduler", schedule)
    yield seen
    gc.unfreeze()
    gc.enable()


def refuse(code):
    def action(*_):
        raise OSError(code, os.strerror(code))

    return action


def test_the_collector_is_frozen_before_the_memory_is_locked_and_the_priority_comes_last(calls):
    assert realtime.prepare(40) == []
    assert [call[0] for call in calls] == ["lock", "fifo"]
    assert calls[0][1] is False and calls[0][2] > 1000
    assert calls[1][1:] == (0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 40)


def test_each_refusal_is_a_line_with_its_remedy(calls, monkeypatch):
    monkeypatch.setattr(realtime, "lock_memory", refuse(errno.ENOMEM))
    lines = realtime.prepare()
    assert not gc.isenabled() and lines == [
        "memory is not locked (Cannot allocate memory): give the service LimitMEMLOCK=infinity"
    ]
    monkeypatch.setattr(os, "sched_setscheduler", refuse(errno.EPERM))
    assert realtime.prepare()[1:] == [
        "no real-time priority (Operation not permitted): give the service LimitRTPRIO=49"
    ]


def test_a_refused_mlockall_raises_with_the_reason(monkeypatch):
    class Library:
        @staticmethod
        def mlockall(flags):
            assert flags == 3
            realtime.ctypes.set_errno(errno.EPERM)
            return -1

    monkeypatch.setattr(realtime.ctypes, "CDLL", lambda name, use_errno: Library)
    with pytest.raises(OSError, match="Operation not permitted"):
        realtime.lock_memory()


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.setblocking(False)
        yield end


def test_notifications_are_datagrams_of_assignments_also_to_an_abstract_address(manager, tmp_path):
    notifier = realtime.Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    notifier.ready("3 racks, inhibited")
    notifier.alive()
    notifier.stopping()
    heard = [manager.recv(100) for _ in range(3)]
    assert heard == [b"READY=1\nSTATUS=3 racks, inhibited", b"WATCHDOG=1", b"STOPPING=1"]
    assert notifier.dropped == 0
    name = f"firebreak-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0" + name)
        end.setblocking(False)
        realtime.Notifier({"NOTIFY_SOCKET": "@" + name}).alive()
        assert end.recv(100) == b"WATCHDOG=1"


def test_a_full_missing_or_absent_manager_never_holds_up_a_tick(manager, tmp_path):
    notifier = realtime.Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for _ in range(5000):
        notifier.alive()
    full = notifier.dropped
    assert full > 0
    manager.close()
    notifier.alive()
    assert notifier.dropped == full + 1
    notifier = realtime.Notifier({})
    notifier.alive()
    assert notifier.dropped == 0
