"""`firebreak fleet`: all cabinets of a FLEET.toml on one page, as the broker knows them. It reads
only. `firebreak fleet ask` says whether they can carry a job together.

Exit codes: 0 all cabinets report and none has an alarm, 1 something is wrong, 2 wrong file, 3 no
broker. `ask`: 0 yes, 1 no, 2 wrong input, 3 not known.
"""

import asyncio
import shutil
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from controller.console.ask import EXIT_CODES, JSON, SPAN
from controller.console.hint import POWER_UNITS, TIME_UNITS, quantity_of
from controller.console.pages import fleet as page, fleet_ask
from controller.dispatch import fleet, site_ask, site_facts
from controller.dispatch.overview import Overview
from controller.state import ask
from controller.state.base import Facts
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, quoted
from controller.system.told import DoorError

if TYPE_CHECKING:
    from controller.dispatch.reader import Reader

FILE = "/etc/firebreak/FLEET.toml"
CLEAR, HOME, LINE_END = b"\x1b[2J", b"\x1b[H", b"\x1b[K\r\n"
FLEET_FILE = cli.option("file", metavar="FLEET.toml", nargs="?", default=FILE, help="(%(default)s)")


@cli.command(
    "fleet show",
    FLEET_FILE,
    cli.option("--watch", action="store_true", help="draw the page again each second"),
    cli.JSON,
)
def _show(arguments: Namespace) -> int:
    if arguments.watch and (arguments.json or not sys.stdout.isatty()):
        raise cli.Ended(WRONG_INPUT, "--watch draws on a terminal; leave it out for a file or JSON")
    reader = reader_of(arguments.file)
    if arguments.watch:
        return _watch(reader)
    facts = _collected(reader)
    cli.show(arguments.json, facts, lambda: page.lines(facts))
    return _exit_code(facts)


@cli.command(
    "fleet ask",
    FLEET_FILE,
    cli.option("--power", required=True, metavar="POWER", help="rise of the load, as in 800kW"),
    cli.option("--at", default="+0s", metavar="TIME", help="from now, as in +10min (now)"),
    SPAN,
    cli.option("--cabinet", metavar="NAME", default="", help="where it runs (the best cabinet)"),
    JSON,
)
def _ask(arguments: Namespace) -> int:
    span, ahead_ms_max = arguments.at.removeprefix("+"), ask.AT_S_MAX * 1000
    job = site_ask.Job(
        quantity_of("--power", arguments.power, POWER_UNITS, 1, ask.POWER_W_MAX, "800kW"),
        quantity_of("--at", span, TIME_UNITS, 0, ahead_ms_max, "+10min") // 1000,
        quantity_of("--for", arguments.span, TIME_UNITS, 1000, ask.FOR_S_MAX * 1000, "20min")
        // 1000,
    )
    reader, name = reader_of(arguments.file), arguments.cabinet
    names = [] if reader.overview.fleet.is_common else list(reader.overview.seen)
    if name and name not in names:
        allowed = ", ".join(names) or "none, because a common load has no place"
        raise cli.Ended(WRONG_INPUT, f"--cabinet {quoted(name)}: allowed {allowed}")
    answer = site_ask.answer(_collected(reader), job, name)
    cli.show(arguments.json, answer, lambda: fleet_ask.lines(answer))
    return EXIT_CODES[answer["answer"]]


def reader_of(path: str) -> "Reader":
    """The reader of the fleet in a file. Ends the command for a wrong file or a missing library."""
    with cli.ends(WRONG_INPUT, FileNotFoundError):
        loaded_fleet = fleet.load(path, reads_keys=False)
    with cli.needs_doors("fleet"):
        from controller.dispatch import reader
    return reader.Reader(loaded_fleet)


def _collected(reader: "Reader") -> Facts:
    """The facts that the broker has now. Ends the command without a broker."""
    from controller.mqtt.link import Lost

    with cli.ends(NO_START, Lost), cli.ends(WRONG_INPUT, DoorError, OSError):
        asyncio.run(reader.once())
    return site_facts.of(reader.overview, reader.now_us)


def _exit_code(facts: Facts) -> int:
    is_good = facts["dispatcher"]["is_live"] and not (facts["wrong"] or facts["alarms"])
    has_no_alarm = all(cabinet["alarms"] == 0 for cabinet in facts["cabinets"].values())
    return DONE if is_good and has_no_alarm else NOT_DONE


def _watch(reader: "Reader") -> int:
    """Draw until Ctrl-C. The exit code is that of the last page."""
    code = NOT_DONE

    def draw(overview: Overview, now_us: int, trouble: str) -> None:
        nonlocal code
        facts = site_facts.of(overview, now_us)
        code = NOT_DONE if trouble else _exit_code(facts)
        columns, rows = shutil.get_terminal_size()
        lines = [f"NO CONNECTION: {trouble}"] if trouble else []
        lines += page.lines(facts, rows - 1 - len(lines))
        _put(drawn(lines, columns, rows))

    _put(CLEAR)
    try:
        with cli.ends(WRONG_INPUT, DoorError, OSError):
            asyncio.run(reader.watch(draw))
    except KeyboardInterrupt:
        print()
    return code


def drawn(lines: list[str], columns: int, rows: int) -> bytes:
    """Bytes that draw lines over the screen. Each line ends before the last column, where a
    terminal may wrap.
    """
    shown = [line[: columns - 1].encode("ascii") for line in lines[: rows - 1]]
    return HOME + b"".join(line + LINE_END for line in shown) + b"\x1b[J"


def _put(data: bytes) -> None:
    sys.stdout.write(data.decode("latin-1"))
    sys.stdout.flush()
