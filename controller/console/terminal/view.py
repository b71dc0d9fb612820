"""Makes the pages of the controller for the console, also after the controller has restarted."""

import os
import sqlite3
from collections.abc import Callable, Iterable
from typing import NamedTuple

from controller.console import approve, pages, sources
from controller.console.pages.text import CELLS, RULE
from controller.console.terminal import words
from controller.hints import hint_statistics, no_answer
from controller.journal.ring import JournalError
from controller.state import alarms, base, watch
from controller.state.base import Facts
from controller.system import clock
from controller.system.paths import why
from safety import signals as s

# Rows of the screen for a page. The other rows show a message, the person who acts, and the keys.
HEAD_ROWS, BODY_ROWS = 2, 19
PARTS_MAX = 10  # parts of a page that the console joins
ADVICE = ["", "To approve this in your name: turn the key out of RUN and press V."]
_ERRORS = (OSError, JournalError, sqlite3.Error)


class ShownAlarms(NamedTuple):
    """The alarms that a page has shown. A reset names them. resets_left: remote ones, this hour."""

    causes: tuple[int, ...]  # Snapshot.causes
    text: str
    resets_left: int


class Page(NamedTuple):
    """A part of a page. seen: the alarms on it, or the code that approves its changes."""

    head: list[str]
    body: list[str]
    part: int
    parts: int
    seen: ShownAlarms | int | None


class View:
    """Call `update` once a second, then `page`. trouble: why there is no controller, or None."""

    def __init__(
        self, run_directory: str, state_directory: str, pause: Callable[[], object] = watch.wait
    ):
        """pause(): a short wait between two looks for a tick."""
        self._run_directory, self._state_directory = run_directory, state_directory
        self._pause = pause
        self._kept = watch.Kept(run_directory, state_directory)
        self.trouble: str | None = "not looked yet"

    def update(self) -> None:
        """Read the new ticks. If the controller has restarted, read from its new journal."""
        try:
            self._kept.update(self._pause)
            self.trouble = None
        except _ERRORS as error:
            problem = no_answer.NONE_FOUND.capitalize()
            self.trouble = f"{problem} in {self._run_directory}: {why(error)}."

    def close(self) -> None:
        """Close the journal."""
        self._kept.close()

    @property
    def _watch(self) -> watch.Watch | None:
        return self._kept.watch

    @property
    def is_live(self) -> bool:
        """True while a controller ticks."""
        return self._watch is not None and self._watch.is_live

    @property
    def is_key_out(self) -> bool | None:
        """True if the key is out of RUN. None if this is unknown or the controller is stopped."""
        if self._watch is None or not self._watch.is_live:
            return None
        shadow = self._watch.shadow
        is_known = base.cabinet_value(shadow, s.KEY_RUN_OK) is not None
        return shadow.core.facts.is_key_out() if is_known else None

    @property
    def locked_out_by(self) -> str | None:
        """Name of the person who has locked the cabinet out, or None."""
        return base.locked_out_by(self._watch.shadow) if self._watch else None

    @property
    def alarm(self) -> tuple[int, ...] | None:
        """The causes that a reset would name, or None if no controller was found."""
        return self._watch.shadow.causes if self._watch else None

    def page(self, name: str, part: int, extra: Iterable[str] = ()) -> Page:
        """A part of a page of PAGE_OF_KEY. part: its number, from 0. After the last part comes the
        first one again. extra: lines for the end of the page.
        """
        if name in words.FIXED:
            return _part(words.HEAD, [*words.FIXED[name], *extra], part)
        if self._watch is None:
            trouble = pages.text.folded("", self.trouble or "")
            remedy = pages.text.folded("Do", words.NO_CONTROLLER)
            return _part(words.HEAD, [*trouble, "", *remedy], part)
        try:
            return self._page(self._watch, name, part, extra)
        except _ERRORS as error:
            problem = f"This page has an error: {why(error)}."
            return _part(words.HEAD, pages.text.folded("", problem), part)

    def _page(self, watched: watch.Watch, name: str, part: int, extra: Iterable[str]) -> Page:
        if name == "hints":
            head = pages.text.head(watched.facts("links"))
            statistics = hint_statistics.read(os.path.join(self._run_directory, "hints.stats"))
            lines = ["The controller has written no counters of hints yet."]
            if statistics is not None:
                now_ms, utc_s = clock.now_us() // 1000, int(clock.utc_us()) // 1_000_000
                lines = sources.lines(sources.gather(statistics, watched.shadow, now_ms, utc_s))
            return _part(head, [*lines, *extra], part)
        if name == "tests":
            status = watched.facts("status")
            return _part(pages.text.head(status), [*words.tests(status), *extra], part)
        if name == "approval":
            return _approval(watched, part)
        facts = watched.facts(name)
        if name == "alarms":
            return _alarms(facts, part, extra)
        parts = pages.parts(name, facts)[:PARTS_MAX]
        body = [
            words.at_console(line)
            for lines in parts
            for line in lines[HEAD_ROWS:]
            if not line.startswith((CELLS, "Page "))
        ]
        return _part(parts[0][:HEAD_ROWS], [*body, *extra], part)


def _approval(watched: watch.Watch, part: int) -> Page:
    shadow = watched.shadow
    head = pages.text.head(watched.facts("status"))
    if base.cabinet_value(shadow, s.IMAGE_APPROVED_OK):
        return _part(head, [approve.UNCHANGED], part)
    changes, code = approve.changed(shadow.reader.header)
    lines = [line for change in changes for line in pages.text.wrapped(change, 4)]
    page = _part(head, [*lines, *ADVICE], part)
    return page._replace(seen=code) if page.part == page.parts - 1 else page


def _shown_alarms(facts: Facts) -> ShownAlarms | None:
    reset = facts["reset"]
    rows = [
        f"row {row['stage']} {row['reason']['name']}, {row['scope']}" for row in facts["standing"]
    ]
    if facts["channel_b"]:
        rows.append(f"row {facts['channel_b']['stage']} {facts['channel_b']['name']}, channel B")
    if not rows:
        return None
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return ShownAlarms(tuple(reset[name] for name in alarms.CAUSES), rows[0] + more, reset["left"])


def _alarms(facts: Facts, part: int, extra: Iterable[str]) -> Page:
    """One part of the page `alarms`. extra: lines for the end of its first part."""
    parts = pages.parts("alarms", facts)
    part %= len(parts)
    lines = [words.at_console(line) for line in parts[part] if not line.startswith(CELLS)]
    body = fitted([*lines[HEAD_ROWS:], *(extra if part == 0 else ())])
    return Page(lines[:HEAD_ROWS], body[:BODY_ROWS], part, len(parts), _shown_alarms(facts))


def _part(head: list[str], body: list[str], part: int) -> Page:
    """One part of these lines. If the lines do not fit in one part, empty lines and dividing lines
    are dropped first.
    """
    body = fitted(body)
    parts = max(1, -(-len(body) // BODY_ROWS))
    part %= parts
    return Page(head, body[part * BODY_ROWS : (part + 1) * BODY_ROWS], part, parts, None)


def fitted(body: list[str]) -> list[str]:
    """Drop empty and dividing lines, from the end, until the lines fit a screen. If they cannot
    fit, return all lines.
    """
    kept = list(body)
    for index in range(len(body) - 1, -1, -1):
        if len(kept) <= BODY_ROWS:
            return kept
        if body[index] in ("", RULE):
            del kept[index]
    return kept if len(kept) <= BODY_ROWS else list(body)
