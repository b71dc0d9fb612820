"""The file of a site: refusals in one line, and what it builds."""

import gzip

import pytest
from in_process import refusal

from controller.forms.refusal import ConfigError
from hil.__main__ import main
from hil.loads.trace import LoadError
from hil.site import description
from tests.repository import ROOT
from tests.tables import cases

LOAD = '[load]\nkind = "constant"\npower_W = 1000\n'
EXAMPLES = sorted((ROOT / "hil/site/examples").glob("*.toml"))


def written(tmp_path, text):
    path = tmp_path / "site.toml"
    path.write_text('name = "one"\n' + text)
    return path


def built(tmp_path, text, seed=1):
    path = written(tmp_path, text)
    return description.built(description.read(path), seed, str(tmp_path))


@cases(r"""text  line
    ""  "load: is missing; allowed a table"
    "["  " is not TOML: "
    "[load]"  "load.kind: is missing; allowed constant, training, file, queue"
    "[load]\nkind = 'constant'\npower_W = 51e6"  "load.power_W: 51000000.0 is not allowed; allowed"
    "[load]\nkind = 'queue'\ncapacity_W = 1e5\njobs = [[1, 2]]"  "load.jobs: [1, 2] is not allowed;"
    "[load]\nkind = 'queue'\ncapacity_W = 1e5\njob_s_min = 9e5"  "load.job_s_min: 900000.0 is not a"
    LOAD + "[pv]\nrated_W = 1\ncloud_cover_permille = 1000"  "is not allowed; allowed a number 0..9"
    LOAD + "[genset]\nrated_W = 1\nstarts = 1"  "genset.starts: is not a known key; nearest key \"s"
    LOAD + "[genset]\nrated_W = 1\nbase_permille = 1001"  "base_permille: 1001 is not allowed; allo"
    LOAD + "[racks]\nrated_W = 1\nJ_per_kw = 1"  "racks.J_per_kw: is not a known key; nearest key"
    LOAD + "[racks]\nrated_W = 1\nup_W_per_s = 0"  "racks.up_W_per_s: 0 is not allowed; allowed a n"
    LOAD + "[load_cap]\nlower_W_max = 1\nfollows_s = 0"  "load_cap.follows_s: 0 is not allowed; all"
    LOAD + "[weather]\nday = 0"  "weather.day: 0 is not allowed; allowed 1..366"
    LOAD + "[connection]\noutages = [[1]]"  "connection.outages: [1] is not allowed; allowed [0..3."
    LOAD + "[connection]\ndips = [[1, 2, 1001]]"  "connection.dips: [1, 2, 1001] is not allowed; al"
    LOAD + "[connection]\ndips = 3"  "connection.dips: 3 is not allowed; allowed a list of ["
    LOAD + "[pod]\nmember = []"  "pod.member: 0 members with 0 permille together are not allowed; a"
    LOAD + "[[pod.member]]\ncabinet = 'a'"  "pod.member.1.share_permille: is missing; allowed 0..10"
    LOAD + 2 * "[[pod.member]]\ncabinet = 'a'\nshare_permille = 501\n"  "pod.member: 2 members with"
""")
def test_a_wrong_file_is_refused_in_one_line(tmp_path, text, line):
    found = refusal(ConfigError, description.read, written(tmp_path, text))
    assert found.startswith("site.toml:") and line in found
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        description.read(tmp_path / "none.toml")


def test_every_table_builds_its_part(tmp_path):
    text = LOAD + "".join(
        f"[{name}]\n{'rated_W = 50000' if name != 'transfer_switch' else ''}\n"
        for name in ("pv", "genset", "transfer_switch", "load_ups")
    )
    text += "[cooling]\nwater_degC = 18\n[connection]\noutages = [[5, 1]]\nimport_W = 1e6\n"
    one = built(tmp_path, text)
    assert {part.kind for part in one.parts} == {"pv", "genset", "transfer_switch", "load_ups"}
    assert one.cooling.water_degC == 18 and one.switch and one.load_ups and one.gensets
    assert one.load(99.0) == 1000
    more = (
        "[racks]\nrated_W = 2000\nJ_per_kW = 50\n[load_cap]\nlower_W_max = 400\nfollows_s = 0.1\n"
    )
    with_racks = built(tmp_path, LOAD + more)
    (cap,) = with_racks.parts
    cap.ask("lower_W", 900)
    assert with_racks.load.capacitor.step(1.0, 1000.0) == 1000 and not with_racks.inside_W
    with_racks.step(1.0)
    assert with_racks.load_power_W == pytest.approx(600, abs=1)  # within a second, at most 400 W
    pv = one.part("pv", {"rated_W": 50_000, "ramp_W_per_s": 1})
    assert pv is one.parts[-1]
    line = "site: pv.rated_W = 50000, but a cabinet's device has 40000: allowed is the same number"
    with pytest.raises(ValueError, match=line):
        one.part("pv", {"rated_W": 40_000})
    shed = one.part("load_shed", {"stage_W": 10})
    assert shed in one.parts and shed is not one.part("load_shed", {"stage_W": 10})


def test_contacts_of_the_grid_operator_close_at_their_times(tmp_path):
    one = built(
        tmp_path, LOAD + "[grid_contact]\ncontact_1 = [[2, 3], [9, 1]]\ncontact_3 = [[4, 2]]\n"
    )
    found, part = [], one.part("grid_contact", {"contact_1_import_permille": 600})
    for _ in range(10):
        one.step(1.0)
        found.append("".join([str(int(each)) for each in part.signals().values()]))
    assert found == "000 100 100 101 001 000 000 000 100 000".split()
    assert not any(one.part("grid_contact", {}).signals().values()) and part is one.parts[0]
    assert one.load_power_W == 1000


def test_files_count_from_the_site_s_file(tmp_path):
    (tmp_path / "load.csv").write_text("t_s,a_kW\n0,1\n900,2\n")
    hours = "".join(f"{hour},{hour % 1000},5\n" for hour in range(8760))
    with gzip.open(tmp_path / "year.csv.gz", "wt") as file:
        file.write("hour_of_year_local,ghi_W_per_m2,air_degC\n" + hours)
    text = '[load]\nkind = "file"\nfile = "load.csv"\nscale = 2\n[weather]\nday = 1\nfile = "{}"\n'
    text += '[pv]\nrated_W = 9000\nfile = "load.csv"\n'
    one = built(tmp_path, text.format("year.csv.gz"))
    assert one.load(450) == 3000 and one.weather.irradiance_W_per_m2(5400) == 1
    with pytest.raises(LoadError, match=r"load.csv: line 1: no column ghi_W_per_m2 in the header"):
        built(tmp_path, text.format("load.csv"))


def test_the_queue_of_a_file_runs_its_jobs_or_draws_them(tmp_path):
    text = "[load]\nkind = 'queue'\ncapacity_W = 1e5\n"
    one = built(tmp_path, text + "jobs = [[20, 5, 2000], [10, 5, 1000]]\n")
    assert [one.load(t_s) for t_s in (5, 12, 17, 22)] == [0, 1000, 0, 2000]
    first, second = (built(tmp_path, text, seed).load for seed in (1, 2))
    assert [first(t_s) for t_s in range(0, 9000, 9)] != [second(t_s) for t_s in range(0, 9000, 9)]


def test_every_key_is_printed_with_its_meaning(capsys):
    assert main(["keys", "site"]) == 0
    lines = capsys.readouterr().out
    for part in (
        "share_permille: 0..1000; required\n",
        "queue: a cluster with jobs",
        "base_permille",
    ):
        assert part in lines


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_site_with_cabinets(path):
    site = description.read(path)
    assert all((path.parent / member["cabinet"]).is_file() for member in site["pod"])
    assert description.built(site, 1, str(path.parent)).load(1.0) > 0
