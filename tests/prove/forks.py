"""One forked child per job, several at a time: what a child changes is gone with it. Results come back as JSON."""

import json
import os
import selectors
import signal
import sys
import traceback

WALL_S_MAX = 900  # a guard only: CPU limits end a job long before


def wall_s():
    """Elapsed seconds of the system; for durations that are printed and for the guard."""
    return os.times().elapsed


class Child:
    """A running job: its process, its pipe, what it has said so far."""

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
        """The job's result: what it reported, or {"error": why not} for a child that died without a word."""
        os.close(self.fd)
        _, status, used = os.wait4(self.pid, 0)
        status = os.waitstatus_to_exitcode(status)
        try:
            result = json.loads(self.data)
        except ValueError:
            result = {"error": f"child ended with {status}: {self.data.decode(errors='replace')[-2000:]}"}
        result["wall_s"] = wall_s() - self.begun_s
        result["cpu_s"] = used.ru_utime + used.ru_stime
        return result


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
    """Write a result as JSON, all of it."""
    data = json.dumps(result).encode()
    while data:
        data = data[os.write(fd, data):]


def run(jobs, work, workers, wall_s_max=WALL_S_MAX, quiet=True):
    """Yield (job, result) as they end. jobs: iterable, asked when a worker is free; work(job, fd) returns the result.

    quiet: what a child prints goes nowhere.
    """
    jobs, running = iter(jobs), {}
    with selectors.DefaultSelector() as selector:
        while True:
            for job in jobs if len(running) < workers else ():
                child = Child(job, work, quiet)
                running[child.fd] = child
                selector.register(child.fd, selectors.EVENT_READ)
                if len(running) == workers:
                    break
            if not running:
                return
            for key, _ in selector.select(1):
                child = running[key.fd]
                chunk = os.read(child.fd, 1 << 16)
                child.data += chunk
                if not chunk:
                    selector.unregister(child.fd)
                    del running[child.fd]
                    yield child.job, child.ended()
            for child in running.values():
                if wall_s() - child.begun_s > wall_s_max:
                    os.kill(child.pid, signal.SIGKILL)
