"""`firebreak box provision`: makes configuration and keys for each cabinet of a list, from one type
or site file.

The list is a CSV file. It has the column `serial`, perhaps `name`, and a column for each key that
differs between the cabinets, such as `bus.pcs.port`. A list of several cabinets must say how they
share the load. Otherwise each of them would supply the whole load. Each cabinet gets its own
folder, with the keys for the senders of hints and with one file for `firebreak box restore`. A
folder is made complete or not at all. An existing folder is not changed, because a second run must
not replace a key.
"""

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shutil
from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from controller.config import configuration, layers
from controller.console import backup_file
from controller.console.backup_file import ArchivedFile
from controller.core.policies.meter_statistics import TURN_S, WAIT_S_MAX
from controller.forms import reading
from controller.forms.refusal import ConfigError, shown
from controller.hints import keys
from controller.hints.key_file import KeyStoreError
from controller.store import durable, proof_tests
from controller.system import cli, clock, regular_file, toml_text, utc
from controller.system.paths import DONE, NO_START, NOT_DONE, SERVICE, ascii_only

LIST_BYTES_MAX = 4 << 20
CABINETS_MAX = 10_000
SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
COLUMN = re.compile(r"[a-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,9})|true|false")
PLACE = re.compile(r"(cabinet|types)/[A-Za-z0-9_.-]+\.toml")
SHARE, WAIT = "control.share_permille", "control.meter_code_wait_s"
EQUAL, OWN = "equal", "own"  # values of the column SHARE
PERMILLE = 1000
TABLE = "cabinets.csv"  # has names, fingerprints of keys and digests of files, but no secret
# The key of the planner never leaves the box, because the installation makes it there.
PLANNER = "planner"


class ListedCabinet(NamedTuple):
    """A cabinet of the list. place: FILE:LINE. values: {column: text} of filled columns."""

    place: str
    serial: str
    name: str
    values: dict[str, str]


@cli.command(
    "box provision",
    cli.option("file", metavar="TYPE.toml", help="the type or site file of all the cabinets"),
    cli.option("list", metavar="SERIALS.csv", help="a line for each cabinet"),
    cli.option("out", metavar="OUT_DIR", help="gets a folder for each cabinet"),
)
def _provision(arguments: Namespace) -> int:
    """Make the folders. Exit code 1: an existing folder has another configuration."""
    rows, code = [["serial", "name", "sha256", "keys"]], DONE
    above, cabinets = _common_files(arguments.file), read_list(arguments.list)
    with cli.ends(NO_START, OSError, KeyStoreError):
        os.makedirs(arguments.out, mode=0o700, exist_ok=True)
        for cabinet in cabinets:
            files = {**above, "cabinet/cabinet.toml": _cabinet_toml(cabinet, next(iter(above)))}
            folder = os.path.join(arguments.out, cabinet.serial)
            outcome = _make_folder(folder, cabinet, files)
            code = NOT_DONE if outcome == DIFFERS else code
            print(ascii_only(f"{outcome:<9} {cabinet.serial}  {cabinet.name}"), flush=True)
            rows.append(_table_row(folder, cabinet))
        durable.put(os.path.join(arguments.out, TABLE), ".part", [_csv(rows)], 0o644)
    return code


MADE, SAME, DIFFERS = "made", "is there", "differs"


def read_list(path: str) -> list[ListedCabinet]:
    """The cabinets of a CSV file. Raises ConfigError."""
    try:
        text = reading.file_text(path, LIST_BYTES_MAX, f"a list of {CABINETS_MAX} cabinets")
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except (toml_text.TomlError, csv.Error) as error:
        raise ConfigError(f"{path}: is no CSV file: {error}") from None
    head = [title.strip() for title in rows[0]] if rows else []
    for title in head:
        if title not in ("serial", "name") and not COLUMN.fullmatch(title) or head.count(title) > 1:
            allowed = "serial, name and keys such as bus.pcs.port, each once"
            raise ConfigError(f"{path}:1: column {shown(title)} is not allowed; allowed {allowed}")
    if "serial" not in head or not 1 < len(rows) <= CABINETS_MAX + 1:
        raise ConfigError(f"{path}: has no column serial with 1 to {CABINETS_MAX} cabinets")
    lines = [
        _cabinet_of(f"{path}:{number}", head, row) for number, row in enumerate(rows[1:], 2) if row
    ]
    for column in ("serial", "name"):
        _check_once(lines, column)
    return _with_shares(path, lines)


def _with_shares(path: str, lines: list[ListedCabinet]) -> list[ListedCabinet]:
    """The lines with the share of each cabinet, and its wait before it tests shared meters."""
    stated = {line.values.get(SHARE, "") for line in lines}
    if len(lines) < 2 and not stated & {EQUAL, OWN}:
        return lines
    equal_share, remainder = divmod(PERMILLE, len(lines))
    is_rule = len(stated) == 1 and not any(WAIT in line.values for line in lines)
    rule = stated.pop() if is_rule else ""
    if rule == OWN:
        dealt = [(PERMILLE, 0)] * len(lines)
    elif rule == EQUAL:
        dealt = [
            (equal_share + (0 if index else remainder), TURN_S * index)
            for index in range(len(lines))
        ]
    else:
        dealt = [(_number(line, SHARE), _number(line, WAIT)) for line in lines]
    waits_s, shares = sorted(wait_s for _, wait_s in dealt), [share for share, _ in dealt]
    in_turn = all(late - early >= TURN_S for early, late in pairwise([-TURN_S, *waits_s]))
    is_dealt = sum(shares) == PERMILLE and min(shares) > 0
    if rule != OWN and not (is_dealt and in_turn and waits_s[-1] <= WAIT_S_MAX):
        allowed = (
            f"{SHARE} of each, with the sum {PERMILLE}, and {WAIT} of each, 0 to {WAIT_S_MAX} and "
            f'{TURN_S} or more apart; or {SHARE} "{EQUAL}" in each line, of at most '
            f'{WAIT_S_MAX // TURN_S + 1}; or "{OWN}" in each line: each has its own meters; with '
            f"these words no {WAIT}"
        )
        problem = f"does not say how {len(lines)} cabinets share the load"
        raise ConfigError(f"{path}: {problem}; allowed {allowed}")
    return [
        line._replace(values=line.values | {SHARE: str(share), WAIT: str(wait_s)})
        for line, (share, wait_s) in zip(lines, dealt)
    ]


def _number(line: ListedCabinet, column: str) -> int:
    """The number in a column. -1 if the column has another text or none."""
    text = line.values.get(column, "")
    return int(text) if NUMBER.fullmatch(text) and text.isdecimal() else -1


def _cabinet_of(place: str, head: list[str], row: list[str]) -> ListedCabinet:
    if len(row) != len(head):
        raise ConfigError(f"{place}: has {len(row)} values; allowed {len(head)}, as in line 1")
    values = {key: text.strip() for key, text in zip(head, row) if text.strip()}
    serial = values.pop("serial", "")
    if not SERIAL.fullmatch(serial):
        allowed = "1 to 32 of A-Z, a-z, 0-9, _ and -, a letter or digit first"
        raise ConfigError(f"{place}: serial {shown(serial)} is not allowed; allowed {allowed}")
    return ListedCabinet(place, serial, values.pop("name", f"Cabinet {serial}"), values)


def _check_once(lines: list[ListedCabinet], column: str) -> None:
    """Refuse a value that a column has twice. Upper and lower case count as equal, because some
    disks would use one folder for two such serials.
    """
    seen: dict[str, str] = {}
    for line in lines:
        text: str = getattr(line, column)
        if (first_place := seen.setdefault(text.casefold(), line.place)) != line.place:
            where = first_place.rpartition(":")[2]
            raise ConfigError(f"{line.place}: {column} {shown(text)} is already in line {where}")


def _common_files(path: str) -> dict[str, bytes]:
    """{place below etc/: bytes} of the files that all cabinets share. These are the type or site
    file, the files that it extends, and the profiles and places beside these files.
    """
    chain = layers.read_chain(path)[::-1]
    if chain[0].rank == len(layers.LAYERS) - 1:
        raise ConfigError(
            f"{path}:layer: is cabinet; allowed type or site, from which all are made"
        )
    files, folder = dict[str, str](), "types" if chain[0].rank == 0 else "cabinet"
    for layer in chain:
        relative_path = os.path.relpath(layer.file, os.path.dirname(path) or ".")
        place = os.path.normpath(os.path.join(folder, relative_path))
        if not PLACE.fullmatch(place) or place == "cabinet/cabinet.toml":
            allowed = "a layer in its folder or in ../types, so that the box has the same folders"
            raise ConfigError(f"{layer.file}: {place} is not allowed; allowed {allowed}")
        files[place] = layer.file
    contents = {place: _bytes(file) for place, file in files.items()}
    for place, file in files.items():
        for name, content in _profiles_beside(os.path.dirname(file)):
            contents.setdefault(f"{os.path.dirname(place)}/{name}", content)
    return contents


def _profiles_beside(folder: str) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the TOML files of a folder that are no layer of a configuration."""
    for name in sorted(os.listdir(folder or ".")):
        path = os.path.join(folder, name)
        if name.endswith(".toml") and "layer" not in reading.tables_of(path, "one file"):
            yield name, _bytes(path)


def _bytes(path: str) -> bytes:
    return reading.file_text(path, toml_text.BYTES_MAX, "one file").encode("ascii")


def _cabinet_toml(line: ListedCabinet, above: str) -> bytes:
    extends = os.path.relpath(above, "cabinet")
    lines = ["schema = 1", 'layer = "cabinet"', f"extends = {json.dumps(extends)}"]
    lines += [f"name = {json.dumps(line.name)}"]
    tables: dict[str, list[str]] = {}
    for key, text in line.values.items():
        table, _, name = key.rpartition(".")
        value = text if NUMBER.fullmatch(text) else json.dumps(text)
        tables.setdefault(table, []).append(f"{name} = {value}")
    for table, pairs in tables.items():
        lines += ["", f"[{table}]", *pairs]
    return "\n".join([*lines, ""]).encode("ascii")


def _make_folder(folder: str, line: ListedCabinet, files: dict[str, bytes]) -> str:
    """Make the folder of a cabinet. Returns MADE, or SAME or DIFFERS if the folder exists."""
    if os.path.lexists(folder):
        existing = {name: regular_file.content(os.path.join(folder, "etc", name)) for name in files}
        with contextlib.suppress(ConfigError, OSError):
            backup_file.unpacked(os.path.join(folder, f"{line.serial}.tar"))
            return SAME if existing == files else DIFFERS
        return DIFFERS
    part_folder = os.path.join(os.path.dirname(folder), f".{line.serial}.part")
    shutil.rmtree(part_folder, ignore_errors=True)  # left by an interrupted run
    os.mkdir(part_folder, mode=0o700)
    try:
        _fill(part_folder, line, files)
        os.rename(part_folder, folder)
    finally:
        shutil.rmtree(part_folder, ignore_errors=True)
    durable.sync_directory(os.path.dirname(folder))
    return MADE


def _fill(part_folder: str, line: ListedCabinet, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = os.path.join(part_folder, "etc", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        durable.put(path, ".part", [content], 0o644)
    try:
        config = configuration.load(os.path.join(part_folder, "etc/cabinet/cabinet.toml"))
    except ConfigError as error:
        raise ConfigError(
            f"{line.place}: {str(error).replace(f'{part_folder}/etc/', '')}"
        ) from None
    state = os.path.join(part_folder, "state")
    os.mkdir(state, mode=0o700)
    archived = [
        ArchivedFile(f"etc/{name}", 0o644, "root", content) for name, content in files.items()
    ]
    for source in config.sources:
        if source.name != PLANNER:
            key = keys.create(state, source.name).hex().encode() + b"\n"
            name = f"state/{keys.DIRECTORY}/{source.name}{keys.SUFFIX}"
            archived.append(ArchivedFile(name, 0o600, SERVICE, key))
    ledger = proof_tests.provisioned(utc.moment(), f"serial {line.serial}")
    durable.put(proof_tests.path_of(state), ".part", [ledger], 0o600)
    archived.append(ArchivedFile(f"state/{proof_tests.FILE}", 0o600, SERVICE, ledger))
    packed = backup_file.packed(line.name, None, archived)
    durable.put(os.path.join(part_folder, f"{line.serial}.tar"), ".part", [packed], 0o600)


def _table_row(folder: str, line: ListedCabinet) -> list[str]:
    state = os.path.join(folder, "state")
    key_pairs, _ = keys.load(state, keys.names(state), int(clock.utc_us()) // 1_000_000, 0)
    fingerprints = [f"{name} {pair[0].fingerprint:08x}" for name, pair in key_pairs.items()]
    tar = regular_file.content(os.path.join(folder, f"{line.serial}.tar"))
    return [line.serial, line.name, hashlib.sha256(tar).hexdigest(), "; ".join(fingerprints)]


def _csv(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("ascii", "replace")
