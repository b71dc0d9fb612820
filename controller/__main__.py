"""The `firebreak` command: builds everything and hands over.

Exit codes: 0 done, 1 not done, 2 wrong input, 3 could not start.
"""

import argparse
import contextlib
import logging
import os
import re
import sys

from controller.console import (
    can_up,
    console,
    export,
    hint,
    key,
    operator,
    proof_test,
    record,
    reset_words,
    show,
    sources,
    upstream,
)
from controller.documents import check, matrix_page, reason_book
from controller.hints import keys
from controller.record import journal_header, replay, snapshot, store
from controller.record.journal import JournalError
from controller.run import cabinet as cabinets
from controller.run import loop, operator_commands, run_request, self_test
from controller.site import config
from controller.site.layers import ConfigError
from controller.siting import command as siting
from controller.state import reset_code
from controller.system import clock, realtime
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    RUN_DIRECTORY,
    STATE_DIRECTORY,
    WRONG_INPUT,
    OutputError,
    ascii_only,
    plain,
    say,
)
from drivers.buses.can_port import CanPortError
from drivers.buses.serial_port import SerialPortError

# Modules with commands of their own: each has add(commands).
COMMANDS = (
    show,
    operator,
    proof_test,
    hint,
    sources,
    key,
    upstream,
    record,
    export,
    console,
    can_up,
    matrix_page,
    reason_book,
    siting,
)
SERVICES = ("run", "record", "upstream", "console")  # they have nothing to print


def main(argv=None):
    """Run a subcommand; argv without the program's name. Returns the exit code."""
    # they log a line per noise burst; what matters is counted by the drivers
    for library in ("can", "pymodbus"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    given, sys.stdout = sys.stdout, _Output(sys.stdout)
    try:
        return _obey(_joined(sys.argv[1:] if argv is None else argv))
    except OutputError as error:
        with contextlib.suppress(OSError):  # what is still buffered goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # whoever read this has seen enough (check FILE | head)
        if isinstance(error.__cause__, BrokenPipeError):
            return NOT_DONE
        say(error)
        return NO_START
    finally:
        sys.stdout = given


def _obey(argv):
    """The exit code of a command, once all it had to say is out. Raises OutputError."""
    try:
        arguments = _parser().parse_args(argv)
        if sys.stdout.is_closed and arguments.command not in SERVICES:
            raise OutputError("the output cannot be written: it is closed")
        code = arguments.run(arguments)
    except SystemExit:  # argparse, after its help
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


class _Output:
    """A standard output that raises OutputError where it takes nothing; a closed one takes all, for
    those who serve.
    """

    def __init__(self, given):
        """given: sys.stdout, None where it was closed."""
        self.is_closed = given is None
        self._to = open(os.devnull, "w", encoding="ascii") if self.is_closed else given

    def write(self, text):
        """As of a file."""
        return self._tried(self._to.write, text)

    def flush(self):
        """As of a file."""
        self._tried(self._to.flush)

    def _tried(self, do, *given):
        try:
            return do(*given)
        except OSError as error:
            raise OutputError(f"the output cannot be written: {error.strerror}") from error

    def __getattr__(self, name):
        return getattr(self._to, name)


def _joined(argv):
    """argv with what is below zero joined to its option: argparse takes the -20kW of `--power
    -20kW` for an option.
    """
    found = []
    for each in argv:
        if found and re.match(r"-[\d.]", each) and re.fullmatch(r"--[a-z-]+", found[-1]):
            found[-1] += "=" + each
        else:
            found.append(each)
    return found


class _Parser(argparse.ArgumentParser):
    """Complains in one line, like everything else here."""

    def error(self, message):
        """Print the line and leave with the code of wrong input."""
        self.exit(WRONG_INPUT, f"firebreak: {message}\n")


def _parser():
    parser = _Parser(prog="firebreak", description="Edge controller of a lithium storage cabinet.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    run = commands.add_parser("run", help="run the controller of one cabinet")
    run.add_argument("file", help="cabinet.toml (or the last layer there is)")
    run.add_argument(
        "--run-dir", default=RUN_DIRECTORY, help="journal, statistics, command socket (%(default)s)"
    )
    run.add_argument(
        "--state-dir", default=STATE_DIRECTORY, help="what survives a loss of power (%(default)s)"
    )
    run.add_argument(
        "--no-realtime",
        action="store_true",
        help="ordinary priority: for trying out, not for a cabinet",
    )
    run.set_defaults(run=_run)
    checking = commands.add_parser("check", help="check a configuration and print what it means")
    checking.add_argument("file", nargs="?")
    checking.add_argument(
        "--keys",
        action="store_true",
        help="list every key with its range, default and tighter side",
    )
    checking.set_defaults(run=_check)
    replaying = commands.add_parser(
        "replay", help="run a journal through the core again and compare every byte"
    )
    replaying.add_argument("file")
    replaying.set_defaults(run=_replay)
    resetting = commands.add_parser(
        "reset", help="reset what stands (remote, or with --key on site)"
    )
    resetting.add_argument(
        "code",
        nargs="?",
        type=reset_words.code_given,
        metavar="CODE",
        help="of what you saw: the last line of `firebreak alarms`; without it nothing is reset",
    )
    resetting.add_argument("--run-dir", default=RUN_DIRECTORY)
    resetting.add_argument("--key", action="store_true", help="the key is turned out of RUN")
    resetting.set_defaults(run=_reset)
    preparing = commands.add_parser(
        "prepare",
        help="write the first store of a new cabinet, "
        "which rests until "
        "`start`; without one it needs the key as well",
    )
    preparing.add_argument("--state-dir", default=STATE_DIRECTORY)
    preparing.set_defaults(run=_prepare)
    for module in COMMANDS:
        module.add(commands)
    return parser


def _prepare(arguments):
    directory = arguments.state_dir
    above = os.path.dirname(os.path.abspath(directory))
    if not os.path.isdir(above):  # a mistyped path, or a disk that is not mounted
        say(f"--state-dir {directory}: there is no folder {above} to make it in")
        return WRONG_INPUT
    try:
        is_new = not os.path.isdir(directory)
        if is_new:
            os.mkdir(directory, mode=0o700)
        place = store.Store(directory)
        if place.load().state != store.MISSING:
            say(f"{directory}: holds a store already; nothing changed")
            return WRONG_INPUT
        place.save(_first_record())
        _give(directory, place.paths)
    except (OSError, store.StoreError) as error:
        say(plain(error, directory))
        return NO_START
    print(
        ascii_only(
            f"made {'the folder and ' if is_new else ''}the first store: "
            f"{', '.join(place.paths)}; "
            "the cabinet rests until `firebreak start`"
        )
    )
    return DONE


def _first_record():
    """The record of `prepare`: it may take the place of a lost one that said stopped or locked out,
    so it rests.
    """
    return {**store.empty_record(), "values": {run_request.STOPPED: run_request.UNKNOWN}}


def _give(directory, paths):
    """What root has made belongs to whoever owns the directory: the service's user has to read
    it.
    """
    if os.geteuid() == 0:
        owner = os.stat(directory)
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid)


def _check(arguments):
    return check.main(["--keys"] * arguments.keys + [arguments.file] * bool(arguments.file))


def _replay(arguments):
    try:
        return replay.run(arguments.file, journal_header.core_of)
    except ValueError as error:
        say(f"{arguments.file}: written by another version of this program: {error}")
        return WRONG_INPUT


def _run(arguments):
    try:
        settings = config.load(arguments.file)
    except ConfigError as error:
        say(error)
        return WRONG_INPUT
    try:
        os.makedirs(arguments.run_dir, mode=0o750, exist_ok=True)
        os.makedirs(arguments.state_dir, mode=0o700, exist_ok=True)
        locked = loop.lock(arguments.run_dir)
        if locked is None:
            say(f"{arguments.run_dir}: another controller runs here; one per cabinet")
            return NO_START
        return _start(settings, arguments)
    except (OSError, JournalError, SerialPortError, CanPortError) as error:
        say(plain(error, arguments.run_dir))
        return NO_START


def _start(settings, arguments):
    held = store.hold(arguments.state_dir)
    if held is None:
        say(
            f"{arguments.state_dir}: another controller, or what a killed one has left, still "
            f"writes the store here"
        )
        return NO_START
    try:
        keeper = store.Keeper(arguments.state_dir, held)
        try:
            return _tick(settings, arguments, keeper)
        finally:
            keeper.close()
    finally:
        os.close(held)


def _tick(settings, arguments, keeper):
    loaded = store.of_cabinet(store.Store(arguments.state_dir).load(), settings.names[-1][1])
    loaded = store.of_run(loaded, arguments.run_dir)
    for line in loaded.lines:
        say(line)
    cabinet = cabinets.Cabinet(settings, loaded, keeper)
    cabinet.self_test = self_test.SelfTest(cabinet.core.kernel.state_blocks())
    cabinet.journal = journal_header.open_journal(
        os.path.join(arguments.run_dir, "journal"), settings, cabinet.core
    )
    notifier = realtime.Notifier()
    running = loop.Loop(cabinet, arguments.run_dir, notifier, _keys(settings, arguments.state_dir))
    notifier.ready(f"{settings.names[-1][1]}: ticking every {settings.tick_ms} ms")
    for line in () if arguments.no_realtime else loop.prepare():
        say(line)
    try:
        return running.run()
    finally:
        running.close()


def _keys(settings, state_directory):
    names = [source.name for source in settings.sources]
    found, lines = keys.load(
        state_directory, names, clock.utc_us() // 1_000_000, clock.now_us() // 1000
    )
    for line in lines:
        say(line)
    return found


def _reset(arguments):
    try:
        seen = snapshot.read(os.path.join(arguments.run_dir, "journal"))
    except (OSError, JournalError) as error:
        say(f"no controller answers in {arguments.run_dir}: {plain(error)}")
        return NO_START
    if arguments.code is None or arguments.code != reset_code.code_of(seen.causes):
        return _reset_nothing(arguments, seen)
    kind = operator_commands.KEY_RESET if arguments.key else operator_commands.REMOTE_RESET
    answer, code = operator.sent(
        arguments, lambda path: operator_commands.reset(path, kind, *seen.causes)
    )
    if code is not None:
        return code
    print(f"reset of {', '.join(reset_words.names(seen))}: {answer.words()}")
    return DONE if answer.is_done else NOT_DONE


def _reset_nothing(arguments, seen):
    """A code is missing, or is of something else: nobody has seen what stands. seen:
    snapshot.Snapshot.
    """
    # what stood in a controller that is gone is no news
    _, code = operator.sent(arguments, operator_commands.reach)
    if code is not None:
        return code
    if arguments.code is None:
        print("\n".join(reset_words.not_given(seen, arguments.key)))
    else:
        say(reset_words.changed(arguments.code, seen, arguments.key))
    return NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
