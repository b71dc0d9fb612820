"""Replay: run a journal's inputs through a core once more and demand the same bytes.

The journal alone is enough: its header carries the images and the topology, a keyframe the state to
begin with, each frame the inputs of its tick. Begins at the first keyframe still in the ring and
begins again at the next one after frames were lost.
"""

from array import array

from controller.core import functions
from controller.core.core import Core
from controller.journal.frame import KEYFRAME, FrameEncoder
from controller.journal.ring import JournalReader
from safety import signals as s

EQUAL, DIFFERENT, UNREADABLE = 0, 1, 2  # exit codes


class Replay:
    """One core fed from one journal, and what was found: counts of frames, the first difference if
    any, and what the file lacks.
    """

    def __init__(self, reader, core_factory):
        """core_factory(header) gives an object with arrays inp, fresh, out and tick, state_words,
        load_state.

        ValueError when the journal holds other words than that core: it is of another version.
        """
        self.path, self.core = reader.path, core_factory(reader.header)
        words = (self.core.inp, self.core.fresh, self.core.out, self.core.state_words())
        if tuple(map(len, words)) != reader.counts:
            raise ValueError("its frames do not have the words of this version's core")
        self._encoder = FrameEncoder(*reader.counts)
        self._recorded_out = array("i", bytes(4 * reader.counts[2]))
        self._output_names = reader.header.get("output_names", ())
        self._expected = None
        self.frames = self.keyframes = self.skipped = self.lost = self.missing_bytes = 0
        self.first = self.last = None  # sequences
        self.difference = None  # (sequence, field, recorded, replayed)

    @property
    def exit_code(self) -> int:
        """EQUAL only when something was replayed, nothing differed and nothing in between was
        lost.
        """
        if self.difference or self.lost or self.missing_bytes:
            return DIFFERENT
        return EQUAL if self.frames else UNREADABLE

    def lines(self) -> list:
        """The findings as lines for the operator."""
        lacks = (
            (
                self.missing_bytes,
                f"{self.path}: truncated, its last {self.missing_bytes} bytes are missing",
            ),
            (self.lost, f"{self.path}: frames damaged or lost in between: {self.lost}"),
            (self.skipped, f"frames before a keyframe, left out: {self.skipped}"),
        )
        lines = [text for count, text in lacks if count]
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

    def feed(self, frame) -> bool:
        """Replay one frame. True while nothing differs."""
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
            core.load_state(frame.state)
        state = core.state_words() if frame.kind == KEYFRAME else None
        again = self._encoder.encode(
            frame.sequence, frame.elapsed_ticks, core.inp, frame.fresh, core.out, state
        )
        if again != frame.raw:
            self.difference = (frame.sequence, *self._first_difference(frame))
        return again == frame.raw

    def _tick(self, frame):
        self.core.tick(frame.elapsed_ticks)
        self.first = frame.sequence if self.first is None else self.first
        self.last = frame.sequence
        self.frames += 1
        self.keyframes += frame.kind == KEYFRAME

    def _first_difference(self, frame):
        """(field, recorded, replayed) of the first output, else state word, that is not as it was
        recorded.
        """
        names = self._output_names
        pairs = [
            (names[index] if index < len(names) else f"output {index}", *pair)
            for index, pair in enumerate(zip(self._recorded_out, self.core.out))
        ]
        states = enumerate(zip(frame.state or (), self.core.state_words()))
        pairs += [(f"state word {index}", *pair) for index, pair in states]
        pairs = [each for each in pairs if each[1] != each[2]]
        nothing = ("an input", "as recorded", "another value: the core has written its own inputs")
        return pairs[0] if pairs else nothing


def signal_names(layout) -> tuple:
    """(input names, output names) of a safety.signals.Layout, for the header keys `input_names`,
    `output_names`.
    """
    modules = [(f"module_{module}_temperature_ddegC",) for module in range(layout.modules)]
    units = [(f"unit_{unit}.", s.UNIT_INPUTS, s.UNIT_OUTPUTS) for unit in range(layout.units)]
    racks = [
        (f"rack_{rack}.", [*s.RACK_INPUTS, *modules], s.RACK_OUTPUTS)
        for rack in range(layout.racks)
    ]
    scopes = [("", s.CABINET_INPUTS, s.CABINET_OUTPUTS), *units, *racks]
    return (
        [prefix + row[0] for prefix, inputs, _ in scopes for row in inputs],
        [prefix + row[0] for prefix, _, outputs in scopes for row in outputs],
    )


def replay(path, core_factory):
    """Replay a journal file up to the first difference. Returns a Replay; raises JournalError (one
    line).
    """
    reader = JournalReader(path)
    found = Replay(reader, core_factory)
    for frame in reader.frames():
        if not found.feed(frame):
            break
    found.lost, found.missing_bytes = reader.lost, reader.missing_bytes
    return found


def core_of(header: dict):
    """Core of a journal header: the factory for `replay`. Raises ValueError when the header is of
    another version.
    """
    core = Core(
        header["safety_image"], header["control_image"], header.get("source_image", array("i"))
    )
    known = [len(header[key]) for key in ("input_names", "output_names")]
    published = functions.output_names(len(header["source_names"]))
    of_functions = core.setpoint_at - core.chain_at - len(core.chain.out)
    if known + [len(published)] != [len(core.inp), core.standing_at, of_functions]:
        raise ValueError("its ticks have other inputs, outputs or sources")
    return core
