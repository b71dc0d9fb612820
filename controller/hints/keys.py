"""Keys of the sources of hints: 32 random bytes each, as hex in STATE_DIR/keys/NAME.key, readable
by the owner only.

`NAME.key.old` is the key before the last rotation. At every instant of a change there is one whole
NAME.key. When a key was made is the file's time of modification.
"""

import contextlib
import fcntl
import os
import secrets
import stat

from controller.config.schema import SOURCE_NAME
from controller.hints import desk, wire as w
from controller.store import durable
from controller.system import regular_file

DIRECTORY, SUFFIX, OLD_SUFFIX = "keys", ".key", ".key.old"
OLD_S = desk.OLD_KEY_MS // 1000
REMEDY = "; run this as the controller's user or as root"


class KeyStoreError(Exception):
    """A key cannot be made, read or removed; one line with the remedy."""


def checked_name(name: str) -> str:
    """The name, when a source may be called so. Raises KeyStoreError."""
    if not SOURCE_NAME.fullmatch(name):
        raise KeyStoreError(
            f"{name!r} is not a name of a source; allowed 1 .. {w.NAME_BYTES} of "
            f"a-z, 0-9 and _, "
            "a letter first"
        )
    return name


def _paths(state_directory, name):
    """(key, old key, key that is being made) of a source."""
    start = os.path.join(state_directory, DIRECTORY, checked_name(name))
    return start + SUFFIX, start + OLD_SUFFIX, start + ".new"


def create(state_directory: str, name: str) -> bytes:
    """Make the first key of a source; returns its bytes. KeyStoreError when it has one."""
    path, old, new = _paths(state_directory, name)
    with _changing(state_directory):
        if os.path.lexists(path):
            raise KeyStoreError(
                f"{name} has a key already; to replace it: firebreak key rotate {name}"
            )
        key = _write_new(new)
        _remove(old)
        os.link(new, path)  # unlike a rename it never replaces a key
        _remove(new)
    return key


def rotate(state_directory: str, name: str) -> bytes:
    """Make a new key beside the present one, which stays as the old one; returns the new bytes."""
    path, old, new = _paths(state_directory, name)
    if not os.path.lexists(path):
        raise KeyStoreError(f"{name} has no key yet; to make one: firebreak key create {name}")
    with _changing(state_directory):
        key = _write_new(new)
        _remove(old)
        os.link(path, old)
        os.rename(new, path)
    return key


def withdraw(state_directory: str, name: str) -> None:
    """Take back the last create or rotate, whose key nobody has seen: the key before it, if any,
    returns.
    """
    path, old, _ = _paths(state_directory, name)
    with _changing(state_directory):
        if os.path.lexists(old):
            os.rename(old, path)
        else:
            os.unlink(path)


def revoke(state_directory: str, name: str) -> None:
    """Remove every key of a source. KeyStoreError when it has none."""
    path, old, _ = _paths(state_directory, name)
    if not os.path.lexists(path):
        raise KeyStoreError(f"{name} has no key; firebreak key list names those there are")
    with _changing(state_directory):
        _remove(old)
        os.unlink(path)


@contextlib.contextmanager
def _changing(state_directory):
    """One change of the keys at a time; durable, names and all, at its end. KeyStoreError for what
    goes wrong.
    """
    folder = os.path.join(state_directory, DIRECTORY)
    with _explained(state_directory):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with durable.opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
            os.fsync(descriptor)
        durable.sync_directory(state_directory)


@contextlib.contextmanager
def _explained(path, remedy="", passing=()):
    try:
        yield
    except passing:
        raise
    except OSError as error:
        raise KeyStoreError(f"{error.filename or path}: {error.strerror}{remedy}") from None


def _remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _write_new(path):
    """Write a new key durably; returns its bytes."""
    key = secrets.token_bytes(w.KEY_BYTES)
    _remove(path)
    with durable.opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
        durable.write(descriptor, key.hex().encode() + b"\n")
        os.fsync(descriptor)
    return key


def read(path: str) -> tuple[bytes, int]:
    """(key bytes, made_s) of a key file. Raises KeyStoreError, FileNotFoundError."""
    with (
        _explained(path, REMEDY, FileNotFoundError),
        open(path, "rb", opener=regular_file.opener) as file,
    ):
        state, text = os.fstat(file.fileno()), file.read(2 * w.KEY_BYTES + 2)
    return _checked(path, state, text)


def _checked(path, state, text):
    if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyStoreError(
            f"{path}: others may read it, so it is not used; make a new one, or chmod 600"
        )
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != w.KEY_BYTES:
        raise KeyStoreError(f"{path}: holds no key of {w.KEY_BYTES} bytes in hex; make a new one")
    return key, max(0, int(state.st_mtime))


def load(state_directory: str, names: list, utc_s: int, now_ms: int) -> tuple[dict, list]:
    """({name: tuple of desk.Key, newest first}, lines about files that are not used).

    utc_s, now_ms: the time of day and of the uptime clock; an old key whose day is over, or that
    lies in the future by this clock, is not loaded.
    """
    found, lines = {}, []
    for name in names:
        try:
            with contextlib.suppress(FileNotFoundError):
                found[name] = _keys_of(state_directory, name, utc_s, now_ms)
        except KeyStoreError as error:
            lines.append(str(error))
    return found, lines


def _keys_of(state_directory, name, utc_s, now_ms):
    path, old_path, _ = _paths(state_directory, name)
    key, made_s = read(path)
    left_s, kept = made_s + OLD_S - utc_s, []
    if 0 < left_s <= OLD_S:
        with contextlib.suppress(FileNotFoundError):
            kept = [desk.key_of(*read(old_path), now_ms + left_s * 1000)]
    return (desk.key_of(key, made_s), *kept)


def names(state_directory: str) -> list[str]:
    """Sorted names of all sources that have a key file. Raises KeyStoreError when the folder cannot
    be read.
    """
    files = []
    folder = os.path.join(state_directory, DIRECTORY)
    with _explained(folder, REMEDY), contextlib.suppress(FileNotFoundError):
        files = os.listdir(folder)
    return sorted(file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX))
