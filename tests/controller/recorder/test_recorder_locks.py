"""A reader's lock does not stop the recorder: a reader opens no file that SQLite locks."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from controller.recorder.database import Database, Row

pytestmark = pytest.mark.wire
HOLDER = (
    "import fcntl, os, sys\n"
    "for path in sys.argv[1:]:\n"
    "    fcntl.lockf(os.open(path, os.O_RDONLY), fcntl.LOCK_SH)\n"
    "print('held', flush=True)\nsys.stdin.read()"
)
ROW = Row(1, 1000, 10**15, "ntp", 1500, "note", "R801", "cabinet", "an event")
GUARD_S = 60


class Reader:
    """Another process that has locked each file of a folder which its mode lets others read."""

    def __init__(self, folder):
        paths = [str(each) for each in folder.iterdir() if each.stat().st_mode & 0o044]
        command = [sys.executable, "-c", HOLDER, *paths]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"held\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(b"", GUARD_S)


@pytest.fixture(autouse=True, params=[0o027, 0])
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def made(tmp_path):
    (tmp_path / "state").mkdir()
    found = Database(str(tmp_path / "state" / "record.db"), 8 << 20)
    yield found
    found.close()


def test_readers_who_lock_what_they_can_open_do_not_stop_the_recorder(tmp_path, made):
    made.write([ROW])
    with Reader(tmp_path / "state"):
        assert made.write([ROW])[0][0][0] == 2
        assert len(made.query("SELECT id FROM events")) == 2
    modes = {
        each.name: stat.S_IMODE(each.stat().st_mode) for each in made_files(tmp_path / "state")
    }
    assert modes == dict.fromkeys(("record.db", "record.db-shm", "record.db-wal"), 0o600)


def made_files(folder):
    return sorted(folder.glob("record.db*"))


def test_a_lock_on_the_database_of_an_earlier_version_ends_with_the_next_start(tmp_path, made):
    """State after a kill: the log and its index lie beside the database."""
    made.write([ROW])
    (old := tmp_path / "old").mkdir()
    for each in made_files(tmp_path / "state"):
        shutil.copyfile(each, old / each.name)
        os.chmod(old / each.name, 0o644)
    with Reader(old):
        found = Database(str(old / "record.db"), 8 << 20)
        assert found.write([ROW])[0][0][0] == 2
        found.close()
    assert all(not each.stat().st_mode & 0o077 for each in made_files(old))
