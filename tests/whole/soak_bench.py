"""The real loop on a clock that is moved by hand, and the growth of memory and descriptors."""

import ast
import contextlib
import functools
import gc
import json
import os
import re
import select
import shutil
import socket
import struct
import sys
import tracemalloc
from functools import partial

from converter_cabinet import SIGNED, converter_file
from site_files import PYLONTECH, SiteFiles

from controller.config import configuration
from controller.console import login, users
from controller.console.terminal import actions, process, session, view, words
from controller.console.terminal.line import Line
from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import Slot
from controller.hints import admission, schedule_wire as sw, wire as w
from controller.journal import journal_header
from controller.recorder.limits import Limits
from controller.recorder.process import Recorder
from controller.run import loop, operator_commands, self_test, tool_read
from controller.run.cabinet import Cabinet
from controller.run.site_clock import SiteClock
from controller.sites import FOLDER
from controller.state import watch
from controller.store import keeper, spool, stored_record, two_copies
from controller.system import clock, realtime, utc
from drivers import profile
from drivers.buses.can_port import CanPort, open_bus
from hil.engine import cabinet_file, coverage
from hil.engine.simulate import VirtualRig
from hil.site.pv import Pv
from tests.controller.doors.local_site import Stepped
from tests.exemptions import Exempt, same
from tests.plug import Plug
from tests.repository import ROOT

# Buffers, counters that leave the small integers, tables that take their last size.
BYTES_MAX = 8192
INTERNED_MAX = 200_000  # more places than its table has free after the whole suite
KEY = bytes(w.KEY_BYTES)
RING_BYTES = 1 << 20  # goes round often
SERVE_US = 50
CABINET = "pv_genset/cabinet.toml"  # has a bus of each kind
ROOMS = ("controller", "drivers", "safety")
NOT_OURS = [tracemalloc.Filter(False, name) for name in (tracemalloc.__file__, __file__)]
STRAY = struct.pack(">HHHBBB", 9, 0, 3, 1, 0x83, 2)  # a Modbus TCP answer to no request
RESET = struct.pack("ii", 1, 0)  # the end of a connection leaves no port in use


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def own_interned_texts():
    """Let the table of interned texts become full here, so that it counts as memory of this file.

    msgpack interns each key that it reads. If the table became full in a turn, which depends on
    what ran before in the process, all of its megabytes would look like memory of the turn.
    """
    for number in range(INTERNED_MAX):
        sys.intern(f"soak {number}")


def snapshot():
    """The memory that is held now, without caches that have a bound."""
    re.purge()
    # the names of attributes that are looked up by a made-up string, up to 4096
    getattr(sys, "_clear_internal_caches", sys._clear_type_cache)()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in (*ROOMS, "hil"):
            for each in vars(module).values():
                if isinstance(each, functools._lru_cache_wrapper) and each.cache_info().maxsize:
                    each.cache_clear()
    gc.collect()  # what the caches held lies in the free lists
    own_interned_texts()
    return tracemalloc.take_snapshot().filter_traces(NOT_OURS)


def assert_stays(turn, count, warm_up=400, is_loop=True, bytes_max=BYTES_MAX, only=("/", "<")):
    """`count` turns after the warm-up leave no garbage, no memory and no descriptor behind.

    is_loop: garbage counts, because the controller never collects it. Collecting also empties the
    free lists of Python, so it comes before each snapshot. only: beginnings of the files whose
    memory counts.
    """
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(warm_up):
            turn()
        gc.collect()
        opened, before = descriptors(), snapshot()
        for _ in range(count):
            turn()
        garbage, after = gc.collect(), snapshot()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert not (is_loop and garbage)
    found = after.compare_to(before, "lineno")
    found = [each for each in found if each.traceback[0].filename.startswith(only)]
    grown = sum(each.size_diff for each in found)
    assert grown <= bytes_max, (grown, *map(str, found[:4]))
    assert descriptors() == opened


class Hand:
    """The clocks of the process, and a `select` that moves them, by step_us when nothing is ready,
    instead of waiting."""

    def __init__(self, step_us):
        self.us, self.step_us, self.jumped = 10**12, step_us, lambda: None

    def select(self, reading, writing, failing, wait_s=0.0):
        ready = select.select(reading, writing, failing, 0)
        if any(ready):
            self.us += SERVE_US
        else:
            self.us += round((wait_s or 0) * 1e6) + self.step_us
            self.jumped()
        return ready

    def now_us(self):
        return self.us

    def utc_us(self):
        return self.us + 1_800_000_000_000_000

    steered_us = staticmethod(utc.steered_us)
    started_from_rtc = staticmethod(utc.started_from_rtc)

    def rule(self, monkeypatch, *modules):
        """Let it be the clock of the process and the `select` of these modules."""
        for name in ("now_us", "monotonic_us", "raw_us"):
            monkeypatch.setattr(clock, name, self.now_us)
        monkeypatch.setattr(clock, "utc_us", self.utc_us)
        for module in modules:
            monkeypatch.setattr(module, "select", self)


class Noisy(Plug):
    def make_noise(self):
        with contextlib.suppress(OSError):
            os.write(self.master, b"\1\3noise")
            os.read(self.master, 65_536)


class Keeping:
    """The process that saves the store, in this one: it acknowledges what it is given."""

    def __init__(self, monkeypatch):
        self.ends = None
        monkeypatch.setattr(keeper.subprocess, "Popen", self._begin)

    def _begin(self, command, pass_fds):
        self.ends = socket.socket(fileno=os.dup(pass_fds[0]))
        return self

    def serve(self):
        with contextlib.suppress(BlockingIOError):
            while content := self.ends.recv(65_536, socket.MSG_DONTWAIT):
                number, _ = stored_record.decode(content)
                self.ends.send(keeper.SAVED + str(number).encode())

    def wait(self):
        self.ends.close()


def everything_on(folder):
    """The cabinet with site devices, channel B and each control function that a value arms."""
    shutil.copytree(FOLDER, folder / "sites")
    kind, cabinet = (folder / "sites" / each for each in ("types/firebreak_645.toml", CABINET))
    kind.write_text(
        kind.read_text().replace('second_channel = "none"', 'second_channel = "fitted"')
    )
    link = '\n[channel_b]\nport = "/dev/serial/by-path/b"\n'
    armed = "[control]\npeak_import_W_max = 200000\ngrid_import_W_max = 300000\n"
    cabinet.write_text(cabinet.read_text() + link + armed)
    return cabinet


class SoakedLoop(contextlib.ExitStack):
    """controller.run.loop of a shipped cabinet on plugs without devices; `turn` is one tick."""

    def __init__(self, path, folder, monkeypatch, step_us):
        super().__init__()
        self.hand, self.folder, self.monkeypatch = Hand(step_us), folder, monkeypatch
        self.hand.rule(monkeypatch, loop)
        self.lans = []
        self.keeping = Keeping(monkeypatch)
        config = configuration.load(self._cabinet_file(path))
        self.virtual = self.turned = 0
        monkeypatch.setattr(loop, "can_port_of", lambda bus: CanPort(self._can(), reopen=self._can))
        self.cabinet = self._cabinet(config)
        keys = {each.name: (admission.key_of(KEY, 1),) for each in config.sources}
        self.loop = loop.Loop(self.cabinet, str(folder), realtime.Notifier({}), keys)
        self.callback(self.loop.close)
        self.callback(lambda: self.cabinet.journal.close())
        self.hand.jumped = lambda: [plug.make_noise() for plug in self.plugs.values()]
        self.deadlines = clock.Deadlines(config.tick_ms * 1000, self.hand.us)

    def _cabinet_file(self, path):
        given = configuration.load(path)
        buses = given.buses
        rtu = [bus.name for bus in buses if bus.kind == "rtu"]
        rtu += ["channel_b"] if given.channel_b else []
        self.plugs = {name: Noisy(self.folder / f"port_{name}") for name in rtu}
        for plug in self.plugs.values():
            self.callback(plug.pull_out)
        ports = {name: plug.path for name, plug in self.plugs.items()}
        ports |= {bus.name: self._lan() for bus in buses if bus.kind == "tcp"}
        wires = {"ports": ports, "cans": {bus.name: "x" for bus in buses if bus.kind == "can"}}
        made = self.folder / "cabinet.toml"
        made.write_text(cabinet_file.text({"site": path, "can_interface": "virtual"}, wires))
        return str(made)

    def _lan(self):
        """The address of a new server."""
        made = self.enter_context(socket.create_server(("127.0.0.1", 0)))
        made.setblocking(False)
        self.lans.append(made)
        return "{}:{}".format(*made.getsockname())

    def _can(self):
        self.virtual += 1
        self.bus = open_bus("virtual", f"soak {self.virtual % 8}", 500_000)
        return self.bus

    def _cabinet(self, config):
        loaded = two_copies.Loaded(two_copies.MISSING, None, [], 7)
        kept = keeper.Keeper(str(self.folder))
        self.callback(kept.close)
        made = Cabinet(config, loaded, kept)
        made.self_test = self_test.SelfTest(made.core.kernel.state_blocks())
        self.callback(made.self_test.close)
        made.site_clock = SiteClock(made.image, utc.WallClock(self.hand))
        header = journal_header.journal_header(config)  # a process computes it once
        self.monkeypatch.setattr(journal_header, "journal_header", lambda *_: header)
        made.journal = self._journal(made)
        return made

    def _journal(self, cabinet):
        path = os.path.join(self.folder, "journal")
        return journal_header.open_journal(path, cabinet.config, cabinet.core, RING_BYTES)

    def begin_journal(self):
        """A new file, as after a restart of the controller."""
        self.cabinet.journal.close()
        self.cabinet.journal, self.cabinet.sequence = self._journal(self.cabinet), 0

    def turn(self):
        """The slack and one tick; the store acknowledges."""
        self.keeping.serve()
        self.loop.turn(self.deadlines)

    def turn_over(self):
        """A turn in which a port comes back, another and the CAN bus go, and TCP is cut."""
        self.turned += 1
        plugs = list(self.plugs.values())
        plugs[(self.turned - 1) % len(plugs)].plug_in()
        plugs[self.turned % len(plugs)].pull_out()
        self.bus.shutdown()
        with contextlib.ExitStack() as clients:
            for lan in self.lans * (self.turned % 4 == 0):
                with contextlib.suppress(BlockingIOError):
                    client = clients.enter_context(lan.accept()[0])
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    client.send(STRAY)
            self.turn()


def replies(address, *datagrams):
    """Send them from a new socket; a function that drops the answers and closes it."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind("")
    made.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # the queue is full
        for each in datagrams:
            made.sendto(each, str(address))

    def end():
        with contextlib.suppress(BlockingIOError):
            while made.recv(65_536):
                pass
        made.close()

    return end


class Senders:
    """Hints and schedules of every kind, right and wrong, and the commands of operators."""

    def __init__(self, soaked):
        self.folder, self.hand = soaked.folder, soaked.hand
        self.nonce = soaked.loop.hints.admission.nonce
        self.name = soaked.cabinet.config.sources[0].name
        self.sequence = 0

    def hints(self):
        self.sequence += 2
        now_ms, first = self.hand.us // 1000, (self.name, self.nonce, self.sequence)
        later_ms = now_ms + 3000 * (self.sequence % 4 == 0)
        kind, quantity = w.quantity_of("power_W")
        hint = w.Hint(*first, now_ms, kind, quantity, 0, 1000, 5000, later_ms)
        if self.sequence % 6 == 0:
            hint = hint._replace(kind=h.NOTICE, quantity=h.STEP_W, start_ms=now_ms + 1000)
        start_min = self.hand.utc_us() // 60_000_000 + 1
        slots = (Slot(1000, -1000, 1000, 500),) * 4
        schedule = sw.Schedule(
            self.name, self.nonce, self.sequence + 1, now_ms, start_min, 15, 0, slots
        )
        return (
            w.signed(hint, KEY),
            sw.signed(schedule, KEY),
            w.signed(hint, bytes(w.KEY_BYTES - 1) + b"\1"),
            w.hello("nobody"),
            w.hello(self.name),
            w.status(self.name),
            sw.read(self.name),
            b"garbage",
        )

    def commands(self):
        """A command of an operator, another one each turn, and a datagram that is no command."""
        person = operator_commands.LOCK
        magic, seen = operator_commands.MAGIC, (-1, 0, -1, 0)
        plain = [operator_commands.REQUEST.pack(magic, what, *seen) for what in range(1, 7)]
        plain += [operator_commands.REQUEST.pack(magic, operator_commands.STEP, 1, 1000, 1000, 0)]
        read = magic, tool_read.READ_ONE, b"meter_grid", 9, 3, 0, 1
        plain += [tool_read.READ.pack(*read)]
        plain += [person.pack(magic, what, b"ann") for what in (21, 22)]
        key = operator_commands.KEY_CHANGE
        plain += [key.pack(magic, what, w.name_field("nobody"), KEY, 1) for what in (11, 13)]
        plain += [key.pack(magic, what, w.name_field(self.name), KEY, 1) for what in (11, 12)]
        plain += [operator_commands.APPROVAL.pack(magic, 31, b"ann", 1)]
        return bytes(8) + plain[self.sequence // 2 % len(plain)], b"none"

    def send(self):
        """Send a turn's worth; a function that drops the answers."""
        ends = [
            replies(self.folder / "hints.sock", *self.hints()),
            replies(self.folder / "command.sock", *self.commands()),
        ]
        return lambda: [end() for end in ends]


def by_registers(folder):
    """The example with a converter and meters by registers, each of several reads."""
    steps = "[[setup]]\naddress = 14\nfunction = 3\nequals = [0, 1, 2, 3]\ntimeout_ms = 500\n"
    steps += 'fault = "no state"\n'
    text = SIGNED.replace("restart_silence_ms = 2000", "restart_silence_ms = 500")
    path = converter_file(folder / "registers", text.replace("[heartbeat]", f"{steps}[heartbeat]"))
    site, meter = path.parent / "site.toml", "firebreak_fast_meter"
    site.write_text(site.read_text().replace(f'"{meter}"', f'"{meter}.toml"'))
    text = (profile.FOLDER / f"{meter}.toml").read_text()
    more = "refresh_ms = 20\nregisters_per_read_max = 18"
    (path.parent / f"{meter}.toml").write_text(text.replace("refresh_ms = 20", more))
    return path


def rack_by_registers(folder):
    """The Pylontech cabinet with a rack BMS on a serial line."""
    files = SiteFiles(folder / "rack", PYLONTECH)
    files.replace("type", 'kind = "can"\nbitrate_bps = 500000', 'kind = "rtu"\nbaud_Bd = 57600')
    files.replace("type", "modules = 0 ", "modules = 2 ").replace(
        "type", "cells = 15", "cells = 16"
    )
    files.replace("type", '"pylontech_lv"\nbus = "can0"', '"bcu_ems"\nbus = "can0"\nunit_id = 1')
    plug = '"/dev/serial/by-path/platform-xhci-usb-0:1.9:1.0-port0"'
    files.replace("cabinet", 'interface = "socketcan"\nchannel = "can0"', f"port = {plug}")
    files.say("site", "not_fitted.bms_map", '"N. N., 2026-01-01: test"')
    return files.paths[-1]


class RunningCabinet:
    """Cabinet and devices of the rig in virtual time; a device at a time is silent for 0.8 s."""

    SILENT_STEPS = 40

    def __init__(self, path):
        config = coverage.loaded(path)
        self.rig = VirtualRig(config, self._load_W, plant_config={"soc": 0.55})
        for wire in self.rig.controller.wires.values():
            wire.tap = None  # the observer of the rig keeps frames
        names = [each for each in self.rig.cabinet.devices if "io" not in each]  # they latch
        names.sort(key=lambda name: ("pcs" not in name, name))
        self.devices = [self.rig.cabinet.devices[name] for name in names]
        self.turned = 0
        # until each device has been silent once
        self.cycle_steps = 2 * self.SILENT_STEPS * len(self.devices)
        for part in self.rig.plant.site.parts:
            if isinstance(part, Pv):
                part.signals = partial(self._signals, part.signals)

    @staticmethod
    def _load_W(t_s):
        """Steps and a ripple, so that tracking and the test of the meter have work."""
        return 250_000.0 + 60_000 * (t_s // 3 % 2) + 3000 * (round(t_s * 50) % 7)

    def _signals(self, of_part):
        """Signals of a PV inverter, in a quarter of the time with a power that no inverter has."""
        is_wrong = self.turned // self.SILENT_STEPS % 4 == 2
        return of_part() | {"power_W": -100_000} if is_wrong else of_part()

    def turn(self):
        number, step = divmod(self.turned, self.SILENT_STEPS)
        for place, device in enumerate(self.devices if not step else ()):
            device.silent = number % 2 == 1 and place == number // 2 % len(self.devices)
        self.turned += 1
        self.rig.step()


class Companions:
    """The recorder, the gateway and the console beside a loop that is soaked."""

    def __init__(self, soaked, monkeypatch):
        self.soaked, self.hand = soaked, soaked.hand
        self.folder, self.turned = str(soaked.folder), 0
        self.hand.rule(monkeypatch, process)
        soaked.callback(self.close)
        monkeypatch.setattr(watch, "UPDATES_MAX", 5)  # an hour, then the console forgets all
        monkeypatch.setattr(users, "N", 2)  # a wrong password costs 0.2 s otherwise
        for _ in range(3):
            soaked.turn()

    def record(self):
        self.recorder = Recorder(self.folder, self.folder, Limits(), list, self.hand)
        self.closing = self.recorder.close
        self.soaked.cabinet.keyframe_ticks = 5  # it holds what follows the last keyframes
        return self._recorded

    def _recorded(self):
        self.turned += 1
        self._restart()
        spool.put(self.folder, self.hand.us, "ACK", f"act {self.turned}")
        self.soaked.turn()
        self.recorder.step()

    def serve(self):
        """A door with a lost serial line, and a client that comes and goes."""
        self.plug = Plug(os.path.join(self.folder, "line"))
        self.served = Stepped(self.folder, serial=self.plug.path)
        self.closing, self.served_us = self.served.close, 0
        source = self.soaked.cabinet.config.sources[0].name
        asked = [{"hello": source}, {"status": source}, {"schedule": source}, {"head": True}]
        self.asked = [*asked, {"hello": "nobody"}, {"value_W": 1}, {"ask": 1}]
        return self._served

    def _served(self):
        self.turned += 1
        client = self.served.client()
        message = self.asked[self.turned % len(self.asked)]
        client.sendall(json.dumps(message).encode() + b"\n")
        (self.plug.plug_in if self.turned % 2 else self.plug.pull_out)()
        self.served.turn(self.served_us)
        self.soaked.turn()
        self.served.turn(self.served_us)
        self.served.received(client)
        self.served.opened.pop().close()
        self.served_us += 2_100_000  # what got no answer ends
        self.served.turn(self.served_us)

    def show(self):
        """A console on a serial line: a page each turn, and a login that fails."""
        self.master, slave = os.openpty()
        line = Line(os.ttyname(slave), 115_200)
        os.close(slave)
        seen = view.View(self.folder, self.folder, pause=lambda: None)
        actor = login.ActorLock(os.path.join(spool.folder(self.folder), "actor"))
        failures = login.Failures(os.path.join(self.folder, "tty.failed"))
        acts = actions.Actions(self.folder, self.folder, self.folder, "tty")
        about = seen, acts, actor, failures, self.folder, "tty", 300_000_000
        person = session.Session(*about)
        self.console = process.Console(line, person, seen, quit_ends=False, now_us=self.hand.now_us)
        self.closing = self.console.close
        self.keys = [*words.PAGE_OF_KEY, " ", "l", "ann\rx\r", "\x0c"]
        return self._shown

    def _restart(self):
        if self.turned % 10 == 0:
            self.soaked.begin_journal()
            self.soaked.turn()
            self.soaked.turn()

    def _shown(self):
        self.turned += 1
        self._restart()
        self.soaked.turn()
        os.write(self.master, self.keys[self.turned % len(self.keys)].encode())
        for _ in range(3):
            self.console.turn()
        os.read(self.master, 65_536)

    def close(self):
        self.closing()


# Rooms whose functions of time no soak needs to run; every other one is searched, also a new room.
UNTIMED_ROOMS = {
    **same(
        Exempt(
            "memory of a companion or a command, which may start again; the loop loads none of it",
            "tests/controller/run/test_lean.py::test_the_running_controller_loads_no_other_package",
        ),
        "controller/audit",
        "controller/console",
        "controller/dispatch",
        "controller/documents",
        "controller/doors",
        "controller/mqtt",
        "controller/planner",
        "controller/recorder",
        "controller/series",
        "controller/state",
        "controller/systemd",
        "controller/watch",
        "controller/workbench",
    ),
    "controller/config": Exempt(
        "none while it runs once, at the start",
        "tests/whole/test_soak.py::test_the_loop_keeps_its_size_on_silent_wires",
    ),
    **same(
        Exempt(
            "a part that no soak reaches; it has no clock and runs as a whole each tick",
            "tests/whole/test_soak.py::test_a_running_cabinet_keeps_its_size",
        ),
        "controller/core",
        "safety",
    ),
}
TIME_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*_(US|MS|S|TICKS)(_MAX|_MIN)?")
TIME_NOW = re.compile(r"_?(now|monotonic)_(us|ms)|elapsed_(ticks|ms)|elapsed")


def names(node):
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def is_timed(function):
    """True for a function with a constant of time, or that stores a time made of now."""
    stores = [
        each
        for each in ast.walk(function)
        if isinstance(each, (ast.Assign, ast.AugAssign)) and "_us" in ast.unparse(each)
    ]
    made = set().union(*[names(each.value) for each in stores]) if stores else set()
    return any(map(TIME_CONSTANT.fullmatch, names(function))) or any(map(TIME_NOW.fullmatch, made))


def room_of(path):
    """The room of a file below ROOT: a folder of the controller, or another tree."""
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[: 2 if parts[0] == "controller" else 1])


def timed_functions(left_out=UNTIMED_ROOMS):
    """Names "folder/file.py function" of the functions that do something after a time."""
    for path in sorted([path for tree in ROOMS for path in (ROOT / tree).rglob("*.py")]):
        for each in ast.walk(ast.parse("" if room_of(path) in left_out else path.read_text())):
            if isinstance(each, ast.FunctionDef) and each.name != "__init__" and is_timed(each):
                yield f"{path.relative_to(ROOT)} {each.name}"


@contextlib.contextmanager
def called():
    """The names, as of timed_functions, of the functions that are called inside."""
    codes = set()
    before = sys.gettrace()
    sys.settrace(lambda frame, event, _: codes.add(frame.f_code))
    found = set()
    try:
        yield found
    finally:
        sys.settrace(before)
        for code in codes:
            if code.co_filename.startswith(f"{ROOT}/"):
                found.add(f"{code.co_filename[len(str(ROOT)) + 1 :]} {code.co_name}")
