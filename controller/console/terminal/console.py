"""`firebreak console` shows pages on a terminal and lets a person act. `firebreak user` adds,
removes and lists the users of the console.
"""

import getpass
import os
import signal
import sys
from argparse import Namespace

from controller.console import login, users
from controller.console.terminal import actions, process, session, view
from controller.console.terminal.line import BAUDS, Line, LineError
from controller.store import spool
from controller.system import cli, identity, own_names
from controller.system.paths import DONE, NO_START, WRONG_INPUT, say
from controller.system.stop import Stop


@cli.command(
    "console",
    cli.option("--tty", metavar="DEVICE", help="a serial line (default: this terminal)"),
    cli.option(
        "--baud",
        type=int,
        choices=tuple(BAUDS),
        default=115_200,
        metavar="BAUD",
        help="of the serial line (%(default)s, 8N1)",
    ),
    cli.RUN_DIR,
    cli.STATE_DIR,
    cli.option(
        "--export-dir",
        default="/media/firebreak",
        help="mount point of the USB stick (%(default)s)",
    ),
    cli.option(
        "--idle-min",
        type=cli.whole(1, 60),
        default=5,
        metavar="MINUTES",
        help="a login ends after this time without a key (1 .. 60, %(default)s)",
    ),
)
def _console(arguments: Namespace) -> int:
    if not (arguments.tty or os.isatty(0) and os.isatty(1)):
        raise cli.Ended(WRONG_INPUT, "this is not a terminal; for a serial line: --tty /dev/ttyS0")
    with cli.ends(NO_START, LineError):
        line = Line(arguments.tty or os.ttyname(0), arguments.baud if arguments.tty else None)
    # The process changes to the service's user only now, because this user may not open the
    # terminal.
    identity.settle(arguments)
    return _serve(arguments, line)


def _serve(arguments: Namespace, line: Line) -> int:
    stop = Stop(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    where = os.path.relpath(line.path, "/dev").replace("/", "-")[-8:]
    own_names.tidy(arguments.run_dir, arguments.state_dir)
    try:
        spool_folder = spool.folder(arguments.run_dir)
        actor = login.ActorLock(os.path.join(spool_folder, "actor"))
        # Failed logins outlast a restart of the box.
        users_folder = users.folder(arguments.state_dir)
    except OSError as error:
        line.close()
        why = f"{error.strerror or error}; run this as the controller's user or as root"
        raise cli.Ended(NO_START, f"{error.filename or arguments.run_dir}: {why}") from error
    # Network terminals share one count, because each login there gets a new terminal number.
    count_name = "pts" if where.startswith("pts-") else where
    failures = login.Failures(
        *[os.path.join(folder, f"{count_name}.failed") for folder in (users_folder, spool_folder)]
    )
    commands = actions.Actions(arguments.run_dir, arguments.state_dir, arguments.export_dir, where)
    pages = view.View(arguments.run_dir, arguments.state_dir)
    console_session = session.Session(
        view=pages,
        actions=commands,
        actor=actor,
        failures=failures,
        state_directory=arguments.state_dir,
        where=where,
        idle_us=arguments.idle_min * 60_000_000,
    )
    console = process.Console(line, console_session, pages, quit_ends=not arguments.tty)
    try:
        console.run(stop)
    finally:
        console.close()
        commands.forget_export()
    if line.is_gone:
        say(f"{line.path}: the terminal is gone")
    return DONE


@cli.command(
    "user",
    cli.option(
        "what", choices=("add", "remove", "list"), help="add also replaces a user's password"
    ),
    cli.option("name", nargs="?"),
    cli.STATE_DIR,
)
def _user(arguments: Namespace) -> int:
    name, action, state_directory = arguments.name, arguments.what, arguments.state_dir
    if (name is None) != (action == "list"):
        line = "list takes no name" if action == "list" else f"{action} needs a name"
        raise cli.Ended(WRONG_INPUT, line)
    if action == "list":
        if not os.path.isdir(state_directory):
            raise users.UserError(f"{state_directory}: no such folder")
        print("\n".join(users.names(state_directory)) or "no users: firebreak user add NAME")
    elif action == "remove":
        users.remove(state_directory, name)
        print(f"{name} cannot log in any more; an open login ends when it is idle")
    else:
        users.checked_name(name)  # before the command asks for a password
        is_known = users.add(state_directory, name, _password(name))
        print(f"{name} has a new password" if is_known else f"{name} may log in at the console")
    return DONE


def _password(name: str) -> str:
    """The password: typed twice at a terminal, or one line of the standard input. Raises
    UserError.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return users.checked_password(sys.stdin.readline().rstrip("\r\n") if sys.stdin else "")
    password = users.checked_password(getpass.getpass(f"Password of {name}: "))
    if getpass.getpass("Once more: ") != password:
        raise users.UserError("the two passwords differ; nothing changed")
    return password
