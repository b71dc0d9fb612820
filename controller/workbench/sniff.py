"""`firebreak bus sniff BUS`: shows and decodes the frames of a bus while they come. The command
sends nothing.

`--save FILE` keeps the frames in lines that `firebreak bus decode` reads (captures.py). A line that
begins with # has bytes that are no frame.
"""

import contextlib
import select
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TextIO

from controller.config import configuration, profiles
from controller.config.bus_schema import Bus
from controller.system import cli, clock
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, ascii_only
from controller.workbench import bus_access, can_fits
from controller.workbench.can_listening import listen
from controller.workbench.live_words import CanWords, ModbusWords
from controller.workbench.rtu_stream import Piece, Stream
from drivers.buses.serial_port import SerialPort, SerialPortError
from drivers.profile import Profile

# After this silence a frame is complete. A USB adapter keeps bytes back for a shorter time than
# this, and the pause between two requests is longer.
SILENCE_S = 0.05
Known = dict[int, Profile]  # {unit id or node: profile}
TCP = "a TCP connection has no second listener: `firebreak bus probe` reads, tcpdump captures"


@cli.command(
    "bus sniff",
    *bus_access.OPTIONS,
    cli.option("--profile", metavar="NAME", help="of every device; else those of the site file"),
    cli.option(
        "--save", type=cli.output_file, metavar="FILE", help="write the frames to a new file"
    ),
    cli.option(
        "--for",
        "--for-s",
        dest="listen_s",
        type=cli.whole(1, 86_400),
        metavar="SECONDS",
        help="listen so long (until Ctrl-C)",
    ),
    *bus_access.line_options("9600"),
)
def _sniff(arguments: Namespace) -> int:
    bus = bus_access.find(arguments)
    if bus.kind == "tcp":
        raise cli.Ended(WRONG_INPUT, f"{arguments.bus}: {TCP}")
    known = _known(bus, arguments)
    with contextlib.ExitStack() as stack:
        saved: TextIO | None = None
        if arguments.save:
            with cli.ends(NO_START, OSError, at=arguments.save):
                saved = stack.enter_context(open(arguments.save, "x", encoding="ascii"))
        follow = _can if bus.kind == "can" else _serial
        frames = 0
        with contextlib.suppress(KeyboardInterrupt):
            for saved_line, shown in follow(bus, known, arguments):
                frames += 1
                if saved:
                    saved.write(saved_line + "\n")
                for line in shown:
                    print(ascii_only(line), flush=True)
    print(f"{frames} frames")
    return DONE if frames else NOT_DONE


def _known(bus: Bus, arguments: Namespace) -> Known | Profile:
    """The profiles of the devices of the bus, or the given profile. Raises ConfigError."""
    if arguments.profile:
        return profiles.load(arguments.profile)
    if bus.name == bus_access.DIRECT:
        return {}
    devices = configuration.load(arguments.site).topology.on_bus(bus.name)
    return {device.address: device.profile for device in devices}


Line = tuple[str, list[str]]  # (line to save, lines to show)


def _can(bus: Bus, known: Known | Profile, arguments: Namespace) -> Iterator[Line]:
    decoder = CanWords([(0, known)] if isinstance(known, Profile) else list(known.items()))
    channel = bus.channel.rpartition("/")[2]
    with contextlib.closing(bus_access.can_port(bus, arguments.run_dir)) as port:
        for time_us, can_id, data in listen(port, arguments.listen_s):
            yield candump(time_us, channel, can_id, data), decoder.take(time_us, can_id, data)


def candump(time_us: int, channel: str, can_id: int, data: bytes) -> str:
    """A frame as `candump -L` writes it."""
    return f"({time_us / 1e6:.6f}) {channel} {can_fits.shown(can_id)}#{data.hex().upper()}"


def _serial(bus: Bus, known: Known | Profile, arguments: Namespace) -> Iterator[Line]:
    if bus.name != bus_access.DIRECT and bus_access.is_running(arguments.run_dir):
        problem = (
            f"bus {bus.name}: the running controller holds {bus.port}, and a serial port has one "
        )
        remedy = "user: `firebreak stop`, sudo systemctl stop firebreak, then listen"
        raise cli.Ended(NO_START, problem + remedy)
    bus_access.lock(arguments.run_dir)
    baud_Bd, characters = arguments.baud_Bd or bus.baud_Bd or 9600, bus.characters
    if bus.name == bus_access.DIRECT:
        characters = arguments.characters
    port = SerialPort(bus.port, baud_Bd, characters[1], int(characters[2]))
    with cli.ends(NO_START, SerialPortError):
        port.open()
    decoder = ModbusWords(known)
    with contextlib.closing(port):
        for time_us, piece in pieces(port, arguments.listen_s):
            yield modbus_line(time_us, bus.name, piece), decoder.take(time_us, piece)


def modbus_line(time_us: int, name: str, piece: Piece) -> str:
    """A frame of Modbus RTU as a line of a saved file."""
    text = f"({time_us / 1e6:.6f}) {name} {piece.direction} {piece.data.hex(' ').upper()}"
    return f"# {text}" if piece.direction == "?" else text


def pieces(
    port: SerialPort,
    seconds: float | None,
    wait: Callable[[int, float], bool] = lambda descriptor, wait_s: bool(
        select.select((descriptor,), (), (), wait_s)[0]
    ),
) -> Iterator[tuple[int, Piece]]:
    """Yield frames of a serial line with their times (UTC, us). A lost port ends the command."""
    stream, end_us = Stream(), None if seconds is None else clock.now_us() + round(seconds * 1e6)
    while end_us is None or clock.now_us() < end_us:
        if port.fileno() < 0:
            raise cli.Ended(NO_START, port.error)
        is_ready = wait(port.fileno(), SILENCE_S)
        utc_us = int(clock.utc_us())
        frames = stream.feed(port.read()) if is_ready else stream.flush()
        for piece in frames:
            yield utc_us, piece
