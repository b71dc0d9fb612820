"""`python -m hil mcu`: tries channel B on an emulated microcontroller, or as a process.

Exit codes: 0 all as expected, 1 not, 2 wrong input, 3 a program is missing, 130 interrupted.
"""

import argparse
import contextlib
import pathlib
import tempfile
from collections.abc import Callable, Sequence

from hil.campaigns.benchmarks.document import (
    Figures,
    Measured,
    document,
    figure,
    finish,
    percentile,
)
from hil.campaigns.channel_b import firmware, memory as mem, trials
from hil.campaigns.channel_b.emulator import Emulator, EmulatorError
from hil.campaigns.channel_b.partner import Partner, TrialError
from hil.campaigns.channel_b.standin import Standin
from hil.engine.arguments import whole
from hil.oracle import channel_b_course as course
from hil.runner import options, report
from safety import second as sc

COUNT_MAX = 1000
STANDIN_NOTES = [f"{Standin.description}; no instructions are counted"]
EMULATOR_NOTES = [
    f"{Emulator.description}; times are of the emulator on this machine, instructions are exactly "
    "repeatable",
    "contacts are a word of memory that the host maps, because QEMU models no input pins on this "
    "board",
]
COUNTED_STEPS, LOCKSTEP_STEPS, SEED = 200, 500, 3
# In QEMU, -icount shift=6 gives 64 ns per instruction. The timer runs at 25 MHz.
NS_PER_INSTRUCTION, NS_PER_TIMER_TICK = 64, 40
# A trial also fails if an answer cannot be read.
FAILURES = (TrialError, EmulatorError, OSError, ValueError, LookupError)
COUNTS = (
    ("healthy", "kernel", "kernel step, the half that channel B runs", "channel_b"),
    ("healthy", "step", "step with link and relay", None),
    ("healthy", "report", "making a frame", None),
    ("healthy", "receive", "taking a frame", None),
    ("tripped", "kernel", "kernel step, the half that channel B runs, tripped", "channel_b"),
    ("tripped", "step", "step with link and relay, tripped", None),
    (
        "combinations",
        "kernel",
        "kernel step, the half that channel B runs, every combination of contacts",
        "channel_b_trips",
    ),
)
OPTIONS: options.Options = {
    "--count": {
        "type": whole(1, COUNT_MAX),
        "default": 10,
        "help": "E-stops, silences and hangs each (10)",
    },
    "--tick": {
        "type": int,
        "choices": (10, 20),
        "default": course.TICK_MS,
        "metavar": "MS",
        "help": "of both channels, 10 or 20 (%(default)s)",
    },
    "--standin": options.flag("the same program as a process instead of QEMU"),
    "--cache": options.value(
        str, "DIR", "where source and firmware are kept (%(default)s)", firmware.CACHE
    ),
}


def run(arguments: argparse.Namespace) -> int:
    """Run all trials and print their figures. Returns the exit code. Raises FirmwareError."""
    checks = report.Checks()
    with tempfile.TemporaryDirectory(prefix="firebreak-mcu-") as folder:
        binary = None if arguments.standin else firmware.build(arguments.cache)
        figures = measured(Lab(arguments.count, folder, binary, arguments.tick), checks)
    notes = STANDIN_NOTES if arguments.standin else EMULATOR_NOTES
    measurement = Measured(figures, notes, {"checks": checks.rows})
    command = f"python -m hil mcu --tick {arguments.tick} --count {arguments.count}"
    code = finish(document("mcu", command, measurement), arguments)
    return code if checks.ok else report.NOT_MET


class Lab:
    """The tools of the trials. `live`: the board; `partner`: channel A, once the board runs."""

    def __init__(self, count: int, folder: str, binary: pathlib.Path | None, tick_ms: int) -> None:
        """binary: the firmware, or None for the stand-in."""
        self.count, self.folder, self.binary = count, folder, binary
        self.image = course.default_image(1, 3, tick_ms=tick_ms)
        self.live: Emulator | Standin
        self.live = Emulator(binary, folder, self.image) if binary else Standin(folder, self.image)
        self.partner: Partner | None = None

    @property
    def channel_a(self) -> Partner:
        """The partner, once the board has started."""
        if self.partner is None:
            raise TrialError("channel B has not started")
        return self.partner

    def emulator(self, mode: int, steps: int = 0) -> contextlib.closing[Emulator]:
        """A context: another emulator, not started."""
        assert self.binary is not None  # no stand-in counts
        return contextlib.closing(Emulator(self.binary, self.folder, self.image, mode, steps))


Outcome = tuple[str, Figures]  # (detail, figures)
Trial = Callable[[Lab], Outcome]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _range(taken_s: Sequence[float]) -> str:
    return f"{_ms(min(taken_s))} .. {_ms(max(taken_s))} ms"


def _spread(name: str, taken_s: Sequence[float], budget: str | None = None) -> Figures:
    """p50 and maximum of times as figures."""
    return [
        figure(f"{name}, p50 of {len(taken_s)}", _ms(percentile(taken_s, 500)), "ms"),
        figure(f"{name}, maximum", _ms(max(taken_s)), "ms", budget=budget),
    ]


def measured(lab: Lab, checks: report.Checks) -> Figures:
    """Run all trials. Returns the figures of the trials that passed."""
    figures: Figures = []

    def passes(name: str, trial: Trial) -> bool:
        def action() -> str:
            detail, trial_figures = trial(lab)
            figures.extend(trial_figures)
            return detail

        return checks.check(name, action, FAILURES)

    with contextlib.closing(lab.live):
        for name, trial in LIVE:
            if not passes(name, trial) and lab.partner is None:
                break  # the board has not started, so the other trials cannot run
        if lab.partner:
            quantity = "trials made again because the machine held up the observer"
            figures.append(figure(quantity, lab.partner.repeated, "trials"))
    for name, trial in COUNTED if lab.binary else ():
        passes(name, trial)
    return figures


def _boot(lab: Lab) -> Outcome:
    began_s = lab.live.start()
    lab.partner = Partner(lab.live, lab.image)
    first_s, permit_s = trials.boot(lab.partner, began_s)
    return f"first frame after {_ms(first_s)} ms, permit after {_ms(permit_s)} ms", [
        figure("start of channel B to its first frame", _ms(first_s), "ms")
    ]


def _estop(lab: Lab) -> Outcome:
    taken_s = trials.several(lab.channel_a, trials.estop, lab.count)
    figures = _spread("E-stop at channel B alone to permit off", taken_s)
    return f"row 1 named, permit off after {_range(taken_s)}", figures


def _silence(lab: Lab) -> Outcome:
    taken_s = trials.several(lab.channel_a, trials.silence, lab.count)
    figures = _spread("last frame of channel A to permit off", taken_s, "channel_b_expiry")
    detail = f"named, permit off {_range(taken_s)} after the last frame"
    return f"{detail}; back only when A gave none", figures


def _hang(lab: Lab) -> Outcome:
    falls_s, returns_s = zip(*trials.several(lab.channel_a, trials.hang, lab.count), strict=True)
    trials.reset(lab.channel_a)
    detail = f"watchdog: permit off after {_range(falls_s)}"
    return f"{detail}; started by itself, waited for a reset, took it", [
        *_spread("hang of channel B to permit off", falls_s, "channel_b_expiry"),
        figure("from there to its first frame, maximum", _ms(max(returns_s)), "ms"),
    ]


def _lockstep(lab: Lab) -> Outcome:
    with lab.emulator(mem.MODE_LOCKSTEP) as board:
        board.start()
        equal = trials.lockstep(board, lab.image, SEED, LOCKSTEP_STEPS)
    if equal != LOCKSTEP_STEPS:
        raise TrialError(f"only {equal} of {LOCKSTEP_STEPS} steps were equal, seed {SEED}")
    return (
        f"all state and every frame equal in {equal} of {LOCKSTEP_STEPS} steps, seed {SEED}",
        [figure("steps equal to CPython's", equal, f"of {LOCKSTEP_STEPS}")],
    )


def _instructions(lab: Lab) -> Outcome:
    counts, again = _count_instructions(lab), _count_instructions(lab)
    if counts != again:
        raise TrialError(f"two runs counted differently: {counts} and {again}")
    step_counts = {"combinations": sc.RELAY_BIT}
    return f"{COUNTED_STEPS} steps each, a second run counted the same", [
        figure(
            f"{label}, Cortex-M3, greatest of {step_counts.get(state, COUNTED_STEPS)}",
            counts[state, name],
            "instructions",
            budget=budget,
        )
        for state, name, label, budget in COUNTS
    ]


def _count_instructions(lab: Lab) -> dict[tuple[str, str], int]:
    """{(state, part of the work): most instructions in a step}."""
    with lab.emulator(mem.MODE_COUNT, COUNTED_STEPS) as board:
        board.start()
        printed = board.printed()
    rows = [line.split() for line in printed.splitlines() if line.startswith("count ")]
    return {(row[1], row[2]): int(row[4]) * NS_PER_TIMER_TICK // NS_PER_INSTRUCTION for row in rows}


# These trials run in this order on one board. "start" starts it, and each try of the other trials
# begins with a reset of it.
LIVE = (
    ("start", _boot),
    ("E-stop at channel B alone, channel A stopped", _estop),
    ("channel A silent", _silence),
    ("hang", _hang),
)
# Each runs on its own emulated board. The stand-in cannot run them.
COUNTED = (("lockstep with CPython", _lockstep), ("instructions", _instructions))


add = options.command(
    "mcu",
    "channel B on an emulated microcontroller: tried, timed, counted",
    run,
    options.JSON | OPTIONS | options.BESIDE,
)
