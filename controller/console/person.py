"""Who somebody at a shell is: an operator by the own login name, for which the kernel answers; any
other name by the password of the serial console, or by the key out of RUN, as there.
"""

import getpass
import os
import pwd
import sys

from controller.console.terminal import login, users
from controller.record import snapshot, spool
from controller.record.journal import JournalError
from controller.state import rows
from controller.system import cli, clock
from controller.system.paths import NO_START, NOT_DONE, WRONG_INPUT, say

BY_KEY = " (the key is out of RUN: Enter alone is break-glass, recorded)"


def prove(arguments, reach) -> None:
    """Ends the command unless whoever gives it is `arguments.name`. reach(): ends it where no
    controller is; nobody is asked for a password then.
    """
    with cli.ends(WRONG_INPUT, users.UserError):
        name = users.checked_name(arguments.name)
    reach()
    if os.stat(arguments.run_dir).st_uid != os.geteuid():
        _prove_operator(name)
    else:
        _prove_by_password(arguments, name)


def _prove_operator(name):
    own = pwd.getpwuid(os.geteuid()).pw_name
    if name != own:
        line = f"{name}: you are {own}; for another name put sudo -u firebreak before it"
        raise cli.Ended(NOT_DONE, line)


def _prove_by_password(arguments, name):
    with cli.ends(NO_START, OSError, before="nobody can log in: "):
        place = users.folder(arguments.state_dir)
    failures = login.Failures(os.path.join(place, "shell.failed"))
    is_key_out = _is_key_out(arguments.run_dir)
    password, now_us = _asked(name, is_key_out), clock.now_us()
    if not password and is_key_out:
        return _note(arguments, now_us, "GLASS", f"{name} at a shell: key out of RUN, no password")
    if not failures.begin(now_us):
        wait_s = max(1, -(-failures.wait_us(now_us) // 1_000_000))
        raise cli.Ended(NOT_DONE, f"{failures.count} failed logins here: wait {wait_s} s")
    with cli.ends(WRONG_INPUT, users.UserError):
        is_right = users.is_right(arguments.state_dir, name, password)
    if not is_right:
        text = f"{name} at a shell: login failed, number {failures.count}"
        _note(arguments, now_us, "FAIL", text)
        raise cli.Ended(NOT_DONE, "wrong name or password; nothing was done")
    return failures.passed()


def _is_key_out(run_directory):
    try:
        return bool(rows.is_key_out(snapshot.read(os.path.join(run_directory, "journal"))))
    except (OSError, JournalError):
        return False


def _asked(name, is_key_out):
    if sys.stdin is None or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n") if sys.stdin else ""
    return getpass.getpass(f"Password of {name}{BY_KEY if is_key_out else ''}: ")


def _note(arguments, now_us, code, text):
    try:
        spool.put(arguments.run_dir, now_us, code, text)
    except OSError as error:  # a lock-out waits for no recorder
        say(f"NOT RECORDED: {error.strerror or error}")
