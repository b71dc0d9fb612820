"""Keys of the sources of hints, as hex in STATE_DIR/keys/NAME.key, readable by the owner only.

`NAME.key.old` is the key before the last rotation. At every instant of a change there is one whole
NAME.key. The file's time of modification is the time at which the key was made.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator

from controller.config.schema import SOURCE_NAME
from controller.hints import admission, wire as w
from controller.hints.key_file import REMEDY, KeyStoreError, explained, read
from controller.store import durable
from controller.system.utc import elapsed_s

DIRECTORY, SUFFIX, OLD_SUFFIX = "keys", ".key", ".key.old"
OLD_S = admission.OLD_KEY_MS // 1000


def checked_name(name: str) -> str:
    """The name, if it is a valid name of a source. Raises KeyStoreError."""
    if not SOURCE_NAME.fullmatch(name):
        raise KeyStoreError(
            f"{name!r} is not a name of a source; allowed 1 .. {w.NAME_BYTES} of "
            f"a-z, 0-9 and _, a letter first"
        )
    return name


def _paths(state_directory: str, name: str) -> tuple[str, str, str]:
    """Paths of (key, old key, new key while it is written) of a source."""
    stem = os.path.join(state_directory, DIRECTORY, checked_name(name))
    return stem + SUFFIX, stem + OLD_SUFFIX, stem + ".new"


def create(state_directory: str, name: str) -> bytes:
    """Make the first key of a source; returns its bytes. KeyStoreError when a key exists."""
    path, old, new = _paths(state_directory, name)
    with _changing(state_directory):
        if os.path.lexists(path):
            raise KeyStoreError(
                f"{name} has a key already; to replace it: firebreak key rotate {name}"
            )
        key = _write_new(new)
        _remove(old)
        os.link(new, path)  # a link, unlike a rename, never replaces a key
        _remove(new)
    return key


def rotate(state_directory: str, name: str) -> bytes:
    """Make a new key and keep the present one as the old key; returns the new bytes."""
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
    """Undo the last create or rotate, whose key was never shown; an old key is in force again."""
    path, old, _ = _paths(state_directory, name)
    with _changing(state_directory):
        if os.path.lexists(old):
            os.rename(old, path)
        else:
            os.unlink(path)


def revoke(state_directory: str, name: str) -> None:
    """Remove every key of a source. KeyStoreError without a key."""
    path, old, _ = _paths(state_directory, name)
    if not os.path.lexists(path):
        raise KeyStoreError(f"{name} has no key; the sources with a key: firebreak key list")
    with _changing(state_directory):
        _remove(old)
        os.unlink(path)


@contextlib.contextmanager
def _changing(state_directory: str) -> Iterator[None]:
    """Allow one change of the keys at a time, durable at its end. KeyStoreError for an OSError."""
    folder = os.path.join(state_directory, DIRECTORY)
    with explained(state_directory):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with durable.opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
            os.fsync(descriptor)
        durable.sync_directory(state_directory)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _write_new(path: str) -> bytes:
    """Write a new key durably; returns its bytes."""
    key = secrets.token_bytes(w.KEY_BYTES)
    _remove(path)
    with durable.opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
        durable.write(descriptor, key.hex().encode() + b"\n")
        os.fsync(descriptor)
    return key


def load(
    state_directory: str, names: list[str], utc_s: int, now_ms: int
) -> tuple[admission.Keys, list[str]]:
    """({name: keys, newest first}, lines about files that are not used).

    utc_s, now_ms: UTC and uptime. An old key counts for a day after the time of the new one.
    """
    by_source: admission.Keys = {}
    lines = []
    for name in names:
        try:
            with contextlib.suppress(FileNotFoundError):
                by_source[name] = _keys_of(state_directory, name, utc_s, now_ms)
        except KeyStoreError as error:
            lines.append(str(error))
    return by_source, lines


def _keys_of(state_directory: str, name: str, utc_s: int, now_ms: int) -> tuple[admission.Key, ...]:
    path, old_path, _ = _paths(state_directory, name)
    key, made_s = read(path)
    left_s, old_keys = OLD_S - elapsed_s(made_s, utc_s), list[admission.Key]()
    if 0 < left_s <= OLD_S:
        # A damaged old key is no longer in force. The new key stays valid.
        with contextlib.suppress(FileNotFoundError, KeyStoreError):
            old_keys = [admission.key_of(*read(old_path), now_ms + left_s * 1000)]
    return (admission.key_of(key, made_s), *old_keys)


def names(state_directory: str) -> list[str]:
    """Sorted names of all sources with a key file. KeyStoreError: the folder is unreadable."""
    files: list[str] = []
    folder = os.path.join(state_directory, DIRECTORY)
    with explained(folder, REMEDY), contextlib.suppress(FileNotFoundError):
        files = os.listdir(folder)
    return sorted(file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX))
