"""`rig --with doors` runs recorder, web page and Modbus TCP server beside the controller."""

import hashlib
import os
import pathlib
import secrets
import shutil
import socket

from hil.engine import processes

LOOPBACK = "127.0.0.1"
HTTP_PORT, MODBUS_PORT = 8643, 1502  # used unless another program has them
SOURCE = "scheduler"
TEMPLATE = f"""[source.{SOURCE}]
key = "{SOURCE}.key"
may = "request"

[http.rig]
port = HTTP_PORT
[[http.rig.token]]
name = "you"
sha256 = "TOKEN_HASH"
source = "{SOURCE}"

[modbus.rig]
port = MODBUS_PORT
may = "request"
[modbus.rig.clients]
"127.0.0.1" = "{SOURCE}"
"""


def free_port(wanted: int = 0) -> int:
    """The wanted TCP port on loopback, or a free one if another program has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class Beside(processes.Processes):
    """Recorder, page and Modbus TCP server, on loopback. The access token is new in each run."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self._folder, self._token = os.path.join(directory, "doors"), secrets.token_hex(16)
        self._http_port, self._modbus_port = free_port(HTTP_PORT), free_port(MODBUS_PORT)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)

    def start(self) -> None:
        """Start the recorder, then the doors."""
        shutil.copy(os.path.join(self.state, "keys", f"{SOURCE}.key"), self._folder)
        path = pathlib.Path(self._folder, "doors.toml")
        token_hash = hashlib.sha256(self._token.encode()).hexdigest()
        text = TEMPLATE.replace("TOKEN_HASH", token_hash)
        text = text.replace("HTTP_PORT", str(self._http_port))
        path.write_text(text.replace("MODBUS_PORT", str(self._modbus_port)), encoding="ascii")
        self.record()
        for kind in ("http", "modbus"):
            self.begin(kind, "doors", kind, str(path), *self.where, "--own-dir", self._folder)

    def welcome(self) -> list[str]:
        """Lines with the addresses, and a hint as a command to copy."""
        url = f"http://{LOOPBACK}:{self._http_port}"
        return [
            f"page       {url}/    (also /metrics, /api/v1/openapi.json)",
            f"Modbus     {LOOPBACK}:{self._modbus_port}, unit 1, SunSpec from register 40000 on",
            "a hint     20 kW for a minute; without is_exact load tracking adds its part:",
            f"  curl {url}/api/v1/hints \\",
            f"    -H 'Authorization: Bearer {self._token}' \\",
            """    -d '{"quantity":"power_W","value_W":20000,"valid_s":60,"is_exact":true}'""",
            "what is open, and the file to change:",
            f"  .venv/bin/firebreak doors check {os.path.relpath(self._folder)}/doors.toml",
        ]
