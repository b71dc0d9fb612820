"""Trips out of the names of active instances: one entry each time an instance begins."""

from array import array

from controller.core.base.instances import stage_instances
from controller.core.core import STANDING_BITS
from hil.observer.trips import TripWatch
from safety import signals as s
from tests.tables import cases

LAYOUT = s.Layout(1, 3, 15)
NAMES = stage_instances(LAYOUT)
WORDS = -(-len(NAMES) // STANDING_BITS)


def words(*names):
    out = array("i", [0] * WORDS)
    for name in names:
        index = NAMES.index(name)
        out[index // STANDING_BITS] |= 1 << index % STANDING_BITS
    return out


def seen(*steps):
    watch = TripWatch(LAYOUT)
    for time_s, names in steps:
        watch.see(round(time_s * 1e6), words(*names))
    return watch


def entry(row, stage, scope, t_s):
    return {"row": row, "stage": stage, "scope": scope, "t_s": t_s}


@cases("""name  row  scope
    "1a"  1  "cabinet" | "12b"  12  "cabinet" | "41a.unit1"  41  "unit 1" | "29.rack1"  29  "rack 1"
    NAMES[STANDING_BITS - 1]  None  None | NAMES[STANDING_BITS]  None  None
    NAMES[-1]  59  "rack 3"
""")
def test_an_instance_is_named_by_row_stage_and_scope(name, row, scope):
    (found,) = seen((1.5, [name])).trips
    assert found["stage"] == name.partition(".")[0] and found["t_s"] == 1.5
    assert row is None or (found["row"], found["scope"]) == (row, scope)


def test_an_instance_counts_once_while_it_is_active_and_again_when_it_comes_back():
    steps = ([], ["1a"], ["1a"], ["1a", "29.rack2"], ["29.rack2"], ["1a", "29.rack2"])
    watch = seen(*enumerate(steps, 1))
    first, again = (entry(1, "1a", "cabinet", at_s) for at_s in (2.0, 6.0))
    assert watch.trips == [first, entry(29, "29", "rack 2", 4.0), again]
    assert watch.active() == ["1a", "29.rack2"]
    assert seen((7, ["44c"])).trips == [entry(44, "44c", "cabinet", 7.0)]
    assert TripWatch(LAYOUT).active() == seen((1, ["1a"]), (2, [])).active() == []
    # The controller's outputs are one array that changes in place; a slice of it is a copy.
    watch, out = TripWatch(LAYOUT), words()
    for time_us, name in ((1_000_000, "1a"), (2_000_000, "28.rack1")):
        out[:] = words(name)
        watch.see(time_us, out[:])
    assert [trip["stage"] for trip in watch.trips] == ["1a", "28"]
