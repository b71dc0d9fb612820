"""The commands of the page of each door, copied as they are, in a network of their own."""

import contextlib
import os
import re
import select
import signal
import subprocess
import time

import parts
import pytest

from tests.repository import ROOT

GUARD_S = 180
OWN = () if os.getuid() == 0 else ("--map-current-user", "--keep-caps")
NEEDED = {"mqtt": ("mosquitto", "mosquitto-clients"), "http": ("curl", "openssl")}
VALUES = {  # what a reader waits for: the first value, and what was granted
    "local": (rb"^GRANTED H1 exact power 20 kW", rb"^H1: in force 400000 W for 300000 ms"),
    "mqtt": (rb"firebreak/cab1/value/battery_W -?\d", rb'"granted":true.*"granted_W":50000'),
    "modbus": (rb"^-?\d+\.\d W \d+\.\d %", rb"1 30000 W in force for \d+ s\n00 01 .* 75 30"),
    "http": (rb'"state": "running"', rb'"granted": true.*"granted_W": 20000'),
    "alarms": (rb"alarms\.me +connects", rb"(?s)Subject: .*emergency stop.*END MESSAGE"),
}
pytestmark = [pytest.mark.wire, pytest.mark.timeout(GUARD_S + 60), pytest.mark.whole]


def first_block(kind, folder):
    """The first fenced block of shell commands; their files go to `folder`."""
    (page,) = (ROOT / "controller/doors" / kind).glob("*.md")
    text = page.read_text()
    block = re.search(r"\n```\n(.*?)\n```", text, re.DOTALL)[1]
    return block.replace("build/", f"{folder}/").replace("mktemp -d", f"mktemp -d -p {folder}")


@pytest.mark.parametrize("kind", VALUES)
def test_copied_commands_give_a_first_value_and_a_granted_power(kind, tmp_path):
    parts.needs("iproute2", *NEEDED.get(kind, ()))
    script = f"ip link set lo up\n{first_block(kind, tmp_path)}\n"
    process = subprocess.Popen(
        ["unshare", *OWN, "--net", "--pid", "--fork", "--kill-child", "bash", "-c", script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    seen, end_s = b"", time.monotonic() + GUARD_S
    try:
        while not all(re.search(words, seen, re.MULTILINE) for words in VALUES[kind]):
            ready, _, _ = select.select([process.stdout], [], [], end_s - time.monotonic())
            assert ready, seen.decode()
            part = os.read(process.stdout.fileno(), 1 << 16)
            assert part, seen.decode()
            seen += part
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
