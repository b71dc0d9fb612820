"""The identity of a person at a shell: the own login name, or a password."""

import io
import os
import pwd
import sys
import types

import pytest
from command_line import answered, cheapen_passwords, refused, run

from controller.console import users
from controller.run import operator_client, operator_commands
from controller.store import spool
from controller.system import clock

PASSWORD = "a long password 1"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The command line of a lock-out by anna, who has a password; `asked` by the controller."""
    for folder in ("run", "state"):
        (tmp_path / folder).mkdir()
    cheapen_passwords(monkeypatch)
    users.add(str(tmp_path / "state"), "anna", PASSWORD)
    answered(monkeypatch, operator_client, "reach", None)
    answered(monkeypatch, clock, "now_us", 5_000_000)
    asked = answered(monkeypatch, operator_client, "lock_out", operator_commands.ACCEPTED)
    run_dir, state_dir = tmp_path / "run", tmp_path / "state"
    more = "--run-dir", run_dir, "--state-dir", state_dir
    return types.SimpleNamespace(asked=asked, run_dir=run_dir, more=more)


def typed(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", None if text is None else io.StringIO(text))


def noted(place):
    acts = spool.Inbox(str(place.run_dir), ()).take(9)
    return [(act.code, act.text) for act in acts]


def test_a_name_is_proven_by_its_password(place, capsys, monkeypatch):
    typed(monkeypatch, PASSWORD + "\n")
    assert run(capsys, "lock-out anna", *place.more)[0] == 0
    assert place.asked[0][1:] == ("anna", True) and noted(place) == []


@pytest.mark.parametrize("text", ["", None])
def test_a_password_that_nobody_gave_is_no_failed_login(place, capsys, monkeypatch, text):
    typed(monkeypatch, text)
    words = "^firebreak: password of anna: there is no terminal to ask at, and standard input is"
    refused(capsys, 2, words, "lock-out anna", *place.more)
    typed(monkeypatch, PASSWORD)
    assert run(capsys, "lock-out anna", *place.more)[0] == 0, "without a wait"


@pytest.mark.parametrize("text", ["x", "\n"])
def test_a_wrong_password_does_nothing_and_delays_the_next(place, capsys, monkeypatch, text):
    typed(monkeypatch, text)
    words = "^firebreak: wrong name or password; nothing was done$"
    refused(capsys, 1, words, "lock-out anna", *place.more)
    typed(monkeypatch, PASSWORD)
    refused(capsys, 1, "failed logins of anna here: wait 1 s", "lock-out anna", *place.more)
    assert place.asked == []
    assert noted(place) == [("FAIL", "anna at a shell: login failed, number 1")]


def test_a_refusal_does_not_wait_for_a_recorder(place, capsys, monkeypatch):
    typed(monkeypatch, "x")
    answered(monkeypatch, spool, "put", OSError(28, "No space left on device"))
    code, _, err = run(capsys, "lock-out anna", *place.more)
    assert (code, err[0]) == (1, "firebreak: NOT RECORDED: No space left on device")


def test_an_operator_may_use_only_the_own_login_name(place, capsys, monkeypatch):
    """The kernel proves the user; the run folder belongs to another user."""
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(place.run_dir).st_uid + 1)
    login = pwd.struct_passwd(("anna", "x", 1, 1, "", "/", "sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: login)
    assert run(capsys, "lock-out anna", *place.more)[0] == 0
    refused(capsys, 1, "bert: you are anna; for another name", "lock-out bert", *place.more)
    assert len(place.asked) == 1
