"""`firebreak key`: makes, replaces and removes the keys of the sources of hints, also of a running
controller.

The key goes to the standard output, once, so that it can be piped to where it belongs; everything
else is said apart.
"""

import contextlib
import os
import socket

from controller.hints import desk, hint_statistics, keys
from controller.hints import wire as w
from controller.run import operator_commands
from controller.system import clock, sockets
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    RUN_DIRECTORY,
    STATE_DIRECTORY,
    WRONG_INPUT,
    OutputError,
    say,
)

_WHAT = {
    "create": operator_commands.SET_KEY,
    "rotate": operator_commands.ROTATE_KEY,
    "revoke": operator_commands.REVOKE_KEY,
}
_HELP = {
    "create": "make the first key of a source and print it, once",
    "rotate": "make a new key and print it, once; the old one lasts until the new one is "
    "used, or 24 h",
    "revoke": "remove the keys of a source: nothing it sends is taken any more",
}


def add(commands):
    """Add `firebreak key` to the subparsers."""
    actions = commands.add_parser("key").add_subparsers(required=True, metavar="ACTION")
    for action, text in _HELP.items():
        parser = actions.add_parser(action, help=text)
        parser.add_argument("name", metavar="NAME", help="as in [source.NAME]")
        _places(parser)
        parser.set_defaults(run=_change, action=action)
    listing = actions.add_parser("list", help="names, fingerprints and ages; never a key")
    _places(listing)
    listing.set_defaults(run=_list)


def _places(parser):
    parser.add_argument("--state-dir", default=STATE_DIRECTORY)
    parser.add_argument("--run-dir", default=RUN_DIRECTORY)


def _change(arguments):
    action, name = arguments.action, arguments.name
    if not _is_there(arguments.state_dir):
        return WRONG_INPUT
    try:
        key = getattr(keys, action)(arguments.state_dir, name)
    except keys.KeyStoreError as error:
        say(error)
        return WRONG_INPUT
    if key is not None:
        try:
            print(key.hex(), flush=True)
        except OutputError as error:
            raise OutputError(_unseen(arguments.state_dir, name, error)) from None
        say(
            f"key of {name}, fingerprint {fingerprint(desk.key_of(key, 0).fingerprint)}; not "
            f"shown again"
        )
    return _tell(arguments.run_dir, action, name, key or bytes(w.KEY_BYTES))


def _unseen(state_directory, name, error):
    """A key was made and could not be shown: it is taken back, before the controller learns of it.
    What to say.
    """
    try:
        keys.withdraw(state_directory, name)
    except keys.KeyStoreError as kept:
        return (
            f"{error}; the key of {name} is stored but was shown to nobody: firebreak key revoke "
            f"{name} ({kept})"
        )
    return f"{error}; the new key of {name} was shown to nobody and is not kept"


def _is_there(state_directory):
    """True when the state directory is one; else says so."""
    if os.path.isdir(state_directory):
        return True
    say(f"{state_directory}: no such state directory; --state-dir DIR names another")
    return False


def _tell(run_directory, action, name, key):
    """Tell the controller that runs, if one does. Returns the exit code."""
    path = os.path.join(run_directory, "command.sock")
    try:
        answer = operator_commands.change_key(
            path, _WHAT[action], w.name_field(name), key, clock.utc_us() // 1_000_000
        )
    except (FileNotFoundError, ConnectionRefusedError):
        say(f"no controller runs in {run_directory}; its next start reads the keys")
        return DONE
    except OSError as error:
        say(f"{path}: {error.strerror}; the controller there still has the keys it had: restart it")
        return NO_START
    if answer == operator_commands.NO_SOURCE:
        return _unknown(action, name)
    say(f"the running controller: {operator_commands.words(answer)}")
    return DONE if answer == operator_commands.ACCEPTED else NOT_DONE


def _unknown(action, name):
    """The running controller has no such source: nothing to revoke there, and a new key waits for
    its [source.NAME].
    """
    words = f"the running controller: {operator_commands.words(operator_commands.NO_SOURCE)}"
    if action == "revoke":
        say(f"{words}; the key is removed")
        return DONE
    say(
        f"{words} (key kept, of use after a restart with [source.{name}]; else: firebreak key "
        f"revoke {name})"
    )
    return NOT_DONE


def _list(arguments):
    if not _is_there(arguments.state_dir):
        return WRONG_INPUT
    utc_s = clock.utc_us() // 1_000_000
    try:
        found, lines = keys.load(arguments.state_dir, keys.names(arguments.state_dir), utc_s, 0)
    except keys.KeyStoreError as error:
        say(error)
        return NO_START
    ended = _ended(arguments.run_dir)
    print("SOURCE            FINGERPRINT  AGE    OLD KEY")
    for name, each in found.items():
        old = _old(each[1], (name, each[0].fingerprint) in ended) if each[1:] else "-"
        print(
            f"{name:16}  {fingerprint(each[0].fingerprint):11}  "
            f"{span(utc_s - each[0].made_s):5}  {old}"
        )
    if not found and not lines:
        say(
            f"no keys in {os.path.join(arguments.state_dir, keys.DIRECTORY)}; --state-dir DIR "
            f"reads others"
        )
    for line in lines:
        say(line)
    return NOT_DONE if lines else DONE


def _old(key, is_ended):
    """The old key as the store has it; is_ended: the running controller has seen the new one and
    takes it no more.
    """
    left = span(key.until_ms // 1000)
    words = (
        (f"ended: the new one is in use (a restart takes it for {left} more)")
        if is_ended
        else f"{left} left"
    )
    return f"{fingerprint(key.fingerprint)}, {words}"


def _ended(run_directory):
    """{(source, fingerprint of its newest key)} for which a running controller takes no other key;
    empty if none runs.

    Only the controller knows: the first use of a new key is not stored.
    """
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        with sockets.short(os.path.join(run_directory, "hints.sock")) as path:
            probe.connect(path)  # refused where a controller has run and does no more
        seen = hint_statistics.read(os.path.join(run_directory, "hints.stats"))
        return (
            {
                (source["name"], source["key_fingerprint"])
                for source in seen["sources"]
                if not source["old_key_until_ms"]
            }
            if seen
            else set()
        )
    return set()


def fingerprint(number):
    """First 8 hex digits of a key's SHA-256."""
    return f"{number:08x}"


def span(seconds):
    """A time in the largest unit of which it has two: 90 s, 15 min, 47 h, 12 d."""
    for unit, unit_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{max(0, seconds)} s"
