"""Users of the console: the stored file, right and wrong passwords, damaged or readable files."""

import errno
import os
import stat
from unittest.mock import Mock

import pytest
from command_line import cheapen_passwords

from controller.console import login, users
from controller.store import durable
from tests.tables import table

COST = users.N, users.R, users.P


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    cheapen_passwords(monkeypatch)


def path(folder, name="anna"):
    return folder / "console" / f"{name}.user"


def test_the_file_has_a_salted_hash_and_mode_0600(tmp_path):
    assert not any([users.add(str(tmp_path), name, "a long secret 1") for name in ("anna", "bert")])
    found, text = path(tmp_path), path(tmp_path).read_text()
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700
    assert "a long secret 1" not in text and text != path(tmp_path, "bert").read_text()
    assert users.names(str(tmp_path)) == ["anna", "bert"]
    found.chmod(0o640)
    with pytest.raises(users.UserError, match="others may read it"):
        users.is_right(str(tmp_path), "anna", "a long secret 1")


def test_a_new_password_is_on_the_disk_before_it_replaces_the_old(tmp_path, monkeypatch):
    """A loss of power must not leave an empty file, because then no login is possible."""
    done = []

    def noted(name, real):
        def call(*given):
            done.append((name, [new.stat().st_size > 0 for new in tmp_path.glob("console/*.new")]))
            return real(*given)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    users.add(str(tmp_path), "anna", "a long secret 1")
    assert done == [("fsync", [True]), ("replace", [True])]


def test_only_the_right_password_logs_in_at_owasp_cost(tmp_path):
    def is_right(name, password):
        return users.is_right(str(tmp_path), name, password)

    users.add(str(tmp_path), "anna", "a long secret 1")
    assert is_right("anna", "a long secret 1")
    for password in ("a long secret 2", "", "s\u00e9cret that is long"):
        assert not is_right("anna", password), password
    for name in ("bert", "", "../anna", "Anna"):
        assert not is_right(name, "a long secret 1"), name
    assert users.add(str(tmp_path), "anna", "another long one") is True
    assert not is_right("anna", "a long secret 1") and is_right("anna", "another long one")
    users.remove(str(tmp_path), "anna")
    assert not is_right("anna", "another long one")
    assert COST == (1 << 14, 8, 5)


def test_a_user_whom_the_disk_does_not_remove_is_named_and_still_logs_in(tmp_path, monkeypatch):
    users.add(str(tmp_path), "anna", "a long secret 1")
    with monkeypatch.context() as patch:

        def unlink(path):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

        patch.setattr(os, "unlink", unlink)
        with pytest.raises(users.UserError, match="anna.*Read-only file system"):
            users.remove(str(tmp_path), "anna")
    assert users.is_right(str(tmp_path), "anna", "a long secret 1")


def test_passwords_and_names():
    texts = ("x" * 14, "x" * 65, "123\t456" * 2, "12345\u00e9" * 3), "15 .. 64 printable ASCII"
    names = ("a" * 17, "", "7a", "../a", "a.b", "A"), "1 .. 16 of a-z"
    for checked, allowed, (refused, words) in (
        (users.checked_password, ["x" * 15, "x" * 64], texts),
        (users.checked_name, ["a", "a" * 16], names),
    ):
        assert [checked(text) for text in allowed] == allowed
        for text in refused:
            with pytest.raises(users.UserError, match=words):
                checked(text)


HASH = "00" * 32
DAMAGED = f"""
'' ; scrypt ; 'scrypt 16 8 1 00 00\\n' ; md5 16 8 1 00 {HASH} ; '\\xff' ; scrypt 15 8 1 00 {HASH}
scrypt 1099511627776 8 1 00 {HASH} ; scrypt -2 8 1 00 {HASH} ; scrypt 2 1 1 00 {HASH}
scrypt 65536 1 1 00 {HASH} ; scrypt 16 8 9999 00 {HASH}
"""


def test_a_damaged_file_refuses_every_login(tmp_path):
    users.add(str(tmp_path), "anna", "a long secret 1")
    for (text,) in table(DAMAGED):
        path(tmp_path).write_bytes(text.encode("latin-1"))
        with pytest.raises(users.UserError, match="damaged"):
            users.is_right(str(tmp_path), "anna", "a long secret 1")


def test_the_actor_file_has_the_present_actor(tmp_path):
    place = tmp_path / "actor"
    place.write_text(" BY KEY: somebody_of_a_long_name at ttyUSB17")  # left by a killed console
    actor = login.ActorLock(str(place))
    assert actor.take(": anna at ttyS0") and place.read_text() == ": anna at ttyS0"
    assert actor.other() is None
    actor.give_back()
    assert place.read_text() == "" and not actor.is_held


SECOND_US = 1_000_000


def guess(failures, second, name="anna"):
    return failures.begin(round(second * SECOND_US), name)


def test_each_failure_doubles_the_delay_also_for_a_new_console(tmp_path):
    place, second, waits = str(tmp_path / "ttyS0.failed"), 100, []
    for _ in range(9):
        assert guess(login.Failures(place), second)
        waits.append(login.Failures(place).wait_us(second * SECOND_US, "anna") // SECOND_US)
        assert not login.Failures(place).begin((second + waits[-1]) * SECOND_US - 1, "anna")
        second += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    login.Failures(place).passed(second * SECOND_US, "anna")
    assert login.Failures(place).wait_us(second * SECOND_US, "anna") == 0


def test_a_boot_counts_as_the_time_of_a_failure_before_it(tmp_path):
    """The boot clock begins at 0 again, and the disk may refuse to store that."""
    failures = login.Failures(str(tmp_path / "a.failed"))
    for second in (100, 200, 300, 400):
        assert guess(failures, second)
    assert failures.wait_us(3 * SECOND_US, "anna") == 5 * SECOND_US
    assert not guess(failures, 7) and guess(failures, 8)


def test_a_login_clears_the_count_of_its_own_name_and_no_other(tmp_path):
    """A person with a password could guess that of another one without a delay."""
    failures = login.Failures(str(tmp_path / "pts.failed"))
    for second in range(1, 4):
        assert guess(failures, 60 * second) and guess(failures, 60 * second, "bert")
        failures.passed(60 * second * SECOND_US, "bert")
        assert guess(failures, 60 * second, "bert"), "no failure of anna delays bert"
        failures.passed(60 * second * SECOND_US, "bert")
    waits = [failures.wait_us(180 * SECOND_US, name) for name in ("anna", "bert", "carla")]
    assert waits == [4 * SECOND_US, 0, 0]


def test_many_names_share_one_count(tmp_path):
    failures = login.Failures(str(tmp_path / "pts.failed"))
    names, looked_at = [f"name{number}" for number in range(40)], 0
    for second in range(0, 1200, 5):
        looked_at += sum([guess(failures, second, name) for name in names])
        content = (tmp_path / "pts.failed").read_bytes()
        assert content.count(b"\n") <= login.NAMES_MAX and len(content) < 1000
    assert looked_at <= (login.NAMES_MAX + 1) * (1200 // 60 + 7)
    assert not guess(failures, 1196, "anna"), "as all others"
    later = 1200 + login.FORGOTTEN_US // SECOND_US
    assert all([failures.wait_us(later * SECOND_US, name) == 0 for name in [*names, "anna"]])
    assert all([guess(failures, later, name) for name in names[: login.NAMES_MAX]])


@pytest.mark.parametrize("quiet_us", [login.FORGOTTEN_US - 1, login.FORGOTTEN_US])
def test_a_name_is_forgotten_after_an_hour(tmp_path, quiet_us):
    failures = login.Failures(str(tmp_path / "a.failed"))
    assert guess(failures, 0)
    assert guess(failures, quiet_us / SECOND_US) and failures.count == 1 + (
        quiet_us < login.FORGOTTEN_US
    )


def test_consoles_that_share_a_line_count_together(tmp_path):
    """Two network terminals read the count only at their start, which doubled the guesses."""
    consoles = [login.Failures(str(tmp_path / "pts.failed")) for _ in range(2)]
    second, waits = 100, []
    for turn in range(6):
        assert guess(consoles[turn % 2], second)
        assert not guess(consoles[turn % 2 - 1], second), "the other one waits too"
        waits.append(consoles[turn % 2 - 1].wait_us(second * SECOND_US, "anna") // SECOND_US)
        second += 60
    assert waits == [1, 2, 4, 8, 16, 32]
    assert consoles[1].count == 6


def test_two_tries_at_the_same_moment_count_as_two(tmp_path, monkeypatch):
    failures = login.Failures(str(tmp_path / "pts.failed"))
    assert guess(failures, 0)
    with monkeypatch.context() as patch:
        busy = BlockingIOError(errno.EAGAIN, "busy")
        patch.setattr(os, "lockf", Mock(side_effect=busy))
        failures.passed(60 * SECOND_US, "anna")
        assert not guess(failures, 60)
        assert failures.refusal(60 * SECOND_US, "anna").startswith("no login: another one")
    assert guess(failures, 60) and failures.count == 2, "it was not cleared"


FULL = {"replace": errno.EROFS, "write": errno.ENOSPC, "fsync": errno.EIO}


@pytest.mark.parametrize("call", FULL)
def test_the_run_directory_counts_while_the_disk_takes_nothing(tmp_path, monkeypatch, call):
    for name in ("state", "run"):
        (tmp_path / name).mkdir()
    paths = [str(tmp_path / name / "pts.failed") for name in ("state", "run")]
    refused, real = [paths[0]], durable.put

    def put(path, *content):
        with monkeypatch.context() as patch:
            if path in refused:
                patch.setattr(os, call, Mock(side_effect=OSError(FULL[call], "no")))
            real(path, *content)

    monkeypatch.setattr(durable, "put", put)
    looked_at = sum([guess(login.Failures(*paths), second) for second in range(900)])
    assert looked_at == 900 // 60 + 5, "1, 2, 4 .. 60 s"
    failures = login.Failures(*paths)
    assert guess(failures, 1000), "the owner"
    failures.passed(1000 * SECOND_US, "anna")
    assert guess(failures, 1000), "without a delay"
    refused += paths
    assert not any([guess(login.Failures(*paths), second) for second in range(2000, 2900)])
    assert login.Failures(*paths).refusal(2000 * SECOND_US, "anna").startswith("no login: ")
    refused.clear()
    assert guess(failures, 2900)


@pytest.mark.parametrize("text", ["", "x", "3", "3 4 5", "anna 3", "anna x 5", "9" * 999, "\xff"])
def test_a_damaged_count_delays_a_minute_at_most(tmp_path, text):
    (tmp_path / "a.failed").write_text(text, encoding="latin-1")
    failures = login.Failures(str(tmp_path / "a.failed"))
    assert failures.wait_us(0, "anna") == 0 and guess(failures, 0)
    assert failures.wait_us(0, "anna") == SECOND_US


def test_absurd_numbers_delay_a_minute_at_most(tmp_path):
    failures = login.Failures(str(tmp_path / "a.failed"))
    for count, wait_s in (("-5", 1), ("0", 1), ("3", 4), ("9" * 300, 60)):
        (tmp_path / "a.failed").write_text(f"anna {count} {10**15}")  # a time in the future
        assert failures.wait_us(0, "anna") == wait_s * SECOND_US
    (tmp_path / "a.failed").write_text(f"anna 3 -{10**15}")
    assert failures.wait_us(0, "anna") == 0


def test_of_10_000_tries_only_few_are_checked(tmp_path):
    """A new console for each try, and each hour a restart of the box and its clock."""
    looked_at = 0
    for second in range(10_000):
        looked_at += guess(login.Failures(str(tmp_path / "ttyS0.failed")), second % 3600)
    assert 160 <= looked_at <= 10_000 // 60 + 7
