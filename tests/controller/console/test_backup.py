"""`backup` and `restore`: a new box becomes the cabinet; a box in use keeps what it has."""

import errno
import io
import json
import os
import shutil
import tarfile

import pytest

from controller import __main__ as program
from controller.console import backup_file
from controller.sites import EXAMPLE
from controller.store import durable, two_copies
from controller.store.stored_record import Record

OLD = Record(latches={"12a.1": 1, "3b": 2}, locked_out="anna", trips=7)
FILES = {
    "etc/doors/doors.toml": "# none\n",
    "etc/planner/planner.key": "11" * 32,
    "state/keys/site_ems.key": "22" * 32,
    "state/console/anna.user": "user",
    "state/proof_tests.jsonl": "{}\n",
}
LEFT_OUT = ("state/console/1.event", "state/record.db", "etc/example/site.toml")


@pytest.fixture
def box(tmp_path):
    """A cabinet with a store, and the path of its backup."""
    home = tmp_path / "old"
    shutil.copytree(EXAMPLE.parent, home / "etc" / "cabinet")
    for name in (*FILES, *LEFT_OUT):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(FILES.get(name, "left out"))
    (home / "state/keys").chmod(0o700)
    (home / "state/keys/site_ems.key").chmod(0o600)
    two_copies.Store(str(home / "state")).save(OLD)
    return home


def run(capsys, command, home, path, *more):
    code = program.main(
        [command, str(path), "--etc-dir", f"{home}/etc", "--state-dir", f"{home}/state", *more]
    )
    out = capsys.readouterr()
    return code, (out.out + out.err).splitlines()


def backed_up(box, capsys):
    path = box.parent / "one.tar"
    code, (line,) = run(capsys, "backup", box, path)
    assert code == 0 and "7 files" in line and "like a key" in line
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def content(home):
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("store.")
    }


def store(home):
    return two_copies.Store(str(home / "state")).load()


def test_a_new_box_becomes_the_cabinet_with_its_latches_and_needs_the_key(box, tmp_path, capsys):
    path, new = backed_up(box, capsys), tmp_path / "new"
    (new / "etc").mkdir(parents=True)
    (new / "state").mkdir()
    code, lines = run(capsys, "restore", new, path, "--dry-run")
    assert code == 0 and all(line.startswith("would restore ") for line in lines) and lines
    assert content(new) == {} and store(new).state == two_copies.MISSING
    code, lines = run(capsys, "restore", new, path)
    assert code == 0 and sum(line.startswith("restored ") for line in lines) == 8
    assert "12a.1, 3b, locked out by anna; the start needs the key" in lines[-2]
    wanted = {name: data for name, data in content(box).items() if name not in LEFT_OUT}
    assert content(new) == wanted
    found = store(new).record
    assert {*found.latches} == {"12a.1", "3b", "44d"} and found.locked_out == "anna"
    assert found.approved == b"" and found.rest[0] and found.trips == 7
    modes = [
        (new / name).stat().st_mode & 0o777 for name in ("state/keys", "state/keys/site_ems.key")
    ]
    assert modes == [0o700, 0o600]


def test_a_box_in_use_keeps_every_file_every_key_and_every_latch(box, capsys):
    """A revoked key and a removed user do not return; a changed file is named."""
    path = backed_up(box, capsys)
    gone = "state/keys/site_ems.key", "state/console/anna.user", "etc/doors/doors.toml"
    for name in (*gone, "etc/cabinet/site.toml"):
        (box / name).unlink()
    site = (EXAMPLE.parent / "site.toml").read_bytes()
    (box / "etc/cabinet/cabinet.toml").write_text('name = "Cabinet 1, serial 0001"\n')
    two_copies.Store(str(box / "state")).save(Record(latches={"newer": 1}))
    before = content(box)
    code, lines = run(capsys, "restore", box, path)
    assert code == 1 and content(box) == before | {"etc/cabinet/site.toml": site}
    words = {line.split()[-1].removeprefix(f"{box}/"): line[:8] for line in lines[:-2]}
    assert words["etc/cabinet/cabinet.toml"].strip() == "differs"
    assert {words[name] for name in gone} == {"left out"}
    assert store(box).record.latches == {"newer": 1}


@pytest.mark.parametrize("number", range(10))
def test_a_restore_that_broke_off_is_completed_by_the_same_command(
    number, box, tmp_path, capsys, monkeypatch
):
    """The disk is full at the file of this number; the last two are the copies of the store. One
    copy alone counts as a store that is there.
    """
    path, new = backed_up(box, capsys), tmp_path / "new"
    (new / "etc").mkdir(parents=True)
    left, put = [number], durable.put

    def full(*given):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(*given)

    with monkeypatch.context() as disk:
        disk.setattr(durable, "put", full)
        code, lines = run(capsys, "restore", new, path)
    code, lines = run(capsys, "restore", new, path) if code == 3 else (code, lines)
    assert code == 0, lines
    wanted = {name: data for name, data in content(box).items() if name not in LEFT_OUT}
    assert content(new) == wanted and {*store(new).record.latches} == {"12a.1", "3b", "44d"}


def test_the_backup_of_another_cabinet_is_refused(box, tmp_path, capsys):
    path, other = backed_up(box, capsys), tmp_path / "other"
    shutil.copytree(box / "etc", other / "etc")
    file = other / "etc/cabinet/cabinet.toml"
    file.write_text(file.read_text().replace("serial 0001", "serial 0002"))
    before = content(other)
    code, (line,) = run(capsys, "restore", other, path)
    assert code == 2 and "serial 0001" in line and "serial 0002" in line
    assert content(other) == before


def test_a_file_that_exists_is_not_overwritten(box, capsys):
    path = backed_up(box, capsys)
    data = path.read_bytes()
    code, (line,) = run(capsys, "backup", box, path)
    assert code == 2 and "exists already" in line and path.read_bytes() == data


def test_a_backup_that_met_a_full_disk_leaves_no_file_under_its_name(box, capsys, monkeypatch):
    """Half a backup would look like one, and the same command would find it there."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        code, (line,) = run(capsys, "backup", box, box.parent / "one.tar")
    assert code == 3 and "No space left" in line and not (box.parent / "one.tar").exists()
    backed_up(box, capsys)


def entry(name, data=b"x", kind=tarfile.REGTYPE):
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = len(data), kind, "/etc/passwd"
    return made, io.BytesIO(data)


def archive(path, *entries):
    with tarfile.open(path, "w") as file:
        for made, data in entries:
            file.addfile(made, data)


def sparse(name):
    """A file of one byte that claims 64 GiB."""
    made, data = entry(name)
    made.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 36)}
    return made, data


LIST = {"version": backup_file.VERSION, "cabinet": None, "store": None, "sha256": {}}
FIRST = entry(backup_file.MANIFEST, json.dumps(LIST).encode())


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [entry("etc/cabinet/a")],
        [entry(backup_file.MANIFEST, b"[]")],
        [entry(backup_file.MANIFEST, json.dumps(LIST | {"version": 2}).encode())],
        [entry(backup_file.MANIFEST, json.dumps(LIST | {"store": {"latches": 1}}).encode())],
        [FIRST, entry("etc/cabinet/a")],
        *[
            [FIRST, entry(name)]
            for name in (
                "/etc/cabinet/a",
                "etc/cabinet/../../a",
                "etc/passwd",
                "state/store.a",
                "state/record.db",
                "other/cabinet/a",
            )
        ],
        *[
            [entry(backup_file.MANIFEST, json.dumps(LIST | {"store": each}).encode())]
            for each in (
                {"latches": "19", "locked_out": "", "trips": 0},
                {"latches": ["\ud800"], "locked_out": "", "trips": 0},
                {"latches": [], "locked_out": "a\n", "trips": 0},
                {"latches": [], "locked_out": "", "trips": 10**30},
                {"latches": [], "locked_out": "", "trips": -1},
            )
        ],
        [entry(backup_file.MANIFEST, b"[" * 200_000)],
        [FIRST, entry("etc/cabinet/" + "a/" * 1500 + "b")],
        [FIRST, sparse("etc/cabinet/a")],
        [FIRST, entry("state/keys")],
        [FIRST, entry("etc/cabinet")],
        [FIRST, entry("etc/cabinet/a", b"", tarfile.SYMTYPE)],
        [FIRST, entry("etc/cabinet/a", b"", tarfile.LNKTYPE)],
        [FIRST, entry("etc/cabinet", b"", tarfile.DIRTYPE)],
    ],
)
def test_what_is_no_backup_is_refused_in_one_line_and_changes_nothing(entries, tmp_path, capsys):
    (tmp_path / "new/etc").mkdir(parents=True)
    archive(tmp_path / "one.tar", *[(made, io.BytesIO(data.getvalue())) for made, data in entries])
    code, lines = run(capsys, "restore", tmp_path / "new", tmp_path / "one.tar")
    assert code == 2 and len(lines) == 1 and "one.tar: " in lines[0], lines
    assert content(tmp_path / "new") == {}


@pytest.mark.parametrize("change", ["cut", "flip", "empty", "text"])
def test_a_damaged_backup_is_refused_whole(change, box, tmp_path, capsys):
    path, new = backed_up(box, capsys), tmp_path / "new"
    data = bytearray(path.read_bytes())
    data[data.index(b"22" * 32)] ^= 1
    path.write_bytes({"cut": data[:3000], "flip": data, "empty": b"", "text": b"x" * 4096}[change])
    (new / "etc").mkdir(parents=True)
    code, (line,) = run(capsys, "restore", new, path)
    assert code == 2 and "one.tar" in line and content(new) == {}
    assert os.listdir(new) == ["etc"]


def test_a_store_that_cannot_be_read_gives_no_backup(box, capsys):
    """Its latches are unknown, and a backup without them would lose them."""
    for copy in two_copies.Store(str(box / "state")).paths:
        with open(copy, "r+b") as file:
            file.seek(8)
            file.write(b"\xff" * 8)
    code, (line,) = run(capsys, "backup", box, box.parent / "two.tar")
    assert code == 3 and "latches are unknown" in line
    assert not (box.parent / "two.tar").exists()
