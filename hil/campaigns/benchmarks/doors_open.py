"""Runs the servers of `bench doors`, a process for each kind, with broker and mail relay."""

import contextlib
import os
import pathlib
import shutil
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from controller.doors import exposure, settings
from hil.campaigns import process
from hil.campaigns.benchmarks import mosquitto, timing
from hil.campaigns.benchmarks.mosquitto import NEW_KEY, openssl
from hil.engine import process_sockets, processes
from hil.engine.rig import RigError

HOST = "127.0.0.1"
SOURCES = ("scheduler", "site_ems")  # the second one is used to find whether all doors are open
ADDRESSES = dict(zip(SOURCES, (HOST, "127.0.0.3")))
FILE = pathlib.Path(__file__).with_name("doors.toml")
KINDS = tuple(kind for kind in settings.KINDS if kind != "local")  # `bench hint` measures local
PORTS = {"mqtt": 18830, "http": 18831, "modbus": 18832, "tls": 18833, "relay": 18834}  # of FILE
NEEDED = {"mosquitto": "mosquitto", "openssl": "openssl", "nice": "coreutils"}


def token(name: str) -> str:
    """The token of a source."""
    return f"{name}-of-the-bench".ljust(40, "-")


class Relay(socketserver.StreamRequestHandler):
    """A mail server that takes every letter."""

    def handle(self) -> None:
        """Answer one client."""
        self.wfile.write(b"220 bench\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 taken\r\n")


class Doors(processes.Processes):
    """All network servers (doors) and a recorder. As on a box, the loop has a higher priority."""

    before = ("nice", "-n", "15")  # as in firebreak-doors@.service

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.folder = pathlib.Path(directory, "doors")
        if missing := process.needed(NEEDED):
            raise RigError(missing)
        self.folder.mkdir(mode=0o700)
        _certificates(self.folder)
        self._file = str(shutil.copy(FILE, self.folder))
        for name in SOURCES:
            shutil.copy(os.path.join(self.state, "keys", f"{name}.key"), self.folder)

    def start(self) -> None:
        """Start the programs that also run without doors: recorder, broker, relay."""
        self.record()
        self._broker = mosquitto.start(self.folder, PORTS["mqtt"])
        self._relay = socketserver.ThreadingTCPServer((HOST, PORTS["relay"]), Relay)
        threading.Thread(target=self._relay.serve_forever, daemon=True).start()

    def open(self, kind: str) -> None:
        """Start the process for a kind of doors."""
        where = *self.where, "--own-dir", str(self.folder)
        self.begin(kind, "doors", kind, self._file, *where)

    def kill(self, kind: str) -> None:
        """Kill the process for a kind of doors."""
        process.kill(self.running[kind])

    def differences(self) -> list[str]:
        """Ports that a port scan finds and `doors check` does not name, and the reverse."""
        rows, lines = exposure.of(settings.load(self._file)), []
        for kind in KINDS:
            sockets = process_sockets.places(self.running[kind].pid)
            own = {(row.way, row.place) for row in rows if row.door.startswith(f"{kind}.")}
            listens = {place for way, place in own if way == exposure.LISTENS}
            odd = (sockets.listens ^ listens) | (sockets.connects - {place for _, place in own})
            lines += [f"{kind} {place}" for place in sorted(odd)]
        return lines

    def stop(self) -> None:
        """End all processes."""
        super().stop()
        self._relay.shutdown()
        self._relay.server_close()
        process.end(self._broker)


def _certificates(folder: pathlib.Path) -> None:
    """Make NAME.crt and NAME.pem for the authority, the door and its clients."""
    (folder / "door.ext").write_text(f"subjectAltName=IP:{HOST}\n", encoding="ascii")
    by_site = "-CA site.crt -CAkey site.pem -CAcreateserial -extfile door.ext".split()
    for name in ("site", "door", *SOURCES):
        is_own = name == "site"
        subject = f"/CN={SOURCES[0] if is_own else name}"
        arguments = ["-keyout", f"{name}.pem", "-subj", subject, "-out", f"{name}.crt"]
        openssl(folder, "req", *(["-x509"] if is_own else []), *NEW_KEY, *arguments)
        if not is_own:
            files = ["-in", f"{name}.crt", "-out", f"{name}.crt"]
            openssl(folder, "x509", "-req", *by_site, *files)


def until(condition: Callable[[], Any], message: str) -> None:
    """Wait until condition() is true. RigError after 60 s."""
    ends_ns = timing.now_ns() + 60_000_000_000
    while timing.now_ns() < ends_ns:
        with contextlib.suppress(OSError):
            if condition():
                return
        timing.wait_s(0.1)
    raise RigError(f"{message} after 60 s")
