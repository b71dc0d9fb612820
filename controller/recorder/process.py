"""Runs the recorder: it turns new frames of the journal into events, history and captures.

While the disk takes nothing, frames wait for hours in the journal, not in memory. Each transaction
stores a position from which the next recorder goes on.
"""

from typing import Any

from controller.hints import no_answer
from controller.journal.frame import Frame
from controller.recorder import events, fast_anchor
from controller.recorder.archive import Archive
from controller.recorder.batch import Batch
from controller.recorder.capture import Folder
from controller.recorder.captures import Captures
from controller.recorder.database import DatabaseError, Row
from controller.recorder.events import event
from controller.recorder.fast import RingWriter
from controller.recorder.follow import Follower, Run
from controller.recorder.hint_watch import HintWatch
from controller.recorder.limits import Limits
from controller.recorder.proof_watch import ProofWatch
from controller.recorder.quarters import Quarters
from controller.recorder.run_reading import Reading, begin_events
from controller.recorder.timeline import Timeline, boot_id
from controller.store import spool
from controller.system import caught
from controller.system.paths import Say
from controller.system.utc import Clocks, WallClock
from safety import parameters as p

FRAMES_A_STEP, ACTS_A_STEP = 500, 20  # most frames, and most actions of persons, in a step
SECONDS_EVERY_US = 10_000_000  # without an event, history becomes durable after this time
RETRY_US, QUIET_US = 1_000_000, 2_000_000
LINES_MAX = 100  # lines about unexpected exceptions, per run of the recorder


class Recorder:
    """The recorder. Call `step` for each poll. say(line): gives a line to the operator."""

    def __init__(
        self,
        run_directory: str,
        state_directory: str,
        limits: Limits,
        say: Say,
        clocks: Clocks | None = None,
    ):
        """Open the record. Raises OSError or DatabaseError if nothing can be written."""
        self.limits, self._say, self.wall = limits, say, WallClock(clocks)
        self._now_us, _ = self.wall.poll()
        self.batch = Batch(self.wall, Quarters(run_directory, state_directory, say))
        self._last = caught.Last("a frame or event is not recorded", LINES_MAX, self._lost)
        folder = Folder(state_directory)
        self.archive = Archive(
            run_directory, state_directory, limits, self._label_now, say, folder.kept
        )
        meta = self.archive.meta
        self.batch.lifetime.take(meta("lifetime"))
        self.captures = Captures(folder, self.archive, limits, say)
        self.fast = RingWriter(state_directory, limits.fast_days, say, self.archive.has_room)
        self._follower, self._hints = Follower(run_directory), HintWatch(run_directory)
        self._proof_tests = ProofWatch(state_directory, meta("proof_tests"), run_directory)
        self._inbox = spool.Inbox(run_directory, meta("acts") or [])
        self._reading: Reading | None = None
        self._standing = meta("standing") or []
        self._stored_us = self._tidied_us = self._now_us
        self._retry_us: int | None = None  # set while the disk takes nothing
        self._is_waiting, self._boot = False, boot_id()
        self._note("the recorder has started")
        self._compare_ticks()

    def _label_now(self, kind: str, code: str, scope: str, text: str) -> Row:
        return self.batch.row_of(event(kind, text, scope, code), self._now_us)

    def _note(self, text: str, code: str = "", kind: str = events.NOTE) -> None:
        self.batch.add(event(kind, text, code=code), self._now_us)

    def _lost(self, line: str) -> None:
        self._say(line)
        self._note(line, "JOURNAL", events.LOSS)

    # -- one step

    def step(self) -> bool:
        """Do the work of one poll. Returns True if more frames wait."""
        self._now_us, step_us = self.wall.poll()
        if step_us:
            set_s, source = step_us / 1e6, self.wall.source
            self._note(f"the wall clock was set by {set_s:+.3f} s (source: {source})", "CLOCK")
        header = self._reading.run.reader.header if self._reading else None
        with self._last:
            self._proof_tests.hold(self._now_us, header)
        if self._retry_us is not None and self._now_us < self._retry_us:
            return False
        is_more = False
        if self._retry_us is None:
            self._watch(header)
            is_more = self._collect()
        is_late = self._now_us - self._stored_us >= SECONDS_EVERY_US
        if self.batch.event_rows or self.batch.seconds and is_late:
            self._store()
        if self._retry_us is None:
            with self._last:
                self.captures.work(self._now_us)
        return is_more and self._retry_us is None

    def _watch(self, header: dict[str, Any] | None) -> None:
        """Take events that are in no frame: actions of persons, hints, proof tests."""
        now_us = self._now_us
        with self._last:
            for act in self._inbox.take(ACTS_A_STEP):
                self.batch.act(act, now_us)
        with self._last:
            for new_event in self._hints.look(now_us):
                self.batch.add(new_event, now_us)
        with self._last:
            for new_event in self._proof_tests.look(now_us, self.wall.label(now_us), header):
                self.batch.add(new_event, now_us)

    def _collect(self) -> bool:
        """Take frames. At the end of a run, go to the next one. True if more frames wait."""
        reading = self._reading or self._open()
        if reading is None:
            return False
        ended = not self._follower.is_newest(reading.run)  # before the last look for frames
        if not reading.timeline.look(self._now_us):
            return False
        taken = 0
        for taken, frame in enumerate(reading.run.frames(), 1):
            with self._last:
                self._take(reading, frame)
            if taken >= FRAMES_A_STEP:
                return True
        self._notice_silence(reading, taken)
        return self._next(reading) if ended else False

    def _take(self, reading: Reading, frame: Frame) -> None:
        sequence, moment = frame.sequence, reading.timeline.moment(frame.sequence)
        frame_events = reading.finder.feed(frame)
        second, minute = reading.seconds.feed(frame), reading.minutes.feed(frame)
        self.captures.take(frame, reading.run.tick)
        is_again = reading.taken_until is not None  # an earlier process has read part of the run
        if self.fast.days and not (is_again and self.fast.has(reading.run.inode, sequence)):
            self.fast.take(reading.ticks.row(frame))
            reading.fast_moment_us = moment[0]
            if self.fast.is_due(reading.run.tick_ms):
                self._store_ticks(reading)
        if reading.taken_until is not None and sequence <= reading.taken_until:
            return
        for new_event in [*begin_events(reading, sequence), *frame_events]:
            self.batch.add(new_event, *moment)
        self.batch.history(second, minute, moment[0], reading.seconds)

    def _compare_ticks(self) -> None:
        """Add an event if the end of the ring of ticks was removed while no recorder ran."""
        stored = self.archive.meta(fast_anchor.META) if self.fast.days else None
        if lost := fast_anchor.lost(stored, self.fast.newest):
            self._say(lost.text)
            self.batch.add(lost, self._now_us)

    def _store_ticks(self, reading: Reading, is_end: bool = False) -> None:
        before = self.fast.newest
        self.fast.write(reading.fast_header(self.wall.utc(reading.fast_moment_us)))
        if anchor_event := fast_anchor.due(before, self.fast.newest, is_end):
            self.batch.add(anchor_event, self._now_us)

    def _notice_silence(self, reading: Reading, taken: int) -> None:
        quiet_us = reading.timeline.quiet_us(self._now_us)
        if taken:
            if reading.quiet:
                self._note("the controller writes again")
            reading.quiet = False
        elif not reading.quiet and reading.began and quiet_us >= QUIET_US:
            self._stopped(reading, self._now_us)
        elif reading.quiet and quiet_us >= self.limits.capture_after_s * 1_000_000:
            self.captures.end_of_run(self._now_us)

    def _stopped(self, reading: Reading, moment_us: int, within_us: int | None = 0) -> None:
        """Add the event that the controller of a run has stopped writing."""
        seen = reading.run.seen
        how = "in order" if seen.ended_in_order else "writing, and not in order"
        stop = event(events.STOP, f"the controller has stopped {how}")
        stop = stop._replace(sequence=seen.sequence)
        self.batch.add(stop, moment_us, within_us)
        reading.quiet = True

    # -- from run to run

    def _open(self) -> Reading | None:
        """Begin the first run, or return None. A position or capture of another run is dropped."""
        position = self.archive.meta("position")
        run, goes_on = self._follower.first(position)
        if run is None:
            if not self._is_waiting:
                self._say(f"{no_answer.NEVER_RAN}; waiting")
            self._is_waiting = True
            return None
        if position and not goes_on and not position.get("over"):
            read = f"the journal that was read up to frame {position['sequence']} is gone"
            self._note(f"{read}; its later frames were not read", "JOURNAL", events.LOSS)
        reading, begin_at = self._begin(run, position["sequence"] if goes_on else None)
        if goes_on:
            before = p.ticks(self.limits.capture_before_s * 1000, run.tick_ms)
            first_sequence = position["sequence"] - before if begin_at is None else begin_at
            if run.reader.begin_at(max(0, first_sequence)) is None:
                run.reader.rewind()
        return reading

    def _begin(self, run: Run, taken_until: int | None) -> tuple[Reading, int | None]:
        """Begin to read a run. Returns (its Reading, the result of Captures.open)."""
        anchor = self.archive.meta("anchor")
        over_us = self.wall.moment_us(run.changed_utc_us)
        ended_us = None if self._follower.is_newest(run) else over_us
        is_of_boot = anchor and anchor.get("boot") == self._boot
        timeline = Timeline(run, anchor if is_of_boot else None, ended_us)
        self._reading = Reading(run, timeline, taken_until, self._standing)
        return self._reading, self.captures.open(run, taken_until is not None)

    def _next(self, reading: Reading) -> bool:
        """Go to the next run if this one has ended and was read. Its end becomes an event."""
        run = self._follower.after(reading.run)
        if run is None:
            return False
        if lost := reading.run.unread(reading.taken_until):
            reason = "at the end of the run were not read: a later start took their room"
            self._note(f"{lost} frames {reason}", "JOURNAL", events.LOSS)
        newest = reading.run.seen.sequence
        if newest is not None and reading.began and not reading.quiet:
            self._stopped(reading, *reading.timeline.moment(newest))
        if not self._store():  # captures of the ended run must be in the table before it closes
            run.close()
            return False
        self.captures.end_of_run(self._now_us)
        self._standing = sorted(reading.finder.standing)
        self._store_ticks(reading)
        reading.run.close()
        self._begin(run, None)
        return True

    # -- making it durable

    def _store(self) -> bool:
        """Commit the batch. False: it was not stored, and nothing more is read until it is."""
        batch, meta = self.batch, {**self._meta(), "proof_tests": self._proof_tests.state}
        if self.fast.days:
            meta[fast_anchor.META] = self.fast.newest
        # Another process must not take these acts again before they are removed.
        if self._inbox.taken:
            meta["acts"] = list(self._inbox.taken)
        try:
            note = self.captures.note(batch.trip_sequences)
            self.archive.write(batch.event_rows, batch.seconds, meta, note, batch.minutes)
        except DatabaseError as error:
            if self._retry_us is None:
                self._say(f"{error}: nothing is recorded, events wait in the journal")
            self._retry_us = self._now_us + RETRY_US
            return False
        if self._retry_us is not None:
            self._say("the record takes events again")
        self._retry_us = None
        self._stored_us = self._now_us
        trips, untidy_us = batch.trip_sequences, self._now_us - self._tidied_us
        in_haste = bool(batch.event_rows) and untidy_us < SECONDS_EVERY_US
        batch.clear()
        self._inbox.settle()
        with self._last:
            self.captures.begin(trips)
            self.archive.tidy(in_haste)
            self._tidied_us = self._tidied_us if in_haste else self._now_us
        return True

    def _meta(self) -> dict[str, Any]:
        """Data with which the next recorder goes on: position, active and latched rows, anchor."""
        reading = self._reading
        if reading is None or reading.run.seen.sequence is None:
            return {}
        position = reading.run.position
        if reading.taken_until is not None and position["sequence"] < reading.taken_until:
            return {}  # not yet at the position that the earlier process had reached
        anchor = reading.timeline.anchor(position["sequence"])
        is_over = reading.run.seen.ended_in_order and reading.quiet
        return {
            "position": position | ({"over": True} if is_over else {}),
            "standing": sorted(reading.finder.standing),
            "lifetime": self.batch.lifetime.content,
            "anchor": anchor and {**anchor, "boot": self._boot},
        }

    def close(self) -> None:
        """Make everything durable and end. The next recorder continues a growing capture."""
        if self._reading is not None:
            self._store_ticks(self._reading, is_end=True)
        self._note("the recorder ends")
        self._store()
        self.captures.close()
        if self._reading is not None:
            self._reading.run.close()
        self.archive.close()
