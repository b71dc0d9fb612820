"""`firebreak box trial` finds out whether a new release controls as well as the old release, which
was installed before. If it does not, the old release comes back by itself.

    begin    the installation notes both releases before the link `current` changes
    count    counts each start of the service. The fourth start without a minute of ticks
             starts the old release
    judge    runs once a minute. After TRIAL_MIN minutes of control the new release stays or goes

The old release runs this program, because the new one may be broken. Only the figures come from the
release that runs, since another one cannot read its journal. A power cut at any moment leaves one
whole release: the note is written before the link changes, and is removed after that.
"""

import json
import os
import subprocess
from argparse import Namespace
from typing import Any

from controller.store import durable
from controller.system import cli, clock, json_text, programs
from controller.system.paths import DONE, NO_START, NOT_DONE, ROOT, WRONG_INPUT, printable
from controller.systemd import rollback, trial_figures, trial_verdict
from controller.systemd.box_tree import OPT, Box, Busy, locked, say
from controller.systemd.trial_verdict import STARTS_MAX, TRIAL_MIN, Trial

NOTE, LAST = f"{OPT}/trial.json", f"{OPT}/trial.last"
SERVICE = "firebreak.service"
COMPANIONS = ("firebreak-record", "firebreak-upstream", "firebreak-planner", "firebreak-doors@*")
ASKED_S = 60  # longest time for the figures
# States of the service in which the judge may go back. In other states, the next start may.
ENDS = "active", "failed"

# -- the note


def noted(box: Box) -> Trial | None:
    """The present trial; None without one, or if its note cannot be read."""
    try:
        return trial_verdict.of_note(json_text.loads(box.content(NOTE) or b"null"))
    except ValueError:
        return None


def _note(box: Box, trial: Trial) -> None:
    durable.put(box.path(NOTE), ".part", [json.dumps(trial._asdict()).encode()], 0o644)


def _end(box: Box, outcome: str) -> None:
    """Keep how the trial ended, then remove its note."""
    durable.put(box.path(LAST), ".part", [f"{outcome}\n".encode()], 0o644)
    box.remove(NOTE)
    say("trial", outcome)


def _show(box: Box) -> int:
    trial = noted(box)
    last = printable((box.content(LAST) or b"").decode("ascii", "replace").strip())
    if trial is None:
        print(f"no release is on trial{f'; the last one: {last}' if last else ''}")
        return DONE
    minutes = int(trial.controlled_s // 60)
    print(f"{trial.release} is on trial: {minutes} of {TRIAL_MIN} minutes of control; ", end="")
    print(f"else {trial.before} comes back")
    return NOT_DONE


# -- the steps


def _begin(box: Box, name: str) -> int:
    """Note the trial of the new release of this name."""
    before = _linked(box, "current")
    if not name or name != os.path.basename(name):
        raise cli.Ended(WRONG_INPUT, "--release: allowed is the name of a release")
    if before != name:
        figures = _figures(box, before)
        trips = figures["trips"] if figures else None
        _note(box, Trial(name, before, figures, trips, looked_s=clock.now_us() / 1e6))
    return DONE


def _count(box: Box, _: str) -> int:
    trial = _current(box)
    if trial is None:
        return DONE
    trial, why = trial_verdict.counted(trial, _restarts())
    _note(box, trial)
    if why and _go_back(box, trial, why):
        _systemctl("--no-block", "try-restart", *COMPANIONS)
    return DONE


def _judge(box: Box, _: str) -> int:
    trial = _current(box)
    if trial is None:
        if box.content(NOTE) is not None:
            with locked(box):  # the note is damaged or left over
                box.remove(NOTE)
        return DONE
    if not trial.has_started:
        return DONE
    state = _systemctl("is-active", SERVICE).stdout.strip()
    figures = _figures(box, trial.release) if state == "active" else None
    after, why = trial_verdict.judged(trial, figures, state == "active", clock.now_us() / 1e6)
    if noted(box) != trial:  # a start was counted meanwhile
        return DONE
    trial = after
    _note(box, trial)
    ends = _restarts() - trial.restarts
    if ends >= STARTS_MAX:
        why = f"it has ended {ends} times"
    if state == "failed":
        why = f"its service has {_systemctl('show', '-P', 'Result', SERVICE).stdout.strip()}"
    if not why and figures and trial_verdict.is_over(trial):
        _end(box, f"{trial.release} stays")
    elif why and state == "active" and trial.is_off_grid:
        say("trial", f"{why}: it goes back when the site is on the grid again")
    elif why and state in ENDS and _go_back(box, trial, why):
        _systemctl("restart", SERVICE)
        _systemctl("try-restart", *COMPANIONS)
    return DONE


def _start(box: Box, _: str) -> int:
    """Start the new release if the cabinet can be without control meanwhile."""
    figures = _figures(box, _linked(box, "current")) or _figures(box, _linked(box, "previous"))
    if figures is None and _systemctl("is-active", SERVICE).stdout.strip() == "active":
        line = f"not started: how the cabinet controls is unknown. systemctl restart {SERVICE}"
        raise cli.Ended(NOT_DONE, f"{line} does it without asking")
    for name, reason in trial_figures.NO_START.items():
        if figures and figures[name]:
            raise cli.Ended(NOT_DONE, f"not started: {reason}")
    if _systemctl("restart", SERVICE).returncode:
        raise cli.Ended(NO_START, f"{SERVICE} does not start: systemctl status {SERVICE}")
    _systemctl("try-restart", *COMPANIONS)
    return DONE


def _current(box: Box) -> Trial | None:
    """The trial of the installed release. A note of another release is left from an installation
    that was cut off or taken back.
    """
    trial = noted(box)
    return trial if trial and trial.release == _linked(box, "current") else None


def _linked(box: Box, name: str) -> str:
    """The release to which a link points."""
    return os.path.basename(os.path.realpath(box.path(f"{OPT}/{name}")))


def _go_back(box: Box, trial: Trial, why: str) -> bool:
    """True if the old release is back. Otherwise the new one stays, and a note says why. While
    another command changes the releases, the next start or look tries again.
    """
    try:
        with locked(box):
            if _current(box) is None:  # the other step was faster
                return False
            rollback.back(box)
    except Busy:
        return False
    except cli.Ended as refused:
        _end(box, f"{trial.release} stays, although {why}: {refused}")
        return False
    _end(box, f"{trial.release} went back to {trial.before}: {why}")
    return True


def _figures(box: Box, release: str) -> dict[str, Any] | None:
    """The figures of a running release. None: it gives none."""
    try:
        done = box.run(release, "box", "figures", timeout_s=ASKED_S)
        figures = json_text.loads(done.stdout or "null")
    except (cli.Ended, ValueError, subprocess.TimeoutExpired):
        return None
    return figures if trial_verdict.is_whole(figures) else None


def _restarts() -> int:
    """How often systemd has restarted the service by itself."""
    restarts = _systemctl("show", "-P", "NRestarts", SERVICE).stdout.strip()
    return int(restarts) if restarts.isdecimal() else 0


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return programs.ran(["systemctl", *arguments], capture_output=True, text=True)


STEPS = {"begin": _begin, "count": _count, "judge": _judge, "start": _start}


@cli.command(
    "box trial",
    cli.option(
        "step", nargs="?", choices=tuple(STEPS), help="for the installation and the service"
    ),
    cli.option("--release", default="", metavar="NAME", help="with begin: the new release"),
    cli.option("--root", default="/", metavar="DIR", help="the tree of another box"),
)
def _trial(arguments: Namespace) -> int:
    box = Box(arguments.root)
    if arguments.step is None:
        with cli.ends(NO_START, OSError):
            return _show(box)
    if os.geteuid() != ROOT:
        raise cli.Ended(NO_START, "trial needs root: sudo firebreak box trial")
    os.umask(0o022)
    with cli.ends(NO_START, OSError):
        return STEPS[arguments.step](box, arguments.release)
