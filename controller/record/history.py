"""What happened, from the keyframes of a journal: which rows began and ceased to stand when, and
how the state went.

The controller writes a keyframe whenever what stands or the run state has changed, and every 10 s,
so this is exact to the tick without taking the frames between them apart. It reaches back as far as
the ring: about two hours and a half.
"""

from array import array

from controller.core.core import STANDING_BITS
from controller.record import replay
from safety import matrix
from safety import parameters as p
from safety import signals as s

STAGES = {stage[matrix.S_ID]: stage for stage in matrix.STAGES}
# of the cabinet: feature, input
CODES = {matrix.F_PEER_CODE: s.PEER_CODE, matrix.F_SELF_TEST_BITS: s.SELF_TEST_BITS}
BEGAN, CEASED, STATE, FIRST_OUT = "trip", "clear", "state", "first_out"


def scope_of(name):
    """ "cabinet", "unit 1" or "rack 2" of an instance name such as 29.rack2."""
    scope = name.partition(".")[2]
    return f"{scope[:4]} {scope[4:]}" if scope else "cabinet"


class History:
    """`events`: dicts {kind, uptime_ms, ...}, oldest first; `samples`: what `sample` made of each
    keyframe.

    `began_ms`: {instance name: uptime_ms at which it began to stand, None when that is before the
    first keyframe}. `began_code`: {instance name: what the code that its stage looks at said then},
    of the features in CODES. uptime_ms counts ticks since the controller's start.
    """

    def __init__(self, snapshot, sample=None):
        """snapshot: snapshot.Snapshot; sample(moment): called with each keyframe as a Moment, or
        None. See `extend`.
        """
        self._snapshot, self._sample = snapshot, sample
        self._moment = Moment(snapshot)
        self.newest = -1  # sequence of the last keyframe taken in
        self._tick_ms = snapshot.reader.header["safety_image"][p.H_TICK_MS]
        self._before = None
        self.events, self.samples, self.began_ms, self.began_code = [], [], {}, {}

    def extend(self):
        """Take in the keyframes of the ring that are newer than the last one taken in; returns
        self.
        """
        for frame in self._snapshot.reader.keyframes(self.newest if self.newest >= 0 else None):
            if frame.sequence > self.newest:
                self._add(frame)
        return self

    def _add(self, frame):
        moment = self._moment
        moment.take(frame)
        self.newest, out = frame.sequence, moment.out
        uptime_ms = frame.sequence * self._tick_ms
        now = (set(self._standing(out)), out[s.STATE], out[s.FIRST_OUT_INSTANCE])
        if self._sample:
            self.samples.append({"uptime_ms": uptime_ms, **self._sample(moment)})
        if self._before is None:
            self._note(uptime_ms, (set(), None, -1), now, frame.sequence == 0)
        else:
            self._note(uptime_ms, self._before, now, True)
        self._before = now

    def _standing(self, out):
        words = out[self._snapshot.standing_at :]
        return [
            name
            for index, name in enumerate(self._snapshot.stage_names)
            if words[index // STANDING_BITS] >> index % STANDING_BITS & 1
        ]

    def _note(self, uptime_ms, before, now, is_seen):
        """Write down what differs; is_seen: the change was seen, and not only that it must have
        happened.
        """
        names = self._snapshot.stage_names
        moment_ms = uptime_ms if is_seen else None
        for name in [name for name in names if name in now[0] and name not in before[0]]:
            self.began_ms[name] = moment_ms
            self._note_code(name)
            self.events.append({"kind": BEGAN, "uptime_ms": moment_ms, "stage": name})
        for name in [name for name in names if name in before[0] and name not in now[0]]:
            del self.began_ms[name]
            self.events.append({"kind": CEASED, "uptime_ms": moment_ms, "stage": name})
        if now[1] != before[1]:
            self.events.append({"kind": STATE, "uptime_ms": moment_ms, "state": s.STATES[now[1]]})
        if now[2] != before[2] and now[2] >= 0:
            self.events.append({"kind": FIRST_OUT, "uptime_ms": moment_ms, "stage": names[now[2]]})

    def _note_code(self, name):
        stage = STAGES[name.partition(".")[0]]
        if stage[matrix.S_SCOPE] == s.CABINET and stage[matrix.S_FEATURE] in CODES:
            self.began_code[name] = self._moment.inp[CODES[stage[matrix.S_FEATURE]]]

    def first_out_per_scope(self):
        """[(scope, instance name, uptime_ms or None)]: in each scope what has stood longest,
        latched ones first.
        """
        found = {}
        order = sorted(self.began_ms, key=self._rank)
        for name in order:
            found.setdefault(scope_of(name), (scope_of(name), name, self.began_ms[name]))
        return list(found.values())

    def _rank(self, name):
        began_ms = self.began_ms[name]
        is_self = STAGES[name.partition(".")[0]][matrix.S_LATCH] == matrix.SELF
        return is_self, -1 if began_ms is None else began_ms, self._snapshot.stage_names.index(name)


class Moment:
    """One keyframe, with a core in its state, so that one can ask what was known then (as of a
    snapshot.Shadow).
    """

    def __init__(self, snapshot):
        self.reader, self.layout, self.chain_at = (
            snapshot.reader,
            snapshot.layout,
            snapshot.chain_at,
        )
        self.core = replay.core_of(snapshot.reader.header)
        self.inp = array("i", bytes(4 * snapshot.reader.counts[0]))
        self.out = array("i", bytes(4 * snapshot.reader.counts[2]))
        self.sequence = None

    def take(self, frame):
        """Become the moment of this keyframe."""
        frame.apply(self.inp, self.out)
        self.core.load_state(frame.state)
        self.sequence = frame.sequence

    def chain(self, index):
        """Word `index` of the set-point chain's trace."""
        return self.out[self.chain_at + index]
