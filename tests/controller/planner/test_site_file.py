"""planner.toml: what it gives, and one line for each wrong key."""

import math
from pathlib import Path

import pytest

from controller.forms.refusal import ConfigError
from controller.planner import site_file, tariff
from tests.controller.site_files import SiteFiles
from tests.repository import ROOT
from tests.tables import cases

EXAMPLE = ROOT / "controller" / "planner" / "example" / "planner.toml"
TEXT = EXAMPLE.read_text()
WEB = (
    '[feed.web]\nkind = "prices"\nformat = "http_json"\ntime = "t"\nvalue = "p"\nunit = "EUR/MWh"\n'
)
WEB_URL = 'url = "https://a.org/"\n'
JOBS = '[feed.jobs]\nkind = "jobs"\nformat = "jobs"\npath = "jobs.csv"\n'
RECORD = '[feed.site_load]\nkind = "load"'


def load(tmp_path, text):
    path = tmp_path / "planner.toml"
    path.write_text(text)
    return site_file.load(str(path))


def refused(tmp_path, text):
    with pytest.raises(ConfigError) as found:
        load(tmp_path, text)
    return str(found.value).removeprefix(f"{tmp_path}/planner.toml:")


def test_the_example_is_a_site():
    found = site_file.load(str(EXAMPLE))
    store = found.site.store
    assert (store.low_J, store.high_J) == (0.15 * 645e3 * 3600, 0.9 * 645e3 * 3600)
    assert (store.charge_W, store.discharge_W, found.site.full_J) == (250e3, 250e3, 645e3 * 3600)
    assert math.isclose(store.one_way**2, 0.88) and found.site.import_W == 500e3
    assert (found.place, found.pv_rated_W) == ((52.5, 13.4), 90e3)
    assert [(each.name, each.kind, each.max_age_s / 3600) for each in found.feeds] == [
        *(("day_ahead", "prices", 36), ("site_load", "load", 2), ("site_pv", "pv", 24))
    ]
    assert found.feeds[0].keys["path"] == str(EXAMPLE.parent / "prices.csv")
    assert found.feeds[1].keys["path"] == "/run/firebreak/quarters.csv"


@pytest.mark.parametrize("name", ["day_and_night", "peak_window"])
def test_an_example_of_several_charges_takes_the_place_of_the_tariff(name, tmp_path):
    own = (EXAMPLE.parent / f"{name}.toml").read_text()
    before, after = TEXT.split("[tariff]")[0], TEXT[TEXT.index("# Drop day-ahead prices") :]
    found = load(tmp_path, before + own + after)
    assert len(tariff.charges(found.site.tariff)) == 2
    line = refused(tmp_path, before + own.replace("adder", "demand_hours = [6, 22]\nadder") + after)
    assert line == "tariff.demand: is beside demand_hours; allowed one of the two forms"


def test_the_remarks_of_the_example_are_feeds_too(tmp_path):
    _, plain = TEXT.split("# Other sources, to copy:\n")
    more = "".join(f"{line[2:]}\n" for line in plain.splitlines())
    found = load(tmp_path, TEXT + more.replace("    # its first", " # its first"))
    assert [each.name for each in found.feeds[3:]] == ["entsoe", "storm", "exchange"]
    assert " " not in found.feeds[3].keys["url"]


def test_a_load_yields_if_the_file_says_so(tmp_path):
    assert load(tmp_path, TEXT).site.yields.most_W == 0
    found = load(tmp_path, TEXT.replace("# [load]", "[load]").replace("# yields_W", "yields_W"))
    assert found.site.yields == (20_000, 20, 0.2)


def test_a_reserve_has_hours_if_the_file_says_so(tmp_path):
    assert load(tmp_path, TEXT).site.hours == (0, 4)
    found = load(tmp_path, TEXT.replace("# [reserve]", "[reserve]").replace("# always", "always"))
    assert found.site.hours == (1, 4)


def test_a_cabinet_gives_energy_and_power(tmp_path):
    cabinet = ROOT / "controller" / "sites" / "three_units" / "cabinet.toml"
    own = TEXT.replace("energy_Wh = 645000", f'cabinet = "{cabinet}" # ').replace("power_W =", "# ")
    store, full_J = load(tmp_path, own).site[:2]
    assert (store.charge_W, full_J) == (750e3, 1935e3 * 3600)
    line = refused(tmp_path, own.replace("cabinet.toml", "none.toml"))
    assert line.startswith("battery.cabinet: ") and "none.toml" in line
    line = refused(tmp_path, TEXT.replace("power_W =", f'cabinet = "{cabinet}"\npower_W ='))
    assert line == "battery: has cabinet beside energy_Wh or power_W; allowed one of the two"


def test_the_power_and_energy_of_a_frequency_response_are_not_planned(tmp_path):
    """100 kW for 1800 s are 50 kWh, with the losses 87 permille of 645 kWh above the level 100."""
    files = SiteFiles(tmp_path)
    files.say("site", "control.droop_W_max", "100000")
    files.say("site", "control.droop_reserve_s", "1800")
    own = TEXT.replace("energy_Wh = 645000", f'cabinet = "{files.paths[-1]}" # ')
    own = own.replace("power_W =", "# ").replace("high_permille = 900", "high_permille = 1000")
    site = load(tmp_path, own).site
    full_J = 645_000 * 3600
    assert site.store.discharge_W == site.store.charge_W == 150_000
    assert (site.store.low_J, site.store.high_J) == (0.187 * full_J, 0.913 * full_J)
    assert site.hard.low_J == 0.187 * full_J
    line = refused(tmp_path, own.replace("= 1000", "= 180").replace("= 150 ", "= 120 "))
    assert line == "battery.reserve_permille: 187 is not allowed; allowed below high_permille = 180"


DROP = 'path = "prices.csv"'


@cases("""old  new  line
    "[site]"  "[sites]"  'sites: is not a known key; nearest key "site"'
    'zone = "Europe/Berlin"'  ""  "site.zone: is missing; allowed a text"
    "Europe/Berlin"  "Berlin"  "site.zone: time zone 'Berlin': allowed is one that this machine"
    "latitude_deg = 52.5"  ""  "site: has one of latitude_deg and longitude_deg; allowed both or"
    "= 13.4"  "= 200"  "site.longitude_deg: 200 is not allowed; allowed a number -180..180"
    "import_W_max = 5"  "import_W_max = -5"  "site.import_W_max: -500000 is not allowed; allowed"
    "energy_Wh"  "energy_kWh"  'battery.energy_kWh: is not a known key; nearest key "energy_Wh"'
    "import_W_max = 500000"  ""  "site.import_W_max: is missing; allowed a number, or cabinet = a"
    "power_W = 250000"  ""  "battery.power_W: is missing; allowed a number, or cabinet = a cab"
    "= 150"  "= 900"  "battery.reserve_permille: 900 is not allowed; allowed below high_permille ="
    'currency = "EUR"'  ""  "tariff.currency: is missing; allowed a text"
    "[tariff]"  "[load]\\nyields_W = -1\\n[tariff]"  "load.yields_W: -1 is not allowed; allowed a n"
    "[tariff]"  "[reserve]\\nalways_h = 48.1\\n[tariff]"  "reserve.always_h: 48.1 is not allowed"
    "[feed.day_ahead]"  "[feed.Day]"  "feed.Day: is no name; allowed a small letter, then up to"
    'kind = "prices"'  'kind = "price"'  'feed.day_ahead.kind: "price" is not allowed; allowed pri'
    '= "csv"'  '= "xml"'  'feed.day_ahead.format: "xml" is not allowed; allowed csv, json'
    'format = "csv"'  'format = "recorder"'  'feed.day_ahead.kind: "prices" is not allowed; allow'
    DROP  ""  "feed.day_ahead.path: is missing; allowed a text"
    DROP  'path = ""'  "feed.day_ahead: has no source or two; allowed one of path and url"
    DROP  DROP + '\\nunit = "EUR"'  'feed.day_ahead.unit: "EUR" is not allowed; allowed EUR/MWh'
    DROP  DROP + "\\nmax_age_h = 0"  "feed.day_ahead.max_age_h: 0 is not allowed; allowed a num"
    RECORD  '[feed.site_load]\\nkind = "pv"'  'feed: has no load; allowed at least one feed with'
    TEXT  TEXT + WEB  "feed.web.url: is missing; allowed https://..., or http:// to localhost"
    TEXT  TEXT + WEB + 'url = "http://a.org"'  "feed.web.url: this value is not allowed; allowed"
    TEXT  TEXT + WEB + 'url = "https://a.org/{key}"'  "feed.web.key_file: and {key} in url need"
    TEXT  TEXT + WEB + WEB_URL + "every_min = 1"  "feed.web.every_min: 1 is not allowed; allowed"
    TEXT  TEXT + JOBS  "feed.jobs.base_W: is missing; allowed a number 0..1e+08"
    TEXT  TEXT + JOBS + "base_W = 0\\nbegin = 1"  "feed.jobs.begin: 1 is not allowed"
    TEXT  "feed = 1\\n" + TEXT[: TEXT.index("[feed")]  "feed: 1 is not allowed; allowed a table"
    TEXT  TEXT + "[feed.day_ahead]"  " is not TOML"
""")
def test_a_wrong_key_is_one_line(tmp_path, old, new, line):
    assert old in TEXT
    found = refused(tmp_path, TEXT.replace(old, new, 1))
    assert found.isprintable() and found.startswith(line)


def test_a_file_that_is_none_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        site_file.load(str(Path(tmp_path / "none.toml")))
