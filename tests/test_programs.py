"""Every program that a person starts: its help, and a reader that leaves early."""

import configparser
import os
import re
import subprocess
import sys

import pytest

from tests.repository import ROOT

GOES_ON = "-m hil"  # it writes files too


def programs():
    """Arguments of Python for each program."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="ascii")
    scripts = setup["options.entry_points"]["console_scripts"]
    named = re.findall(r"= ([\w.]+):main$", scripts, re.MULTILINE)
    named += re.findall(r"-m ((?:hil|controller)[.\w]*)", (ROOT / "flash.sh").read_text())
    return [*dict.fromkeys([f"-m {name}" for name in named]), "tests/prove", *TOOLS]


TOOLS = "tests/weight.py", "-m tests.house", "-m tests.kinds"


def helped(words, **options):
    return subprocess.run([sys.executable, *words.split(), "--help"], cwd=ROOT, **options)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", programs())
def test_a_reader_that_leaves_early_gets_no_error(words, unbuffered):
    """`firebreak-watch keys | head -1` ended with a traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    every = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with os.fdopen(writing, "wb") as pipe:
        done = helped(words, env=every, stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0 if words == GOES_ON else 1, b"")


@pytest.mark.parametrize("words", programs())
def test_help_is_help(words):
    """`python tests/weight.py --help` printed its table."""
    done = helped(words, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: ") and not done.stderr
