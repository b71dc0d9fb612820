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

NAN, INFINITE = float("nan"), float("inf")
QUANTITIES = ("W", "kW", "MW", "VA", "kVA", "var", "kvar", "A", "mA")
OVERLOAD = "an overload and a short circuit must trip: rows 16 to 19 and 53 rest on it"
COMPARED = "the kernel compares it with what was sent (row 56), and a wrong one trips"
# inputs of the kernel: by the driver that stores them, or why there is no rating
KERNEL = {
    "grid_power_W": "drivers/meter.py",
    "load_power_W": "drivers/meter.py",
    "pcs_power_W": "drivers/register_pcs_readings.py",
    "pcs_dc_current_mA": "the kernel compares it with the racks' currents (rows 54, 55)",
    "pcs_setpoint_W": COMPARED,
    "pcs_sent_W": "the controller's own",
    "rack_current_mA": OVERLOAD,
    "charge_current_mA_max": "a limit: the installer's own bounds it",
    "discharge_current_mA_max": "a limit: the installer's own bounds it",
}
# modules that read powers of a file or of the wire, without a rating of their own
READERS = {
    "controller/audit/table.py": "the office judges a record; a site's size is not known to it",
    "controller/planner/feeds/points.py": "feeds/held.py judges its points",
    "controller/series/jobs.py": "feeds/held.py judges the load of a job plan",
    "controller/watch/load_files.py": "a margin of a gate, not a measurement",
    "drivers/pcs_readings.py": "config/families.py narrows the range of its register",
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
    assert {name for name, unit, *_ in every if unit in QUANTITIES} == set(KERNEL)
    for place in KERNEL.values():
        if place.endswith(".py"):
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


def test_every_reader_of_powers_asks_or_says_why_not():
    silent = set()
    for room in ("controller", "drivers"):
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if reads_powers(ast.parse(text)) and "drivers.plausible" not in text:
                silent.add(path.relative_to(ROOT).as_posix())
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
