"""A real broker on loopback, which keeps nothing over a restart."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from hil.campaigns import process
from hil.campaigns.benchmarks import timing
from hil.engine.rig import RigError

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
    """The process, which takes connections; its messages go to broker.log. RigError: the machine
    has none.
    """
    program = shutil.which("mosquitto", path=process.search_path())
    if program is None:
        raise RigError("mosquitto is missing: sudo apt-get install mosquitto")
    user = f"user {os.environ.get('USER', 'root')}\n"
    queues = "max_queued_messages 100000\nset_tcp_nodelay true\n"
    text = f"{user}listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n{queues}"
    if (folder / "broker.crt").exists():
        text += f"certfile {folder}/broker.crt\nkeyfile {folder}/broker.pem\n"
    (folder / "broker.conf").write_text(text, encoding="ascii")
    with open(folder / "broker.log", "ab") as log:
        served = subprocess.Popen([program, "-c", str(folder / "broker.conf")], stderr=log)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return served
        timing.wait_s(0.05)
    process.end(served)
    raise RigError("the broker does not open its port")
