"""Events from the keyframes of a journal: when rows began and ended, and how the state changed.

The controller writes a keyframe whenever the active or latched rows or the run state have changed,
and every 10 s. So the events are exact to the tick without the frames in between. They reach back
as far as the ring: about two hours and a half.
"""

import copy
from array import array
from collections import deque

from controller.journal import replay
from controller.journal.frame import KEYFRAME
from controller.journal.snapshot import Snapshot
from safety import matrix, parameters as p, signals as s

STAGES = {stage[matrix.S_ID]: stage for stage in matrix.STAGES}
# of the cabinet: feature, input
CODES = {matrix.F_PEER_CODE: s.PEER_CODE, matrix.F_SELF_TEST_BITS: s.SELF_TEST_BITS}
RECENT_MS = 60_000  # how far back `History.recent` begins, or a keyframe earlier
BEGAN, CEASED, STATE, FIRST_OUT = "trip", "clear", "state", "first_out"


def scope_of(name: str) -> str:
    """ "cabinet", "unit 1" or "rack 2" of an instance name such as 29.rack2."""
    scope = name.partition(".")[2]
    return f"{scope[:4]} {scope[4:]}" if scope else "cabinet"


class History:
    """`events`: dicts {kind, uptime_ms, ...}, oldest first; `samples`: what `sample` made of each
    keyframe.

    `began_ms`: {instance name: uptime_ms at which it became active, None when that is before the
    first keyframe}. `began_code`: {instance name: the code that its stage compared then}, of the
    features in CODES. uptime_ms counts ticks since the controller's start.
    """

    def __init__(self, snapshot, sample=None):
        """snapshot: snapshot.Snapshot; sample(moment): called with each keyframe as a Moment, or
        None. See `extend`.
        """
        self._snapshot, self._sample = snapshot, sample
        self._moment, self._reader = Moment(snapshot), copy.copy(snapshot.reader)
        self.newest = -1  # sequence of the last keyframe taken in
        self._tick_ms = snapshot.reader.header["safety_image"][p.H_TICK_MS]
        self._before = ((), None, -1)
        self._readers: deque = deque()  # (sequence, reader from there on) of the last keyframes
        self.events, self.samples, self.began_ms, self.began_code = [], [], {}, {}

    def extend(self):
        """Take in the keyframes of the ring that are newer than the last one taken in; returns
        self.
        """
        frames = self._reader.keyframes() if self.newest < 0 else self._reader.frames()
        for frame in frames:
            if frame.kind == KEYFRAME and frame.sequence > self.newest:
                self._remember(frame)
                self._add(frame)
        return self

    def _remember(self, frame):
        """Keep a reader that begins here, and those of the last RECENT_MS."""
        self._readers.append((frame.sequence, self._reader.again(frame)))
        oldest = frame.sequence - RECENT_MS // self._tick_ms
        while len(self._readers) > 1 and self._readers[1][0] <= oldest:
            self._readers.popleft()

    def recent(self):
        """A snapshot.Snapshot that follows the journal from RECENT_MS ago; from the oldest keyframe
        of a shorter journal.
        """
        return Recent(self._snapshot, copy.copy(self._readers[0][1]))

    def _add(self, frame):
        moment = self._moment
        moment.take(frame)
        uptime_ms = frame.sequence * self._tick_ms
        if self._sample:
            self.samples.append({"uptime_ms": uptime_ms, **self._sample(moment)})
        # else the change must have happened at some time before
        is_seen = self.newest >= 0 or frame.sequence == 0
        self.newest = frame.sequence
        self._note(uptime_ms if is_seen else None)

    def _note(self, moment_ms):
        """Write down what differs from the keyframe before; moment_ms: when, None if
        unknown.
        """

        def add(kind, **what):
            self.events.append({"kind": kind, "uptime_ms": moment_ms, **what})

        moment, before = self._moment, self._before
        self._before = now = (moment.standing, moment.out[s.STATE], moment.first_out)
        for name in [name for name in now[0] if name not in before[0]]:
            self.began_ms[name] = moment_ms
            self._note_code(name)
            add(BEGAN, stage=name)
        for name in [name for name in before[0] if name not in now[0]]:
            del self.began_ms[name]
            add(CEASED, stage=name)
        if now[1] != before[1]:
            add(STATE, state=s.STATES[now[1]])
        if now[2] != before[2] and now[2] >= 0:
            add(FIRST_OUT, stage=moment.stage_names[now[2]])

    def _note_code(self, name):
        stage = STAGES[name.partition(".")[0]]
        if stage[matrix.S_SCOPE] == s.CABINET and stage[matrix.S_FEATURE] in CODES:
            self.began_code[name] = self._moment.inp[CODES[stage[matrix.S_FEATURE]]]

    def first_out_per_scope(self) -> list:
        """[(scope, instance name, uptime_ms or None)]: in each scope the oldest, latched ones
        first.
        """
        found = {}
        for name in sorted(self.began_ms, key=self._rank):
            found.setdefault(scope_of(name), name)
        return [(scope, name, self.began_ms[name]) for scope, name in found.items()]

    def _rank(self, name):
        began_ms = self.began_ms[name]
        is_self = STAGES[name.partition(".")[0]][matrix.S_LATCH] == matrix.SELF
        return is_self, -1 if began_ms is None else began_ms, self._snapshot.stage_names.index(name)


class Recent(Snapshot):
    """Follows the journal of another snapshot, with a reader of its own."""

    def __init__(self, snapshot, reader):
        """reader: begins with a keyframe."""
        vars(self).update(vars(snapshot))
        self.reader, self.sequence, self.skipped = reader, None, 0
        self.inp = array("i", bytes(4 * reader.counts[0]))
        self.out = array("i", bytes(4 * reader.counts[2]))


class Moment(Snapshot):
    """One keyframe, with a core in its state: the values known then, as of a snapshot.Shadow."""

    def __init__(self, snapshot):
        """A moment of the journal that a snapshot reads."""
        vars(self).update(vars(snapshot))
        self.core = replay.core_of(snapshot.reader.header)
        self.inp = array("i", bytes(4 * snapshot.reader.counts[0]))
        self.out = array("i", bytes(4 * snapshot.reader.counts[2]))

    def take(self, frame) -> None:
        """Become the moment of this keyframe."""
        frame.apply(self.inp, self.out)
        self.core.load_state(frame.state)
        self.sequence = frame.sequence
