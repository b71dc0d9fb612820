"""Names of our distributions: `firebreak` on the package index belongs to another project."""

import configparser
import re
import subprocess
import tomllib

from controller.system import release
from tests.repository import ROOT
from tests.tables import cases

OURS = {f"firebreak-{each}" for each in ("controller", "office", "bench", "lab")}
# A requirement (with extras, a version or both), a wheel, or what pip is asked to install.
REQUIRED = re.compile(r"\b(firebreak[\w.-]*?)(?:\[[a-z, ]{2,}\]|==|>=|~=)")
WHEEL = re.compile(r"\b(firebreak[\w]*?)-(?:\*|\d[\w.]*)[\w.-]*\.whl\b")
INSTALLED = re.compile(r"\bpip3? install [^\n`]*?(?<![/\w])(firebreak[\w-]*)(?![\w/.*-])")


def named(text):
    """Names of distributions that a text requires or installs, or whose wheel it names."""
    found = {name.replace("_", "-") for name in WHEEL.findall(text)}
    return found | set(REQUIRED.findall(text)) | set(INSTALLED.findall(text))


def texts():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    for name in names.stdout.split("\0"):
        path = ROOT / name
        if name and path.is_file() and path.name not in ("CHANGELOG.md", "test_distributions.py"):
            yield name, path.read_text(encoding="utf-8", errors="replace")


def test_every_requirement_and_every_installation_names_a_distribution_of_ours():
    found = {name: named(text) for name, text in texts()}
    assert {name: names - OURS for name, names in found.items() if names - OURS} == {}
    assert set().union(*found.values()) == OURS - {"firebreak-lab"}, "nothing requires the lab"


def test_the_packages_have_these_names():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    others = [tomllib.loads(path.read_text("utf-8")) for path in ROOT.glob("*/**/pyproject.toml")]
    found = {setup["metadata"]["name"], *[each["project"]["name"] for each in others]}
    assert found == OURS and setup["metadata"]["name"] == release.DISTRIBUTION


@cases("""
    text                                                    name
    "pip install 'firebreak[doors]'"                        "firebreak"
    "/opt/w/bin/pip install --no-deps firebreak-*.whl`"     "firebreak"
    'dependencies = ["firebreak[office]==0.3.0"]'           "firebreak"
    "pip install firebreak"                                 "firebreak"
    "firebreak_controller-0.4.0-py3-none-any.whl"           "firebreak-controller"
    "cp wheels/firebreak-0.3.0-py3-none-any.whl"            "firebreak"
    "python3 -m pip install firebreak-bench==0.4.0"         "firebreak-bench"
    "/opt/firebreak-watch/bin/pip install --no-deps a.whl"  None
    "-m pip install /srv/firebreak/wheels/a.whl"            None
""")
def test_names_are_found_in_every_form(text, name):
    assert named(text) == ({name} if name else set())


def test_the_digest_follows_each_name_and_each_byte(tmp_path):
    (tmp_path / "safety").mkdir()
    source = tmp_path / "safety" / "a.py"
    source.write_bytes(b"one")
    first = release.digest(tmp_path)
    source.write_bytes(b"two")
    second = release.digest(tmp_path)
    source.rename(source.with_name("b.py"))
    third = release.digest(tmp_path)
    (tmp_path / "safety" / "README.md").write_bytes(b"page")
    (tmp_path / "controller" / "audit").mkdir(parents=True)
    (tmp_path / "controller" / "audit" / "a.py").write_bytes(b"office")
    assert len({first, second, third}) == 3 and release.digest(tmp_path) == third
