"""The recorder's one loop: take new frames, find events and seconds, make them durable, keep
captures.

Nothing is taken from the journal while the disk takes nothing: what is not durable yet waits there,
hours of it, and not in memory. A position is stored with every transaction, so a recorder that was
killed goes on with the frame after.
"""

import os

from controller.record import spool
from controller.record.utc import WallClock
from controller.recorder import events
from controller.recorder.archive import Archive
from controller.recorder.batch import Batch
from controller.recorder.capture import Folder
from controller.recorder.captures import Captures
from controller.recorder.database import DatabaseError
from controller.recorder.events import Event, EventFinder
from controller.recorder.follow import Follower
from controller.recorder.hint_watch import HintWatch
from controller.recorder.proof_watch import ProofWatch
from controller.recorder.seconds import Seconds
from controller.recorder.timeline import Timeline
from safety import parameters as p

FRAMES_A_STEP = 500
SECONDS_EVERY_US = 10_000_000  # history without an event is durable after so long
RETRY_US = 1_000_000
QUIET_US = 2_000_000
ACTS_A_STEP = 20
ACT_AGE_US_MAX = 86_400_000_000
CABINET = "cabinet"


class Reading:
    """One run of the controller and what is made of its frames."""

    def __init__(self, run, timeline, silent_until):
        """silent_until: sequence up to which an earlier recorder has done all this, None for
        none.
        """
        self.run, self.timeline, self.silent_until = run, timeline, silent_until
        self.finder = self.seconds = None
        self.began = self.quiet = False

    def begin(self, standing):
        """Start comparing: standing is what was known before."""
        self.finder = EventFinder(self.run.seen, standing, new_run=self.silent_until is None)
        self.seconds = Seconds(self.run.seen)


class Recorder:
    """`step` does one poll's work. say(line): the operator's messages."""

    def __init__(self, run_directory, state_directory, limits, say, clocks=None):
        """Raises OSError or DatabaseError when there is nothing to write on."""
        self.limits, self._say = limits, say
        self.wall = WallClock(clocks)
        self._now_us, _ = self.wall.poll()
        self.batch = Batch(self.wall)
        folder = Folder(state_directory)
        self.archive = Archive(
            run_directory, state_directory, limits, self._label_now, say, folder.kept
        )
        self.captures = Captures(folder, self.archive, limits, say)
        self._follower = Follower(run_directory)
        self._hints = HintWatch(run_directory)
        self._proof_tests = ProofWatch(state_directory, self.archive.meta("proof_tests"))
        self._inbox = spool.Inbox(run_directory, self.archive.meta("acts") or [])
        self._reading = None
        self._standing = self.archive.meta("standing") or []
        self._stored_us = self._tidied_us = self._now_us
        self._retry_us = None  # set while the disk takes nothing
        self._waits = False
        self._boot = _boot_id()
        self._add(Event(None, events.NOTE, "", CABINET, "the recorder has started"))

    def _label_now(self, kind, code, scope, text):
        return self.batch.label(Event(None, kind, code, scope, text), self._now_us)

    def _add(self, event):
        self.batch.add(event, self._now_us)

    # -- one step

    def step(self):
        """One poll. True when more frames wait already."""
        self._now_us, step_us = self.wall.poll()
        if step_us:
            self._add(
                Event(
                    None,
                    events.NOTE,
                    "CLOCK",
                    CABINET,
                    f"the wall clock was set by {step_us / 1e6:+.3f} s (source: "
                    f"{self.wall.source})",
                )
            )
        if self._retry_us is not None and self._now_us < self._retry_us:
            return False
        more = False
        if self._retry_us is None:
            self._take_acts()
            for event in self._hints.look(self._now_us):
                self._add(event)
            self._look_at_proof_tests()
            more = self._collect()
        if (
            self.batch.rows
            or self.batch.seconds
            and self._now_us - self._stored_us >= SECONDS_EVERY_US
        ):
            self._store()
        if self._retry_us is None:
            self.captures.work(self._now_us)
        return more and self._retry_us is None

    def _look_at_proof_tests(self):
        header = self._reading and self._reading.run.reader.header
        for event in self._proof_tests.look(self._now_us, self.wall.label(self._now_us), header):
            self._add(event)

    def _take_acts(self):
        """What persons did at the console, each at its own moment; one that cannot be is of now."""
        for act in self._inbox.take(ACTS_A_STEP):
            within = max(0, self._now_us - ACT_AGE_US_MAX) <= act.moment_us <= self._now_us
            self.batch.add(
                Event(None, events.NOTE, act.code, CABINET, act.text),
                act.moment_us if within else self._now_us,
                0,
            )

    def _collect(self):
        """Take frames from the run being read; go to the next run at its end. True when there are
        more.
        """
        if self._reading is None and not self._open(
            *self._follower.first(self.archive.meta("position"))
        ):
            return False
        reading = self._reading
        ended = not self._follower.is_newest(reading.run)  # asked before the last look for frames
        if not reading.timeline.look(self._now_us):
            return False
        taken = 0
        for frame in reading.run.frames():
            self._take(reading, frame)
            taken += 1
            if taken >= FRAMES_A_STEP:
                return True
        self._notice_silence(reading, taken)
        return self._next(reading) if ended else False

    def _take(self, reading, frame):
        sequence = frame.sequence
        if reading.finder is None:
            reading.begin(self._standing)
        moment_us, within_us = reading.timeline.moment(sequence)
        found, second = reading.finder.feed(frame), reading.seconds.feed(frame)
        self.captures.take(frame, reading.run.tick)
        if reading.silent_until is not None and sequence <= reading.silent_until:
            return
        self._say_began(reading, sequence, moment_us, within_us)
        for event in found:
            self.batch.add(event, moment_us, within_us)
        if second is not None:
            self.batch.second(second, moment_us)

    def _say_began(self, reading, sequence, moment_us, within_us):
        """Once a run: that it was found, or what of it was not read."""
        lost = reading.run.take_lost()
        if not reading.began:
            reading.began = True
            if reading.silent_until is None:
                lost = 0  # a ring that has gone round before anybody followed it
                self.batch.add(
                    Event(
                        sequence,
                        events.START,
                        "",
                        CABINET,
                        f"the controller runs, frame {sequence}",
                    ),
                    moment_us,
                    within_us,
                )
            else:
                lost = sequence - reading.silent_until - 1
        if lost:
            self.batch.add(
                Event(
                    sequence,
                    events.LOSS,
                    "JOURNAL",
                    CABINET,
                    f"{lost} frames before frame {sequence} were overwritten before they were read",
                ),
                moment_us,
                within_us,
            )

    def _notice_silence(self, reading, taken):
        if taken:
            if reading.quiet:
                self._add(Event(None, events.NOTE, "", CABINET, "the controller writes again"))
            reading.quiet = False
        elif (
            not reading.quiet
            and reading.began
            and reading.timeline.quiet_us(self._now_us) >= QUIET_US
        ):
            reading.quiet = True
            self._add(
                Event(
                    reading.run.seen.sequence,
                    events.STOP,
                    "",
                    CABINET,
                    _how_it_ended(reading.run.seen),
                )
            )
        elif (
            reading.quiet
            and reading.timeline.quiet_us(self._now_us) >= self.limits.capture_after_s * 1_000_000
        ):
            self.captures.end_of_run(self._now_us)

    # -- from run to run

    def _open(self, run, goes_on):
        """Begin to read a run; position and pending capture are of the run before unless it goes
        on.
        """
        if run is None:
            if not self._waits:
                self._say("no controller has written a journal here yet; waiting")
            self._waits = True
            return False
        position = self.archive.meta("position")
        if position and not goes_on and not position.get("over"):
            self._add(
                Event(
                    None,
                    events.LOSS,
                    "JOURNAL",
                    CABINET,
                    f"the run of the controller that was read up to "
                    f"frame {position['sequence']} is gone; what followed in it was not "
                    f"read",
                )
            )
        self._reading = Reading(run, self._timeline(run), position["sequence"] if goes_on else None)
        begin_at = self.captures.open(run, goes_on)
        if goes_on:
            wanted = position["sequence"] - self._ticks(run) if begin_at is None else begin_at
            if run.reader.begin_at(max(0, wanted)) is None:
                run.reader.rewind()
        return True

    def _ticks(self, run):
        return p.ticks(self.limits.capture_before_s * 1000, run.tick_ms)

    def _timeline(self, run):
        anchor = self.archive.meta("anchor")
        anchor = anchor if anchor and anchor.get("boot") == self._boot else None
        ended_us = (
            None
            if self._follower.is_newest(run)
            else max(0, run.changed_utc_us - self.wall.offset_us)
        )
        return Timeline(run, anchor, ended_us)

    def _next(self, reading):
        """The run has ended and was read: its end is an event, and the next one begins."""
        run = self._follower.after(reading.run)
        if run is None:
            return False
        if reading.began and not reading.quiet:
            moment_us, within_us = reading.timeline.moment(reading.run.seen.sequence)
            self.batch.add(
                Event(
                    reading.run.seen.sequence,
                    events.STOP,
                    "",
                    CABINET,
                    _how_it_ended(reading.run.seen),
                ),
                moment_us,
                within_us,
            )
            reading.quiet = True
        if not self._store():  # captures of the run that ends must be known before it is closed
            run.close()
            return False
        self.captures.end_of_run(self._now_us)
        if reading.finder is not None:
            self._standing = sorted(reading.finder.standing)
        reading.run.close()
        self._reading = Reading(run, self._timeline(run), None)
        self.captures.open(run, False)
        return True

    # -- making it durable

    def _store(self):
        """Commit the batch. False when it was not taken: it stays, and nothing more is read until
        it is.
        """
        meta = {**self._meta(), "proof_tests": self._proof_tests.told}
        # so that another process does not take them again before they are removed
        if self._inbox.taken:
            meta["acts"] = list(self._inbox.taken)
        try:
            self.archive.write(
                self.batch.rows,
                self.batch.seconds,
                meta,
                self.captures.note(self.batch.trips, meta),
            )
        except DatabaseError as error:
            if self._retry_us is None:
                self._say(f"{error}: nothing is recorded; it waits in the journal")
            self._retry_us = self._now_us + RETRY_US
            return False
        if self._retry_us is not None:
            self._say("the record takes events again")
        self._retry_us = None
        self._stored_us = self._now_us
        self.captures.begin(self.batch.trips)
        in_haste = bool(self.batch.rows) and self._now_us - self._tidied_us < SECONDS_EVERY_US
        self.archive.tidy(in_haste)
        self._tidied_us = self._tidied_us if in_haste else self._now_us
        self.batch.clear()
        self._inbox.settle()
        return True

    def _meta(self):
        """What lets another process go on: position, what stands, the moment of a frame."""
        reading = self._reading
        if reading is None or reading.run.seen.sequence is None or reading.finder is None:
            return {}
        position = reading.run.position
        if reading.silent_until is not None and position["sequence"] < reading.silent_until:
            return {}  # still reading up to where the earlier one was
        anchor = reading.timeline.anchor(position["sequence"])
        if reading.run.seen.ended_in_order and reading.quiet:
            position = {**position, "over": True}
        return {
            "position": position,
            "standing": sorted(reading.finder.standing),
            "anchor": anchor and {**anchor, "boot": self._boot},
        }

    def close(self):
        """Make durable what there is, and end; a growing capture goes on with the next recorder."""
        self._add(Event(None, events.NOTE, "", CABINET, "the recorder ends"))
        self._store()
        self.captures.close()
        if self._reading is not None:
            self._reading.run.close()
        self.archive.close()


def _how_it_ended(seen):
    if seen.ended_in_order:
        return "the controller has stopped in order"
    return "the controller writes no more, without having stopped in order"


def _boot_id():
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return str(os.getpid())
