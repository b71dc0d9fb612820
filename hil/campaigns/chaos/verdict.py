"""Whether the loop noticed a disturbance: pure functions of the measured figures, a sentence each.

The disturbance did not cause what was as large in the calm before. It did not cause a stall of the
machine itself (witness.py) either. Both are allowed for, and nothing else.
"""

GROWTH_kB_MAX = 512
# The converter falls to 0 W without a set-point for 4 s (an unchanged one is written again every 2
# s) and gives a heartbeat 5 s (it comes every second); coils lapse after 0.5 s, commands to racks
# after 1 s: half of that.
GAPS_ms_MAX = (("set-point", 2500), ("heartbeat", 2500), ("coils", 250), ("command", 500))


def judged(figures, disturbance):
    """[(ok, sentence)] of one Disturbance.

    figures: {alive, state, trips: [stage], loop: {before, during, after}, gaps_ms: {name: {before,
    during, after}}, stall_us, stalled_us, growth_kB, violations: [sentence]}.
    """
    growth_kB, alive = figures["growth_kB"], figures["alive"]
    found = [
        (alive, "controller alive" if alive else "the controller has ended"),
        _trips(figures, disturbance.trips_right),
        _ticks(figures),
        _lateness(figures),
        (growth_kB <= GROWTH_kB_MAX, f"memory grew by {growth_kB} kB (allowed {GROWTH_kB_MAX})"),
    ]
    if not disturbance.gaps_right:
        found += _gaps(figures)
    if disturbance.ends_running and figures["state"] != "running":
        found.append((False, f"the cabinet is {figures['state']} at the end"))
    return found + [(False, f"invariant broken: {line}") for line in figures["violations"]]


def _trips(figures, right):
    """Only stages trip that the disturbance should trip."""
    stages = sorted(set(figures["trips"]))
    wrong = [stage for stage in stages if stage not in right]
    if wrong:
        return False, f"tripped: {', '.join(wrong)}"
    return True, f"tripped, and rightly: {', '.join(stages)}" if stages else "no trip"


def _ticks(figures):
    """No tick is left out but for stalls of the machine, and no more often than in the calm
    before.
    """
    before, during, after = (figures["loop"][phase] for phase in ("before", "during", "after"))
    lost = during["missed"] + after["missed"]
    in_calm = before["missed"] / max(1, before["ticks"])
    of_calm = in_calm * (during["ticks"] + after["ticks"])
    calm = f", {before['missed']} in the calm before" if in_calm else ""
    return (
        # a stall of 5 ms may cost a tick, as in the design
        lost <= figures["stalled_us"] // 5000 + of_calm,
        f"{lost} ticks missed{calm}{_stalled(figures, lost)}",
    )


def _lateness(figures):
    """The 99th percentile stays within a quarter of a tick, or four times that of the calm before,
    or within the machine's own stalls.
    """
    before, during = (
        figures["loop"][phase]["lateness_us"]["p99"] for phase in ("before", "during")
    )
    limit_us = max(5000, 4 * before)
    return (
        during <= max(limit_us, figures["stall_us"]),
        f"lateness p99 {during} us, {before} us before{_stalled(figures, during > limit_us)}",
    )


def _stalled(figures, is_needed):
    """Words about the machine's own stalls, where they decide whether a figure passes."""
    stall_ms, stalled_ms = figures["stall_us"] / 1000, figures["stalled_us"] / 1000
    words = f" (the machine itself stalled, {stall_ms:.1f} ms at most, {stalled_ms:.0f} ms in all)"
    return words if is_needed else ""


def _gaps(figures):
    """[(ok, sentence)]: one for each output that was silent for too long, or one that none was."""
    found = []
    for name, phases in figures["gaps_ms"].items():
        limit_ms = next(limit_ms for kind, limit_ms in GAPS_ms_MAX if name.startswith(kind))
        largest_ms, calm_ms = max(phases["during"], phases["after"]), phases["before"]
        if largest_ms > limit_ms:
            excused = largest_ms <= max(limit_ms, calm_ms) + figures["stalled_us"] / 1000
            text = (
                f"{name} silent for {largest_ms:.0f} ms (allowed {limit_ms}), {calm_ms:.0f} ms in "
                f"the calm before{_stalled(figures, excused)}"
            )
            found.append((excused, text))
    return found or [(bool(figures["gaps_ms"]), "every output went on")]
