"""Keeps the users of the console. The file STATE_DIR/console/NAME.user has the salted scrypt hash
of a user's password. Only the service's user may read the file (mode 0600).
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets

from controller.store import durable
from controller.system import regular_file
from controller.system.paths import WrongInput

FOLDER, SUFFIX = "console", ".user"
NAME = re.compile("[a-z][a-z0-9_]{0,15}")
# NIST SP 800-63B-4: 15 characters for a login by password alone. An older, shorter password stays
# valid.
PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MAX = 15, 64
# One of the choices that OWASP recommends for scrypt: N=2^14, r=8, p=5. A try takes 16 MiB and tens
# of milliseconds.
N, R, P, SALT_BYTES, HASH_BYTES = 1 << 14, 8, 5, 16, 32
# The costs (n, r, p) that a file may state.
_COSTS = {(1 << n, r, p) for n in range(1, 18) for r in range(1, 9) for p in range(1, 17)}
_FORM = re.compile(r"scrypt (\d{1,6}) (\d{1,2}) (\d{1,2}) ((?:[0-9a-f]{2})+) ([0-9a-f]{64})\n?")


class UserError(WrongInput):
    """A user cannot be added, removed or read. The text is one line with the allowed values."""


def checked_name(name: str) -> str:
    """The name, if it is allowed. Raises UserError."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"{ascii(name[:20])} is no name of a user; allowed 1 .. 16 of a-z, 0-9 and _, a letter "
            "first"
        )
    return name


def checked_password(password: str) -> str:
    """The password, if it is allowed. Raises UserError."""
    if (
        not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX
        or not password.isascii()
        or not password.isprintable()
    ):
        raise UserError(
            f"a password has {PASSWORD_CHARACTERS_MIN} .. {PASSWORD_CHARACTERS_MAX} printable "
            "ASCII characters"
        )
    return password


def _path(state_directory: str, name: str) -> str:
    return os.path.join(state_directory, FOLDER, checked_name(name) + SUFFIX)


def folder(state_directory: str) -> str:
    """The folder of users and failed logins, made if it is missing. Raises OSError."""
    path = os.path.join(state_directory, FOLDER)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    return path


def add(state_directory: str, name: str, password: str) -> bool:
    """Write a user to the disk. True if it is a new password of a known user. Raises UserError."""
    path = _path(state_directory, name)
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _hash(checked_password(password), salt, N, R, P)
    try:
        is_known = os.path.lexists(path)
        folder(state_directory)
        line = f"scrypt {N} {R} {P} {salt.hex()} {digest.hex()}\n"
        durable.put(path, ".new", [line.encode("ascii")], 0o600)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from None
    return is_known


def remove(state_directory: str, name: str) -> None:
    """Remove a user. Raises UserError."""
    path = _path(state_directory, name)
    try:
        os.unlink(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def names(state_directory: str) -> list[str]:
    """Sorted names of all users. Raises UserError."""
    try:
        files = os.listdir(os.path.join(state_directory, FOLDER))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}; run this as the controller's user or as root"
        ) from None
    return sorted(file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX))


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("ascii"), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=HASH_BYTES
    )


def is_right(state_directory: str, name: str, password: str) -> bool:
    """True for the right password. The check of an unknown user takes as long as that of a known
    user. Otherwise the time would show which names exist. Raises UserError if the file is damaged.
    """
    if not password.isascii():
        return False
    salt, cost = bytes(SALT_BYTES), (N, R, P)
    stored_digest: bytes | None = None
    if NAME.fullmatch(name):
        with contextlib.suppress(FileNotFoundError):
            salt, stored_digest, cost = _stored(_path(state_directory, name))
    try:
        digest = _hash(password, salt, *cost)
    except ValueError:  # scrypt allows each of the three numbers, but not this combination
        line = f"{_path(state_directory, name)}: is damaged; set the password again"
        raise UserError(line) from None
    return stored_digest is not None and hmac.compare_digest(digest, stored_digest)


def _stored(path: str) -> tuple[bytes, bytes, tuple[int, int, int]]:
    """(salt, hash, (n, r, p)) of a file. Raises FileNotFoundError, UserError."""
    try:
        with open(path, "rb", opener=regular_file.opener) as file:
            status, text = os.fstat(file.fileno()), file.read(400).decode("ascii", "replace")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if status.st_mode & 0o077:
        raise UserError(f"{path}: others may read it, so it is not used; set the password again")
    match = _FORM.fullmatch(text)
    cost = (int(match[1]), int(match[2]), int(match[3])) if match else None
    if match is None or cost not in _COSTS:
        raise UserError(f"{path}: is damaged; set the password again")
    return bytes.fromhex(match[4]), bytes.fromhex(match[5]), cost
