"""`python -m hil mcu`: channel B on an emulated microcontroller (or as a process) tried, timed and
counted.

Exit codes: 0 all as expected, 1 not, 2 wrong input, 3 something is missing here, 130 interrupted.
"""

import pathlib
import shutil
import signal
import sys
import tempfile

from hil.arguments import output_file, whole
from hil.campaigns.benchmarks import machine, timing, wasm
from hil.campaigns.benchmarks.document import document, exit_code, figure, lines, percentile, write
from hil.campaigns.channel_b import course, firmware, trials
from hil.campaigns.channel_b import memory as mem
from hil.campaigns.channel_b.emulator import Emulator, EmulatorError
from hil.campaigns.channel_b.standin import Standin
from hil.campaigns.vm.report import Report
from safety import parameters as p

NOT_DONE, NO_START, INTERRUPTED = 1, 3, 130
COUNT_MAX = 1000
COUNTED_STEPS, LOCKSTEP_STEPS, SEED = 200, 500, 3
OTHER_IMAGE_S = 2.0
NS_PER_INSTRUCTION, NS_PER_TIMER_TICK = 64, 40  # QEMU's -icount shift=6, the timer at 25 MHz
# A trial has not passed also when what is answered or printed cannot be read.
FAILURES = (trials.TrialError, EmulatorError, OSError, ValueError, LookupError)
COUNTS = (
    ("healthy", "kernel", "kernel step, the half that channel B runs", "channel_b"),
    ("healthy", "step", "step with link and relay", None),
    ("healthy", "report", "making a frame", None),
    ("healthy", "receive", "taking a frame", None),
    ("tripped", "kernel", "kernel step, the half that channel B runs, tripped", "channel_b"),
    ("tripped", "step", "step with link and relay, tripped", None),
    ("healthy", "whole", "a whole kernel step, which channel B does not run", None),
)
FUEL_SCRIPT = """import sys
sys.path.insert(0, "/input")
import course
from safety import second as sc
image = course.default_image(1, 3)
second, way = sc.Second(image, 0), course.Course(1, image)
for _ in range({steps}):
    way.count &= 1
    way.next(second)
    course.play(second, way.elapsed, way.contacts, way.line, way.length)
    if int(sys.argv[1]):
        second.kernel.judge(1)
"""


def add(commands):
    """Add `mcu` to the subcommands."""
    parser = commands.add_parser(
        "mcu", help="channel B on an emulated microcontroller: tried, timed, counted"
    )
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
    parser.add_argument(
        "--json", metavar="FILE", type=output_file(), help="write all figures and checks there"
    )
    parser.add_argument(
        "--beside", default="", metavar="TEXT", help="what runs on this machine meanwhile"
    )
    parser.set_defaults(run=run)


def _say(line, code):
    print(f"mcu: {line}", file=sys.stderr)
    return code


def run(given):
    """The exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = Report(lambda line: print(line, flush=True))
    with tempfile.TemporaryDirectory(prefix="firebreak-mcu-") as folder:
        try:
            made = (
                None
                if given.standin
                else firmware.build(given.cache, lambda line: print(line, flush=True))
            )
            figures = _figures(Lab(given.count, folder, made), report)
        except firmware.FirmwareError as error:
            return _say(error, NO_START)
        except KeyboardInterrupt:
            return _say("interrupted; nothing was written", INTERRUPTED)
    doc = document(
        "mcu",
        f"python -m hil mcu --count {given.count}",
        figures,
        _notes(given.standin),
        {"checks": report.rows},
        given.beside,
        machine.priority(),
    )
    if given.json:
        write(given.json, doc)
    print("\n".join(lines(doc)))
    return exit_code(doc) if report.ok else NOT_DONE


def _notes(standin):
    if standin:
        return [f"{Standin.what}; no instructions are counted"]
    return [
        f"{Emulator.what}; times are of the emulator on this machine, instructions are exactly "
        f"repeatable",
        "contacts are a word of memory that the host maps, because QEMU models no input pins on "
        "this board",
    ]


class Lab:
    """What the trials need. `live`: the board they run on."""

    def __init__(self, count, folder, made):
        """made: the firmware's path, or None for the stand-in."""
        self.count, self.folder, self.made = count, folder, made
        self.image = course.default_image(1, 3)
        self.live = Emulator(made, folder, self.image) if made else Standin(folder, self.image)
        self.partner = None

    def other_image(self):
        """A limit image that differs in one parameter."""
        image = course.default_image(1, 3)
        image[len(p.HEADER) + p.P_GAS_SILENT_MS] -= course.TICK_MS
        return image


def _ms(seconds):
    return round(seconds * 1000, 1)


def _spread(name, taken_s, budget=None):
    """p50 and maximum of times as figures."""
    return [
        figure(f"{name}, p50 of {len(taken_s)}", _ms(percentile(taken_s, 500)), "ms"),
        figure(f"{name}, maximum", _ms(max(taken_s)), "ms", budget=budget),
    ]


def _figures(lab, report):
    """Run all trials; the figures of those that passed."""
    figures = []
    steps = [
        ("start", _boot),
        ("E-stop at channel B alone, channel A stopped", _estop),
        ("channel A silent", _silence),
        ("every bit of a frame flipped in turn", _corrupted),
        ("hang", _hang),
        ("another limit image", _other_image),
    ]
    try:
        for name, trial in steps:
            passed = report.check(name, lambda trial=trial: _told(figures, *trial(lab)), FAILURES)
            if not passed and lab.partner is None:
                break  # nothing has started that the others could try
        if lab.partner:
            figures.append(
                figure(
                    "trials made again because the machine held up the observer",
                    lab.partner.repeated,
                    "trials",
                )
            )
    finally:
        lab.live.close()
    if lab.made:
        report.check("lockstep with CPython", lambda: _told(figures, *_lockstep(lab)), FAILURES)
        report.check("instructions", lambda: _told(figures, *_instructions(lab)), FAILURES)
    report.check(
        "instructions, WebAssembly", lambda: _told(figures, *_fuel(lab)), (ImportError, ValueError)
    )
    return figures


def _told(figures, detail, new):
    """Keep new figures; the detail is the report's."""
    figures += new
    return detail


def _boot(lab):
    began_s = lab.live.start()
    lab.partner = trials.Partner(lab.live, lab.image)
    first_s, permit_s = trials.boot(lab.partner, began_s)
    return f"first frame after {_ms(first_s)} ms, permit after {_ms(permit_s)} ms", [
        figure("start of channel B to its first frame", _ms(first_s), "ms")
    ]


def _estop(lab):
    taken_s = trials.several(lab.partner, trials.estop, lab.count)
    return f"row 1 named, permit off after {_ms(min(taken_s))} .. {_ms(max(taken_s))} ms", _spread(
        "E-stop at channel B alone to permit off", taken_s
    )


def _silence(lab):
    taken_s = trials.several(lab.partner, trials.silence, lab.count)
    return (
        f"named, permit off {_ms(min(taken_s))} .. {_ms(max(taken_s))} ms after the last frame; "
        f"back only when A "
        "gave none",
        _spread("last frame of channel A to permit off", taken_s, "channel_b_expiry"),
    )


def _corrupted(lab):
    reasons = trials.corrupted(lab.partner)
    return f"none taken, refused as {', '.join(reasons)}; permit off, back with right frames", []


def _hang(lab):
    falls_s, returns_s = zip(*trials.several(lab.partner, trials.hang, lab.count), strict=True)
    trials.reset(lab.partner)
    return (
        f"watchdog: permit off after {_ms(min(falls_s))} .. {_ms(max(falls_s))} ms; started by "
        f"itself, waited "
        "for a reset, took it",
        [
            *_spread("hang of channel B to permit off", falls_s, "channel_b_expiry"),
            figure("from there to its first frame, maximum", _ms(max(returns_s)), "ms"),
        ],
    )


def _other_image(lab):
    frames = trials.other_image(lab.partner, lab.other_image(), OTHER_IMAGE_S)
    return f"named, no permit in {frames} frames", []


def _lockstep(lab):
    board = Emulator(lab.made, lab.folder, lab.image, mode=mem.MODE_LOCKSTEP)
    try:
        board.start()
        equal = trials.lockstep(board, lab.image, SEED, LOCKSTEP_STEPS)
    finally:
        board.close()
    if equal != LOCKSTEP_STEPS:
        raise trials.TrialError(f"only {equal} of {LOCKSTEP_STEPS} steps were equal, seed {SEED}")
    return f"all state and every frame equal in {equal} of {LOCKSTEP_STEPS} steps, seed {SEED}", [
        figure("steps equal to CPython's", equal, f"of {LOCKSTEP_STEPS}")
    ]


def _instructions(lab):
    counts, again = _count_instructions(lab), _count_instructions(lab)
    if counts != again:
        raise trials.TrialError(f"two runs counted differently: {counts} and {again}")
    return f"{COUNTED_STEPS} steps each, a second run counted the same", [
        figure(
            f"{words}, Cortex-M3, greatest of {COUNTED_STEPS}",
            counts[state, name],
            "instructions",
            budget=budget,
        )
        for state, name, words, budget in COUNTS
    ]


def _count_instructions(lab):
    """{(state, what): instructions of the longest}."""
    board = Emulator(lab.made, lab.folder, lab.image, mode=mem.MODE_COUNT, steps=COUNTED_STEPS)
    try:
        board.start()
        printed = board.wait_printed("end")
    finally:
        board.close()
    rows = [line.split() for line in printed.splitlines() if line.startswith("count ")]
    return {(row[1], row[2]): int(row[4]) * NS_PER_TIMER_TICK // NS_PER_INSTRUCTION for row in rows}


def _fuel(lab):
    folder = pathlib.Path(lab.folder, "wasm")
    folder.mkdir()
    shutil.copytree(
        firmware.ROOT / "safety",
        folder / "safety",
        ignore=shutil.ignore_patterns("__pycache__", "*.md"),
    )
    shutil.copy(course.__file__, folder)
    (folder / "run.py").write_text(FUEL_SCRIPT.format(steps=COUNTED_STEPS), encoding="ascii")
    micropython, used = wasm.MicroPython(fuel=True), []
    for stepping in "01":
        code, printed, fuel = micropython.run(folder, "/input/run.py", stepping)
        if code != 0:
            raise ValueError(f"MicroPython ended with {code}: {printed.strip()[-200:]}")
        used.append(fuel)
    timing.wait_s(wasm.SETTLE_S)
    return f"{COUNTED_STEPS} steps", [
        figure(
            "kernel step, the half that channel B runs, WebAssembly build, mean",
            round((used[1] - used[0]) / COUNTED_STEPS),
            "instructions",
        )
    ]
