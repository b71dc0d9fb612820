"""The metrics of the HTTP door: read by Prometheus itself; rules and dashboard name them."""

import json
import re
import subprocess

import pytest

from controller.doors.http import metrics
from controller.doors.http.counts import Counts
from controller.state import schema
from tests.controller.doors.http_site import GUARD_S, READ_TOKEN, served
from tests.repository import ROOT

pytestmark = pytest.mark.wire
FOLDER = ROOT / "controller/doors/http/monitoring"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with served(tmp_path_factory.mktemp("door")) as (_, door):
        yield door


def live(door):
    return door.house.feed.state | {"is_live": True}


def checked(*words, given=None):
    done = subprocess.run(
        ["promtool", "check", *words], input=given, capture_output=True, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.needs("prometheus")
def test_promtool_accepts_metrics_and_rules(door):
    assert checked("metrics", given=metrics.text(live(door), Counts(1)).encode()) == (0, "")
    code, words = checked("rules", str(FOLDER / "rules.yml"))
    assert code == 0 and "SUCCESS" in words


@pytest.mark.needs("prometheus")
def test_the_rules_of_a_fleet(tmp_path):
    text = (ROOT / "tests/controller/doors/fleet_rules.yml").read_text()
    (tmp_path / "test.yml").write_text(text.replace("RULES", str(FOLDER / "rules.yml")))
    line = ["promtool", "test", "rules", str(tmp_path / "test.yml")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_release_limits_wrong_readings_and_the_time_of_a_hint_are_metrics(door):
    hint = {"source": "fleet", "quantity": "import_W_max", "state": "valid", "value_W": 5}
    state = live(door) | {"hints": [hint | {"valid_s": 41}]}
    reason = {"label": "R924", "name": "PV power contradicted"}
    state["contradicted"] = [{"signal": "pv_1.power_W", "reason": reason}]
    state["version"] = state["version"] | {"limits_crc": "0A1B2C3D"}
    text = metrics.text(state, Counts(1))
    assert 'firebreak_info{release="' in text and ',limits_crc="0A1B2C3D"} 1\n' in text
    share = 'firebreak_hint_left_seconds{source="fleet",quantity="import_W_max"} 41\n'
    assert share in text
    words = 'signal="pv_1.power_W",code="R924",name="PV power contradicted"'
    assert f"firebreak_contradicted{{{words}}} 1\n" in text
    assert "\nfirebreak_tracked_load_watts " in text


def test_each_line_of_a_diagram_names_its_cabinet():
    board = json.loads((FOLDER / "grafana.json").read_text())
    (cabinet,) = [each for each in board["templating"]["list"] if each["name"] == "cabinet"]
    assert cabinet["multi"] and cabinet["includeAll"]
    for panel in board["panels"]:
        for each in panel["targets"]:
            assert panel["type"] == "table" or "{{instance}}" in each["legendFormat"]
            assert 'instance=~"$cabinet"' in each["expr"]


def test_an_unknown_value_has_no_line(door):
    state = live(door)
    assert "\nfirebreak_grid_watts " in metrics.text(state, Counts(1))
    text = metrics.text(state | {"grid_W": None}, Counts(1))
    assert "firebreak_grid_watts" not in text and "\nfirebreak_up 1\n" in text
    for gone in (None, state | {"is_live": False}):
        text = metrics.text(gone, Counts(1))
        assert "\nfirebreak_up 0\n" in text and "watts" not in text


def test_every_place_of_a_table_is_a_field_of_the_state():
    fields = schema.schema()["properties"]
    for table in (metrics.GAUGES, metrics.COUNTERS):
        for _, place, *_ in metrics._rows(table):
            found = {"properties": fields}
            for name in place.split("."):
                found = found["properties"][name]
    for _, place, *_ in metrics._rows(metrics.RACKS):
        assert place in fields["racks"]["items"]["properties"]


def test_a_name_cannot_end_its_label():
    (line,) = list(metrics._family("x", "gauge", "X", [({"name": 'a"} 1\nb\\'}, 2)]))[2:]
    assert line == r'firebreak_x{name="a\"} 1\nb\\"} 2'


def test_rules_and_dashboard_name_metrics_that_are_there(door):
    known = set(re.findall(r"^# HELP (\w+)", metrics.text(live(door), Counts(1)), re.M))
    source = (ROOT / "controller/doors/http/metrics.py").read_text()
    known |= {f"firebreak_{name}" for name in re.findall(r"^(\w+) \| ", source, re.M)}
    known |= {f"firebreak_{name}" for name in re.findall(r'yield \(?\s*"(\w+)"', source)}
    board = json.loads((FOLDER / "grafana.json").read_text())
    exprs = [each["expr"] for panel in board["panels"] for each in panel["targets"]]
    exprs += re.findall(r"expr: (.*)", (FOLDER / "rules.yml").read_text())
    assert len(exprs) > 30
    for expr in exprs:
        names = set(re.findall(r"firebreak_\w+", expr))
        assert names and names <= known, names - known


CONFIG = """
global: {scrape_interval: 1s, scrape_timeout: 1s}
rule_files: [RULES]
scrape_configs:
  - job_name: firebreak
    authorization: {credentials: TOKEN}
    static_configs: [{targets: ["127.0.0.1:PORT"]}]
"""


@pytest.mark.needs("prometheus")
def test_prometheus_scrapes_the_door(door, tmp_path):
    text = CONFIG.replace("PORT", str(door.port)).replace("TOKEN", READ_TOKEN)
    (tmp_path / "p.yml").write_text(text.replace("RULES", str(FOLDER / "rules.yml")))
    started = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={tmp_path}/p.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            "--web.listen-address=127.0.0.1:0",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert any("Server is ready" in line for line in started.stderr)
        door.until(lambda: door.door.counts.answered[200] >= 2)
    finally:
        started.terminate()
        started.communicate(timeout=GUARD_S)
    assert not door.door.counts.refused
