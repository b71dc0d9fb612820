"""quarters.csv: means of quarters of an hour, kept over restarts; a damaged one is one line."""

import os
import stat

import pytest

from controller.recorder import quarters
from controller.recorder.quarters import QUARTER_S, Quarter
from controller.recorder.seconds import COLUMNS
from tests.tables import table

FIRST = 1_800_000_000 // QUARTER_S  # a quarter of 2027
UNKNOWN = dict.fromkeys(COLUMNS)


@pytest.fixture
def places(tmp_path):
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    return str(tmp_path / "run"), str(tmp_path / "state")


def second(**known):
    return tuple((UNKNOWN | known).values())


def fed(places, *each, first=FIRST, said=None):
    """A recorder's Quarters after so many seconds of each row, a quarter each."""
    found = quarters.Quarters(*places, (said if said is not None else []).append)
    for at, (count, known) in enumerate(each):
        for number in range(count):
            found.feed(second(**known), ((first + at) * QUARTER_S + number) * 1_000_000)
    return found


def found_in(place):
    return quarters.read(os.path.join(place, quarters.FILE))


def published(places):
    paths = [os.path.join(each, quarters.FILE) for each in places]
    (found, kept), modes = (
        [quarters.read(each) for each in paths],
        {os.stat(p).st_mode for p in paths},
    )
    assert found == kept and {stat.S_IMODE(each) for each in modes} <= {0o640}
    return found


def test_means_balance_and_what_is_unknown(places):
    known = dict(grid_W=300, load_W=400, battery_W=60)
    fed(
        places,
        (900, {**known, "soc_permille": 612}),
        (900, dict(grid_W=200, battery_W=-50)),
        (440, known),
        (900, dict(load_W=5)),
        (1, {}),
    )
    assert published(places) == [
        Quarter(FIRST, 400, 40, 300, 60, 612),
        Quarter(FIRST + 1, 150, None, 200, -50, None),
        Quarter(FIRST + 3, 5, None, None, None, None),
    ]


@pytest.mark.parametrize("known_s, ups_Wh", [(449, None), (450, 4000), (901, 4000)])
def test_a_lowered_load_and_the_energy_of_ups_are_means_of_their_own(places, known_s, ups_Wh):
    found = fed(places)
    for number in range(901):
        beside = 20_000 if number < 450 else 0, None, None, None, 4000 if number < known_s else None
        found.feed(second(load_W=80_000), (FIRST * QUARTER_S + number) * 1_000_000, *beside)
    (row,) = published(places)
    assert (row.load_W, row.lowered_W, row.ups_Wh) == (80_000, 10_000, ups_Wh)
    assert quarters.unlowered(row).load_W == 90_000 and quarters.unlowered(
        row._replace(load_W=None)
    )


def test_what_the_battery_can_do_is_a_mean_of_the_seconds_that_know_it(places):
    found = fed(places)
    for number in range(1800):
        able = (600_000 + 100 * (number % 2), None, 100_000) if number < 450 else (None, None, None)
        if 900 <= number < 900 + 449:
            able = (500_000, 100_000, None)
        found.feed(second(load_W=1), (FIRST * QUARTER_S + number) * 1_000_000, None, *able)
    found.feed(second(), (FIRST + 2) * QUARTER_S * 1_000_000)
    known, unknown = published(places)
    assert known[-5:] == (None, 600_050, None, 100_000, None)
    assert unknown[-5:] == (None,) * 5


OLD = "utc_s,load_W,pv_W,grid_W,battery_W,soc_permille"


@pytest.mark.parametrize("more, lowered_W", [("", None), (",lowered_W", 7)])
def test_a_file_of_an_earlier_version_is_read(places, more, lowered_W):
    path = os.path.join(places[0], quarters.FILE)
    cells = ",7" if more else ""
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{OLD}{more}\n{FIRST * QUARTER_S},5,0,5,0,612{cells}\n")
    assert quarters.read(path) == [Quarter(FIRST, 5, 0, 5, 0, 612, lowered_W)]


def test_a_line_with_a_part_of_the_new_cells_is_left_out(places):
    path = os.path.join(places[0], quarters.FILE)
    lines = [f"{(FIRST + at) * QUARTER_S},5,0,5,0,612,,{at}{',' * at}" for at in range(5)]
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join([quarters.HEADER, *lines, ""]))
    assert quarters.read(path) == [Quarter(FIRST + 3, 5, 0, 5, 0, 612, None, 3)]


def test_a_restart_goes_on_and_28_days_are_kept(places):
    fed(places, (900, dict(load_W=1)), (1, {}))
    os.unlink(os.path.join(places[0], quarters.FILE))  # a new boot
    fed(places)
    assert [each.number for each in published(places)] == [FIRST]
    path = os.path.join(places[1], quarters.FILE)
    rows = [f"{(FIRST + at) * QUARTER_S},1,,,," for at in range(2688)]  # 28 days
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join([OLD, *rows, ""]))
    fed(places, (900, dict(load_W=2)), (1, {}), first=FIRST + 2688)
    assert [each.number - FIRST for each in published(places)] == [*range(1, 2689)]


@pytest.mark.parametrize("grid_W, load_W, pv_W", [(115, 105, 0), (110, 100, 0), (90, 100, 20)])
def test_what_only_the_grid_meter_sees_counts_as_load(places, grid_W, load_W, pv_W):
    fed(places, (900, dict(load_W=100, grid_W=grid_W, battery_W=-10)), (1, {}))
    assert published(places)[0][1:4] == (load_W, pv_W, grid_W)


@pytest.mark.parametrize("days", [60, -60, 2])
def test_a_wrong_clock_costs_no_measured_quarter(places, days):
    """Both files have the day before; quarters later than now are kept, and published to nobody."""
    day, wrong = range(FIRST, FIRST + 96), FIRST + 96 + days * 96
    fed(places, *[(900, dict(load_W=1))] * 96, (1, {}))
    fed(places, *[(900, dict(load_W=7))] * 2, (1, {}), first=wrong)
    assert {wrong, wrong + 1} <= {each.number for each in found_in(places[0])}
    fed(places, *[(900, dict(load_W=2))] * 2, (1, {}), first=FIRST + 98)
    right = [*day, FIRST + 98, FIRST + 99]
    before = [wrong, wrong + 1] if days < 0 else []
    assert [each.number for each in found_in(places[0])] == before + right
    assert len(found_in(places[1])) == 100
    assert {each.load_W for each in found_in(places[0]) if each.number in day} == {1}


def test_a_measurement_replaces_the_quarter_of_a_clock_that_was_ahead(places):
    fed(places, (900, dict(load_W=7)), (1, {}), first=FIRST + 2)
    fed(places, *[(900, dict(load_W=1))] * 3, (1, {}))
    assert [(each.number - FIRST, each.load_W) for each in published(places)] == [
        (0, 1),
        (1, 1),
        (2, 1),
    ]


def test_a_day_that_is_none_leaves_no_quarter(places):
    fed(places, (900, dict(load_W=1)), (1, {}))
    fed(places, (900, dict(load_W=1)), (1, {}), first=0)
    assert [each.number for each in published(places)] == [FIRST]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"a,b\n1,2\n", f"{quarters.HEADER}\n9,1,1,1,1\n".encode()]
    + [f"{quarters.HEADER}\n{line}\n".encode() for (line,) in table("9,x,1,1,1,1 ; 9,nan,1,1,1,1")]
    + [f"{quarters.HEADER}\n{'9' * 5000},,,,,\n".encode(), b"9" * (2 << 20)],
)
def test_a_damaged_file_is_one_line_and_is_replaced(places, content):
    path = os.path.join(places[1], quarters.FILE)
    with open(path, "wb") as file:
        file.write(content)
    with pytest.raises(quarters.QuartersError) as refused:
        quarters.read(path)
    assert str(refused.value).isprintable() and str(refused.value).startswith(path)
    said = []
    fed(places, (900, dict(load_W=1)), (1, {}), said=said)
    assert len(said) == 1 and [each.number for each in published(places)] == [FIRST]


def test_an_odd_line_costs_that_line_and_is_named(places):
    """A hole, an order of another kind and a second measurement of a quarter cost nothing."""
    begin_s = FIRST * QUARTER_S
    good = [f"{begin_s + 900 * at},{at},0,5,0,612,0" for at in (3, 0, 9)]
    again = f"{begin_s},7,0,5,0,612,0"
    for odd in (
        f"{begin_s + 450},9,0,5,0,612,0",
        "",
        "x",
        f"{begin_s},nan,0,5,0,612,0",
        f"{begin_s},1",
    ):
        text = "\n".join([quarters.HEADER, *good[:2], odd, good[2], again, ""])
        for place in places:
            with open(os.path.join(place, quarters.FILE), "w", encoding="ascii") as file:
                file.write(text)
        doubts = []
        found = quarters.read(os.path.join(places[0], quarters.FILE), doubts)
        assert [(row.number - FIRST, row.load_W) for row in found] == [(0, 7), (3, 3), (9, 9)], odd
        (line,) = doubts
        assert "1 lines are left out, the first is line 4" in line
        said = []
        fed(places, (900, dict(load_W=1)), (1, {}), first=FIRST + 20, said=said)
        assert said == [line.replace(places[0], places[1])]
        assert [each.number - FIRST for each in published(places)] == [0, 3, 9, 20]


def test_the_quarter_that_was_measured_first_gives_way_after_a_restart_too(places, monkeypatch):
    monkeypatch.setattr(quarters, "KEPT", 3)
    lines = [f"{(FIRST + at) * QUARTER_S},{at},,,,," for at in (1, 2, 3, 1)]
    for place in places:
        with open(os.path.join(place, quarters.FILE), "w", encoding="ascii") as file:
            file.write("\n".join([quarters.HEADER, *lines, ""]))
    fed(places, (900, dict(load_W=9)), (1, {}), first=FIRST + 9)
    assert [each.number - FIRST for each in published(places)] == [1, 3, 9]


def test_a_disk_that_takes_nothing_is_said_once(places):
    said = []
    os.rmdir(places[0])
    fed(places, *[(900, dict(load_W=1))] * 3, (1, {}), said=said)
    assert len(said) == 1 and "planner" in said[0]
