"""Every place of the box that reads a file, an answer or a packed text without a bound of its own.

A bound on a part is no bound on the sum: 41 kB of XML took 505 MiB. So each place that the syntax
tree finds says here why its input is small, or which bound holds.
"""

import ast
import gzip
import tracemalloc
from datetime import UTC

import pytest

from controller.planner.feeds import entsoe, json_rows, rows
from controller.planner.feeds.points import Feed
from controller.series import table, text
from controller.series.refusal import SeriesError
from tests.repository import ROOT

WHOLE = {"read", "readlines", "read_text", "read_bytes", "readall"}
UNPACKS = {
    *("gzip.open", "gzip.decompress", "gzip.GzipFile", "zlib.decompress", "bz2.open", "lzma.open"),
    *("zipfile.ZipFile", "tarfile.open", "json.load", "tomllib.load", "tomllib.loads"),
    *("ElementTree.parse", "ElementTree.fromstring", "ElementTree.iterparse", "csv.reader"),
    *("pickle.load", "np.load", "np.loadtxt", "np.genfromtxt"),
}
PLACES = """
config/approval.py devices | the ledger, which proof_tests reads with its bound
config/can_dialects.py shipped | files of the release
config/dbc.py read | a file beside a profile, which the profile's author has put there
console/backup_file.py _entry | within the 32 MiB that were read, and not sparse
console/backup_file.py packed | writes
console/backup_file.py unpacked | 32 MiB were read before
console/bus_access.py _is_can | a file of the kernel
console/provision.py read_list | the text was read with LIST_BYTES_MAX
console/sniff.py pieces | a port gives what has arrived
console/terminal/actions.py lines | its own child, OUTPUT_BYTES_MAX
console/terminal/process.py _read | a line gives what has arrived
documents/bill_of_materials.py _runs | files of the release
documents/bill_of_materials.py document | files of the release
documents/commissioning.py _files | files that the check has read with their bounds
documents/hazard_log.py _exists | files of the release
documents/hazard_log.py read | files of the release
documents/locked.py main | files of the release
doors/feed.py fresh | the state of the controller, which its own process writes
doors/http/pages.py _fixed | files of the release
planner/feeds/entsoe.py _root | 1 MiB was read before; elements are bounded there
recorder/timeline.py boot_id | a file of the kernel
run/loop.py take | a port gives what has arrived
run/self_test.py _second | a file of the kernel
series/table.py _split | a line of at most 64 KiB
series/text.py opened | lines, characters and growth are bounded there
state/proof_tests.py facts | the ledger, which proof_tests reads with its bound
system/child.py result | its own child
system/regular_file.py content | statistics of this box, of a fixed size
system/toml_text.py loads | the text was scanned before
system/utc.py started_from_rtc | a file of the kernel
systemd/box_tree.py content | a file that the installer has put there
systemd/flash_mcu.py verify | an image of the release
systemd/make_bundle.py main | the workshop's own files
systemd/make_bundle.py packed | writes
systemd/make_bundle.py signed | the workshop's own files
systemd/make_bundle.py sources | the workshop's own files
systemd/rollback.py _read | a file that the installer has put there
systemd/signed_bundle.py _check_newer | a file that the installer has put there
systemd/signed_bundle.py _content | within the bundle that was read, and not sparse
systemd/signed_bundle.py checked | 300 MiB were read before
upstream/examples/announce_steps.py _send | an example
upstream/link.py _read | a line gives what has arrived
"""


def name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_unbounded(call):
    """True for a call that may take more memory than the bytes that its caller has counted."""
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr in ("read_text", "read_bytes"):
        return True
    if call.func.attr in WHOLE and not call.args and not call.keywords:
        return True
    return f"{name(call.func.value)}.{call.func.attr}" in UNPACKS


def places(folder=ROOT / "controller"):
    """{"file function"} of the calls in functions of a folder."""
    found = set()
    for path in sorted(folder.rglob("*.py")):
        for each in ast.walk(ast.parse(path.read_text())):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                is_unbounded(call) for call in ast.walk(each) if isinstance(call, ast.Call)
            ):
                found.add(f"{path.relative_to(folder)} {each.name}")
    return found


def test_every_place_that_reads_without_a_bound_says_which_one_holds():
    assert places() == {line.split(" | ")[0] for line in PLACES.strip().splitlines()}


@pytest.mark.parametrize(
    "line",
    [
        'open(path, "rb").read()',
        "Path(path).read_bytes()",
        'path.read_text("ascii")',
        "gzip.decompress(data)",
        "json.load(file)",
        "ElementTree.parse(path)",
    ],
)
def test_a_new_place_that_reads_without_a_bound_is_found(line, tmp_path):
    (tmp_path / "new.py").write_text(f"def reads(path):\n    return {line}\n")
    (tmp_path / "sound.py").write_text("def reads(file):\n    return file.read(4096)\n")
    assert places(tmp_path) == {"new.py reads"}


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
