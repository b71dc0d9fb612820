"""Files that are no regular ones: every command that reads one refuses them in a line, and none waits for a writer."""

import os

import pytest
from site_files import SiteFiles

from controller import __main__ as firebreak
from controller import layers
from controller.layers import ConfigError

READERS = [("check",), ("matrix", "--site"), ("checklist", "--site"), ("siting",)]
REFUSED = "cannot be read: it is a pipe or a device; allowed a regular file"


@pytest.mark.parametrize("argv", READERS)
def test_a_pipe_is_refused_at_once(tmp_path, capsys, argv):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert firebreak.main([*argv, str(pipe)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.removeprefix("firebreak: ") == f"{pipe}: {REFUSED}\n"


@pytest.mark.parametrize("argv", READERS)
def test_a_device_is_refused(capsys, argv):
    assert firebreak.main([*argv, "/dev/zero"]) == 2
    assert capsys.readouterr().err.removeprefix("firebreak: ") == f"/dev/zero: {REFUSED}\n"


def test_a_layer_above_that_is_a_pipe(tmp_path):
    files = SiteFiles(tmp_path)
    files.paths[0].unlink()
    os.mkfifo(files.paths[0])
    assert files.refusal() == f"types/firebreak_645.toml: {REFUSED}"


def test_as_many_bytes_as_are_allowed_and_one_more(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfabc")
    assert layers.file_text(str(path), 6, "six") == "abc"
    with pytest.raises(ConfigError, match="file: has more than 5 bytes; allowed five"):
        layers.file_text(str(path), 5, "five")
