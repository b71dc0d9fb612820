"""A simulated cabinet behind real ptys and a CAN server, for tests with mark.wire only."""

import contextlib
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from site_files import SITES

from controller.config import configuration
from controller.journal.ring import JournalError
from controller.journal.snapshot import Snapshot
from controller.sites import EXAMPLE
from controller.store import two_copies
from controller.system import realtime
from hil.engine.cabinet import SimulatedCabinet
from hil.engine.run_directory import accept_signs, approved
from hil.wires.can_server import CanServer
from hil.wires.pty_wire import PtyWire
from hil.wires.virtual_can import VirtualCan
from tests.repository import ROOT

STEP_US = 20_000
GUARD_S = 40.0  # a hang guard: nothing here waits for a time
FILE = """schema = 1
layer = "cabinet"
extends = "{site}"
name = "Wired"
"""


class WiredSite:
    """Plant, devices, wires and files of a cabinet; real-time, as 0.5 s of silence trips rows."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = configuration.load(EXAMPLE)
        self.cabinet = SimulatedCabinet(self.config, lambda t_s: 300_000.0, 1, {"soc": 0.55})
        self.requests = {}  # bus: how many chunks the controller has sent on it
        self.ptys, self.servers, self.cans, self.started = {}, [], [], []
        lines = [FILE.format(site=SITES / "example" / "site.toml")]
        for bus in self.config.buses:
            lines.append(self._can(bus) if bus.kind == "can" else self._serial(bus))
        self.file = self.folder / "cabinet.toml"
        self.file.write_text("".join(lines))
        self.state = self.folder / "state"
        self.state.mkdir()
        self.store = two_copies.Store(str(self.state))
        self.store.save(approved(self.config))
        accept_signs(self.config, str(self.state))
        self._journal = self._snapshot = None
        with contextlib.suppress(PermissionError):
            realtime.take_fifo(realtime.FIFO_PRIORITY)
        self.start_ns, self.step_due_us, self.last_us = time.monotonic_ns(), 0, 0

    def _can(self, bus):
        can = VirtualCan(bus.name)
        self.cabinet.join(can)
        self.cans.append(can)
        self.servers.append(CanServer(can))
        channel = f"127.0.0.1:{self.servers[-1].port}/{bus.name}"
        return f'[bus.{bus.name}]\ninterface = "socketcand"\nchannel = "{channel}"\n'

    def _serial(self, bus):
        self.requests[bus.name] = 0
        self.plug(bus.name)
        return f'[bus.{bus.name}]\nport = "{self.folder / bus.name}"\n'

    def plug(self, name):
        bus = next(bus for bus in self.config.buses if bus.name == name)
        heard, receive = (
            lambda _, is_up, __: self._heard(name, is_up),
            self.cabinet.slaves[name].receive,
        )
        self.ptys[name] = wire = PtyWire(bus.baud_Bd, bus.character_bits, receive, heard)
        link = self.folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(wire.slave_name)

    def unplug(self, name):
        self.ptys.pop(name).close()
        (self.folder / name).unlink()

    def _heard(self, name, is_up):
        if not is_up:
            self.requests[name] += 1

    def start(self, *arguments, stderr=subprocess.PIPE):
        where = "--run-dir", str(self.folder), "--state-dir", str(self.state)
        line = [sys.executable, "-m", "controller", "run", str(self.file), *where, *arguments]
        process = subprocess.Popen(line, cwd=ROOT, stderr=stderr, text=True)
        self.started.append(process)
        return process

    def now_us(self):
        return (time.monotonic_ns() - self.start_ns) // 1000

    def serve_until(self, happened):
        guard_us = self.now_us() + round(GUARD_S * 1e6)
        while not happened():
            assert self.now_us() < guard_us, "nothing happened"
            self._serve()

    def _serve(self):
        now_us = self.now_us()
        due_us = min(self.step_due_us, *[wire.next_us for wire in self.ptys.values()])
        waiting = [*self.ptys.values(), *self.servers]
        select.select(waiting, (), (), max(0, due_us - now_us) / 1e6)
        now_us = self.now_us()
        for wire in list(self.ptys.values()):
            wire.service(now_us)
        if now_us >= self.step_due_us:
            self._step(now_us)
        for server in self.servers:
            server.service(now_us)

    def _step(self, now_us):
        self.step_due_us = now_us + STEP_US
        self.cabinet.plant.step(max(1, min(now_us - self.last_us, 1_000_000)) / 1e6)
        self.last_us = now_us
        self.cabinet.tick(now_us, {can.name: can for can in self.cans})

    @property
    def contactors(self):
        return [rack.contactor_state for rack in self.cabinet.plant.racks]

    def running(self):
        return self.cabinet.plant.relays.pcs_enable and self.contactors == [2, 2, 2]

    def seen(self):
        try:
            journal = os.stat(self.folder / "journal").st_ino
            if journal != self._journal:
                self._snapshot, self._journal = Snapshot(str(self.folder / "journal")), journal
        except (FileNotFoundError, JournalError):
            return None
        return self._snapshot if self._snapshot.update() else None

    def standing(self):
        seen = self.seen()
        return None if seen is None else seen.standing

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()
        for each in [*self.ptys.values(), *self.servers]:
            each.close()
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def said(process):
    """Messages of a controller that has ended, without those about permissions of this machine."""
    lines = process.stderr.read().splitlines()
    permissions = "real-time priority", "memory is not locked"
    return [line for line in lines if not any(words in line for words in permissions)]
