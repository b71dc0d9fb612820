"""What follows from two contacts together: every combination of contacts, zones and fitted
detectors.
"""

import itertools

import pytest
from desk import Desk
from rows import ticks
from started import running
from text_cases import cases

from safety import matrix as m, signals as s

KNOWN, IN_PART, UNKNOWN = m.KNOWN, m.IN_PART, 0


def votes(zones, heat_fitted, smoke_1, smoke_2, heat):
    """Rows 4 and 5: smoke counts in each zone, heat as one detector more."""
    smoke = [alarm for zone, alarm in ((1, smoke_1), (2, smoke_2)) if zone <= zones].count(True)
    return smoke + 1 if heat and heat_fitted else smoke


@pytest.mark.parametrize("zones", range(3))
@pytest.mark.parametrize("heat_fitted", range(2))
def test_votes_of_smoke_and_heat(zones, heat_fitted):
    desk = Desk(smoke_zones=zones, heat_fitted=heat_fitted)
    for alarms in itertools.product((False, True), repeat=3):
        for signal, alarm in zip((s.SMOKE_1_OK, s.SMOKE_2_OK, s.HEAT_OK), alarms):
            desk.inp[signal] = 0 if alarm else 1
        assert desk.step().of(m.F_FIRE_DETECTORS) == (votes(zones, heat_fitted, *alarms), KNOWN)


@cases("""proof feature group
    s.AIRFLOW_OK m.F_AIRFLOW_MISSING s.G_IO_1 | s.DAMPER_OK m.F_DAMPER_MISSING s.G_IO_3""")
def test_a_proof_is_missing_only_while_the_fan_is_on(proof, feature, group):
    """Of a fan that is off an open contact does not show that it would run again either."""
    desk = Desk().set(s.AIRFLOW_OK, 1).set(s.DAMPER_OK, 1)
    for fan_on, proved in itertools.product(range(2), repeat=2):
        desk.out[s.FAN_ON] = fan_on
        desk.inp[s.AIRFLOW_OK] = desk.inp[s.DAMPER_OK] = 1 - proved
        desk.inp[proof] = proved
        assert desk.step().of(feature) == (
            1 if fan_on and not proved else 0,
            KNOWN if fan_on or proved else IN_PART,
        )
    others = {s.G_IO_1, s.G_IO_2, s.G_IO_3} - {group}
    assert desk.silence(*others).step(1, elapsed=ticks(500) + 1).of(feature)[1] == KNOWN
    desk.silent.clear()
    assert desk.step().silence(group).step(1, elapsed=ticks(500) + 1).of(feature)[1] == UNKNOWN


@cases("""alarms row_4 row_5
    (s.HEAT_OK,) True False | (s.SMOKE_1_OK,) True False | (s.SMOKE_2_OK,) True False
    (s.SMOKE_1_OK,s.HEAT_OK) True True | (s.SMOKE_1_OK,s.SMOKE_2_OK) True True""")
def test_one_detector_is_an_alarm_and_two_are_a_fire(alarms, row_4, row_5):
    bench = running()
    for signal in alarms:
        bench.inp[signal] = 0
    standing = bench.wait(ticks(2000)).step().standing()
    assert ("4" in standing, "5" in standing) == (row_4, row_5)
