"""Who somebody at a shell is: an operator by the own login name, for which the kernel answers; any
other name by the password of the serial console. Break-glass is there alone, where the key is seen.
"""

import getpass
import os
import pwd
import sys

from controller.console.terminal import login, users
from controller.store import spool
from controller.system import cli, clock
from controller.system.paths import NO_START, NOT_DONE, WRONG_INPUT, say


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
    password, now_us = _asked(name), clock.now_us()
    if not failures.begin(now_us):
        wait_s = max(1, -(-failures.wait_us(now_us) // 1_000_000))
        raise cli.Ended(NOT_DONE, f"{failures.count} failed logins here: wait {wait_s} s")
    with cli.ends(WRONG_INPUT, users.UserError):
        is_right = users.is_right(arguments.state_dir, name, password)
    if not is_right:
        text = f"{name} at a shell: login failed, number {failures.count}"
        _note(arguments, now_us, "FAIL", text)
        raise cli.Ended(NOT_DONE, "wrong name or password; nothing was done")
    failures.passed()


def _asked(name):
    if sys.stdin is None or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n") if sys.stdin else ""
    return getpass.getpass(f"Password of {name}: ")


def _note(arguments, now_us, code, text):
    try:
        spool.put(arguments.run_dir, now_us, code, text)
    except OSError as error:  # its recorder does not hold a command up
        say(f"NOT RECORDED: {error.strerror or error}")
