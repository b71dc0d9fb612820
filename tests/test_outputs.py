"""A command writes no file over a pipe or a device: every option of every program is looked at.

`hil rig --journal FILE` replaced a device node, when root ran it. An option that takes a text is an
output of type `output_file`, or it is in one of the lists below; what is in no list is red.
"""

import argparse
import ast
import os
import pathlib
import socket
import stat

import pytest

from controller import __main__ as firebreak
from controller.system import cli
from controller.systemd import flash_mcu
from controller.watch import __main__ as watch
from hil import __main__ as hil
from tests.house import every_node, sources
from tests.repository import ROOT
from tests.tables import cases

# Texts that name a file which is only read.
READ = """
--bundle --signers --cabinet --config --file --frequency --jobs --key-file --live --load --prices
--profile --pv --results --rules --site --tariff --weather file list name port record results site
""".split()
# A folder. Files in it have names of the program, and durable.put replaces only its own names.
FOLDERS = """
--cache --data --etc-dir --export-dir --json --out --own-dir --plan-dir --profiles --resume --root
--run-dir --series --state-dir out
""".split()
# Neither file nor folder. --listen is a socket: controller/doors/listener.py refuses other files.
WORDS = """
--accept --at --beside --by --charge-max --column --commit --dask --date --discharge-max
--export-max --external --for --from --import-max --in --install --listen --load-column
--months --only --power --pv-column --release --remark --scenario --serial --source --step
--tester --to --tty --variant --without --zone bus code device job name row system
""".split()
# The one program of flash.sh whose parser is made inside of its main function.
OUT_OF_BUNDLE = "controller/systemd/make_bundle.py"
# Types of options that take no text, or that read it. `pathlib.Path` is none of them.
JUDGED = {
    *"""
    _within.<locals>.parse whole.<locals>.checked folder paths duration _hash _above_0
    _code_given _unit_ids _earlier _labels
    """.split()
}
GIVEN = ("arguments", "given")


def leaves(parser, name):
    found = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    for each in found:
        for word, below in each.choices.items():
            yield from leaves(below, f"{name} {word}")
    yield name, parser


def is_output(type_):
    return getattr(type_, "__qualname__", "").startswith("output_file")


def takes_text(type_):
    return not is_output(type_) and getattr(type_, "__qualname__", "") not in JUDGED


def options():
    """[(program and command, option, its action)] of each option that takes a text."""
    every = ("firebreak", firebreak._parser(["completion"])), ("hil", hil.parser())
    own = ("watch", watch._parser("watch")), ("flash.sh mcu", flash_mcu._parser())
    return [
        (command, (action.option_strings or [action.dest])[-1], action)
        for program, parser in every + own
        for command, leaf in leaves(parser, program)
        for action in leaf._actions
        if action.nargs != 0 and action.choices is None
    ]


EVERY = options()
OUTPUTS = [
    (f"{command} {name}", action) for command, name, action in EVERY if is_output(action.type)
]


GUARDS = "a command that writes over a device"


def covered():
    """The options that are outputs."""
    return [name for name, _ in OUTPUTS]


def test_each_option_is_an_output_or_in_a_list():
    texts = [each for each in EVERY if takes_text(each[2].type)]
    assert takes_text(pathlib.Path) and takes_text(lambda text: text)
    assert len(texts) > 200 and len(OUTPUTS) > 60
    unknown = [each[:2] for each in texts if each[1] not in {*READ, *FOLDERS, *WORDS}]
    assert unknown == [], "has it the type output_file?"
    folders = [each for each in texts if each[1] in ("--json", "--resume", "--out", "out")]
    assert all("DIR" in each[2].metavar for each in folders)
    assert {*READ, *FOLDERS, *WORDS} <= {name for _, name, _ in texts}, "it is no option"


def made(tmp_path):
    """Paths that exist and are no regular file."""
    os.mkfifo(pipe := str(tmp_path / "pipe"))
    (tmp_path / "link").symlink_to(pipe)
    yield from (pipe, str(tmp_path / "link"), "/dev/zero", "/dev/tty")
    if os.geteuid() == 0:
        os.mknod(device := str(tmp_path / "null"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        yield device
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(place := str(tmp_path / "socket"))
        yield place


def test_no_output_is_a_pipe_a_link_to_one_a_device_or_a_socket(tmp_path):
    """Opening a pipe to see whether it can be written would also wait for ever."""
    for path in made(tmp_path):
        for name, action in OUTPUTS:
            with pytest.raises(
                argparse.ArgumentTypeError, match="it is a pipe, a device or a"
            ) as no:
                action.type(path)
            assert "\n" not in str(no.value), name
        assert not stat.S_ISREG(os.stat(path).st_mode)


def test_dev_null_is_written_to_and_never_replaced():
    """What is written into it harms nothing; a new file in its place harms every program."""
    refusing = []
    for name, action in OUTPUTS:
        try:
            action.type(os.devnull)
        except argparse.ArgumentTypeError as error:
            refusing += [name] if "a new or a regular file" in str(error) else []
    assert refusing == ["hil rig --journal"]
    assert cli.output_file("/dev/full") == "/dev/full"
    with pytest.raises(argparse.ArgumentTypeError, match="allowed a new or a regular file$"):
        cli.output_file("/dev/full", replaces=True)


@pytest.mark.parametrize("program, words", [(hil, "rig --journal"), (firebreak, "siting x --svg")])
def test_a_command_refuses_a_pipe_in_one_line(program, words, tmp_path, capsys):
    os.mkfifo(path := tmp_path / "pipe")
    with pytest.raises(SystemExit) as left:
        program.main([*words.split(), str(path)])
    said = capsys.readouterr().err
    assert left.value.code == 2 and said.count("\n") == 1 and "it is a pipe, a device" in said


def is_writing(call):
    """The call opens a file for writing, or has a name like `write`."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    modes = [each.value for each in call.args[1:2] if isinstance(each, ast.Constant)]
    return (
        name == "put"
        or "write" in name
        or name == "open"
        and any(set(m) & set("wax") for m in modes)
    )


def written(text):
    """Names of the arguments of a command that are given to a call that writes."""
    for call in every_node(text):
        if isinstance(call, ast.Call) and is_writing(call):
            inner = [*call.args[:1], *getattr(getattr(call.func, "value", None), "args", [])]
            for each in inner:
                if isinstance(each, ast.Attribute) and ast.unparse(each.value) in GIVEN:
                    yield each.attr


def test_each_argument_that_is_written_to_is_an_output():
    found = {
        (path, name)
        for path, text in sources()
        if not path.startswith("tests/") and path != OUT_OF_BUNDLE
        for name in written(text)
    }
    folders = {name.lstrip("-").replace("-", "_") for name in FOLDERS}
    outputs = {action.dest for _, action in OUTPUTS} | folders
    assert len(found) > 10
    assert [each for each in sorted(found) if each[1] not in outputs] == []
    bundle = pathlib.Path(ROOT / OUT_OF_BUNDLE).read_text(encoding="ascii")
    assert [*written(bundle)] == ["out"] and '"out", type=cli.output_file' in bundle


@cases("""
    line                                           names
    "open(arguments.html, 'w')"                    ["html"]
    "cli.write(given.out, text)"                   ["out"]
    "pathlib.Path(given.out).write_bytes(b'')"     ["out"]
    "durable.put(arguments.file, '.part', [], 0)"  ["file"]
    "open(arguments.file, 'rb')"                   []
    "report.write(path, text)"                     []
""")
def test_the_syntax_tree_finds_a_written_argument(line, names):
    assert [*written(line)] == names
