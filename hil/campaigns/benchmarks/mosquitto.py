"""A real broker on loopback, which keeps nothing over a restart."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from hil.campaigns import process
from hil.campaigns.benchmarks import timing
from hil.engine.rig import RigError

CONFIGURATION = """user {user}
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 100000
set_tcp_nodelay true
"""
NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split()


def certify(folder: Path) -> Path:
    """Make the certificate with which a broker that starts here speaks TLS."""
    named = "-subj /CN=broker -addext subjectAltName=IP:127.0.0.1".split()
    files = "-keyout broker.pem -out broker.crt".split()
    openssl(folder, "req", "-x509", *NEW_KEY, *named, *files)
    return folder / "broker.crt"


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start the broker. Returns its process once it takes connections. Messages go to broker.log.
    Raises RigError.
    """
    program = shutil.which("mosquitto", path=process.search_path())
    if program is None:
        raise RigError("mosquitto is missing: sudo apt-get install mosquitto")
    text = CONFIGURATION.format(user=os.environ.get("USER", "root"), port=port)
    if (folder / "broker.crt").exists():
        text += f"certfile {folder}/broker.crt\nkeyfile {folder}/broker.pem\n"
    (folder / "broker.conf").write_text(text, encoding="ascii")
    with open(folder / "broker.log", "ab") as log:
        broker = subprocess.Popen([program, "-c", str(folder / "broker.conf")], stderr=log)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return broker
        timing.wait_s(0.05)
    process.end(broker)
    raise RigError("the broker does not open its port")
