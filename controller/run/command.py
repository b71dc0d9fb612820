"""`firebreak run`: builds the controller of one cabinet and lets it tick."""

import argparse
import contextlib
import logging
import os
from collections.abc import Iterable

from controller.config import approval, configuration
from controller.config.cabinet_config import Config
from controller.forms.refusal import ConfigError
from controller.hints import admission, keys
from controller.journal import journal_header
from controller.journal.ring import JournalError
from controller.run import cabinet as cabinets, loop, self_test, sign_hold
from controller.run.site_clock import SiteClock
from controller.store import two_copies
from controller.store.keeper import Keeper
from controller.system import cli, clock, own_names, realtime
from controller.system.paths import (
    NO_START,
    RUN_DIRECTORY,
    STATE_DIRECTORY,
    WRONG_INPUT,
    plain,
    say,
)
from controller.system.utc import WallClock
from drivers.buses.can_port import CanPortError
from drivers.buses.serial_port import SerialPortError


@cli.command(
    "run",
    cli.option("file", help="cabinet.toml (or the last layer there is)"),
    cli.option(
        "--run-dir", default=RUN_DIRECTORY, help="journal, statistics, command socket (%(default)s)"
    ),
    cli.option(
        "--state-dir", default=STATE_DIRECTORY, help="what survives a loss of power (%(default)s)"
    ),
    cli.option(
        "--no-realtime",
        action="store_true",
        help="ordinary priority: for trying out, not for a cabinet",
    ),
)
def _run(arguments: argparse.Namespace) -> int:
    # python-can logs a line per noise burst; the drivers count errors
    logging.getLogger("can").setLevel(logging.CRITICAL)
    try:
        settings = configuration.load(arguments.file)
    except ConfigError as error:
        say(error)
        return WRONG_INPUT
    try:
        os.makedirs(arguments.run_dir, mode=0o750, exist_ok=True)
        os.makedirs(arguments.state_dir, mode=0o700, exist_ok=True)
        _say(own_names.tidy(arguments.run_dir, arguments.state_dir))
        lock = loop.lock(arguments.run_dir)
        if lock is None:
            say(f"{arguments.run_dir}: another controller runs here; one per cabinet")
            return NO_START
        return _start(settings, arguments)
    except (OSError, JournalError, SerialPortError, CanPortError) as error:
        say(plain(error, arguments.run_dir))
        return NO_START


def _start(settings: Config, arguments: argparse.Namespace) -> int:
    store_lock = two_copies.hold(arguments.state_dir)
    if store_lock is None:
        say(
            f"{arguments.state_dir}: another controller, or what a killed one has left, still "
            f"writes the store here"
        )
        return NO_START
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, store_lock)
        stored = two_copies.Store(arguments.state_dir).load()
        if stored.state == two_copies.NEWER:
            say(stored.lines[0])
            return WRONG_INPUT
        keeper = stack.enter_context(contextlib.closing(Keeper(arguments.state_dir, store_lock)))
        loaded = two_copies.of_cabinet(stored, settings.names[-1][1])
        return _tick(settings, arguments, keeper, two_copies.of_run(loaded, arguments.run_dir))


def _tick(
    settings: Config, arguments: argparse.Namespace, keeper: Keeper, loaded: two_copies.Loaded
) -> int:
    _say(loaded.lines)
    cabinet = cabinets.Cabinet(settings, loaded, keeper)
    cabinet.sign_held, sign_lines = sign_hold.of_ledger(
        settings, arguments.state_dir, cabinet.sign_held
    )
    cabinet.self_test = self_test.SelfTest(cabinet.core.kernel.state_blocks())
    cabinet.site_clock = SiteClock(cabinet.image, WallClock())
    cabinet.journal = journal_header.open_journal(
        os.path.join(arguments.run_dir, "journal"),
        settings,
        cabinet.core,
        approved=approval.packed(cabinet.approval.before),
    )
    notifier = realtime.Notifier()
    controller_loop = loop.Loop(
        cabinet, arguments.run_dir, notifier, _keys(settings, arguments.state_dir)
    )
    notifier.ready(f"{settings.names[-1][1]}: ticking every {settings.tick_ms} ms")
    _say([*controller_loop.troubles(), *approval.waiting(cabinet.approval), *sign_lines])
    if not arguments.no_realtime:
        _say(realtime.prepare())
    with contextlib.closing(controller_loop):
        return controller_loop.run()


def _keys(settings: Config, state_directory: str) -> admission.Keys:
    names = [source.name for source in settings.sources]
    by_source, lines = keys.load(
        state_directory, names, int(clock.utc_us()) // 1_000_000, clock.now_us() // 1000
    )
    _say(lines)
    return by_source


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)
