"""Each input of each function is wrong in turn: what the battery and the connection do then.

The inputs come from the roles of the site devices and from what the functions read. A wrong input
may move the battery by at most SMALL_W. One that may do more stands in MORE, with the largest harm.
"""

import pytest
from slow import whole
from wrong_input_bench import (
    BEGIN_TICK,
    DEVICES,
    FIELDS,
    FUNCTIONS,
    IMPORT_W,
    INPUTS,
    KINDS,
    NO_READINGS,
    RATED_W,
    Site,
    courses,
)

from controller.core.policies.known import Known
from controller.core.site_devices import roles

SMALL_W = RATED_W // 20
OVER_W = IMPORT_W // 100
EXPORT_W = 2500
# Longest time beyond a limit of the connection: a load meter that reads 0 lets the battery stop,
# until the slow difference to the grid meter corrects it (site_load.OTHERS_MS).
OVER_TICKS = 50
# input: (largest move of the battery, W; what bounds it, and the worst case)
MORE: dict[str, tuple[int, str]] = {
    "contact": (40_000, "chattering: tracking pauses off the grid, and misses the load"),
    "grid_meter_W": (175_000, "negated: 2 s until the load meter contradicts it; the limits hold"),
    "grid_voltage_permille": (45_000, "0: a sag holds the battery, which misses the load"),
    "load_meter_W": (185_000, "0: tracking follows at once; the grid meter keeps the limits"),
    "soc_permille": (35_000, "0: the backup reserve ends the discharge"),
}
SHORT = [(name, [*KINDS][at % len(KINDS)]) for at, name in enumerate(INPUTS)]
EVERY = [(name, kind) for name in INPUTS for kind in KINDS]


def test_every_role_and_every_field_that_a_function_reads_is_played_or_is_no_reading():
    assert {each.role.name for each in DEVICES} == roles.ROLES.keys()
    read = {name for each in FUNCTIONS for name in each.READS} & set(Known._fields)
    assert {*FIELDS} | NO_READINGS.keys() >= read and NO_READINGS.keys() <= {*Known._fields}
    assert MORE.keys() <= {*INPUTS}


@pytest.mark.parametrize("jobs", (SHORT, *whole(EVERY)), ids=("short", "every"))
def test_a_wrong_input_moves_battery_and_connection_within_its_bound(jobs):
    found = courses(jobs)
    right_W, _, named = found.pop(("", ""))
    assert not named, "no reading is unknown while all are right"
    beyond = {}
    for (name, kind), (powers_W, grids_W, _) in found.items():
        moved_W = max([abs(a - b) for a, b in zip(powers_W, right_W)])
        over = sum([each > IMPORT_W + OVER_W or each < -EXPORT_W for each in grids_W[BEGIN_TICK:]])
        most_W = MORE.get(name, (SMALL_W,))[0]
        if moved_W > most_W or over > OVER_TICKS:
            beyond[name, kind] = moved_W, over
    assert not beyond


SUN, TRIP_TICK = "pv_1.power_W", 625


def sun_of(site):
    return site.site.devices[0].value("power_W")


@pytest.mark.parametrize("settings", [{}, {"load_meter_fitted": 0}, {"share_permille": 500}])
def test_a_sun_that_trips_counts_with_its_first_report(settings):
    site = Site(trip_tick=TRIP_TICK, **settings).run(TRIP_TICK)
    before_W = sun_of(site)
    site.run(631)
    assert sun_of(site) == site.sun_W < before_W / 2 and not site.named


def test_a_report_that_the_meters_contradict_is_unknown_and_named():
    site = Site(SUN, "0").run(BEGIN_TICK + 9)
    before_W = sun_of(site)
    assert before_W == site.site.devices[0].read("power_W") > 100_000 and not site.named
    site.run(BEGIN_TICK + 12)
    assert sun_of(site) is None and site.named == {SUN}
    assert site.site.devices[0].read("power_W") == before_W
    assert sun_of(site.run(BEGIN_TICK + 130)) == 0, "it begins anew"


@pytest.mark.parametrize("settings", [{"share_permille": 500}, {"load_meter_fitted": 0}])
def test_a_false_report_that_nothing_can_contradict_waits(settings):
    """The batteries of other cabinets, or a load without a meter, may hide a real trip."""
    site = Site(SUN, "0", **settings).run(BEGIN_TICK + 29)
    assert sun_of(site) > 100_000
    assert sun_of(site.run(BEGIN_TICK + 32)) == 0 and not site.named
