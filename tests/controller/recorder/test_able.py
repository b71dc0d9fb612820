"""What the battery can do: energy of the racks in service, power at a middle charge, by quarter."""

import pytest
from recorder_bench import Bench

from controller.journal import snapshot
from controller.recorder import quarters
from controller.recorder.able import Able
from safety import contactors, signals as s
from tests.tables import cases

RACK_WH = 215_000  # three racks alike


@pytest.fixture
def seen(tmp_path):
    """The journal of a cabinet that runs, whose racks report a health of 1000 permille."""
    bench = Bench(tmp_path)
    bench.run(15, record=False)
    found = snapshot.read(bench.run_dir / "journal")
    assert found.out[s.STATE] == s.RUNNING
    for rack in range(3):
        report(found, rack, soh=1000, soc=500)
    for way in (s.CHARGE_W_MAX, s.DISCHARGE_W_MAX):  # they rise for a minute
        found.out[found.layout.unit_output(0, way)] = 250_000
    yield found
    found.close()
    bench.close()


def report(seen, rack, soh=None, soc=None):
    for index, value in ((s.SOH_PERMILLE, soh), (s.SOC_PERMILLE, soc)):
        if value is not None:
            seen.inp[seen.layout.rack_input(rack, index)] = value


def able(seen, known=lambda group: True):
    return Able(seen, known)()


def test_a_new_cabinet_can_do_what_its_file_says(seen):
    assert able(seen) == (3 * RACK_WH, 250_000, 250_000)


@cases("""
    reported           energy_Wh        power_W
    (1000, 900, 800)   580_500          250_000
    (1000, 900, 799)   580_285          249_687
    (1000, 900, 400)   494_500          125_000
    (1000, 900, 0)     None             250_000
""")
def test_energy_and_power_follow_the_health_as_the_controller_counts_it(
    seen, reported, energy_Wh, power_W
):
    for rack, soh in enumerate(reported):
        report(seen, rack, soh=soh)
    assert able(seen) == (energy_Wh, power_W, power_W)


@pytest.mark.parametrize("step", [contactors.OPEN, contactors.CLOSING, contactors.FAULT])
def test_a_rack_out_of_service_has_no_energy_whatever_it_reports(seen, step):
    seen.out[seen.layout.rack_output(1, s.CONTACTOR_STEP)] = step
    report(seen, 1, soh=0, soc=0)
    assert able(seen) == (2 * RACK_WH, 250_000, 250_000)
    for rack in (0, 2):
        seen.out[seen.layout.rack_output(rack, s.CONTACTOR_STEP)] = step
    assert able(seen) == (0, 250_000, 250_000)


@cases("""
    soc          charge_W  discharge_W
    (500, 199)   250_000   None
    (500, 200)   250_000   250_000
    (500, 800)   250_000   250_000
    (500, 801)   None      250_000
    (199, 801)   None      None
""")
def test_no_power_counts_near_the_ends_of_the_charge(seen, soc, charge_W, discharge_W):
    for rack, each in enumerate(soc):
        report(seen, rack, soc=each)
    assert able(seen)[1:] == (charge_W, discharge_W)


def test_the_power_is_what_heat_leaves_of_the_limits(seen):
    for way, power_W in ((s.CHARGE_W_MAX, 90_000), (s.DISCHARGE_W_MAX, 80_000)):
        seen.out[seen.layout.unit_output(0, way)] = power_W
    assert able(seen) == (3 * RACK_WH, 90_000, 80_000)


def test_a_stopped_cabinet_silent_racks_and_another_version_know_nothing(seen):
    assert able(seen, lambda group: False)[0] is None
    seen.out[s.STATE] = s.TRIPPED
    assert able(seen) == (None, None, None)
    seen.out[s.STATE] = s.RUNNING
    seen.reader.header["control_image"] = seen.reader.header["control_image"][1:]
    assert able(seen) == (None, None, None)


def test_silence_of_a_rack_forgets_nothing(seen):
    found = Able(seen, lambda group: True)
    assert found()[0] == 3 * RACK_WH
    found._known = lambda group: False
    assert found()[0] == 3 * RACK_WH


def test_the_recorder_publishes_it_each_quarter(tmp_path, monkeypatch):
    monkeypatch.setattr(quarters, "KNOWN_MIN", 5)
    bench = Bench(tmp_path).start_recorder()
    bench.run(15)
    bench.clocks.wall_us += 900_000_000
    bench.run(3)
    (row,) = quarters.read(str(bench.run_dir / quarters.FILE))
    assert 0.97 * 3 * RACK_WH < row.full_Wh < 3 * RACK_WH
    assert 0 < row.charge_W == row.discharge_W < 250_000
    bench.close()
