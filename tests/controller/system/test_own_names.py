"""A foreign file under a name of the controller is removed and reported, and the start goes on."""

import os
import pwd
import socket

import pytest

from controller.console import users
from controller.hints import keys
from controller.recorder import archive, capture, head, room
from controller.store import proof_tests, spool, trips, two_copies
from controller.system import own_names

NOBODY = pwd.getpwnam("nobody")


def folder(path):
    path.mkdir()
    (path / "file").write_text("x")


def link(path):
    path.symlink_to("/nowhere")


def listening(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(path))


MADE = {
    "a link": link,
    "a folder": folder,
    "a pipe or a device": os.mkfifo,
    "a socket": listening,
    "a file": lambda path: path.write_text("x"),
}
WORDS = {own_names.FILE: "a file", own_names.FOLDER: "a folder", own_names.SOCKET: "a socket"}
PLACES = [("run", *each) for each in own_names.RUN_NAMES.items()]
PLACES += [("state", *each) for each in (own_names.STATE_NAMES | own_names.LOCKS).items()]


@pytest.fixture
def places(tmp_path):
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    return tmp_path


def tidied(places):
    return own_names.tidy(str(places / "run"), str(places / "state"))


@pytest.mark.parametrize("place, name, kind", PLACES, ids=lambda each: str(each))
def test_only_the_right_kind_stays_under_each_name(places, place, name, kind):
    path = places / place / name
    for words, make in MADE.items():
        make(path)
        is_right = words == WORDS[kind]
        line = f"{path}: was {words} and no part of this; removed"
        assert tidied(places) == ([] if is_right else [line])
        assert os.path.lexists(path) == is_right
        own_names._remove(path) if is_right else None


def test_a_link_is_removed_and_its_target_stays(places):
    (places / "kept").mkdir()
    (places / "kept" / "file").write_text("x")
    (places / "run" / "console").symlink_to(places / "kept")
    assert len(tidied(places)) == 1 and (places / "kept" / "file").exists()


def test_only_files_stay_in_the_folder_of_acts(places):
    (places / "run" / "console").mkdir()
    link(places / "run" / "console" / "actor")
    spool.put(str(places / "run"), 1, "LOGIN", "a")
    line = f"{places}/run/console/actor: was a link and no part of this; removed"
    assert tidied(places) == [line]
    assert len(os.listdir(places / "run" / "console")) == 1


def test_other_names_stay(places):
    for place in ("run", "state"):
        link(places / place / "backup")
    assert tidied(places) == [] and own_names.tidy(str(places / "no"), "") == []


@pytest.mark.needs("root")
def test_a_lock_of_another_user_is_removed_and_a_store_stays(places):
    locks = [places / "run" / "lock", places / "state" / "store.lock"]
    for path in (*locks, places / "state" / "store.a"):
        path.write_text("x")
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    words = f"was of the user {NOBODY.pw_uid} and no part of this; removed"
    assert tidied(places) == [f"{path}: {words}" for path in locks]
    assert os.listdir(places / "state") == ["store.a"]


def test_a_file_that_cannot_be_removed_is_reported_and_the_start_goes_on(places, monkeypatch):
    link(places / "run" / "lock")
    monkeypatch.setattr(os, "unlink", lambda path: open("/nowhere/there"))
    words = "is no part of this and cannot be removed: No such file or directory"
    assert tidied(places) == [f"{places}/run/lock: {words}"]


def test_a_folder_with_files_of_root_is_moved_aside(places, monkeypatch):
    """Seen in the box: the journal's name was taken, and no start came through."""

    def refused(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(own_names.shutil, "rmtree", refused)
    path = places / "run" / "journal.previous"
    for number in range(2):
        folder(path)
        aside = f"{path}.not_ours.{number}"
        assert tidied(places) == [f"{path}: was a folder and no part of this; moved to {aside}"]
        assert not path.exists() and os.path.exists(f"{aside}/file")


def test_the_names_are_those_that_are_used():
    files = [*two_copies.COPIES, trips.FILE, archive.FILE, room.FILE, proof_tests.FILE]
    folders = [keys.DIRECTORY, users.FOLDER, capture.FOLDER]
    assert {own_names.STATE_NAMES[name] for name in files} == {own_names.FILE}
    assert {own_names.STATE_NAMES[name] for name in folders} == {own_names.FOLDER}
    assert {two_copies.LOCK_FILE, proof_tests.LOCK_FILE, "record.lock"} == set(own_names.LOCKS)
    names = two_copies.FAILED_NAME, head.FILE
    assert [own_names.RUN_NAMES[name] for name in names] == [own_names.FILE] * 2
    assert own_names.RUN_NAMES[spool.FOLDER] == own_names.FOLDER
