"""Every power and current is judged by a rating, or says here why none fits."""

import ast
import sys

import pytest

from controller.core.site_devices.roles import ROLES
from drivers import plausible
from safety import signals
from tests.repository import ROOT
from tests.tables import cases

sys.path.append(str(ROOT / "tests" / "drivers"))
from register_converter import PROFILES, RATED_W, built  # noqa: E402

from tests.exemptions import Exempt, same

NAN, INFINITE = float("nan"), float("inf")
QUANTITIES = ("W", "kW", "MW", "VA", "kVA", "var", "kvar", "A", "mA")
# inputs of the kernel: by the driver that stores them
KERNEL = {
    "grid_power_W": "drivers/meter.py",
    "load_power_W": "drivers/meter.py",
    "pcs_power_W": "drivers/register_pcs_readings.py",
}
FITS = "tests/safety/test_rows.py::test_trips_at_its_threshold_in_its_tick"
WITHOUT_RATING = {
    "pcs_dc_current_mA": Exempt(
        "a wrong one trips: the kernel compares it with the racks' currents (rows 54, 55)", FITS
    ),
    "pcs_setpoint_W": Exempt("a wrong one trips: it is compared with what was sent (row 56)", FITS),
    "pcs_sent_W": Exempt("none: it is the controller's own", FITS),
    "rack_current_mA": Exempt(
        "a wrong one trips: an overload and a short circuit must (rows 16 to 19 and 53)", FITS
    ),
    **same(
        Exempt("a limit that is too high: the installer's own bounds it", FITS),
        "charge_current_mA_max",
        "discharge_current_mA_max",
    ),
}
# modules that read powers of a file or of the wire, without a rating of their own
READERS = {
    "controller/audit/table.py": Exempt(
        "a power of the wrong size is audited; the office does not know the size of the site",
        "tests/controller/audit/test_audit_command.py::test_edges_of_size_and_limit",
    ),
    "controller/planner/feeds/points.py": Exempt(
        "none: feeds/held.py judges its points",
        "tests/controller/planner/test_inputs.py::test_a_day_of_sun_in_the_wrong_unit_is_doubted",
    ),
    "controller/series/jobs.py": Exempt(
        "none: feeds/held.py judges the load of a job plan",
        "tests/controller/planner/test_feed_files.py::test_a_wrong_job_plan_is_one_line",
    ),
    "controller/watch/load_files.py": Exempt(
        "a gate releases a job too early; the limits of the cabinet hold",
        "tests/controller/watch/test_gpu_load.py"
        "::test_a_counter_that_stands_beside_watts_contradicts_them",
    ),
    "drivers/pcs_readings.py": Exempt(
        "none: config/families.py narrows the range of its register",
        "tests/controller/config/test_plausible.py"
        "::test_a_power_beyond_twice_the_rating_of_a_converter_is_no_reading",
    ),
}


def rated_here(name):
    return name.rpartition("_")[2] in QUANTITIES


def test_every_power_of_a_site_device_has_a_rating():
    powers = {
        f"{role.name}.{each.name}": each.margin
        for role in ROLES.values()
        for each in role.signals
        if rated_here(each.name)
    }
    assert len(powers) >= 6
    assert [name for name, margin in powers.items() if margin is None] == []


def test_every_power_and_current_of_the_kernel_has_a_rating_or_a_reason():
    every = signals.CABINET_INPUTS + signals.UNIT_INPUTS + signals.RACK_INPUTS
    found = {name for name, unit, *_ in every if unit in QUANTITIES}
    assert found == {*KERNEL, *WITHOUT_RATING}
    for place in KERNEL.values():
        assert "plausible(" in (ROOT / place).read_text(encoding="utf-8")


def reads_powers(tree):
    """It stores a power in the process image, or reads the unit of a power."""
    for node in ast.walk(tree):
        names = [each.name for each in getattr(node, "names", []) if isinstance(each, ast.alias)]
        if "POWER" in names and node.module.startswith("controller.series"):
            return True
        if isinstance(node, ast.ImportFrom) and node.module.endswith("feeds.held"):
            return True
        slots = node.targets if isinstance(node, ast.Assign) else []
        for slot in [ast.unparse(each) for each in slots if isinstance(each, ast.Subscript)]:
            if "inp[" in slot and ("POWER_W" in slot or "power_index" in slot):
                return True
    return False


def readers():
    """The modules that read powers."""
    paths = [path for room in ("controller", "drivers") for path in (ROOT / room).rglob("*.py")]
    return [
        path.relative_to(ROOT).as_posix()
        for path in paths
        if reads_powers(ast.parse(path.read_text(encoding="utf-8")))
    ]


GUARDS = "a value of the wrong size"


def covered():
    """The modules that read powers."""
    return readers()


def test_every_reader_of_powers_asks_or_says_why_not():
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in readers()}
    silent = {path for path, text in texts.items() if "drivers.plausible" not in text}
    assert silent == set(READERS)


@pytest.mark.parametrize("name", PROFILES)
def test_a_power_beyond_twice_the_rating_of_a_converter_is_no_reading(name):
    device, _, sink, groups = built(name)
    readings = device.readings
    readings.identified()
    readings._heartbeat_us = 0
    for power_W, is_fresh in ((2 * RATED_W, True), (2 * RATED_W + 1, False), (-170_396, False)):
        sink.taken()
        readings._measure.values = {"power_W": power_W, "dc_voltage_mV": 1000, "dc_current_mA": 0}
        readings._measured(0)
        assert (groups[0] in sink.taken()) == is_fresh
    assert readings.refused == 2


@cases("""
    value  rating  margin  is_so
    1200.0  1000  plausible.METER  True | 1200.1  1000  plausible.METER  False
    -1200.1  1000  plausible.METER  False | NAN  1000  plausible.METER  False
    INFINITE  1000  plausible.METER  False | -51  1000  plausible.PV  False
    1500  1000  plausible.GENSET  True | 9.9e9  INFINITE  plausible.EXACT  True
""")
def test_what_a_rating_allows(value, rating, margin, is_so):
    assert plausible.plausible(value, rating, margin) == is_so


@cases("""
    power_W  apparent_VA  is_so
    2  1000  True | 1  1000  False | -2  1000  True | 1  999  True | 0  9000  True
""")
def test_what_proves_the_unit_of_a_meter(power_W, apparent_VA, is_so):
    assert plausible.UnitProof().fits(power_W, apparent_VA) == is_so
