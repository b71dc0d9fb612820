"""Rebuilds, in another process, the newest state of a running controller from its journal."""

from array import array
from collections.abc import Callable, Iterator, Sequence

from controller.core.base import hint_codes
from controller.core.core import STANDING_BITS
from controller.core.image import IS_ENDING, PEER, PEER_EMPTY
from controller.journal import replay
from controller.journal.frame import KEYFRAME, Frame
from controller.journal.ring import JournalError, JournalReader
from controller.system.paths import AnyPath
from safety import parameters as p, signals as s

LIVE_S, POLL_S = 0.5, 0.01  # wait for a tick; a running controller makes one every 20 ms


def ticks(reader: JournalReader, pause: Callable[[], object]) -> bool:
    """True once a journal has a new tick; False if none came in LIVE_S. pause: waits POLL_S."""
    before = reader.newest()
    for _ in range(round(LIVE_S / POLL_S)):
        if reader.newest() != before:
            return True
        pause()
    return False


def names_of(names: list[str], bit_words: Sequence[int]) -> list[str]:
    """The stage instances whose bits are set in `bit_words`, in the order of the kernel."""
    return [
        name
        for index, name in enumerate(names)
        if bit_words[index // STANDING_BITS] >> index % STANDING_BITS & 1
    ]


def places(names: list[str]) -> Callable[[str], int | None]:
    """A function from a name to its index; None: an older version does not have the name."""
    return {name: index for index, name in enumerate(names)}.get


def quantities(
    output_names: list[str], source_names: Sequence[str]
) -> list[tuple[tuple[str, str], int, int]]:
    """[((source, quantity), index of its value, index of its state)] in these outputs."""
    index_of = places(output_names)
    indexes = []
    for index, name in enumerate(source_names):
        for quantity in hint_codes.QUANTITIES.values():
            value_at, state_at = [
                index_of(f"source_{index}.{quantity}_{part}") for part in ("value_W", "state")
            ]
            if value_at is not None and state_at is not None:
                indexes.append(((name, quantity), value_at, state_at))
    return indexes


class Snapshot:
    """The newest state in a journal. `inp`, `out`: inputs and outputs in the newest frame.

    `skipped`: number of frames after a lost frame that could not be applied, because no keyframe
    had come.
    """

    def __init__(self, path: AnyPath):
        """Raises JournalError if the file is not a journal."""
        self.reader = JournalReader(path)
        header = self.reader.header
        try:
            self.layout = s.Layout(*header["safety_image"][p.H_UNITS : p.H_MODULES + 1])
            self.stage_names = header["stage_instances"]
            self.output_names = header["output_names"]
            index_of = places(header["input_names"])
        except (KeyError, TypeError) as error:
            raise other_version(path, error) from None
        self._peer_at, self._ending_at = index_of(PEER[0]), index_of(IS_ENDING)
        self._forget()
        self.chain_at = self.layout.outputs
        self.standing_at = len(self.output_names)

    def _forget(self) -> None:
        """Begin with no known input or output."""
        counts = self.reader.counts
        self.inp, self.out = (array("i", bytes(4 * count)) for count in (counts.n_in, counts.n_out))
        self.sequence: int | None = None
        self.skipped = 0

    def follow(self) -> Iterator[Frame]:
        """Apply the frames written since the last call, and yield each of them once applied."""
        for frame in self.reader.frames():
            follows = frame.sequence - 1 == self.sequence
            if not follows and frame.kind != KEYFRAME:
                self.skipped += 1
                continue
            frame.apply(self.inp, self.out)
            self.sequence = frame.sequence
            self._applied(frame, follows)
            yield frame

    def _applied(self, frame: Frame, follows: bool) -> None:
        """Only Shadow does something here. follows: the frame before was applied too."""

    def update(self) -> bool:
        """Read the new frames. True once inputs, outputs and state are known."""
        for _ in self.follow():
            pass
        return self.sequence is not None

    @property
    def first_out(self) -> int:
        """Instance index of the first-out, -1 if no instance is active or latched."""
        return self.out[s.FIRST_OUT_INSTANCE]

    @property
    def cause_mask(self) -> int:
        """CRC-30 over the active and latched instances."""
        return self.out[s.CAUSE_MASK]

    @property
    def causes(self) -> tuple[int, ...]:
        """Numbers that a reset must name: first-out and cause mask, then those of channel B."""
        peer_at = self._peer_at
        peer = PEER_EMPTY if peer_at is None else tuple(self.inp[peer_at : peer_at + len(PEER)])
        return (self.first_out, self.cause_mask, *peer)

    @property
    def ended_in_order(self) -> bool:
        """True if SIGTERM ended the process. An older journal has no input that says so; there an
        absent run request counts.
        """
        ending_at = self._ending_at
        is_ending = not self.inp[s.RUN_REQUEST] if ending_at is None else self.inp[ending_at]
        return bool(is_ending and not self.out[s.ARM_REQUEST])

    @property
    def standing_words(self) -> "array[int]":
        """The active and latched stage instances, as bits in words of STANDING_BITS."""
        return self.out[self.standing_at :]

    @property
    def standing(self) -> list[str]:
        """Names of the stage instances that are active or latched, in the kernel's order."""
        return names_of(self.stage_names, self.standing_words)

    def chain(self, index: int) -> int:
        """Word `index` in the trace of the set-point chain (setpoint.CHAIN_OUTPUTS)."""
        return self.out[self.chain_at + index]

    def close(self) -> None:
        """Unmap the journal."""
        self.reader.close()


class Shadow(Snapshot):
    """A snapshot that also runs each frame through a core, to know how an output was made.

    If `settled`, `core` has the state of the controller's core. `differs`: they made different
    outputs from the same inputs, so the numbers of this core must not be shown.
    """

    def __init__(self, path: AnyPath):
        """Raises JournalError if the file is not a journal, or another version wrote it."""
        super().__init__(path)
        try:
            self.core = replay.core_of(self.reader.header)
        except (KeyError, ValueError) as error:
            raise other_version(path, error) from None
        self.settled = self.differs = False

    def _applied(self, frame: Frame, follows: bool) -> None:
        """Run the tick of the frame. After a gap, load the state of the keyframe instead. The core
        is then settled after the next tick.
        """
        core = self.core
        if follows:
            core.inp[:], core.fresh[:] = self.inp, frame.fresh
            replay.run(core, frame, self.reader.path)
        else:
            try:
                core.load_state(frame.state or array("i"))
            except ValueError as error:
                raise other_version(self.reader.path, error) from None
        self.settled = follows
        self.differs = follows and core.out != self.out


def other_version(path: AnyPath, error: Exception) -> JournalError:
    """The error for a journal that another version wrote."""
    return JournalError(f"{path}: written by another version of this program: {error}")


def read(path: AnyPath) -> Snapshot:
    """Snapshot of the newest frame of a journal. Raises JournalError."""
    snapshot = Snapshot(path)
    snapshot.reader.skip()
    if not snapshot.update():
        raise JournalError(f"{path}: has no keyframe yet")
    return snapshot
