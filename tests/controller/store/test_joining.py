"""The way of a cabinet into its site, from the records of the ledger."""

import os
import stat

import pytest

from controller.store import joining as j, proof_lines as pl, proof_tests as pt

DAY_US = 86_400_000_000
START_US = 1_773_454_051_000_000
HERE, THERE = "0000000A", "0000000B"


def ledger(tmp_path, *acts):
    """The records after the acts, a second apart: steps at HERE, or (kind, row, place)."""
    own = pt.Ledger(str(tmp_path))
    for at, act in enumerate(acts):
        kind, row, place = (pl.JOINED, act, HERE) if isinstance(act, str) else act
        own.add((START_US + at * 1_000_000, "ntp"), kind, row, "anna", j.remark(place, "done"))
    return pt.read(str(tmp_path)).records


def found(records, passed_us=0, place=HERE, began_us=DAY_US):
    return j.progress(records, place, (began_us or 0) + passed_us, began_us)


LEFT, LOST = (pl.LEFT, "", HERE), (pl.LOST, "", HERE)


@pytest.mark.parametrize(
    ("acts", "state", "steps", "ready"),
    [
        ((), j.ALONE, 0, 1000),
        (j.STEPS[:1], j.JOINS, 1, 0),
        (j.STEPS[:-1], j.JOINS, 8, 0),
        (j.STEPS, j.IN, 9, 0),
        ((*j.STEPS[:3], *j.STEPS[4:]), j.JOINS, 3, 0),  # a step between lacks
        ((*j.STEPS, LEFT), j.LEAVES, 0, 1000),
        ((LEFT,), j.LEAVES, 0, 1000),
        ((*j.STEPS, LEFT, "read"), j.JOINS, 1, 0),
        ((*j.STEPS, LEFT, *j.STEPS), j.IN, 9, 0),
        (("read", (pl.JOINED, "place", THERE)), j.JOINS, 1, 0),
        ((*j.STEPS, LOST), j.JOINS, 0, 0),
        ((*j.STEPS, LEFT, LOST), j.JOINS, 0, 0),
        ((LOST,), j.JOINS, 0, 0),
        ((*j.STEPS, LOST, *j.STEPS), j.IN, 9, 0),
    ],
)
def test_the_state_follows_from_the_records(acts, state, steps, ready, tmp_path):
    here = found(ledger(tmp_path, *acts))
    assert (here.state, len(here.steps), here.ready_permille) == (state, steps, ready)


def test_a_moved_pod_has_lost_its_steps(tmp_path):
    records = ledger(tmp_path, *j.STEPS)
    moved = found(records, DAY_US, THERE)
    assert (moved.state, moved.steps, moved.ready_permille) == (j.JOINS, {}, 0)


SECOND_US = 1_000_000
RAMP = [(0, 0), (599_999, 0), (600_000, 1), (300 * SECOND_US, 500)]
RAMP += [(600 * SECOND_US - 1, 999), (600 * SECOND_US, 1000), (600 * SECOND_US + 1, 1000)]


@pytest.mark.parametrize(("passed_us", "permille"), [*RAMP, (10**17, 1000)])
def test_the_battery_counts_more_and_more_by_the_boot_clock(passed_us, permille, tmp_path):
    """Only the time since a boot is proven after it, and a leaving cabinet counts no more then."""
    come = found(ledger(tmp_path, *j.STEPS), passed_us)
    assert (come.ready_permille, come.kept_permille) == (permille, 0)
    booted = found(ledger(tmp_path), passed_us, began_us=None)
    assert (booted.ready_permille, booted.kept_permille) == (permille, 0)
    gone = found(ledger(tmp_path, LEFT), passed_us)
    assert (gone.ready_permille, gone.kept_permille) == (1000 - permille, 1000 - permille)
    booted = found(ledger(tmp_path), passed_us, began_us=None)
    assert (booted.ready_permille, booted.kept_permille) == (0, 1000 - permille)


def test_the_ramp_is_kept_until_the_next_boot(tmp_path):
    place, path = str(tmp_path), tmp_path / j.RAMP_FILE
    assert j.ramp_began_us(place, 7) is None, "no ramp since the boot"
    j.begin_ramp(place, 5)
    assert [j.ramp_began_us(place, now_us) for now_us in (5, 7)] == [5, 5]
    assert j.ramp_began_us(place, 4) is None, "the folder has outlived a boot"
    for content in (b"", b"x", b"5.0", b"\xff"):
        path.write_bytes(content)
        assert j.ramp_began_us(place, 7) == 7, "nothing is proven"
    path.unlink()
    path.mkdir()
    assert j.ramp_began_us(place, 7) == 7
    with pytest.raises(OSError, match="director"):
        j.begin_ramp(place, 9)


def test_the_doors_may_read_the_ledger(tmp_path):
    """It was 600: the broker heard of no cabinet how far it has joined."""
    os.close(os.open(tmp_path / pt.FILE, os.O_CREAT | os.O_WRONLY, 0o600))
    before = os.umask(0o077)
    try:
        ledger(tmp_path, "read")
        j.begin_ramp(str(tmp_path), 5)
    finally:
        os.umask(before)
    modes = [(tmp_path / each).stat().st_mode for each in (pt.FILE, pt.HEAD_FILE, j.RAMP_FILE)]
    assert [stat.S_IMODE(mode) for mode in modes] == [0o640, 0o640, 0o644]


def test_a_place_is_told_by_each_part_and_not_by_their_order():
    parts = [("grid", 1, "A1"), ("load", 2, None)]
    code = j.code("hall", parts)
    assert code == j.code("hall", parts[::-1])
    others = [[("grid", 1, "B2"), parts[1]], [("grid", 3, "A1"), parts[1]], parts[:1]]
    assert code not in [j.code("hall", each) for each in others] + [j.code("yard", parts)]


def test_the_ledger_of_a_made_cabinet_gets_its_first_start(tmp_path):
    """Its record says when it was made, and is no first start."""
    line = pt.provisioned((START_US, "ntp"), "serial 7")
    (tmp_path / pt.FILE).write_bytes(line)
    own = pt.Ledger(str(tmp_path))
    assert own.commission((START_US + DAY_US, "ntp")) and not own.commission((START_US, "ntp"))
    records = pt.read(str(tmp_path)).records
    assert [each.kind for each in records] == [pl.PROVISIONED, pl.COMMISSIONED]
    assert found(records).provisioned == records[0]
