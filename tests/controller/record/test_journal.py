"""The journal: what was appended is read back, the same bytes come out, and every loss is found and
counted.
"""

import os
import random
from array import array

import pytest

from controller.record import journal as j
from controller.record.frame import FRAME, FRAME_MAGIC, KEYFRAME, FrameEncoder
from controller.record.journal_writer import JournalWriter

N_IN, N_GROUPS, N_OUT, N_STATE = 20, 11, 7, 30
HEADER = {
    "safety_image": array("i", [1, -2, 3]),
    "tick_ms": 20,
    "topology": {"racks": [1, 2]},
    "site": "one",
}


class Tick:
    """A process image that changes a little per tick, from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.inp = array("i", [0] * N_IN)
        self.fresh = bytearray(N_GROUPS)
        self.out = array("i", [0] * N_OUT)
        self.state = array("i", [0] * N_STATE)

    def move(self):
        for words in (self.inp, self.out, self.state):
            for _ in range(self.random.randrange(4)):
                words[self.random.randrange(len(words))] = self.random.randrange(-(2**31), 2**31)
        self.fresh[self.random.randrange(N_GROUPS)] ^= 1


def write(writer, count, first=0, seed=1, keyframe_every=10, on_frame=None):
    tick = Tick(seed)
    seen = []
    for sequence in range(first, first + count):
        tick.move()
        state = None if sequence % keyframe_every else tick.state
        writer.append(sequence, 1 + sequence % 3, tick.inp, tick.fresh, tick.out, state)
        seen.append(
            (
                sequence,
                1 + sequence % 3,
                list(tick.inp),
                bytes(tick.fresh),
                list(tick.out),
                None if state is None else list(state),
            )
        )
        if on_frame:
            on_frame()
    return seen


def make(path, capacity_bytes=100_000):
    return JournalWriter(path, HEADER, N_IN, N_GROUPS, N_OUT, N_STATE, capacity_bytes)


def read(reader):
    inp, out = array("i", [0] * N_IN), array("i", [0] * N_OUT)
    seen = []
    for frame in reader.frames():
        frame.apply(inp, out)
        seen.append(
            (
                frame.sequence,
                frame.elapsed_ticks,
                list(inp),
                frame.fresh,
                list(out),
                None if frame.state is None else list(frame.state),
            )
        )
    return seen


def test_what_was_appended_is_read_back(tmp_path):
    path = tmp_path / "journal"
    written = write(make(path), 95)
    reader = j.JournalReader(path)
    assert read(reader) == written
    assert reader.header == HEADER
    assert reader.counts == (N_IN, N_GROUPS, N_OUT, N_STATE)
    assert (reader.lost, reader.missing_bytes, reader.newest()) == (0, 0, 94)


def test_only_changes_are_written(tmp_path):
    path = tmp_path / "journal"
    writer = make(path)
    tick = Tick(1)
    for sequence in range(3):
        writer.append(
            sequence, 1, tick.inp, tick.fresh, tick.out, tick.state if sequence == 0 else None
        )
        tick.inp[5] = tick.inp[5] + sequence
    tick.out[6] = -7
    writer.append(3, 1, tick.inp, tick.fresh, tick.out)
    frames = list(j.JournalReader(path).frames())
    assert [frame.changes for frame in frames[1:]] == [[], [(5, 1)], [(5, 3), (N_IN + 6, -7)]]
    assert len(frames[0].changes) == N_IN + N_OUT


def test_the_same_ticks_give_the_same_bytes(tmp_path):
    contents = []
    for name in ("one", "two"):
        writer = make(tmp_path / name, 5000)
        write(writer, 300)
        writer.close()
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("keyframe_every", [3, 4, 10])
def test_the_ring_holds_the_newest_without_a_gap_after_every_append(tmp_path, keyframe_every):
    path = tmp_path / "journal"
    counts = []

    def look():
        reader = j.JournalReader(path)
        frames = list(reader.frames())
        sequences = [frame.sequence for frame in frames]
        assert sequences == list(range(sequences[0], len(counts) + 1))
        assert reader.lost == 0
        used_bytes = sum(len(frame.raw) for frame in frames)
        assert sequences[0] == 0 or used_bytes > 4000 - 3 * 300, (
            "at most the cut frame, the gap and a keyframe less"
        )
        counts.append(len(frames))

    write(make(path, 4000), 400, keyframe_every=keyframe_every, on_frame=look)
    assert len(counts) > 5 * max(counts)


def test_keyframes_bring_the_state_of_their_tick_in_every_lap(tmp_path):
    path = tmp_path / "journal"
    written = write(make(path, 4000), 300)
    keyframes = [frame for frame in j.JournalReader(path).frames() if frame.state is not None]
    assert len(keyframes) > 2
    assert [list(frame.state) for frame in keyframes] == [
        written[frame.sequence][5] for frame in keyframes
    ]


def test_a_reader_beside_the_writer_sees_each_frame_once_and_looks_through_the_ring_once(
    tmp_path, monkeypatch
):
    scans = []
    scan = j.JournalReader._scan
    monkeypatch.setattr(j.JournalReader, "_scan", lambda reader: scans.append(1) or scan(reader))
    writer = make(tmp_path / "journal", 4000)
    reader = j.JournalReader(tmp_path / "journal")
    assert read(reader) == []
    seen = []
    write(writer, 500, on_frame=lambda: seen.extend(frame.sequence for frame in reader.frames()))
    assert seen == list(range(500))
    assert (reader.lost, len(scans)) == (0, 1)


@pytest.mark.parametrize("pause", [3, 20, 200, 777])
def test_a_slow_reader_counts_what_it_lost(tmp_path, pause):
    writer = make(tmp_path / "journal", 4000)
    reader = j.JournalReader(tmp_path / "journal")
    write(writer, 5)
    seen = [frame.sequence for frame in reader.frames()]
    for first in range(5, 5 + 4 * pause, pause):
        write(writer, pause, first, seed=first)
        seen += [frame.sequence for frame in reader.frames()]
    last = 5 + 4 * pause - 1
    assert seen == sorted(set(seen)) and seen[-1] == last
    assert reader.lost == last + 1 - len(seen)
    assert (reader.lost > 0) == (pause >= 200)


def test_a_reader_overtaken_while_it_reads_gets_no_mixture(tmp_path):
    writer = make(tmp_path / "journal", 4000)
    write(writer, 60)
    reader = j.JournalReader(tmp_path / "journal")
    frames = reader.frames()
    seen = [next(frames).sequence]
    write(writer, 300, 60, seed=2)
    seen += [frame.sequence for frame in frames]
    seen += [frame.sequence for frame in reader.frames()]
    assert seen == sorted(set(seen)) and seen[-1] == 359
    assert reader.lost == 360 - seen[0] - len(seen)


def test_every_damaged_byte_costs_a_frame_or_is_named(tmp_path):
    path = tmp_path / "journal"
    writer = make(path, 4000)
    written = write(writer, 40)
    writer.close()
    content = path.read_bytes()
    used = len(content.rstrip(b"\0"))
    hints = j.NEWEST.size + j.KEYFRAMES.size
    newest_at = content.index(FRAME_MAGIC) - hints
    for at in list(range(0, used, 29)) + list(range(newest_at - 30, newest_at)):
        if newest_at <= at < newest_at + hints:
            continue  # the fields without a CRC, see below
        damaged = bytearray(content)
        damaged[at] ^= 0x41
        path.write_bytes(damaged)
        try:
            reader = j.JournalReader(path)
        except j.JournalError as error:
            assert at < newest_at and str(error).startswith(str(path))
            continue
        assert at > newest_at
        frames = list(reader.frames())
        assert len(frames) == len(written) - 1
        # A damaged first frame cannot be told from one that the ring has overwritten.
        assert reader.lost == (0 if frames[0].sequence == 1 else 1)


@pytest.mark.parametrize("newest, lost", [(38, 0), (39, 0), (45, 6)])
def test_a_wrong_newest_sequence_hides_no_frame(tmp_path, newest, lost):
    path = tmp_path / "journal"
    writer = make(path, 4000)
    write(writer, 40)
    j.NEWEST.pack_into(writer._map, writer._newest_at, newest)
    reader = j.JournalReader(path)
    assert [frame.sequence for frame in reader.frames()] == list(range(40))
    assert reader.lost == lost


@pytest.mark.parametrize(
    "kept_bytes, words",
    [
        (0, "the file is empty"),
        (5, "not a journal"),
        (20, "truncated, 20 bytes of a journal are left"),
        (60, "the header of this journal is damaged"),
    ],
)
def test_a_stub_of_a_file_is_named(tmp_path, kept_bytes, words):
    path = tmp_path / "journal"
    make(path).close()
    os.truncate(path, kept_bytes)
    with pytest.raises(j.JournalError, match=words):
        j.JournalReader(path)


def test_a_truncated_ring_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "journal"
    writer = make(path, 20_000)
    write(writer, 40)
    third = list(j.JournalReader(path).frames())[2].raw
    writer.close()
    end = path.read_bytes().index(third) + len(third)
    missing_bytes = path.stat().st_size - end
    os.truncate(path, end)
    reader = j.JournalReader(path)
    assert [frame.sequence for frame in reader.frames()] == [0, 1, 2]
    assert (reader.missing_bytes, reader.lost) == (missing_bytes, 37)


def test_another_schema_and_a_missing_file_are_named(tmp_path):
    path = tmp_path / "journal"
    with pytest.raises(j.JournalError, match="No such file"):
        j.JournalReader(path)
    make(path).close()
    content = bytearray(path.read_bytes())
    content[8] = 9
    path.write_bytes(content)
    with pytest.raises(j.JournalError, match="journal schema 9, this program reads 2"):
        j.JournalReader(path)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 12, 20, 21, 22, 301, 302, 305])
def test_a_reader_may_begin_at_the_newest_keyframe_that_a_tick_follows(tmp_path, count):
    writer = make(tmp_path / "journal", 8000)
    written = write(writer, count)
    reader = j.JournalReader(tmp_path / "journal")
    reader.skip()
    assert read(reader) == written[max(0, (count - 2) // 10 * 10) :]
    assert reader.lost == 0
    more = write(writer, 30, count, seed=7)
    assert [seen[0] for seen in read(reader)] == [each[0] for each in more]


def test_what_cannot_be_begun_at_is_looked_for(tmp_path):
    """Nothing was written yet, or the places named hold no keyframe (any more)."""
    writer = make(tmp_path / "journal", 4000)
    reader = j.JournalReader(tmp_path / "journal")
    reader.skip()
    assert read(reader) == []
    written = write(writer, 25)
    for places in ((7, 1 << 40), (writer._ring_at + 1, writer._at)):
        j.KEYFRAMES.pack_into(writer._map, writer._keyframes_at, *places)
        reader = j.JournalReader(tmp_path / "journal")
        reader.skip()
        assert read(reader) == written


@pytest.mark.parametrize("count", [1, 35, 300, 333])
def test_the_keyframes_are_those_of_all_frames(tmp_path, count):
    write(make(tmp_path / "journal", 6000), count)
    everything = [
        frame.raw
        for frame in j.JournalReader(tmp_path / "journal").frames()
        if frame.kind == KEYFRAME
    ]
    assert [frame.raw for frame in j.JournalReader(tmp_path / "journal").keyframes()] == everything


@pytest.mark.parametrize("pause, walks_max", [(1, 2), (7, 2), (10, 1), (18, 1), (150, 99)])
def test_newer_keyframes_are_found_without_walking_the_ring_again(
    tmp_path, pause, walks_max, monkeypatch
):
    """Looked for once a second, walks through a ring of 64 MB would cost half a core."""
    writer = make(tmp_path / "journal", 6000)
    reader, given, walks, frames = j.JournalReader(tmp_path / "journal"), [], [], []
    walk = j.JournalReader._walk
    monkeypatch.setattr(j.JournalReader, "_walk", lambda reader: walks.append(1) or walk(reader))

    def look():
        frames.append(1)
        if len(frames) % pause == 0:
            given.extend(
                [frame.sequence for frame in reader.keyframes(given[-1] if given else None)]
            )

    write(writer, 450, on_frame=look)
    assert given == sorted(set(given)) and given[-1] == 440
    assert given == list(range(0, 450, 10)) or pause > 100, "a lap is about 90 frames"
    assert len(walks) <= walks_max


def test_a_damaged_keyframe_is_not_given(tmp_path):
    path = tmp_path / "journal"
    writer = make(path, 100_000)
    write(writer, 50)
    for at in range(FRAME.size, j.FRAME.size + 120, 7):  # anywhere in the first one
        writer._map[writer._ring_at + at] ^= 1
        assert [frame.sequence for frame in j.JournalReader(path).keyframes()] == [10, 20, 30, 40]
        writer._map[writer._ring_at + at] ^= 1
    writer._map[writer._ring_at] ^= 1  # its magic: the walk goes on at the next frame
    assert [frame.sequence for frame in j.JournalReader(path).keyframes()] == [10, 20, 30, 40]
    writer._map[writer._ring_at] ^= 1
    # its length: a walk that lands inside a frame finds its way
    writer._map[writer._ring_at + 8] ^= 1
    assert [frame.sequence for frame in j.JournalReader(path).keyframes()][-4:] == [10, 20, 30, 40]


def test_the_journal_before_is_kept(tmp_path):
    path = tmp_path / "journal"
    write(make(path), 3)
    write(make(path), 5)
    assert j.JournalReader(path).newest() == 4
    assert j.JournalReader(f"{path}.previous").newest() == 2


def test_a_ring_must_hold_four_of_the_largest_frames(tmp_path):
    largest = FrameEncoder(N_IN, N_GROUPS, N_OUT, N_STATE).frame_bytes_max
    make(tmp_path / "journal", 4 * largest)
    with pytest.raises(j.JournalError, match=f"needs >= {4 * largest}"):
        make(tmp_path / "journal", 4 * largest - 1)


def test_no_frame_is_larger_than_said():
    encoder = FrameEncoder(N_IN, N_GROUPS, N_OUT, N_STATE)
    one, other = (array("i", [value] * (N_IN + N_OUT)) for value in (1, 2))
    state = array("i", [0] * N_STATE)
    sizes = [
        len(encoder.encode(0, 1, full[:N_IN], bytearray(N_GROUPS), full[N_IN:], state_or_none))
        for full, state_or_none in ((one, None), (other, state))
    ]
    assert max(sizes) == encoder.frame_bytes_max


@pytest.mark.parametrize(
    "n_in, n_groups, n_out, n_state",
    [
        (N_IN + 1, N_GROUPS, N_OUT - 1, None),
        (N_IN, N_GROUPS, N_OUT - 1, None),
        (N_IN, N_GROUPS - 1, N_OUT, None),
        (N_IN, N_GROUPS, N_OUT, 3),
    ],
)
def test_arrays_of_another_length_are_refused(n_in, n_groups, n_out, n_state):
    encoder = FrameEncoder(N_IN, N_GROUPS, N_OUT, N_STATE)
    state = None if n_state is None else array("i", [0] * n_state)
    with pytest.raises(ValueError, match="announced"):
        encoder.encode(
            0, 1, array("i", [0] * n_in), bytearray(n_groups), array("i", [0] * n_out), state
        )


def test_a_header_holds_only_what_can_be_read_back(tmp_path):
    with pytest.raises(TypeError, match="cannot hold a set"):
        JournalWriter(tmp_path / "journal", {"a": {1}}, 1, 1, 1, 1, 10_000)
