"""Keys of the sources of hints: made and printed once, whole, readable by the owner only."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from controller.hints import admission, keys
from tests.repository import ROOT
from tests.tables import cases

NOW_S = 1_800_000_000


@pytest.fixture
def state(tmp_path):
    return str(tmp_path)


def path(state, suffix=".key", name="site_ems"):
    return os.path.join(state, "keys", name + suffix)


def made_at(state, seconds, suffix=".key"):
    os.utime(path(state, suffix), (seconds, seconds))


def loaded(state, utc_s=NOW_S, now_ms=0):
    found, lines = keys.load(state, ["site_ems"], utc_s, now_ms)
    return [(each.key, each.until_ms) for each in found.get("site_ems", ())], lines


def test_a_new_key_is_random_private_and_made_once(state):
    key, other = keys.create(state, "site_ems"), keys.create(state, "other")
    assert len(key) == 32 and key != other
    modes = [stat.S_IMODE(os.stat(each).st_mode) for each in (path(state), f"{state}/keys")]
    assert modes == [0o600, 0o700]
    with pytest.raises(keys.KeyStoreError, match="firebreak key rotate site_ems"):
        keys.create(state, "site_ems")
    assert loaded(state) == ([(key, None)], []) and keys.names(state) == ["other", "site_ems"]


@cases("""age_s  left_ms
    0  86_400_000 | 3600  82_800_000 | 86_399  1000 | 86_400  None | -1  None""")
def test_the_old_key_lasts_a_day_after_the_rotation(state, age_s, left_ms):
    """The day ends also after a restart. With a clock that was set back the old key is not used."""
    old, new = keys.create(state, "site_ems"), keys.rotate(state, "site_ems")
    made_at(state, NOW_S - age_s)
    wanted = [(new, None)] + ([(old, 5000 + left_ms)] if left_ms else [])
    assert loaded(state, now_ms=5000)[0] == wanted


def test_two_rotations_keep_two_keys_and_a_revocation_keeps_none(state):
    keys.create(state, "site_ems")
    second, third = keys.rotate(state, "site_ems"), keys.rotate(state, "site_ems")
    made_at(state, NOW_S)
    assert [key for key, _ in loaded(state)[0]] == [third, second]
    assert keys.names(state) == ["site_ems"]
    keys.revoke(state, "site_ems")
    assert loaded(state) == ([], []) and keys.names(state) == []
    assert os.listdir(os.path.join(state, "keys")) == []
    for action in (keys.rotate, keys.revoke):
        with pytest.raises(keys.KeyStoreError, match="has no key"):
            action(state, "site_ems")


@pytest.mark.parametrize("name", ["", "Site", "../../etc/passwd", "a/b", "a" * 17, "a\n", "1a"])
def test_a_name_is_no_path(state, name):
    for action in (keys.create, keys.rotate, keys.revoke):
        with pytest.raises(keys.KeyStoreError, match="not a name of a source"):
            action(state, name)
    assert os.listdir(state) == []


NO_KEYS = (b"", b"zz" * 32, b"ab" * 31, b"ab" * 33, b"\xff" * 64)


@cases("""content  mode  words
    *[(content, 0o600, "holds no key") for content in NO_KEYS]
    b"ab" * 32  0o640  "other users may read" | b"ab" * 32  0o604  "other users may read"
""")
def test_a_damaged_key_is_not_used_and_reported_in_one_line(state, content, mode, words):
    keys.create(state, "site_ems")
    Path(path(state)).write_bytes(content)
    os.chmod(path(state), mode)
    found, lines = loaded(state)
    assert found == [] and len(lines) == 1 and words in lines[0] and "ab" * 10 not in lines[0]


def test_a_key_from_before_1970_is_used(state):
    """Its words in the statistics have no sign: a negative time stopped the start."""
    keys.create(state, "site_ems")
    made_at(state, -5)
    found, lines = keys.load(state, ["site_ems"], NOW_S, 0)
    assert [each.made_s for each in found["site_ems"]] == [0] and not lines


def test_of_two_concurrent_creations_the_second_is_refused(state, monkeypatch):
    """The second finds no key and goes on after the first has stored its key."""
    first = keys.create(state, "site_ems")
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    with pytest.raises(keys.KeyStoreError, match="File exists"):
        keys.create(state, "site_ems")
    assert loaded(state)[0] == [(first, None)]


@pytest.mark.parametrize("change", [keys.create, keys.rotate, keys.withdraw, keys.revoke])
def test_one_durable_change_at_a_time(state, change, monkeypatch):
    """A change locks the folder of keys, then syncs this folder and the state folder."""
    if change is not keys.create:
        keys.create(state, "site_ems")
    folder = os.path.join(state, "keys")
    done, real = [], {name: getattr(os, name) for name in ("fsync", "link", "rename", "unlink")}

    def watch(name):
        def called(*arguments):
            done.append(os.readlink(f"/proc/self/fd/{arguments[0]}") if name == "fsync" else name)
            if name != "fsync":
                other = os.open(folder, os.O_RDONLY)
                with pytest.raises(BlockingIOError):
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.close(other)
            return real[name](*arguments)

        return called

    for name in real:
        monkeypatch.setattr(os, name, watch(name))
    change(state, "site_ems")
    assert done[-2:] == [folder, state] and done[-3] in ("link", "rename", "unlink")


def test_a_creation_or_rotation_can_be_undone(state):
    first = keys.create(state, "site_ems")
    keys.rotate(state, "site_ems")
    keys.withdraw(state, "site_ems")
    made_at(state, NOW_S)
    assert loaded(state)[0] == [(first, None)]
    keys.withdraw(state, "site_ems")
    assert os.listdir(os.path.join(state, "keys")) == []


@pytest.mark.parametrize("action", ["create", "rotate"])
def test_a_key_that_was_never_shown_is_not_kept(state, action):
    before = [] if action == "create" else [(keys.create(state, "site_ems"), None)]
    line = [sys.executable, "-m", "controller", "key", action, "site_ems"]
    line += ["--state-dir", state, "--run-dir", state]
    with open("/dev/full", "w") as full:
        pipes = {"stdout": full, "stderr": subprocess.PIPE, "text": True}
        done = subprocess.run(line, **pipes, timeout=50, cwd=ROOT)
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1), done.stderr
    assert "No space left on device; the new key of site_ems was not shown" in done.stderr
    assert loaded(state)[0] == before


@pytest.mark.parametrize("step", ["fsync", "link", "rename"])
def test_an_interrupted_rotation_leaves_the_old_key(state, step, monkeypatch):
    key = keys.create(state, "site_ems")

    def fail(*_):
        raise OSError(28, "No space left on device", "somewhere")

    with monkeypatch.context() as broken:
        broken.setattr(os, step, fail)
        with pytest.raises(keys.KeyStoreError, match="No space left"):
            keys.rotate(state, "site_ems")
    made_at(state, NOW_S - 2 * 86_400)
    assert loaded(state)[0] == [(key, None)]
    assert keys.rotate(state, "site_ems") != key  # the next try works


def test_a_fingerprint_is_the_start_of_the_sha256():
    assert f"{admission.key_of(bytes(32), 0).fingerprint:08x}" == "66687aad"
    with pytest.raises(keys.KeyStoreError, match="^/proc/self/mem: "):
        keys.read("/proc/self/mem")
