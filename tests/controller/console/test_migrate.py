"""`firebreak migrate` on the files of an earlier version."""

import os
from dataclasses import replace

import pytest
from site_files import SiteFiles

from controller.__main__ import main
from controller.config import configuration
from controller.console import users
from controller.hints import keys
from controller.sites import EXAMPLE
from controller.store import proof_tests, two_copies
from controller.store.stored_record import Record
from controller.system import sockets
from hil.engine.run_directory import approved
from tests.tables import cases


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A state folder as 0.1 left it: its store has no field of an approval."""
    two_copies.Store(str(tmp_path)).save(Record(latches={"9.rack1": 1}, locked_out="anna"))
    keys.create(str(tmp_path), "site_ems")
    monkeypatch.setattr(users, "N", 16)  # cheap
    users.add(str(tmp_path), "anna", "a-long-password-1")
    return tmp_path


def migrated(capsys, folder, cabinet=EXAMPLE):
    code = main(["migrate", str(cabinet), "--state-dir", str(folder)])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


CARRIED = (
    "carried  store, clean: latches 9.rack1, locked out by anna",
    "carried  keys of sources: site_ems",
    "carried  users of the console: anna",
    "carried  record: none yet",
    "carried  proof tests: 0",
)


def test_every_file_of_an_earlier_version_is_named_and_kept(kept, capsys):
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*")}
    code, lines, _ = migrated(capsys, kept)
    assert (code, lines[:5]) == (1, list(CARRIED))
    assert lines[5:] == [
        "to do    the limits are not approved: key out of RUN, then firebreak approve"
    ]
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*")} == before


def test_nothing_is_left_once_the_limits_are_approved(tmp_path, capsys):
    record = replace(approved(configuration.load(EXAMPLE)), path_delay=("0badcafe", 182))
    two_copies.Store(str(tmp_path)).save(record)
    code, lines, _ = migrated(capsys, tmp_path)
    assert code == 0 and all(line.startswith("carried ") for line in lines)
    assert lines[0].endswith("latches none, path delay 182 ms")


def test_every_key_of_an_earlier_version_is_named_with_its_name_of_today(kept, tmp_path, capsys):
    files = SiteFiles(tmp_path)
    files.replace("type", "soc_reserve_backup_permille", "soc_reserve_hard_permille")
    files.replace("site", "soc_reserve_peaks_permille", "soc_reserve_soft_permille")
    files.say("cabinet", "control.soc_recovery_s", 60)
    code, lines, _ = migrated(capsys, kept, files.paths[-1])
    of_type, of_site, of_cabinet = [f"to do    {path}:control." for path in files.paths]
    assert code == 1 and lines[5:-1] == [
        f"{of_type}soc_reserve_hard_permille: write soc_reserve_backup_permille = 100 in its place",
        f"{of_site}soc_reserve_soft_permille: write soc_reserve_peaks_permille = 150 in its place",
        f"{of_cabinet}soc_recovery_s: remove it: the grid now follows the stored energy, see "
        "track_energy_share_permille",
    ]
    assert lines[-1].startswith("to do    the limits are not approved")
    line = "soc_reserve_hard_permille: has another name now; allowed soc_reserve_backup_permille"
    assert files.refusal().endswith(line)


def spoil_store(folder):
    (folder / "store.a").write_bytes(b"?")


def open_key(folder):
    (folder / "keys" / "site_ems.key").chmod(0o644)


def open_user(folder):
    (folder / "console" / "anna.user").chmod(0o644)


def no_record(folder):
    (folder / "record.db").write_bytes(b"no database" * 100)


def broken_ledger(folder):
    (folder / proof_tests.FILE).write_bytes(b"{}\n{}\n")


@cases("""spoil words
    spoil_store  "the first start needs the key"
    open_key  "site_ems.key: other users may read it"
    open_user  "anna.user: others may read it"
    no_record  "not a database"
    broken_ledger  "firebreak proof-test verify" """)
def test_an_unusable_file_is_a_step_to_do(spoil, words, kept, capsys):
    spoil(kept)
    code, lines, _ = migrated(capsys, kept)
    assert code == 1 and len(lines) == 6
    assert [line.startswith("to do ") for line in lines] == [False] * 4 + [True] * 2
    assert words in lines[4]


def test_each_sender_of_the_old_group_is_named_once(kept, capsys, monkeypatch):
    groups = {
        "firebreak": {0: "firebreak", 1: "firebreak-upstream", 2: "anna", 3: "bert"},
        "firebreak-hints": {3: "bert"},
    }
    monkeypatch.setattr(sockets, "members", lambda group: groups[group])
    todo = [line for line in migrated(capsys, kept)[1] if line.startswith("to do ")]
    assert len(todo) == 2 and todo[0].endswith("sudo usermod -aG firebreak-hints anna")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_named_and_kept(kept, capsys):
    os.chown(kept / "keys" / "site_ems.key", 1, 1)
    lines = migrated(capsys, kept)[1]
    assert any("site_ems.key: belongs to another user" in line for line in lines)
    assert (kept / "keys" / "site_ems.key").stat().st_uid == 1


def test_a_refused_configuration_is_one_line(kept, capsys, tmp_path):
    lines = migrated(capsys, kept, tmp_path / "none.toml")[1]
    assert len(lines) == 6 and lines[5].startswith("to do ") and "none.toml" in lines[5]
    code, lines, err = migrated(capsys, tmp_path / "none")
    assert (code, lines) == (3, []) and "No such file or directory" in err
