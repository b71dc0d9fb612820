"""Runs the inputs of a journal through a core again, and compares outputs and states.

The header has the images and the topology. A keyframe has the state to start with, and each frame
has the inputs of its tick. After lost frames the replay starts again at the next keyframe.
"""

from array import array
from collections.abc import Callable
from typing import Any

from controller.core import functions
from controller.core.core import Core
from controller.journal.frame import KEYFRAME, Counts, Frame, FrameEncoder
from controller.journal.ring import JournalError, JournalReader
from controller.system.paths import AnyPath
from safety import signals as s

EQUAL, DIFFERENT, UNREADABLE = 0, 1, 2  # exit codes


# Errors of a core that uses words that no controller writes, as an index, a sum or a divisor.
_IMPOSSIBLE = (ArithmeticError, LookupError, TypeError)


CoreFactory = Callable[[dict[str, Any]], Core]


class Replay:
    """Replays one journal with one core. It counts frames and keeps the first difference."""

    def __init__(self, reader: JournalReader, core_factory: CoreFactory):
        """core_factory: makes a core from the header.

        Raises ValueError if another version wrote the journal.
        """
        self.path, self.core = reader.path, core_factory(reader.header)
        if counts_of(self.core) != reader.counts:
            raise ValueError("its frames do not have the words of this version's core")
        self._encoder = FrameEncoder(reader.counts)
        self._recorded_out = array("i", bytes(4 * reader.counts[2]))
        self._output_names = reader.header.get("output_names", ())
        self._expected: int | None = None
        self.frames = self.keyframes = self.skipped = self.lost = self.missing_bytes = 0
        self.first: int | None = None  # numbers of the first and of the last replayed frame
        self.last: int | None = None
        # (sequence, field, recorded, replayed)
        self.difference: tuple[int, str, int | str, int | str] | None = None

    @property
    def exit_code(self) -> int:
        """EQUAL only if frames were replayed without a difference and no frame was lost."""
        if self.difference or self.lost or self.missing_bytes:
            return DIFFERENT
        return EQUAL if self.frames else UNREADABLE

    def lines(self) -> list[str]:
        """The result as lines for the operator."""
        notes = (
            (
                self.missing_bytes,
                f"{self.path}: truncated, its last {self.missing_bytes} bytes are missing",
            ),
            (self.lost, f"{self.path}: frames damaged or lost in between: {self.lost}"),
            (self.skipped, f"frames before a keyframe, left out: {self.skipped}"),
        )
        lines = [text for count, text in notes if count]
        if not self.frames:
            return [*lines, f"{self.path}: nothing to replay, no frame follows a keyframe"]
        lines.append(
            f"{self.frames} frames replayed, {self.first} to {self.last}, "
            f"{self.keyframes} keyframes compared"
        )
        if not self.difference:
            return [*lines, "the same bytes"]
        sequence, field, recorded, replayed = self.difference
        return [
            *lines,
            f"different at frame {sequence}: {field} was {recorded}, replay gives {replayed}",
        ]

    def feed(self, frame: Frame) -> bool:
        """Replay one frame. True if there is no difference."""
        core, follows = self.core, frame.sequence == self._expected
        if not follows and frame.kind != KEYFRAME:
            self.skipped += 1
            return True
        self._expected = frame.sequence + 1
        frame.apply(core.inp, self._recorded_out)
        core.fresh[:] = frame.fresh
        if follows:
            self._tick(frame)
        else:
            core.out[:] = self._recorded_out
            core.load_state(frame.state or array("i"))
        state = core.state_words() if frame.kind == KEYFRAME else None
        frame_bytes = self._encoder.encode(
            frame.sequence, frame.elapsed_ticks, core.inp, frame.fresh, core.out, state
        )
        if frame_bytes != frame.raw:
            self.difference = (frame.sequence, *self._first_difference(frame))
        return frame_bytes == frame.raw

    def _tick(self, frame: Frame) -> None:
        run(self.core, frame, self.path)
        self.first = frame.sequence if self.first is None else self.first
        self.last = frame.sequence
        self.frames += 1
        self.keyframes += frame.kind == KEYFRAME

    def _first_difference(self, frame: Frame) -> tuple[str, int | str, int | str]:
        """(field, recorded, replayed) of the first output, or else state word, that differs."""
        names = self._output_names
        differences: list[tuple[str, int, int]] = [
            (names[index] if index < len(names) else f"output {index}", *pair)
            for index, pair in enumerate(zip(self._recorded_out, self.core.out))
        ]
        states = enumerate(zip(frame.state or (), self.core.state_words()))
        differences += [(f"state word {index}", *pair) for index, pair in states]
        differences = [pair for pair in differences if pair[1] != pair[2]]
        unexplained = (
            "an input",
            "as recorded",
            "another value: the core has written its own inputs",
        )
        return differences[0] if differences else unexplained


def run(core: Core, frame: Frame, path: AnyPath) -> None:
    """Run the tick of one frame. Raises JournalError for words that no controller writes."""
    try:
        core.tick(frame.elapsed_ticks)
    except _IMPOSSIBLE as error:
        reason = "holds values that no controller writes; was the file changed?"
        raise JournalError(f"{path}: frame {frame.sequence} {reason}") from error


def signal_names(layout: s.Layout) -> tuple[list[str], list[str]]:
    """(names of the inputs, names of the outputs) for the header."""
    modules = [(f"module_{module}_temperature_ddegC",) for module in range(layout.modules)]
    units = [(f"unit_{unit}.", s.UNIT_INPUTS, s.UNIT_OUTPUTS) for unit in range(layout.units)]
    racks = [
        (f"rack_{rack}.", [*s.RACK_INPUTS, *modules], s.RACK_OUTPUTS)
        for rack in range(layout.racks)
    ]
    scopes = [("", s.CABINET_INPUTS, s.CABINET_OUTPUTS), *units, *racks]
    return (
        [f"{prefix}{row[0]}" for prefix, inputs, _ in scopes for row in inputs],
        [f"{prefix}{row[0]}" for prefix, _, outputs in scopes for row in outputs],
    )


def replay(path: AnyPath, core_factory: CoreFactory) -> Replay:
    """Replay a journal file up to the first difference. Raises JournalError (one line)."""
    reader = JournalReader(path)
    replayed = Replay(reader, core_factory)
    for frame in reader.frames():
        if not replayed.feed(frame):
            break
    replayed.lost, replayed.missing_bytes = reader.lost, reader.missing_bytes
    return replayed


def counts_of(core: Core) -> Counts:
    """How many words of each kind a core's frames have."""
    return Counts(*map(len, (core.inp, core.fresh, core.out, core.state_words())))


def core_of(header: dict[str, Any]) -> Core:
    """The core for a journal header. ValueError: another version wrote the header."""
    core = Core(
        header["safety_image"],
        header["control_image"],
        header.get("source_image", array("i")),
        header.get("site_image", array("i")),
    )
    lengths = [len(header[key]) for key in ("input_names", "output_names")]
    published = functions.output_names(len(header["source_names"]))
    of_functions = core.actuators_at - core.chain_at - len(core.chain.out)
    if lengths + [len(published)] != [len(core.inp), core.standing_at, of_functions]:
        raise ValueError("its ticks have other inputs, outputs or sources")
    return core
