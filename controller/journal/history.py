"""Finds in the keyframes of a journal when stages began and ended, and how the state changed.

There is a keyframe after each such change, so the times are exact to the tick. The ring reaches
back about two and a half hours.
"""

import copy
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from controller.journal import heard, replay
from controller.journal.frame import KEYFRAME, Frame
from controller.journal.ring import JournalReader
from controller.journal.snapshot import Snapshot
from controller.rows.records import BY_ID
from safety import matrix, parameters as p, signals as s

# {index of a feature: input of the cabinet whose code explains the feature}
CODES: dict[object, int] = {
    matrix.F_PEER_CODE: s.PEER_CODE,
    matrix.F_SELF_TEST_BITS: s.SELF_TEST_BITS,
}
Facts = dict[str, Any]
RECENT_MS = 60_000  # least time that `History.recent` goes back
BEGAN, CEASED, STATE, FIRST_OUT = "trip", "clear", "state", "first_out"


def scope_of(name: str) -> str:
    """ "cabinet", "unit 1" or "rack 2" of an instance name such as 29.rack2."""
    scope = name.partition(".")[2]
    return f"{scope[:4]} {scope[4:]}" if scope else "cabinet"


class History:
    """The events and samples of a journal.

    `events`: {kind, uptime_ms (time since the start), ...}. `samples`: one for each keyframe. Three
    dicts by name of a stage instance: `began_ms` has the active and latched instances (None: before
    the first keyframe). `began_code`: the code at that time, only for features in CODES.
    `began_behind`: the devices that caused the instance.
    """

    def __init__(self, snapshot: Snapshot, sample: "Callable[[Moment], Facts] | None" = None):
        """sample(moment): called for each keyframe. Call `extend` to read the journal."""
        self._snapshot, self._sample = snapshot, sample
        self._moment, self._reader = Moment(snapshot), copy.copy(snapshot.reader)
        self.newest = -1  # sequence of the last keyframe read
        self._tick_ms = snapshot.reader.header["safety_image"][p.H_TICK_MS]
        # instances active or latched, run state, index of the first-out
        self._before: tuple[list[str], int | None, int] = ([], None, -1)
        # (sequence, reader that starts there) of the last keyframes
        self._readers: deque[tuple[int, JournalReader]] = deque()
        self.events: list[Facts] = []
        self.samples: list[Facts] = []
        self.began_ms: dict[str, int | None] = {}
        self.began_code: dict[str, int] = {}
        self.began_behind: dict[str, list[str]] = {}

    def extend(self) -> "History":
        """Read the keyframes of the ring that are newer than the last one read; returns self."""
        frames = self._reader.keyframes() if self.newest < 0 else self._reader.frames()
        for frame in frames:
            if frame.kind == KEYFRAME and frame.sequence > self.newest:
                self._remember(frame)
                self._add(frame)
        return self

    def _remember(self, frame: Frame) -> None:
        """Keep a reader that starts here, and the readers of the last RECENT_MS."""
        self._readers.append((frame.sequence, self._reader.again(frame)))
        oldest = frame.sequence - RECENT_MS // self._tick_ms
        while len(self._readers) > 1 and self._readers[1][0] <= oldest:
            self._readers.popleft()

    def recent(self) -> "Recent":
        """A snapshot that reads the journal again, from RECENT_MS ago or the oldest keyframe on."""
        return Recent(self._snapshot, copy.copy(self._readers[0][1]))

    def _add(self, frame: Frame) -> None:
        moment = self._moment
        moment.take(frame)
        uptime_ms = frame.sequence * self._tick_ms
        if self._sample:
            self.samples.append({"uptime_ms": uptime_ms, **self._sample(moment)})
        # The first keyframe of a ring that has lost its begin shows changes of an unknown time.
        is_seen = self.newest >= 0 or frame.sequence == 0
        self.newest = frame.sequence
        self._note(uptime_ms if is_seen else None)

    def _note(self, event_ms: int | None) -> None:
        """Add an event for each difference from the keyframe before. event_ms: their time."""

        def add(kind: str, **details: object) -> None:
            self.events.append({"kind": kind, "uptime_ms": event_ms, **details})

        moment = self._moment
        standing_before, state_before, first_out_before = self._before
        standing, state, first_out = moment.standing, moment.out[s.STATE], moment.first_out
        self._before = standing, state, first_out
        for name in [name for name in standing if name not in standing_before]:
            self.began_ms[name] = event_ms
            self._note_code(name)
            self.began_behind[name] = moment.behind(name)
            add(BEGAN, stage=name, behind=self.began_behind[name])
        for name in [name for name in standing_before if name not in standing]:
            del self.began_ms[name]
            add(CEASED, stage=name)
        if state != state_before:
            add(STATE, state=s.STATES[state])
        if first_out != first_out_before and first_out >= 0:
            add(FIRST_OUT, stage=moment.stage_names[first_out])

    def _note_code(self, name: str) -> None:
        stage = BY_ID[name.partition(".")[0]]
        if stage[matrix.S_SCOPE] == s.CABINET and stage[matrix.S_FEATURE] in CODES:
            self.began_code[name] = self._moment.inp[CODES[stage[matrix.S_FEATURE]]]

    def first_out_per_scope(self) -> list[tuple[str, str, int | None]]:
        """The first-out of each scope: [(scope, instance, uptime_ms or None)].

        It is the oldest instance of a stage that latches, or else the oldest instance.
        """
        first_out: dict[str, str] = {}
        for name in sorted(self.began_ms, key=self._rank):
            first_out.setdefault(scope_of(name), name)
        return [(scope, name, self.began_ms[name]) for scope, name in first_out.items()]

    def _rank(self, name: str) -> tuple[bool, int, int]:
        began_ms = self.began_ms[name]
        is_self = BY_ID[name.partition(".")[0]][matrix.S_LATCH] == matrix.SELF
        return (
            is_self,
            -1 if began_ms is None else began_ms,
            self._snapshot.stage_names.index(name),
        )


class Recent(Snapshot):
    """Follows the journal of another snapshot with its own reader."""

    def __init__(self, snapshot: Snapshot, reader: JournalReader):
        """reader: starts with a keyframe."""
        vars(self).update(vars(snapshot))
        self.reader = reader
        self._forget()


class Moment(Snapshot):
    """One keyframe, with a core in the state of its tick."""

    def __init__(self, snapshot: Snapshot):
        """snapshot: a snapshot of the same journal."""
        vars(self).update(vars(snapshot))
        self.core = replay.core_of(snapshot.reader.header)
        self._forget()

    def behind(self, name: str) -> list[str]:
        """Names of the devices that cause an instance; see heard.behind."""
        devices, stage = (self.reader.header.get("devices", []), BY_ID[name.partition(".")[0]])
        return heard.behind(devices, self.inp, self.core.facts, stage)

    def take(self, frame: Frame) -> None:
        """Move to this keyframe."""
        frame.apply(self.inp, self.out)
        self.core.load_state(cast(array, frame.state))
        self.sequence = frame.sequence
