"""`backup` and `restore`: a new box becomes the cabinet; a box in use keeps what it has. Beside odd
files nothing is left out without a word, and nothing is written before a refusal.
"""

import errno
import io
import json
import os
import shutil
import socket
import tarfile

import pytest
from command_line import lines_of

from controller.console import backup, backup_file
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


@pytest.fixture
def new(tmp_path):
    (tmp_path / "new/etc").mkdir(parents=True)
    return tmp_path / "new"


def run(capsys, command, home, path, *more):
    places = "--etc-dir", home / "etc", "--state-dir", home / "state"
    return lines_of(capsys, command, path, *places, *more)


def refuses(capsys, box, code, words):
    found, (line,) = run(capsys, "box backup", box, box.parent / "one.tar")
    assert found == code and words in line, line
    assert not (box.parent / "one.tar").exists()


def backed_up(box, capsys):
    path = box.parent / "one.tar"
    code, (line,) = run(capsys, "box backup", box, path)
    assert code == 0 and "7 files" in line and "like a key" in line
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def content(home):
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("store.")
    }


def kept(home):
    return {name: data for name, data in content(home).items() if name not in LEFT_OUT}


def store(home):
    return two_copies.Store(str(home / "state")).load()


def test_a_new_box_becomes_the_cabinet_with_its_latches_and_needs_the_key(box, new, capsys):
    path = backed_up(box, capsys)
    (new / "state").mkdir()
    code, lines = run(capsys, "box restore", new, path, "--dry-run")
    assert code == 0 and all(line.startswith("would restore ") for line in lines) and lines
    assert content(new) == {} and store(new).state == two_copies.MISSING
    code, lines = run(capsys, "box restore", new, path)
    assert code == 0 and sum(line.startswith("restored ") for line in lines) == 8
    assert "12a.1, 3b, locked out by anna; the start needs the key" in lines[-2]
    assert content(new) == kept(box)
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
    code, lines = run(capsys, "box restore", box, path)
    assert code == 1 and content(box) == before | {"etc/cabinet/site.toml": site}
    words = {line.split()[-1].removeprefix(f"{box}/"): line[:8] for line in lines[:-2]}
    assert words["etc/cabinet/cabinet.toml"].strip() == "differs"
    assert {words[name] for name in gone} == {"left out"}
    assert store(box).record.latches == {"newer": 1}


@pytest.mark.parametrize("number", range(10))
def test_a_restore_that_broke_off_is_completed_by_the_same_command(
    number, box, new, capsys, monkeypatch
):
    """The disk is full at the file of this number; the last two are the copies of the store. One
    copy alone counts as a store that is there.
    """
    path, left, put = backed_up(box, capsys), [number], durable.put

    def full(*given):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(*given)

    with monkeypatch.context() as disk:
        disk.setattr(durable, "put", full)
        code, lines = run(capsys, "box restore", new, path)
    code, lines = run(capsys, "box restore", new, path) if code == 3 else (code, lines)
    assert code == 0, lines
    assert content(new) == kept(box) and {*store(new).record.latches} == {"12a.1", "3b", "44d"}


def test_the_backup_of_another_cabinet_is_refused(box, tmp_path, capsys):
    path, other = backed_up(box, capsys), tmp_path / "other"
    shutil.copytree(box / "etc", other / "etc")
    file = other / "etc/cabinet/cabinet.toml"
    file.write_text(file.read_text().replace("serial 0001", "serial 0002"))
    before = content(other)
    code, (line,) = run(capsys, "box restore", other, path)
    assert code == 2 and "serial 0001" in line and "serial 0002" in line
    assert content(other) == before


def test_a_file_that_exists_is_not_overwritten(box, capsys):
    path = backed_up(box, capsys)
    data = path.read_bytes()
    code, (line,) = run(capsys, "box backup", box, path)
    assert code == 2 and "exists already" in line and path.read_bytes() == data


def test_a_backup_that_met_a_full_disk_leaves_no_file_under_its_name(box, capsys, monkeypatch):
    """Half a backup would look like one, and the same command would find it there."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        refuses(capsys, box, 3, "No space left")
    backed_up(box, capsys)


def entry(name, data=b"x", kind=tarfile.REGTYPE):
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = len(data), kind, "/etc/passwd"
    return made, data


def archive(path, *entries):
    with tarfile.open(path, "w") as file:
        for made, data in entries:
            file.addfile(made, io.BytesIO(data))


def is_no_backup(new, capsys):
    code, (line,) = run(capsys, "box restore", new, new.parent / "one.tar")
    assert code == 2 and "one.tar: " in line and os.listdir(new) == ["etc"]
    assert os.listdir(new / "etc") == []
    return line


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
        [FIRST, entry("etc/cabinet", b"", tarfile.DIRTYPE)],
    ],
)
def test_what_is_no_backup_is_refused_in_one_line_and_changes_nothing(entries, new, capsys):
    archive(new.parent / "one.tar", *entries)
    is_no_backup(new, capsys)


@pytest.mark.parametrize("change", ["cut", "flip", "empty", "text"])
def test_a_damaged_backup_is_refused_whole(change, box, new, capsys):
    path = backed_up(box, capsys)
    data = bytearray(path.read_bytes())
    data[data.index(b"22" * 32)] ^= 1
    path.write_bytes({"cut": data[:3000], "flip": data, "empty": b"", "text": b"x" * 4096}[change])
    is_no_backup(new, capsys)


def test_a_store_that_cannot_be_read_gives_no_backup(box, capsys):
    """Its latches are unknown, and a backup without them would lose them."""
    for copy in two_copies.Store(str(box / "state")).paths:
        with open(copy, "r+b") as file:
            file.seek(8)
            file.write(b"\xff" * 8)
    refuses(capsys, box, 3, "latches are unknown")


def restored_lines(lines):
    return [line for line in lines if line.startswith("restored ")]


def cut(path, _suffix, pieces, mode):
    """A disk that keeps the first half of a file, and says nothing."""
    whole = b"".join(pieces)
    with open(path, "wb") as file:
        file.write(whole[: len(whole) // 2])


def test_a_backup_that_the_disk_has_cut_is_none(box, capsys, monkeypatch):
    with monkeypatch.context() as disk:
        disk.setattr(durable, "put", cut)
        refuses(capsys, box, 3, "one.tar: is ")
    backed_up(box, capsys)


def grow(path, state):
    with open(path, "ab") as file:
        file.write(b"more\n")


def rewrite(path, state):
    """Write other bytes, as many as before."""
    path.write_bytes(bytes(state.st_size))
    os.utime(path, ns=(0, state.st_mtime_ns + 1))


@pytest.mark.parametrize("change", [grow, rewrite])
@pytest.mark.parametrize("name", ["state/proof_tests.jsonl", "etc/cabinet/site.toml"])
def test_a_file_that_changes_while_it_is_read_gives_no_backup(
    name, change, box, capsys, monkeypatch
):
    fstat = os.fstat

    def changing(descriptor):
        state = fstat(descriptor)
        if os.path.samestat(state, os.stat(box / name)):
            change(box / name, state)
        return state

    with monkeypatch.context() as disk:
        disk.setattr(os, "fstat", changing)
        refuses(capsys, box, 3, f"{box / name}: changes while it is read")


def test_a_sparse_file_or_too_many_bytes_give_no_backup(box, capsys):
    with (box / "etc/doors/huge").open("wb") as file:
        file.truncate(1 << 36)
    words = "doors/huge: changes while it is read, or is larger than a backup"
    refuses(capsys, box, 3, words)
    (box / "etc/doors/huge").write_bytes(bytes(20 << 20))
    (box / "etc/doors/large").write_bytes(bytes(20 << 20))
    refuses(capsys, box, 3, "at most 2000 files and 32 MiB")


def test_too_many_files_or_one_too_deep_give_no_backup(box, capsys, monkeypatch):
    with monkeypatch.context() as small:
        small.setattr(backup_file, "FILES_MAX", 5)
        refuses(capsys, box, 3, "is no backup; allowed")
    deep = box / "etc/doors/a/b/c/d/e/f"
    deep.mkdir(parents=True)
    (deep / "g").touch()
    refuses(capsys, box, 3, "doors/a/b/c/d/e/f/g")


def test_a_link_or_a_pipe_is_named_and_the_backup_is_not_whole(box, capsys):
    (box / "etc/cabinet/site.toml").rename(box / "shared.toml")
    (box / "etc/cabinet/site.toml").symlink_to(box / "shared.toml")
    (box / "etc/doors/more").symlink_to(box / "etc/cabinet")
    os.mkfifo(box / "etc/planner/pipe")
    (box / "state/trips.log").symlink_to(box / "nowhere")
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(str(box / "state/console/own.sock"))
        code, lines = run(capsys, "box backup", box, box.parent / "one.tar")
    named = sorted(line.split(": ")[1].removeprefix(f"{box}/") for line in lines[1:])
    wanted = ["etc/cabinet/site.toml", "etc/doors/more", "etc/planner/pipe", "state/trips.log"]
    assert (code, named) == (1, wanted) and "6 files" in lines[0]
    assert all("the backup leaves it out" in line for line in lines[1:])


def test_a_folder_that_cannot_be_read_gives_no_backup(box, capsys, monkeypatch):
    listdir = os.listdir

    def refused(path):
        if str(path).endswith("/doors"):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refused)
    refuses(capsys, box, 3, "etc/doors: Permission denied")


def made_odd(path, kind):
    """Put something that is no file at a place of the backup."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "dangling link":
        path.symlink_to(path.parent / "nowhere")
    elif kind == "file above":
        path.parent.rmdir()
        path.parent.write_text("a file")
    elif kind == "dangling link above":
        path.parent.rmdir()
        path.parent.symlink_to("nowhere")


@pytest.mark.parametrize(
    "kind", ["folder", "pipe", "dangling link", "file above", "dangling link above"]
)
@pytest.mark.parametrize("name", ["etc/planner/planner.key", "state/console/anna.user"])
def test_a_place_that_has_no_file_is_one_refusal_and_nothing_is_written(
    name, kind, box, new, capsys
):
    path = backed_up(box, capsys)
    made_odd(new / name, kind)
    before = sorted(map(str, new.rglob("*")))
    odd = new / name if "above" not in kind else (new / name).parent
    for more in (["--dry-run"], []):
        code, (line,) = run(capsys, "box restore", new, path, *more)
        assert code == 3 and f"{odd}: is no f" in line, line
        assert sorted(map(str, new.rglob("*"))) == before
    odd.rmdir() if kind == "folder" else odd.unlink()
    code, lines = run(capsys, "box restore", new, path)
    assert code == 0 and len(restored_lines(lines)) == 8


def test_a_link_to_an_equal_file_is_there(box, new, capsys):
    """A configuration may be a link."""
    path = backed_up(box, capsys)
    (new / "etc/cabinet").mkdir()
    (new / "etc/cabinet/site.toml").symlink_to(box / "etc/cabinet/site.toml")
    code, lines = run(capsys, "box restore", new, path)
    assert code == 0 and len(restored_lines(lines)) == 7
    assert (new / "etc/cabinet/site.toml").is_symlink()


def test_what_a_killed_restore_has_left_is_no_hindrance(box, new, capsys):
    path = backed_up(box, capsys)
    (new / "etc/doors").mkdir()
    (new / "etc/doors/doors.toml.part").write_text("torn")
    assert run(capsys, "box restore", new, path)[0] == 0
    assert content(new) == kept(box)
    assert "44d" in store(new).record.latches


@pytest.mark.parametrize("owner", ["a\0b", "\ud800", "x" * 5000])
def test_an_owner_that_no_box_can_have_is_the_owner_of_the_folder(
    owner, tmp_path, capsys, monkeypatch
):
    """A hostile archive may name any text."""
    (tmp_path / "etc/cabinet").mkdir(parents=True)
    path = tmp_path / "etc/cabinet/a"
    path.touch()
    owners = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda *given: owners.append(given))
    backup._set_owner(str(path), owner)
    assert owners == [(str(path), os.getuid(), os.getgid())]


@pytest.mark.parametrize(
    "names", [["etc/cabinet/a\0b"], ["etc/cabinet/a\nb"], ["etc/cabinet/a", "etc/cabinet/a"]]
)
def test_names_that_no_folder_can_have_are_refused_and_nothing_is_written(names, new, capsys):
    files = [backup_file.ArchivedFile(each, 0o644, "", b"x") for each in names]
    (new.parent / "one.tar").write_bytes(backup_file.packed(None, None, files))
    is_no_backup(new, capsys)


@pytest.mark.parametrize("kind", [b"3", b"4", b"6", b"1", b"2"])
def test_devices_pipes_and_links_in_an_archive_are_refused(kind, new, capsys):
    archive(new.parent / "one.tar", FIRST, entry("etc/cabinet/a", b"", kind))
    assert "etc/cabinet/a" in is_no_backup(new, capsys)


def test_each_file_is_durable_and_its_users_also_after_a_power_cut(box, new, capsys, monkeypatch):
    path, acts = backed_up(box, capsys), []
    put, sync, give = durable.put, durable.sync_directory, backup._set_owner
    noted = lambda word, act, at, *given: (acts.append((word, str(at))), act(at, *given))  # noqa: E731
    monkeypatch.setattr(durable, "put", lambda *given: noted("put", put, *given))
    monkeypatch.setattr(durable, "sync_directory", lambda *given: noted("sync", sync, *given))
    monkeypatch.setattr(backup, "_set_owner", lambda *given: noted("give", give, *given))
    key = str(new / "state/keys/site_ems.key")
    run(capsys, "box restore", new, path)
    wanted = [("put", key), ("give", key), ("sync", os.path.dirname(key))]
    assert acts[acts.index(wanted[0]) :][:3] == wanted
    os.unlink(new / "state/store.a")
    os.unlink(new / "state/store.b")
    acts.clear()
    assert run(capsys, "box restore", new, path)[0] == 0 and ("give", key) in acts


def test_a_file_of_a_box_in_use_that_differs_is_left_out(box, capsys):
    path = backed_up(box, capsys)
    (box / "etc/doors/doors.toml").write_text("# other\n")
    code, lines = run(capsys, "box restore", box, path)
    (line,) = [line for line in lines if line.endswith("doors.toml")]
    assert code == 1 and line.startswith("left out ")


def test_a_wrong_cabinet_file_gives_no_backup(box, capsys):
    (box / "etc/cabinet/cabinet.toml").write_text("name = [")
    refuses(capsys, box, 2, "cabinet.toml")


def test_a_linked_folder_of_the_configuration_is_followed(box, capsys):
    """A site may keep its files elsewhere."""
    (box / "etc/cabinet").rename(box / "elsewhere")
    (box / "etc/cabinet").symlink_to(box / "elsewhere")
    backed_up(box, capsys)
