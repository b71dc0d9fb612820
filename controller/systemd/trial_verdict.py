"""Decides whether a release on trial stays. Pure: the caller gives figures and time."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from controller.forms import message
from controller.forms.field import LINE, Form, flag, matching, number, table
from controller.forms.message import said

Figures = Mapping[str, Any]
TRIAL_MIN = 30  # minutes of control after which a release stays
STARTS_MAX = 3  # starts in a row without SETTLED_S of ticks
SETTLED_S = 60
MISSING_MAX = 3  # looks in a row without figures
NUMBER_MAX = 1e15
LOOK_S_MAX = 120  # a longer pause between two looks counts as this
# figure: (its words, times the figure before, plus this): above it the release is worse
WORSE = {
    "missed_permille": ("ticks missed, permille", 1, 1),
    "late_us": ("lateness of the slowest tick of 1000, us", 2, 500),
    "trips": ("trips", 0, 0),
    "links": ("devices that do not answer", 1, 0),
    "apart_permille": ("power beside its set-point, permille of the rating", 2, 5),
}


MAY_LACK = ("late_us", "apart_permille")
_POSITIVE, _NONE = number(0, NUMBER_MAX), "the release gives no figures"
FIGURES: Form = {
    **said(_NONE, None, flag(), "is_controlling is_closed is_off_grid is_dangerous"),
    **said(_NONE, None, _POSITIVE, "uptime_s missed_permille"),
    **said(_NONE, None, _POSITIVE._replace(unit=(1, "counts")), "trips links"),
    **said("worse than a known one before; before: not compared", None, _POSITIVE, "late_us"),
    **said(
        "worse than a known one before; before: not compared", None, _POSITIVE, "apart_permille"
    ),
}


class Trial(NamedTuple):
    """A release on trial. before: the one that comes back. figures: those of `before`, if it ran.

    trips: number of the newest trip at the begin; None: not known yet. has_started: the service has
    started with the new release. restarts: those that systemd had counted before. starts: in a row
    without settling. missing: looks in a row without figures. is_off_grid: at the last look that
    had figures. controlled_s: time in which the new release controlled. looked_s: of the last look,
    since the boot.
    """

    release: str
    before: str
    figures: dict[str, Any] | None
    trips: int | None
    has_started: bool = False
    restarts: int = 0
    starts: int = 0
    missing: int = 0
    is_off_grid: bool = False
    controlled_s: float = 0.0
    looked_s: float = 0.0


_NOTE: Form = {
    **said("the note is damaged", None, matching(LINE, "a line"), "release before"),
    **said("nothing is compared", None, table(), "figures"),
    **said("the first look tells it", None, _POSITIVE._replace(unit=(1, "counts")), "trips"),
    **said("the note is damaged", None, flag(), "has_started is_off_grid"),
    **said("the note is damaged", None, _POSITIVE, "controlled_s looked_s"),
    **said(
        "the note is damaged",
        None,
        _POSITIVE._replace(unit=(1, "counts")),
        "restarts starts missing",
    ),
}


def of_note(note: Any) -> Trial | None:
    """The trial of a note; None: the note is damaged."""
    try:
        trial = Trial(**note)
    except TypeError:
        return None
    is_right = message.is_whole(_NOTE, note, ("figures", "trips"))
    is_right = is_right and (trial.figures is None or is_whole(trial.figures))
    return trial if is_right else None


def is_whole(figures: Any) -> bool:
    """True for figures that can be judged. The release that gives them may be broken."""
    return isinstance(figures, dict) and message.is_whole(FIGURES, figures, MAY_LACK)


def counted(trial: Trial, restarts: int) -> tuple[Trial, str]:
    """(the trial after one more start, why it ends or ""). restarts: counted by systemd so far."""
    if not trial.has_started:
        trial = trial._replace(has_started=True, restarts=restarts)
    after = trial._replace(starts=trial.starts + 1)
    return after, f"{STARTS_MAX} starts without {SETTLED_S} s of control" if (
        after.starts > STARTS_MAX
    ) else ""


def judged(trial: Trial, now: Figures | None, is_active: bool, now_s: float) -> tuple[Trial, str]:
    """(the trial after a look, why it fails or "").

    now: None: the release gave no figures. is_active: its service runs. now_s: since the boot.
    """
    passed_s = min(LOOK_S_MAX, max(0.0, now_s - trial.looked_s))
    trial = trial._replace(looked_s=now_s)
    if now is None:
        if not is_active:
            return trial, ""
        trial = trial._replace(missing=trial.missing + 1)
        return trial, f"{MISSING_MAX} looks without figures" if trial.missing >= MISSING_MAX else ""
    trips = now["trips"] if trial.trips is None else trial.trips
    trial = trial._replace(missing=0, is_off_grid=now["is_off_grid"], trips=trips)
    if now["uptime_s"] >= SETTLED_S:
        trial = trial._replace(starts=0)
    if now["is_controlling"]:
        trial = trial._replace(controlled_s=trial.controlled_s + passed_s)
    return trial, worse(trial, now) if is_over(trial) else ""


def is_over(trial: Trial) -> bool:
    """True once the new release has controlled long enough."""
    return trial.controlled_s >= TRIAL_MIN * 60


def worse(trial: Trial, now: Figures) -> str:
    """The first figure that is worse than before, in words; "": none. A figure that was not known
    before is not compared.
    """
    own = {**now, "trips": now["trips"] - (trial.trips or 0)}
    before = {**(trial.figures or {}), "trips": 0}
    for name, (text, times, plus) in WORSE.items():
        if before.get(name) is None:
            continue
        most = times * before[name] + plus
        if own.get(name) is None:
            return f"{text}: unknown, allowed {most:g}"
        if own[name] > most:
            return f"{text}: {own[name]:g}, allowed {most:g}"
    return ""
