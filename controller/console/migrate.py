"""`firebreak box migrate`: shows which files of an earlier version this version can use, and what a
person must still do. Its lines name each key to change. The command changes nothing.
"""

import os
import sqlite3
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator

from controller.config import approval, configuration
from controller.console import users
from controller.core.base import instances
from controller.forms.refusal import ConfigError
from controller.hints import keys
from controller.hints.key_file import KeyStoreError
from controller.recorder import reading
from controller.store import chain, proof_tests, two_copies
from controller.system import cli, sockets
from controller.system.paths import (
    DONE,
    GATEWAY,
    NO_START,
    NOT_DONE,
    SENDERS,
    SERVICE,
    ascii_only,
    plain,
)

CABINET = "/etc/firebreak/cabinet/cabinet.toml"
KEY_NEEDED = "the first start needs the key and `firebreak start`"


class _Todo(Exception):
    """Something that a person must still do. The text is one line."""


@cli.command(
    "box migrate",
    cli.option("file", nargs="?", default=CABINET, metavar="FILE", help="(%(default)s)"),
    cli.STATE_DIR,
    cli.option(
        "--readable", action="store_true", help="only what of the state this version cannot read"
    ),
    cli.JSON,
)
def _migrate(arguments: Namespace) -> int:
    """Print a line for each part. Exit code 1 if a person must still do something."""
    directory = arguments.state_dir
    if arguments.readable:
        _, lines = _parts(directory, (_store, _keys, _users, _readable_record, _proof_tests))
        print(*[ascii_only(line) for line in lines], sep="\n", end="\n" if lines else "")
        return NOT_DONE if lines else DONE
    with cli.ends(NO_START, OSError, at=directory):
        problems = [*_foreign_files(directory), *_members()]
    carried, todo = _parts(directory, (_store, _keys, _users, _record, _proof_tests))
    todo = [*problems, *todo, *_configuration(arguments.file, directory)]
    parts = {"carried": carried, "to do": todo}
    cli.show(
        arguments.json,
        {"carried": carried, "to_do": todo},
        lambda: [ascii_only(f"{head:8} {line}") for head in parts for line in parts[head]],
    )
    return NOT_DONE if todo else DONE


def _parts(directory: str, parts: Iterable[Callable[[str], str]]) -> tuple[list[str], list[str]]:
    """(lines about parts that this version can use, lines about the other parts)."""
    carried, todo = list[str](), list[str]()
    for part in parts:
        try:
            carried.append(part(directory))
        except (_Todo, OSError, sqlite3.Error, KeyStoreError, users.UserError) as error:
            todo.append(plain(error, directory))
    return carried, todo


def _store(directory: str) -> str:
    loaded = two_copies.Store(directory).load()
    record = loaded.record
    if loaded.state == two_copies.NEWER:
        raise _Todo(loaded.lines[0])
    if record is None or loaded.state == two_copies.UNREADABLE:
        raise _Todo(f"{'; '.join(loaded.lines)}: {KEY_NEEDED}")
    latches = ", ".join(record.latches) or "none"
    locked = f", locked out by {record.locked_out}" if record.locked_out else ""
    delay_ms = record.path_delay[1]
    delay = f", path delay {delay_ms} ms" if delay_ms else ""
    return f"store, {loaded.state}: latches {latches}{locked}{delay}"


def _keys(directory: str) -> str:
    names = keys.names(directory)
    _, refused = keys.load(directory, names, 0, 0)
    if refused:
        raise _Todo("; ".join(refused))
    return f"keys of sources: {', '.join(names) or 'none'}"


def _users(directory: str) -> str:
    names = users.names(directory)
    for name in names:
        users.is_right(directory, name, "")
    return f"users of the console: {', '.join(names) or 'none'}"


def _readable_record(directory: str) -> str:
    path = os.path.join(directory, reading.FILE)
    if os.path.lexists(path):
        with reading.opened(path):
            pass
    return "record"


def _record(directory: str) -> str:
    path = os.path.join(directory, reading.FILE)
    if not os.path.lexists(path):
        return "record: none yet"
    with reading.opened(path) as connection:
        verdict = chain.verify(connection, None)
    if not verdict.intact:
        raise _Todo(f"{path}: its hash chain is broken: firebreak record verify")
    return f"record: {verdict.events} events, the chain is whole"


def _proof_tests(directory: str) -> str:
    ledger = proof_tests.read(directory)
    if ledger.breaks:
        raise _Todo(f"{proof_tests.path_of(directory)}: firebreak test proof verify")
    return f"proof tests: {len(ledger.records)}"


def _foreign_files(directory: str) -> Iterator[str]:
    """Lines about files whose owner is not the owner of the folder, because root may have put them
    there by hand.
    """
    owner = os.stat(directory).st_uid
    for folder, _, names in os.walk(directory):
        for path in [folder, *[os.path.join(folder, name) for name in names]]:
            if os.lstat(path).st_uid != owner:
                yield f"{path}: belongs to another user; check it, then give it to {SERVICE}"


def _members() -> Iterator[str]:
    """Lines about users who sent hints through a group that may now only read."""
    services = {SERVICE, GATEWAY}
    for name in sorted({*sockets.members(SERVICE).values()} - services):
        if name not in sockets.members(SENDERS).values():
            yield (
                f"{name} reads as before; to send hints as well: sudo usermod -aG {SENDERS} {name}"
            )


def _configuration(path: str, directory: str) -> list[str]:
    lines: list[str] = []
    try:
        config = configuration.carried_over(path, lines)
    except (ConfigError, OSError) as error:
        return [*lines, f"{plain(error, path)} (then the next key: firebreak check {path})"]
    record = two_copies.Store(directory).load().record
    known = instances.stage_instances(config.layout())
    if unknown_latches := sorted({*(record.latches if record else ())} - {*known}):
        lines.append(
            f"latch {', '.join(unknown_latches)} is of no row of this version: {KEY_NEEDED}"
        )
    if record is None or record.approved != approval.packed(approval.of(config)):
        lines.append("the limits are not approved: key out of RUN, then firebreak approve")
    return lines
