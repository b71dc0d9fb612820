"""Replay: the same core gives the same bytes, the first difference and every loss are named."""

import random
from array import array

import pytest

from controller.journal import replay as r, ring as j
from controller.journal.frame import Counts
from controller.journal.writer import JournalWriter
from safety import signals

COUNTS = N_IN, N_GROUPS, N_OUT, N_STATE = Counts(6, 9, 4, 5)
HEADER = {
    "gain": 3,
    "input_names": [f"input_{index}" for index in range(N_IN)],
    "output_names": [f"output_{index}" for index in range(N_OUT - 1)],
}


class Core:
    def __init__(self, header):
        self.gain, self.fresh, self.ticks = header["gain"], bytearray(N_GROUPS), 0
        self.inp, self.out, self.state = (array("i", [0] * size) for size in (N_IN, N_OUT, N_STATE))

    def tick(self, elapsed_ticks):
        state, inp = self.state, self.inp
        state[0] = (state[0] + inp[0] * self.gain) & 0xFFFFFF
        state[1] = 0 if self.fresh[8] else state[1] + elapsed_ticks
        self.out[0] = state[0]
        self.out[1] = state[1] + inp[5]
        self.out[3] = sum(self.fresh)
        self.ticks += 1

    def state_words(self):
        return array("i", self.state)

    def load_state(self, words):
        self.state[:] = words


class WrongOutput(Core):
    field = 1

    def tick(self, elapsed_ticks):
        super().tick(elapsed_ticks)
        self.out[self.field] += self.ticks >= 25


class UnnamedOutput(WrongOutput):
    field = 3


class HiddenState(Core):
    """Differs only in its state, which only a keyframe shows."""

    def tick(self, elapsed_ticks):
        super().tick(elapsed_ticks)
        self.state[4] += 1


class WritesInputs(Core):
    def tick(self, elapsed_ticks):
        super().tick(elapsed_ticks)
        self.inp[2] += 1


def record(path, count=60, keyframe_every=20, capacity_bytes=20_000, first_keyframe=0):
    core, chance = Core(HEADER), random.Random(7)
    writer = JournalWriter(path, HEADER, COUNTS, capacity_bytes)
    for sequence in range(count):
        core.inp[chance.randrange(N_IN)] = chance.randrange(-1000, 1000)
        core.fresh[:] = bytes(chance.randrange(2) for _ in range(N_GROUPS))
        elapsed_ticks = 1 + (sequence % 11 == 0)
        core.tick(elapsed_ticks)
        state = core.state_words() if sequence % keyframe_every == first_keyframe else None
        writer.append(sequence, elapsed_ticks, core.inp, core.fresh, core.out, state)
    writer.close()
    return path


def lines_of(path, core_factory=Core):
    found = r.replay(path, core_factory)
    return found.exit_code, found.lines()


@pytest.fixture
def journal(tmp_path):
    return record(tmp_path / "journal")


def test_the_same_core_gives_the_same_bytes(journal):
    lines = ["59 frames replayed, 1 to 59, 2 keyframes compared", "the same bytes"]
    assert lines_of(journal) == (r.EQUAL, lines)


def test_frames_before_the_first_keyframe_are_left_out_also_where_a_ring_went_round(tmp_path):
    code, lines = lines_of(record(tmp_path / "journal", first_keyframe=7))
    left_out = "frames before a keyframe, left out: 7"
    assert code == r.EQUAL
    assert lines[:2] == [left_out, "52 frames replayed, 8 to 59, 2 keyframes compared"]
    code, lines = lines_of(record(tmp_path / "journal", 1000, capacity_bytes=3000))
    assert code == r.EQUAL and lines[-2].endswith("to 999, 1 keyframes compared")


RULE = "the core has written its own inputs"
FIRST = (
    (WrongOutput, "25: output_1 was {}, replay gives {}"),
    (UnnamedOutput, "25: output 3 was {}, replay gives {}"),
    (HiddenState, "20: state word 4 was 0, replay gives 20"),
    (WritesInputs, f"1: an input was as recorded, replay gives another value: {RULE}"),
)


@pytest.mark.parametrize("core, line", FIRST)
def test_the_first_difference_is_named(journal, core, line):
    difference = r.replay(journal, core).difference
    code, lines = lines_of(journal, core)
    line = f"different at frame {line}".format(difference[2], difference[3])
    assert (code, lines[-1]) == (r.DIFFERENT, line)
    assert core not in (WrongOutput, UnnamedOutput) or difference[3] == difference[2] + 1


class Late(Core):
    def tick(self, elapsed_ticks):
        super().tick(1)


class Deaf(Core):
    def tick(self, elapsed_ticks):
        self.fresh[8] = 0
        super().tick(elapsed_ticks)


@pytest.mark.parametrize("core", [Late, Deaf, lambda header: Core({"gain": 4})])
def test_elapsed_ticks_freshness_and_header_reach_the_core(journal, core):
    assert r.replay(journal, core).exit_code == r.DIFFERENT


def test_a_damaged_frame_is_reported_and_the_replay_goes_on_at_the_next_keyframe(journal):
    content = bytearray(journal.read_bytes())
    frame = list(j.JournalReader(journal).frames())[30].raw
    content[content.index(frame) + 20] ^= 1
    journal.write_bytes(content)
    lines = [
        f"{journal}: frames damaged or lost in between: 1",
        "frames before a keyframe, left out: 9",
        "48 frames replayed, 1 to 59, 1 keyframes compared",
        "the same bytes",
    ]
    assert lines_of(journal) == (r.DIFFERENT, lines)


def test_a_truncated_file_is_said(journal):
    content = journal.read_bytes()
    frame = list(j.JournalReader(journal).frames())[30].raw
    journal.write_bytes(content[: content.index(frame)])
    code, lines = lines_of(journal)
    assert code == r.DIFFERENT and lines[0].startswith(f"{journal}: truncated, its last ")
    assert lines[-2:] == ["29 frames replayed, 1 to 29, 1 keyframes compared", "the same bytes"]


@pytest.mark.parametrize("count, first_keyframe", [(0, 0), (1, 0), (5, 7)])
def test_nothing_to_replay_is_not_a_success(tmp_path, count, first_keyframe):
    path = record(tmp_path / "journal", count, first_keyframe=first_keyframe)
    code, lines = lines_of(path)
    assert code == r.UNREADABLE
    assert lines[-1] == f"{path}: nothing to replay, no frame follows a keyframe"


def test_every_signal_has_a_name_of_its_own():
    layout = signals.Layout(2, 3, 4)
    inputs, outputs = r.signal_names(layout)
    assert (len(set(inputs)), len(set(outputs))) == (layout.inputs, layout.outputs)
    assert (len(inputs), len(outputs)) == (layout.inputs, layout.outputs)
    module_at = layout.rack_input(2, signals.MODULE_TEMPERATURE_DDEGC + 3)
    assert inputs[layout.rack_input(1, signals.RACK_CURRENT_MA)] == "rack_1.rack_current_mA"
    assert inputs[module_at] == "rack_2.module_3_temperature_ddegC"
    assert outputs[layout.unit_output(1, signals.PCS_RUN_OK)] == "unit_1.pcs_run_ok"
    assert outputs[layout.rack_output(2, signals.CONTACTOR_STEP)] == "rack_2.contactor_step"
