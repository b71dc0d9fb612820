"""The senders in the documentation do what they say, in every language this machine has."""

import contextlib
import hmac
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hinted_site import KEYS, HintedSite
from test_upstream import Served

import controller.upstream
from controller.hints import desk
from controller.upstream import link

pytestmark = pytest.mark.wire
EXAMPLES = Path(controller.upstream.__file__).parent / "examples"
SENDERS = {
    "send_hint.py": (sys.executable, "-I", "-S"),
    "send_hint.pl": ("perl",),
    "send_hint.js": ("node",),
}


@pytest.fixture
def site(tmp_path):
    place = HintedSite(tmp_path)
    yield place
    place.close()


def sent(site, example, *arguments):
    """(exit code, what it said) of an example run as a stranger would."""
    interpreter = SENDERS[example]
    if shutil.which(interpreter[0]) is None:
        pytest.skip(f"needs {interpreter[0]}")
    path = site.run_dir / ("upstream.sock" if example.endswith(".js") else "hints.sock")
    command_line = [
        *interpreter,
        str(EXAMPLES / example),
        str(path),
        str(site.state_dir / "keys" / "site_ems.key"),
        *arguments,
    ]
    done = subprocess.run(command_line, capture_output=True, text=True, timeout=50, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("example", SENDERS)
def test_an_example_is_granted_and_refused(site, example):
    with site.pumped():
        served = Served(site)
        try:
            first = sent(site, example, "site_ems", "400000", "60")
            second = sent(site, example, "site_ems", "300000", "900")
        finally:
            served.close()
    assert first[0] == 0, first
    assert re.match(
        r"H1\b.*: in force 400000 W for 60000 ms, available -?\d+ \.\. \d+ W, now "
        r"-?\d+ W",
        first[1],
    ), first
    assert second[0] == 1 and re.match(r"H31\b.*: in force 400000 W for \d+ ms", second[1]), second
    assert site.source("site_ems")["accepted"] == 1 and site.source("site_ems")["refused"] == 1


def test_the_example_that_reads_the_status(site, monkeypatch):
    monkeypatch.setitem(SENDERS, "read_status.py", SENDERS["send_hint.py"])
    site.bench.tick(20)  # it runs, its limits have just begun to open
    with site.pumped():
        code, out, err = sent(site, "read_status.py", "site_ems")
        assert (code, err) == (0, "") and re.fullmatch(
            r"0 W \(R\d+\), available -\d+ \(R\d+\) \.\. 0 \(R302\) W, 258000 Wh above the "
            r"reserve of 15.0 % "
            r"\(never below 10.0 %\), in control: -",
            out,
        ), out
        site.write_key("site_ems", bytes(32))
        ends(sent(site, "read_status.py", "site_ems"), "not signed with this key")
    ends(sent(site, "read_status.py"), "read_status.* KEYFILE SOURCE")


def test_an_energy_that_nobody_knows_is_no_number(tmp_path):
    path, key = tmp_path / "hints.sock", bytes(32)
    (tmp_path / "key").write_text(key.hex())
    state = struct.pack(
        "<4s16s16xiiiiHHHHH2x16s", b"FBT1", b"site_ems", 0, 0, 0, -1, 150, 100, 0, 0, 0, b""
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as loop:
        loop.bind(str(path))
        asking = subprocess.Popen(
            [
                sys.executable,
                str(EXAMPLES / "read_status.py"),
                str(path),
                str(tmp_path / "key"),
                "site_ems",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        loop.settimeout(20)
        loop.sendto(state + hmac.digest(key, state, "sha256"), loop.recvfrom(64)[1])
        out = asking.communicate(timeout=20)[0]
    assert (
        asking.returncode == 0 and (", unknown energy above the reserve of 15.0 % (never") in out
    ), out


def ends(found, words):
    """The example has said one line, not to its standard output, and its exit code is 1."""
    code, out, err = found
    assert (code, out, len(err.splitlines())) == (1, "", 1), found
    assert re.search(words, err), err


@pytest.mark.parametrize("example", SENDERS)
def test_an_example_with_a_wrong_key_ends_in_one_line(site, example, monkeypatch):
    monkeypatch.setattr(link, "ANSWER_US", 100_000)
    with site.pumped():
        served = Served(site)
        try:
            site.write_key("site_ems", bytes(32))
            ends(sent(site, example, "site_ems", "400000", "60"), "no answer: .*wrong key")
        finally:
            served.close()


@pytest.mark.parametrize("example", SENDERS)
def test_an_example_without_a_controller_ends_in_one_line(site, example):
    site.listener.close()
    program = "firebreak upstream" if example.endswith(".js") else "the controller"
    ends(
        sent(site, example, "site_ems", "400000", "60"),
        f"(No such file|ENOENT).*does {program} run",
    )
    site.reopen({})


@pytest.mark.parametrize("example", SENDERS)
def test_an_example_with_wrong_arguments_ends_in_one_line(site, example):
    key_file = site.state_dir / "keys" / "site_ems.key"
    ends(sent(site, example), "send_hint.* KEYFILE SOURCE WATTS SECONDS")
    key_file.write_text("not hex\n")
    ends(sent(site, example, "site_ems", "400000", "60"), "64 hex digits")
    key_file.unlink()
    ends(sent(site, example, "site_ems", "400000", "60"), "(?i)no such file")


@contextlib.contextmanager
def kept(site, *arguments):
    """keep_hint.py while it runs; yields a function that returns its next line, None at its end."""
    line = [
        sys.executable,
        "-I",
        "-S",
        str(EXAMPLES / "keep_hint.py"),
        str(site.run_dir / "hints.sock"),
        str(site.state_dir / "keys" / "site_ems.key"),
        *arguments,
    ]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:

        def said():
            assert select.select([process.stdout], (), (), 50)[0], "says nothing"
            return process.stdout.readline().strip() or None

        try:
            yield said
        finally:
            process.terminate()


def follows(said, wanted, passing):
    """The line that begins with `wanted`, after others that begin with one of `passing`."""
    while not (line := said()).startswith(wanted):
        assert line.startswith(passing), line
    return line


def test_a_kept_hint_survives_two_restarts_of_the_controller(site):
    """Time at this site stands still between two datagrams, so H24 comes too: the sender's clock
    runs ahead of it.
    """
    known = {"site_ems": (desk.key_of(KEYS["site_ems"], 0),)}
    with kept(site, "site_ems", "300000", "3") as said:
        with site.pumped():
            assert follows(said, "H1: ", ("H24",)) == "H1: in force 300000 W"
        site.listener.close()
        site.reopen(known)  # as if it had never been away: the nonce of before is no more
        with site.pumped():
            follows(said, "H21: refused", ("H24", "H1"))
            assert follows(said, "H1: ", ("H24", "H21")) == "H1: in force 300000 W"
        site.listener._socket.close()  # as after kill -9: the file stays
        assert "Connection refused" in follows(said, "no answer", ("H24", "H1", "H21"))
        site.reopen(known)
        with site.pumped():
            follows(said, "H1: ", ("no answer", "H24"))
    assert site.source("site_ems")["accepted"] >= 2  # the heartbeat and the hint


@pytest.mark.parametrize(
    "seconds, key, wanted",
    [
        ("900", KEYS["site_ems"], "H31: refused for good"),
        ("60", bytes(32), "no answer: .*wrong key"),
    ],
    ids=["too long", "wrong key"],
)
def test_a_kept_hint_that_can_never_be_taken_ends(site, seconds, key, wanted):
    site.write_key("site_ems", key)
    with site.pumped(), kept(site, "site_ems", "300000", seconds) as said:
        assert re.match(wanted, said()) and said() is None


@pytest.mark.parametrize(
    "seconds, key, wanted",
    [
        ("x", "00" * 32, "KEYFILE: 64 hex digits, .* SOURCE WATTS SECONDS$"),
        ("60", "no", "KEYFILE: 64"),
        ("60", None, r".*No such file.*site_ems\.key"),
    ],
)
def test_a_hint_that_cannot_be_kept_ends_in_one_line(site, seconds, key, wanted):
    path = site.state_dir / "keys" / "site_ems.key"
    path.unlink() if key is None else path.write_text(key)
    with kept(site, "site_ems", "300000", seconds) as said:
        assert re.match(wanted, said()) and said() is None


@pytest.mark.parametrize("example, length", [("send_hint.py", 60), ("keep_hint.py", 95)])
def test_a_python_example_is_short_and_needs_nothing(example, length):
    lines = (EXAMPLES / example).read_text().splitlines()
    assert len(lines) <= length
    names = {line.split()[1] for line in lines if line.startswith("import ")}
    assert names <= set(sys.stdlib_module_names)
