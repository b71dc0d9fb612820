"""`firebreak bus can-up`: the bit rate is that of the configuration; every refusal is one line."""

import argparse
import shutil

import pytest
from site_files import SiteFiles

from controller.system.cli import Ended
from controller.system.paths import WRONG_INPUT, WrongInput, say
from controller.workbench import can_up


@pytest.fixture
def box(tmp_path):
    """(site files with can0 at 500 kbit/s, folder with a sysfs of can0 and an `ip` that logs)."""
    files = SiteFiles(tmp_path / "sites")
    device = tmp_path / "net" / "can0" / "device"
    device.mkdir(parents=True)
    ip = tmp_path / "ip"
    ip.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    ip.chmod(0o755)
    return files, tmp_path


def run(box, name, capsys):
    """(exit code, lines on stderr, arguments of `ip`)"""
    files, folder = box
    arguments = argparse.Namespace(name=name, file=str(files.paths[-1]))
    try:
        code = can_up._run(arguments, str(folder / "net"), str(folder / "ip"))
    except Ended as end:
        code = end.code
        say(end)
    except WrongInput as refused:  # as the program ends every command
        code = WRONG_INPUT
        say(refused)
    log = folder / "asked"
    asked = log.read_text().splitlines() if log.exists() else []
    return code, capsys.readouterr().err.splitlines(), asked


def test_the_interface_gets_the_bit_rate_of_the_configuration(box, capsys):
    """can-utils #262: restart-ms 0 never recovers. #400, python-can #2004: ENOBUFS with 10."""
    box[0].replace("type", "500000", "250000")
    kind = "type can bitrate 250000 restart-ms 100"
    steps = [f"link set can0 {words}" for words in ("down", kind, "txqueuelen 100 up")]
    assert run(box, "can0", capsys) == (0, [], steps)


def test_a_virtual_interface_has_no_bit_rate():
    steps = [" ".join(step) for step in can_up.steps("vcan0", 500_000, False)]
    assert steps == ["link set vcan0 down", "link set vcan0 txqueuelen 100 up"]


def test_an_interface_of_no_configuration_stays_unchanged(box, capsys):
    code, lines, asked = run(box, "can7", capsys)
    assert (code, asked) == (0, [])
    assert lines == ["firebreak: can7: nothing done, the configuration has can0"]


def test_a_missing_interface_and_a_wrong_configuration_are_refused_in_one_line(box, capsys):
    shutil.rmtree(box[1] / "net" / "can0")
    code, lines, asked = run(box, "can0", capsys)
    assert (code, len(lines), asked) == (3, 1, []) and "plug the adapter in" in lines[0]
    box[0].replace("type", "500000", "5")
    code, lines, asked = run(box, "can0", capsys)
    assert (code, len(lines), asked) == (2, 1, []) and "bitrate_bps" in lines[0]


def test_an_error_of_ip_ends_the_command_with_one_line(box, capsys):
    words = "RTNETLINK answers: Operation not permitted"
    (box[1] / "ip").write_text(f"#!/bin/sh\necho '{words}\n' >&2; exit 2\n")
    code, lines, _ = run(box, "can0", capsys)
    assert (code, lines) == (3, [f"firebreak: can0: ip link set can0 down: {words}"])
