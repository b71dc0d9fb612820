"""Chain-only mode beside byte mode: the same Known, Found and decisions, field by field."""

import pytest
from chain_beside_bytes import AFTER_S, SETTLED_S, Case, Slack, chain_of, differing, played

from controller.core.base.schedule_table import OPEN_W
from controller.core.policies.found import Found
from controller.core.policies.known import Known
from controller.core.policies.modes import BLACK_START, GRID, HAND_OVER, ISLAND
from hil.systems.sized import Size
from hil.values.mean_readings import NOT_KNOWN
from hil.values.rig import ValueRig
from tests.slow import whole

BACK = {"mode_return_s": 10}
OUTAGE = (40, 45)
SMALL = {"energy_Wh": 230_400} | BACK  # 100 Ah: 1 permille of charge in 7 s at 120 kW
SMALL |= {"soc_reserve_peaks_permille": 100, "soc_reserve_backup_permille": 50}
PLAN = (
    (120_000, OPEN_W, OPEN_W, 0),
    (OPEN_W, -100_000, -60_000, 0),
    (OPEN_W, 50_000, 80_000, 0),
    (OPEN_W, OPEN_W, OPEN_W, 600),
    (150_000, OPEN_W, OPEN_W, 600),
)
GENSET = {"role": "genset", "profile": "dse_genset", "rated_W": 300_000}
UNITS = Size(3, 3, 250_000, 1_935_000, 1_500_000, 0, {}, {"diesel": GENSET})
MEAN_CELL = "a cell of the plant is weaker than the mean: its limit falls earlier"
STEP = "a step of 130 kW that is answered 1 s later is 9 kW of the last 15 s of an interval"
TAKES = "the load of the set has a time constant of 5 s and steps each 10 s"
SUN_FALLS = "PV falls to the load at 20 kW/s; without a meter's delay it is there a second earlier"
TAKES_BACK = "the UPS takes its load back, and the set goes down, within the second of a return"
TRACKS = "load tracking begins anew at the return, from the readings of that moment"
SECOND = "the set takes a stage that comes back for one whole second, then the battery"
KINDS = "known", "found"
PEAK = {"peak_import_W_max": 150_000, "peak_interval_s": 60}
CASES = {
    "carried": Case(lambda t_s: 240_000.0 if t_s < 50 else 200_000.0, 125, 0.5, OUTAGE, BACK),
    "set start": Case(
        lambda t_s: 240_000.0, 190, 0.153, (40, 110), SMALL, plant={"capacity_Ah": 100.0}
    ),
    "black start": Case(
        lambda t_s: 240_000.0,
        190,
        0.9,
        (40, 110),
        BACK,
        forms=(False,),
        genset={"start_s": 30.0},  # dark for longer than any slack
        slack=(
            Slack("import_room|low_W", 25_000, SETTLED_S, TAKES),
            Slack("genset_1.power_W", 70_000, SETTLED_S, SECOND),
        ),
    ),
    "set on the grid": Case(lambda t_s: 240_000.0, 120, 0.12, OUTAGE, BACK, from_s=39),
    "UPS of the load": Case(
        lambda t_s: 200_000.0,
        125,
        0.5,
        OUTAGE,
        BACK,
        forms=(False,),
        ups_W=220_000.0,
        slack=(Slack("_W|obligation", 45_000, SETTLED_S, TAKES_BACK),),
    ),
    "sun": Case(
        lambda t_s: 20_000.0,
        120,
        0.955,
        OUTAGE,
        BACK,
        noon=True,
        rows=((OPEN_W, 0, 0, 0),) * 3,
        slack=(
            Slack("request", 200_000, SETTLED_S, TRACKS),
            Slack("caps_reason|grid_W|grid_meter_W", 20_000, SETTLED_S, SUN_FALLS),
        ),
    ),
    "peak": Case(
        lambda t_s: 330_000.0 if t_s > 60 and t_s % 60 >= 30 else 200_000.0,
        200,
        0.5,
        control=PEAK,
        rows=((OPEN_W, 0, 0, 0),) * 5,
        from_s=62,
        slack=(
            Slack("held_back_W", 30_000, AFTER_S, STEP),
            Slack("_W$|obligation.peak", 9000, AFTER_S, STEP),
        ),
    ),
    "schedule": Case(lambda t_s: 200_000.0, 320, 0.5, rows=PLAN),
    "caps of a schedule": Case(lambda t_s: 200_000.0, 295, 0.5, rows=PLAN, source=0),
    "units": Case(
        lambda t_s: 400_000.0, 120, 0.6, OUTAGE, BACK, forms=(True, True, False), file=UNITS
    ),
}
EMPTY = Case(
    lambda t_s: 240_000.0 if t_s < 60 else 450_000.0,
    330,
    0.055,
    (40, 1000),
    BACK,
    genset={"fuel_permille": 0.0},
    slack=(
        Slack("high_reason|discharge_reason", 1000, AFTER_S, MEAN_CELL),
        Slack("high_W|limit|forming_W", 60_000, AFTER_S, MEAN_CELL),
    ),
)


def test_each_field_is_compared_or_named_as_not_known():
    short = CASES["carried"]._replace(for_s=1)
    found = {name.split(".")[1] for name in chain_of(short, 0.5)[0] if name[:5] in KINDS}
    every = {*Known._fields, *vars(Found())}
    assert every - found - {*NOT_KNOWN} == {"hints", "schedule"}, "their words are published"
    assert {*NOT_KNOWN} <= every


@pytest.mark.whole
@pytest.mark.parametrize("name", ["carried", "set start"])
def test_an_outage_of_chain_only_is_that_of_value_mode(name):
    assert differing(CASES[name], *played(CASES[name], ValueRig, 100)) == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", whole(*CASES))
def test_each_decision_of_chain_only_is_that_of_byte_mode(name):
    assert differing(CASES[name], *played(CASES[name])) == []


@pytest.mark.timeout(600)
@pytest.mark.whole
def test_an_island_ends_dark_when_the_battery_is_empty():
    """Row 41d, or the charge, ends it in both; in byte mode up to 10 permille of charge earlier."""
    by_bytes, chain = played(EMPTY)
    assert differing(EMPTY, by_bytes, chain) == []
    both = chain, [ticks[-1] for ticks in by_bytes]
    assert [modes(each) for each in both] == [[GRID, HAND_OVER, ISLAND, BLACK_START]] * 2
    ends = [each[-1]["known.soc_permille.0"] for each in both]
    assert 0 <= ends[1] - ends[0] <= 15 and ends[1] < 55


def modes(seconds):
    found = [each["found.mode"] for each in seconds]
    return [mode for at, mode in enumerate(found) if at == 0 or mode != found[at - 1]]
