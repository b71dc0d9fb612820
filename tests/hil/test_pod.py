"""Several cabinets on one connection, each with its own controller."""

import pytest
from in_process import refused, written
from slow import whole

from controller import sites
from controller.core import parameters
from hil.engine import pod, pod_command, pod_rig
from hil.engine.simulate import VirtualRig
from hil.results import site_page, site_record
from hil.site.parts import FEEDING
from hil.site.site import Site
from hil.values.rig import ValueRig
from tests.repository import ROOT
from tests.tables import cases

EXAMPLE = ROOT / "hil/site/examples/two_cabinets_pv_genset.toml"
PV_CABINET = sites.PV_GENSET
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


RACKS_CABINET = ROOT / "hil/site/examples/racks/cabinet.toml"
RACKS = "[racks]\nrated_W = 90000\nJ_per_kW = {}\nis_metered_inside = {}\n".format
PV = "[pv]\nrated_W = 1000\n"
MEMBER = "[[pod.member]]\nshare_permille = 500\ncabinet = "


@cases("""text  line
    ""  "one.toml: [pod] is missing: it names the cabinets"
    MEMBER + "'none.toml'"  "none.toml: cannot be read: No such file or directory"
    PV + MEMBER + f"'{PV_CABINET}'"  "one.toml: site: pv.rated_W = 1000, but a cabinet's device "
    MEMBER + f"'{RACKS_CABINET}'"  "one.toml: racks: the load meter is behind 0 J per kW (0 with"
    RACKS(54, "false") + MEMBER + f"'{RACKS_CABINET}'"  "racks: the load meter is behind 0 J per kW"
    RACKS(55, "true") + MEMBER + f"'{RACKS_CABINET}'"  "meter is behind 55 J per kW (0 without i"
    RACKS(9, "true") + MEMBER + f"'{sites.EXAMPLE}'"  f"{sites.EXAMPLE} is 0: allowed"
    MEMBER + "'one.toml'"  "one.toml:schema: is missing"
""")
def test_a_pod_that_cannot_be_is_refused_in_one_line(tmp_path, capsys, text, line):
    path = tmp_path / "one.toml"
    path.write_text(LOAD + text)
    said = refused(capsys, "pod", path)
    assert line in said and said.startswith("pod: ")


def test_two_cabinets_share_a_site_and_the_document_says_so(tmp_path, capsys):
    doc = written(tmp_path, "pod --for 12", EXAMPLE)
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
        control = member.core.control
        assert control.found.load_W == pytest.approx(one.site.load_power_W / 2, rel=0.15)
        assert control.known.grid_meter_W == pytest.approx(one.site.grid_power_W, rel=0.2)
    first, second = (member.plant for member in one.members)
    assert first.site is second.site and first.grid_power_W == second.grid_power_W


@cases("""reduction  words
    92.8  "92.8 % smaller" | -96.1  "96.1 % larger" | None  "load 18 %, grid -, -, from" """)
def test_the_swing_is_said_in_words(reduction, words):
    swing = {"load": 18.0, "grid": None, "reduction": reduction}
    site = {"energy_kWh": {}, "import_W_max": 1.0, "quarter_W_max": 1.0, "swing_2s_pct": swing}
    site["swing_beside_pv_pct"] = None
    doc = {
        "seed": 1,
        "simulated_s": 1.0,
        "speed": 2.0,
        "measured_from_s": 0.0,
        "site": site,
        "mode": "byte, 20 ms",
        "expectations": [],
    }
    assert words in "".join(pod_command.lines(doc | {"members": []}))


@pytest.mark.whole
def test_value_mode_at_the_tick_of_the_bytes_gives_the_same_energies():
    both = [pod.Pod.of_file(str(EXAMPLE), kind=kind, tick_ms=20) for kind in (VirtualRig, ValueRig)]
    assert [one.run(8).mode for one in both] == ["byte, 20 ms", "value, 20 ms"]
    assert both[0].site.account.energy_J == both[1].site.account.energy_J


@pytest.mark.whole
def test_value_mode_at_100_ms_holds_a_pod_to_bytes_while_pv_drifts_under_the_meter_tests():
    """The seed is 1. Until 90 s both cabinets have tested the meter, the second beside a cloud."""
    both = [
        pod.Pod.of_file(str(EXAMPLE), kind=kind, tick_ms=100).run(90)
        for kind in (VirtualRig, ValueRig)
    ]
    docs = [pod_command.document(one) for one in both]
    for doc in docs:
        assert [member["meter_test"] for member in doc["members"]] == ["proven", "proven"]
        assert not any(member["trips"] for member in doc["members"])
    for name, byte_kWh in docs[0]["site"]["energy_kWh"].items():
        assert docs[1]["site"]["energy_kWh"][name] == pytest.approx(byte_kWh, rel=0.005, abs=0.001)
    means_W = [doc["site"]["quarter_W_max"] for doc in docs]
    assert means_W[1] == pytest.approx(means_W[0], rel=0.001)
    for pair in zip(*[doc["members"] for doc in docs]):
        assert abs(pair[0]["soc_permille"][1] - pair[1]["soc_permille"][1]) <= 0.01


def test_the_rig_plays_a_pod_and_its_page_loads_nothing(tmp_path, capsys):
    page = tmp_path / "pod.html"
    doc = written(tmp_path, "rig --virtual --for 4 --plot", page, "--cabinet", EXAMPLE)
    assert "mode       byte, 20 ms, of all figures" in capsys.readouterr().out
    assert doc["members"][0]["mirrored"][:2] == ["roof", "diesel"]
    text = page.read_text()
    assert text.count("<svg") == 2 and "All figures: byte, 20 ms, seed 1, 4 s." in text
    assert "proves wiring, not decoding" in text and "roof, diesel" in text
    loaded = text.replace("http://www.w3.org/", "")
    assert not any(word in loaded for word in (" src=", "url(http", "<link", "<script"))


@cases("""options  words
    ("--scenario", "estop")  "takes no --scenario; allowed are --virtual, --for"
    ("--virtual", "--run-dir", "x")  "takes no --run-dir; allowed are --virtual, --for"
    ("--virtual", "--load", "a.csv")  "takes no --load; allowed are --virtual, --for"
    ("--virtual", "--plot", "a.svg")  "--plot a.svg: allowed is a name with .html"
""")
def test_a_rig_of_a_pod_refuses_the_rest_in_one_line(tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, "rig --cabinet", EXAMPLE, *options)
    assert words in said and said.startswith("rig: ")


def test_the_record_of_a_site_keeps_its_means_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(site_record, "ROWS_MAX", 4)
    site = Site(lambda t_s: 1000.0 * t_s)
    record = site_record.SiteRecord(0)
    for _ in range(7):
        site.step(1.0)
        record.see(site.now_us, site, ())
    found = record.columns()
    assert record.window_s == 2.0
    assert list(found["t_s"]) == [2.0, 4.0, 6.0]
    assert list(found["load"]) == [1500.0, 3500.0, 5500.0] == list(found["grid"])


def test_the_sentence_of_a_page_says_whence_the_energy_came():
    energy_kWh = dict.fromkeys(("exported", *FEEDING, "charged"), 0.0)
    energy_kWh |= {"load": 6.0, "imported": 5.5, "discharged": 1.5, "charged": 1.0}
    sentence = "The load drew 6.00 kWh: grid 5.50, battery 0.50."
    assert site_page.headline(energy_kWh) == sentence
    dark = site_page.headline(energy_kWh | {"unserved": 2.0})
    assert dark == f"2.00 kWh of the load had no supply. {sentence}"


@pytest.mark.whole
@pytest.mark.wire
def test_a_pod_in_real_time_has_a_controller_of_its_own_for_each_cabinet(tmp_path):
    def until_all_tick(rig):
        # The page needs one whole window of a second.
        if all(found["loop"] and found["loop"]["ticks"] > 100 for found in rig.figures):
            raise KeyboardInterrupt

    page, folder = tmp_path / "pod.html", tmp_path / "run"
    order = {"file": str(EXAMPLE), "seconds": 600, "seed": 1, "soc_pct": 55, "html": str(page)}
    doc = pod_rig.played(order, until_all_tick, str(folder))
    assert doc["mode"] == "real time, 20 ms" and doc["simulated_s"] < 600
    for number, wait_s in ((1, 0), (2, 70)):
        text = (folder / f"cabinet_{number}" / "cabinet.toml").read_text()
        assert "share_permille = 500" in text and f"meter_code_wait_s = {wait_s}" in text
        member = doc["members"][number - 1]
        assert member["share_permille"] == 500 and member["controller"]["loop"]["ticks"] > 0
        assert not member["violations"]
    assert "\n".join(pod_command.lines(doc)).count("us late (p50)") == 2
    assert "real time, 20 ms" in page.read_text()


OUTAGE = """name = "outage"
title = "Outage"
duration_s = 10
action = [{ at_s = 2, do = "outage", for_s = 60 }, { at_s = 1, do = "DO" }]
expect = [{ what = "quantity", name = "load_W", after = 3, low = 1, high = 1e6 }]
"""


def test_a_scenario_reaches_the_site_of_a_pod_or_is_refused(tmp_path, capsys):
    path = tmp_path / "outage.toml"
    path.write_text(OUTAGE.replace("DO", 'genset_start", succeeds = "second'))
    options, page = ("--for", 40, "--values", "--scenario", path), tmp_path / "pod.html"
    doc = written(tmp_path, "pod", EXAMPLE, *options, "--html", page, code=1)
    assert "All figures: value, 100 ms, seed 1, 40 s." in page.read_text()
    assert "NOT MET    load_W in 1 .. 1e+06" in capsys.readouterr().out
    # called after 1 s; cranks 10 s, rests 10 s, cranks 10 s, warms up 5 s: 38 s
    assert doc["site"]["parts"]["genset"]["power_W"] > 0 and not doc["expectations"][0]["ok"]
    alone = tmp_path / "alone.toml"
    alone.write_text(LOAD + MEMBER + f"'{sites.EXAMPLE}'")
    for action, part in (
        ('genset_start", succeeds = "never', "genset"),
        ("transfer_switch_stuck", "transfer_switch"),
    ):
        path.write_text(OUTAGE.replace("DO", action))
        said = refused(capsys, "pod", alone, *options)
        assert f"{action.partition(chr(34))[0]}: the site has no {part}" in said


AWAY = """name = "away"
title = "Cabinet 1 stops, is off, and starts again while the others run"
duration_s = 80
load = {{ kind = "steps", steps_kW = [[0, 300]] }}
action = [
    {{ at_s = 30, do = "run_request", on = false }}, {{ at_s = 38, do = "controller_kill" }},
    {{ at_s = 39, do = "{then}" }}, {{ at_s = 60, do = "controller_start" }},
    {{ at_s = 70, do = "run_request" }},
]
expect = [{{ what = "state", is = "{state}" }}]
"""
THREE = ROOT / "hil/site/examples/three_cabinets.toml"
OTHER_IMAGE = whole(("store_other_image", 100, "inhibited", "58"))


@pytest.mark.whole
@cases("""
    then  seconds  state  trip
    "run_request"  100  "running"  ""
    *OTHER_IMAGE
""")
def test_a_cabinet_leaves_and_joins_while_the_others_run(tmp_path, then, seconds, state, trip):
    """A moved one, whose image is not the approved one, stays open (row 58)."""
    path = tmp_path / "away.toml"
    path.write_text(AWAY.format(then=then, state=state))
    options = "--scenario", path, "--for", seconds, "--values"
    doc = written(tmp_path, "pod", THREE, *options)
    first, *others = doc["members"]
    assert first["state"] == state
    assert trip in {each["stage"] for each in first["trips"]} | {""}
    assert [each["state"] for each in others] == ["running", "running"]
    assert others[0]["discharged_kWh"] > 0 and not others[0]["violations"]
    assert doc["site"]["import_W_max"] < 500_000
