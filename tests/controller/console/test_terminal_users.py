"""Users of the console: the stored file, right and wrong passwords, damaged or readable files."""

import fcntl
import os
import stat

import pytest
from command_line import cheapen_passwords

from controller.console import login, users
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
    actor = login.Actor(str(place))
    assert actor.take(": anna at ttyS0") and place.read_text() == ": anna at ttyS0"
    assert actor.other() is None
    actor.give_back()
    assert place.read_text() == "" and not actor.is_held


SECOND_US = 1_000_000


def test_each_failure_doubles_the_delay_also_for_a_new_console(tmp_path):
    place, now_us = str(tmp_path / "ttyS0.failed"), 100 * SECOND_US
    failures, waits = login.Failures(place), []
    for _ in range(9):
        failures.failed(now_us)
        waits.append(failures.wait_us(now_us) // SECOND_US)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    again = login.Failures(place)
    assert again.count == 9 and again.wait_us(160 * SECOND_US - 1) == 1
    assert again.wait_us(160 * SECOND_US) == 0 and again.wait_us(101 * SECOND_US) == 59 * SECOND_US
    again.passed()
    assert login.Failures(place).wait_us(now_us) == 0 and not os.path.exists(place)


def test_consoles_that_share_a_line_count_together(tmp_path):
    """Two network terminals read the count only at their start, which doubled the guesses."""
    consoles = [login.Failures(str(tmp_path / "pts.failed")) for _ in range(2)]
    now_us, waits = 100 * SECOND_US, []
    for turn in range(6):
        assert consoles[turn % 2].begin(now_us)
        assert not consoles[turn % 2 - 1].begin(now_us), "the other one waits too"
        waits.append(consoles[turn % 2 - 1].wait_us(now_us) // SECOND_US)
        now_us += 60 * SECOND_US
    assert waits == [1, 2, 4, 8, 16, 32]
    consoles[0].passed()
    assert consoles[1].wait_us(now_us) == 0
    # two tries at the same moment count as two
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert not consoles[0].begin(0) and consoles[0].count == 0
    os.close(folder)
    assert consoles[0].begin(0) and consoles[0].count == 1
    # a failure that cannot be stored counts
    failures = login.Failures(str(tmp_path / "absent" / "pts.failed"))
    for count in range(1, 4):
        assert failures.begin(count * 60 * SECOND_US) and failures.count == count
    assert failures.wait_us(180 * SECOND_US) == 4 * SECOND_US
    failures.passed()
    assert failures.wait_us(180 * SECOND_US) == 0


def test_a_damaged_count_delays_a_minute_at_most(tmp_path):
    for text in ("", "x", "3", "3 4 5", "9" * 300, "-5 0"):
        (tmp_path / "a.failed").write_text(text)
        failures = login.Failures(str(tmp_path / "a.failed"))
        assert 0 <= failures.wait_us(0) <= 60 * SECOND_US
        failures.failed(0)
        assert failures.wait_us(0) >= SECOND_US
    (tmp_path / "a.failed").write_text(f"3 {10**15}")  # a time in the future
    assert login.Failures(str(tmp_path / "a.failed")).wait_us(0) == 4 * SECOND_US


def test_of_10_000_tries_only_few_are_checked(tmp_path):
    """A new console for each try, and each hour a restart of the box and its clock."""
    looked_at = 0
    for second in range(10_000):
        failures = login.Failures(str(tmp_path / "ttyS0.failed"))
        looked_at += failures.begin(second % 3600 * SECOND_US)
    assert looked_at == failures.count and 160 <= looked_at <= 10_000 // 60 + 7
    assert failures.wait_us(0) <= login.DELAY_US_MAX
