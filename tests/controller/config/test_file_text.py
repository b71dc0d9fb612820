"""Every command refuses a file that is not regular in one line and never waits."""

import os
import signal
import socket
import sqlite3

import pytest
from site_files import SiteFiles

from controller import __main__ as firebreak
from controller.console import login, users
from controller.forms import reading as forms_reading
from controller.forms.refusal import ConfigError
from controller.hints import hint_statistics, keys
from controller.journal import ring
from controller.recorder import csv_files, head, reading
from controller.run import link_statistics, loop, loop_statistics
from controller.sites import EXAMPLE
from controller.state import record
from controller.store import proof_tests, trips
from controller.system import regular_file
from tests.tables import cases

READERS = [
    ("check",),
    ("document", "matrix", "--site"),
    ("document", "checklist", "--site"),
    ("siting",),
]
PIPE = "it is a link, a pipe or a device; allowed a regular file"
REFUSED = f"cannot be read: {PIPE}"
SITE = str(EXAMPLE)
GUARD_S = 30


@pytest.fixture(autouse=True)
def nothing_waits():
    """A blocking open of a pipe fails the test instead of hanging it."""

    def waits(*_):
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, waits)
    signal.setitimer(signal.ITIMER_REAL, GUARD_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def piped(folder, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path, 0o600)
    return str(path)


@pytest.mark.parametrize("argv", READERS)
def test_a_pipe_is_refused_at_once(tmp_path, capsys, argv):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert firebreak.main([*argv, str(pipe)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.removeprefix("firebreak: ") == f"{pipe}: {REFUSED}\n"


@pytest.mark.parametrize("argv", READERS)
def test_a_device_is_refused(capsys, argv):
    assert firebreak.main([*argv, "/dev/zero"]) == 2
    assert capsys.readouterr().err.removeprefix("firebreak: ") == f"/dev/zero: {REFUSED}\n"


def test_a_layer_above_that_is_a_pipe(tmp_path):
    files = SiteFiles(tmp_path)
    files.paths[0].unlink()
    os.mkfifo(files.paths[0])
    assert files.refusal() == f"types/firebreak_645.toml: {REFUSED}"


def test_as_many_bytes_as_are_allowed_and_one_more(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfabc")
    assert forms_reading.file_text(str(path), 6, "six") == "abc"
    with pytest.raises(ConfigError, match="file: has more than 5 bytes; allowed five"):
        forms_reading.file_text(str(path), 5, "five")


RESULT = "--reaction-ms 120 --result passed --site".split()
RECORD = ("record", "1", "--tester", "J. Doe", *RESULT, SITE)


@cases("""argv  words
    ("verify",)  PIPE
    ("list", "--site", SITE)  PIPE
    RECORD  f"nothing is recorded: {PIPE}"
""")
def test_a_ledger_that_is_a_pipe(tmp_path, capsys, argv, words):
    path = piped(tmp_path, proof_tests.FILE)
    assert firebreak.main(["test", "proof", *argv, "--state-dir", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"firebreak: {path}: {words}\n")


@pytest.mark.parametrize("argv", [("verify",), ("export", "--what", "events", "--out", ".")])
def test_a_record_that_is_a_pipe(tmp_path, capsys, argv):
    path = piped(tmp_path, reading.FILE)
    assert firebreak.main(["record", *argv, "--state-dir", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"firebreak: {path}: {REFUSED}\n")
    assert record.opened(str(tmp_path)) is None and record.trouble(str(tmp_path)) == PIPE
    with pytest.raises(sqlite3.Error, match=PIPE):
        record.Record(str(tmp_path)).summary()


OPENED = {
    "journal": ring.JournalReader,
    "loop.stats": loop_statistics.LoopStatistics,
    "links.stats": lambda path: link_statistics.LinkStatistics(path, {}, {}, {}, {}),
    "hints.stats": lambda path: hint_statistics.HintStatistics(path, []),
    "lock": lambda path: loop.lock(os.path.dirname(path)),
    "a.key": keys.read,
    "trips.log": lambda path: trips.TripLog(os.path.dirname(path)),
    "trips.log.previous": lambda path: trips.TripLog(os.path.dirname(path)),
    "console.actor": login.ActorLock,
    "export": lambda path: list(csv_files.file_pieces(path)),
    "console/mary.user": lambda path: users.is_right(
        os.path.dirname(os.path.dirname(path)), "mary", "x" * 12
    ),
}


@pytest.mark.parametrize("name", OPENED)
def test_a_pipe_in_place_of_any_other_file_is_a_line(tmp_path, name):
    path = piped(tmp_path, name)
    with pytest.raises(Exception) as caught:
        OPENED[name](path)
    assert PIPE in str(caught.value) and path in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [loop_statistics.read, link_statistics.read, hint_statistics.read])
def test_counters_that_are_a_pipe_are_none(tmp_path, read):
    assert read(piped(tmp_path, "stats")) is None and read(str(tmp_path / "no")) is None


def test_what_may_be_missing_is_missing_when_it_is_a_pipe(tmp_path):
    piped(tmp_path, head.FILE)
    assert head.read(str(tmp_path)) == {}
    failures = login.Failures(piped(tmp_path, "failures"))
    piped(tmp_path, "failures.new")
    assert failures.begin(1, "anna") and failures.wait_us(1, "anna")


def test_what_is_opened_for_writing_is_no_pipe_socket_or_device(tmp_path):
    place = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(place)
        for path in (piped(tmp_path, "pipe"), place, "/dev/null"):
            with pytest.raises(OSError, match=PIPE):
                regular_file.opened(path, os.O_WRONLY | os.O_CREAT)
    made = regular_file.opened(str(tmp_path / "new"), os.O_WRONLY | os.O_CREAT, 0o600)
    assert os.fstat(made).st_mode & 0o777 == 0o600 and not os.get_inheritable(made)
    os.close(made)


def test_no_link_is_followed_neither_as_a_file_nor_as_its_folder(tmp_path):
    """A planted record.head.new wrote over a copy of the store."""
    (tmp_path / "own").mkdir()
    (tmp_path / "kept").write_text("x")
    (tmp_path / "own" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "folder").symlink_to(tmp_path / "own")
    with pytest.raises(OSError, match="it is a link") as refused:
        regular_file.opened(str(tmp_path / "own" / "link"), os.O_WRONLY | os.O_TRUNC)
    assert refused.value.filename.endswith("own/link")
    with pytest.raises(NotADirectoryError):
        regular_file.opened(str(tmp_path / "folder" / "new"), os.O_WRONLY | os.O_CREAT)
    assert os.listdir(tmp_path / "own") == ["link"] and (tmp_path / "kept").read_text() == "x"
    with open(tmp_path / "folder" / "link", opener=regular_file.link_opener) as file:
        assert file.read() == "x", "a configuration may be a link"


def test_what_is_published_replaces_a_link_and_leaves_what_it_leads_to(tmp_path):
    for name in ("record.head", "record.head.new"):
        (tmp_path / "kept").write_text("x")
        (tmp_path / name).symlink_to(tmp_path / "kept")
        head.publish(str(tmp_path), {"id": 1})
        assert (tmp_path / "kept").read_text() == "x"
        assert not (tmp_path / "record.head").is_symlink()
