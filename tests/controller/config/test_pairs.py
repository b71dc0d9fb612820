"""Pairs of numbers: a value beyond the other is refused or doubted, the nearest right one not."""

import pytest
from site_files import FIREBREAK, SiteFiles

from controller.config import configuration, pair_values, pairs
from controller.sites import FOLDER
from tests.tables import table

# file and table of each scope in the cabinet with site devices
PLACES = {
    "cabinet": ("type", "cabinet"), "control": ("site", "control"), "unit": ("type", "unit.1"),
    "rack": ("type", "rack.all"), "source": ("site", "source.site_ems"),
    "pv": ("cabinet", "device.roof"), "genset": ("cabinet", "device.diesel"),
    "load_shed": ("cabinet", "device.shed"), "chiller": ("cabinet", "device.cold"),
    "meter": ("cabinet", "device.branch"), "fan": ("cabinet", "device.fan"),
    "heater": ("cabinet", "device.heat"), "load_cap": ("cabinet", "device.scheduler"),
    "load_ups": ("cabinet", "device.backed"), "grid_contact": ("cabinet", "device.operator"),
}  # fmt: skip
OF_TYPE = ("energy_Wh", "soc_reserve_backup_permille")
UPS = """[device.backed]
role = "load_ups"
profile = "apc_smart_ups"
bus = "lan"
unit_id = 2
rated_W = 100000
energy_Wh = 20000
[device.operator]
role = "grid_contact"
profile = "operator_contacts"
bus = "air"
unit_id = 24
contact_1_import_permille = 600"""
# of a number that follows from several keys: the key to set, and how often it counts
KEYS = {"shed_W": ("stage_W", 4), "ramped_W": ("setpoint_ramp_W_per_s", 60)}
UNIT_KEYS = "rated_W", "installer_charge_W_max", "installer_discharge_W_max"
# (layer, key, value) set before, so that the bound lies in the range of the key
BEFORE = {
    "racks_of_unit_W": [("type", "rack.all.rated_current_mA", 40_000)],
    "above_peaks_permille": [("site", "control.soc_reserve_peaks_permille", 900)],
    "peak_import_W_max": [("site", "control.peak_import_W_max", 400_000)],
    "range_mV": [("type", "rack.all.cells", 30)],
    "ramped_W": [("site", "control.peak_interval_s", 60)],
    "setpoint_quantum_W": [("type", f"unit.1.{key}", 40_000) for key in UNIT_KEYS],
    # what the profile of the inverter can read is less than 100 times 250 kW
    "pv rated_W": [
        *[("type", f"unit.1.{key}", 2500) for key in UNIT_KEYS],
        ("site", "control.grid_import_W_max", 250_000),
        ("cabinet", "device.diesel.rated_W", 250_000),
    ],
    "control.pv_ramp_W_per_s": [("site", "control.pv_ramp_W_per_s", 50)],
    "schedule_clock_ms_max": [("site", "control.peak_interval_s", 300)],
    "meter_frozen_ms": [("site", "device.meter_grid.period_ms", 250)],
}  # fmt: skip


@pytest.fixture
def site(tmp_path):
    return site_in(tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return tables_of(site_in(tmp_path_factory.mktemp("plain")))


def site_in(folder):
    """The cabinet with a device of each role; each fallback is set."""
    made = SiteFiles(folder, (*FIREBREAK[:2], "pv_genset/cabinet.toml"))
    for name in ("export", "charge", "discharge"):
        made.say("site", f"source.site_ems.fallback_{name}_W_max", 0)
    return made.append("cabinet", UPS)


def say(site, scope, key, value):
    whole, _, key = key.rpartition(".")
    layer, table = PLACES[whole or scope]
    is_of_type = key in OF_TYPE and table == "control"
    site.say("type" if is_of_type else layer, f"{table}.{key}", value)


def lines(site):
    """The refusal, or the doubts."""
    try:
        return list(configuration.with_doubts(site.paths[2])[1])
    except configuration.ConfigError as error:
        return [str(error)]


def tables_of(site):
    seen = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pairs, "doubts", lambda *given: seen.append(given) or ())
        configuration.with_doubts(site.paths[2])
    return pair_values.Tables(*seen[0])


def named(name):
    return pair_values.WORDS.get(name, name.rpartition(".")[2])


def told(site, pair, key, value):
    """The lines of this pair with this value of its key."""
    say(site, pair.scope, key, value)
    sides = named(pair.low), named(pair.high)
    return [each for each in lines(site) if pair.why in each and all(map(each.__contains__, sides))]


@pytest.mark.parametrize(
    "pair",
    pairs.PAIRS,
    ids=[f"{each.scope} {each.low} {each.high} {each.room}" for each in pairs.PAIRS],
)
def test_each_pair_has_a_bound(site, plain, pair):
    names = pair.low, pair.high, f"{pair.scope} {pair.low}"
    before = [given for name in names for given in BEFORE.get(name, ())]
    for given in before:
        site.say(*given)
    tables = tables_of(site) if before else plain
    low, high = next(tables.numbers(pair.scope, pair.low, pair.high))
    if high.is_key and "." not in pair.high:
        side, right, step = pair.high, -(-(low.value + pair.room) // pair.times), -1
    else:
        side, right, step = pair.low, pair.times * high.value // 1 - pair.room, 1
    key, of_key = KEYS.get(side, (side, 1))
    right = right // of_key if step > 0 else -(-right // of_key)
    assert not told(site, pair, key, int(right))
    (line,) = told(site, pair, key, int(right) + step)
    assert line.startswith("doubt: ") == (pair.verdict != pairs.REFUSED)


# scope, key, value, whether it is refused, words of the line: both keys, what is allowed, the file
SLIPS = """
genset | start_soc_permille | 401 | True | ["stop_soc_permille is 400 (in no file)", "at most 400"]
genset | start_soc_permille | 400 | False | ["stop_soc_permille", "is 400", "without a distance"]
genset | rated_W | 300 | False | ["expected at least 2500", "rated_W of all units", "in kW"]
pv | limit_W_max | 140 | False | ["device.roof.limit_W_max: 140 is doubtful", "(in kW?)", "2000"]
pv | rated_W | 200 | False | ["doubt: ", "cabinet.toml:device.roof.rated_W: 200 ", "(in kW?)"]
load_shed | stage_W | 60 | False | ["240 (stages_max times stage_W)", "(in kW?)"]
load_ups | energy_Wh | 20 | False | ["at least 1667 (100000 / 60)", "(in kWh?)"]
load_ups | rated_W | 100 | False | ["at least 834", "(in kW?)"]
load_cap | lower_W_max | 20 | False | ["lower_W_max: 20 is doubtful", "(in kW?)"]
heater | rated_W | 9 | False | ["device.heat.rated_W: 9 is doubtful", "least 25 (250000"]
fan | fan_unit | 2 | True | ["at most 1: the number of units is 1"]
chiller | start_ddegC | 32 | True | ["stop_ddegC is 280"]
heater | stop_ddegC | 20 | True | ["start_ddegC is 30"]
control | energy_Wh | 64500 | False | ["at least 80640 (322560 / 4): ", "cells, rated"]
control | energy_Wh | 6450000 | False | ["at most 3225600 (10 x 322560): ", "a digit too"]
control | grid_import_W_max | 500 | False | ["control.grid_import_W_max: 500 ", "(in kW?)"]
control | peak_import_W_max | 470 | False | ["expected at least 2500", "(in kW?)"]
control | peak_import_W_max | 500001 | False | ["grid_import_W_max is 500000 (in site.toml)"]
control | soc_reserve_peaks_permille | 99 | True | ["soc_reserve_backup_permille is 100"]
rack | cells | 260 | False | ["rack.all.cells: 260", "multiple of modules", "at most 255"]
rack | rated_current_mA | 14000 | False | ["rated_W", "less than a quarter", "at most 129024"]
source | fallback_import_W_max | 450 | False | ["source.site_ems.fallback_import_W_max: 450 "]
meter | stale_ms | 499 | True | ["device.branch.period_ms is 500", "at least 500"]
"""


@pytest.mark.parametrize("scope, key, value, is_refused, words", table(SLIPS))
def test_a_slip_is_told_in_one_line_with_both_keys(site, scope, key, value, is_refused, words):
    say(site, scope, key, value)
    found = [each for each in lines(site) if all(word in each for word in words)]
    assert len(found) == 1 and found[0].startswith("doubt: ") != is_refused
    assert found[0].isprintable() and found[0].isascii()


def test_what_is_no_slip_gives_no_line(site):
    """A power of 0 is meant, and so is a limit that a later layer has tightened."""
    say(site, "control", "peak_import_W_max", 0)
    site.say("cabinet", "control.grid_import_W_max", 400_000)
    site.say("site", "unit.1.rated_W", 200_000)
    assert lines(site) == []


SHIPPED = sorted(path for path in FOLDER.rglob("cabinet*.toml"))


def test_no_shipped_file_is_doubted():
    assert len(SHIPPED) >= 4
    for path in SHIPPED:
        doubts = configuration.with_doubts(path)[1]
        assert [each for each in doubts if pairs.STILL not in each] == [], path
        assert bool(doubts) == (path == FOLDER / "pylontech" / "cabinet.toml"), path
