"""Contacts of the grid operator: what each leaves of the connection, silence, and off the grid."""

import pytest
from device_bench import Bench
from views import device

from controller.core.base.answers import Obligation
from controller.core.policies import grid_contact as gc
from controller.core.policies.found import Found
from controller.core.policies.grid_contact import GridContact

IMPORT_W, EXPORT_W = 500_000, 400_000
STEPS = {"contact_1_import_permille": 600, "contact_2_import_permille": 300}
STEPS |= {"contact_3_import_permille": 0, "contact_3_export_permille": 500}
SETTLED = 150  # ticks, longer than a contact bounces


def bench(*more, **settings):
    own = {"grid_import_W_max": IMPORT_W, "grid_export_W_max": EXPORT_W}
    return Bench(GridContact, device("grid_contact", **{**STEPS, **settings}), *more, **own)


def closed(found, *numbers, number=1, connection_W=700_000):
    """The obligation after a report of these closed contacts."""
    names = {n: f"grid_contact_{number}__contact_{n}" for n in (1, 2, 3)}
    found.hear(**{name: int(n in numbers) for n, name in names.items()})
    return stepped(found, SETTLED, connection_W)


def stepped(found, ticks=1, connection_W=700_000):
    for _ in range(ticks):
        answers = found.step(connection_W=connection_W)
    return [Obligation(*each) for each in answers]


@pytest.mark.parametrize(
    ("numbers", "import_W", "export_W"),
    [
        ((1,), 300_000, EXPORT_W),
        ((2,), 150_000, EXPORT_W),
        ((1, 2), 150_000, EXPORT_W),
        ((3,), 0, 200_000),
        ((1, 3), 0, 200_000),
    ],
)
def test_the_tightest_closed_contact_counts(numbers, import_W, export_W):
    found = bench()
    closed(found)
    (answer,) = closed(found, *numbers)
    assert (answer.low_W, answer.low_reason) == (700_000 - import_W, gc.CONTACT_IMPORT)
    assert (answer.high_W, answer.high_reason) == (700_000 + export_W, gc.CONTACT_EXPORT)
    assert found.function.numbers(gc.CONTACT_IMPORT) == {
        "kind": "contact",
        "import_W_max": import_W,
        "export_W_max": export_W,
    }
    assert closed(found) == []


@pytest.mark.parametrize("is_off_grid", (False, True))
def test_pv_learns_how_much_less_may_be_exported(is_off_grid):
    found = bench()
    closed(found)
    assert found.seen.export_less_W == 0
    closed(found, 3)
    seen = Found()
    way = found.function.hold if is_off_grid else found.function.step
    way(None, seen, 1)
    assert seen.export_less_W == 200_000


def test_before_its_first_reply_a_contact_counts_as_closed():
    found = bench()
    found.hear(is_fresh=False)
    found.function = GridContact(found.setup)
    (answer,) = stepped(found)
    assert answer.low_W == 700_000 and answer.high_W == 900_000
    assert [*found.function.out] == [0, 0, 200_000], "none is reported closed"
    closed(found, 1, 3)
    assert found.function.out[0] == 0b101
    assert closed(found) == []


def test_a_silent_module_keeps_the_last_state():
    found = bench()
    closed(found, 1)
    found.hear(is_fresh=False)
    (answer,) = stepped(found, 9000)
    assert answer.low_W == 400_000
    closed(found)
    found.hear(is_fresh=False)
    assert stepped(found, 9000) == []


def test_the_tightest_contact_of_two_modules_counts():
    found = bench(device("grid_contact", 2, contact_1_import_permille=100))
    closed(found)
    closed(found, number=2)
    closed(found, 2)
    (answer,) = closed(found, 1, number=2)
    assert answer.low_W == 650_000


def test_without_the_import_there_is_no_obligation():
    found = bench()
    closed(found, 1)
    assert stepped(found, connection_W=None) == []


def test_off_the_grid_the_contacts_are_read_for_the_way_back():
    found = bench()
    closed(found)
    found.hear(grid_contact_1__contact_2=1)
    for _ in range(SETTLED):
        found.function.hold(None, Found(), 1)
    (answer,) = stepped(found)
    assert answer.low_W == 550_000
