"""The part of the lock for a cabinet: its dependencies and theirs, with hashes."""

import re
from pathlib import Path

import pytest

from controller.documents import locked

LOCK = """#
# made by a tool
#
apple==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via firebreak-controller (setup.cfg)
core==2.0 \\
    --hash=sha256:cc
    # via
    #   apple
    #   pear
pear==3.0 \\
    --hash=sha256:dd
    # via firebreak-controller (setup.cfg)
seed==4.0 \\
    --hash=sha256:ee
    # via core
tool==5.0 \\
    --hash=sha256:ff
    # via firebreak-controller (pyproject.toml::build-system.requires)
"""


def test_the_needed_packages_are_those_that_a_root_leads_to():
    packages = locked.blocks(LOCK)
    assert locked.needed(packages, ["apple"]) == ["apple", "core", "seed"]
    assert locked.needed(packages, ["pear"]) == ["core", "pear", "seed"]
    assert locked.needed(packages, ["seed"]) == ["seed"]
    assert locked.build_roots(packages) == ["tool"]


def test_a_package_keeps_all_its_hashes():
    apple = "apple==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n"
    assert locked.blocks(LOCK)["apple"].text == apple


def test_a_root_that_is_not_locked_is_an_error():
    with pytest.raises(KeyError):
        locked.needed(locked.blocks(LOCK), ["plum"])


@pytest.mark.parametrize("what", ["run", "build"])
def test_this_projects_lock(capsys, what):
    locked.main([what])
    printed = capsys.readouterr().out
    names = re.findall(r"^(\S+)==", printed, re.MULTILINE)
    assert printed.count("--hash=") >= len(names) > 0
    for package in ("pytest", "matplotlib", "rich", "hypothesis", "pysunspec2"):
        assert package not in names
    assert ("setuptools" in names) == (what == "build")
    if what == "run":
        wanted = locked.run_roots((Path(locked.__file__).parents[2] / "setup.cfg").read_text())
        assert set(wanted) == {"msgpack", "pyserial", "python-can", "shtab"} < set(names)
