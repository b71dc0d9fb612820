"""Wrong command lines and missing controllers: one line each (refusals_of_commands.txt)."""

import os
import re
import shlex
import signal
from pathlib import Path

import pytest
from command_line import refused

from controller.sites import EXAMPLE

TEXT = (Path(__file__).parent / "refusals_of_commands.txt").read_text(encoding="ascii")
LINES = [
    (int(code), *line.split(" => "))
    for code, lines in re.findall(r"== (\d)\n(.*?)(?:\n\n|\Z)", TEXT, re.DOTALL)
    for line in lines.splitlines()
]


@pytest.mark.parametrize("code, command, words", LINES)
def test_a_refusal(capsys, tmp_path, monkeypatch, code, command, words):
    """ "[Errno 2] No such file or directory: ''" was printed; a mistyped path got a new store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    argv = command.replace("SITE", str(EXAMPLE)).replace("TMP", str(tmp_path))
    refused(capsys, code, words.replace("TMP", str(tmp_path)), "", *shlex.split(argv))
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before):
        signal.signal(number, handler)
    assert os.listdir(tmp_path) == ["file"] or "run-dir TMP/run" in command
