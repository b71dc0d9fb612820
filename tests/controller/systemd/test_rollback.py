"""`firebreak box rollback` in a tree with two releases, whose commands are stubs."""

import contextlib
import os
import shutil
import subprocess
import sys

import pytest
from command_line import lines_of, run
from power_loss import as_of_form
from two_releases import OLD, OWNED, STATE, TYPES, UNITS, content, done, made, write

from controller.store import durable, two_copies
from controller.store.stored_record import Record
from controller.systemd import rollback
from controller.systemd.box_tree import Box
from tests.repository import ROOT


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(rollback.os, "geteuid", lambda: 0)
    return made(tmp_path)


def roll_back(tree, monkeypatch, capsys, answers=None):
    """(exit code, lines). answers: {(release, command): its end}."""

    def answer(box, release, *words, program=""):
        return (answers or {}).get((release, words[0]), done())

    monkeypatch.setattr(rollback.Box, "run", answer)
    found = lines_of(capsys, "box rollback --root", tree)
    assert not (tree / rollback.TRIAL).exists()
    return found


def test_a_rollback_brings_back_every_file_of_the_release_before_and_a_second_one_returns(
    tree, monkeypatch, capsys
):
    """The owner's files stay; a service's links of `enable` stay too."""
    wants = tree / UNITS / "multi-user.target.wants/added.service"
    wants.parent.mkdir()
    wants.symlink_to("../added.service")
    before = content(tree)
    code, lines = roll_back(tree, monkeypatch, capsys)
    files, links = content(tree)
    digests = files.pop(rollback.AS_INSTALLED)
    new = {f"{TYPES}/mine.toml.new": "old mine"}
    assert code == 0 and files == OLD | OWNED | new and links == ["old", "new"]
    mine = [line for line in before[0][rollback.AS_INSTALLED] if "mine" in line]
    assert digests == sorted([*mine, rollback._line(f"{TYPES}/a.toml", b"old a")])
    assert wants.is_symlink() and lines[-1].startswith("switched    to release old, from new")
    assert f"kept        /{TYPES}/mine.toml; that release's is /{TYPES}/mine.toml.new" in lines
    roll_back(tree, monkeypatch, capsys)
    after = content(tree)
    assert after[0].pop(f"{TYPES}/mine.toml.new") == "new mine" and after == before


class Cut(BaseException):
    """The power is gone."""


def cut_at(patched, number):
    """The power is gone before this step."""
    left = [number]

    def stepped(place, name):
        real = getattr(place, name)

        def step(*given, **more):
            left[0] -= 1
            if left[0] < 0:
                raise Cut
            return real(*given, **more)

        patched.setattr(place, name, step)

    for place, name in (
        (rollback.Box, "put"),
        (rollback.Box, "remove"),
        (rollback.Box, "link"),
        (rollback, "_remember"),
        (durable, "put"),
    ):
        stepped(place, name)


def test_after_a_power_cut_at_any_step_the_same_command_goes_on(
    tree, tmp_path_factory, monkeypatch, capsys
):
    """A cut between the two links leaves `previous` wrong; the other release is found anyway."""
    place = tmp_path_factory.mktemp("cut")
    whole = shutil.copytree(tree, place / "whole", symlinks=True)
    roll_back(whole, monkeypatch, capsys)
    wanted, finished, number = content(whole)[0], False, 0
    while not finished:
        box = shutil.copytree(tree, place / str(number), symlinks=True)
        with monkeypatch.context() as patched:
            cut_at(patched, number)
            with contextlib.suppress(Cut):
                finished = roll_back(box, monkeypatch, capsys)[0] == 0
        if content(box)[1][0] == "new":
            assert roll_back(box, monkeypatch, capsys)[0] == 0
        assert content(box)[0] == wanted and content(box)[1][0] == "old", number
        assert rollback._releases(rollback.Box(str(box))) == ("old", "new")
        number += 1
    assert number > 15


def unchanged(tree, monkeypatch, capsys, answers=None):
    """(exit code, its only line) of a rollback that must change nothing."""
    before = content(tree)
    code, (line,) = roll_back(tree, monkeypatch, capsys, answers)
    assert content(tree) == before
    return code, line


def test_a_configuration_that_the_old_release_refuses_changes_nothing(tree, monkeypatch, capsys):
    """It is asked about the files as they would be: with its own types, without added ones."""
    seen = {}

    def answer(box, release, *words, program=""):
        if words[0] == "check" and not seen:
            trial = tree / rollback.TRIAL
            seen.update({path.name: path.read_text() for path in trial.rglob("*.toml")})
            assert words[1] == f"/{rollback.TRIAL}/cabinet/cabinet.toml"
            return done(2, err=f"firebreak: /{rollback.TRIAL}/cabinet/site.toml:x: is unknown\n")
        return done()

    before = content(tree)
    monkeypatch.setattr(rollback.Box, "run", answer)
    line = "firebreak: nothing changed: release old refuses /etc/firebreak/cabinet/site.toml:x: is"
    assert run(capsys, "box rollback --root", tree) == (2, [], [f"{line} unknown"])
    assert content(tree) == before
    own = {"cabinet.toml": "cabinet", "site.toml": "site", "mine.toml": "changed by the owner"}
    assert seen == {"a.toml": "old a", **own} and not (tree / rollback.TRIAL).exists()


def test_a_state_that_only_the_old_release_cannot_read_changes_nothing(tree, monkeypatch, capsys):
    refused = {("old", "box"): done(1, "key\nstore\n"), ("new", "box"): done(1, "key\n")}
    code, line = unchanged(tree, monkeypatch, capsys, refused)
    assert code == 2 and line.endswith(
        "nothing changed: release old cannot read /var/lib/firebreak: store"
    )
    both = {**refused, ("new", "box"): done(1, "key\nstore\n")}
    assert roll_back(tree, monkeypatch, capsys, both)[0] == 0, "the new one cannot either"


def test_a_release_whose_commands_had_no_groups_is_asked_by_the_old_name(tree, monkeypatch, capsys):
    refused = {("old", "box"): done(2, err="invalid choice"), ("old", "migrate"): done(1, "key\n")}
    code, line = unchanged(tree, monkeypatch, capsys, refused)
    assert code == 2 and line.endswith("release old cannot read /var/lib/firebreak: key")
    refused[("old", "migrate")] = done()
    assert roll_back(tree, monkeypatch, capsys, refused)[0] == 0


def read_by(folder, package, *options):
    """Exit code of the reader beside modules as a release has them."""
    line = [sys.executable, *options, "-P", "-c", rollback.READER, str(folder)]
    env = {**os.environ, "PYTHONPATH": str(package)}
    return subprocess.run(line, env=env, cwd="/", capture_output=True).returncode


def test_a_release_that_cannot_be_asked_reads_the_store_itself(tree, monkeypatch, capsys):
    """0.2 has no `migrate --readable`, and takes a store with an approval for a damaged one."""
    refused = {("old", name): done(2, err="unrecognized") for name in ("box", "migrate")}
    refused[("old", "-P")] = done(1)
    code, line = unchanged(tree, monkeypatch, capsys, refused)
    assert code == 2 and "release old cannot read /var/lib/firebreak: its store: see" in line
    refused[("old", "-P")] = done()
    assert roll_back(tree, monkeypatch, capsys, refused)[0] == 0
    folder = tree / STATE
    assert read_by(folder, ROOT) == 0, "no store"
    two_copies.Store(str(folder)).save(Record(latches={"3b": 1}))
    assert read_by(folder, ROOT) == 0
    for name in two_copies.COPIES:
        (folder / name).write_bytes(b"damaged")
    assert read_by(folder, ROOT) == 1
    package = tree / "of_0_2"
    write(package, {"controller/__init__.py": "", "controller/record/__init__.py": ""})
    text = "class Store:\n    record, state = None, 'missing'\n"
    text += "    __init__ = lambda *_: None\n    load = lambda self: self\n"
    write(package, {"controller/record/store.py": text})
    assert read_by(folder, package, "-S") == 0


def test_what_is_no_release_to_go_back_to_is_one_line(tree, monkeypatch, capsys):
    answers = {("old", "--help"): done(127, err="no python3.11\n")}
    code, line = unchanged(tree, monkeypatch, capsys, answers)
    assert code == 3 and line == "firebreak: release old does not start: no python3.11"
    folder = tree / "opt/firebreak/releases/old"
    (folder / "files").rename(folder / "files.part")  # its installation was interrupted
    code, line = unchanged(tree, monkeypatch, capsys)
    assert code == 3 and line.endswith("has no list of its files: install it from its sources")
    (folder / "complete").unlink()
    code, line = unchanged(tree, monkeypatch, capsys)
    assert code == 3 and line.endswith("there is no release before new to go back to")


def test_a_new_release_that_is_half_installed_is_taken_away_again(tree, monkeypatch, capsys):
    folder = tree / "opt/firebreak/releases/new"
    (folder / "files").rename(folder / "files.part")
    assert roll_back(tree, monkeypatch, capsys)[0] == 0
    assert not (tree / UNITS / "added.service").exists()


def test_a_link_out_of_the_tree_and_a_running_installation_change_nothing(
    tree, tmp_path_factory, monkeypatch, capsys
):
    held = rollback.locked(rollback.Box(str(tree)))
    with held:
        code, line = unchanged(tree, monkeypatch, capsys)
        assert code == 3 and "another installation" in line
    outside = tmp_path_factory.mktemp("outside")
    (tree / "etc/udev").rename(outside / "udev")
    (tree / "etc/udev").symlink_to(outside / "udev")
    code, lines = roll_back(tree, monkeypatch, capsys)
    assert code == 3 and "leads out of the tree, to" in lines[-1]
    assert (outside / "udev/rules.d/70-firebreak.rules").read_text() == "new rules"


def test_a_running_box_loads_its_units_and_no_service_stops(tmp_path, monkeypatch, capsys):
    asked = []

    def noted(line, **_):
        asked.append(" ".join(line))
        return done()

    monkeypatch.setattr(rollback.os.path, "isdir", lambda path: True)
    monkeypatch.setattr(rollback.subprocess, "run", noted)
    rollback._reload(rollback.Box(str(tmp_path)))
    assert asked == [], "the tree of another box"
    rollback._reload(rollback.Box("/"))
    active = "systemctl --quiet is-active firebreak.service"
    assert asked == ["systemctl daemon-reload", "udevadm control --reload", active]
    assert "runs its release until: systemctl restart firebreak" in capsys.readouterr().out


def test_readable_prints_only_what_this_release_cannot_read(tmp_path, capsys):
    two_copies.Store(str(tmp_path)).save(Record(latches={"3b": 1}))
    command = "box migrate --readable --state-dir", tmp_path
    assert run(capsys, *command)[:2] == (0, [])
    as_of_form(tmp_path, 2)
    code, (line,), _ = run(capsys, *command)
    assert code == 1 and line.startswith(
        f"{tmp_path}/store.a: a newer release has written the store"
    )


def test_the_trial_of_a_configuration_copies_files_and_nothing_else(tmp_path):
    """A link to a device would fill the disk of the box, and one to its own folder never end."""
    place = tmp_path / "etc/firebreak/cabinet"
    place.mkdir(parents=True)
    for release in ("a", "b"):
        (tmp_path / f"opt/firebreak/releases/{release}/files").mkdir(parents=True)
    (tmp_path / "elsewhere.toml").write_text("linked")
    write(place, {"cabinet.toml": "x"})
    for name, target in {
        "s.toml": tmp_path / "elsewhere.toml",
        "loop": ".",
        "lock": "gone",
    }.items():
        (place / name).symlink_to(target)
    (place / "zero").symlink_to("/dev/zero")
    os.mkfifo(place / "pipe")
    rollback._try_configuration(Box(str(tmp_path)), "a", "b")
    trial = tmp_path / rollback.TRIAL / "cabinet"
    assert sorted(os.listdir(trial)) == ["cabinet.toml", "s.toml"]
    assert (trial / "s.toml").read_text() == "linked"
