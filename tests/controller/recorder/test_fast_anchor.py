"""The record names blocks of the ring of ticks: an end that was removed is found."""

import os
import sqlite3

import pytest
from command_line import run
from recorder_bench import EACH_20_MS, Bench

from controller.recorder import fast, fast_anchor, fast_ring
from controller.recorder.events import LOSS

NAMING = "event 11", "the record"  # the event of the end in order


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Four blocks of a second."""
    monkeypatch.setattr(fast, "BLOCK_S", 1)
    made = Bench(tmp_path, settings=EACH_20_MS).start_recorder().run(4)
    made.recorder.close()
    yield made
    made.recorder = None
    made.close()


def cut(bench, kept):
    """Keep so many blocks."""
    (path,) = (bench.state_dir / "fast").iterdir()
    ends = [0, *[each.end for each in fast_ring.blocks_of(str(path))]]
    os.truncate(path, ends[kept])


def verified(capsys, bench):
    code, out, _ = run(capsys, "record verify", "--state-dir", bench.state_dir)
    return code, [line for line in out if "BROKEN" in line]


def test_a_removed_end_is_found_and_recorded_once(bench, capsys):
    assert verified(capsys, bench) == (0, [])
    cut(bench, 2)
    lines = [f"BROKEN: {who} names minute 3; the ring ends at minute 1" for who in NAMING]
    assert verified(capsys, bench) == (1, lines)
    bench.start_recorder().run(1).recorder.close()
    (_, code, scope, text), *others = bench.events(LOSS)
    assert (code, scope, others) == ("TICKS", "minute 1", [])
    assert "had minute 3; it ends at minute 1" in text and text in bench.said[-1]
    assert verified(capsys, bench)[0] == 0
    bench.start_recorder().run(1).recorder.close()
    assert len(bench.events(LOSS)) == 1


def test_an_end_that_was_removed_with_its_key_is_found(bench, capsys):
    """An end in order has put the newest block into the chain of events."""
    with sqlite3.connect(bench.state_dir / "record.db") as connection:
        connection.execute("DELETE FROM meta WHERE key = 'ticks'")
    cut(bench, 2)
    code, (line,) = verified(capsys, bench)
    assert code == 1 and line.endswith(" names minute 3; the ring ends at minute 1")


def test_a_ring_that_was_removed_is_found(bench, capsys):
    (path,) = (bench.state_dir / "fast").iterdir()
    path.unlink()
    assert verified(capsys, bench)[1] == [
        "BROKEN: event 7 names minute 0; the ring ends at minute -1",
        *[f"BROKEN: {who} names minute 3; the ring ends at minute -1" for who in NAMING],
    ]
    bench.start_recorder().run(1).recorder.close()
    assert verified(capsys, bench) == (0, []) and len(bench.events(LOSS)) == 1


def test_a_chain_that_was_made_anew_is_found(bench, capsys):
    header = next(iter(fast_ring.blocks_of(str(next((bench.state_dir / "fast").iterdir()))))).header
    (path,) = (bench.state_dir / "fast").iterdir()
    path.unlink()
    again = fast.RingWriter(str(bench.state_dir), 7, print)
    for number in range(4):
        again.take((1, number, 0, 0, 0, 0, 0))
        again.write({**header, "number": number})
    code, lines = verified(capsys, bench)
    assert code == 1 and lines[-1] == "BROKEN: the record names another minute 3"


@pytest.mark.parametrize("told", [None, "x", [], [1], ["1", 2], [1, 2], {"a": 1}])
def test_a_record_without_a_block_names_none(told):
    assert fast_anchor.lost(told, (0, "")) is None
