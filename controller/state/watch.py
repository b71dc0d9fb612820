"""Makes the facts of every page from the journal, statistics and record of one controller."""

import contextlib
import copy
import importlib
import os
import sqlite3
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import cast

from controller.hints import no_answer
from controller.journal import snapshot
from controller.journal.history import History
from controller.journal.ring import JournalError
from controller.run import loop_statistics
from controller.state import bands, base, plan_seen, proof_tests, record, trend
from controller.state.base import Facts
from controller.store import joining
from controller.system import cli, commands, paths, utc

PAGE_NAMES = (*commands.MODULES["console.show"], "plan")

# A watch that is further behind is replaced by a new watch, which starts at the newest keyframe.
BEHIND_MS_MAX = 30_000
# A watch that is further behind jumps to the newest keyframe. The controller makes a keyframe at
# least every 10 s (run/cabinet.py), so a watch that is less far behind may find none to jump to.
JUMP_MS = 10_000
UPDATES_MAX = 3600  # one each second: a new watch every hour, because its history grows


def wait() -> None:
    """Let a little time pass."""
    time.sleep(snapshot.POLL_S)


def _of(module: str, *arguments: object) -> Facts:
    """The facts of a page. Only the module of that page is loaded."""
    return cast(Facts, importlib.import_module(f"controller.state.{module}").facts(*arguments))


def _counters(path: str) -> Facts | None:
    """The counters of each bus. Only the page `links` loads the module that reads them."""
    counters = importlib.import_module("controller.run.link_statistics").read(path)
    return cast(Facts | None, counters)


class Watch:
    """Reads the pages: call `update`, then `facts(page)`. `is_live`: a new tick came. JournalError:
    no controller.
    """

    def __init__(self, run_directory: str, state_directory: str, clocks: utc.Clocks | None = None):
        self._run_directory, self._state_directory = run_directory, state_directory
        self._wall = utc.WallClock(clocks)
        self._ledger = proof_tests.Ledger(state_directory)
        self.shadow = snapshot.Shadow(os.path.join(run_directory, "journal"))
        self.shadow.reader.skip()
        self.is_live = False
        self._history: History | None = None
        self._recent: snapshot.Snapshot | None = None
        self._samples: bands.Samples | None = None

    def update(self, pause: Callable[[], object] = wait, *, is_rough: bool = False) -> None:
        """Wait for a new tick, LIVE_S at most; then the pages show the newest tick. is_rough: the
        pages show the first tick after the newest keyframe. This saves time, and misses no change
        of alarms or run state, because each such change makes a keyframe.
        """
        self.is_live = snapshot.ticks(self.shadow.reader, pause)
        if is_rough or self.behind_ms() > JUMP_MS:
            self._jump()
        if not (is_rough and self.shadow.settled or self.shadow.update() and self.shadow.settled):
            raise JournalError(f"{self._run_directory}: the controller has not made two ticks yet")

    def behind_ms(self) -> int:
        """Time of the ticks that are not read yet."""
        newest, own = self.shadow.reader.newest(), self.shadow.sequence
        if newest is None or own is None:
            return 0
        return (newest - own) * self.shadow.core.facts.tick_ms

    def _jump(self) -> None:
        """Go to the first tick after the newest keyframe, if that keyframe is not read yet."""
        ahead = copy.copy(self.shadow.reader)
        start = ahead.skip()
        if start is None or start.sequence <= (self.shadow.sequence or 0):
            return
        self.shadow.reader = ahead
        next((True for _ in self.shadow.follow() if self.shadow.settled), None)

    def history(self) -> History:
        """History of the journal, extended to its newest keyframe."""
        if self._history is None:
            self._history = History(self.shadow, trend.sample_of)
        self._history.extend()
        return self._history

    def bands(self) -> Facts:
        """RMS powers in bands of frequency, over the last minute of the journal."""
        if self._samples is None or self._recent is None:
            self._recent = self.history().recent()
            self._samples = bands.Samples(self._recent)
        for frame in self._recent.follow():
            self._samples.feed(frame)
        return self._samples.facts()

    def facts(self, page: str, span_s: int = trend.SPAN_S) -> Facts:
        """Plain data of one of PAGE_NAMES; span_s: of the trend."""
        recorded = record.opened(self._state_directory)
        trouble = record.trouble(self._state_directory) if recorded is None else None
        if recorded is not None:
            try:
                return self._page(page, recorded, span_s)
            except sqlite3.Error as error:  # only a part of the file can be read
                trouble = str(error)
        facts = self._page(page, None, span_s)
        return facts if trouble is None else {**facts, "record_trouble": trouble}

    def _page(self, page: str, recorded: record.Record | None, span_s: int) -> Facts:
        shadow, boot_ms = self.shadow, self._wall.clocks.now_us() // 1000
        by_page: dict[str, Callable[[], Facts]] = {  # the other pages need only the shadow
            "status": lambda: self._status(recorded),
            "alarms": lambda: _of("alarms", shadow, self.history(), recorded, self._replacing()),
            "events": lambda: _of("events", shadow, self.history(), recorded),
            "trend": lambda: trend.facts(shadow, self.history(), recorded, boot_ms, span_s),
            "map": lambda: _of("places", shadow, self.history()),
            "links": lambda: _of("links", shadow, _counters(self._path("links.stats"))),
            "plan": lambda: {
                **base.head(shadow),
                **plan_seen.facts(self._run_directory, self._utc_s()),
            },
        }
        make = by_page.get(page, lambda: _of(page, shadow))
        return {**make(), "is_live": self.is_live, **self._utc(recorded)}

    def _path(self, name: str) -> str:
        return os.path.join(self._run_directory, name)

    def _status(self, recorded: record.Record | None) -> Facts:
        loop = loop_statistics.read(path := self._path("loop.stats"))
        store = dict(zip(("unsaved_ms", "unsaved_before_ms"), loop_statistics.unsaved_ms(path)))
        tests = self._tests()
        summary = recorded.summary() if recorded else None
        status = _of("status", self.shadow, self.history(), loop, summary)
        plan = plan_seen.summary(self._run_directory, self._utc_s())
        return {**status, "proof_tests": tests, "bands": self.bands(), "plan": plan, "store": store}

    def _replacing(self) -> list[str]:
        return (self._tests() or {"replacing": []})["replacing"]

    def _tests(self) -> Facts | None:
        now_us, _ = self._wall.poll()
        label = self._wall.label(now_us)[:2]
        ramp = now_us, joining.ramp_began_us(self._run_directory, now_us)
        return proof_tests.facts(self.shadow.reader.header, self._ledger, *label, ramp)

    def _utc_s(self) -> float:
        now_us, _ = self._wall.poll()
        return int(self._wall.utc(now_us)) / 1e6

    def _utc(self, recorded: record.Record | None) -> Facts:
        """The present UTC, and the time since which the recorder is silent; {}: there is no
        record.
        """
        if recorded is None:
            return {}
        now_us, _ = self._wall.poll()
        utc, source, uncertainty_us = self._wall.label(now_us)
        uptime_ms = base.uptime_ms(self.shadow)
        since = recorded.silent_since(now_us // 1000, uptime_ms) if self.is_live else None
        return {
            "utc_text": record.utc_text(int(utc), source),
            "utc_us": int(utc),
            "utc_uncertainty_us": uncertainty_us,
            "recorder_silent_since": since,
        }


@contextlib.contextmanager
def first_look(arguments: Namespace) -> Iterator[Watch]:
    """A Watch of --run-dir that is up to date, for a command. What cannot be read, also in the
    block, ends the command: no controller was found.
    """
    before = f"{no_answer.not_found(arguments.run_dir)}: "
    with cli.ends(paths.NO_START, OSError, JournalError, sqlite3.Error, before=before):
        seen = Watch(arguments.run_dir, arguments.state_dir)
        seen.update()
        yield seen


class Kept:
    """A watch for a process that runs for long. It is opened again when a restarted controller has
    made another journal, when it is more than `behind_ms_max` behind, and after `updates_max`
    updates. watch: None without a controller.
    """

    def __init__(
        self,
        run_directory: str,
        state_directory: str,
        updates_max: int | None = None,
        behind_ms_max: int | None = None,
    ):
        self._directories, self._updates_max = (run_directory, state_directory), updates_max
        self._behind_ms_max = behind_ms_max
        self._inode = self._updates = 0
        self.watch: Watch | None = None

    def update(self, pause: Callable[[], object] = wait, *, is_rough: bool = False) -> Watch:
        """The watch with the newest tick. Raises JournalError, OSError, sqlite3.Error."""
        try:
            inode = os.stat(os.path.join(self._directories[0], "journal")).st_ino
            updates_max = self._updates_max or UPDATES_MAX
            is_old = inode != self._inode or self._updates >= updates_max
            behind_ms_max = self._behind_ms_max or BEHIND_MS_MAX
            if self.watch is None or is_old or self.watch.behind_ms() > behind_ms_max:
                self.close()
                self.watch = Watch(*self._directories)
                self._inode, self._updates = inode, 0
            self._updates += 1
            self.watch.update(pause, is_rough=is_rough)
        except (JournalError, OSError, sqlite3.Error):
            self.close()
            raise
        return self.watch

    def close(self) -> None:
        """Close the journal."""
        if self.watch is not None:
            self.watch.shadow.close()
        self.watch = None
