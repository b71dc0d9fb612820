"""What a release publishes, made by the script that a tag starts."""

import json
import re
import subprocess

import pytest

from tests.repository import ROOT

pytestmark = [pytest.mark.whole, pytest.mark.wire, pytest.mark.timeout(300)]


def test_a_release_is_four_wheels_with_their_materials_and_checksums(tmp_path):
    done = subprocess.run([ROOT / ".ci/release", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    names = {re.sub("-.*whl", "", each.name) for each in tmp_path.iterdir()}
    wheels = {f"firebreak_{name}" for name in ("controller", "office", "bench", "lab")}
    assert names == {*wheels, "firebreak.cdx.json", "SHA256SUMS"}
    assert json.loads((tmp_path / "firebreak.cdx.json").read_text())["bomFormat"] == "CycloneDX"
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    said = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.count(": OK") == 5


def test_a_wrong_call_is_one_line():
    done = subprocess.run([ROOT / ".ci/release"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: .ci/release FOLDER\n")
