"""The pages of a controller, cut to a terminal's screen; finds a controller that is new or
restarted.
"""

import os
import sqlite3
from typing import NamedTuple

from controller.console import approve, pages, sources, watch
from controller.console.pages.text import CELLS, RULE
from controller.console.terminal import words
from controller.hints import hint_statistics
from controller.journal.ring import JournalError
from controller.state import alarms, base
from controller.system import clock
from safety import signals as s

HEAD_ROWS, BODY_ROWS = 2, 19  # of 24: two of the head, a message, who acts, the keys
# a console that slept longer begins with the newest keyframe instead of catching up
BEHIND_FRAMES_MAX = 1500
UPDATES_MAX = 3600  # what a watch remembers of the past grows, so it is made anew every hour
PAGES_MAX = 10  # of those that are numbered, as many in a row are shown
APPROVE = ["", "Turn the key out of RUN and press V: it is approved in your name."]
_TROUBLE = (OSError, JournalError, sqlite3.Error)


class Seen(NamedTuple):
    """The alarms that a page has shown, for a reset to name."""

    causes: tuple  # as snapshot.Snapshot has them
    words: str
    left: int


class Page(NamedTuple):
    """Two lines of head, at most BODY_ROWS of body, which part of how many, what it shows: alarms
    (Seen), changes (the code that approves them), or None.
    """

    head: list
    body: list
    part: int
    parts: int
    seen: Seen | int | None


class View:
    """`update` once a second, then `page`. trouble: why no controller is visible, or None."""

    def __init__(self, run_directory, state_directory, pause=watch.wait):
        """pause(): lets a little time pass while a tick is waited for."""
        self._run_directory, self._state_directory = run_directory, state_directory
        self._pause = pause
        self._watch = self._inode = None
        self._updates = 0
        self.trouble = "not looked yet"

    def update(self) -> None:
        """Read what is new; a restarted controller has another journal."""
        try:
            inode = os.stat(os.path.join(self._run_directory, "journal")).st_ino
            if (
                self._watch is None
                or inode != self._inode
                or self._updates >= UPDATES_MAX
                or self._is_behind()
            ):
                self.close()
                self._watch, self._inode = (
                    watch.Watch(self._run_directory, self._state_directory),
                    inode,
                )
                self._updates = 0
            self._updates += 1
            self._watch.update(self._pause)
            self.trouble = None
        except _TROUBLE as error:
            self.close()
            self.trouble = f"No controller is to be seen in {self._run_directory}: {_short(error)}."

    def _is_behind(self):
        shadow = self._watch.shadow
        newest = shadow.reader.newest()
        return (
            newest is not None
            and shadow.sequence is not None
            and newest - shadow.sequence > BEHIND_FRAMES_MAX
        )

    def close(self) -> None:
        """Look at no journal any more."""
        if self._watch is not None:
            self._watch.shadow.close()
        self._watch = None

    @property
    def is_live(self) -> bool:
        """True while a controller ticks."""
        return self._watch is not None and self._watch.is_live

    @property
    def is_key_out(self):
        """True while the key switch is out of RUN, False while it is in RUN, None while no ticking
        controller knows.
        """
        shadow = self._watch.shadow if self.is_live else None
        is_known = shadow and base.cabinet_value(shadow, s.KEY_RUN_OK) is not None
        return bool(shadow.core.kernel.features.fire.key_is_out()) if is_known else None

    @property
    def locked_out_by(self):
        """Name of the person who has locked the cabinet out, None without one."""
        return base.locked_out_by(self._watch.shadow) if self._watch else None

    @property
    def alarm(self) -> tuple | None:
        """The causes that a reset would name, None without a controller."""
        return self._watch.shadow.causes if self._watch else None

    def page(self, name: str, part: int, extra=()):
        """Page of one of words.PAGES, its part from 0 (taken modulo the parts); extra: lines for
        its end.
        """
        if name in words.FIXED:
            return _cut(words.HEAD, [*words.FIXED[name], *extra], part)
        if self._watch is None:
            return _cut(
                words.HEAD,
                [
                    *pages.text.folded("", self.trouble),
                    "",
                    *pages.text.folded("Do", words.NO_CONTROLLER),
                ],
                part,
            )
        try:
            return self._made(name, part, extra)
        except _TROUBLE as error:
            return _cut(
                words.HEAD,
                pages.text.folded("", f"This page cannot be made: {_short(error)}."),
                part,
            )

    def _made(self, name, part, extra):
        if name == "hints":
            head = pages.text.head(self._watch.facts("links"))
            found = hint_statistics.read(os.path.join(self._run_directory, "hints.stats"))
            lines = ["The controller has written no counters of hints yet."]
            if found is not None:
                now_ms, utc_s = clock.now_us() // 1000, clock.utc_us() // 1_000_000
                lines = sources.lines(sources.gather(found, self._watch.shadow, now_ms, utc_s))
            return _cut(head, [*lines, *extra], part)
        if name == "tests":
            status = self._watch.facts("status")
            return _cut(pages.text.head(status), [*words.tests(status), *extra], part)
        if name == "approval":
            return self._approval(part)
        facts = self._watch.facts(name)
        if name == "alarms":
            return _alarms(facts, part, extra)
        body = [
            words.at_console(line)
            for number in range(1, min(PAGES_MAX, pages.count(name, facts)) + 1)
            for line in pages.lines(name, facts, number)[2:]
            if not line.startswith(CELLS)
        ]
        return _cut(pages.lines(name, facts)[:2], [*body, *extra], part)

    def _approval(self, part):
        shadow = self._watch.shadow
        head = pages.text.head(self._watch.facts("status"))
        if base.cabinet_value(shadow, s.IMAGE_APPROVED_OK):
            return _cut(head, [approve.UNCHANGED], part)
        changes, code = approve.changed(shadow.reader.header)
        lines = [line for each in changes for line in pages.text.wrapped(each, 4)]
        page = _cut(head, [*lines, *APPROVE], part)
        return page._replace(seen=code) if page.part == page.parts - 1 else page


def _short(error):
    """An error without its number and path."""
    return getattr(error, "strerror", None) or str(error)


def _seen(facts):
    reset = facts["reset"]
    named = [
        f"row {row['stage']} {row['reason']['name']}, {row['scope']}" for row in facts["standing"]
    ]
    if facts["channel_b"]:
        named.append(f"row {facts['channel_b']['stage']} {facts['channel_b']['name']}, channel B")
    if not named:
        return None
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return Seen(tuple([reset[name] for name in alarms.CAUSES]), named[0] + more, reset["left"])


def _alarms(facts, part, extra):
    """A Page: one part of the alarms; extra: lines for the end of the first."""
    count = pages.count("alarms", facts)
    part %= count
    head, body = [], []
    for at, line in enumerate(pages.lines("alarms", facts, part + 1)):
        if not line.startswith(CELLS):
            (head if at < HEAD_ROWS else body).append(words.at_console(line))
    body = fitted([*body, *extra] if part == 0 else body)
    return Page(head, body[:BODY_ROWS], part, count, _seen(facts))


def _cut(head, body, part):
    """A Page: what only structures goes first when there is no room, then it becomes several
    parts.
    """
    body = fitted(body)
    parts = max(1, -(-len(body) // BODY_ROWS))
    part %= parts
    return Page(head, body[part * BODY_ROWS : (part + 1) * BODY_ROWS], part, parts, None)


def fitted(body: list) -> list:
    """The lines without some empty ones and rules, from the end, as far as that is needed to fit
    one screen.
    """
    kept = list(body)
    for index in range(len(body) - 1, -1, -1):
        if len(kept) <= BODY_ROWS:
            return kept
        if body[index] in ("", RULE):
            del kept[index]
    return kept if len(kept) <= BODY_ROWS else list(body)
