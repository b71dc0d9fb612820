"""The command line of `python -m hil chaos`, its report and its JSON."""

import os
import subprocess
import sys
import tempfile

from controller.site import config as configs
from hil.arguments import number
from hil.campaigns import command, order, report, verdict
from hil.campaigns.benchmarks import machine
from hil.campaigns.chaos import namespace
from hil.campaigns.chaos.companions import Companions
from hil.campaigns.chaos.course import Course, figures, judged
from hil.campaigns.chaos.disturbances import DISTURBANCES
from hil.campaigns.chaos.stage import Stage
from hil.observer import beats
from hil.rig import ROOT, Rig, RigError

# 64 MiB of the first are the journal; the second holds record, reserve and store
RUN_MiB, STATE_MiB = 96, 48
CALM_S, DURING_S = 4.0, 6.0
# between two seconds of the history; on a full disk it leaves seconds out, by design, and writes
GAP_ms_MAX = 2000
SECONDS_EVERY_ms = 10_000  # them so often

HEAD = (
    f"{'disturbance':16} {'p50':>6} {'p99':>6} {'max':>6}   {'p99 calm':>8} {'missed':>6} "
    f"{'set-point':>9} {'coils':>6} {'racks':>6} {'RSS':>5} {'stall':>6}",
    f"{'':16} {'us':>6} {'us':>6} {'us':>6}   {'us':>8} {'ticks':>6} {'gap ms':>9} "
    f"{'gap ms':>6} {'gap ms':>6} {'+kB':>5} {'us':>6}",
)


def add(commands):
    """Add the command to the subparsers."""
    words = "disturb everything beside a real controller: the loop must not notice"
    parser = command.add(commands, "chaos", words, main)
    command.add_seed(parser)
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        choices=sorted(DISTURBANCES),
        default=[],
        help=f"this one alone, may be given again: {', '.join(DISTURBANCES)}",
    )
    for option, name, default_s, what in (
        ("--for", "during_s", DURING_S, "each disturbance"),
        ("--calm", "calm_s", CALM_S, "before and after each"),
    ):
        parser.add_argument(
            option,
            dest=name,
            type=number(0.5, 3600),
            default=default_s,
            metavar="SECONDS",
            help=f"{what} (%(default)g)",
        )


def main(arguments):
    """Returns 0 when the loop noticed nothing, else 1. Raises RigError, OSError."""
    print(f"seed       {arguments.seed}", flush=True)
    why_not = _own_mounts()
    chosen = {
        name: DISTURBANCES[name]
        for name in DISTURBANCES
        if name in (arguments.only or DISTURBANCES)
    }
    skipped = {name: why_not for name, each in chosen.items() if each.needs_mounts and why_not}
    doing = [(name, each) for name, each in chosen.items() if name not in skipped]
    try:
        with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as directory:
            found, ended, interrupted = _run(directory, doing, arguments, why_not is None)
    except ControllerEnded as error:
        print(verdict.line(f"NOT OK: {error}"))
        return command.NOT_MET
    ok = len(found) == len(doing) and all(each["ok"] for each in [*found, *ended])
    doc = {
        "command": "chaos",
        "seed": arguments.seed,
        "calm_s": arguments.calm_s,
        "during_s": arguments.during_s,
        **machine.describe(),
        "disturbances": found,
        "skipped": skipped,
        "at_the_end": ended,
        "ok": ok,
    }
    print("\n".join(lines(doc)))
    report.write_json(arguments.json, doc)
    return verdict.exit_code(ok, interrupted)


class ControllerEnded(Exception):
    """The controller has died of a disturbance; one line."""


def _own_mounts():
    """None when this process now has mounts of its own, else why not."""
    try:
        namespace.private_mounts()
    except OSError as error:
        return f"no mounts of its own ({error.strerror}): needs root, or CAP_SYS_ADMIN"
    return None


def _run(directory, doing, arguments, has_mounts):
    """([figures and verdicts of each disturbance], [{ok, text}] of the end, was it interrupted)."""
    config = configs.load(order.EXAMPLE)
    path = os.path.join(directory, "run")
    given = order.made(config, order.WHOLE_DAY_S, arguments.seed, run_dir=path, beats=True)
    mounted = _folders(path, has_mounts)
    try:
        rig = Rig(given, None, config)
        course, ended = _play(rig, directory, doing, arguments)
        content = order.recorded(path)
    finally:
        for each in reversed(mounted):
            namespace.unmount(each)
    if course.error is not None:
        ended = [(False, str(course.error)), *ended]
    content["beats"] = beats.unpacked(content["beats"])
    by_name = dict(doing)
    rows = [
        judged(figures(each, content), each["notes"], by_name[each["name"]])
        for each in course.taken
    ]
    return rows, [{"ok": ok, "text": text} for ok, text in ended], rig.interrupted


def _folders(run_directory, has_mounts):
    """Make run and state directory, small file systems if possible. Returns what was mounted."""
    mounted = []
    for path, size_MiB in (
        (run_directory, RUN_MiB),
        (os.path.join(run_directory, "state"), STATE_MiB),
    ):
        os.mkdir(path, 0o700)
        if has_mounts:
            namespace.mount_small(path, size_MiB)
            mounted.append(path)
    return mounted


def _play(rig, log_directory, doing, arguments):
    """(the Course that was played, [(ok, sentence)] of the end)."""
    try:
        rig.start()
        state = os.path.join(rig.directory, "state")
        with Companions(rig.directory, state, log_directory) as companions:
            stage = Stage(rig, companions, arguments.seed)
            course = Course(stage, doing, arguments.calm_s, arguments.during_s)
            try:
                course.beside(stage.see)
            except RigError as error:
                if rig.controller.poll() is None:
                    raise
                raise ControllerEnded(f"{course.doing}: {error}") from None
            pages = sum([line.startswith("pages:") for line in companions.reader.log_lines()])
        is_full = "state_full" in dict(doing)
        left_out_ms = SECONDS_EVERY_ms + 1000 * arguments.during_s if is_full else 0
        read = (pages > 0, f"all pages read {pages} times")
        return course, [read, *_record(stage, GAP_ms_MAX + left_out_ms)]
    finally:
        rig.stop()


def _record(stage, gap_ms_max):
    """What the recorder has made of it, once it has ended."""
    verified = subprocess.run(
        [sys.executable, "-m", "controller", "verify", "--state-dir", stage.state_directory],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = (verified.stdout + verified.stderr).strip().splitlines() or ["nothing"]
    gap_ms = stage.recorded_gap_ms()
    return [
        (verified.returncode == 0, f"the record: {said[-1]}"),
        (
            gap_ms is not None and gap_ms <= gap_ms_max,
            f"longest gap in its history {gap_ms} ms (allowed {gap_ms_max:g})",
        ),
    ]


def lines(doc):
    """The report as lines: a table, then what was noted, then the verdict."""
    out = list(HEAD)
    for each in doc["disturbances"]:
        out += [_row(each), *[f"  {_ok(one):6} {one['text']}" for one in each["verdicts"]]]
    out += [f"{name:16} skipped: {why}" for name, why in doc["skipped"].items()]
    out += [f"{_ok(one):8} at the end: {one['text']}" for one in doc["at_the_end"]]
    found = doc["disturbances"]
    words = (
        f"{'undisturbed' if doc['ok'] else 'NOT OK'}: {sum(each['ok'] for each in found)} of "
        f"{len(found)} disturbances unnoticed, {len(doc['skipped'])} skipped"
    )
    return [*out, verdict.line(words)]


def _ok(one):
    return "ok" if one["ok"] else "NOT OK"


def _row(each):
    during, calm = each["loop"]["during"], each["loop"]["before"]["lateness_us"]["p99"]
    late = during["lateness_us"]
    missed = during["missed"] + each["loop"]["after"]["missed"]
    gap = {
        kind: max(
            [phases["during"] for name, phases in each["gaps_ms"].items() if name.startswith(kind)],
            default=0.0,
        )
        for kind in ("set-point", "coils", "command")
    }
    return (
        f"{each['name']:16} {late['p50']:6} {late['p99']:6} {late['max']:6}   {calm:8} "
        f"{missed:6} "
        f"{gap['set-point']:9.0f} {gap['coils']:6.0f} {gap['command']:6.0f} "
        f"{each['growth_kB']:5} "
        f"{each['stall_us']:6}"
    )
