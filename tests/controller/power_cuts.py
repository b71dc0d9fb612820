"""Kills and power cuts of a real recorder process at seeded instants, for tests with mark.wire."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from recorder_bench import FakeClocks, Place
from recorder_feed import Feed

from controller.recorder.limits import Limits
from controller.recorder.process import Recorder
from controller.store import chain
from tests.repository import ROOT

SECTOR_BYTES = 512
GUARD_S = 30.0
CALLS = "openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink,fallocate"
STRACE = ("strace", "-f", "-y", "-xx", "-s", "2000000", "-e", f"trace={CALLS}", "-o")
LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
SHORT = ("--capture-before-s", "2", "--capture-after-s", "2")
UNUSED = ("-shm", "record.lock", "/journal")


def start(run_dir, state_dir, *before, stderr=subprocess.DEVNULL):
    """Start the recorder with short captures; before: the words ahead of its command."""
    where = ("--run-dir", str(run_dir), "--state-dir", str(state_dir))
    command = [*before, sys.executable, "-m", "controller", "record", "run", *where, *SHORT]
    return subprocess.Popen(command, cwd=ROOT, stderr=stderr, text=True)


def trips_of(place):
    """[(sequence, instance)] as recorded; [] without a database or while it is empty."""
    statement = "SELECT sequence, text, scope FROM events WHERE kind = 'trip' ORDER BY id"
    try:
        rows = place.query(statement)
    except FileNotFoundError:  # killed as it made the file
        return []
    return [
        (sequence, text.partition(":")[0] + ("" if scope == "cabinet" else f".{scope}"))
        for sequence, text, scope in rows
    ]


def until(condition):
    guard_s = time.monotonic() + GUARD_S
    while not condition() and time.monotonic() < guard_s:
        time.sleep(0.05)


def kills(folder, cuts, seed, frames_max=500):
    """SIGKILL the recorder at `cuts` instants; (trips fed, trips recorded, broken chains)."""
    draw, place, broken = random.Random(seed), Place(folder), 0
    feed = Feed(place.run_dir, seed)
    for _ in range(cuts):
        process = start(place.run_dir, place.state_dir)
        _feed(feed, draw.randrange(frames_max))
        process.kill()
        process.wait()
        broken += trips_of(place) != [] and not place.verdict().intact
    process = start(place.run_dir, place.state_dir)
    until(lambda: len(trips_of(place)) >= len(feed.trips))
    process.terminate()
    process.wait()
    feed.close()
    return feed.trips, trips_of(place), broken + (not place.verdict().intact)


def _feed(feed, frames):
    for _ in range(frames):
        feed.frame()
        time.sleep(0.002)  # a recorder that starts must fall into some of the cuts


def traced_run(place, log, frames, seed):
    """Operations under strace on the state directory and the published head, in order."""
    feed = Feed(place.run_dir, seed)
    process = start(place.run_dir, place.state_dir, *STRACE, str(log))
    until((place.run_dir / "record.head").exists)
    _feed(feed, frames)
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)  # the recorder: strace ends with it
    process.wait()
    feed.close()
    with open(log, encoding="ascii", errors="replace") as file:
        ops = [op for op in map(parsed, file) if op]
    return [op for op in ops if op[1].startswith(str(log.parent)) and not op[1].endswith(UNUSED)]


def parsed(line):
    """(call, path, argument, content) of a line of strace that succeeded, else None."""
    match = LINE.match(line)
    if not match or int(match[3]) < 0:
        return None
    # strings are all hexadecimal: no comma in them
    call, arguments, result = match[1], match[2].split(", "), int(match[3])
    if call == "openat":
        path = os.path.join(_of_descriptor(arguments[0]), _text(arguments[1]))
        how = ("open", path, "O_TRUNC" in arguments[2], b"")
        return how if "O_CREAT" in arguments[2] else None
    if call in ("rename", "unlink"):
        return call, _text(arguments[0]), _text(arguments[-1]), b""
    path = _of_descriptor(arguments[0])
    if call in ("write", "pwrite64"):
        at = int(arguments[3]) if call == "pwrite64" else None
        return "write", path, at, _bytes(arguments[1])[:result]
    if call == "ftruncate":
        return "truncate", path, int(arguments[1]), b""
    return ("sync", path, None, b"") if call in ("fsync", "fdatasync") else None


def _of_descriptor(text):
    return _text(text.partition("<")[2].rpartition(">")[0])


def _bytes(text):
    return bytes(int(each, 16) for each in ESCAPE.findall(text))


def _text(text):
    return _bytes(text).decode() if "\\x" in text else text.strip('"')


class Disk:
    """Files as programs see them, and the part of them that a power cut leaves for sure."""

    def __init__(self):
        self.names, self.durable_names = {}, {}  # path: file
        self.pending_names = []  # changes of names since the last sync of the directory

    def apply(self, op):
        call, path, argument, content = op
        if call == "open":
            if path not in self.names:
                self._name(("set", path, File()))
            elif argument:
                self.names[path].truncate(0)
        elif call == "write":
            self.names[path].write(content, argument)
        elif call == "truncate":
            self.names[path].truncate(argument)
        elif call == "rename":
            self._name(("move", path, argument))
        elif call == "unlink":
            self._name(("drop", path, None))
        elif path in self.names:
            self.names[path].sync()
        else:
            self._sync_directory(path)

    def _name(self, change):
        _change(self.names, change)
        self.pending_names.append(change)

    def _sync_directory(self, directory):
        for change in self.pending_names:
            if os.path.dirname(change[1]) == directory:
                _change(self.durable_names, change)
        self.pending_names = [
            change for change in self.pending_names if os.path.dirname(change[1]) != directory
        ]

    def after_cut(self, draw):
        """{path: content}: names in order up to a drawn point, unsynced 512 byte sectors drawn."""
        names = dict(self.durable_names)
        for change in self.pending_names[: draw.randint(0, len(self.pending_names))]:
            _change(names, change)
        return {path: file.after_cut(draw) for path, file in names.items()}


def _change(names, change):
    what, path, argument = change
    if what == "set":
        names[path] = argument
    elif path in names:
        file = names.pop(path)
        if what == "move":
            names[argument] = file


class File:
    def __init__(self):
        self.now, self.durable, self.later = bytearray(), b"", []

    def write(self, content, at):
        at = len(self.now) if at is None else at
        _put(self.now, content, at)
        self.later.append((at, content))

    def truncate(self, size):
        _resize(self.now, size)
        self.later.append((size, None))

    def sync(self):
        self.durable, self.later = bytes(self.now), []

    def after_cut(self, draw):
        content = bytearray(self.durable)
        for at, written in self.later:
            if written is None:
                if draw.random() < 0.5:
                    _resize(content, at)
                continue
            for first in range(0, len(written), SECTOR_BYTES):
                if draw.random() < 0.5:
                    _put(content, written[first : first + SECTOR_BYTES], at + first)
        return bytes(content)


def _put(content, written, at):
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(written)] = written


def _resize(content, size):
    del content[size:]
    content.extend(bytes(size - len(content)))


def power_cuts(folder, cuts, seed, frames):
    """Cut the power at `cuts` instants; (events published, lines of what was wrong after)."""
    draw, place = random.Random(seed), Place(folder)
    ops = traced_run(place, folder / "strace", frames, seed)
    instants = sorted(draw.randrange(len(ops)) for _ in range(cuts))
    disk, published, failures, at = Disk(), (0, chain.START), [], 0
    for number, instant in enumerate(instants):
        for op in ops[at:instant]:
            published = _published(op, disk) or published
            disk.apply(op)
        at = instant
        left = {
            os.path.relpath(path, place.state_dir): content
            for path, content in disk.after_cut(draw).items()
            if path.startswith(str(place.state_dir))
        }
        failures += _reopen(folder / f"cut_{number}", left, published)
    return published[0], failures


def _published(op, disk):
    if op[0] != "rename" or not str(op[2]).endswith("record.head"):
        return None
    head = json.loads(bytes(disk.names[op[1]].now))
    return head["id"], bytes.fromhex(head["hash"])


def _reopen(folder, files, published):
    """Start a recorder on these files. Returns a line for each error."""
    place = Place(folder)
    for name, content in files.items():
        target = place.state_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    where = str(place.run_dir), str(place.state_dir)
    recorder = Recorder(*where, Limits(), lambda line: None, FakeClocks())
    recorder.step()
    recorder.close()
    found = place.verdict(published[1])
    wrong = [f"{folder.name}: {line}" for line in found.breaks]
    if found.events < published[0]:
        wrong.append(f"{folder.name}: {found.events} events, {published[0]} were published")
    shutil.rmtree(folder)
    return wrong
