"""Judges the effect of a disturbance on the loop. Each function takes figures and gives sentences.

Two kinds of deviations are excused: those that were as large in the calm before, and those caused
by stalls of the machine itself (witness.py).
"""

from collections.abc import Mapping
from typing import Any

from hil.campaigns.chaos.disturbances import Disturbance

Figures = Mapping[str, Any]
Sentence = tuple[bool, str]  # (ok, sentence)
GROWTH_kB_MAX = 512
# Timeouts of the receivers: set-point 4 s (if unchanged, it is repeated every 2 s), heartbeat 5 s
# (sent every second), coils 0.5 s, commands to racks 1 s. Each limit is half of its timeout, but
# that of the set-point is longer than its period of 2 s.
GAPS_ms_MAX = (("set-point", 2500), ("heartbeat", 2500), ("coils", 250), ("command", 500))


def judged(figures: Figures, disturbance: Disturbance) -> list[Sentence]:
    """The sentences about one Disturbance. figures: from course.judged."""
    growth_kB, alive = figures["growth_kB"], figures["alive"]
    sentences = [
        (alive, "controller alive" if alive else "the controller has ended"),
        _trips(figures, disturbance.trips_right),
        _ticks(figures),
        _lateness(figures),
        (growth_kB <= GROWTH_kB_MAX, f"memory grew by {growth_kB} kB (allowed {GROWTH_kB_MAX})"),
    ]
    if not disturbance.gaps_right:
        sentences += _gaps(figures, disturbance.coils_silent_ms)
    if disturbance.ends_running and figures["state"] != "running":
        sentences.append((False, f"the cabinet is {figures['state']} at the end"))
    return sentences + [(False, f"invariant broken: {line}") for line in figures["violations"]]


def _trips(figures: Figures, right: tuple[str, ...]) -> Sentence:
    """Only expected stages may trip."""
    stages = sorted(set(figures["trips"]))
    wrong = [stage for stage in stages if stage not in right]
    if wrong:
        return False, f"tripped: {', '.join(wrong)}"
    return True, f"tripped as expected: {', '.join(stages)}" if stages else "no trip"


def _ticks(figures: Figures) -> Sentence:
    """Ticks may be missed only by stalls of the machine, or as often as in the calm before."""
    before, during, after = (figures["loop"][phase] for phase in ("before", "during", "after"))
    missed = during["missed"] + after["missed"]
    calm_share = before["missed"] / max(1, before["ticks"])
    calm_missed = calm_share * (during["ticks"] + after["ticks"])
    calm = f", {before['missed']} in the calm before" if before["missed"] else ""
    return (
        # A stall of 5 ms may cost a tick, by the design.
        missed <= figures["stalled_us"] // 5000 + calm_missed,
        f"{missed} ticks missed{calm}{_stalled(figures, missed)}",
    )


def _lateness(figures: Figures) -> Sentence:
    """The 99th percentile of the lateness has a limit. The limit is the largest of three: a quarter
    of a tick, 4 times the percentile in the calm, and the length of a stall.
    """
    before_us = figures["loop"]["before"]["lateness_us"]["p99"]
    during_us = figures["loop"]["during"]["lateness_us"]["p99"]
    limit_us = max(5000, 4 * before_us)
    stalled = _stalled(figures, during_us > limit_us)
    return (
        during_us <= max(limit_us, figures["stall_us"]),
        f"lateness p99 {during_us} us, {before_us} us before{stalled}",
    )


def _stalled(figures: Figures, is_needed: object) -> str:
    """A text about the machine's stalls, if a figure passes only because of them."""
    stall_ms, stalled_ms = figures["stall_us"] / 1000, figures["stalled_us"] / 1000
    text = f" (the machine itself stalled: longest {stall_ms:.1f} ms, in all {stalled_ms:.0f} ms)"
    return text if is_needed else ""


def _gaps(figures: Figures, coils_silent_ms: int) -> list[Sentence]:
    """A sentence for each output that was silent for too long, or one for all outputs."""
    right_ms = {"coils": coils_silent_ms}
    sentences = []
    for name, phases in figures["gaps_ms"].items():
        limit_ms = next(
            max(limit_ms, right_ms.get(kind, 0))
            for kind, limit_ms in GAPS_ms_MAX
            if name.startswith(kind)
        )
        largest_ms, calm_ms = max(phases["during"], phases["after"]), phases["before"]
        if largest_ms > limit_ms:
            excused = largest_ms <= max(limit_ms, calm_ms) + figures["stalled_us"] / 1000
            text = (
                f"{name} silent for {largest_ms:.0f} ms (allowed {limit_ms}), {calm_ms:.0f} ms in "
                f"the calm before{_stalled(figures, excused)}"
            )
            sentences.append((excused, text))
    return sentences or [(bool(figures["gaps_ms"]), "no output was silent for too long")]
