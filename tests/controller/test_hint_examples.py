"""The senders in the documentation do what they say, in every language this machine has."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import controller.upstream
from hinted_site import HintedSite
from test_upstream import Served

pytestmark = pytest.mark.wire
EXAMPLES = Path(controller.upstream.__file__).parent / "examples"
SENDERS = {"send_hint.py": (sys.executable, "-I", "-S"), "send_hint.pl": ("perl",), "send_hint.js": ("node",)}


@pytest.fixture
def site(tmp_path):
    place = HintedSite(tmp_path)
    yield place
    place.close()


def sent(site, example, *arguments):
    """(exit code, what it said) of an example run as a stranger would."""
    interpreter = SENDERS[example]
    if shutil.which(interpreter[0]) is None:
        pytest.skip(f"needs {interpreter[0]}")
    path = site.run_dir / ("upstream.sock" if example.endswith(".js") else "hints.sock")
    command_line = [*interpreter, str(EXAMPLES / example), str(path), str(site.state_dir / "keys" / "site_ems.key"),
                    *arguments]
    done = subprocess.run(command_line, capture_output=True, text=True, timeout=50, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("example", SENDERS)
def test_an_example_is_granted_and_refused(site, example):
    with site.pumped():
        served = Served(site)
        try:
            first = sent(site, example, "site_ems", "400000", "60")
            second = sent(site, example, "site_ems", "300000", "900")
        finally:
            served.close()
    assert first[0] == 0, first
    assert re.match(r"H1\b.*: in force 400000 W for 60000 ms, available -?\d+ \.\. \d+ W, now -?\d+ W", first[1]), first
    assert second[0] == 1 and re.match(r"H31\b.*: in force 400000 W for \d+ ms", second[1]), second
    assert site.source("site_ems")["accepted"] == 1 and site.source("site_ems")["refused"] == 1


@pytest.mark.parametrize("example", ["send_hint.py", "send_hint.pl"])
def test_an_example_without_a_controller_ends(site, example):
    site.listener.close()
    code, out, err = sent(site, example, "site_ems", "400000", "60")
    assert code not in (0, 1) or err, (code, out, err)
    assert out == ""
    from controller.hint_listener import HintListener
    site.listener = HintListener(str(site.run_dir), site.bench.cabinet, {})


def test_the_python_example_is_short_and_needs_nothing():
    lines = (EXAMPLES / "send_hint.py").read_text().splitlines()
    assert len(lines) <= 40
    names = {line.split()[1] for line in lines if line.startswith("import ")}
    assert names <= set(sys.stdlib_module_names)
