"""`python -m hil mcu`: channel B on an emulated microcontroller (or as a process) tried, timed and
counted.

Exit codes: 0 all as expected, 1 not, 2 wrong input, 3 something is missing here, 130 interrupted.
"""

import tempfile

from hil.arguments import whole
from hil.campaigns import command
from hil.campaigns.benchmarks import machine
from hil.campaigns.benchmarks.command import add_beside
from hil.campaigns.benchmarks.document import document, finish
from hil.campaigns.channel_b import firmware
from hil.campaigns.channel_b.emulator import Emulator
from hil.campaigns.channel_b.figures import Lab, measured
from hil.campaigns.channel_b.standin import Standin
from hil.campaigns.report import Checks

COUNT_MAX = 1000
STANDIN_NOTES = [f"{Standin.what}; no instructions are counted"]
EMULATOR_NOTES = [
    f"{Emulator.what}; times are of the emulator on this machine, instructions are exactly "
    "repeatable",
    "contacts are a word of memory that the host maps, because QEMU models no input pins on this "
    "board",
]


def add(commands):
    """Add `mcu` to the subcommands."""
    words = "channel B on an emulated microcontroller: tried, timed, counted"
    parser = command.add(commands, "mcu", words, run)
    parser.add_argument(
        "--count",
        type=whole(1, COUNT_MAX),
        default=10,
        help="E-stops, silences and hangs each (10)",
    )
    parser.add_argument(
        "--standin", action="store_true", help="the same program as a process instead of QEMU"
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        default=firmware.CACHE,
        help="where source and firmware are kept (%(default)s)",
    )
    add_beside(parser)


def run(given):
    """The exit code."""
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="firebreak-mcu-") as folder:
        try:
            made = None if given.standin else firmware.build(given.cache)
        except firmware.FirmwareError as error:
            return command.refuse("mcu", error, command.NO_START)
        figures = measured(Lab(given.count, folder, made), checks)
    doc = document(
        "mcu",
        f"python -m hil mcu --count {given.count}",
        figures,
        STANDIN_NOTES if given.standin else EMULATOR_NOTES,
        {"checks": checks.rows},
        machine.priority(),
    )
    code = finish(doc, given)
    return code if checks.ok else command.NOT_MET
