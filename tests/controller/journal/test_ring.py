"""The journal: what was appended is read back as the same bytes, every loss is counted."""

import copy
import errno
import os
import random
from array import array

import pytest

from controller.journal import ring as j
from controller.journal.frame import FRAME, FRAME_MAGIC, KEYFRAME, Counts, FrameEncoder
from controller.journal.writer import JournalWriter
from tests.tables import cases

COUNTS = N_IN, N_GROUPS, N_OUT, N_STATE = Counts(20, 11, 7, 30)
HEADER = {"image": array("i", [1, -2, 3]), "tick_ms": 20, "topology": {"racks": [1, 2]}}
HEADER["site"] = "one"


class Tick:
    def __init__(self, seed):
        self.random, self.fresh = random.Random(seed), bytearray(N_GROUPS)
        self.inp, self.out, self.state = (array("i", [0] * size) for size in (N_IN, N_OUT, N_STATE))

    def move(self):
        for words in (self.inp, self.out, self.state):
            for _ in range(self.random.randrange(4)):
                words[self.random.randrange(len(words))] = self.random.randrange(-(2**31), 2**31)
        self.fresh[self.random.randrange(N_GROUPS)] ^= 1


def write(writer, count, first=0, seed=1, keyframe_every=10, on_frame=lambda: None):
    tick, seen = Tick(seed), []
    for sequence in range(first, first + count):
        tick.move()
        state = None if sequence % keyframe_every else tick.state
        writer.append(sequence, 1 + sequence % 3, tick.inp, tick.fresh, tick.out, state)
        seen.append((sequence, 1 + sequence % 3, *listed(tick.inp, tick.fresh, tick.out, state)))
        on_frame()
    return seen


def listed(inp, fresh, out, state):
    return list(inp), bytes(fresh), list(out), None if state is None else list(state)


def make(path, capacity_bytes=4000):
    return JournalWriter(path, HEADER, COUNTS, capacity_bytes)


def read(reader):
    (inp, out), seen = (array("i", [0] * size) for size in (N_IN, N_OUT)), []
    for frame in reader.frames():
        frame.apply(inp, out)
        content = listed(inp, frame.fresh, out, frame.state)
        seen.append((frame.sequence, frame.elapsed_ticks, *content))
    return seen


def sequences(frames):
    return [frame.sequence for frame in frames]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def scans(monkeypatch):
    """A list that grows by one whenever a reader walks through the ring."""
    seen, scan = [], j.JournalReader._scan
    monkeypatch.setattr(j.JournalReader, "_scan", lambda reader: seen.append(1) or scan(reader))
    return seen


def test_a_reader_gets_the_appended_frames(path):
    written = write(make(path, 100_000), 95)
    reader = j.JournalReader(path)
    assert read(reader) == written and reader.header == HEADER
    assert reader.counts == COUNTS
    assert (reader.lost, reader.missing_bytes, reader.newest()) == (0, 0, 94)


def test_only_changes_are_written(path):
    writer, tick = make(path), Tick(1)
    for sequence in range(3):
        state = tick.state if sequence == 0 else None
        writer.append(sequence, 1, tick.inp, tick.fresh, tick.out, state)
        tick.inp[5] = tick.inp[5] + sequence
    tick.out[6] = -7
    writer.append(3, 1, tick.inp, tick.fresh, tick.out)
    frames = list(j.JournalReader(path).frames())
    changes = [list(zip(frame.indexes, frame.values)) for frame in frames]
    assert changes[1:] == [[], [(5, 1)], [(5, 3), (N_IN + 6, -7)]]
    assert len(changes[0]) == N_IN + N_OUT


def test_the_same_ticks_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        writer = make(tmp_path / name)
        write(writer, 300)
        writer.close()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("keyframe_every", [3, 4, 10])
def test_the_ring_holds_the_newest_without_a_gap_after_every_append(path, keyframe_every):
    counts = []

    def look():
        reader = j.JournalReader(path)
        frames = list(reader.frames())
        assert sequences(frames) == list(range(frames[0].sequence, len(counts) + 1))
        used_bytes = sum(len(frame.raw) for frame in frames)
        # at most the cut frame, the gap and a keyframe less
        assert reader.lost == 0 and (frames[0].sequence == 0 or used_bytes > 4000 - 3 * 300)
        counts.append(len(frames))

    write(make(path), 400, keyframe_every=keyframe_every, on_frame=look)
    assert len(counts) > 5 * max(counts)


def test_a_reader_beside_the_writer_sees_each_frame_once_and_scans_the_ring_once(path, scans):
    seen, writer = [], make(path)
    reader = j.JournalReader(path)
    assert read(reader) == []
    write(writer, 500, on_frame=lambda: seen.extend(sequences(reader.frames())))
    assert seen == list(range(500)) and (reader.lost, len(scans)) == (0, 1)


@pytest.mark.parametrize("pause", [3, 20, 200, 777])
def test_a_slow_reader_counts_its_lost_frames(path, pause):
    writer = make(path)
    reader = j.JournalReader(path)
    write(writer, 5)
    seen = sequences(reader.frames())
    for first in range(5, 5 + 4 * pause, pause):
        write(writer, pause, first, seed=first)
        seen += sequences(reader.frames())
    last = 5 + 4 * pause - 1
    assert seen == sorted(set(seen)) and seen[-1] == last
    assert reader.lost == last + 1 - len(seen) and (reader.lost > 0) == (pause >= 200)


def test_a_reader_overtaken_while_it_reads_gets_no_mixture(path):
    writer = make(path)
    write(writer, 60)
    reader = j.JournalReader(path)
    frames = reader.frames()
    seen = [next(frames).sequence]
    write(writer, 300, 60, seed=2)
    seen += sequences(frames) + sequences(reader.frames())
    assert seen == sorted(set(seen)) and seen[-1] == 359
    assert reader.lost == 360 - seen[0] - len(seen)


def test_every_damaged_byte_costs_a_frame_or_is_named(path):
    writer = make(path)
    written = write(writer, 40)
    writer.close()
    content = path.read_bytes()
    hints = j.NEWEST.size + j.KEYFRAMES.size  # fields without a CRC, see below
    newest_at = content.index(FRAME_MAGIC) - hints
    used = range(0, len(content.rstrip(b"\0")), 29)
    for at in {*used, *range(newest_at - 30, newest_at)} - {*range(newest_at, newest_at + hints)}:
        damaged = bytearray(content)
        damaged[at] ^= 0x41
        path.write_bytes(damaged)
        try:
            reader = j.JournalReader(path)
        except j.JournalError as error:
            assert at < newest_at and str(error).startswith(str(path))
            continue
        frames = list(reader.frames())
        assert at > newest_at and len(frames) == len(written) - 1
        # A damaged first frame cannot be told from one that the ring has overwritten.
        assert reader.lost == (0 if frames[0].sequence == 1 else 1)


@pytest.mark.parametrize("newest, lost", [(38, 0), (39, 0), (45, 6)])
def test_a_wrong_newest_sequence_hides_no_frame(path, newest, lost):
    writer = make(path)
    write(writer, 40)
    j.NEWEST.pack_into(writer._map, writer._newest_at, newest)
    reader = j.JournalReader(path)
    assert sequences(reader.frames()) == list(range(40)) and reader.lost == lost


@cases("""
    kept_bytes  words
    0  "the file is empty" | 5  "not a journal" | 20  "truncated, 20 bytes of a journal are left"
    60  "the header of this journal is damaged" | None  "No such file"
""")
def test_a_stub_of_a_file_and_another_schema_are_named(path, kept_bytes, words):
    if kept_bytes is not None:
        make(path).close()
        content = path.read_bytes()
        path.write_bytes(content[:8] + b"\x09" + content[9:])
        with pytest.raises(j.JournalError, match="journal schema 9, this program reads 2"):
            j.JournalReader(path)
        path.write_bytes(content[:kept_bytes])
    with pytest.raises(j.JournalError, match=words):
        j.JournalReader(path)


def test_a_truncated_ring_is_read_to_its_end(path):
    writer = make(path, 20_000)
    write(writer, 40)
    third = list(j.JournalReader(path).frames())[2].raw
    writer.close()
    end = path.read_bytes().index(third) + len(third)
    missing_bytes = path.stat().st_size - end
    os.truncate(path, end)
    reader = j.JournalReader(path)
    assert sequences(reader.frames()) == [0, 1, 2]
    assert (reader.missing_bytes, reader.lost) == (missing_bytes, 37)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 12, 20, 21, 22, 301, 302, 305])
def test_a_reader_may_begin_at_the_newest_keyframe_that_a_tick_follows(path, count):
    writer = make(path, 8000)
    written = write(writer, count)
    reader = j.JournalReader(path)
    reader.skip()
    assert read(reader) == written[max(0, (count - 2) // 10 * 10) :] and reader.lost == 0
    more = write(writer, 30, count, seed=7)
    assert [seen[0] for seen in read(reader)] == [each[0] for each in more]


def test_without_a_readable_keyframe_the_ring_is_searched(path):
    """Nothing was written yet, or there is no keyframe at the places in the header."""
    writer = make(path)
    reader = j.JournalReader(path)
    reader.skip()
    assert read(reader) == []
    written = write(writer, 25)
    for places in ((7, 1 << 40), (writer._ring_at + 1, writer._position)):
        j.KEYFRAMES.pack_into(writer._map, writer._keyframes_at, *places)
        reader = j.JournalReader(path)
        reader.skip()
        assert read(reader) == written


@pytest.mark.parametrize("count", [1, 35, 300, 333])
def test_the_keyframes_are_those_of_all_frames(path, count):
    write(make(path, 6000), count)
    frames = [frame.raw for frame in j.JournalReader(path).frames() if frame.kind == KEYFRAME]
    reader = j.JournalReader(path)
    assert [frame.raw for frame in reader.keyframes()] == frames
    assert [frame.raw for frame in reader.recent(0)] == frames[::-1]
    newest = count - 1 - (count - 1) % 10
    for since, found in ((newest, [newest]), (newest + 1, []), (newest - 9, [newest])):
        assert sequences(reader.recent(since)) == found


@pytest.mark.parametrize("pause, scans_max", [(1, 0), (18, 0), (150, 3)])
def test_newer_keyframes_are_found_without_walking_the_ring_again(path, pause, scans_max, scans):
    """A walk through a ring of 64 MB each second would cost half a core."""
    writer = make(path, 6000)
    write(writer, 5)
    reader = j.JournalReader(path)
    given, before = sequences(reader.keyframes()), len(scans)
    for first in range(5, 455, pause):
        write(writer, pause, first, seed=first)
        given += [frame.sequence for frame in reader.frames() if frame.kind == KEYFRAME]
    given = list(dict.fromkeys(given))  # the last one is given again
    assert given == sorted(given) and given[-1] == 450 and len(scans) - before <= scans_max
    assert given == list(range(0, 455, 10)) or pause > 100, "a lap is about 90 frames"


def test_a_damaged_keyframe_is_not_given(path):
    writer, left = make(path, 100_000), []
    write(writer, 50)
    # its magic: the walk goes on at the next frame; anywhere in it; its length: it finds its way
    for at in (0, *range(FRAME.size, FRAME.size + 120, 7), 8):
        writer._map[writer._ring_at + at] ^= 1
        left.append(sequences(j.JournalReader(path).keyframes()))
        writer._map[writer._ring_at + at] ^= 1
    assert left[:-1] == [[10, 20, 30, 40]] * (len(left) - 1) and left[-1][-4:] == left[0]


def test_the_journal_before_is_kept(path):
    for count in (3, 5):
        write(make(path), count)
    assert j.JournalReader(path).newest() == 4
    assert j.JournalReader(f"{path}.previous").newest() == 2


class Room:
    """A folder with room for so many bytes, which files that a reader holds open use as well."""

    def __init__(self, monkeypatch, folder, size_bytes):
        self.folder, self.size_bytes, self.held = folder, size_bytes, []
        self.real = os.posix_fallocate
        monkeypatch.setattr(os, "posix_fallocate", self.allocate)

    def hold(self, path):
        """Keep a file open, as any reader may."""
        self.held.append(open(path, "rb"))

    def used_bytes(self):
        found = [os.fstat(file.fileno()) for file in self.held]
        found += [os.stat(os.path.join(self.folder, name)) for name in os.listdir(self.folder)]
        return sum({each.st_ino: each.st_blocks * 512 for each in found}.values())

    def allocate(self, descriptor, start, size_bytes):
        if self.used_bytes() + size_bytes > self.size_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.real(descriptor, start, size_bytes)


RING_BYTES = 1 << 20


@pytest.mark.parametrize("rings", [2, 3, 4])
def test_journals_that_a_reader_holds_open_leave_room_for_the_next(
    path, tmp_path, monkeypatch, rings
):
    """Each start found a ring less, until a start found no room."""
    room, readers = Room(monkeypatch, tmp_path, rings * RING_BYTES + (64 << 10)), []
    for count in range(1, 8):
        write(make(path, RING_BYTES), count)
        room.hold(path)
        readers.append(j.JournalReader(path))
    # the last two runs are whole, and earlier ones as long as there was room
    kept = rings - 2
    frames = [len(read(each)) for each in readers]
    assert frames == [*range(1, kept + 1), *[0] * (5 - kept), 6, 7]
    assert [each.newest() for each in readers] == list(range(7))
    assert [len(read(j.JournalReader(f"{path}{end}"))) for end in (".previous", "")] == [6, 7]
    assert sorted(os.listdir(tmp_path)) == ["journal", "journal.previous"]
    for each in room.held:
        each.close()


def test_a_reader_counts_the_frames_that_a_later_start_removed(path, tmp_path, monkeypatch):
    Room(monkeypatch, tmp_path, 2 * RING_BYTES + (64 << 10))
    writer = make(path, RING_BYTES)
    write(writer, 20)
    reader = j.JournalReader(path)
    assert len(read(reader)) == 20
    write(writer, 30, first=20)
    for _ in range(2):
        assert len(read(copy.copy(reader))) == 30
        make(path, RING_BYTES)
    assert (read(reader), reader.lost) == ([], 30)
    reader.skip()
    assert (list(reader.keyframes()), reader.begin_at(20)) == ([], None)


@pytest.mark.parametrize("content", [None, b"", b"no journal" * 9999])
def test_any_file_in_place_of_the_previous_journal_gives_its_room(
    path, tmp_path, monkeypatch, content
):
    """The file is of another version, torn, or missing."""
    write(make(path, RING_BYTES), 3)
    previous = tmp_path / "journal.previous"
    if content is not None:
        previous.write_bytes(content)
    Room(monkeypatch, tmp_path, 2 * RING_BYTES + (32 << 10))
    write(make(path, RING_BYTES), 4)
    assert j.JournalReader(path).newest() == 3 and j.JournalReader(previous).newest() == 2


def test_a_start_that_was_killed_half_way_costs_no_room(path, tmp_path, monkeypatch):
    write(make(path, RING_BYTES), 3)
    new = tmp_path / "journal.new"
    new.write_bytes(bytes(RING_BYTES))
    room = Room(monkeypatch, tmp_path, 2 * RING_BYTES + (64 << 10))
    room.hold(new)
    write(make(path, RING_BYTES), 4)
    assert j.JournalReader(path).newest() == 3 and not new.exists()
    room.held[0].close()


def test_no_room_for_a_ring_is_one_line_and_the_previous_journal_is_kept(path, monkeypatch):
    write(make(path), 3)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    open_before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(j.JournalError, match="journal: no room for 3 MB: No space left on device"):
        make(path, 3 << 20)
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert j.JournalReader(path).newest() == 2 and len(os.listdir(os.path.dirname(path))) == 1


def test_no_frame_is_larger_than_said_and_a_ring_must_hold_four(path):
    encoder = FrameEncoder(COUNTS)
    one, other = (array("i", [value] * (N_IN + N_OUT)) for value in (1, 2))
    sizes = [
        len(encoder.encode(0, 1, full[:N_IN], bytearray(N_GROUPS), full[N_IN:], state))
        for full, state in ((one, None), (other, array("i", [0] * N_STATE)))
    ]
    largest = encoder.frame_bytes_max
    assert max(sizes) == largest
    make(path, 4 * largest)
    with pytest.raises(j.JournalError, match=f"needs >= {4 * largest}"):
        make(path, 4 * largest - 1)


@cases("""
    n_in      n_groups      n_out      n_state
    N_IN + 1  N_GROUPS      N_OUT - 1  None
    N_IN      N_GROUPS      N_OUT - 1  None
    N_IN      N_GROUPS - 1  N_OUT      None
    N_IN      N_GROUPS      N_OUT      3
""")
def test_arrays_of_another_length_are_refused(n_in, n_groups, n_out, n_state):
    encoder = FrameEncoder(COUNTS)
    inp, out = array("i", [0] * n_in), array("i", [0] * n_out)
    state = None if n_state is None else array("i", [0] * n_state)
    with pytest.raises(ValueError, match="not"):
        encoder.encode(0, 1, inp, bytearray(n_groups), out, state)


def test_a_header_holds_only_what_can_be_read_back(path):
    with pytest.raises(TypeError, match="cannot hold a set"):
        JournalWriter(path, {"a": {1}}, COUNTS, 10_000)
