"""Each reader of foreign text passes the suite, or says here what it does at worst."""

import ast
import json
from array import array
from zoneinfo import ZoneInfo

import pytest
from foreign_suite import (
    BERLIN,
    FIRST_S,
    CsvFeed,
    EntsoeXml,
    JsonFeed,
    JsonObject,
    RunPrices,
    of_csv,
    of_json,
)

from controller.planner.feeds import rows as rows_feed
from controller.planner.feeds.points import Feed
from controller.series import meaning, money, times
from controller.series.refusal import SeriesError
from controller.series.units import PER_KWH, PRICE
from tests.exemptions import Exempt, same
from tests.referred import References
from tests.repository import ROOT, tree


class TestCsvFeed(CsvFeed):
    pass


class TestRunPrices(RunPrices):
    pass


class TestJsonFeed(JsonFeed):
    pass


class TestJsonObject(JsonObject):
    pass


class TestEntsoeXml(EntsoeXml):
    pass


# The suite that each reader of a price passes, by its file and its parser of text.
SUITES = {
    "controller/planner/feeds/rows.py table.opened": TestCsvFeed,
    "controller/planner/feeds/json_rows.py json_text.loads": TestJsonFeed,
    "controller/planner/feeds/entsoe.py ElementTree.fromstring": TestEntsoeXml,
    "controller/series/prices.py table.opened": TestRunPrices,
}
NO_PRICE = Exempt(
    "a figure whose unit or time is unknown is refused or doubted, by rules of its own",
    "tests/controller/series/test_series_powers.py::test_what_a_user_has_to_know_is_a_doubt",
)
MESSAGE = Exempt(
    "one message is refused; it has no series",
    "tests/controller/doors/test_http_door.py::test_a_wrong_message_has_one_line",
)
ANSWER = Exempt(
    "the answer counts as unknown; it has no series",
    "tests/controller/watch/test_watch_command.py::test_an_odd_answer_is_one_line",
)
OWN = Exempt(
    "an own file that is damaged counts as none; it has no series of others",
    "tests/controller/store/test_writers.py"
    "::test_a_file_of_another_release_or_a_damaged_one_ends_no_act",
)
OF_RELEASE = Exempt(
    "a wrong file of the release is found before it is released",
    "tests/controller/documents/test_hazards.py::test_each_gap_is_found",
)
OF_RIG = Exempt(
    "a wrong file ends a run of the rig, or is played; the rig controls no cabinet",
    "tests/hil/runner/test_cases.py::test_a_file_of_somebody_else_is_refused_and_left_as_it_is",
)
TRACE = Exempt(
    "a row of a load that is not understood is left out and counted",
    "tests/hil/test_load.py::test_a_wrong_row_is_refused_and_an_empty_cell_is_no_sample",
)
# What else reads text, and what a wrong text does there at worst.
READERS = {
    **same(
        NO_PRICE,
        "controller/series/jobs.py table.opened",
        "controller/series/survey.py table.opened",
        "controller/series/weather.py table.opened",
    ),
    "controller/audit/table.py table.opened": Exempt(
        "a record whose rows are not understood is judged in part, or refused",
        "tests/controller/audit/test_audit_command.py"
        "::test_a_record_with_holes_is_judged_or_refused_in_one_line",
    ),
    "controller/hints/schedule_file.py table.opened": Exempt(
        "a schedule whose begins are not understood is refused",
        "tests/controller/hints/test_schedule_file.py::test_a_wrong_csv_is_named",
    ),
    **same(
        Exempt(
            "a table that is not understood is refused in one line",
            "tests/controller/series/test_series_fence.py"
            "::test_any_file_is_read_or_refused_in_one_plain_line",
        ),
        "controller/series/table.py csv.reader",
        "controller/series/table.py text.opened",
    ),
    "controller/console/provision.py csv.reader": Exempt(
        "a wrong list of cabinets makes no key",
        "tests/controller/console/test_provision.py::test_a_wrong_list_is_one_line_and_makes_no_key",
    ),
    **same(
        MESSAGE,
        "controller/doors/http/pages.py json_text.loads",
        "controller/doors/mqtt/commands.py json_text.loads",
        "controller/doors/local/framing.py json_text.loads",
        "controller/doors/local/examples/announce_steps.py json.loads",
        "controller/forms/message.py json_text.loads",
    ),
    **same(
        ANSWER,
        "controller/watch/cabinet.py json_text.loads",
        "controller/watch/kube_api.py json_text.loads",
        "controller/watch/slurm.py json_text.loads",
    ),
    **same(
        OWN,
        "controller/console/backup_file.py json_text.loads",
        "controller/console/terminal/actions.py json_text.loads",
        "controller/doors/alarms/outbox.py json_text.loads",
        "controller/dispatch/epoch_file.py json_text.loads",
        "controller/hints/hint_statistics.py json_text.loads",
        "controller/recorder/database.py json_text.loads",
        "controller/recorder/fast_anchor.py json.loads",
        "controller/recorder/fast_ring.py json.loads",
        "controller/recorder/head.py json_text.loads",
        "controller/recorder/rescue.py json_text.loads",
        "controller/siting/live.py json_text.loads",
        "controller/state/plan_file.py json_text.loads",
        "controller/state/record.py json_text.loads",
        "controller/store/chain.py json_text.loads",
        "controller/store/proof_lines.py json_text.loads",
        "controller/store/spool.py json_text.loads",
        "controller/store/trips.py json_text.loads",
        "controller/system/child.py json_text.loads",
        "controller/systemd/trial.py json_text.loads",
    ),
    **same(
        OF_RELEASE,
        "controller/documents/hazard_log.py json.loads",
        "controller/documents/locked.py configparser.ConfigParser",
        "controller/systemd/make_bundle.py configparser.ConfigParser",
    ),
    "controller/system/json_text.py json.loads": Exempt(
        "a text that is nested too deep is refused",
        "tests/controller/system/test_caught.py::test_json_is_nested_at_most_32_deep",
    ),
    "controller/system/toml_text.py tomllib.loads": Exempt(
        "a hostile file is refused in one line",
        "tests/whole/test_fence_files.py::test_a_hostile_file_is_one_line_and_little_memory",
    ),
    "hil/campaigns/frequency/shapes.py table.opened": Exempt(
        "a shape that is not understood is refused",
        "tests/hil/campaigns/test_frequency.py"
        "::test_a_file_without_such_a_case_is_refused_in_one_line",
    ),
    **same(TRACE, "hil/loads/reader.py table.opened", "hil/loads/stream.py table.opened"),
    **same(
        OF_RIG,
        "hil/systems/measured.py table.opened",
        "hil/campaigns/benchmarks/cyclictest.py json.load",
        "hil/campaigns/benchmarks/document.py json.load",
        "hil/campaigns/benchmarks/doors.py json.loads",
        "hil/campaigns/benchmarks/doors_clients.py json.loads",
        "hil/campaigns/benchmarks/emhass_way.py json.loads",
        "hil/campaigns/benchmarks/planner.py json.loads",
        "hil/campaigns/benchmarks/planner_ways.py json.load",
        "hil/campaigns/channel_b/emulator.py json.loads",
        "hil/campaigns/chaos/companions.py json.loads",
        "hil/campaigns/rows/measured.py json.loads",
        "hil/campaigns/vm/companions.py json.loads",
        "hil/campaigns/vm/lab.py json.loads",
        "hil/devices/io_module.py tomllib.loads",
        "hil/devices/mirrored_sensors.py tomllib.loads",
        "hil/devices/sunspec_chain.py tomllib.loads",
        "hil/engine/pod_rig.py json.loads",
        "hil/engine/wired_cabinet.py json.loads",
        "hil/oracle/design.py tomllib.load",
        "hil/runner/evidence.py json.loads",
        "hil/runner/kept.py json.loads",
        "hil/systems/claims.py json.loads",
        "hil/systems/proofs.py json.loads",
    ),
}
PRODUCT = ("controller/", "drivers/", "safety/", "hil/")
PARSERS = {
    *("json.loads", "json.load", "json_text.loads", "csv.reader", "csv.DictReader"),
    *("ElementTree.fromstring", "ElementTree.parse", "ElementTree.iterparse", "minidom.parse"),
    *("table.opened", "text.opened", "tomllib.loads", "tomllib.load"),
    *("yaml.safe_load", "configparser.ConfigParser", "numpy.loadtxt", "numpy.genfromtxt"),
}


def parses(text):
    """The parsers that a file refers to."""
    tree = ast.parse(text)
    references = References(tree)
    nodes = [each for each in ast.walk(tree) if isinstance(each, (ast.Name, ast.Attribute))]
    return {references.is_of(each, PARSERS) for each in nodes} - {""}


def test_every_reader_of_text_is_known():
    files = {path.relative_to(ROOT).as_posix(): path for path in tree() if path.suffix == ".py"}
    found = {
        f"{name} {parser}"
        for name, path in files.items()
        if name.startswith(PRODUCT)
        for parser in parses(path.read_text())
    }
    assert found == {*SUITES, *READERS} and not SUITES.keys() & READERS.keys()


@pytest.mark.parametrize(
    "line",
    [
        "import json\nx = json.loads(data)",
        "import csv\nfor row in csv.reader(file): pass",
        "from xml.etree import ElementTree\nElementTree.parse(f)",
        "import xml.etree.ElementTree as ET\nET.parse(f)",
        "from json import loads as read\nread(data)",
        "from controller.series.table import opened\nread = opened",
        "from yaml import safe_load\nsafe_load(f)",
    ],
)
def test_the_syntax_tree_finds_a_reader(line):
    assert parses(line)


def pv(time, **keys):
    """Start of the first value and doubts of a PV forecast with half hours."""
    rows = [
        {time: at, "kW": 1.0}
        for at in ("2026-06-01T04:00:00.0000000Z", "2026-06-01T04:30:00.0000000Z")
    ]
    text = json.dumps(rows).encode()
    found = of_json(text, "pv", time=time, value="kW", unit="kW", **keys)
    return found.utc_s[0] - 1_780_286_400, found.doubts  # 04:00Z


def test_a_key_says_what_the_file_does_not():
    assert pv("period_end") == (-1800, [])
    assert pv("time", time_is="end") == (-1800, [])
    assert pv("time", time_is="begin") == (0, []) == pv("period_start")
    assert pv("period_end", time_is="begin") == (0, [])
    begin_s, (doubt,) = pv("time")
    assert begin_s == 0 and doubt.startswith("time: taken as the begin") and '"end"' in doubt


@pytest.mark.parametrize(
    "name, said",
    [
        *[
            (each, "end")
            for each in (
                "period_end",
                "Ende",
                "endTime",
                "to.end",
                "bis",
                "valid until",
                "slut",
                "till",
            )
        ],
        *[(each, "begin") for each in ("start", "startsAt", "von", "period_begin", "Beginn")],
        *[(each, "") for each in ("time", "weekend", "unix", "start_end", "calendar", "trend")],
    ],
)
def test_names_of_times(name, said):
    assert meaning.said_by(name) == said


@pytest.mark.parametrize(
    "name, other",
    [
        *[("price EUR/MWh", ""), ("SEK_per_kWh", "SEK"), ("price_sek", "SEK"), ("ct/kWh", "")],
        *[("EUR/MWh SEK", "SEK"), ("eur/mwh", ""), ("nokia", ""), ("value NOK/MWh", "NOK")],
        *[("priceSEK", "SEK"), ("SEKPerKWh", "SEK"), ("SEKperMWh", "SEK"), ("A$/MWh", "AUD")],
        *[("Zone C EUR/MWh", ""), ("DE-FR EUR/MWh", ""), ("price p90 EUR/MWh", "")],
    ],
)
def test_currencies_of_names(name, other):
    assert money.other_currency(name, "EUR") == other


@pytest.mark.parametrize(
    "name, unit",
    [
        *[(each, "per MWh") for each in ("EURMWh", "priceEurPerMwh", "price/MWh", "kr/MWh")],
        *[(each, "per kWh") for each in ("per kWh", "SEKPerKWh", "price_kWh", "\u20ac/kWh")],
        *[
            (each, "hundredths per kWh")
            for each in ("EUR cent/kWh", "Rp./kWh", "c\u20ac/kWh", "p/kWh")
        ],
        # thousandths, unknown hundredths, other energies: nobody guesses a unit
        *[(each, None) for each in ("mEUR/kWh", "sen/kWh", "GBp/kWh", "ct/MWh", "EUR/GWh", "MWh")],
        *[(each, None) for each in ("EUR/100kWh", "EUR/kW", "volume_MWh", "product_kWh")],
    ],
)
def test_units_of_names(name, unit):
    found = money.price_unit(name)
    assert (found and found.name) == unit


def test_the_begin_of_a_long_name_is_read():
    """A text of 900 kB took 100 s."""
    assert len(money.small("price" * 200_000)) == 100
    assert money.price_unit(f"{'a' * 900_000} EUR/MWh") is None


def test_a_price_without_a_currency_is_doubted():
    asked = meaning.Asked(PRICE, "SEK")
    times_s = array("d", [FIRST_S, FIRST_S + 3600])
    (doubt,) = meaning.taken(times_s, [0.5, 0.6], ("start", "price per kWh"), PER_KWH, asked).doubts
    assert doubt.startswith("price per kWh: names no currency, taken as SEK") and "SEK/kWh" in doubt


@pytest.mark.parametrize(
    "said", [{"currency": "SEK"}, {"unit": "\u00f6re/kWh"}, {"Unit": "EUR/kWh"}]
)
def test_a_file_that_says_another_currency_or_unit_is_refused(said, tmp_path):
    """The unit of the feed is EUR/MWh, the text names it beside its values."""
    rows = [{"t": f"2026-06-01T0{at}:00Z", "p": 80} for at in range(3)]
    own = {"list": "d", "time": "t", "value": "p", "unit": "EUR/MWh"}
    good = json.dumps({"d": rows, "currency": "EUR", "unit": "EUR / MWh", "more": {"unit": "h"}})
    assert of_json(good.encode(), **own).values[0] == 0.08
    for text in ({"d": rows, **said}, {"d": [*rows[:2], rows[2] | said]}):
        with pytest.raises(SeriesError, match="allowed is money in EUR, per MWh"):
            of_json(json.dumps(text).encode(), **own)
    ((name, cell),) = said.items()
    lines = [f"t,price EUR/MWh,{name}", *[f"{each['t']},80,EUR/MWh" for each in rows[:2]]]
    path = tmp_path / "prices.csv"
    for end in ("EUR", cell):
        path.write_text("\n".join([*lines, f"{rows[2]['t']},80,{end}", ""]))
        if end == "EUR":
            assert list(of_csv(path).values) == [0.08] * 3
            continue
        with pytest.raises(SeriesError, match=f"line 4: {name} = .*: allowed is money in EUR"):
            of_csv(path)


@pytest.mark.parametrize(
    "zone, east_min", [("GMT", 0), ("Asia/Kolkata", 330), ("CET?", 120), ("", 120), (7, 120)]
)
def test_the_zone_that_a_text_names_is_that_of_its_times(zone, east_min):
    """A weather service gives local times of the zone that was asked for, or of GMT."""
    rows = {"time": ["2026-06-01T00:00", "2026-06-01T01:00"], "W": [1, 2]}
    own = {"list": "hourly", "time": "time", "value": "W", "unit": "W", "time_is": "begin"}
    for mark, off_min in (("", east_min), ("Z", 0)):
        hourly = {**rows, "time": [each + mark for each in rows["time"]]}
        text = json.dumps({"timezone": zone, "hourly": hourly}).encode()
        assert of_json(text, "pv", **own).utc_s[0] == 1_780_272_000 - 60 * off_min


@pytest.mark.parametrize("header", ["bis,von", "Ende;Beginn", "end_time;start_time", "slut;start"])
def test_a_begin_beside_an_end_counts(header, tmp_path):
    mark = ";" if ";" in header else ","
    rows = [f"2026-06-01T0{at + 1}:00Z{mark}2026-06-01T0{at}:00Z{mark}80" for at in range(3)]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([f"{header}{mark}EUR/MWh", *rows, ""]))
    assert of_csv(path).utc_s[0] == 1_780_272_000  # 00:00Z


def test_a_clock_that_ends_beside_its_date(tmp_path):
    """Dates and times of the day have columns of their own, and the second name says the end."""
    path = tmp_path / "prices.csv"
    path.write_text("Datum;Zeit bis;EUR/MWh\n01.06.2026;01:00;80\n01.06.2026;02:00;80\n")
    assert of_csv(path).utc_s[0] == FIRST_S


@pytest.mark.parametrize(
    "times_s, steps_s",
    [
        ([0, 900, 1800, 5400, 6300], [900] * 5),
        ([0, 3600, 7200, 8100, 9000], [3600, 3600, 900, 900, 900]),
        ([0, 3600, 7200, 7500, 11100], [3600, 3600, 300, 300, 300]),
        ([0, 86400, 172800], [3600] * 3),
        ([0], [3600]),
    ],
)
def test_a_value_holds_for_the_step_beside_it(times_s, steps_s):
    assert list(meaning.steps_s(array("d", times_s))) == steps_s


def test_ends_keep_a_hole():
    """An hour is missing: the value after it holds for an hour, and not for two."""
    times_s = array("d", [FIRST_S + 3600 * at for at in (1, 2, 4, 5)])
    asked = meaning.Asked(PRICE, "", "end")
    found = meaning.taken(times_s, [80.0] * 4, ("t", "p"), None, asked)
    assert [each - FIRST_S for each in found.begins_s] == [0, 3600, 3 * 3600, 4 * 3600]


@pytest.mark.parametrize(
    "name, east_min",
    [
        *[("Datetime (UTC)", 0), ("utc_time", 0), ("UTC+1", 60), ("time UTC+05:30", 330)],
        *[("UTC+0530", 330), ("GMT+5:45", 345), ("GMT-03:30", -210), ("UTC -0:30", -30)],
        *[("UTC +1", 60), ("UTC (s)", 0), ("UTC, 15 min", 0), ("time", 120)],
    ],
)
def test_zones_of_names(name, east_min):
    found_s = times.TimeCells(BERLIN, name=name)("2026-06-01T00:00")
    assert found_s == 1_780_272_000 - 60 * east_min


@pytest.mark.parametrize(
    "name", ["UTC+15", "UTC+5.5", "UTC\u22123", "UTC\u00b11", "GMT 1", "UTC+1:75"]
)
def test_a_zone_that_is_not_understood_is_refused(name):
    with pytest.raises(SeriesError, match="names no zone: allowed is a name as UTC or UTC.05:30"):
        times.TimeCells(BERLIN, name=name)


@pytest.mark.parametrize(
    "cell, east_min",
    [
        *[("2026-06-01T00:00+05:30", 330), ("2026-06-01T00:00+0530", 330)],
        *[("2026-06-01T00:00+05:45", 345), ("2026-06-01T00:00-03:30", -210)],
        *[("2026-06-01T00:00Z", 0), ("2026-06-01T00:00", 120), ("2026-06-01T00:00-12", -720)],
    ],
)
def test_offsets_of_cells(cell, east_min):
    assert times.TimeCells(BERLIN)(cell) == 1_780_272_000 - 60 * east_min


@pytest.mark.parametrize(
    "cell",
    """2026-06-01T24:00 2026-06-01T24:00Z 2026-06-30T23:59:60Z 2026-06-01T00:00+05:99
    2026-06-01T00:60 2026-06-01T00:00+5:30 2026-06-01T00:00+24:00
    0001-01-01T00:00+05:30 9999-12-31T23:59-05:30
    2026-06-01T0000Z 2026-02-30T00:00""".split(),
)
def test_a_time_that_no_clock_shows_is_refused(cell):
    with pytest.raises(SeriesError, match="allowed is a time as 2026-11-25T12:00Z"):
        times.TimeCells(BERLIN)(cell)


def ercot(tmp_path, date, hours, head="Delivery Date,Hour Ending", **keys):
    """The points of a day of ERCOT. hours: texts of the hours, which end."""
    path = tmp_path / "ercot.csv"
    rows = [f"{date},{hour},{20 + at}\n" for at, hour in enumerate(hours)]
    path.write_text(f"{head},USD/MWh\n" + "".join(rows))
    own = {"path": str(path), "column": "", "unit": "", "time_is": "", **keys}
    chicago = ZoneInfo("America/Chicago")
    return rows_feed.read(str(path), Feed("x", "prices", "csv", 1e6, chicago, "USD", own), 2e9)


@pytest.mark.parametrize(
    "date, hours, count",
    [
        ("05/01/2026", [f"{at}" for at in range(1, 25)], 24),
        ("05/01/2026", [f"{at:02}:00" for at in range(1, 25)], 24),
        ("05/01/2026", [f"{at:02}" for at in range(1, 25)], 24),
        ("2026-05-01", [f"{at}" for at in range(1, 25)], 24),
        ("11/01/2026", [*["1", "2", "2"], *[f"{at}" for at in range(3, 25)]], 25),
        ("03/08/2026", [*["01:00", "02:00"], *[f"{at:02}:00" for at in range(4, 25)]], 23),
    ],
)
@pytest.mark.parametrize(
    "head", ["Delivery Date,Hour Ending", "DeliveryDate,HourEnding", "Date,HE"]
)
def test_hours_of_a_day_by_their_ends(tmp_path, date, hours, count, head):
    """The hours begin at midnight, one after the other, also if the clock changes."""
    found = ercot(tmp_path, date, hours, head)
    begin = times.TimeCells(ZoneInfo("America/Chicago"), name="HE")(f"{date} 1") - 3600
    assert list(found.utc_s) == [begin + 3600 * at for at in range(count)] and not found.doubts
    assert list(found.step_s) == [3600.0] * count


@pytest.mark.parametrize("hour", ["0", "25", "24:30", "01:60", "x", ""])
def test_an_hour_that_no_day_ends_is_refused(tmp_path, hour):
    with pytest.raises(SeriesError, match="line 3: Delivery Date Hour Ending = "):
        ercot(tmp_path, "05/01/2026", ["1", hour])


def test_one_column_of_hours_that_end(tmp_path):
    clock = times.TimeCells(BERLIN, name="Date (HE)")
    found = [clock(f"06/01/2026 {hour}") for hour in ("01", "02", "24:00")]
    assert found == [FIRST_S + 3600 * at for at in (1, 2, 24)]
    with pytest.raises(SeriesError, match="allowed is a time as"):
        times.TimeCells(BERLIN, name="HE")("13/06/2026 01")


def test_an_object_of_times_says_which_forms_are_read():
    for found in ({"a": 1}, {"2026-06-01T00:00": 1, "a": 2}, 5, {"time": [1, 2], "price": [1]}):
        with pytest.raises(SeriesError) as refused:
            of_json(
                json.dumps({"d": found}).encode(),
                list="d",
                time="time",
                value="price",
                unit="EUR/MWh",
            )
        assert "{time: value}" in str(refused.value)


def test_a_key_chooses_the_rows_of_one_place(tmp_path):
    hours = [f"{at},{name}" for at in range(1, 25) for name in ("HB_NORTH", "HB_WEST")]
    head = "Delivery Date,Hour Ending,Settlement Point"
    found = ercot(tmp_path, "05/01/2026", hours, head, only="HB_WEST")
    assert list(found.values) == pytest.approx([(21 + 2 * at) / 1000 for at in range(24)])
    with pytest.raises(SeriesError, match="a row before"):
        ercot(tmp_path, "05/01/2026", hours, head)
    with pytest.raises(SeriesError, match="no values"):
        ercot(tmp_path, "05/01/2026", hours, head, only="HB_")
    (tmp_path / "ercot.csv").write_text((tmp_path / "ercot.csv").read_text() + "05/02/2026,1,HB_NO")
    own = {"path": "x", "column": "", "unit": "", "only": "HB_WEST"}
    feed = Feed("x", "prices", "csv", 1e6, BERLIN, "USD", own)
    assert len(rows_feed.read(str(tmp_path / "ercot.csv"), feed, 2e9).values) == 24


def test_a_cell_beyond_the_header_is_no_column_of_times():
    assert times.columns(["time", "x"], ["2026-06-01T00:00", "1", "12:00", ""]) == (0,)
