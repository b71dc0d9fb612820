"""Every place of the box that reads a file, an answer or a packed text without a bound of its own.

A bound on a part is no bound on the sum: 41 kB of XML took 505 MiB. So each place that the syntax
tree finds says here why its input is small, or which bound holds.
"""

import ast
import gzip
import os
import tracemalloc
from datetime import UTC

import pytest

from controller.planner.feeds import entsoe, json_rows, rows
from controller.planner.feeds.points import Feed
from controller.series import table, text
from controller.series.refusal import SeriesError
from controller.workbench import profile_files
from tests.referred import References, named, places
from tests.repository import ROOT

WHOLE = {"readlines", "read_text", "read_bytes", "readall"}
BY_SIZE = {"read", "readline", "read1", "communicate"}
TAKES = {"list", "sorted", "set", "tuple", "enumerate", "map", "dict", "zip"}
UNPACKS = {
    *("gzip.open", "gzip.decompress", "gzip.GzipFile", "zlib.decompress", "bz2.open", "lzma.open"),
    *("zipfile.ZipFile", "tarfile.open", "json.load", "tomllib.load", "tomllib.loads"),
    *("ElementTree.parse", "ElementTree.fromstring", "ElementTree.iterparse", "csv.reader"),
    *("zipfile.ZipFile", "tarfile.TarFile", "csv.DictReader", "minidom.parse", "yaml.safe_load"),
    *("pickle.load", "marshal.load", "linecache.getlines"),
    *("numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile"),
    *(
        "subprocess.check_output",
        "subprocess.getoutput",
        "fileinput.input",
        "cantools.database.load",
    ),
}
PLACES = """
controller/config/approval.py devices | a profile and its DBC, which were read with their bounds
controller/config/can_dialects.py shipped | files of the release
controller/config/unit_access.py _kind | a file of the kernel
controller/console/backup_file.py _archived | within the 32 MiB that were read, and not sparse
controller/console/backup_file.py packed | writes
controller/console/backup_file.py unpacked | 32 MiB were read before
controller/workbench/bus_access.py _is_can | a file of the kernel
controller/console/person.py _password | what a person types
controller/console/provision.py read_list | the text was read with LIST_BYTES_MAX
controller/workbench/sniff.py pieces | a port gives what has arrived
controller/console/terminal/actions.py lines | its own child, OUTPUT_BYTES_MAX
controller/console/terminal/console.py _password | what a person types
controller/console/terminal/process.py _read | a line gives what has arrived
controller/documents/bill_of_materials.py _runs | files of the release
controller/documents/bill_of_materials.py document | files of the release
controller/documents/commissioning.py _files | files that the check has read with their bounds
controller/documents/hazard_log.py _exists | files of the release
controller/documents/hazard_log.py read | files of the release
controller/documents/locked.py main | files of the release
controller/system/release.py digest | files of the release
controller/doors/feed.py fresh | feed.read, of this box
controller/doors/http/pages.py _fixed | files of the release
controller/planner/feeds/entsoe.py _root | 1 MiB was read before; elements are bounded there
controller/recorder/timeline.py boot_id | a file of the kernel
controller/run/loop.py take | a port gives what has arrived
controller/run/self_test.py _second | a file of the kernel
controller/series/table.py _split | a line of at most 64 KiB
controller/series/text.py opened | lines, characters and growth are bounded there
controller/state/proof_tests.py facts | the ledger, which proof_tests reads with its bound
controller/system/child.py result | its own child
controller/system/regular_file.py content | statistics of this box, of a fixed size
controller/system/toml_text.py loads | the text was scanned before
controller/system/utc.py started_from_rtc | a file of the kernel
controller/systemd/box_tree.py content | a file that the installer has put there
controller/systemd/flash_mcu.py verify | an image of the release
controller/store/trips.py entries | a ring of this box, of a fixed size
controller/systemd/make_bundle.py main | the workshop's own files
controller/systemd/make_bundle.py packed | writes
controller/systemd/make_bundle.py signed | the workshop's own files
controller/systemd/make_bundle.py sources | the workshop's own files
controller/systemd/rollback.py _read | a file that the installer has put there
controller/systemd/signed_bundle.py _check_newer | a file that the installer has put there
controller/systemd/signed_bundle.py _content | within the bundle that was read, and not sparse
controller/systemd/signed_bundle.py _files | parts of the bundle that was read
controller/systemd/signed_bundle.py checked | 300 MiB were read before
controller/doors/local/door.py read | a line gives what has arrived
controller/doors/local/examples/announce_steps.py _send | an example
controller/doors/local/examples/keep_hint.py | an example
controller/doors/local/examples/read_status.py | an example
controller/doors/local/examples/send_hint.py | an example
controller/doors/local/examples/send_schedule.py | an example
drivers/buses/serial_port.py _lock_owner | a file of the kernel
hil/devices/io_module.py mirrored | a profile that the check has read
hil/devices/mirrored_sensors.py sensor | a profile that the check has read
hil/devices/sunspec_chain.py read | a profile that the check has read
hil/engine/coverage.py _follows | a profile's DBC, which the check has read
hil/engine/pod_rig.py document | a result of this program
hil/engine/process_memory.py read | a file of the kernel
hil/engine/run_directory.py messages | the log of its own run
hil/oracle/design.py read | a file of the release
hil/results/recorder.py read | a result of this program
hil/runner/evidence.py _text | a file of the release
hil/runner/evidence.py digest_of_tree | files of the release
hil/runner/evidence.py _known_units | a result of this program
hil/runner/evidence.py _of_data | a file that the case has read
hil/runner/kept.py _lines | a result of this program
hil/systems/claims.py _results | a result of this program
hil/systems/claims.py _write | a file of the release
hil/systems/proofs.py stored | a file of the release
hil/systems/sized.py write | files of the release
"""
# Programs for the workshop, which read what they have written themselves.
OWN = "hil/campaigns/"


IMPORTS = """
import csv, gzip, gzip as gz, json, numpy, numpy as np, pathlib, subprocess, tarfile, tomllib
import tomllib as toml, xml.etree.ElementTree, xml.etree.ElementTree as ET, zipfile
from gzip import open as gopen
from json import load
from xml.etree import ElementTree
"""


def is_whole(node):
    """The node reads a file or an answer to its end, whatever follows."""
    if isinstance(node, ast.Attribute):
        return node.attr in WHOLE
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    # read(-1) and read(None) have no bound either
    first = [ast.unparse(each) for each in node.args[:1]]
    return node.func.attr in BY_SIZE and first in ([], ["-1"], ["None"]) and not node.keywords


def opened(tree):
    """Names that a `with` gives to an open file."""
    items = [each for node in ast.walk(tree) for each in getattr(node, "items", [])]
    return {
        item.optional_vars.id
        for item in items
        if isinstance(item, ast.withitem) and isinstance(item.optional_vars, ast.Name)
        if is_open(item.context_expr)
    }


def is_open(node):
    return isinstance(node, ast.Call) and getattr(node.func, "attr", name(node.func)) == "open"


def name(node):
    return getattr(node, "id", "")


def is_line_by_line(node, files):
    """Lines of a file, each of which may have any length: in a loop, or taken by a function."""
    taken = [node.iter] if isinstance(node, (ast.For, ast.comprehension)) else []
    if isinstance(node, ast.Call) and name(node.func) in TAKES:
        taken = node.args
    return any(is_open(each) or name(each) in files for each in taken)


def reads(tree):
    references, files = References(tree), opened(tree)

    def judge(node):
        is_name = isinstance(node, (ast.Name, ast.Attribute))
        is_unpacked = is_name and references.is_of(node, UNPACKS)
        return is_whole(node) or is_unpacked or is_line_by_line(node, files)

    return judge


def test_every_place_that_reads_without_a_bound_says_which_one_holds():
    rooms = [ROOT / each for each in ("controller", "drivers", "hil")]
    found = {each for room in rooms for each in places(room, reads, ROOT)}
    assert {each for each in found if not each.startswith(OWN)} == named(PLACES)


@pytest.mark.parametrize(
    "line",
    [
        'open(path, "rb").read()',
        "Path(path).read_bytes()",
        'Path(path).read_text(encoding="utf-8")',
        "pathlib.Path(path).open().read(-1)",
        "gzip.decompress(data)",
        "gz.open(path)",
        "gopen(path).read(9)",
        "json.load(file)",
        "load(file)",
        "list(map(json.load, files))",
        "tomllib.load(file)",
        "toml.load(file)",
        "list(csv.reader(file))",
        "csv.DictReader(file)",
        "zipfile.ZipFile(path)",
        "tarfile.open(path)",
        "ElementTree.parse(path)",
        "ET.parse(path)",
        "xml.etree.ElementTree.fromstring(data)",
        "urlopen(url).read()",
        "[line for line in open(path)]",
        "sorted(open(path))",
        "file.readline()",
        "file.read(None)",
        "numpy.loadtxt(path)",
        "np.fromfile(path)",
        "subprocess.check_output(command)",
    ],
)
def test_a_new_place_that_reads_without_a_bound_is_found(line, tmp_path):
    (tmp_path / "new.py").write_text(f"{IMPORTS}\ndef reads(path):\n    return {line}\n")
    (tmp_path / "outside.py").write_text(f"{IMPORTS}\nfound = {line}\n")
    (tmp_path / "later.py").write_text(f"{IMPORTS}\nasync def f():\n    x = lambda: {line}\n")
    (tmp_path / "sound.py").write_text("def reads(file):\n    return file.read(4096)\n")
    assert places(tmp_path, reads) == {"new.py reads", "outside.py", "later.py f"}


def test_lines_of_an_open_file_are_found(tmp_path):
    (tmp_path / "new.py").write_text(
        "def reads(path):\n with open(path) as file:\n  for line in file:\n   pass\n"
    )
    (tmp_path / "own.py").write_text("from json import load as read\nreader = read\n")
    assert places(tmp_path, reads) == {"new.py reads", "own.py"}


def test_a_folder_of_profiles_reads_a_part_of_each_file(tmp_path):
    (tmp_path / "small.toml").write_text('family = "meter"\n')
    with open(tmp_path / "large.toml", "wb") as file:
        file.write(b'name = 1\nfamily = "meter"\n')
        file.truncate(1 << 30)
    (tmp_path / "site.toml").write_text("[site]\n")
    tracemalloc.start()
    found = profile_files.of_folder(str(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [os.path.basename(each) for each in found] == ["large.toml", "small.toml"]
    assert peak < 4 << 20


PERIOD = (
    "<Period><timeInterval><start>2026-01-01T00:00Z</start><end>2027-02-05T00:00Z</end>"
    "</timeInterval><resolution>PT15M</resolution>{}</Period>"
)
POINT = "<Point><position>1</position><price.amount>50</price.amount></Point>"
DOCUMENT = (
    '<Publication_MarketDocument xmlns="urn:x"><type>A44</type><TimeSeries>'
    "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH"
    "</price_Measure_Unit.name><curveType>{}</curveType>{}</TimeSeries>"
    "</Publication_MarketDocument>"
)
PRICES = Feed("a", "prices", "csv", 0.0, UTC, "EUR", {"column": "", "unit": ""})
HEAD = b"time,EUR/MWh\n2026-01-01T00:00Z,5\n"


def document(data):
    return lambda folder: entsoe.parsed(data.encode(), "EUR", 1.8e9)


def feed(content):
    def read(folder):
        path = folder / "a.csv.gz"
        path.write_bytes(gzip.compress(content))
        assert path.stat().st_size < 20_000
        return rows.read(str(path), PRICES, 0.0)

    return read


def json_feed(data):
    return lambda folder: json_rows.parsed(data, PRICES, 0.0)


BOMBS = {
    "periods": (document(DOCUMENT.format("A03", PERIOD.format(POINT) * 50)), "in all"),
    "periods without points": (document(DOCUMENT.format("A01", PERIOD.format("") * 50)), "in all"),
    "elements": (document(DOCUMENT.format("A03", "<a/>" * 100_000)), "ends of elements"),
    "empty lines": (feed(HEAD + b"\n" * 3_000_000), "has more than"),
    "rows of separators": (feed(HEAD + b",\n" * 2_000_000), "has more than"),
    "rows": (
        feed(HEAD + b"".join([b"2026-01-02T00:%02dZ,5\n" % each for each in range(60)])),
        "rows",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_costs_little_memory_and_is_refused_in_one_line(name, tmp_path, monkeypatch):
    read, words = BOMBS[name]
    monkeypatch.setattr(table, "BLANKS_MAX", 1000)
    monkeypatch.setattr(rows, "ROWS_MAX", 50)
    tracemalloc.start()
    try:
        with pytest.raises(SeriesError, match=words):
            read(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 << 20, f"{peak >> 20} MiB"


def test_packed_text_may_not_grow_beyond_what_a_file_of_samples_does(tmp_path, monkeypatch):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"x,5\n" * 2_000_000))
    with (
        pytest.raises(SeriesError, match="has more than . MiB of text"),
        text.opened(path) as lines,
    ):
        for _ in lines:
            pass
