"""The drop-in of the controller's unit: exactly the addresses and ports of a configuration."""

import os
import re
from dataclasses import replace

import pytest

from controller.config import configuration, unit_access
from controller.config.topology import Bus
from controller.sites import EXAMPLE
from tests.repository import ROOT
from tests.tables import cases

CONFIG = configuration.load(EXAMPLE)
UNIT = (ROOT / "controller/systemd/firebreak.service").read_text()


def config_of(*buses):
    return replace(CONFIG, topology=replace(CONFIG.topology, buses=buses))


def tcp(name, address):
    return Bus(name, "tcp", address=address)


def can(channel):
    return Bus("can0", "can", interface="socketcand", channel=channel)


@cases("""buses  lines
    ()  []
    (tcp("a", "192.168.1.20:502"),)  ["IPAddressAllow=192.168.1.20"]
    (tcp("a", "10.0.0.9:502"), tcp("b", "10.0.0.9:503"))  ["IPAddressAllow=10.0.0.9"]
    (tcp("a", "10.0.0.9:502"), can("10.0.0.2/x"))  [f"IPAddressAllow=10.0.0.{n}" for n in (2, 9)]
    (can("can0"),)  ["IPAddressAllow=127.0.0.1"]
    (Bus("can0", "can", "socketcan", "can0"),)  []
""")
def test_the_drop_in_opens_exactly_the_configured_addresses(buses, lines):
    text = unit_access.drop_in(config_of(*buses)).splitlines()
    family = ["RestrictAddressFamilies=AF_INET"] if lines else []
    assert text[1:] == (["[Service]"] if lines else []) + family + lines
    assert unit_access.nameless(config_of(*buses)) == {}


def test_a_host_that_is_a_name_is_reported_and_opens_nothing():
    config = config_of(can("box:29536/can0"))
    assert unit_access.nameless(config) == {"can0": "box"} and unit_access.drop_in(config) == ""


def test_a_serial_port_of_another_kind_is_opened_while_it_is_plugged_in(tmp_path):
    """The kind has the name of its driver in the kernel's list."""
    major = os.major(os.stat("/dev/null").st_rdev)
    devices = tmp_path / "devices"
    devices.write_text(f"Character devices:\n  {major} ttyXR\n")
    config = config_of(Bus("io", "rtu", port="/dev/null"), Bus("x", "rtu", port="/dev/absent"))
    assert unit_access.port_kinds(config, str(devices)) == ["ttyXR"]
    devices.write_text(f"  {major} ttyUSB\n")
    assert unit_access.port_kinds(config, str(devices)) == []


def test_the_kinds_of_ports_are_those_of_the_unit():
    kinds = re.findall(r"^DeviceAllow=char-(\w+) rw$", UNIT, re.MULTILINE)
    assert kinds == list(unit_access.SERIAL_KINDS)


@pytest.mark.parametrize("channel", ["can0", "box/can0", "box:1/can0"])
def test_a_can_server_has_a_host_a_port_and_an_interface(channel):
    host = "127.0.0.1" if channel == "can0" else "box"
    assert unit_access.can_server(channel) == (host, 1 if ":" in channel else 29_536, "can0")
