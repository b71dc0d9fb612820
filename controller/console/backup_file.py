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
FOLDERS_MAX = 6  # a path in a backup has at most 6 folders
NAME = re.compile(r"[ -~]{1,64}")  # name of a latch or a person
TRIPS_MAX = 2**31 - 1


class ArchivedFile(NamedTuple):
    """A file of a backup. name: its path, from etc/ or state/ on. owner: a user's name."""

    name: str
    mode: int
    owner: str
    content: bytes


def packed(cabinet: str | None, store: Facts | None, files: list[ArchivedFile]) -> bytes:
    """The bytes of a backup. cabinet: its name, or None. store: latches, lock-out and number of
    trips, or None.
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
        for kept in [ArchivedFile(MANIFEST, 0o600, "", manifest), *files]:
            member = tarfile.TarInfo(kept.name)
            member.size, member.mode, member.uname = len(kept.content), kept.mode, kept.owner
            archive.addfile(member, io.BytesIO(kept.content))
    return out.getvalue()


def _hashes(files: list[ArchivedFile]) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.content).hexdigest() for file in files}


def unpacked(path: str) -> tuple[Facts, list[ArchivedFile]]:
    """(manifest, files) of a backup. Raises ConfigError unless the archive contains only whole
    files of a backup.
    """
    data = regular_file.read(path, BYTES_MAX + 1, regular_file.link_opener)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            files = [
                _archived(path, archive, member) for member in archive.getmembers()[: FILES_MAX + 1]
            ]
    except ConfigError:
        raise
    except (tarfile.TarError, EOFError, ValueError, RecursionError, OverflowError) as error:
        raise ConfigError(f"{path}: {NO_BACKUP} ({type(error).__name__})") from None
    if len(data) > BYTES_MAX or len(files) > FILES_MAX or not files or files[0].name != MANIFEST:
        raise ConfigError(f"{path}: {NO_BACKUP}")
    manifest = _manifest(path, files[0].content)
    hashes = _hashes(files[1:])
    if manifest["sha256"] != hashes or len(hashes) != len(files) - 1:
        raise ConfigError(f"{path}: is damaged: its files are not those of its list")
    return manifest, files[1:]


def _archived(path: str, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> ArchivedFile:
    # A sparse entry is refused, because a few of its bytes can claim any size.
    file = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
    part, _, place = entry.name.partition("/")
    allowed = {"etc": FOLDERS, "state": (*STATE_FOLDERS, *STATE_FILES)}.get(part, ())
    is_allowed = entry.name == MANIFEST or (
        os.path.normpath(place) == place
        and place.isprintable()
        and place.partition("/")[0] in allowed
        and (place in STATE_FILES or 0 < place.count("/") < FOLDERS_MAX)
    )
    if file is None or not is_allowed:
        raise ConfigError(f"{path}: has {entry.name!r}, which is no file of a backup")
    return ArchivedFile(entry.name, entry.mode & 0o755, entry.uname, file.read())


def _manifest(path: str, content: bytes) -> Facts:
    try:
        manifest: Facts = json_text.loads(content)
        store = manifest["store"]
        is_valid = manifest["version"] == VERSION and isinstance(manifest["sha256"], dict)
        if store is not None:
            latches, locked_out = store["latches"], store["locked_out"]
            is_valid = is_valid and isinstance(latches, list) and len(latches) <= FILES_MAX
            is_valid = is_valid and all(NAME.fullmatch(latch) for latch in latches)
            is_valid = is_valid and (locked_out == "" or bool(NAME.fullmatch(locked_out)))
            is_valid = is_valid and type(store["trips"]) is int and 0 <= store["trips"] <= TRIPS_MAX
    except (ValueError, KeyError, TypeError):
        is_valid = False
    if not is_valid:
        raise ConfigError(f"{path}: has no list of version {VERSION}; restore with its own release")
    return manifest
