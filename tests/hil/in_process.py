"""A command of the bench or of the lab in this process: what it writes, and how it refuses."""

import json

import pytest

from hil.__main__ import main


def run(capsys, command, *more):
    """(exit code, stdout, lines on stderr). command: words; more: further arguments."""
    try:
        code = main([*command.split(), *map(str, more)])
    except SystemExit as leaving:  # argparse
        code = leaving.code
    said = capsys.readouterr()
    return code, said.out, said.err.splitlines()


def refused(capsys, command, *more):
    """The one line of a command that ends because of what it was given."""
    code, out, (line,) = run(capsys, command, *more)
    assert (code, out) == (2, "")
    return line


def written(folder, command, *more, code=0):
    """What a command that ends so writes as JSON."""
    path = folder / "written.json"
    assert main([*command.split(), *map(str, more), "--json", str(path)]) == code
    return json.loads(path.read_text())


def refusal(kind, function, *given):
    """The one line with which a function refuses what it is given."""
    with pytest.raises(kind) as error:
        function(*given)
    assert "\n" not in str(error.value)
    return str(error.value)
