"""Runs each job in a forked child, several at a time. Results come back pickled.

A job cannot change the parent. Only the parent's main thread forks. A pool would fork in a worker
thread, and the child would keep for ever the locks that other threads held at that moment.
"""

import itertools
import os
import pickle
import resource
import selectors
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

WALL_S_MAX = 900  # only guards against a hang; CPU limits end a job much earlier


def wall_s() -> float:
    """Elapsed seconds of the system, for printed durations and for the guard."""
    return os.times().elapsed


def cpu_s() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cores() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


class Child:
    """A running job: its process, its pipe, the data received so far."""

    def __init__(self, job: Any, work: Callable[[Any, int], dict], quiet: bool) -> None:
        self.job, self.began_s, self.data = job, wall_s(), b""
        self.fd, write_fd = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.fd)
            _run_in_child(work, job, write_fd, quiet)
        os.close(write_fd)

    def reap(self) -> dict:
        """Wait for the child. Returns the result of its job; {"error": text} if it has none."""
        os.close(self.fd)
        _, status, used = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0 and self.data:
            result = pickle.loads(self.data)
        else:
            output = self.data.decode(errors="replace")[-2000:]
            result = {"error": f"child ended with {code}: {output}"}
        times = {"wall_s": wall_s() - self.began_s, "cpu_s": used.ru_utime + used.ru_stime}
        return result | times

    def kill(self) -> None:
        """Kill the child; its data are lost."""
        os.kill(self.pid, signal.SIGKILL)


def _run_in_child(work: Callable[[Any, int], dict], job: Any, fd: int, quiet: bool) -> NoReturn:
    """Run the job in the child; os._exit keeps the parent's clean-up from running here too."""
    code = 70
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2) if quiet else (0,):
            os.dup2(nowhere, descriptor)
        say(fd, work(job, fd))
        code = 0
    finally:
        if code:
            os.write(fd, traceback.format_exc().encode())
        os._exit(code)


def say(fd: int, result: dict) -> None:
    """Write the whole result to the pipe."""
    data = pickle.dumps(result)
    while data:
        data = data[os.write(fd, data) :]


def run(
    jobs: Iterable,
    work: Callable[[Any, int], dict],
    workers: int,
    wall_s_max: float = WALL_S_MAX,
    quiet: bool = True,
) -> Iterator[tuple[Any, dict]]:
    """Yield (job, result) as the jobs end. The next job is taken from `jobs` when a worker is free.
    work(job, fd) returns a dictionary, to which CPU and wall time are added. quiet: the children
    print nothing. Closing the generator early kills the children.
    """
    jobs = iter(jobs)
    running: dict[int, Child] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while _filled(jobs, running, selector, work, workers, quiet):
                for child in _finished(running, selector):
                    del running[child.fd]
                    yield child.job, child.reap()
                for child in running.values():
                    if wall_s() - child.began_s > wall_s_max:
                        child.kill()
        finally:
            for child in running.values():
                child.kill()
                child.reap()


def values(
    jobs: Iterable, work: Callable[[Any], Any], workers: int, wall_s_max: float = WALL_S_MAX
) -> Iterator[Any]:
    """Yield the results of work(job) as the jobs end. RuntimeError: the text of a failed child."""
    for job, result in run(jobs, lambda job, fd: {"value": work(job)}, workers, wall_s_max):
        if "error" in result:
            raise RuntimeError(f"{job}: {result['error']}")
        yield result["value"]


def _filled(
    jobs: Iterator,
    running: dict[int, Child],
    selector: selectors.BaseSelector,
    work: Callable[[Any, int], dict],
    workers: int,
    quiet: bool,
) -> bool:
    """Fork until all workers have a job or no job is left; False if nothing runs."""
    for job in itertools.islice(jobs, workers - len(running)):
        child = Child(job, work, quiet)
        running[child.fd] = child
        selector.register(child.fd, selectors.EVENT_READ)
    return bool(running)


def _finished(running: dict[int, Child], selector: selectors.BaseSelector) -> list[Child]:
    """The children that have closed their pipe. Waits up to a second for data."""
    finished = []
    for key, _ in selector.select(1):
        child = running[key.fd]
        chunk = os.read(child.fd, 1 << 16)
        child.data += chunk
        if not chunk:
            selector.unregister(child.fd)
            finished.append(child)
    return finished
