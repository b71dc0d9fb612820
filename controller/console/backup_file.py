"""Writes and reads the file of `firebreak box backup`. It is a tar archive of plain files. Its
first file lists the hashes of the others.
"""

import hashlib
import io
import os
import re
import tarfile
from typing import NamedTuple

from controller.console import users
from controller.forms.refusal import ConfigError
from controller.hints import keys
from controller.state.base import Facts
from controller.store import proof_tests, trips
from controller.system import cli, clock, json_text, regular_file

VERSION = 1
FOLDERS = ("cabinet", "types", "planner", "doors")
STATE_FILES = (proof_tests.FILE, trips.FILE)
STATE_FOLDERS = (keys.DIRECTORY, users.FOLDER)
FILES_MAX, BYTES_MAX = 2000, 32 << 20
NO_BACKUP = (
    "is no backup; allowed a file that `firebreak box backup` has made, at most "
    f"{FILES_MAX} files and {BYTES_MAX >> 20} MiB"
)
MANIFEST = "backup.json"
DEEPEST = 6  # a path in a backup has at most 6 folders
NAME = re.compile(r"[ -~]{1,64}")  # name of a latch or a person
TRIPS_MAX = 2**31 - 1


class Kept(NamedTuple):
    """A file of a backup. name: its path, from etc/ or state/ on. owner: a user's name."""

    name: str
    mode: int
    owner: str
    content: bytes


def packed(cabinet: str | None, store: Facts | None, files: list[Kept]) -> bytes:
    """The bytes of a backup. Its first file lists the others. cabinet: its name, or None. store:
    latches, lock-out and number of trips.
    """
    content = {
        "version": VERSION,
        "cabinet": cabinet,
        "utc_s": int(clock.utc_us()) // 1_000_000,
        "store": store,
        "sha256": _hashes(files),
    }
    manifest = cli.as_json(content).encode() + b"\n"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for kept in [Kept(MANIFEST, 0o600, "", manifest), *files]:
            entry = tarfile.TarInfo(kept.name)
            entry.size, entry.mode, entry.uname = len(kept.content), kept.mode, kept.owner
            archive.addfile(entry, io.BytesIO(kept.content))
    return out.getvalue()


def _hashes(files: list[Kept]) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.content).hexdigest() for file in files}


def unpacked(path: str) -> tuple[Facts, list[Kept]]:
    """(manifest, files) of a backup. The manifest lists the files. Raises ConfigError unless the
    archive contains only whole files of a backup.
    """
    data = regular_file.read(path, BYTES_MAX + 1, regular_file.link_opener)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            files = [
                _entry(path, archive, getmember)
                for getmember in archive.getmembers()[: FILES_MAX + 1]
            ]
    except ConfigError:
        raise
    except (tarfile.TarError, EOFError, ValueError, RecursionError, OverflowError) as error:
        raise ConfigError(f"{path}: {NO_BACKUP} ({type(error).__name__})") from None
    if len(data) > BYTES_MAX or len(files) > FILES_MAX or not files or files[0].name != MANIFEST:
        raise ConfigError(f"{path}: {NO_BACKUP}")
    manifest = _checked(path, files[0].content)
    hashes = _hashes(files[1:])
    if manifest["sha256"] != hashes or len(hashes) != len(files) - 1:
        raise ConfigError(f"{path}: is damaged: its files are not those of its list")
    return manifest, files[1:]


def _entry(path: str, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Kept:
    # A sparse entry is refused, because a few of its bytes can claim any size.
    file = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
    part, _, rest = entry.name.partition("/")
    allowed = {"etc": FOLDERS, "state": (*STATE_FOLDERS, *STATE_FILES)}.get(part, ())
    is_right = entry.name == MANIFEST or (
        os.path.normpath(rest) == rest
        and rest.isprintable()
        and rest.partition("/")[0] in allowed
        and (rest in STATE_FILES or 0 < rest.count("/") < DEEPEST)
    )
    if file is None or not is_right:
        raise ConfigError(f"{path}: has {entry.name!r}, which is no file of a backup")
    return Kept(entry.name, entry.mode & 0o755, entry.uname, file.read())


def _checked(path: str, content: bytes) -> Facts:
    try:
        manifest: Facts = json_text.loads(content)
        store = manifest["store"]
        is_right = manifest["version"] == VERSION and isinstance(manifest["sha256"], dict)
        if store is not None:
            latches, locked_out = store["latches"], store["locked_out"]
            is_right = is_right and isinstance(latches, list) and len(latches) <= FILES_MAX
            is_right = is_right and all(NAME.fullmatch(latch) for latch in latches)
            is_right = is_right and (locked_out == "" or bool(NAME.fullmatch(locked_out)))
            is_right = is_right and type(store["trips"]) is int and 0 <= store["trips"] <= TRIPS_MAX
    except (ValueError, KeyError, TypeError):
        is_right = False
    if not is_right:
        raise ConfigError(f"{path}: has no list of version {VERSION}; restore with its own release")
    return manifest
