"""The newest state a running controller has written, rebuilt from its journal by somebody else's process."""

from array import array

from controller.core import STANDING_BITS
from controller.journal import KEYFRAME, JournalError, JournalReader
from safety import signals as s
from safety import parameters as p


class Snapshot:
    """Follows a journal: `inp`, `out` are those of the newest frame after each `update`."""

    def __init__(self, path):
        """Raises JournalError when the file is no journal."""
        self.reader = JournalReader(path)
        header = self.reader.header
        self.layout = s.Layout(*header["safety_image"][p.H_UNITS:p.H_MODULES + 1])
        self.stage_names = header["stage_instances"]
        self.output_names = header["output_names"]
        self.inp = array("i", [0] * self.reader.counts[0])
        self.out = array("i", [0] * self.reader.counts[2])
        self.sequence = None
        self.chain_at = self.layout.outputs
        self.standing_at = len(self.output_names)

    def follow(self):
        """Take in the frames written since the last call; yields the sequence of each once it is applied."""
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
    def standing_words(self):
        """Which stage instances stand, as words of STANDING_BITS."""
        return self.out[self.standing_at:]

    @property
    def standing(self):
        """Names of the stage instances that stand, in the kernel's order."""
        words = self.standing_words
        return [name for index, name in enumerate(self.stage_names)
                if words[index // STANDING_BITS] >> index % STANDING_BITS & 1]

    def chain(self, index):
        """Word `index` of the set-point chain's trace (setpoint.CHAIN_OUTPUTS)."""
        return self.out[self.chain_at + index]

    def close(self):
        """Unmap the journal."""
        self.reader.close()


def read(path):
    """Snapshot of the newest frame of a journal. Raises JournalError."""
    found = Snapshot(path)
    if not found.update():
        raise JournalError(f"{path}: holds no keyframe yet")
    return found
