"""Generator set: when it runs, repeated starts, load in steps, least load, after an outage."""

import pytest
from device_bench import Bench
from views import device

from controller.core.base import reasons
from controller.core.base.answers import Obligation
from controller.core.policies import modes
from controller.core.policies.genset_start import SHARE, GensetStart
from tests.tables import cases

LOW, HALF, FULL = ({"soc_permille": (soc, 900)} for soc in (80, 300, 400))
ISLAND = {"mode": modes.ISLAND, "is_off_grid": True}
FORMED = ISLAND | {"is_forming": True}
GRID, RETURN = {"mode": modes.GRID}, {"mode": modes.RETURN}
BLACK_START = {"mode": modes.BLACK_START, "is_off_grid": True}


def genset():
    return Bench(GensetStart, device("genset"))


@cases("""
    soc  mode  wanted
    (151, 900)  FORMED  0 | (150, 900)  FORMED  1 | (150, 900)  RETURN  1
    (81, 900)  GRID  0 | (80, 900)  GRID  1 | None  GRID  0 | None  FORMED  0
""")
def test_a_generator_starts_at_the_lowest_charge_on_the_grid_below_what_is_kept(soc, mode, wanted):
    """The schedule may take the battery on the grid down to the reserve: no reason for a start."""
    assert genset().asked(soc_permille=soc, **mode)[0][0] == wanted


@cases("""
    mode  is_needed  wanted
    FORMED  True  1 | FORMED  False  0 | GRID  True  0
""")
def test_a_generator_starts_and_stays_while_an_island_lacks_power(mode, is_needed, wanted):
    bench = genset()
    assert bench.asked(**FULL, **mode, is_set_needed=is_needed)[0][0] == wanted
    assert bench.asked(**FULL, **mode)[0][0] == 0


@pytest.mark.parametrize("is_ready, wanted", ((1, 1), (0, 0)))
def test_a_generator_that_is_not_ready_is_not_asked_and_why_says_so(is_ready, wanted):
    bench = genset()
    bench.hear(genset_1__is_ready_ok=is_ready)
    reason = reasons.GENSET_NEEDED if is_ready else reasons.GENSET_NOT_READY
    assert bench.asked(soc_permille=(0, 0)) == {0: (wanted, reason)}
    bench.hear(genset_1__is_ready_ok=1)
    assert bench.asked(soc_permille=None) == {0: (1, reasons.GENSET_NEEDED)}, "still needed"


@cases("""
    soc  wanted
    (399, 900)  1 | (400, 400)  0 | None  1
""")
def test_a_generator_stops_at_its_charge_and_goes_on_while_the_charge_is_unknown(soc, wanted):
    bench = genset()
    bench.asked(soc_permille=(80, 100))
    assert bench.asked(soc_permille=soc)[0][0] == wanted


def merged(parts):
    return {name: value for part in parts for name, value in part.items()}


def running(**settings):
    """A set of 100 kW that was asked at a low charge and runs."""
    bench = Bench(GensetStart, device("genset", rated_W=100_000, **settings))
    bench.asked(**LOW)
    bench.hear(genset_1__is_running=1)
    return bench


@cases("""
    first  then  wanted
    [FULL]  FULL, BLACK_START  1 | [FULL]  FULL, ISLAND  0 | [LOW]  FULL, ISLAND  1
    [LOW]  FULL, FORMED  0 | [LOW, FORMED]  FULL, RETURN  1 | [LOW, FORMED]  HALF, GRID  0
    [LOW]  HALF, GRID  1 | [LOW, FORMED]  LOW, GRID  1 | [LOW, FORMED]  GRID, GRID  1
    [LOW, FORMED]  HALF, FORMED  1
""")
def test_it_runs_while_nothing_else_carries_the_bus_and_until_the_grid_is_certain(
    first, then, wanted
):
    bench = Bench(GensetStart, device("genset"))
    bench.asked(**merged(first))
    assert bench.asked(**merged(then))[0][0] == wanted


@pytest.mark.parametrize("mode, wanted", ((ISLAND, 1), (FORMED, 0), (GRID, 0)))
def test_after_a_start_an_engine_that_carries_the_island_runs_on(mode, wanted):
    bench = Bench(GensetStart, device("genset"))
    bench.hear(is_fresh=False)
    assert bench.asked(**FULL, **GRID)[0][0] == 0
    bench.hear(genset_1__is_running=1)
    for _ in range(249):
        assert bench.asked(**FULL, **GRID)[0][0] == 1, "the contact is not certain for 5 s"
    assert bench.asked(**FULL, **mode)[0][0] == wanted


def override(bench, ticks=1, **known):
    """(value, reason) of the obligation for the set, None: none."""
    for _ in range(ticks):
        found = bench.step(**known)
    answers = [one for number, one in found[:2] if isinstance(one, Obligation)]
    return (answers[0].low_W, answers[0].low_reason) if answers else None


def test_a_start_that_fails_is_tried_again_and_said_until_the_last_one():
    """A start may take 60 s, the next one comes 30 s later, three in all; a tick lasts 20 ms."""
    bench = Bench(GensetStart, device("genset"))
    again, failed = reasons.GENSET_STARTS_AGAIN, reasons.GENSET_FAILED
    seen = []
    for tick in range(20_000):
        now = override(bench, **LOW)
        if not seen or seen[-1][1] != now:
            seen.append((tick, now))
    assert seen == [
        (0, None),
        (3000, (0, again)),
        (4500, (1, again)),
        (7500, (0, again)),
        (9000, (1, again)),
        (12_000, (0, failed)),
    ]
    bench.hear(genset_1__is_running=1)
    assert override(bench, **LOW) is None, "a person has started it"
    bench.step(250, **LOW)
    assert bench.asked(**FULL)[0][0] == 0 and bench.asked(**LOW)[0][0] == 1


def test_an_engine_that_stops_by_itself_is_started_again():
    bench = running()
    assert override(bench, **LOW) is None
    bench.hear(genset_1__is_running=0)
    assert override(bench, **LOW) == (0, reasons.GENSET_STARTS_AGAIN)
    assert override(bench, 1500, **LOW) == (1, reasons.GENSET_STARTS_AGAIN)


def test_a_fault_during_the_start_ends_it_at_once():
    bench = Bench(GensetStart, device("genset", starts_max=1))
    bench.step(**LOW)
    bench.hear(genset_1__is_ready_ok=0)
    assert override(bench, **LOW) == (0, reasons.GENSET_FAILED)


def test_a_silent_set_keeps_the_time_of_its_start():
    bench = Bench(GensetStart, device("genset"))
    override(bench, 3000, **LOW)
    bench.hear(is_fresh=False)
    assert override(bench, 5000, **LOW) is None
    bench.hear()
    assert override(bench, **LOW) == (0, reasons.GENSET_STARTS_AGAIN)


STOPPED = {"genset_1__is_running": 0, "genset_1__is_ready_ok": 0}


def failed(**settings):
    """A set of which no start has succeeded."""
    bench = Bench(GensetStart, device("genset", **settings))
    assert override(bench, 12_001, **LOW) == (0, reasons.GENSET_FAILED)
    return bench


def test_a_set_that_its_operator_stops_for_minutes_is_started_when_it_is_automatic_again():
    """Time while it is not ready is no start: three starts are left."""
    bench = running()
    bench.step(**LOW)
    bench.hear(**STOPPED)
    for _ in range(9000):
        assert bench.asked(**LOW) == {0: (0, reasons.GENSET_NOT_READY)}
    bench.hear(genset_1__is_ready_ok=1)
    assert bench.asked(**LOW) == {0: (1, reasons.GENSET_NEEDED)}
    found = [override(bench, **LOW) for _ in range(12_001)]
    assert found.index((0, reasons.GENSET_FAILED)) == 11_999
    assert (1, reasons.GENSET_STARTS_AGAIN) in found


@pytest.mark.parametrize("not_ready_ticks, wanted", ((1499, 0), (1500, 1)))
def test_a_failed_set_is_started_again_after_it_was_not_ready_for_the_pause_between_starts(
    not_ready_ticks, wanted
):
    """A contact that chatters gives no new starts."""
    bench = failed()
    bench.hear(genset_1__is_ready_ok=0)
    override(bench, not_ready_ticks, **LOW)
    bench.hear(genset_1__is_ready_ok=1)
    assert bench.asked(**LOW)[0] == (1, reasons.GENSET_NEEDED)
    assert override(bench, **LOW) == (None if wanted else (0, reasons.GENSET_FAILED))


def test_an_emergency_stop_counts_no_start():
    bench = running()
    bench.hear(genset_1__is_running=0)
    for _ in range(3):
        override(bench, 100, **LOW)
        for _ in range(6000):
            assert bench.asked(is_estop=True, **LOW)[0][0] == 0
    assert override(bench, 2999, **LOW) is None
    assert bench.function.engines[0].state.starts == 1, "the first start"


@pytest.mark.parametrize("mode, again", ((GRID, False), (FORMED, True)))
def test_an_island_that_needs_a_failed_set_tries_one_start_every_five_minutes(mode, again):
    bench, known = failed(), LOW | mode
    assert override(bench, 14_999, **known) == (0, reasons.GENSET_FAILED)
    assert (override(bench, **known) == (1, reasons.GENSET_STARTS_AGAIN)) is again
    assert override(bench, 3000, **known) == (0, reasons.GENSET_FAILED), "one start"


def share_W(bench, ticks=1, **known):
    """(low, high) of the battery's obligation, None: none."""
    for _ in range(ticks):
        found = bench.step(**LOW | known)
    answers = [each[1:4:2] for each in found if each[0] == SHARE]
    return answers[0] if answers else None


@cases("""
    ticks  low_W
    499  None | 500  10_000 | 999  10_000 | 1000  -20_000 | 1499  -20_000 | 1500  -50_000
    2000  -60_000 | 9000  -60_000
""")
def test_it_takes_load_in_steps_and_no_less_than_its_least_load(ticks, low_W):
    """30 kW from 10 s on, 60 kW from 20 s, 90 kW from 30 s, then 100 kW; 30 kW at least."""
    bench = running()
    bench.hear(genset_1__power_W=40_000)
    found = share_W(bench, ticks, **ISLAND, battery_W=0)
    assert found == (None if low_W is None else (low_W, 10_000))


@cases("""
    known  power_W  found
    {"battery_W": 0}  10_000  (-90_000, -20_000)
    {"battery_W": -20_000}  30_000  (-90_000, -20_000)
    {"battery_W": None}  10_000  None | {"battery_W": 0, "is_forming": True}  10_000  None
    {"battery_W": 0, "is_off_grid": False}  10_000  None
    {"battery_W": 0}  120_000  (20_000, 90_000)
    {"battery_W": 0, "load_meter_W": 60_000}  60_000  (-40_000, 30_000)
    {"battery_W": 0, "load_meter_W": 60_000}  0  (-100_000, 30_000)
    {"battery_W": 0, "load_meter_W": 60_000}  600_000  (-40_000, 570_000)
    {"battery_W": 0, "load_meter_W": 0, "is_load_wrong": True}  60_000  (-40_000, 30_000)
    {"battery_W": 0, "load_meter_W": 60_000, "unmetered_W": 9000}  69_000  (-40_000, 39_000)
    {"battery_W": None, "load_meter_W": 60_000}  60_000  None
""")
def test_below_the_least_load_the_battery_charges_above_the_rating_it_gives(known, power_W, found):
    """It does what both ask for with a load meter: a power stuck at 0 never charges it."""
    bench = running()
    bench.hear(genset_1__power_W=power_W)
    bench.step(2000, **LOW, **ISLAND)
    assert share_W(bench, **ISLAND | known) == found


def test_a_set_that_the_transfer_switch_called_takes_load_in_the_same_steps():
    """If what it gives were what it takes, each fall of the load would unload it further."""
    bench = Bench(GensetStart, device("genset", rated_W=100_000))
    bench.asked(**FULL)
    bench.hear(genset_1__is_running=1, genset_1__power_W=40_000)
    assert share_W(bench, 5000, **ISLAND | FULL, battery_W=0) == (-60_000, 10_000)


def test_an_engine_that_is_found_running_has_passed_its_steps():
    bench = Bench(GensetStart, device("genset", rated_W=100_000))
    bench.hear(genset_1__is_running=1, genset_1__power_W=90_000)
    assert share_W(bench, 1, **ISLAND | FULL, battery_W=0) == (-10_000, 60_000)


def test_a_step_of_the_load_reaches_the_obligation_through_the_low_pass_and_a_restart():
    bench, again = running(), running()
    for each in (bench, again):
        each.hear(genset_1__power_W=40_000)
    assert share_W(bench, 3000, **ISLAND, battery_W=0) == (-60_000, 10_000)
    before = share_W(bench, 250, **ISLAND, battery_W=30_000)
    assert 17_000 <= before[1] - 10_000 <= 20_000, "63 % of 30 kW after 5 s"
    for block, words in zip(again.function.arrays(), bench.function.arrays()):
        block[:] = words
    assert share_W(again, **ISLAND, battery_W=30_000) == share_W(bench, **ISLAND, battery_W=30_000)


@cases("""
    power_W  wanted  takes_W
    0  True  0 | 40_000  False  0
""")
def test_before_it_accepts_load_a_set_takes_none_whatever_its_steps(power_W, wanted, takes_W):
    """Steps of 10 s, the first one after 60 s."""
    settings = {"rated_W": 100_000, "accept_after_s": 60, "accept_every_s": 10}
    bench = Bench(GensetStart, device("genset", **settings))
    bench.asked(**(LOW if wanted else FULL))
    bench.hear(genset_1__is_running=1, genset_1__power_W=power_W)
    for _ in range(2999):
        bench.step(**ISLAND)
        assert bench.seen.genset_W == takes_W
    bench.step(**ISLAND)
    assert bench.seen.genset_W == 30_000
