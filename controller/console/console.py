"""`firebreak console`: pages and actions on a serial line or this terminal. `firebreak
console-user`: who acts.
"""

import getpass
import os
import sys

from controller.system.paths import DONE, NO_START, RUN_DIRECTORY, STATE_DIRECTORY, WRONG_INPUT, say

BAUD = 115_200
IDLE_MIN, IDLE_MIN_MAX = 5, 60
EXPORT_DIRECTORY = "/media/firebreak"


def add(commands):
    """Add the commands."""
    console = commands.add_parser("console")
    console.add_argument("--tty", metavar="DEVICE", help="a serial line (without: this terminal)")
    console.add_argument(
        "--baud",
        type=int,
        default=BAUD,
        metavar="BAUD",
        help="of the serial line (%(default)s, 8N1)",
    )
    console.add_argument(
        "--run-dir", default=RUN_DIRECTORY, help="of the running controller (%(default)s)"
    )
    console.add_argument(
        "--state-dir", default=STATE_DIRECTORY, help="record and users (%(default)s)"
    )
    console.add_argument(
        "--export-dir", default=EXPORT_DIRECTORY, help="where a stick is mounted (%(default)s)"
    )
    console.add_argument(
        "--idle-min",
        type=int,
        default=IDLE_MIN,
        metavar="MINUTES",
        help=f"a login ends without a key for so long (1 .. {IDLE_MIN_MAX}, %(default)s)",
    )
    console.set_defaults(run=_console)
    user = commands.add_parser("console-user")
    user.add_argument(
        "what", choices=("add", "remove", "list"), help="add: also a new password of one there is"
    )
    user.add_argument("name", nargs="?")
    user.add_argument("--state-dir", default=STATE_DIRECTORY)
    user.set_defaults(run=_user)


def _console(arguments):
    from controller.console.terminal.line import BAUDS, Line, LineError

    if arguments.baud not in BAUDS:
        say(f"--baud {arguments.baud}: allowed is {', '.join(map(str, BAUDS))}")
        return WRONG_INPUT
    if not 1 <= arguments.idle_min <= IDLE_MIN_MAX:
        say(f"--idle-min {arguments.idle_min}: allowed is 1 .. {IDLE_MIN_MAX}")
        return WRONG_INPUT
    if not arguments.tty and not (os.isatty(0) and os.isatty(1)):
        say("this is no terminal; on a serial line: --tty /dev/ttyS0")
        return WRONG_INPUT
    try:
        line = Line(arguments.tty or os.ttyname(0), arguments.baud if arguments.tty else None)
    except LineError as error:
        say(error)
        return NO_START
    return _serve(arguments, line)


def _serve(arguments, line):
    from controller.console.terminal import actions, login, process, session, view
    from controller.record import spool

    stop = process.Stop()
    where = os.path.relpath(line.path, "/dev").replace("/", "-")[-8:]
    try:
        place = spool.folder(arguments.run_dir)
        actor = login.Actor(os.path.join(place, "actor"))
    except OSError as error:
        line.close()
        say(
            f"{arguments.run_dir}: {error.strerror or error}; run this as the controller's user "
            f"or as root"
        )
        return NO_START
    # All terminals of the network count together: each login there gets another number.
    failures = login.Failures(
        os.path.join(place, f"{'pts' if where.startswith('pts-') else where}.failed")
    )
    doing = actions.Actions(arguments.run_dir, arguments.state_dir, arguments.export_dir, where)
    seen = view.View(arguments.run_dir, arguments.state_dir)
    person = session.Session(
        seen, doing, actor, failures, arguments.state_dir, where, arguments.idle_min * 60_000_000
    )
    console = process.Console(line, person, seen, leaves_end=not arguments.tty)
    try:
        console.run(stop)
    finally:
        console.close()
        doing.forget_export()
    if line.is_gone:
        say(f"{line.path}: the terminal is gone")
    return DONE


def _user(arguments):
    from controller.console.terminal import users

    if (arguments.name is None) != (arguments.what == "list"):
        say("list takes no name" if arguments.what == "list" else f"{arguments.what} needs a name")
        return WRONG_INPUT
    try:
        if arguments.what == "list":
            print(
                "\n".join(users.names(arguments.state_dir))
                or "no users: firebreak console-user add NAME"
            )
        elif arguments.what == "remove":
            users.remove(arguments.state_dir, users.checked_name(arguments.name))
            print(
                f"{arguments.name} may not log in any more; a login that is open ends when it "
                f"is idle"
            )
        else:
            name = users.checked_name(arguments.name)
            is_known = users.add(arguments.state_dir, name, _password(name))
            print(f"{name} has a new password" if is_known else f"{name} may log in at the console")
    except users.UserError as error:
        say(error)
        return WRONG_INPUT
    return DONE


def _password(name):
    """Asked for twice at a terminal, else one line of the standard input. Raises UserError."""
    from controller.console.terminal import users

    if sys.stdin is None or not sys.stdin.isatty():
        return users.checked_password(sys.stdin.readline().rstrip("\r\n") if sys.stdin else "")
    password = users.checked_password(getpass.getpass(f"Password or PIN of {name}: "))
    if getpass.getpass("Once more: ") != password:
        raise users.UserError("the two differ; nothing changed")
    return password
