"""The doors of `bench doors`: broker, relay and each kind in a process of its own, on loopback."""

import hashlib
import os
import pathlib
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Callable

from controller.doors import exposure, settings
from hil.campaigns import process
from hil.campaigns.benchmarks import ports, timing
from hil.engine import processes
from hil.engine.rig import RigError

SOURCES = ("scheduler", "site_ems")  # the second one is the honest client beside a hostile first
ADDRESSES = dict(zip(SOURCES, ("127.0.0.1", "127.0.0.3")))
PORTS = {name: 18830 + at for at, name in enumerate(("mqtt", "http", "modbus", "tls", "relay"))}
NEEDED = {"mosquitto": "mosquitto", "openssl": "openssl", "nice": "coreutils"}
NICE = ("nice", "-n", "15")  # as in firebreak-doors@.service
BROKER = f"""listener {PORTS["mqtt"]} 127.0.0.1
user root
allow_anonymous true
persistence false
max_queued_messages 0
set_tcp_nodelay true
"""
FILE = f"""
[mqtt.bench]
host = "127.0.0.1"
port = {PORTS["mqtt"]}
tls = false
cabinet = "bench"
sources = ["scheduler", "site_ems"]
[http.bench]
port = {PORTS["http"]}
requests_per_min_max = 6000
[modbus.plain]
port = {PORTS["modbus"]}
may = "request"
[modbus.tls]
port = {PORTS["tls"]}
may = "request"
certificate = "door.crt"
certificate_key = "door.pem"
client_authority = "site.crt"
[alarms.bench]
server = "127.0.0.1:{PORTS["relay"]}"
tls = "none"
from = "box@site.example"
to = ["desk@site.example"]
"""
NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split()


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
                self.server.letters += 1  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 taken\r\n")


class Doors(processes.Processes):
    """All of them, each below the priority of the loop as on a box; `kill` ends with SIGKILL."""

    before = NICE

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        if missing := process.needed(NEEDED):
            raise RigError(missing)
        self.folder = pathlib.Path(directory, "doors")
        self.folder.mkdir(mode=0o700)
        for name in SOURCES:
            shutil.copy(os.path.join(directory, "state", "keys", f"{name}.key"), self.folder)
        _certificates(self.folder)
        (self.folder / "doors.toml").write_text(_text(), encoding="ascii")
        self.settings = settings.load(str(self.folder / "doors.toml"))
        self.letters = 0
        self._state = os.path.join(directory, "state")

    def start(self) -> None:
        """Start broker and relay: they are no part of the box."""
        (self.folder / "mosquitto.conf").write_text(BROKER, encoding="ascii")
        program = shutil.which("mosquitto", path=process.search_path()) or "mosquitto"
        self._broker = subprocess.Popen(
            [program, "-c", str(self.folder / "mosquitto.conf")], stderr=subprocess.DEVNULL
        )
        self._relay = socketserver.ThreadingTCPServer(("127.0.0.1", PORTS["relay"]), Relay)
        self._relay.letters = 0  # type: ignore[attr-defined]
        threading.Thread(target=self._relay.serve_forever, daemon=True).start()

    def record(self) -> None:
        """Start the recorder, which a box has without doors too."""
        self.begin("recorder", "record", *self._where())

    def open(self, kind: str) -> None:
        """Start the process of a kind."""
        path = str(self.folder / "doors.toml")
        self.begin(kind, "doors", kind, path, *self._where(), "--own-dir", str(self.folder))

    def kill(self, kind: str) -> None:
        """End it at once."""
        self.running[kind].kill()
        self.running[kind].wait()

    def pids(self) -> dict[str, int]:
        """{kind: process}."""
        return {kind: self.running[kind].pid for kind in settings.KINDS}

    def differences(self) -> list[str]:
        """Places of a port scan that are not in the table of `doors check`, and the reverse."""
        rows, out = exposure.of(self.settings), []
        for kind, pid in self.pids().items():
            found, own = ports.places(pid), [row for row in rows if row.door.startswith(f"{kind}.")]
            listens = {row.place for row in own if row.way == exposure.LISTENS}
            connects = {row.place for row in own if row.way == exposure.CONNECTS}
            odd = (found.listens ^ listens) | (found.connects - connects)
            out += [f"{kind} {place}" for place in sorted(odd)]
        return out

    def stop(self) -> None:
        """End all."""
        super().stop()
        self._relay.shutdown()
        self._relay.server_close()
        self.letters = self._relay.letters  # type: ignore[attr-defined]
        process.end(self._broker)

    def _where(self) -> tuple[str, ...]:
        return "--run-dir", self.directory, "--state-dir", self._state


def _text() -> str:
    parts = [
        f'[source.{name}]\nkey = "{name}.key"\nmay = "request"\nhints_per_min_max = 600\n'
        for name in SOURCES
    ] + [FILE]
    for name in SOURCES:
        parts.append(f'[[http.bench.token]]\nname = "{name}"\nsource = "{name}"\n')
        parts.append(f'sha256 = "{hashlib.sha256(token(name).encode()).hexdigest()}"\n')
    for table, key in (("plain", ADDRESSES), ("tls", {name: name for name in SOURCES})):
        parts.append(f"[modbus.{table}.clients]\n")
        parts += [f'"{client}" = "{name}"\n' for name, client in key.items()]
    return "".join(parts)


def token(name: str) -> str:
    """The token of a source."""
    return f"{name}-of-the-bench".ljust(40, "-")


def _certificates(folder: pathlib.Path) -> None:
    """NAME.crt and .pem (its key) of the site's authority, the door, its clients; `foreign`, of no one."""
    (folder / "door.ext").write_text("subjectAltName=IP:127.0.0.1\n", encoding="ascii")
    for name in ("site", "foreign"):
        files = ["-keyout", f"{name}.pem", "-out", f"{name}.crt", "-subj", f"/CN={SOURCES[0]}"]
        _openssl(folder, "req", "-x509", *NEW_KEY, *files)
    for name in ("door", *SOURCES):
        files = ["-keyout", f"{name}.pem", "-out", f"{name}.csr", "-subj", f"/CN={name}"]
        _openssl(folder, "req", *NEW_KEY, *files)
        signed = ["-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", "door.ext"]
        _openssl(folder, *"x509 -req -CA site.crt -CAkey site.pem -CAcreateserial".split(), *signed)


def _openssl(folder: pathlib.Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait until it is so. RigError after 30 s."""
    for _ in range(300):
        try:
            if is_so():
                return
        except OSError:
            pass
        timing.wait_s(0.1)
    raise RigError(f"{what} after 30 s")
