"""The example senders do as documented, in every language installed here."""

import contextlib
import hmac
import re
import select
import socket
import struct
import subprocess
import sys
from pathlib import Path

import parts
import pytest
from hinted_site import KEYS, HintedSite

import controller.doors.local
from controller.doors.local import client
from controller.hints import admission
from tests.controller.doors.local_site import Served
from tests.tables import cases

pytestmark = pytest.mark.wire
EXAMPLES = Path(controller.doors.local.__file__).parent / "examples"
PYTHON = [sys.executable, "-I", "-S"]
SENDERS = {"send_hint.py": None, "send_hint.pl": "perl", "send_hint.js": "nodejs"}


@pytest.fixture
def site(tmp_path):
    place = HintedSite(tmp_path)
    yield place
    place.close()


def key_file(site):
    return site.state_dir / "keys" / "site_ems.key"


def command(site, example, *arguments):
    package = SENDERS.get(example)
    interpreter = [parts.program(package)] if package else PYTHON
    path = site.run_dir / ("upstream.sock" if example.endswith(".js") else "hints.sock")
    return [*interpreter, str(EXAMPLES / example), str(path), str(key_file(site)), *arguments]


def sent(site, example, *arguments):
    line = command(site, example, *arguments)
    done = subprocess.run(line, capture_output=True, text=True, timeout=50, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def ends(found, words):
    code, out, err = found
    assert (code, out, len(err.splitlines())) == (1, "", 1), found
    assert re.search(words, err), err


@pytest.mark.parametrize("example", SENDERS)
def test_an_example_is_granted_refused_and_ends_in_one_line(site, example, monkeypatch):
    monkeypatch.setattr(client, "ANSWER_S", 0.1)
    hint = ("site_ems", "400000", "60")
    with site.pumped(), Served(site):
        code, out, err = sent(site, example, *hint)
        refused = sent(site, example, "site_ems", "300000", "900")
        site.write_key("site_ems", bytes(32))
        ends(sent(site, example, *hint), "(?i)no answer came.*key")
    in_force = r": in force 400000 W for 60000 ms, available -?\d+ \.\. \d+ W, now -?\d+ W"
    assert code == 0 and re.match(r"H1\b.*" + in_force, out), (out, err)
    assert refused[0] == 1 and re.match(r"H31\b.*: in force 400000 W for \d+ ms", refused[1])
    assert site.source("site_ems")["accepted"] == 1 and site.source("site_ems")["refused"] == 1
    ends(sent(site, example), "send_hint.* KEYFILE SOURCE WATTS SECONDS")
    site.listener.close()
    program = "firebreak doors local" if example.endswith(".js") else "the controller"
    ends(sent(site, example, *hint), f"(No such file|ENOENT).*does {program} run")
    site.reopen({})
    key_file(site).write_text("not hex\n")
    ends(sent(site, example, *hint), "64 hex digits")
    key_file(site).unlink()
    ends(sent(site, example, *hint), "(?i)no such file")


def test_the_example_that_reads_the_status(site):
    site.bench.tick(20)  # running, with limits that have just begun to open
    with site.pumped():
        code, out, err = sent(site, "read_status.py", "site_ems")
        site.write_key("site_ems", bytes(32))
        ends(sent(site, "read_status.py", "site_ems"), "not signed with this key")
    assert (code, err) == (0, "") and re.fullmatch(
        r"0 W \(R\d+\), available -\d+ \(R\d+\) \.\. 0 \(R302\) W, 255420 Wh above the reserve of "
        r"15.0 % \(never below 10.0 %\), in control: -",
        out,
    ), out
    ends(sent(site, "read_status.py"), "read_status.* KEYFILE SOURCE")


def test_an_unknown_energy_is_null(site):
    site.listener.close()
    key, path = KEYS["site_ems"], str(site.run_dir / "hints.sock")
    values = (b"FBT1", b"site_ems", 0, 0, 0, -1, 150, 100, 0, 0, 0, b"")
    state = struct.pack("<4s16s16xiiiiHHHHH2x16s", *values)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as loop:
        loop.bind(path)
        line = command(site, "read_status.py", "site_ems")
        asking = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        loop.settimeout(20)
        loop.sendto(state + hmac.digest(key, state, "sha256"), loop.recvfrom(64)[1])
        out = asking.communicate(timeout=20)[0]
    assert asking.returncode == 0 and ", unknown energy above the reserve of 15.0 % (never" in out
    Path(path).unlink()
    site.reopen({})


@contextlib.contextmanager
def kept(site, *arguments):
    """Run keep_hint.py; yield a function that returns its next line, None at its end."""
    line = command(site, "keep_hint.py", "site_ems", *arguments)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(line, **pipes) as process:

        def said():
            assert select.select([process.stdout], (), (), 50)[0], "says nothing"
            return process.stdout.readline().strip() or None

        try:
            yield said
        finally:
            process.terminate()


def follows(said, wanted, passing):
    while not (line := said()).startswith(wanted):
        assert line.startswith(passing), line
    return line


def test_a_kept_hint_survives_two_restarts_of_the_controller(site):
    """Time stops between two datagrams, so the sender's clock runs ahead and H24 comes too."""
    known = {"site_ems": (admission.key_of(KEYS["site_ems"], 0),)}
    with kept(site, "300000", "3") as said:
        with site.pumped():
            assert follows(said, "H1: ", ("H24",)) == "H1: in force 300000 W"
        site.listener.close()
        site.reopen(known)  # a restart makes the old nonce void
        with site.pumped():
            follows(said, "H21: refused", ("H24", "H1"))
            assert follows(said, "H1: ", ("H24", "H21")) == "H1: in force 300000 W"
        site.listener._socket.close()  # as after kill -9: the file stays
        assert "Connection refused" in follows(said, "no answer", ("H24", "H1", "H21"))
        site.reopen(known)
        with site.pumped():
            follows(said, "H1: ", ("no answer", "H24"))
    assert site.source("site_ems")["accepted"] >= 2  # the heartbeat and the hint


@cases(r"""
    seconds  key        wanted
    "900"    None       "H31: refused for good"
    "60"     "00" * 32  "no answer came: .*key right"
    "x"      None       "KEYFILE: 64 hex digits, .* SOURCE WATTS SECONDS$"
    "60"     "no"       "KEYFILE: 64"
    "60"     ""         r".*No such file.*site_ems\.key"
""")
def test_a_hint_that_can_never_be_accepted_ends_in_one_line(site, seconds, key, wanted):
    if key is not None:
        key_file(site).write_text(key) if key else key_file(site).unlink()
    with site.pumped(), kept(site, "300000", seconds) as said:
        assert re.match(wanted, said()) and said() is None


@pytest.mark.parametrize("example, length", [("send_hint.py", 60), ("keep_hint.py", 95)])
def test_a_python_example_is_short_and_needs_nothing(example, length):
    lines = (EXAMPLES / example).read_text().splitlines()
    names = {line.split()[1] for line in lines if line.startswith("import ")}
    assert len(lines) <= length and names <= set(sys.stdlib_module_names)


def test_the_schedule_example_is_granted_refused_and_ends_in_one_line(site):
    powers = ("site_ems", "400000", "-50000", "60000")
    site.set_clock(0, error_ms=10_001)  # the example takes the day of this machine
    with site.pumped():
        granted = sent(site, "send_schedule.py", *powers)
        refused = sent(site, "send_schedule.py", *powers[:-1], "-50001")
    waits = "the box has a schedule of 96 slots: it waits for the clock of the box"
    assert granted[:2] == (0, f"H1: taken; {waits}"), granted
    assert refused[:2] == (1, f"H29: refused, slot 1 is wrong; {waits}"), refused
    ends(sent(site, "send_schedule.py"), "not enough|KEYFILE SOURCE CAP LOW HIGH")
    site.listener.close()
    ends(sent(site, "send_schedule.py", *powers), "No such file.*does the controller run")
