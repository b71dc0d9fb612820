"""Several cabinets on one connection, each with its own controller."""

import json

import pytest

from controller.core import parameters
from hil.__main__ import main
from hil.engine import pod, pod_command
from tests.repository import ROOT
from tests.tables import cases

EXAMPLE = ROOT / "hil/site/examples/two_cabinets_pv_genset.toml"
PV_CABINET = ROOT / "controller/sites/pv_genset/cabinet.toml"
LOAD = 'name = "one"\n[load]\nkind = "constant"\npower_W = 90000\n'


def test_members_get_their_share_and_their_turn():
    first, second = pod.member_configs(str(EXAMPLE))
    given = [
        (config.control["share_permille"], config.control["meter_code_wait_s"])
        for config in (first, second)
    ]
    assert given == [(500, 0), (500, 70)]
    settings = parameters.settings_of(second.control_image)
    assert settings["grid_import_W_max"] == 250_000
    assert second.control["grid_import_W_max"] == second.cabinet["grid_import_W_max"] == 500_000
    whole = pod.member_configs(str(EXAMPLE), whole=True)
    assert [config.control["share_permille"] for config in whole] == [1000, 1000]


PV = "[pv]\nrated_W = 1000\n"
MEMBER = "[[pod.member]]\nshare_permille = 500\ncabinet = "


@cases("""text  line
    ""  "one.toml: [pod] is missing: it names the cabinets"
    MEMBER + "'none.toml'"  "none.toml: cannot be read: No such file or directory"
    PV + MEMBER + f"'{PV_CABINET}'"  "one.toml: site: pv.rated_W = 1000, but a cabinet's device "
    MEMBER + "'one.toml'"  "one.toml:schema: is missing"
""")
def test_a_pod_that_cannot_be_is_refused_in_one_line(tmp_path, capsys, text, line):
    path = tmp_path / "one.toml"
    path.write_text(LOAD + text)
    assert main(["pod", str(path)]) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1 and said.startswith("pod: ")


def test_two_cabinets_share_a_site_and_the_document_says_so(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["pod", str(EXAMPLE), "--for", "12", "--json", str(out)]) == 0
    doc = json.loads(out.read_text())
    assert [member["state"] for member in doc["members"]] == ["running", "running"]
    assert [member["meter_test"] for member in doc["members"]] == ["testing", "testing"]
    assert not any(member["violations"] or member["trips"] for member in doc["members"])
    site = doc["site"]
    assert abs(site["balance_error_J"]) < 1 and site["energy_kWh"]["pv"] > 0.3
    assert site["parts"]["pv"]["power_W"] > 90_000
    assert site["import_W_max"] > site["quarter_W_max"] > 100_000
    assert "cabinet 2  500 permille, running, meter testing" in capsys.readouterr().out


def test_the_share_of_a_cabinet_is_what_it_answers(tmp_path):
    path = tmp_path / "pod.toml"
    text = EXAMPLE.read_text().replace("../../..", str(ROOT))
    path.write_text(text + "can_form = true\n")
    one = pod.Pod.of_file(str(path), 1)
    assert [unit.can_form for unit in one.site.units] == [False, True]
    one.run(6)
    for member in one.members:
        view = member.controller.cabinet.core.view
        assert view.load_W == pytest.approx(one.site.load_power_W / 2, rel=0.15)
        assert view.grid_meter_W == pytest.approx(one.site.grid_power_W, rel=0.2)
    first, second = (member.plant for member in one.members)
    assert first.site is second.site and first.grid_power_W == second.grid_power_W


@cases("""reduction  words
    92.8  "92.8 % smaller" | -96.1  "96.1 % larger" | None  "load 18 %, grid -, -, from" """)
def test_the_swing_is_said_in_words(reduction, words):
    swing = {"load": 18.0, "grid": None, "reduction": reduction}
    site = {"energy_kWh": {}, "import_W_max": 1.0, "quarter_W_max": 1.0, "swing_2s_pct": swing}
    doc = {"seed": 1, "simulated_s": 1.0, "speed": 2.0, "measured_from_s": 0.0, "site": site}
    assert words in "".join(pod_command.lines(doc | {"members": []}))
