"""The ring of ticks: each tick once, a power cut, a chain, an age; and what `audit` reads of it."""

import errno
import os

import pytest
from command_line import run
from recorder_bench import EACH_20_MS, UTC_US, Bench

from controller.audit import judge, rules, sources
from controller.journal.snapshot import Snapshot
from controller.recorder import fast, fast_csv, fast_ring
from controller.recorder.seconds import Seconds
from controller.recorder.ticks import NONE, STOP, Ticks
from tests.tables import cases

HEADER = {"utc_us": UTC_US, "uptime_ms": 0, "tick_ms": 20, "meter_ms": 20, "inode": 7}
METERS = ["meter_grid", "meter_load"]


def ring(folder, days=7):
    said = []
    made = fast.RingWriter(str(folder), days, said.append)
    made.said = said
    return made


def fill(made, blocks, first=0, ticks=3):
    """Blocks of ticks whose grid power counts them."""
    for number in range(first, first + blocks):
        for tick in range(ticks):
            at = number * ticks + tick
            made.take((1, at, -at, NONE, 1000, NONE, 0))
        header = {"sequence": (number + 1) * ticks - 1, "meters": METERS}
        late_us = 30_000 * (number % 2)  # the poll of the recorder
        made.write({**HEADER, **header, "utc_us": UTC_US + number * ticks * 20_000 + late_us})


def read(folder, name="grid_W"):
    found = list(fast_ring.placed(str(folder / "fast")))
    return [value for each in found for value in fast_ring.unpacked(each.columns[name])]


def the_file(folder):
    (path,) = (folder / "fast").iterdir()
    return path


def test_a_new_process_goes_on_and_cuts_off_what_a_power_cut_left(tmp_path):
    fill(ring(tmp_path), 2)
    whole = the_file(tmp_path).read_bytes()
    the_file(tmp_path).write_bytes(whole + whole[:50])
    assert "damaged" in fast_ring.verify(str(tmp_path / "fast")).breaks[0]
    again = ring(tmp_path)
    assert [again.has(7, 5), again.has(7, 6), again.has(8, 5)] == [True, False, False]
    fill(again, 1, 2)
    assert read(tmp_path) == list(range(9)) and read(tmp_path, "load_W")[:3] == [0, -1, -2]
    found = fast_ring.verify(str(tmp_path / "fast"))
    assert (found.blocks, found.breaks) == (3, [])
    begins = [each.begin_us for each in fast_ring.placed(str(tmp_path / "fast"))]
    assert [each - begins[0] for each in begins] == [0, 60_000, 120_000]


@pytest.mark.parametrize(
    "damage, words",
    [
        (
            lambda data, end: data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :],
            "damaged from byte",
        ),
        (lambda data, end: data[end + 1 :], "block 1 is not the first"),
    ],
)
def test_a_changed_byte_breaks_the_chain(tmp_path, damage, words):
    fill(ring(tmp_path), 3)
    path = the_file(tmp_path)
    end = [each.end for each in fast_ring.blocks_of(str(path))][0] - 1
    path.write_bytes(damage(path.read_bytes(), end))
    fill(ring(tmp_path), 1, 3)  # keeps what is whole behind the damage
    assert words in fast_ring.verify(str(tmp_path / "fast")).breaks[0]
    assert read(tmp_path) == list(range(3, 12))


def test_each_changed_byte_and_each_cut_is_found(tmp_path):
    fill(ring(tmp_path), 2)
    path, folder = the_file(tmp_path), str(tmp_path / "fast")
    whole = path.read_bytes()
    middle, _ = [each.end for each in fast_ring.blocks_of(str(path))]
    for at in range(middle, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert fast_ring.verify(folder).breaks, at
        path.write_bytes(whole[:at])
        fast.RingWriter(str(tmp_path), 7, print)
        assert path.stat().st_size == middle, at


@cases("""
change                           words
{"tick_ms": 0}                   "tick_ms missing or wrong"
{"utc_us": 1 << 80}              "utc_us missing or wrong"
{"utc_us": -1}                   "utc_us missing or wrong"
{"meter_ms": 1 << 70}            "meter_ms missing or wrong"
{"meters": 5}                    "meters missing or wrong"
{"elapsed": -1}                  "its time goes back"
""")
def test_a_forged_block_is_one_line(tmp_path, capsys, change, words):
    made = ring(tmp_path)
    made.take((change.get("elapsed", 1), 5, 5, NONE, NONE, NONE, 0))
    made.write({**HEADER, "sequence": 0, "meters": METERS, **change})
    with pytest.raises(ValueError, match=words):
        list(fast_csv.pieces(str(tmp_path / "fast"), 0, 1 << 62))
    code, out, err = run(capsys, "audit", tmp_path)
    assert (code, out, len(err)) == (2, [], 1) and words in err[0]


def test_a_removed_block_breaks_the_chain(tmp_path):
    fill(ring(tmp_path), 3)
    path = the_file(tmp_path)
    first, second, _ = [each.end for each in fast_ring.blocks_of(str(path))]
    data = path.read_bytes()
    path.write_bytes(data[:first] + data[second:])
    breaks = fast_ring.verify(str(tmp_path / "fast")).breaks
    assert breaks == ["fast_0000000000.ticks: block 2 does not follow the block before"]


def test_the_oldest_hours_go(tmp_path, monkeypatch):
    monkeypatch.setattr(fast, "BLOCKS_A_DAY", 120)
    fill(ring(tmp_path, 1), 200, ticks=1)
    assert fast_ring.files(str(tmp_path / "fast")) == [
        f"fast_{number:010d}.ticks" for number in (60, 120, 180)
    ]
    assert fast_ring.verify(str(tmp_path / "fast")).breaks == []
    assert ring(tmp_path / "none", 0).days == 0 and not (tmp_path / "none").exists()


def test_a_file_without_a_whole_block_is_begun_again(tmp_path):
    fill(ring(tmp_path), 60, ticks=1)
    (tmp_path / "fast" / "fast_0000000060.ticks").write_bytes(b"FBT")
    fill(ring(tmp_path), 1, 60, ticks=1)
    found = fast_ring.verify(str(tmp_path / "fast"))
    assert (found.blocks, found.breaks) == (61, [])


def test_without_room_the_oldest_hour_gives_way(tmp_path):
    made = ring(tmp_path)
    fill(made, 61, ticks=1)
    made._has_room = lambda wanted_bytes: False
    fill(made, 2, 61, ticks=1)
    assert fast_ring.files(str(tmp_path / "fast")) == ["fast_0000000060.ticks"]


def test_a_full_disk_costs_its_minute_and_is_said_once(tmp_path, monkeypatch):
    made = ring(tmp_path)
    fill(made, 1)
    with monkeypatch.context() as full:

        def no_room(descriptor, content):
            os.write(descriptor, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        full.setattr(fast.durable, "write", no_room)
        fill(made, 2, 1)
    fill(made, 1, 3)
    assert read(tmp_path) == [0, 1, 2, 9, 10, 11]
    made._has_room = lambda wanted_bytes: False
    fill(made, 1, 4)
    made._has_room = lambda wanted_bytes: True
    fill(made, 1, 5)
    assert read(tmp_path) == [0, 1, 2, 9, 10, 11, 15, 16, 17]
    assert ["No space left" in line for line in made.said] == [True, False] * 2
    assert fast_ring.verify(str(tmp_path / "fast")).breaks == []


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fast")
    made = Bench(folder, settings=EACH_20_MS).start_recorder().run(4)
    made.close()
    return made


def test_each_tick_is_kept_once_through_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr(fast, "BLOCK_S", 1)
    made = Bench(tmp_path, settings=EACH_20_MS).start_recorder().run(2.5)
    made.kill_recorder().start_recorder().run(1.5)
    made.close()
    found = list(fast_ring.placed(str(tmp_path / "state" / "fast")))
    assert [each.block.header["count"] for each in found] == [50, 50, 50, 50]
    assert [each.block.header["sequence"] for each in found] == [49, 99, 149, 199]
    begins = [each.begin_us - found[0].begin_us for each in found]
    assert begins == [0, 1_000_000, 2_000_000, 3_000_000]


@pytest.mark.parametrize("permille, kept", [(0, NONE), (1, 1), (400, 400)])
def test_the_ring_keeps_a_voltage_while_the_power_is_unknown(bench, permille, kept):
    """A meter refuses the power of a sag below a fifth; 0: it is silent."""
    seconds = Seconds(Snapshot(str(bench.run_dir / "journal")))
    made = Ticks(seconds)
    frame = next(seconds.seen.follow())
    seconds.now = [], [], [], []
    seconds.seen.inp[made._quality[0]], seconds.seen.inp[made._quality[1]] = permille, 0
    assert made.row(frame)[1:6] == (NONE, NONE, NONE, kept, NONE)


def test_the_audit_reads_the_ring(bench):
    source = sources.opened(str(bench.state_dir), None, 0.0, None)
    (piece,) = source.pieces()
    assert (source.meter_s, len(piece.times_s)) == (0.02, 200)
    assert piece.times_s[[0, -1]] == pytest.approx([0, 3.98])
    assert abs(source.begin_utc_s - UTC_US / 1e6) < 1
    assert piece.values["load_W"][-1] == pytest.approx(300_000, rel=0.01)
    assert piece.values["commanded"][[0, -1]].tolist() == [STOP, 0]  # opens, then runs


def test_the_ring_is_exported_and_verified(bench, capsys, tmp_path):
    state = "--state-dir", bench.state_dir
    code, out, err = run(capsys, "record export --what ticks", "--out", tmp_path, *state)
    assert (code, err) == (0, []) and "firebreak_ticks_begin_end.csv" in out[0]
    lines = (tmp_path / "firebreak_ticks_begin_end.csv").read_text().splitlines()
    assert lines[0] == "utc,load_W,grid_W,battery_W,voltage_pu,frequency_Hz,commanded"
    assert len(lines) == 201 and lines[-1].split(",")[1] == "300034"
    code, out, _ = run(capsys, "audit", tmp_path / "firebreak_ticks_begin_end.csv")
    assert code == 0 and "at 20 ms, highest load 0.3001 MW" in out[0]
    code, out, _ = run(capsys, "record verify", *state)
    assert code == 0 and "ticks: 1 minutes, 2027-01-15T08:00:0" in out[1]
    assert out[2].startswith("their writes to the flash: ")
    assert (
        run(capsys, "record export --what ticks --from 2030-01-01 --out", tmp_path, *state)[0] == 1
    )


def placed(folder):
    return list(fast_ring.placed(str(folder / "fast")))


@cases("""
set_s   ticks_s  utc_s
1000.0   60   1060
-1000.0   60   -940
0.5   60   60
""")
def test_a_clock_that_is_set_is_no_pause_of_the_load(tmp_path, set_s, ticks_s, utc_s):
    made = ring(tmp_path)
    for number in range(2):
        for _ in range(3000):
            made.take((1, 0, 5, NONE, NONE, NONE, 0))
        utc_us = UTC_US + number * (60_000_000 + round(set_s * 1e6))
        made.write({**HEADER, "utc_us": utc_us, "sequence": 3000 * number, "meters": METERS})
    first, second = placed(tmp_path)
    assert second.follows and not first.follows
    assert second.begin_us - first.begin_us == utc_s * 1_000_000
    source = sources.opened(str(tmp_path), None, 0.0, None)
    pieces = list(source.pieces())
    assert pieces[1].times_s[0] - pieces[0].times_s[0] == pytest.approx(ticks_s)
    newest_s = source.begin_utc_s + pieces[1].times_s[0]
    assert newest_s == pytest.approx(second.begin_us / 1e6)


def test_days_without_a_recorder_are_no_missing_samples(tmp_path):
    made = ring(tmp_path)
    for number in range(2):
        for _ in range(3000):
            made.take((1, 10**6, 10**6 * (1 + number), NONE, NONE, NONE, 0))
        utc_us = UTC_US + number * 86_400_000_000
        header = {"inode": number, "utc_us": utc_us, "sequence": 3000, "meters": METERS}
        made.write({**HEADER, **header})
    source = sources.opened(str(tmp_path), None, 0.0, None)
    found = judge.audit(source, rules.load("southern"), 100.0)
    assert [each.value for each in found.verdicts if each.rule.quantity == "range"] == [0, 0]
    assert (found.steady.gaps, round(found.steady.gap_s)) == (1, 86_340)
