"""Reads all pages of the console again and again, until the process is ended.

`python -m hil.campaigns.chaos.page_reader RUN_DIR STATE_DIR [WAITS]` waits WAITS turns of the loop
between two rounds. One line is printed for each round, even if the round failed.
"""

import sqlite3
import sys

from controller.console import pages
from controller.journal.ring import JournalError
from controller.state import watch


def main(run_directory: str, state_directory: str, waits: str = "20") -> None:
    """Read all pages again and again until the process is ended."""
    while True:
        try:
            seen = watch.Watch(run_directory, state_directory)
            seen.update()
            lines = sum(len(pages.lines(name, seen.facts(name))) for name in watch.PAGE_NAMES)
            print(f"pages: {lines} lines", flush=True)
        except (OSError, JournalError, sqlite3.Error) as error:
            print(f"no page: {error}", flush=True)
        for _ in range(int(waits)):
            watch.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
