"""controller/config/CONFIGURATION.md: the commands of its start run, as they are pasted."""

import re
import shlex
import shutil
import subprocess

from command_line import run

from controller.sites import FOLDER
from tests.repository import ROOT

PAGE = (ROOT / "controller/config/CONFIGURATION.md").read_text(encoding="ascii")


def test_the_commands_of_the_start_run(capsys, tmp_path, monkeypatch):
    shutil.copytree(FOLDER, tmp_path / "controller/sites")
    monkeypatch.chdir(tmp_path)
    section = PAGE.split("## Start\n", 1)[1]
    lines = re.search(r"(?m)(^    .*\n)+", section)[0].splitlines()
    copy, *others = map(shlex.split, lines)
    subprocess.run(copy, check=True)
    assert [each[0] for each in others] == [".venv/bin/firebreak"] * 2
    (code, checked, said), listed = [run(capsys, shlex.join(each[1:])) for each in others]
    assert (code, said) == (0, []) and checked[0].endswith("controller/sites/mine/cabinet.toml")
    keys = {line.split()[0] for line in listed[1]}
    assert listed[0] == 0 and {"control.grid_import_W_max", "rack.N.rated_current_mA"} <= keys


def test_a_refusal_of_the_page_is_that_of_the_program(files):
    shown = [line[4:] for line in PAGE.splitlines() if line.startswith("    site.toml:")]
    files.append("site", "[stage.17b]\nset = 45")
    assert files.refusal().endswith(shown[0])
    files.drop("site", "[stage.17b]", "set = 45")
    files.append("site", "[rack.all]\nrated_curent_mA = 1000")
    assert files.refusal().endswith(shown[1])
