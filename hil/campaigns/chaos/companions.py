"""The processes that live beside a controller: recorder, gateway, page reader, serial console; and
witnesses of the machine's stalls.

Each is started as on a cabinet, with the module's own command line, and is ended by its own handle
and no other way.
"""

import json
import mmap
import os
import signal
import socket

from controller.system import sockets
from hil.campaigns import process
from hil.campaigns.chaos.shifted_clock import OFFSET
from hil.campaigns.chaos.terminal import Terminal
from hil.campaigns.chaos.witness import STALLS
from hil.campaigns.hint_attack.attack import SOURCE

HERE = __package__


class Companion:
    """One process that can be killed, stopped and started again, and tells whether it does its
    work.
    """

    def __init__(self, name, command, log_path, works):
        """command: of `python -m`; works(): (ok, sentence) whether it does what it is there for,
        or None.
        """
        self.name, self.works = name, works
        self._command, self._log_path = command, log_path
        self.process = None

    def start(self):
        """Start it, or start it again."""
        with open(self._log_path, "ab") as log:
            self.process = process.module(*self._command, stdout=log, stderr=log, process_group=0)

    @property
    def alive(self):
        """True while it runs or is stopped."""
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9, and wait for its end."""
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        """SIGSTOP, SIGCONT."""
        self.process.send_signal(number)

    def log_lines(self):
        """What it has said so far."""
        with open(self._log_path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def end(self):
        """In order, or by force."""
        if self.alive:
            self.signal(signal.SIGCONT)
            process.end(self.process)


class Shared:
    """A small mapped file of numbers, shared with a companion."""

    def __init__(self, path, layout, count=1):
        with open(path, "w+b") as file:
            file.write(bytes(layout.size * count))
            file.flush()
            self._map = mmap.mmap(file.fileno(), layout.size * count)
        self._layout = layout

    def values(self):
        """A tuple for each place."""
        return list(self._layout.iter_unpack(self._map[:]))

    def set(self, *numbers):
        """The same in every place."""
        self._map[:] = self._layout.pack(*numbers) * (len(self._map) // self._layout.size)


class Companions:
    """`recorder`, `gateway`, `reader`, `console` with its `terminal`, and a witness on each core;
    `clock_offset_us` (a Shared). For `with`.
    """

    def __init__(self, run_directory, state_directory, log_directory):
        where, state = ["--run-dir", run_directory], ["--state-dir", state_directory]
        cores = sorted(os.sched_getaffinity(0))
        offset_path, stall_path = (
            os.path.join(log_directory, name) for name in ("offset", "stall")
        )
        self.clock_offset_us = Shared(offset_path, OFFSET)
        self._stall_us = Shared(stall_path, STALLS, cores[-1] + 1)
        self.terminal = terminal = Terminal()

        def made(name, *command, works=None):
            return Companion(name, command, os.path.join(log_directory, f"{name}.log"), works)

        def gateway():
            return gateway_works(os.path.join(run_directory, "upstream.sock"))

        shifted = (f"{HERE}.shifted_clock", offset_path, "record")
        line = ("controller", "console", "--tty", terminal.slave_name)
        self.recorder = made("recorder", *shifted, *where, *state)
        self.gateway = made("gateway", "controller", "upstream", *where, works=gateway)
        self.reader = made("page reader", f"{HERE}.page_reader", run_directory, state_directory)
        self.console = made("serial console", *line, *where, *state, works=terminal.works)
        witnesses = [
            made(f"witness on core {core}", f"{HERE}.witness", stall_path, core, os.getpid())
            for core in cores
        ]
        self.all = (self.recorder, self.gateway, self.reader, self.console, *witnesses)

    def __enter__(self):
        self.terminal.__enter__()
        for each in self.all:
            each.start()
        return self

    def __exit__(self, *_):
        for each in self.all:
            each.end()
        self.terminal.__exit__()

    def take_stall_us(self):
        """(largest, sum) of the stalls of all cores since the last call."""
        found = self._stall_us.values()
        self._stall_us.set(0, 0)
        return max([worst_us for worst_us, _ in found]), sum([sum_us for _, sum_us in found])


def gateway_works(path):
    """(ok, sentence): does the gateway pass a hello to the loop, and its answer back?"""
    try:
        with socket.socket(socket.AF_UNIX) as client, sockets.short(path) as name:
            client.settimeout(5.0)
            client.connect(name)
            client.sendall(json.dumps({"hello": SOURCE}).encode() + b"\n")
            answer = json.loads(client.makefile().readline())
    except (OSError, ValueError) as error:
        return False, f"the gateway does not answer: {error}"
    return "nonce" in answer, "the gateway passes a hello and its answer on"
