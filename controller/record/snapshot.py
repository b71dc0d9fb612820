"""The newest state a running controller has written, rebuilt from its journal by somebody else's
process.
"""

from array import array

from controller.core.core import STANDING_BITS
from controller.core.image import IS_ENDING, PEER, PEER_EMPTY
from controller.record import replay
from controller.record.frame import KEYFRAME
from controller.record.journal import JournalError, JournalReader
from safety import parameters as p
from safety import signals as s


class Snapshot:
    """Follows a journal: `inp`, `out` are those of the newest frame after each `update`."""

    def __init__(self, path):
        """Raises JournalError when the file is no journal."""
        self.reader = JournalReader(path)
        header = self.reader.header
        self.layout = s.Layout(*header["safety_image"][p.H_UNITS : p.H_MODULES + 1])
        self.stage_names = header["stage_instances"]
        self.output_names = header["output_names"]
        names = list(header["input_names"])
        # None: of an older version
        self._peer_at = names.index(PEER[0]) if PEER[0] in names else None
        self._ending_at = names.index(IS_ENDING) if IS_ENDING in names else None  # the same
        self.inp = array("i", [0] * self.reader.counts[0])
        self.out = array("i", [0] * self.reader.counts[2])
        self.sequence = None
        self.chain_at = self.layout.outputs
        self.standing_at = len(self.output_names)

    def follow(self):
        """Take in the frames written since the last call; yields the sequence of each once it is
        applied.
        """
        for frame in self.reader.frames():
            if frame.kind == KEYFRAME or frame.sequence - 1 == self.sequence:
                frame.apply(self.inp, self.out)
                self.sequence = frame.sequence
                yield frame.sequence

    def update(self):
        """Take in what is new. True once a whole image is known."""
        for _ in self.follow():
            pass
        return self.sequence is not None

    @property
    def first_out(self):
        """Instance index of the first-out, -1 when nothing stands."""
        return self.out[s.FIRST_OUT_INSTANCE]

    @property
    def cause_mask(self):
        """CRC-30 over what stands."""
        return self.out[s.CAUSE_MASK]

    @property
    def causes(self):
        """What a reset names: first-out and cause mask here, then those of the second channel."""
        at = self._peer_at
        peer = PEER_EMPTY if at is None else tuple(self.inp[at : at + len(PEER)])
        return (self.first_out, self.cause_mask, *peer)

    @property
    def ended_in_order(self):
        """The process was told to end and permits nothing; of an older version: it was not to
        run.
        """
        at = self._ending_at
        told = not self.inp[s.RUN_REQUEST] if at is None else self.inp[at]
        return bool(told and not self.out[s.ARM_REQUEST])

    @property
    def standing_words(self):
        """Which stage instances stand, as words of STANDING_BITS."""
        return self.out[self.standing_at :]

    @property
    def standing(self):
        """Names of the stage instances that stand, in the kernel's order."""
        words = self.standing_words
        return [
            name
            for index, name in enumerate(self.stage_names)
            if words[index // STANDING_BITS] >> index % STANDING_BITS & 1
        ]

    def chain(self, index):
        """Word `index` of the set-point chain's trace (setpoint.CHAIN_OUTPUTS)."""
        return self.out[self.chain_at + index]

    def close(self):
        """Unmap the journal."""
        self.reader.close()


class Shadow(Snapshot):
    """A snapshot whose frames run through a core of its own, so that every number behind an output
    can be named.

    `core` is as the controller's after its newest tick, from `settled` on. It is the same program
    over the same inputs; `differs` says that it came to other outputs all the same, so that nobody
    is told what is not so.
    """

    def __init__(self, path):
        """Raises JournalError when the file is no journal, or another version's."""
        super().__init__(path)
        try:
            self.core = replay.core_of(self.reader.header)
        except (KeyError, ValueError) as error:
            raise JournalError(
                f"{path}: written by another version of this program: {error}"
            ) from None
        self.settled = self.differs = False

    def follow(self):
        """As Snapshot.follow; the core has made the tick when its sequence is given."""
        for frame in self.reader.frames():
            next_one = frame.sequence - 1 == self.sequence
            if not next_one and frame.kind != KEYFRAME:
                continue
            frame.apply(self.inp, self.out)
            self.sequence = frame.sequence
            if next_one:
                self._tick(frame)
            else:
                self._begin(frame)
            yield frame.sequence

    def _begin(self, frame):
        """Take over the state of a keyframe; what a tick leaves beside its state is there after the
        next one.
        """
        try:
            self.core.load_state(frame.state)
        except ValueError as error:
            raise JournalError(
                f"{self.reader.path}: written by another version of this program: {error}"
            ) from None
        self.settled = self.differs = False

    def _tick(self, frame):
        core = self.core
        core.inp[:], core.fresh[:] = self.inp, frame.fresh
        core.tick(frame.elapsed_ticks)
        self.settled = True
        self.differs = core.out != self.out


def read(path, kind=Snapshot):
    """Snapshot (or Shadow) of the newest frame of a journal. Raises JournalError."""
    found = kind(path)
    found.reader.skip()
    if not found.update():
        raise JournalError(f"{path}: holds no keyframe yet")
    return found
