"""`python -m hil chaos` disturbs a real controller; this module has its options and report."""

import contextlib
import os
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Mapping

from hil.campaigns import order, process
from hil.campaigns.benchmarks import machine
from hil.campaigns.chaos import namespace
from hil.campaigns.chaos.companions import Companions
from hil.campaigns.chaos.course import PHASES, Course, Figures, judged
from hil.campaigns.chaos.disturbances import DISTURBANCES, Disturbance
from hil.campaigns.chaos.stage import Stage
from hil.campaigns.chaos.verdict import Sentence
from hil.engine import coverage
from hil.engine.arguments import number
from hil.engine.rig import Rig, RigError
from hil.observer import beats
from hil.results import words
from hil.runner import options, report

HEAD = (
    f"{'disturbance':16} {'p50':>6} {'p99':>6} {'max':>6}   {'p99 calm':>8} {'missed':>6} "
    f"{'set-point':>9} {'coils':>6} {'racks':>6} {'RSS':>5} {'stall':>6}",
    f"{'':16} {'us':>6} {'us':>6} {'us':>6}   {'us':>8} {'ticks':>6} {'gap ms':>9} "
    f"{'gap ms':>6} {'gap ms':>6} {'+kB':>5} {'us':>6}",
)
SECONDS = {"type": number(0.5, 3600), "metavar": "SECONDS"}
OPTIONS: options.Options = {
    "--only": {
        "metavar": "NAME",
        "action": "append",
        "choices": sorted(DISTURBANCES),
        "default": [],
        "help": f"only this one, may be repeated: {', '.join(DISTURBANCES)}",
    },
    "--for": SECONDS
    | {"dest": "during_s", "default": 6.0, "help": "time of each disturbance (%(default)g)"},
    "--calm": SECONDS
    | {"dest": "calm_s", "default": 4.0, "help": "calm before and after each (%(default)g)"},
}


def main(arguments: Namespace) -> int:
    """Run the campaign. Returns 0 if nothing disturbed the loop, else 1. RigError or OSError."""
    print(f"seed       {arguments.seed}", flush=True)
    why_not = namespace.private_mounts()
    chosen = [name for name in DISTURBANCES if name in (arguments.only or DISTURBANCES)]
    skipped = {name: why_not for name in chosen if why_not and DISTURBANCES[name].needs_mounts}
    doing = {name: DISTURBANCES[name] for name in chosen if name not in skipped}
    try:
        with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as directory:
            disturbances, endings, interrupted = _run(directory, doing, arguments, why_not is None)
    except ControllerEnded as error:
        print(report.verdict(f"NOT OK: {error}"))
        return report.NOT_MET
    ok = len(disturbances) == len(doing) and all(
        judgement["ok"] for judgement in [*disturbances, *endings]
    )
    doc = {
        "command": "chaos",
        "seed": arguments.seed,
        "calm_s": arguments.calm_s,
        "during_s": arguments.during_s,
        **machine.describe(),
        "mirrored": coverage.about(coverage.loaded(arguments.cabinet, is_virtual=False)),
        "disturbances": disturbances,
        "skipped": skipped,
        "at_the_end": endings,
        "ok": ok,
    }
    exit_code = report.finish(arguments, doc, lines(doc), ok)
    return report.INTERRUPTED if interrupted else exit_code


class ControllerEnded(Exception):
    """The controller has ended because of a disturbance. The text is one line."""


def _run(
    directory: str, doing: Mapping[str, Disturbance], arguments: Namespace, has_mounts: bool
) -> tuple[list[Figures], list[Figures], bool]:
    """([figures and verdicts of each disturbance], [{ok, text}] at the end, True if
    interrupted).
    """
    config = coverage.loaded(arguments.cabinet, is_virtual=False)
    path = os.path.join(directory, "run")
    run_options = order.run_options(
        config, order.WHOLE_DAY_S, arguments.seed, run_dir=path, beats=True
    )
    with contextlib.ExitStack() as mounts:
        # The journal takes 64 MiB of the first file system. The second has the record, its reserve
        # and the store.
        for folder, size_MiB in ((path, 96), (os.path.join(path, "state"), 48)):
            os.mkdir(folder, 0o700)
            if has_mounts:
                mounts.enter_context(namespace.small(folder, size_MiB))
        rig = Rig(run_options, None, config)
        course, verdicts = _play(rig, directory, doing, arguments)
        content = order.recorded(path)
    if course.error is not None:
        verdicts = [(False, str(course.error)), *verdicts]
    content["beats"] = beats.unpacked(content["beats"])
    rows = [judged(taken, content, doing[taken["name"]]) for taken in course.taken]
    return rows, [{"ok": ok, "text": text} for ok, text in verdicts], rig.interrupted


def _play(
    rig: Rig, log_directory: str, doing: Mapping[str, Disturbance], arguments: Namespace
) -> tuple[Course, list[Sentence]]:
    """(the played Course, the sentences at the end)."""
    try:
        rig.start()
        state = os.path.join(rig.directory, "state")
        with Companions(rig.directory, state, log_directory) as companions:
            stage = Stage(rig, companions, arguments.seed)
            course = Course(stage, doing, arguments.calm_s, arguments.during_s)
            try:
                course.beside(stage.see)
            except RigError as error:
                if stage.controller.poll() is None:
                    raise
                raise ControllerEnded(f"{course.doing}: {error}") from None
            pages = sum(line.startswith("pages:") for line in companions.reader.log_lines())
        # While the disk is full the history has gaps, and the recorder writes only every 10 s. It
        # may find no pause between two full disks that is long enough.
        full_disks = len({"state_full", "state_inodes"} & {*doing})
        gap_ms_max = 2000 + full_disks * (10_000 + 1000 * arguments.during_s)
        reading = (pages > 0, f"all pages read {pages} times")
        return course, [reading, *_record(stage, gap_ms_max)]
    finally:
        rig.stop()


def _record(stage: Stage, gap_ms_max: float) -> list[Sentence]:
    """Sentences about the record and the history, after the recorder has ended."""
    verified = process.module(
        "controller",
        "record",
        "verify",
        "--state-dir",
        stage.state_directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed = verified.communicate()[0].strip().splitlines() or ["nothing"]
    gap_ms = stage.recorded_gap_ms()
    return [
        (verified.returncode == 0, f"the record: {printed[-1]}"),
        (
            gap_ms is not None and gap_ms <= gap_ms_max,
            f"longest gap in its history {gap_ms} ms (allowed {gap_ms_max:g})",
        ),
    ]


def lines(doc: Figures) -> list[str]:
    """The report as lines: a table, the notes, the verdict."""
    report_lines, rows = [*words.mirrored_lines(doc), *HEAD], doc["disturbances"]
    for row in rows:
        report_lines.append(_row(row))
        report_lines += [f"  {_ok(verdict):6} {verdict['text']}" for verdict in row["verdicts"]]
    report_lines += [f"{name:16} skipped: {why}" for name, why in doc["skipped"].items()]
    report_lines += [
        f"{_ok(verdict):8} at the end: {verdict['text']}" for verdict in doc["at_the_end"]
    ]
    result = "undisturbed" if doc["ok"] else "NOT OK"
    unnoticed = f"{sum(row['ok'] for row in rows)} of {len(rows)} disturbances without effect"
    return [*report_lines, report.verdict(f"{result}: {unnoticed}, {len(doc['skipped'])} skipped")]


def _ok(verdict: Figures) -> str:
    return "ok" if verdict["ok"] else "NOT OK"


def _row(disturbance: Figures) -> str:
    before, during, after = (disturbance["loop"][phase] for phase in PHASES)
    late = during["lateness_us"]
    columns = [
        f"{disturbance['name']:16} {late['p50']:6} {late['p99']:6} {late['max']:6}  ",
        f"{before['lateness_us']['p99']:8} {during['missed'] + after['missed']:6}",
    ]
    for kind, width in (("set-point", 9), ("coils", 6), ("command", 6)):
        gaps = [
            ms["during"] for name, ms in disturbance["gaps_ms"].items() if name.startswith(kind)
        ]
        columns.append(f"{max(gaps, default=0.0):{width}.0f}")
    return " ".join([*columns, f"{disturbance['growth_kB']:5} {disturbance['stall_us']:6}"])


add = options.command(
    "chaos",
    "disturb everything beside a real controller; the loop must run on undisturbed",
    main,
    options.JSON | options.SEED | options.CABINET | OPTIONS,
)
