"""Root becomes the service's user in that user's folders, and works in no other folder."""

import argparse
import os
import pwd

import pytest

from controller.system import identity
from controller.system.cli import Ended

NOBODY = pwd.getpwnam("nobody")
OTHER = NOBODY.pw_uid - 1  # has no name
pytestmark = pytest.mark.needs("root")


@pytest.fixture(autouse=True)
def service(monkeypatch):
    monkeypatch.setattr(identity, "SERVICE", "nobody")


def made(folder, owner, mode=0o750):
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)
    os.chown(folder, owner, owner)
    return str(folder)


def rights(**folders):
    """(real, effective, saved user, groups) after `settle` in a process of its own, or its line."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            identity.settle(argparse.Namespace(**folders))
            found = f"{os.getresuid()} {os.getresgid()} {os.getgroups()}"
        except Ended as end:
            found = f"{end.code} {end}"
        os.write(writer, found.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as file:
        return file.read().decode()


IS_SERVICE = f"{(NOBODY.pw_uid,) * 3} {(NOBODY.pw_gid,) * 3} [{NOBODY.pw_gid}]"


def test_root_stays_root_in_its_own_folders_and_is_the_service_in_the_services(tmp_path):
    own, service = made(tmp_path / "own", 0), made(tmp_path / "service", NOBODY.pw_uid)
    assert rights(run_dir=own, state_dir=own).startswith("(0, 0, 0)")
    assert rights(run_dir=own, state_dir=service) == IS_SERVICE
    assert rights(state_dir=service) == IS_SERVICE
    assert rights(run_dir=f"{service}/not/there") == IS_SERVICE
    assert rights(run_dir=f"{own}/not/there", state_dir="").startswith("(0, 0, 0)")
    assert rights().startswith("(0, 0, 0)")


def test_root_works_in_no_folder_of_another_user_nor_below_one(tmp_path):
    """A group member planted a link in RUN/console, and root gave it what lay behind it."""
    other = made(tmp_path / "other", OTHER)
    below = made(tmp_path / "other" / "below", 0)
    (tmp_path / "link").symlink_to(below)
    line = f"root does not work there: {other} belongs to the user {OTHER}"
    assert rights(run_dir=other) == f"3 {other}: {line}"
    assert rights(state_dir=below) == f"3 {below}: {line}"
    assert rights(run_dir=str(tmp_path / "link")) == f"3 {below}: {line}"


@pytest.mark.parametrize("mode, is_used", [(0o755, 1), (0o775, 0), (0o757, 0), (0o1777, 1)])
def test_root_works_in_no_folder_in_which_others_may_change_names(tmp_path, mode, is_used):
    place = made(tmp_path / "place", 0, mode)
    told = "(0, 0, 0)" if is_used else f"3 {place}: root does not work there: {place} is writable"
    assert rights(run_dir=place).startswith(told)


def test_without_a_service_only_roots_folders_count(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "SERVICE", "no_such_user")
    place = made(tmp_path / "place", NOBODY.pw_uid)
    assert rights(run_dir=place).endswith(f"{place} belongs to the user nobody")


def test_others_keep_their_rights_and_links_are_resolved(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    lost = str(tmp_path / "lost")
    arguments = argparse.Namespace(run_dir=str(tmp_path / "link"), state_dir=lost, file="x")
    identity.settle(arguments)
    assert vars(arguments) == {"run_dir": str(tmp_path), "state_dir": lost, "file": "x"}
