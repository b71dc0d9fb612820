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
# {figure: (its words, factor, margin)}. A new release is worse if its figure is above factor times
# the old figure plus margin.
WORSE = {
    "missed_permille": ("ticks missed, permille", 1, 1),
    "late_us": ("lateness of the slowest tick of 1000, us", 2, 500),
    "trips": ("trips", 0, 0),
    "links": ("devices that do not answer", 1, 0),
    "apart_permille": ("power beside its set-point, permille of the rating", 2, 5),
}


MAY_LACK = ("late_us", "apart_permille")
_POSITIVE = number(0, NUMBER_MAX)
_COUNT = _POSITIVE._replace(unit=(1, "counts"))
_NONE, _UNKNOWN = (
    "the release gives no figures",
    "worse than a known one before; before: not compared",
)
FIGURES: Form = {
    **said(_NONE, None, flag(), "is_controlling is_closed is_off_grid is_dangerous"),
    **said(_NONE, None, _POSITIVE, "uptime_s missed_permille"),
    **said(_NONE, None, _COUNT, "trips links"),
    **said(_UNKNOWN, None, _POSITIVE, "late_us apart_permille"),
}


class Trial(NamedTuple):
    """A release on trial, as the note holds it."""

    release: str
    before: str  # the release that may come back
    figures: dict[str, Any] | None  # of `before`, if it ran
    trips: int | None  # number of the newest trip at the begin; None: not known yet
    has_started: bool = False  # the service has started with the new release
    restarts: int = 0  # counted by systemd before
    starts: int = 0  # in a row without SETTLED_S of ticks
    missing: int = 0  # looks in a row without figures
    is_off_grid: bool = False  # at the last look with figures
    controlled_s: float = 0.0  # time in which the new release controlled
    looked_s: float = 0.0  # time of the last look since the boot


_NOTE: Form = {
    **said("the note is damaged", None, matching(LINE, "a line"), "release before"),
    **said("nothing is compared", None, table(), "figures"),
    **said("the first look tells it", None, _COUNT, "trips"),
    **said("the note is damaged", None, flag(), "has_started is_off_grid"),
    **said("the note is damaged", None, _POSITIVE, "controlled_s looked_s"),
    **said("the note is damaged", None, _COUNT, "restarts starts missing"),
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
    trial = trial._replace(starts=trial.starts + 1)
    why = f"{STARTS_MAX} starts without {SETTLED_S} s of control"
    return trial, why if trial.starts > STARTS_MAX else ""


def judged(trial: Trial, now: Figures | None, is_active: bool, now_s: float) -> tuple[Trial, str]:
    """(the trial after a look, why it fails or "").

    now: None if the release gave no figures. is_active: its service runs. now_s: since the boot.
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
    """The first figure that is worse than before, in words, or "". A figure that was unknown before
    is not compared.
    """
    figures = {**now, "trips": now["trips"] - (trial.trips or 0)}
    before = {**(trial.figures or {}), "trips": 0}
    for name, (text, factor, margin) in WORSE.items():
        if before.get(name) is None:
            continue
        most = factor * before[name] + margin
        if figures.get(name) is None:
            return f"{text}: unknown, allowed {most:g}"
        if figures[name] > most:
            return f"{text}: {figures[name]:g}, allowed {most:g}"
    return ""
