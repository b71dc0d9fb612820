"""Whoever starts a program expects that it does not start, for every reason."""

import ast
import re
import subprocess

import pytest

from controller.system import programs
from tests.repository import ROOT

STARTS = re.compile(
    r"subprocess\.\w+|os\.(exec|spawn|posix_spawn|system|popen)\w*|pty\.spawn|asyncio\.create_subprocess_\w+"
)
NO_STARTS = {"subprocess.CompletedProcess", "subprocess.list2cmdline"}
SOURCES = [
    path for folder in ("controller", "drivers", "hil") for path in (ROOT / folder).rglob("*.py")
]


def imported(tree):
    """{name in a module: what was imported under it, with its module}."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.asname: each.name for each in node.names if each.asname}
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def is_start(node, known):
    """True for a call that starts a program. known: by `imported`."""
    if not isinstance(node, ast.Call):
        return False
    first, dot, rest = ast.unparse(node.func).partition(".")
    name = known.get(first, first) + dot + rest
    return STARTS.fullmatch(name) is not None and name not in NO_STARTS


def expects(node):
    """True for a block that goes on after every OSError."""
    if isinstance(node, ast.Try):
        return any(
            re.search(r"\bOSError\b", ast.unparse(each.type)) for each in node.handlers if each.type
        )
    return isinstance(node, ast.With) and "suppress(OSError" in ast.unparse(node.items[0])


def starts(tree):
    """(start, blocks and functions around it) of each start in a module."""
    known = imported(tree)

    def within(node, around):
        if is_start(node, known):
            yield node, around
        for each in ast.iter_child_nodes(node):
            yield from within(each, (*around, node))

    yield from within(tree, ())


def is_ready(start, around):
    """True if the reason is caught here, or the function says that its caller has to."""
    is_python = "sys.executable" in ast.unparse(start.args[0])
    said = [ast.get_docstring(each) or "" for each in around if isinstance(each, ast.FunctionDef)]
    return is_python or any(map(expects, around)) or any("Raises OSError" in each for each in said)


def test_every_start_of_the_product_expects_every_error():
    found = [
        (path, start, around)
        for path in SOURCES
        for start, around in starts(ast.parse(path.read_text()))
    ]
    assert len(found) > 15
    names = [
        f"{path.relative_to(ROOT)}:{start.lineno}"
        for path, start, around in found
        if path.is_relative_to(ROOT / "controller") and not is_ready(start, around)
    ]
    assert names == []
    narrow = [
        f"{path.relative_to(ROOT)}:{start.lineno}"
        for path, start, around in found
        for each in around
        if isinstance(each, ast.Try)
        and "FileNotFoundError" in ast.unparse(each)
        and not expects(each)
    ]
    assert narrow == []


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\nsubprocess.run(['x'])",
        "import subprocess as sp\nsp.Popen(['x'])",
        "from subprocess import run\nrun(['x'])",
        "from subprocess import check_output as out\nout(['x'])",
        "import os\nos.system('x')",
        "from os import popen\npopen('x')",
        "import os\nos.execv('x', [])",
    ],
)
def test_a_start_is_found_under_any_name(text):
    ((start, around),) = starts(ast.parse(text))
    assert not is_ready(start, around)


def line_of(tmp_path, kind):
    program = tmp_path / "program"
    if kind == "no program":
        program.write_text("x", encoding="ascii")
        program.chmod(0o755)
    elif kind == "not executable":
        program.write_text("#!/bin/sh\n", encoding="ascii")
    elif kind == "no folder":
        return [str(program / "below")]
    return [str(program)]


@pytest.mark.parametrize("kind", ["missing", "not executable", "no program", "no folder"])
@pytest.mark.parametrize("text", [True, False])
def test_a_program_that_does_not_start_is_an_exit_code_with_its_reason(tmp_path, kind, text):
    line = line_of(tmp_path, kind)
    done = programs.ran(line, capture_output=True, text=text)
    words = done.stderr if text else done.stderr.decode()
    assert done.returncode == programs.NOT_STARTED and words.startswith(f"{line[0]}: ")
    assert not done.stdout and isinstance(done.stdout, str if text else bytes)


def test_a_program_that_may_not_be_looked_for(monkeypatch):
    """A folder of PATH that the user may not read ended a command with a traceback."""

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(subprocess, "run", refused)
    done = programs.ran(["ip"], text=True)
    assert (done.returncode, done.stderr) == (programs.NOT_STARTED, "ip: Permission denied")
