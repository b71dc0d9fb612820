"""Box, office, bench and lab: what each wheel holds, and each tried without the tree."""

import configparser
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import wheels
from slow import whole
from whole_box import CABINETS, PODS, of_cabinets

from controller.system import release
from hil.__main__ import LAB
from hil.scenarios import scenario
from hil.systems import spec
from tests.repository import ROOT

pytestmark = [
    pytest.mark.whole,
    pytest.mark.wire,
    pytest.mark.timeout(600),  # a guard: wheels, then processes
]
BOX, OFFICE, BENCH, LABORATORY = wheels.FOLDERS


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return wheels.built(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def box(built, tmp_path_factory):
    """The folder of an installed box, with its libraries alone."""
    place = tmp_path_factory.mktemp("box") / "site"
    wheels.installed(built[BOX], place, wheels.run_packages())
    return place


@pytest.fixture(scope="module")
def bench(built, box, tmp_path_factory):
    """A box with the bench. Bytecode that earlier tests have left comes along, as below."""
    place = shutil.copytree(box, tmp_path_factory.mktemp("bench") / "site")
    wheels.installed(built[BENCH], place)
    return place


@pytest.fixture(scope="module")
def lab(built, bench, tmp_path_factory):
    place = shutil.copytree(bench, tmp_path_factory.mktemp("lab") / "site")
    for name in (OFFICE, LABORATORY):
        wheels.installed(built[name], place)
    return place


def files_of(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if ".dist-info/" not in name}


def test_every_file_is_in_one_wheel(built):
    """A new folder of data that no package names would be missing on a box only."""
    listed = {name for name in wheels.tracked() if not name.endswith((".md", "pyproject.toml"))}
    listed -= {name for name in listed if name.startswith("hil/results/pictures/")}  # of pages
    # install.sh reads its own folder of the clone, not of a wheel
    in_clone = {name for name in listed if name.startswith("controller/systemd/")}
    files = [name for wheel in built.values() for name in files_of(wheel)]
    assert len(files) == len(set(files))
    assert listed - set(files) == {name for name in in_clone if not name.endswith(".py")}
    assert set(files) <= listed


def test_a_box_holds_no_rig_and_no_office(built):
    folders = {name.split("/")[0] for name in files_of(built[BOX])}
    assert folders == {"safety", "controller", "drivers"}
    office = "controller/siting/", "controller/audit/"
    assert not [name for name in files_of(built[BOX]) if name.startswith(office)]
    bench = {name.split("/")[1] for name in files_of(built[BENCH])}
    assert not bench & {"campaigns", "systems"} and {"engine", "plant"} < bench


def test_a_wheel_has_the_digest_of_the_tree(lab):
    """Office and lab beside it change nothing."""
    assert release.digest(lab) == release.digest(ROOT)


def test_each_package_needs_the_one_below_in_the_same_version(built):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    version = setup["metadata"]["version"]
    needed = {}
    for name, wheel in built.items():
        (path,) = [each for each in zipfile.ZipFile(wheel).namelist() if each.endswith("METADATA")]
        text = zipfile.ZipFile(wheel).read(path).decode()
        assert f"\nVersion: {version}\n" in text, name
        needed[name] = set(re.findall("(?m)^Requires-Dist: (firebreak.*)$", text))
    same = f"=={version}"
    assert needed == {
        BOX: set(),
        OFFICE: {f"{BOX}[office]{same}"},
        BENCH: {f"{BOX}[hil]{same}"},
        LABORATORY: {BENCH + same, OFFICE + same},
    }


EXAMPLE = "controller/sites/example/cabinet.toml"
STATE = "--state-dir", "."
COMMANDS = {
    "check": ("check", EXAMPLE),
    "matrix": ("document", "matrix"),
    "matrix of a site": ("document", "matrix", "--site", EXAMPLE),
    "checklist": ("document", "checklist", "--site", EXAMPLE),
    "responder": ("document", "responder", "--site", EXAMPLE),
    "commissioning": ("document", "commissioning", "--site", EXAMPLE, *STATE),
    "proof tests": ("test", "proof", "list", "--site", EXAMPLE, *STATE),
    "wiring": ("document", "wiring", EXAMPLE, "--json"),
    "reasons": ("document", "reasons"),
    "hazards": ("document", "hazards"),
    "status": ("status", "--help"),
    "help": ("--help",),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_box_works_alone(words, box):
    """No extras, no network, no numpy, no rig."""
    given = [str(box / word) if word == EXAMPLE else word for word in words]
    done = wheels.outside(box, "-c", wheels.ALONE, *given)
    # 1: the example leaves blanks to fill in, and has no record of its proof tests
    expected = 1 if {"responder", "commissioning", "proof"} & {*words} else 0
    assert (done.returncode, done.stderr) == (expected, ""), done.stdout[-500:]
    *lines, modules = done.stdout.splitlines()
    assert len(lines) > 4 and not modules


def test_a_box_says_in_one_line_what_it_lacks(box):
    line = "firebreak: siting: install the package firebreak-office\n"
    done = wheels.outside(box, "-m", "controller", "siting", "plan.toml")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", line)


def test_the_bench_runs_a_cabinet(bench):
    words = ["rig", "--virtual", "--for", "5", "--headless", "--plot", ""]
    done = wheels.outside(bench, "-m", "hil", *words, libraries=True)
    assert done.returncode == 0 and "ticks      250, missed 0" in done.stdout, done.stderr
    help_ = wheels.outside(bench, "-m", "hil", "rig", "--help", libraries=True).stdout
    assert "--scenario" in help_ and "--system" not in help_


def test_the_bench_names_the_lab(bench):
    code = (
        "from hil import __main__ as hil; import sys; "
        "print(*[hil.main([name]) for name in hil.LAB]); "
        "print([name for name in sys.modules if name.startswith('hil.campaigns')])"
    )
    done = wheels.outside(bench, "-c", code, libraries=True)
    assert done.stdout.split("\n")[:2] == [" ".join(["2"] * len(LAB)), "[]"]
    wanted = [f"{name}: a command of the lab: install firebreak-lab" for name in LAB]
    assert done.stderr.splitlines() == wanted


def test_the_office_audits_a_plan(lab):
    plan = lab / "controller/sites/siting/yard.toml"
    done = wheels.outside(lab, "-m", "controller", "siting", plan, libraries=True)
    assert done.returncode == 0 and done.stdout, done.stderr


def test_the_office_audits_a_load(lab, tmp_path):
    load = tmp_path / "load.csv"
    rows = [f"{at / 50},{20 + 19 * (at % 2)}" for at in range(500)]
    load.write_text("\n".join(["t_s,load_MW", *rows]))
    done = wheels.outside(lab, "-m", "controller", "audit", load, libraries=True)
    assert done.returncode == 1 and "ERCOT range_5s (?)" in done.stdout, done.stderr


def test_the_lab_runs_a_campaign(lab):
    words = "trials ask --count 1 --minutes 2".split()
    done = wheels.outside(lab, "-m", "hil", *words, libraries=True)
    assert done.returncode == 0 and "1 of 1 known answers right" in done.stdout, done.stderr


def test_the_commands_of_the_wheels_find_their_files(lab):
    """Each shipped site, scenario, system and pod is loaded outside the tree."""
    code = (
        "import sys; from controller import sites; from controller.config import configuration; "
        "from hil.scenarios import scenario; from hil.systems import spec; "
        "from hil.engine import pod; from hil.campaigns.smooth import expected; import pathlib; "
        "[configuration.load(each) for each in sites.FOLDER.glob('*/cabinet.toml')]; "
        "print(*scenario.names()); print(*[each for each in spec.NAMES if spec.load(each)]); "
        "print(*[len(pod.member_configs(str(each))) for each in sorted("
        "(pathlib.Path(pod.__file__).parents[1] / 'site/examples').glob('*.toml'))])"
    )
    done = wheels.outside(lab, "-c", code, libraries=True)
    assert done.returncode == 0, done.stderr
    found = [line.split() for line in done.stdout.splitlines()]
    assert found[:2] == [list(scenario.names()), list(spec.NAMES)]
    assert len(found[2]) == len(PODS)
    for words in (["--help"], ["run", "--help"]):
        done = wheels.outside(lab, "-m", "hil", *words, libraries=True)
        assert done.returncode == 0 and done.stdout.startswith("usage:"), done.stderr


@of_cabinets("cabinet", whole(*CABINETS))
def test_the_wheels_check_each_shipped_site(cabinet, lab):
    path = lab / Path(cabinet).relative_to(ROOT)
    for command in (["controller", "check"], ["hil", "keys", "covers"]):
        done = wheels.outside(lab, "-m", *command, path, libraries=True)
        assert done.returncode == 0, done.stderr
