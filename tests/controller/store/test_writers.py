"""Every place of the box that writes a file, found in the syntax tree, and what becomes of its act
when the disk takes nothing.

A place that is not in PLACES fails here: say there how it ends, and if its act needs no disk, add
its case to GOES_ON.
"""

import ast
import errno
import itertools
import os
import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from controller.console import login
from controller.console.terminal.actions import Actions
from controller.doors.alarms.outbox import Outbox
from controller.planner.books import Books, Quarter
from controller.recorder import fast, fast_ring
from controller.recorder.quarters import Quarters
from controller.recorder.room import Reserve
from controller.store import keeper, two_copies
from controller.store.stored_record import Record
from controller.store.two_copies import mark_failed
from controller.system.local_days import number_of
from controller.watch import load_files
from controller.watch.dcgm import GpuState
from tests.controller.recorder.test_fast import fill
from tests.exemptions import Exempt
from tests.referred import References, places
from tests.repository import ROOT

WRITES = {  # with the module that has them, by whatever name a file imports them
    *("durable.put", "durable.kept", "durable.write", "regular_file.mapped", "numpy.save"),
    *("numpy.savez", "logging.FileHandler"),
}
# Each call into one of these modules writes, but for READS and those that only begin a folder.
MODULES = set("os shutil tempfile zipfile tarfile gzip bz2 lzma sqlite3 shelve dbm".split())
READS = set(
    """
    gzip.GzipFile gzip.open os._exit os.close os.environ.get os.fork os.fstat os.fsync
    os.geteuid os.getgroups os.getpid os.getppid os.getuid os.initgroups os.isatty os.killpg
    os.listdir os.lockf os.lseek os.lstat os.major os.minor os.nice os.open os.pipe os.pipe2
    os.pread os.read os.readlink os.scandir os.sched_param os.sched_setscheduler
    os.set_blocking os.setegid os.seteuid os.setgroups os.setresgid os.setresuid os.stat
    os.statvfs os.strerror os.ttyname os.umask os.urandom os.waitpid os.walk os.write
    shutil.get_terminal_size shutil.which sqlite3.DatabaseError tarfile.TarInfo tarfile.open
    """.split()
)
FOLDERS = {"os.chmod", "os.chown", "os.makedirs", "os.mkdir"}
FILES = {"files", "_files"}  # what stands for the os module in a test of a power cut
OF_PATHS = {"write_text", "write_bytes", "touch", "symlink_to", "hardlink_to", "extractall"}
FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TMPFILE", "O_TRUNC"}
MODE = re.compile("[rwaxbt+]{1,4}([:|].*)?")  # of open, and of tarfile.open
# how the act of a place ends without a disk: the functions of each file
PLACES = {
    # its act needs no disk; a case of CASES shows that
    "goes on": """
        console/login.py _change give_back take
        console/terminal/actions.py acknowledge
        doors/alarms/outbox.py _write
        recorder/room.py lay
        store/two_copies.py mark_failed
    """,
    # a companion whose act is the file: it says so, goes on and tries again
    "told": """
        planner/books.py add
        recorder/fast.py _append _begin
        recorder/quarters.py _publish
        state/plan_file.py written
        store/two_copies.py save
        watch/load_files.py _put
        watch/telemetry.py _add
    """,
    # a command of a person: one line and exit code 3; the same command again completes it
    "one line": """
        console/backup.py _backup _put
        console/provision.py _fill _make_folder _provision
        console/users.py add remove
        hints/keys.py create revoke rotate withdraw
        recorder/csv_files.py write_whole
        store/joining.py begin_ramp
        store/proof_tests.py _append _add
        system/cli.py write
        systemd/box_tree.py link put remove
        systemd/flash_mcu.py lay_out main
        systemd/make_bundle.py main signed
        systemd/rollback.py _remember _try_configuration
        systemd/signed_bundle.py _signer _unpacked
        systemd/trial.py _note _end
        workbench/profile.py _new
        workbench/sniff.py _sniff
    """,
    # a process does not start; its service tries again
    "start": """
        console/login.py __init__
        dispatch/epoch_file.py put
        hints/hint_statistics.py __init__
        journal/writer.py __init__ _cut _new_map
        run/link_statistics.py __init__
        run/loop_statistics.py __init__
        store/two_copies.py hold
        system/regular_file.py locked
        system/sockets.py ready
    """,
    # a part of the other places: it raises OSError, sqlite3.Error or StoreError
    "inside": """
        console/backup_file.py packed
        hints/keys.py _remove _write_new
        journal/writer.py _take_room
        recorder/capture.py _begin _put _rename adopt drop_oldest finish
        recorder/database.py _close_to_others _open
        recorder/fast.py _drop_oldest
        recorder/head.py publish
        recorder/rescue.py _remove begin_anew put_aside settle
        recorder/room.py give_up
        store/durable.py put
        store/proof_tests.py _opened
        store/spool.py _read put settle
        store/trips.py append
        store/two_copies.py _leave_one unmark_saved
        system/regular_file.py mapped
        systemd/make_bundle.py packed
    """,
    # it opens a database for reading, or removes a name or a socket
    "reads": """
        system/output.py __init__ discard
        console/terminal/line.py _opened
        doors/listener.py _remove_left_over opened
        hints/listener.py close
        run/operator_commands.py close
        recorder/database.py own_columns
        recorder/reading.py opened
        recorder/rescue.py _old
        state/record.py _rows
        system/own_names.py _remove
    """,
}


def _is_writing_mode(call):
    """True for a mode of `open` that writes, and for one that only the run knows."""
    given = [*call.args[:2], *[each.value for each in call.keywords if each.arg == "mode"]]
    texts = [each.value for each in given if isinstance(each, ast.Constant)]
    modes = [each for each in texts if isinstance(each, str) and MODE.fullmatch(each)]
    named = [
        each for each in given if "mode" in ast.unparse(each) and not isinstance(each, ast.Constant)
    ]
    return bool(named) or any(set(each.partition(":")[0]) & set("wax+") for each in modes)


def writes(tree):
    """Judge of a node of this tree: a call that makes, changes or renames a file, or a flag that
    opens one so.
    """
    references = References(tree)

    def judge(node):
        if isinstance(node, ast.Attribute | ast.Name):
            return getattr(node, "attr", getattr(node, "id", "")) in FLAGS
        if not isinstance(node, ast.Call):
            return False
        owner, _, name = ast.unparse(node.func).rpartition(".")
        dotted = references.dotted(node.func)
        if owner.rpartition(".")[2] in FILES and hasattr(os, name):
            dotted = f"os.{name}"
        is_of_module = dotted.split(".")[0] in MODULES and not dotted.startswith("os.path.")
        is_opened = name in ("open", "GzipFile") and _is_writing_mode(node)
        return (
            is_of_module
            and dotted not in READS | FOLDERS
            or is_opened
            or name in OF_PATHS
            or references.is_of(node.func, WRITES) != ""
        )

    return judge


def all_places(folder=ROOT / "controller"):
    return places(folder, writes)


def found_and_listed(folder=ROOT / "controller"):
    listed = {}
    for end, lines in PLACES.items():
        for path, *names in map(str.split, lines.strip().splitlines()):
            listed |= {f"{path} {name}": end for name in names}
    return all_places(folder), listed


def test_every_place_that_writes_says_how_its_act_ends_without_a_disk():
    found, listed = found_and_listed()
    assert found == set(listed), "see the first lines of this file"
    shown = {place for place, end in listed.items() if end in ("goes on", "told")}
    assert shown - {place for places in CASES.values() for place in places[1]} == set(ELSEWHERE)


@pytest.mark.parametrize(
    "text",
    [
        'open(path, "w")',
        'open(path, mode="ab")',
        "open(path, mode)",
        'io.open(path, "r+b")',
        'path.open("x")',
        'Path(path).open(mode="w")',
        'tarfile.open(path, "w:gz")',
        'gzip.open(path, "wb")',
        'gzip.GzipFile(path, "wb")',
        'os.fdopen(3, "wb")',
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "durable.put(path, '.new', [b''], 0o600)",
        "os.replace(old, new)",
        "self._files.replace(old, new)",
        "Path(path).write_text('')",
        "path.touch()",
        "sqlite3.connect(path)",
        "durable.opened(path, os.O_RDWR)",
        "shutil.copyfile(old, new)",
        "shutil.move(old, new)",
        "tempfile.NamedTemporaryFile()",
        "logging.FileHandler(path)",
        "renamed(old, new)",
        "put(path)",
        "o.truncate(path, 0)",
        "np.save(path, values)",
        'zipfile.ZipFile(path, "w")',
        "os.unlink(path)",
        "shutil.rmtree(path)",
        "bz2.BZ2File(path)",
    ],
)
@pytest.mark.parametrize("form", ["def", "async def", "lambda", "module"])
def test_a_new_place_that_writes_is_found(form, text, tmp_path):
    (tmp_path / "room").mkdir()
    head = (
        "import bz2, logging, os, os as o, shutil, sqlite3, tempfile, zipfile\n"
        "import numpy as np\n"
        "from os import rename as renamed\nfrom controller.store import durable\n"
        "from controller.store.durable import put\n"
    )
    body = {
        "def": f"def writes(path):\n    return {text}\n",
        "async def": f"class A:\n    async def writes(self, path):\n        return {text}\n",
        "lambda": f"def writes(path):\n    return lambda: {text}\n",
        "module": f"class A:\n    made = {text}\n",
    }[form]
    (tmp_path / "room/new.py").write_text(head + body)
    (tmp_path / "reads.py").write_text(
        "import os\ndef reads(path, text):\n    text.replace('a', 'w')\n"
        "    os.open(path, os.O_RDONLY)\n    with path.open() as file:\n"
        "        return open(path, 'rb'), open(path, encoding='ascii'), file\n"
    )
    assert all_places(tmp_path) == {"room/new.py" + " writes" * (form != "module")}


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_a_flag_in_a_variable_is_found(flag, tmp_path):
    text = f"def writes(path):\n    flags = os.{flag}\n    return os.open(path, flags)\n"
    (tmp_path / "new.py").write_text(text)
    assert all_places(tmp_path) == {"new.py writes"}


def test_no_driver_and_no_part_of_the_kernel_writes_a_file():
    """But channel B, whose board keeps its latches in its own flash."""
    found = all_places(ROOT / "drivers") | all_places(ROOT / "safety")
    assert found == {"mcu/board_machine.py remember"}


# tests/controller/planner/test_process.py, tests/controller/watch/test_gpu_load.py
ELSEWHERE = {
    "state/plan_file.py written": Exempt(
        "the plan of before stays on the page; the battery has its slots",
        "tests/controller/planner/test_process.py::test_what_is_missing_is_one_line_with_its_remedy",
    ),
    "watch/telemetry.py _add": Exempt(
        "the load of the next day has a hole",
        "tests/controller/watch/test_gpu_load.py"
        "::test_telemetry_says_each_reason_once_and_a_full_disk_ends_nothing",
    ),
}
ROW = {"danger": "fire", "reason": {"name": "n", "sentence": "s", "remedy": "r"}}
LATCHED = Record(latches={"12a.1": 1})
QUARTERS = [Quarter(datetime(2026, 5, 1, 12, minute, tzinfo=UTC), 5.0) for minute in (0, 15, 30)]
NEXT = number_of(QUARTERS[2].at) + 1
FAST = ("recorder/fast.py _append", "recorder/fast.py _begin")


def outbox(folder, say):
    made = Outbox(str(folder / "own/k.json"), 0)

    def act(number):
        made.update({f"{each}a": ROW for each in range(number + 1)}, number)
        say(made.trouble)
        return len(made.waiting) == number + 1

    return act, lambda: Outbox(str(folder / "own/k.json"), 0).waiting == made.waiting


def failures(folder, say):
    made = login.Failures(str(folder / "a.failed"), str(folder / "run.failed"))

    def act(number):
        """A try that is not counted is refused."""
        return made.begin(number, str(number)) == (os.write is WRITE and os.open is OPEN)

    return act, lambda: [made.wait_us(9, each) > 0 for each in "012"] == [True, False, True]


def actor(folder, say):
    made = login.ActorLock(str(folder / "actor"))
    return lambda number: made.take("anna") and not made.give_back(), lambda: made.take("eva")


def acknowledged(folder, say):
    (folder / "console").mkdir(mode=0o700)
    made = Actions(str(folder), str(folder), str(folder), "tty")
    seen = SimpleNamespace(causes=(1, 2, -1, 0), text="row 1")

    def act(number):
        line = made.acknowledge(number, "anna", seen)
        say(line if "not " in line.lower() else "")
        return line

    return act, lambda: "anna" in made.acknowledged(seen.causes)


def books(folder, say):
    made = Books(str(folder), UTC)

    def act(number):
        try:
            made.add([QUARTERS[number]], NEXT)
        except OSError as error:
            say(error.strerror)
        return made.rows == QUARTERS[: number + 1]

    def again():
        found = Books(str(folder), UTC)
        found.look(NEXT)
        return found.rows == made.rows

    return act, again


def load(folder, say):
    made, times_s = load_files.Files(str(folder), 0.0, 1.0), itertools.count(60.0, 60.0)

    def act(number):
        for _ in range(16):
            try:
                at_s = 1_790_000_100.0 + next(times_s)
                made.add(GpuState(at_s, 1, 5.0, 5.0), [], at_s)
            except OSError as error:
                say(error.strerror)
        return len(made._past_W) == number + 1

    def again():
        return len((folder / "load.csv").read_text().splitlines()) == len(made._past_W) + 1

    return act, again


def ticks(folder, say):
    made = fast.RingWriter(str(folder), 7, say)

    def act(number):
        fill(made, 1, number)
        return True

    return act, lambda: len([*fast_ring.blocks_of(next((folder / "fast").glob("*")))]) > 0


def reserve(folder, say):
    made = Reserve(str(folder))

    def act(number):
        return made.lay() in (False, True)

    return act, lambda: made.laid


def mark(folder, say):
    return lambda number: mark_failed(str(folder), True) in (False, True), lambda: True


def store(folder, say):
    made = two_copies.Store(str(folder))

    def act(number):
        answer, is_saved = keeper._answer(made, number, LATCHED)
        say("" if is_saved else answer.decode())
        return True

    return act, lambda: two_copies.Store(str(folder)).load().record == LATCHED


def quarters(folder, say):
    made = Quarters(str(folder), str(folder), say)

    def act(number):
        made._number = number
        made._sums, made._counts = [900.0] * 9, [900] * 9
        made._end()
        return len(made._rows) == number + 1

    return act, lambda: len(Quarters(str(folder), str(folder), say)._rows) == 3


CASES = {
    outbox: ("k.json", ("doors/alarms/outbox.py _write",), True),
    failures: ("a.failed", ("console/login.py _change",), False),
    actor: ("actor", ("console/login.py take", "console/login.py give_back"), False),
    acknowledged: ("console/acknowledged", ("console/terminal/actions.py acknowledge",), True),
    books: ("books.csv", ("planner/books.py add",), True),
    load: ("none", ("watch/load_files.py _put",), True),
    ticks: ("fast/fast_0000000000.ticks", FAST, True),
    reserve: ("record.reserve", ("recorder/room.py lay",), False),
    mark: ("store.failed", ("store/two_copies.py mark_failed",), False),
    store: ("store.a", ("store/two_copies.py save",), True),
    quarters: ("quarters.csv", ("recorder/quarters.py _publish",), True),
}


WRITE, OPEN = os.write, os.open


class Disk:
    """Breaks the calls of the system that a full or read-only disk refuses."""

    def __init__(self, patch, kind):
        self.writes = 0
        words = {"full": "fallocate write pwrite", "cut": "fallocate write pwrite"}
        self._write, self._open = os.write, os.open
        if kind == "read-only":
            patch.setattr(os, "open", self.opens)
            for name in ("replace", "rename", "unlink", "mkdir", "ftruncate", "truncate"):
                patch.setattr(os, name, self.refuses)
            return
        assert kind in words
        patch.setattr(os, "posix_fallocate", self.is_full)
        patch.setattr(os, "pwrite", self.is_full)
        patch.setattr(os, "write", self.cuts if kind == "cut" else self.is_full)

    def opens(self, path, flags, *mode, **place):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self.refuses()
        return self._open(path, flags, *mode, **place)

    def cuts(self, descriptor, content):
        """Take the first half, then nothing more."""
        self.writes += 1
        if self.writes % 2 == 0:
            self.is_full()
        return self._write(descriptor, content[: max(1, len(content) // 2)])

    @staticmethod
    def refuses(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    @staticmethod
    def is_full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("kind", ["full", "cut", "read-only"])
@pytest.mark.parametrize("case", CASES, ids=lambda each: each.__name__)
def test_an_act_goes_on_without_a_disk_and_is_kept_whole_once_the_disk_takes_files(
    case, kind, tmp_path, monkeypatch
):
    said = []
    act, is_kept = case(tmp_path, said.append)
    assert act(0), "on a healthy disk"
    assert not any(said), said
    with monkeypatch.context() as patch:
        Disk(patch, kind)
        assert act(1)
    assert any(said) == CASES[case][2], said
    assert act(2) and is_kept(), "with what it missed"


@pytest.mark.parametrize("content", [b"", b"\xff{[", b'{"version": 99}\n', bytes(5000)])
@pytest.mark.parametrize("case", CASES, ids=lambda each: each.__name__)
def test_a_file_of_another_release_or_a_damaged_one_ends_no_act(case, content, tmp_path):
    path = tmp_path / ("own" if case is outbox else "") / CASES[case][0]
    if case is not acknowledged:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    act, _ = case(tmp_path, list().append)
    assert act(0)
