"""One forked child per job, several at a time; its changes end with it. Results come back pickled.

The parent forks in its own thread and no other; a pool forks in threads that hand out the work, and
a child forked while another thread holds a lock finds that lock held for ever.
"""

import os
import pickle
import selectors
import signal
import sys
import traceback

WALL_S_MAX = 900  # a guard only: CPU limits end a job long before


def wall_s():
    """Elapsed seconds of the system; for durations that are printed and for the guard."""
    return os.times().elapsed


def cores():
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


class Child:
    """A running job: its process, its pipe, the data it has sent."""

    def __init__(self, job, work, quiet):
        self.job, self.begun_s, self.data = job, wall_s(), b""
        self.fd, write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.fd)
            _inside(work, job, write, quiet)
        os.close(write)

    def ended(self):
        """The job's result, or {"error": text} of a child that died without one."""
        os.close(self.fd)
        _, status, used = os.wait4(self.pid, 0)
        status = os.waitstatus_to_exitcode(status)
        if status == 0 and self.data:
            result = pickle.loads(self.data)
        else:
            last = self.data.decode(errors="replace")[-2000:]
            result = {"error": f"child ended with {status}: {last}"}
        times = {"wall_s": wall_s() - self.begun_s, "cpu_s": used.ru_utime + used.ru_stime}
        return result | times

    def kill(self):
        """End it before its time; its data are lost."""
        os.kill(self.pid, signal.SIGKILL)


def _inside(work, job, fd, quiet):
    """The child: nothing of the parent's clean-up runs here, whatever happens."""
    code = 70
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2) if quiet else (0,):
            os.dup2(nowhere, each)
        say(fd, work(job, fd))
        code = 0
    finally:
        if code:
            os.write(fd, traceback.format_exc().encode())
        os._exit(code)


def say(fd, result):
    """Write a result, all of it."""
    data = pickle.dumps(result)
    while data:
        data = data[os.write(fd, data) :]


def run(jobs, work, workers, wall_s_max=WALL_S_MAX, quiet=True):
    """Yield (job, result) as they end. jobs: iterable, asked when a worker is free; work(job, fd)
    returns the result, a dictionary, to which CPU and wall time are added.

    quiet: what a child prints goes nowhere. A generator that is closed early ends its children.
    """
    jobs, running = iter(jobs), {}
    with selectors.DefaultSelector() as selector:
        try:
            while _filled(jobs, running, selector, work, workers, quiet):
                for child in _finished(running, selector):
                    del running[child.fd]
                    result = child.ended()
                    yield child.job, result
                for child in running.values():
                    if wall_s() - child.begun_s > wall_s_max:
                        child.kill()
        finally:
            for child in running.values():
                child.kill()
                child.ended()


def values(jobs, work, workers, wall_s_max=WALL_S_MAX):
    """Yield what work(job) returned, as the jobs end; RuntimeError with the words of a child that
    failed.
    """
    for job, result in run(jobs, lambda job, fd: {"value": work(job)}, workers, wall_s_max):
        if "error" in result:
            raise RuntimeError(f"{job}: {result['error']}")
        yield result["value"]


def _filled(jobs, running, selector, work, workers, quiet):
    """Fork until all workers have a job or no job is left; False if nothing runs."""
    for job in jobs if len(running) < workers else ():
        child = Child(job, work, quiet)
        running[child.fd] = child
        selector.register(child.fd, selectors.EVENT_READ)
        if len(running) == workers:
            break
    return bool(running)


def _finished(running, selector):
    """The children that have closed their pipe by now; waits up to a second for data."""
    found = []
    for key, _ in selector.select(1):
        child = running[key.fd]
        chunk = os.read(child.fd, 1 << 16)
        child.data += chunk
        if not chunk:
            selector.unregister(child.fd)
            found.append(child)
    return found
