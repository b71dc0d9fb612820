"""The algebra of the balance: which signal the others contradict at one moment."""

import pytest
from hypothesis import given, settings, strategies as st

from controller.core.base import balance
from controller.core.base.balance import NOTHING, Readings
from tests.tables import cases

# Bits of the published words: the journal keeps them.
GRID, LOAD, BATTERY, SOURCE, FORMING, POWER, RUNS, SUN = range(8)


def site(set_W=100_000, runs=1, sun_W=50_000, rated_W=300_000, is_due=False, **more):
    """An island of 150 kW that a set of 300 kW carries, beside PV of 200 kW."""
    known = {"is_off_grid": True, "is_forming": False, "is_dead": False, "is_calm": True}
    known |= {"battery_rated_W": 250_000, "connection_W": 500_000, "load_W": 150_000}
    known |= dict.fromkeys(("grid_W", "battery_W", "setpoint_W", "unmetered_W"), 0)
    known["sets"] = (balance.Source(set_W, rated_W, runs, is_due),)
    known["inverters"] = (balance.Source(sun_W, 200_000),)
    return Readings(**known | more)


FORMED = {"is_forming": True, "battery_W": 50_000, "set_W": 50_000}
IDLE = {"set_W": 0, "load_W": 100_000}
CHARGED = {"battery_W": -90_000, "setpoint_W": -90_000, "set_W": 0, "sun_W": 0}
DEAD = {"is_dead": True, "load_W": None, "sun_W": 0}
DOUBTED = {"is_contact_doubted": True}
MOTORED = {"set_W": -9000, "sun_W": 100_000, "load_W": 91_000}
ON_GRID = {"is_off_grid": False, "set_W": 0, "runs": 0, "grid_W": 100_000}


@cases("""
    readings  wrong  doubtful
    {}  ()  () | FORMED  ()  () | ON_GRID  ()  () | {"load_W": None}  ()  ()
    {"runs": 0}  (RUNS,)  () | {**FORMED, "runs": 0}  (RUNS,)  ()
    {"runs": None}  ()  () | {"runs": 0, "load_W": None}  ()  ()
    {"runs": 0, "set_W": 5000, "load_W": 55_000}  (RUNS,)  ()
    {"runs": 0, "set_W": 100_000, "load_W": 50_000}  (POWER,)  ()
    {**DEAD, "runs": 0}  (POWER,)  ()
    {**DEAD, "set_W": 0}  (RUNS,)  () | {**DEAD, "set_W": 5000}  ()  ()
    {**DEAD, "set_W": 0, "is_forming": True}  (RUNS, FORMING)  ()
    {**DEAD, "set_W": 0, "runs": 0, "is_forming": True}  (FORMING,)  ()
    {**DEAD, "set_W": 0, "battery_W": 1000}  ()  ()
    {**DEAD, "set_W": 0, "battery_W": None}  ()  ()
    {**MOTORED}  ()  () | {**MOTORED, "load_W": None}  (POWER,)  ()
    {**MOTORED, "set_W": -61_000, "sun_W": 152_000}  (POWER,)  ()
    {"set_W": 390_000, "load_W": 440_000}  ()  ()
    {"set_W": 451_000, "load_W": 501_000}  (POWER,)  ()
    {**FORMED, "is_forming": False, "runs": 0, "set_W": 1800, "battery_W": 98_000}  ()  ()
    {"set_W": -7000}  (POWER,)  () | {"set_W": 376_000}  (POWER,)  ()
    {"set_W": 375_000, "load_W": 425_000}  ()  () | {"sun_W": -5000}  (SUN,)  ()
    {"set_W": 0}  (POWER,)  () | {"set_W": 10_000}  ()  (LOAD, POWER, SUN)
    {"set_W": 10_000, "is_calm": False}  ()  () | {"set_W": 10_000, "unmetered_W": -90_000}  ()  ()
    {"load_W": 1_500_000}  (LOAD,)  () | {"load_W": -150_000}  (LOAD,)  ()
    {"battery_W": 90_000}  ()  (LOAD, BATTERY, POWER)
    {**FORMED, "set_W": 0, "runs": 0, "battery_W": 150_000}  ()  (LOAD, BATTERY, SUN)
    {**FORMED, "set_W": 0, "runs": None}  ()  (LOAD, BATTERY, POWER, SUN)
    {**CHARGED, "load_W": None}  (POWER,)  ()
    {**FORMED, **IDLE, "is_due": True}  (RUNS,)  () | {**FORMED, **IDLE}  ()  ()
    {"grid_W": 640_000, "load_W": 640_000, "set_W": 0, "runs": 0, "sun_W": 0}  (SOURCE,)  ()
    {"grid_W": 5000}  ()  () | {"grid_W": -25_000}  ()  () | {"grid_W": None}  ()  ()
    {"grid_W": 5000, **DOUBTED}  ()  (SOURCE,) | {"grid_W": 4999, **DOUBTED}  ()  ()
    {"grid_W": 249_999, "unmetered_W": 249_999}  ()  ()
    {"grid_W": 250_000, "unmetered_W": 250_000}  ()  (SOURCE,)
    {"grid_W": 20_000, "load_W": None}  ()  (SOURCE,) | {"grid_W": 19_999, "load_W": None}  ()  ()
    {"grid_W": 100_000, "set_W": 0, "runs": 0}  (SOURCE,)  ()
    {"grid_W": 100_000, "set_W": 0, "runs": 0, "is_calm": False}  ()  ()
    {"grid_W": 250_000, "set_W": 0, "runs": 0, "load_W": 300_000, "is_calm": False}  (SOURCE,)  ()
    {"grid_W": 100_000}  (GRID,)  () | {"grid_W": -100_000}  (GRID,)  ()
    {"grid_W": 100_000, "load_W": None}  ()  (SOURCE,)
    {**DEAD, "grid_W": 100_000, "set_W": 0}  (GRID, RUNS)  ()
    {"grid_W": 100_000, "runs": 0}  (GRID, RUNS)  ()
""")
def test_what_the_others_contradict(readings, wrong, doubtful):
    found = balance.judge(site(**readings))
    assert found == tuple(
        [sum([1 << number for number in numbers]) for numbers in (wrong, doubtful)]
    )


def test_of_several_devices_each_signal_has_a_bit_of_its_own():
    """Sets first: bits 5 and 6, 7 and 8; then inverters: 9 and 10."""
    right = [(100_000, 1), (50_000, 1)], [40_000, 10_000]
    of = {
        ((100_000, 1), (50_000, 0), 40_000, 10_000): 1 << 8,
        ((100_000, 0), (50_000, 1), 40_000, 10_000): 1 << 6,
        ((100_000, 1), (-50_000, 1), 40_000, 10_000): 1 << 7,
        ((100_000, 1), (50_000, 1), -40_000, 10_000): 1 << 9,
        ((100_000, 1), (50_000, 1), 40_000, 900_000): 1 << 10,
        ((900_000, 1), (50_000, 1), 40_000, -10_000): 1 << 5 | 1 << 10,
        (*right[0], *right[1]): 0,
    }
    for (first, second, *sun_W), wrong in of.items():
        sets = tuple([balance.Source(power_W, 300_000, runs) for power_W, runs in (first, second)])
        inverters = tuple([balance.Source(each, 200_000) for each in sun_W])
        assert balance.judge(site(load_W=200_000, sets=sets, inverters=inverters)).wrong == wrong


@cases("""
    first_W  first  second_W  second  wrong
    100_000  {}  1800  {"runs": 0}  0 | 100_000  {}  0  {"is_warming": True}  0
    0  {"is_warming": True}  0  {"is_warming": True}  0 | 0  {}  0  {"runs": 0}  1 << 5
""")
def test_beside_a_set_that_carries_the_load_another_may_stand_or_warm_up(
    first_W, first, second_W, second, wrong
):
    """A current transformer shows a little at 0, and a set gives nothing before its breaker."""
    sets = [
        balance.Source(power_W, 300_000, **{"runs": 1} | more)
        for power_W, more in ((first_W, first), (second_W, second))
    ]
    assert balance.judge(site(sets=tuple(sets))).wrong == wrong


@cases("""
    readings  carries
    {}  True | {"set_W": 1499}  False | {"set_W": None}  False | {"set_W": 1500}  True
    {"is_off_grid": False}  False | {"is_off_grid": False, "grid_W": None}  True
    {"is_off_grid": False, "grid_W": None, "load_W": 50_000}  False
""")
def test_a_set_carries_the_load_where_no_grid_is_known_that_could(readings, carries):
    assert balance.carries(site(**readings)) is carries


POWERS = st.integers(-2_000_000, 2_000_000)


@settings(max_examples=300)
@given(
    set_W=st.integers(2000, 300_000),
    sun_W=st.integers(0, 200_000),
    battery_W=st.integers(-250_000, 250_000),
    is_forming=st.booleans(),
    signal=st.sampled_from(("set_W", "sun_W", "load_W", "battery_W")),
    wrong_W=POWERS,
)
def test_one_wrong_power_never_blames_another_alone(
    set_W, sun_W, battery_W, is_forming, signal, wrong_W
):
    load_W = set_W + sun_W + battery_W
    if load_W < 0:
        return
    right = {"set_W": set_W, "sun_W": sun_W, "battery_W": battery_W, "load_W": load_W}
    known = {"setpoint_W": battery_W, "is_forming": is_forming, "runs": 1}
    assert balance.judge(site(**right, **known)) == NOTHING
    numbers = {"set_W": POWER, "sun_W": SUN, "load_W": LOAD, "battery_W": BATTERY}
    found = balance.judge(site(**right | {signal: wrong_W}, **known))
    assert found.wrong in (0, 1 << numbers[signal])


@settings(max_examples=200)
@given(*[st.none() | POWERS] * 4, st.sampled_from((None, 0, 1)), st.booleans())
def test_without_a_load_meter_only_what_cannot_be_is_contradicted(
    set_W, sun_W, battery_W, grid_W, runs, is_forming
):
    """A wrong range, a grid meter off the grid, and a charge that no source gives."""
    found = balance.judge(site(set_W, runs, sun_W, load_W=None, battery_W=battery_W, grid_W=grid_W))
    if grid_W is None and (battery_W is None or battery_W >= 0):
        assert not found.doubtful and not found.wrong & (1 << LOAD | 1 << BATTERY | 1 << RUNS)


@pytest.mark.parametrize("value", (None, 0, -(10**9), 10**9))
def test_any_reading_is_judged(value):
    for name in ("set_W", "sun_W", "load_W", "battery_W", "grid_W"):
        balance.judge(site(**{name: value}))
