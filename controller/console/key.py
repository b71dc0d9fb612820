"""`firebreak key`: makes, replaces and removes the keys with which sources sign their hints. The
controller and the sources may keep running.

The standard output gets only the key, because a pipe may read it. Messages go to stderr.
"""

import contextlib
import os
import socket
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from controller.hints import admission, hint_statistics, keys, no_answer, wire as w
from controller.hints.key_file import KeyStoreError
from controller.run import answer_words, operator_client, operator_commands
from controller.system import cli, clock, sockets
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, OutputError, say
from controller.system.utc import elapsed_s

# {action: (command to the controller, function of the key folder, help)}
_ACTIONS = {
    "create": (
        operator_commands.SET_KEY,
        keys.create,
        "make the first key of a source and print it, once",
    ),
    "rotate": (
        operator_commands.ROTATE_KEY,
        keys.rotate,
        "make a new key and print it, once; the old one lasts until the new one is used, or 24 h",
    ),
    "revoke": (
        operator_commands.REVOKE_KEY,
        keys.revoke,
        "remove the keys of a source: its hints are refused from now on",
    ),
}


cli.group("key", "ACTION")


def _change(arguments: Namespace) -> int:
    name = arguments.name
    command, change, _ = _ACTIONS[arguments.action]
    _check_folder(arguments.state_dir)
    with cli.ends(WRONG_INPUT, KeyStoreError):
        if command == operator_commands.REVOKE_KEY and name in keys.names(arguments.state_dir):
            return _revoke(arguments)
        key = change(arguments.state_dir, name)
    if key is not None:
        try:
            print(key.hex(), flush=True)
        except OutputError as error:
            raise OutputError(_withdraw(arguments.state_dir, name, error)) from None
        number = admission.key_of(key, 0).fingerprint
        say(f"key of {name}, fingerprint {fingerprint(number)}; not shown again")
    return _send(arguments.run_dir, command, name, key or bytes(w.KEY_BYTES))


def _revoke(arguments: Namespace) -> int:
    """Remove the keys, in the controller first, because this needs no disk."""
    try:
        return _send(
            arguments.run_dir, operator_commands.REVOKE_KEY, arguments.name, bytes(w.KEY_BYTES)
        )
    finally:
        keys.revoke(arguments.state_dir, arguments.name)


for _action in _ACTIONS:
    _name = cli.option("name", metavar="NAME", help="as in [source.NAME]")
    _places = cli.STATE_DIR, cli.RUN_DIR
    cli.command(f"key {_action}", _name, *_places, help=_ACTIONS[_action][2])(_change)


def _withdraw(state_directory: str, name: str, error: OutputError) -> str:
    """Remove a key that could not be printed, before a source uses it. Returns the message."""
    try:
        keys.withdraw(state_directory, name)
    except KeyStoreError as kept:
        return (
            f"{error}; the key of {name} is stored but was not shown: firebreak key revoke {name} "
            f"({kept})"
        )
    return f"{error}; the new key of {name} was not shown and is removed"


def _check_folder(state_directory: str) -> None:
    if not os.path.isdir(state_directory):
        line = f"{state_directory}: no such state directory; give another --state-dir"
        raise cli.Ended(WRONG_INPUT, line)


def _send(run_directory: str, command: int, name: str, key: bytes) -> int:
    """Send the change to the controller, if one runs. Returns the exit code."""
    path = os.path.join(run_directory, "command.sock")
    try:
        answer = operator_client.change_key(
            path, command, w.name_field(name), key, int(clock.utc_us()) // 1_000_000
        )
    except (FileNotFoundError, ConnectionRefusedError):
        say(f"{no_answer.silent(run_directory)}; its next start reads the keys")
        return DONE
    except OSError as error:
        remedy = "the controller there still has the old keys: restart it"
        raise cli.Ended(NO_START, f"{path}: {error.strerror}; {remedy}") from error
    code, more = DONE if answer == operator_commands.ACCEPTED else NOT_DONE, ""
    if answer == operator_commands.NO_SOURCE and command == operator_commands.REVOKE_KEY:
        code, more = DONE, "; the key is removed"
    elif answer == operator_commands.NO_SOURCE:
        use = f"the key is stored; to use it, add [source.{name}] and restart"
        more = f" ({use}; otherwise: firebreak key revoke {name})"
    say(f"the running controller: {answer_words.text(answer)}{more}")
    return code


@cli.command(
    "key list",
    cli.STATE_DIR,
    cli.RUN_DIR,
    cli.JSON,
    help="names, fingerprints and ages; never a key",
)
def _list(arguments: Namespace) -> int:
    _check_folder(arguments.state_dir)
    utc_s = int(clock.utc_us()) // 1_000_000
    with cli.ends(NO_START, KeyStoreError):
        key_pairs, lines = keys.load(arguments.state_dir, keys.names(arguments.state_dir), utc_s, 0)
    new_alone = _without_valid_old_key(arguments.run_dir)
    facts = [
        {
            "source": name,
            "fingerprint": fingerprint(pair[0].fingerprint),
            "age_s": elapsed_s(pair[0].made_s, utc_s),
            "old_key": _old_key_text(pair[1], (name, pair[0].fingerprint) in new_alone)
            if pair[1:]
            else None,
        }
        for name, pair in key_pairs.items()
    ]
    cli.show(arguments.json, {"keys": facts, "wrong": lines}, lambda: _listed(facts))
    if not key_pairs and not lines:
        folder = os.path.join(arguments.state_dir, keys.DIRECTORY)
        say(f"no keys in {folder}; --state-dir DIR reads another folder")
    for line in lines:
        say(line)
    return NOT_DONE if lines else DONE


def _listed(facts: list[dict[str, Any]]) -> Iterator[str]:
    yield "SOURCE            FINGERPRINT  AGE    OLD KEY"
    for fact in facts:
        line = f"{fact['source']:16}  {fact['fingerprint']:11}  {span(fact['age_s']):5}"
        yield f"{line}  {fact['old_key'] or '-'}"


def _old_key_text(key: admission.Key, is_ended: bool) -> str:
    """The stored old key in words. is_ended: the controller refuses the old key, because the source
    uses the new one.
    """
    left_s = (key.until_ms or 0) // 1000
    left = f"{span(left_s)} left"
    if is_ended:
        left = f"ended: the new key is in use (after a restart: {left})"
    return f"{fingerprint(key.fingerprint)}, {left}"


def _without_valid_old_key(run_directory: str) -> set[tuple[str, int]]:
    """{(source, fingerprint of its newest key)} of sources whose old key is refused now."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hint_socket,
    ):
        with sockets.short(os.path.join(run_directory, "hints.sock")) as path:
            hint_socket.connect(path)  # fails if the controller has ended
        statistics = hint_statistics.read(os.path.join(run_directory, "hints.stats"))
        return {
            (source["name"], source["key_fingerprint"])
            for source in (statistics["sources"] if statistics else ())
            if not source["old_key_until_ms"]
        }
    return set()


def fingerprint(number: int) -> str:
    """First 8 hex digits of a key's SHA-256."""
    return f"{number:08x}"


def span(seconds: int) -> str:
    """A time in the largest unit that gives at least 2: 90 s, 15 min, 47 h, 12 d."""
    for unit, unit_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{max(0, seconds)} s"
