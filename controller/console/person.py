"""Proves the identity of a person at a shell.

The name of an operator must be the login name, which the operating system proves. A person who
works as the controller's user gives the password of the serial console. Break-glass (a login by the
key switch, without a password) works only at the serial console, because a shell does not see the
key switch.
"""

import getpass
import os
import pwd
import sys
from argparse import Namespace
from collections.abc import Callable

from controller.console import login, users
from controller.store import spool
from controller.system import cli, clock
from controller.system.paths import NO_START, NOT_DONE, WRONG_INPUT, say


def prove(arguments: Namespace, name: str, reach: Callable[[], object]) -> None:
    """End the command unless the person proves to be `name`. reach(): ends the command if no
    controller answers.
    """
    name = users.checked_name(name)
    reach()
    if os.stat(arguments.run_dir).st_uid != os.geteuid():
        _prove_operator(name)
    else:
        _prove_by_password(arguments, name)


def _prove_operator(name: str) -> None:
    login_name = pwd.getpwuid(os.geteuid()).pw_name
    if name != login_name:
        line = f"{name}: you are {login_name}; for another name put sudo -u firebreak before it"
        raise cli.Ended(NOT_DONE, line)


def _prove_by_password(arguments: Namespace, name: str) -> None:
    with cli.ends(NO_START, OSError, before="no login is possible: "):
        places = users.folder(arguments.state_dir), spool.folder(arguments.run_dir)
    failures = login.Failures(*[os.path.join(place, "shell.failed") for place in places])
    password, now_us = _password(name), clock.now_us()
    if not failures.begin(now_us, name):
        raise cli.Ended(NOT_DONE, failures.refusal(now_us, name))
    is_right = users.is_right(arguments.state_dir, name, password)
    if not is_right:
        text = f"{name} at a shell: login failed, number {failures.count}"
        note(arguments, "FAIL", text)
        raise cli.Ended(NOT_DONE, "wrong name or password; nothing was done")
    failures.passed(now_us, name)


def _password(name: str) -> str:
    """The password, from a terminal or from standard input. If there is no input, the command ends
    without counting a failed login.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass(f"Password of {name}: ")
    line = sys.stdin.readline() if sys.stdin else ""
    if not line:
        problem = f"password of {name}: there is no terminal to ask at, and standard input is empty"
        raise cli.Ended(WRONG_INPUT, f"{problem}; nothing was done")
    return line.rstrip("\r\n")


def note(arguments: Namespace, code: str, text: str) -> None:
    """Leave a note for the recorder about an action. If this fails, the command goes on."""
    try:
        spool.put(arguments.run_dir, clock.now_us(), code, text)
    except OSError as error:
        say(f"NOT RECORDED: {error.strerror or error}")
