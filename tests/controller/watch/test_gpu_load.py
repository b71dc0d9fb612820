"""GPU telemetry: a scrape becomes power and utilisation now, and two series for the planner."""

import math
import os
import subprocess

import pytest
from feed_cases import NOW_S, feed, written
from hypothesis import given, strategies as st

from controller.forms.reading import read
from controller.forms.refusal import ConfigError
from controller.planner import inputs, site_file
from controller.planner.feeds.points import QUARTER_S
from controller.series.refusal import SeriesError
from controller.watch import __main__ as command, dcgm, load_files, telemetry
from controller.watch.dcgm import Cluster, GpuState
from controller.watch.jobs import GATED, PENDING, RELEASED, RUNNING, Job
from tests.repository import ROOT
from tests.tables import cases

HEAD = """# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
"""
OF_GPU = 'gpu="{0}",UUID="GPU-{0}",device="nvidia{0}",Hostname="n1",container="c",pod="llm-0"'
A, B = [OF_GPU.format(each) for each in "01"]
SHARED = A.replace("llm-0", "llm-1") + ',GPU_I_ID="3"'


def row(labels, value, name=dcgm.POWER, more=""):
    return f"{name}{{{labels}}} {value}{more}\n"


BARE = f"{dcgm.POWER} 5\n"
BOTH = row(A, 300.5) + row(B, 100) + row(A, 100, dcgm.UTIL) + row(B, 50, dcgm.UTIL)


class Scrapes:
    """A Cluster whose exporters answer what `texts` has for each address; None: nothing."""

    def __init__(self, monkeypatch, gpus=0, **texts):
        self.texts, self.cluster = texts, Cluster(texts, gpus)
        monkeypatch.setattr(dcgm.fetch, "fetched", self.fetched)

    def fetched(self, keys, zone, now_s):
        if self.texts[keys["url"]] is None:
            raise SeriesError(f"{keys['url']}: no whole answer in the time of timeout_s")
        return self.texts[keys["url"]].encode()

    def now(self, at_s=NOW_S):
        found = self.cluster.state(at_s, at_s)
        return found.gpu_count, found.power_W, found.util_percent, found.why

    def power_W(self, at_s=NOW_S):
        return self.cluster.state(at_s, at_s).power_W


@cases("""text  gpus  now
    BOTH  0  (2, 400.5, 75.0, "")
    BOTH + row(SHARED, 300.5) + row(SHARED, 100, dcgm.UTIL)  2  (2, 400.5, 75.0, "")  # MIG, pods
    BOTH.replace("GPU-1", "").replace("GPU-0", "")  2  (2, 400.5, 75.0, "")  # by host and number
    row(A, 300.5) + row(B, 0)  2  (2, 300.5, math.nan, "")
    row(A, "1e2", more=f" {NOW_S * 1000 - 119_000:.0f}")  1  (1, 100.0, math.nan, "")
    row(A.replace("llm-0", 'a} "b'.replace('"', chr(92) + '"')), 5)  1  (1, 5.0, math.nan, "")
""")
def test_a_scrape_is_power_and_utilisation(monkeypatch, text, gpus, now):
    assert Scrapes(monkeypatch, gpus, a=HEAD + text).now() == pytest.approx(now, nan_ok=True)


@cases("""texts  gpus  why
    {"a": BOTH, "b": None}  0  "b: no whole answer in the time of timeout_s"
    {"a": BOTH, "b": HEAD}  0  "b: shows no GPU; needed is DCGM_FI_DEV_POWER_USAGE"
    {"a": BOTH}  3  "the power of 2 of 3 GPUs is known"
    {"a": BOTH.replace("300.5", "NaN")}  0  "the power of 1 of 2 GPUs is known"
    {"a": BOTH.replace("300.5", "+Inf")}  0  "the power of 1 of 2 GPUs is known"
    {"a": BOTH.replace("300.5", "-1")}  0  "the power of 1 of 2 GPUs is known"
    {"a": BOTH.replace("300.5", "5e6")}  0  "the power of 1 of 2 GPUs is known"
    {"a": BOTH.replace("300.5", "300,5")}  0  "the power of 1 of 2 GPUs is known"
    {"a": BOTH.replace("300.5", f"300 {NOW_S * 1000 - 121_000:.0f}")}  0  "the power of 1 of 2"
    {"a": BOTH.replace("300.5", f"300 {NOW_S * 1000 + 31_000:.0f}")}  0  "the power of 1 of 2"
    {"a": BOTH + row(A, 7)[:-1]}  0  "a: is cut, or a line is not text of Prometheus with labels"
    {"a": BOTH + BARE.replace(" ", '{gpu="3} ')}  0  "a: is cut, or a line is not text"
    {"a": BOTH, "b": BARE}  0  "b: is cut, or a line is not text"
    {"a": row(B, 7) + row(A, 9, dcgm.UTIL)}  0  "the power of 1 of 2 GPUs is known"
""")
def test_a_total_that_lacks_a_part_is_unknown(monkeypatch, texts, gpus, why):
    _, power_W, _, found = Scrapes(monkeypatch, gpus, **texts).now()
    assert math.isnan(power_W) and found.startswith(why)
    assert str(GpuState(0.0, 2, power_W, 5.0, found)).startswith("the power of the GPUs is unk")


def test_gpus_without_a_host_of_two_exporters_are_two(monkeypatch):
    one = row('gpu="0"', 5) + row('x="1"', 1)
    scrapes = Scrapes(monkeypatch, 4, a=one, b=one.replace("5", "7"))
    assert scrapes.now()[:2] == (4, 14.0)


def test_a_mean_comes_from_the_counter_unless_it_begins_anew(monkeypatch):
    def text(joules):
        return row(A, 300) + row(A, joules * 1000, dcgm.ENERGY)

    scrapes = Scrapes(monkeypatch, a=text(1000))
    found = [scrapes.power_W()]
    for at_s, joules in ((30, 7000), (60, 7000), (90, 10_000), (120, 50), (150, 3050), (400, 9000)):
        scrapes.texts["a"] = text(joules)
        found.append(scrapes.power_W(NOW_S + at_s))
    assert found == [300, 200, 300, 50, 300, 100, 300]
    scrapes.texts["a"] = text(9e9)
    assert scrapes.power_W(NOW_S + 430) == 300  # no GPU takes so much


@cases("""step_J  watts  power_W
    0  700  math.nan  # an exporter that repeats old values
    1e-3  700  700  # the counter creeps: the larger one counts
    60  700  700  # 2 W beside 700 W
    3000  700  100  # a power between two scrapes may be far from its mean
    21_000  700  700
    0  0  0  # a GPU that is off
""")
def test_a_counter_that_stands_beside_watts_contradicts_them(monkeypatch, step_J, watts, power_W):
    def text(at):
        energy_mJ = 10**12 + at * step_J * 1000
        return row(A, watts) + row(A, f"{energy_mJ:.0f}", dcgm.ENERGY)

    scrapes = Scrapes(monkeypatch, a=text(0))
    for at in range(20):
        scrapes.texts["a"] = text(at)
        now = scrapes.cluster.state(NOW_S + 30 * at, NOW_S + 30 * at)
    assert now.power_W == pytest.approx(power_W, nan_ok=True)
    assert ("counter does not move" in now.why) is math.isnan(power_W)


def test_a_counter_that_moves_again_ends_the_contradiction(monkeypatch):
    scrapes, found = Scrapes(monkeypatch, a=""), []
    for at in range(20):
        moved = 21_000_000 * max(0, at - 8)
        scrapes.texts["a"] = row(A, 700) + row(A, 10**9 + moved, dcgm.ENERGY)
        found.append(scrapes.power_W(NOW_S + 30 * at))
    assert found[:4] == [700] * 4 and math.isnan(found[8]) and found[9:] == [700] * 11


@given(st.text(alphabet='D{}="\\ ,1eN\n') | st.text())
def test_no_text_raises_but_for_one_line(text):
    for found in (BOTH + text, f"{dcgm.POWER}{{{text}", f"{dcgm.POWER}{{{text}}} 1\n"):
        try:
            assert isinstance(dcgm.read(found.encode("utf-8", "replace"), NOW_S), dict)
        except SeriesError as error:
            assert "is cut, or a line is not text of Prometheus" in str(error)


@pytest.mark.needs("prometheus")
def test_promtool_reads_the_sample():
    line = ["promtool", "check", "metrics"]
    rows = sorted(BOTH.splitlines(), reverse=True)
    heads = HEAD.splitlines()
    text = "\n".join([*heads[:2], *rows[:2], *heads[2:], *rows[2:]]) + "\n"
    done = subprocess.run(line, input=text, capture_output=True, text=True, timeout=30)
    assert "error" not in done.stderr.lower(), done.stderr


def filled(files, hours, power_W, begin_s=NOW_S, jobs=(), step_s=60):
    """Scrapes of so many hours until begin_s."""
    first_s = int(begin_s - hours * 3600)
    for at_s in range(first_s, int(begin_s) + 1, step_s):
        files.add(GpuState(at_s, 1, power_W(at_s), 50.0), jobs, at_s)


LOAD = b"begin_utc,load_W\n2026-11-24T00:00Z,5\n"


def series(path):
    rows = [each.split(",") for each in path.read_text().splitlines()]
    assert rows[0] == ["begin_utc", "load_W"]
    return rows[1:]


def test_the_files_are_feeds_of_the_planner(tmp_path):
    files = load_files.Files(str(tmp_path), 500.0, 1.1)
    filled(files, 26, lambda at_s: 10_000 + at_s % 86_400 / 10, step_s=120)
    jobs = [
        Job("a", PENDING, 3000, NOW_S + 900, 1800),
        Job("b", RELEASED, 100, NOW_S + 3600 + 450, 90_000),
        Job("c", RUNNING, 2000, NOW_S - 900, 900 + 7200),
        Job("late", RELEASED, 700, NOW_S - 60, 2760),
        Job("d", GATED, 9e9, NOW_S + 900, 100),
        Job("e", PENDING, None, NOW_S + 900, 100),
    ]
    plain_W = [float(each) for _, each in series(tmp_path / "forecast.csv")]
    files.add(GpuState(NOW_S + 30, 1, 10_000.0, 50.0), jobs, NOW_S + 30)
    ahead_W = [float(each) for _, each in series(tmp_path / "forecast.csv")]
    more_W = [round(a - b) for a, b in zip(ahead_W, plain_W)]
    assert more_W == [677, 3700, 3700, 0, 50, 100, 100, 100] + [-1900] * 8
    kinds = [("load", "load.csv"), ("jobs", "forecast.csv")]
    feeds = [
        feed(written(tmp_path / f"x{name}", (tmp_path / name).read_text(), NOW_S), kind)
        for kind, name in kinds
    ]
    own = site_file.load(str(ROOT / "controller/planner/example/planner.toml"))
    found = inputs.Inputs(own._replace(feeds=tuple(feeds), pv_rated_W=0.0)).read(NOW_S + 60)
    assert found.lacks == [] and len(found.past_load_W) >= 96
    assert found.load_W == ahead_W and len(ahead_W) < 96  # a whole day would count as sure


def test_the_example_of_the_page_is_a_planner_file(tmp_path):
    text = (ROOT / "controller/planner/example/planner.toml").read_text()
    more = '[feed.gpus]\nkind = "jobs"\nformat = "csv"\npath = "forecast.csv"\nmax_age_h = 1\n'
    (tmp_path / "planner.toml").write_text(text + more)
    found = site_file.load(str(tmp_path / "planner.toml")).feeds[-1]
    assert (found.kind, found.format, found.max_age_s) == ("jobs", "csv", 3600.0)


def test_a_restart_keeps_the_days_and_a_hole_stays_a_hole(tmp_path):
    filled(load_files.Files(str(tmp_path), 0.0, 1.0), 3, lambda at_s: 1000.0)
    before = series(tmp_path / "load.csv")
    assert len(before) == 12 and {each for _, each in before} == {"1000"}
    files = load_files.Files(str(tmp_path), 0.0, 1.0)

    def unknown_for_an_hour(at_s):
        return math.nan if at_s < NOW_S + 3600 else 2000.0

    filled(files, 2, unknown_for_an_hour, NOW_S + 7200)
    after = series(tmp_path / "load.csv")
    assert after[:12] == before
    assert [each for _, each in after[12:]] == ["2000"] * 4
    begin = [time for time, _ in after[11:13]]
    assert begin == ["2026-11-26T10:45Z", "2026-11-26T12:00Z"]


def test_nothing_is_foretold_while_the_last_hour_is_unknown(tmp_path):
    assert load_files.expected([1000.0] * 96 + [math.nan] * 4, NOW_S, [], NOW_S) == []
    assert len(load_files.expected([1000.0] + [math.nan] * 3, NOW_S, [], NOW_S)) == 16
    assert load_files.expected([], NOW_S, [], NOW_S) == []
    files = load_files.Files(str(tmp_path), 0.0, 1.0)
    filled(files, 3, lambda at_s: math.nan)
    assert list(tmp_path.iterdir()) == []


def test_scrapes_far_apart_and_a_clock_that_goes_back_count_for_nothing(tmp_path):
    files = load_files.Files(str(tmp_path), 0.0, 1.0)
    filled(files, 2, lambda at_s: 1000.0, step_s=300)
    assert list(tmp_path.iterdir()) == []
    filled(files, 1, lambda at_s: 1000.0, NOW_S - 5 * QUARTER_S)
    assert {each for _, each in series(tmp_path / "load.csv")} == {"1000"}


CONFIG = """[cabinet]
url = "https://box"
token = "t"
[gpu_W]
"*" = 5
[kubernetes]
"""


def test_the_command_gpus(monkeypatch, tmp_path, capsys):
    Scrapes(monkeypatch, **{"http://a": BOTH, "http://b": None})
    path, codes = tmp_path / "watch.toml", []
    for more in ("", '[telemetry]\nurls = ["http://a"]\n', '[telemetry]\nurls = ["http://b"]\n'):
        path.write_text(CONFIG + more)
        codes.append(command.main(["gpus", "--config", str(path)]))
    assert codes == [2, 0, 3]
    assert capsys.readouterr().out.splitlines() == [
        "firebreak-watch: watch.toml has no [telemetry]",
        "firebreak-watch: 2 GPUs take 0.4 kW, utilisation 75 %",
        "firebreak-watch: the power of the GPUs is unknown: http://b: no whole answer in the time"
        " of timeout_s",
    ]
    assert list(tmp_path.iterdir()) == [path]


@cases("""urls
    [] | ["ftp://a/"] | ["http://"] | ["http://[::1"] | ["http://a:70000/"] | ["http://a/ b"] | [5]
    ["http://a:65536/"] | ["http://a:0"] | ["http://a:65535x/"] | ["http://a/"] * 17 | "http://a/"
""")
def test_a_wrong_address_is_refused(urls):
    with pytest.raises(ConfigError, match=r"urls: .*allowed 1 to 16 addresses"):
        read("watch.toml", ("telemetry",), {"urls": urls}, telemetry.FORM)
    right = {
        "urls": [
            "http://[::1]:9400/metrics",
            "https://prometheus.monitoring/federate?match%5B%5D=a",
        ]
    }
    right["urls"] += [f"http://a:{port}/metrics" for port in (1, 9400, 64999, 65000, 65535)]
    read("watch.toml", ("telemetry",), right, telemetry.FORM)


def telemetry_in(folder, say):
    values = {"urls": ["a"], "gpus": 0, "base_W": 0.0, "factor": 1.0, "folder": str(folder)}
    return telemetry.Telemetry(values, say)


def test_telemetry_says_each_reason_once_and_a_full_disk_ends_nothing(tmp_path, monkeypatch):
    scrapes, lines = Scrapes(monkeypatch, a=BOTH), []
    own = telemetry_in(tmp_path, lines.append)
    one, other = BOTH.replace("300.5", "NaN"), BOTH.replace("300.5", "NaN") + row(SHARED[:9], 5)
    for text in (BOTH, BOTH, None, None, BOTH, one, other):
        scrapes.texts["a"] = text
        own.turn(NOW_S, NOW_S)
    assert lines == [
        "2 GPUs take 0.4 kW, utilisation 75 %",
        "the power of the GPUs is unknown: a: no whole answer in the time of timeout_s",
        "2 GPUs take 0.4 kW, utilisation 75 %",
        "the power of the GPUs is unknown: the power of 1 of 2 GPUs is known",
    ]
    filled(own._files, 1, lambda at_s: 5.0)
    own._files._folder = str(tmp_path / "none")
    own.turn(NOW_S + 900, NOW_S + 900)
    assert "cannot be written: No such file or directory" in lines[-1]


@cases(r"""content
    b"" | b"a,b\n1,2\n" | b"begin_utc,load_W\n" | b"\0" * 500
    LOAD * 2 | LOAD + b"\0" * 99 | b"\xff\xfe" + LOAD
""")
def test_a_damaged_file_is_set_aside_and_ends_nothing(tmp_path, monkeypatch, content):
    """It begins anew, and the damaged one stays for a person. `gpus` touches neither."""
    Scrapes(monkeypatch, a=BOTH)
    lines, path = [], tmp_path / "load.csv"
    path.write_bytes(content)
    own = telemetry_in(tmp_path, lines.append)
    assert telemetry_in(tmp_path, lines.append).show(NOW_S) and path.read_bytes() == content
    own.turn(NOW_S - 7200, NOW_S - 7200)
    assert (tmp_path / "load.csv.bad").read_bytes() == content
    assert lines[1].endswith("the file is load.csv.bad now, and load.csv begins anew")
    own.turn(NOW_S - 7199, NOW_S - 7199)
    filled(own._files, 1, lambda at_s: 5.0)
    assert {each for _, each in series(path)} == {"5"}


def test_a_damaged_file_that_cannot_be_set_aside_ends_nothing_either(tmp_path, monkeypatch):
    Scrapes(monkeypatch, a=BOTH)
    (tmp_path / "load.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "load.csv.bad").mkdir()
    lines = []
    own = telemetry_in(tmp_path, lines.append)
    for at_s in (NOW_S - 7200, NOW_S - 7199):
        own.turn(at_s, at_s)
    assert len(lines) == 1 and "cannot be written: Is a directory" in lines[0]


@pytest.mark.parametrize("name", ["load.csv", "forecast.csv"])
def test_a_file_that_is_removed_or_cut_is_written_again(tmp_path, name):
    files = load_files.Files(str(tmp_path), 0.0, 1.0)
    filled(files, 3, lambda at_s: 1000.0)
    whole = (tmp_path / name).read_bytes()
    for damage in (os.remove, lambda path: os.truncate(path, 30)):
        damage(tmp_path / name)
        files.add(GpuState(NOW_S + 1, 1, 1000.0, 50.0), (), NOW_S + 1)
        assert (tmp_path / name).read_bytes() == whole
    before = os.stat(tmp_path / name).st_ino
    files.add(GpuState(NOW_S + 2, 1, 1000.0, 50.0), (), NOW_S + 2)
    assert os.stat(tmp_path / name).st_ino == before  # nothing new to write
