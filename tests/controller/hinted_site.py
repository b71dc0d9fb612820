"""A cabinet with hint sources, sockets and keys in a folder, for tests with mark.wire."""

import contextlib
import functools
import os
import re
import select
import socket
import tempfile
import threading
from array import array
from pathlib import Path

from cabinet_bench import Bench, believed, found
from site_files import LAYER, SiteFiles

from controller.core.base import hint_codes
from controller.hints import hint_statistics, keys
from controller.hints.client import HintClient
from controller.hints.listener import HintListener
from controller.journal import journal_header
from controller.run import operator_commands
from controller.store import two_copies

SOURCES = """
[source.site_ems]
role = "grid_cap"
priority = 2
fallback_import_W_max = 350_000
[source.scheduler]
role = "request"
priority = 3
request_ramp_W_per_s = 1_000_000_000
[source.cloud]
role = "cap"
valid_s_max = 60
hints_per_s_max = 3
fallback_charge_W_max = 50_000
[source.desk]
role = "operator"
priority = 1
request_ramp_W_per_s = 1_000_000_000
"""
NAMES = ("cloud", "desk", "scheduler", "site_ems")
DAY_MIN = 29_599_200  # start of 12 April 2026, in minutes since 1970
KEYS = {name: bytes([number]) * 32 for number, name in enumerate(NAMES, 1)}


def _files(folder):
    files = SiteFiles(folder)
    own = re.findall(
        r"(?m)^\[source\..*\n(?:.+\n)*?(?=\[|\n)", files.paths[LAYER["site"]].read_text()
    )
    for table in own:
        files.replace("site", table, "")
    return files.append("site", SOURCES)


@functools.cache
def settings_of_sources():
    """Read once: the files are the same for each test."""
    with tempfile.TemporaryDirectory() as folder:
        return believed(_files(Path(folder)).load())


class HintedSite:
    def __init__(self, folder):
        self.run_dir, self.state_dir = Path(folder, "run"), Path(folder, "state")
        for path in (self.run_dir, self.state_dir):
            path.mkdir()
        (self.state_dir / "keys").mkdir(mode=0o700)
        for name, key in KEYS.items():
            self.write_key(name, key)
        settings = settings_of_sources()
        self.bench = Bench(found(two_copies.CLEAN), settings=settings)
        cabinet = self.bench.cabinet
        cabinet.journal = journal_header.open_journal(
            str(self.run_dir / "journal"), settings, cabinet.core, 1 << 20
        )
        loaded, lines = keys.load(str(self.state_dir), KEYS, 0, 0)
        assert lines == []
        self.listener = HintListener(str(self.run_dir), cabinet, loaded)
        self.commands = operator_commands.Listener(
            str(self.run_dir / "command.sock"), self.listener.change_key
        )
        self.wake = os.pipe()
        self.set_clock(DAY_MIN)

    def set_clock(self, minute, error_ms=0):
        """The words of the clock: UTC in minutes since 1970, and its error."""
        image = self.bench.cabinet.image
        first, _ = image.site_place("clock", 1)
        words = minute // 1440, minute % 1440 * 60, error_ms
        image.inp[first : first + len(words)] = array("i", words)

    def reopen(self, keys_of_sources):
        """Open the socket of another run: another nonce, sequences from 0."""
        self.listener = HintListener(str(self.run_dir), self.bench.cabinet, keys_of_sources)

    def write_key(self, name, key):
        path = self.state_dir / "keys" / f"{name}.key"
        path.write_text(key.hex() + "\n")
        path.chmod(0o600)

    def entry(self, source, quantity):
        quantities = list(hint_codes.QUANTITIES)
        return NAMES.index(source) * len(quantities) + quantities.index(quantity)

    def run(self):
        """Tick until the cabinet runs and its limits are open."""
        self.bench.tick(20).tick(198, elapsed=10)
        assert self.bench.state == "running", self.bench.state
        return self

    def step(self):
        now_us, taken = self.bench.now_us, 0
        while self.listener.hungry and select.select([self.listener], (), (), 0)[0]:
            self.listener.receive(now_us)
            taken += 1
        self.bench.tick()
        self.listener.answer(self.bench.now_us)
        return taken

    @contextlib.contextmanager
    def pumped(self):
        """A thread replaces the loop, for senders that wait for an answer."""
        thread = threading.Thread(target=self._pump)
        thread.start()
        try:
            yield self
        finally:
            os.write(self.wake[1], b".")
            thread.join()

    def _pump(self):
        while True:
            wait_s = 0 if self.bench.cabinet.image.is_schedule_entering else None
            ready = select.select([self.listener, self.commands, self.wake[0]], (), (), wait_s)[0]
            if self.wake[0] in ready:
                os.read(self.wake[0], 1)
                return
            if self.commands in ready:
                self.commands.receive(self.bench.cabinet)
            self.step()

    def client(self):
        return HintClient(str(self.run_dir))

    def statistics(self):
        return hint_statistics.read(str(self.run_dir / "hints.stats"))

    def source(self, name):
        return next(source for source in self.statistics()["sources"] if source["name"] == name)

    def close(self):
        self.listener.close()
        self.commands.close()
        self.bench.cabinet.journal.close()
        for descriptor in self.wake:
            os.close(descriptor)


def fill(path):
    """Fill the queue of hints with several sockets: each may have only so many in it."""
    sockets = []
    while True:
        sockets.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        try:
            sockets[-1].sendto(b"x", path)
        except BlockingIOError:
            return sockets
