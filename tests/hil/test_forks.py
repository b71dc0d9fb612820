"""hil.engine.forks: what a child returns; one that fails, dies or is not waited for."""

import os
import signal

import pytest

from hil.engine import forks


def test_every_job_is_done_once_and_comes_back_whole():
    for workers in (1, 2, 5):
        found = sorted(forks.values(range(7), lambda job: (job, 2 * job), workers))
        assert found == [(job, 2 * job) for job in range(7)]
    mine = []
    found = list(forks.values(["a"], lambda job: mine.append(job) or len(mine), 1))
    assert (found, mine) == ([1], [])
    size = 1 << 20
    assert list(forks.values([size], bytes, 1)) == [bytes(size)]


def test_children_that_fail_or_are_not_heard_leave_nothing_behind(monkeypatch):
    with pytest.raises(RuntimeError, match="(?s)7: child ended with 70: .*test_forks.*ZeroDivi"):
        list(forks.values([7], lambda job: job / 0, 1))
    for end, code in (
        (lambda: os._exit(3), "3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "-9"),
        (lambda: os._exit(0), "0"),
    ):
        ((_, result),) = forks.run([0], lambda job, fd: end(), 1)
        assert result["error"] == f"child ended with {code}: " and result["cpu_s"] >= 0
    ((_, result),) = forks.run([0], lambda job, fd: signal.pause(), 1, wall_s_max=-1)
    assert result["error"] == "child ended with -9: "
    pids, fork = [], os.fork
    monkeypatch.setattr(os, "fork", lambda: pids.append(fork()) or pids[-1])
    left = forks.values([0, 1], lambda job: job if job == 0 else signal.pause(), 2)
    assert next(left) == 0
    left.close()
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, 0)
