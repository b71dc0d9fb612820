"""The newest state a running controller has written, rebuilt from its journal elsewhere."""

from array import array

from controller.core.core import STANDING_BITS
from controller.core.image import IS_ENDING, PEER, PEER_EMPTY
from controller.journal import replay
from controller.journal.frame import KEYFRAME
from controller.journal.ring import JournalError, JournalReader
from safety import parameters as p, signals as s


def names_of(names: list, words) -> list:
    """The stage instances, in the kernel's order, whose bits are set in words of STANDING_BITS."""
    return [
        name
        for index, name in enumerate(names)
        if words[index // STANDING_BITS] >> index % STANDING_BITS & 1
    ]


def places(names: list):
    """A function: the index of a name, None of one that an older version does not have."""
    return {name: index for index, name in enumerate(names)}.get


class Snapshot:
    """Follows a journal: `inp`, `out` are those of the newest frame after each `update`; `skipped`
    counts frames that build on one that is gone.
    """

    def __init__(self, path: str):
        """Raises JournalError when the file is no journal."""
        self.reader = JournalReader(path)
        header = self.reader.header
        try:
            self.layout = s.Layout(*header["safety_image"][p.H_UNITS : p.H_MODULES + 1])
            self.stage_names = header["stage_instances"]
            self.output_names = header["output_names"]
            at = places(header["input_names"])
        except (KeyError, TypeError) as error:
            raise other_version(path, error) from None
        self._peer_at, self._ending_at = at(PEER[0]), at(IS_ENDING)
        self.inp = array("i", [0] * self.reader.counts[0])
        self.out = array("i", [0] * self.reader.counts[2])
        self.sequence, self.skipped = None, 0
        self.chain_at = self.layout.outputs
        self.standing_at = len(self.output_names)

    def follow(self):
        """Apply the frames written since the last call; yields each once it is applied."""
        for frame in self.reader.frames():
            follows = frame.sequence - 1 == self.sequence
            if not follows and frame.kind != KEYFRAME:
                self.skipped += 1
                continue
            frame.apply(self.inp, self.out)
            self.sequence = frame.sequence
            self._applied(frame, follows)
            yield frame

    def _applied(self, frame, follows):
        """For a Shadow; follows: the frame before was applied too."""

    def update(self) -> bool:
        """Take in what is new. True once inputs, outputs and state are known."""
        for _ in self.follow():
            pass
        return self.sequence is not None

    @property
    def first_out(self) -> int:
        """Instance index of the first-out, -1 when nothing is active or latched."""
        return self.out[s.FIRST_OUT_INSTANCE]

    @property
    def cause_mask(self) -> int:
        """CRC-30 over what is active or latched."""
        return self.out[s.CAUSE_MASK]

    @property
    def causes(self) -> tuple:
        """What a reset names: first-out and cause mask here, then those of channel B."""
        at = self._peer_at
        peer = PEER_EMPTY if at is None else tuple(self.inp[at : at + len(PEER)])
        return (self.first_out, self.cause_mask, *peer)

    @property
    def ended_in_order(self) -> bool:
        """SIGTERM ended the process and it permits nothing; of an older version: it was not to
        run.
        """
        at = self._ending_at
        told = not self.inp[s.RUN_REQUEST] if at is None else self.inp[at]
        return bool(told and not self.out[s.ARM_REQUEST])

    @property
    def standing_words(self):
        """Which stage instances are active or latched, as words of STANDING_BITS."""
        return self.out[self.standing_at :]

    @property
    def standing(self) -> list:
        """Names of the stage instances that are active or latched, in the kernel's order."""
        return names_of(self.stage_names, self.standing_words)

    def chain(self, index: int) -> int:
        """Word `index` of the set-point chain's trace (setpoint.CHAIN_OUTPUTS)."""
        return self.out[self.chain_at + index]

    def close(self) -> None:
        """Unmap the journal."""
        self.reader.close()


class Shadow(Snapshot):
    """A snapshot whose frames run through a core of its own, so that every number behind an output
    can be named.

    From `settled` on, `core` is as the controller's after its newest tick. `differs`: the same
    program came to other outputs from the same inputs, so its numbers must not be shown.
    """

    def __init__(self, path: str):
        """Raises JournalError when the file is no journal, or another version's."""
        super().__init__(path)
        try:
            self.core = replay.core_of(self.reader.header)
        except (KeyError, ValueError) as error:
            raise other_version(path, error) from None
        self.settled = self.differs = False

    def _applied(self, frame, follows):
        """Make the tick of a frame that follows; else begin at the state of a keyframe, which is
        settled after the next one.
        """
        core = self.core
        if follows:
            core.inp[:], core.fresh[:] = self.inp, frame.fresh
            core.tick(frame.elapsed_ticks)
        else:
            try:
                core.load_state(frame.state)
            except ValueError as error:
                raise other_version(self.reader.path, error) from None
        self.settled = follows
        self.differs = follows and core.out != self.out


def other_version(path, error):
    """The JournalError of a journal that this program cannot read."""
    return JournalError(f"{path}: written by another version of this program: {error}")


def read(path: str, kind=Snapshot):
    """Snapshot (or Shadow) of the newest frame of a journal. Raises JournalError."""
    found = kind(path)
    found.reader.skip()
    if not found.update():
        raise JournalError(f"{path}: holds no keyframe yet")
    return found
