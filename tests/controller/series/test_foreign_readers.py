"""Every reader of foreign text is known here: it passes the suite, or a word says why not."""

import ast
import json
from array import array

import pytest
from foreign_suite import BERLIN, FIRST_S, CsvFeed, EntsoeXml, JsonFeed, RunPrices

from controller.planner.feeds import json_rows
from controller.planner.feeds.points import Feed
from controller.series import meaning
from controller.series.units import PRICE
from tests.repository import ROOT, tree


class TestCsvFeed(CsvFeed):
    pass


class TestRunPrices(RunPrices):
    pass


class TestJsonFeed(JsonFeed):
    pass


class TestEntsoeXml(EntsoeXml):
    pass


# of each file and its parser of text: the suite that it passes, or whose text it is
READERS = {
    "controller/planner/feeds/rows.py table.opened": TestCsvFeed,
    "controller/planner/feeds/json_rows.py json_text.loads": TestJsonFeed,
    "controller/planner/feeds/entsoe.py ElementTree.fromstring": TestEntsoeXml,
    "controller/series/prices.py table.opened": TestRunPrices,
    # other series of controller/series: no price, and a time from any zero or without a period
    "controller/audit/table.py table.opened": "test_samples",
    "controller/hints/schedule_file.py table.opened": "begins of slots, in a form of its own",
    "controller/series/jobs.py table.opened": "test_series_fence",
    "controller/series/survey.py table.opened": "test_series_powers",
    "controller/series/table.py csv.reader": "the reader of all tables",
    "controller/series/table.py text.opened": "the reader of all tables",
    "controller/series/weather.py table.opened": "hours of a year, without a zone",
    # messages, which have no series
    "controller/console/provision.py csv.reader": "a list of cabinets",
    "controller/doors/http/pages.py json_text.loads": "a message",
    "controller/doors/mqtt/commands.py json_text.loads": "a message",
    "controller/upstream/framing.py json_text.loads": "a message",
    "controller/watch/cabinet.py json_text.loads": "an answer of the cabinet",
    "controller/watch/kube_api.py json_text.loads": "an answer of the scheduler",
    "controller/watch/slurm.py json_text.loads": "an answer of the scheduler",
    # of this program
    "controller/console/backup_file.py json_text.loads": "own",
    "controller/console/terminal/actions.py json_text.loads": "own",
    "controller/documents/hazard_log.py json.loads": "own",
    "controller/doors/alarms/outbox.py json_text.loads": "own",
    "controller/hints/hint_statistics.py json_text.loads": "own",
    "controller/recorder/database.py json_text.loads": "own",
    "controller/recorder/fast_anchor.py json.loads": "own",
    "controller/recorder/fast_ring.py json.loads": "own",
    "controller/recorder/head.py json_text.loads": "own",
    "controller/recorder/rescue.py json_text.loads": "own",
    "controller/siting/live.py json_text.loads": "own",
    "controller/state/plan_file.py json_text.loads": "own",
    "controller/state/record.py json_text.loads": "own",
    "controller/store/chain.py json_text.loads": "own",
    "controller/store/proof_lines.py json_text.loads": "own",
    "controller/store/spool.py json_text.loads": "own",
    "controller/store/trips.py json_text.loads": "own",
    "controller/system/child.py json_text.loads": "own",
    "controller/system/json_text.py json.loads": "the reader of all JSON",
    "controller/system/toml_text.py tomllib.loads": "the reader of all TOML",
    "controller/systemd/signed_bundle.py json.load": "own",
    "controller/systemd/signed_bundle.py json.loads": "own",
    "controller/upstream/examples/announce_steps.py json.loads": "an example for others",
}
PARSERS = {
    *("json.loads", "json.load", "json_text.loads", "csv.reader", "csv.DictReader"),
    *("ElementTree.fromstring", "ElementTree.parse", "ElementTree.iterparse", "minidom.parse"),
    *("table.opened", "text.opened", "tomllib.loads", "tomllib.load", "yaml.safe_load"),
}


def parses(text):
    """The parsers that a file calls."""
    return {
        f"{node.func.value.id}.{node.func.attr}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    } & PARSERS


def test_every_reader_of_text_is_known():
    files = {path.relative_to(ROOT).as_posix(): path for path in tree() if path.suffix == ".py"}
    found = {
        f"{name} {parser}"
        for name, path in files.items()
        if name.startswith("controller/")
        for parser in parses(path.read_text())
    }
    assert found == set(READERS)


@pytest.mark.parametrize(
    "line", ["x = json.loads(data)", "for row in csv.reader(file): pass", "ElementTree.parse(f)"]
)
def test_the_syntax_tree_finds_a_reader(line):
    assert parses(line)


def pv(time, **keys):
    """Begin of the first value and doubts of a PV forecast with half hours."""
    rows = [
        {time: at, "kW": 1.0}
        for at in ("2026-06-01T04:00:00.0000000Z", "2026-06-01T04:30:00.0000000Z")
    ]
    own = {"list": "", "time": time, "value": "kW", "unit": "kW", **keys}
    feed = Feed("x", "pv", "json", 1e6, BERLIN, "EUR", own)
    found = json_rows.parsed(json.dumps(rows).encode(), feed, 2e9)
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
            for each in ("period_end", "Ende", "endTime", "to.end", "bis", "valid until")
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
    ],
)
def test_currencies_of_names(name, other):
    assert meaning.other_currency(name, "EUR") == other


def test_ends_keep_a_hole():
    """An hour is missing: the value after it holds for an hour, and not for two."""
    times_s = array("d", [FIRST_S + 3600 * at for at in (1, 2, 4, 5)])
    asked = meaning.Asked(PRICE, "", "end")
    found = meaning.taken(times_s, [80.0] * 4, ("t", "p"), None, asked)
    assert [each - FIRST_S for each in found.begins_s] == [0, 3600, 3 * 3600, 4 * 3600]
