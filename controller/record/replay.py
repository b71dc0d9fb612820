"""Replay: run a journal's inputs through a core once more and demand the same bytes.

The journal alone is enough: its header carries the images and the topology, a keyframe the state to
begin with, each frame the inputs of its tick. Begins at the first keyframe still in the ring and
begins again at the next one after frames were lost.
"""

from array import array

from controller.core.core import Core
from controller.record.frame import KEYFRAME, FrameEncoder
from controller.record.journal import JournalError, JournalReader
from safety import signals as s

EQUAL, DIFFERENT, UNREADABLE = 0, 1, 2  # exit codes


class Report:
    """What a replay found: counts of frames, the first difference if any, and what the file
    lacks.
    """

    def __init__(self, path):
        self.path = path
        self.frames = self.keyframes = self.skipped = self.lost = self.missing_bytes = 0
        self.first = self.last = None  # sequences
        self.difference = None  # (sequence, field, recorded, replayed)

    @property
    def exit_code(self):
        """EQUAL only when something was replayed, nothing differed and nothing in between was
        lost.
        """
        if self.difference or self.lost or self.missing_bytes:
            return DIFFERENT
        return EQUAL if self.frames else UNREADABLE

    def lines(self):
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


class Replayer:
    """One core fed from one journal; `report` grows with each frame."""

    def __init__(self, reader, core_factory):
        """core_factory(header) gives an object with arrays inp, fresh, out and tick, state_words,
        load_state.

        ValueError when the journal holds other words than that core: it is of another version.
        """
        self.core = core = core_factory(reader.header)
        words = (core.inp, core.fresh, core.out, core.state_words())
        if tuple(map(len, words)) != reader.counts:
            raise ValueError("its frames do not have the words of this version's core")
        self.encoder = FrameEncoder(*reader.counts)
        self.recorded_out = array("i", bytes(4 * reader.counts[2]))
        self.output_names = reader.header.get("output_names", ())
        self.report = Report(reader.path)
        self._expected = None

    def feed(self, frame):
        """Replay one frame. True while nothing differs."""
        if frame.sequence == self._expected:
            again = self._run(frame)
        elif frame.kind == KEYFRAME:
            again = self._begin(frame)
        else:
            self.report.skipped += 1
            return True
        self._expected = frame.sequence + 1
        if again != frame.raw:
            self.report.difference = (frame.sequence, *self._first_difference(frame))
        return again == frame.raw

    def _begin(self, frame):
        core = self.core
        frame.apply(core.inp, core.out)
        core.fresh[:] = frame.fresh
        core.load_state(frame.state)
        self.recorded_out[:] = core.out
        return self._encode(frame)

    def _run(self, frame):
        core, report = self.core, self.report
        frame.apply(core.inp, self.recorded_out)
        core.fresh[:] = frame.fresh
        core.tick(frame.elapsed_ticks)
        report.first = frame.sequence if report.first is None else report.first
        report.last = frame.sequence
        report.frames += 1
        report.keyframes += frame.kind == KEYFRAME
        return self._encode(frame)

    def _encode(self, frame):
        core = self.core
        state = core.state_words() if frame.kind == KEYFRAME else None
        return self.encoder.encode(
            frame.sequence, frame.elapsed_ticks, core.inp, frame.fresh, core.out, state
        )

    def _first_difference(self, frame):
        """(field, recorded, replayed) of the first output, else state word, that is not as it was
        recorded.
        """
        names = self.output_names
        pairs = [
            (names[index] if index < len(names) else f"output {index}", *pair)
            for index, pair in enumerate(zip(self.recorded_out, self.core.out))
        ]
        states = enumerate(zip(frame.state or (), self.core.state_words()))
        pairs += [(f"state word {index}", *pair) for index, pair in states]
        pairs = [each for each in pairs if each[1] != each[2]]
        nothing = ("an input", "as recorded", "another value: the core has written its own inputs")
        return pairs[0] if pairs else nothing


def signal_names(layout):
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
    """Replay a journal file up to the first difference. Returns a Report; raises JournalError (one
    line).
    """
    reader = JournalReader(path)
    replayer = Replayer(reader, core_factory)
    for frame in reader.frames():
        if not replayer.feed(frame):
            break
    replayer.report.lost = reader.lost
    replayer.report.missing_bytes = reader.missing_bytes
    return replayer.report


def core_of(header):
    """Core of a journal header: the factory replay asks for. Raises ValueError when the header is
    another version's.
    """
    core = Core(
        header["safety_image"], header["control_image"], header.get("source_image", array("i"))
    )
    if (
        len(header["input_names"]) != len(core.inp)
        or len(header["output_names"]) != core.standing_at
    ):
        raise ValueError("its ticks have other inputs or outputs")
    return core


def run(path, core_factory, write=print):
    """The command `firebreak replay FILE`: writes the findings; exit code 0 equal, 1 not equal, 2
    unreadable.
    """
    try:
        report = replay(path, core_factory)
    except JournalError as error:
        write(str(error))
        return UNREADABLE
    for line in report.lines():
        write(line)
    return report.exit_code
