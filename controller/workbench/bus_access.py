"""Gives a command such as `firebreak bus probe` access to a bus. A running controller holds the
ports, so it reads for the command. If no controller runs, the command opens the bus itself.

A command that opens a bus also takes the controller's lock. Otherwise a controller could start
meanwhile. On a Modbus bus this file sends only reads.
"""

import ipaddress
import os
import re
import select
from argparse import Namespace
from collections.abc import Callable

from controller.config import configuration
from controller.config.bus_schema import BAUDS_BD, CHARACTERS, Bus
from controller.forms.refusal import ConfigError
from controller.hints import no_answer
from controller.run import (
    answer_words,
    loop,
    operator_client,
    operator_commands as commands,
    tool_read,
)
from controller.system import cli, clock
from controller.system.paths import NO_START, OPERATORS, WRONG_INPUT, quoted
from controller.workbench.can_up import CONFIG_FILE
from controller.workbench.fits import EXCEPTION, Answer
from drivers.buses import rtu
from drivers.buses.can_port import CanPort, CanPortError
from drivers.buses.port import RtuPort
from drivers.buses.serial_port import PTY_MAJORS, SerialPortError

DIRECT = "port"  # name of a bus that is in no site file
SHARED_CAN = ("socketcan", "socketcand")  # interfaces to which several programs may listen
REFUSALS = (tool_read.NO_BUS, tool_read.HAS_OUTPUTS, tool_read.NO_ROOM, tool_read.OTHERS)
CAN_NAME = re.compile(r"(v|vx|sl)?can\d{1,4}", re.ASCII)  # names of Linux and of slcand
NO_CAN = "no such CAN interface is here (`ip link` lists them)"
CONNECT_US = 4_000_000
# Rate of a pseudo-terminal. It may reply before a real line could have carried the request.
PTY_BD = 1_000_000_000
Read = Callable[[int, int, int, int], Answer]  # unit id, function, address, count

OPTIONS = (
    cli.option(
        "bus",
        metavar="BUS",
        help="a bus of the site file, or a port: /dev/ttyUSB0, tcp:192.168.1.20:502, can0",
    ),
    cli.option("--site", default=CONFIG_FILE, metavar="FILE", help="cabinet.toml (%(default)s)"),
    cli.RUN_DIR,
)


def line_options(baud: str) -> tuple[cli.Option, ...]:
    """Options of a serial line. baud: the default rate, in words for the help."""
    return (
        cli.option(
            "--baud",
            "--baud-Bd",
            dest="baud_Bd",
            type=int,
            choices=BAUDS_BD,
            metavar="BD",
            help=f"of a port ({baud})",
        ),
        cli.option("--characters", choices=tuple(CHARACTERS), default="8N1", help="(%(default)s)"),
    )


def find(arguments: Namespace) -> Bus:
    """The bus that a person means. Ends the command if there is none."""
    target = arguments.bus
    try:
        buses = configuration.load(arguments.site).buses
    except ConfigError as error:
        if not (target.startswith(("tcp:", "/")) or _is_can(target)):
            if CAN_NAME.fullmatch(target):
                raise cli.Ended(NO_START, f"{quoted(target)}: {NO_CAN}") from error
            raise cli.Ended(WRONG_INPUT, error) from error
        buses = ()
    for bus in buses:
        wire = bus.port or bus.address or bus.channel
        if target == bus.name or _wire_name(target) == _wire_name(wire):
            return bus
    if target.startswith("/"):
        return Bus(DIRECT, "rtu", port=target)
    if target.startswith("tcp:"):
        return Bus(DIRECT, "tcp", address=_address(target), baud_Bd=1_000_000)
    if _is_can(target):
        return Bus(DIRECT, "can", interface="socketcan", channel=target)
    names = [bus.name for bus in buses]
    allowed = ", ".join([*names, "a path /dev/...", "tcp:ADDRESS:PORT", "a CAN interface"])
    code, problem = WRONG_INPUT, "no such bus"
    if CAN_NAME.fullmatch(target):
        code, problem = NO_START, NO_CAN
    raise cli.Ended(code, f"{quoted(target)}: {problem}; allowed {allowed}")


def _is_can(name: str) -> bool:
    """True if `name` is a CAN interface of this machine (ARPHRD_CAN)."""
    if not re.fullmatch(r"[\w.-]{1,15}", name):
        return False
    try:
        with open(f"/sys/class/net/{name}/type", encoding="ascii") as file:
            return file.read().strip() == "280"
    except OSError:
        return False


def _wire_name(path: str) -> str:
    return os.path.realpath(path) if path.startswith("/") else path.removeprefix("tcp:")


def _address(target: str) -> str:
    host, _, port = target.removeprefix("tcp:").rpartition(":")
    try:
        ipaddress.IPv4Address(host)
        if not 1 <= int(port) <= 65535:
            raise ValueError
    except ValueError:
        allowed = "tcp:, an IPv4 address, a colon and a port, such as tcp:192.168.1.20:502"
        raise cli.Ended(WRONG_INPUT, f"{quoted(target)}: allowed is {allowed}") from None
    return f"{host}:{port}"


def is_running(run_directory: str) -> bool:
    """True if a controller runs. Ends the command if this user may not ask the controller."""
    try:
        operator_client.reach(os.path.join(run_directory, "command.sock"))
    except PermissionError as error:
        problem = f"only {OPERATORS} and the controller's user may: put sudo -u firebreak before it"
        raise cli.Ended(NO_START, f"{run_directory}: {problem}") from error
    except OSError:
        return False
    return True


def lock(run_directory: str) -> None:
    """Prevent a controller from starting while the tool has the port. Ends the command if a
    controller or another tool holds the lock.
    """
    if not os.path.isdir(run_directory):
        return  # no controller was ever installed here
    with cli.ends(NO_START, OSError, before="the lock of the controller: "):
        lock_file = loop.lock(run_directory)
    if lock_file is None:
        line = f"{run_directory}: a controller or another tool holds the ports; end it first"
        raise cli.Ended(NO_START, line)


def through_controller(bus: Bus, run_directory: str) -> Read:
    """Reads that the running controller sends. A refusal of the bus ends the command."""
    path = os.path.join(run_directory, "command.sock")

    def read(unit_id: int, function: int, address: int, count: int) -> Answer:
        with cli.ends(NO_START, OSError, before=f"{no_answer.silent(run_directory)}: "):
            place = unit_id, function, address, count
            outcome, code, data = operator_client.read(path, bus.name, place)
        if outcome == tool_read.DATA:
            return data
        if outcome == tool_read.EXCEPTION:
            return f"{EXCEPTION}{code}"
        if outcome in REFUSALS or outcome is None or outcome == commands.REFUSED_FORM:
            line = f"bus {bus.name}: the running controller holds it: {answer_words.text(outcome)}"
            raise cli.Ended(NO_START, line)
        return answer_words.text(outcome)

    return read


def _pace_Bd(bus: Bus) -> int:
    """The baud rate from which the time of a request on the line is computed."""
    is_serial = bus.kind == "rtu" and os.path.exists(bus.port)
    is_pty = is_serial and os.major(os.stat(bus.port).st_rdev) in PTY_MAJORS
    return PTY_BD if is_pty else bus.baud_Bd


class OpenedBus:
    """A serial port or TCP connection that this process has opened."""

    def __init__(self, bus: Bus, timeout_us: int):
        """Ends the command when the port cannot be used."""
        self._port = RtuPort(bus.name, _pace_Bd(bus), bus.character_bits, timeout_us)
        with cli.ends(NO_START, SerialPortError):
            self._wire = loop.Wire(bus, self._port)
        self._answer: Answer | None = None
        if bus.kind == "tcp":
            self._connect()

    def _connect(self) -> None:
        end_us, wire = clock.now_us() + CONNECT_US, self._wire.serial
        while not wire.service(clock.now_us()):
            if wire.error or clock.now_us() >= end_us:
                raise cli.Ended(NO_START, wire.error or f"{wire.path}: no connection")
            select.select((), (), (), 0.01)

    def read(self, unit_id: int, function: int, address: int, count: int) -> Answer:
        """Send one read. Returns the data of the reply, or the reason why there is no reply."""
        self._answer = None
        place, callbacks = (unit_id, function, address, count), (self._on_reply, self._on_failure)
        request = rtu.read_request("tool", *place, *callbacks, rtu.SPARE)
        self._port.offer(request, CONNECT_US, clock.now_us())
        while self._answer is None:
            now_us, descriptor = clock.now_us(), self._wire.serial.fileno()
            if descriptor < 0:
                if self._wire.serial.service(now_us):
                    continue
                self._reconnect()
            self._wire.give(now_us)
            wait_us = max(0, self._port.wake_us - clock.now_us())
            if self._wire.serial.fileno() >= 0 and self._answer is None:
                select.select((descriptor,), (), (), min(wait_us, CONNECT_US) / 1e6)
            self._wire.take(clock.now_us())
        return self._answer

    def _reconnect(self) -> None:
        error = self._wire.serial.error
        if error and not self._wire.serial.path.count(":"):
            raise cli.Ended(NO_START, error)
        self._connect()

    def _on_reply(self, pdu: bytes, _: int) -> None:
        self._answer = pdu[2:]

    def _on_failure(self, kind: int, code: int, _: int) -> None:
        unit = self._port.spare_unit
        if kind == rtu.EXCEPTION:
            self._answer = f"{EXCEPTION}{code}"
        elif kind == rtu.TIMEOUT:
            self._answer = answer_words.text(tool_read.SILENT)
        elif unit.other_unit:
            self._answer = f"a reply of unit {unit.answered_by}"
        else:
            self._answer = answer_words.text(tool_read.DAMAGED)

    def close(self) -> None:
        """Close the port."""
        self._wire.serial.close()


def can_port(bus: Bus, run_directory: str) -> CanPort:
    """A port that listens on a CAN bus. Some interfaces allow this while the controller runs,
    others do not. Ends the command if it cannot listen.
    """
    if bus.interface not in SHARED_CAN:
        if is_running(run_directory):
            line = f"the running controller holds {bus.channel}, and {bus.interface} has one user"
            raise cli.Ended(NO_START, f"bus {bus.name}: {line}: sudo systemctl stop firebreak")
        lock(run_directory)
    with cli.ends(NO_START, CanPortError):
        port = loop.can_port_of(bus)
    if port.error:
        raise cli.Ended(NO_START, port.error)
    return port
