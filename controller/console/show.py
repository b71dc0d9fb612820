"""`firebreak status | why | alarms | events | trend | racks | links`: one page of a running
controller, or its JSON.

Exit codes: 0 the page is of now, 1 the controller does not tick any more (the page shows its last
words), 2 wrong input, 3 there is no controller to be seen.
"""

import argparse
import json
import sqlite3

from controller.console import pages, watch
from controller.record.journal import JournalError
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    RUN_DIRECTORY,
    STATE_DIRECTORY,
    WRONG_INPUT,
    plain,
    say,
)

SPAN_S, SPAN_S_MAX = 600, 7200


def add(commands):
    """Add the commands to argparse's subparsers."""
    for page in watch.PAGES:
        command = commands.add_parser(page)
        command.add_argument(
            "--run-dir", default=RUN_DIRECTORY, help="of the running controller (%(default)s)"
        )
        command.add_argument(
            "--state-dir", default=STATE_DIRECTORY, help="where its record is (%(default)s)"
        )
        command.add_argument(
            "--json", action="store_true", help="the same facts as JSON, units in the names"
        )
        if page in ("events", "racks", "links"):
            command.add_argument(
                "--page", type=_positive, default=1, metavar="NUMBER", help="which page (1)"
            )
        if page == "trend":
            command.add_argument(
                "--for",
                dest="span_s",
                type=_positive,
                default=SPAN_S,
                metavar="SECONDS",
                help="how far back (%(default)s)",
            )
        command.set_defaults(run=_show, shown=page)


def _positive(text):
    if not text.isdecimal() or not 1 <= int(text) <= SPAN_S_MAX:
        raise argparse.ArgumentTypeError(
            f"{text}: allowed is a whole number from 1 to {SPAN_S_MAX}"
        )
    return int(text)


def _show(arguments):
    try:
        seen = watch.Watch(arguments.run_dir, arguments.state_dir)
        seen.update()
        facts = seen.facts(arguments.shown, getattr(arguments, "span_s", SPAN_S))
    except (OSError, JournalError, sqlite3.Error) as error:
        say(f"no controller to be seen in {arguments.run_dir}: {plain(error)}")
        return NO_START
    number = getattr(arguments, "page", 1)
    if number > pages.count(arguments.shown, facts):
        say(
            f"--page {number}: allowed is a whole number from 1 to "
            f"{pages.count(arguments.shown, facts)}"
        )
        return WRONG_INPUT
    if arguments.json:
        print(json.dumps(facts, indent=1))
    else:
        print("\n".join(pages.lines(arguments.shown, facts, number)))
    return DONE if facts["is_live"] else NOT_DONE
