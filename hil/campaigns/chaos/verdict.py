"""Whether the loop noticed a disturbance: pure functions of the measured figures, a sentence each.

The disturbance did not cause what was as large in the calm before. It did not cause a stall of the
machine itself (witness.py) either. Both are allowed for, and nothing else.
"""

# p99 of the lateness: a quarter of a tick, or so many times that of the calm
LATE_US_MAX, LATE_FACTOR_MAX = 5000, 4
STALL_US_A_TICK = 5000  # a stall so long may cost a tick, as in the design
GROWTH_kB_MAX = 512
# The converter falls to 0 W without a set-point for 4 s (an unchanged one is written again every 2
# s) and gives a heartbeat 5 s (it comes every second); coils lapse after 0.5 s, commands to racks
# after 1 s: half of that.
GAPS_ms_MAX = (("set-point", 2500), ("heartbeat", 2500), ("coils", 250), ("command", 500))


def judged(figures, trips_right=(), gaps_right=False, ends_running=True):
    """[(ok, sentence)] of one disturbance.

    figures: {alive, state, trips: [stage], loop: {before, during, after}, gaps_ms: {name: {during,
    after}}, stall_us, stalled_us, growth_kB, violations: [sentence]}; trips_right: stages that are
    right to trip; gaps_right: writes may not have come through whole; ends_running: the cabinet
    must run at the end.
    """
    found = [
        alive(figures),
        trips(figures, trips_right),
        ticks(figures),
        lateness(figures),
        growth(figures),
    ]
    if not gaps_right:
        found += gaps(figures)
    if ends_running and figures["state"] != "running":
        found.append((False, f"the cabinet is {figures['state']} at the end"))
    return found + [(False, f"invariant broken: {line}") for line in figures["violations"]]


def alive(figures):
    """The controller that was started first still runs."""
    return figures["alive"], "controller alive" if figures["alive"] else "the controller has ended"


def trips(figures, right):
    """Only stages trip that the disturbance should trip."""
    stages = sorted(set(figures["trips"]))
    wrong = [stage for stage in stages if stage not in right]
    if wrong:
        return False, f"tripped: {', '.join(wrong)}"
    return True, f"tripped, and rightly: {', '.join(stages)}" if stages else "no trip"


def ticks(figures):
    """No tick is left out but for stalls of the machine, and no more often than in the calm
    before.
    """
    lost = figures["loop"]["during"]["missed"] + figures["loop"]["after"]["missed"]
    loop = figures["loop"]
    in_calm = loop["before"]["missed"] / max(1, loop["before"]["ticks"])
    allowed = figures["stalled_us"] // STALL_US_A_TICK + in_calm * (
        loop["during"]["ticks"] + loop["after"]["ticks"]
    )
    said = f", {loop['before']['missed']} in the calm before" if in_calm else ""
    return lost <= allowed, f"{lost} ticks missed{said}" + _stalled(figures, lost)


def lateness(figures):
    """The 99th percentile stays small, or near that of the calm before, or within the machine's own
    stalls.
    """
    before, during = (
        figures["loop"][phase]["lateness_us"]["p99"] for phase in ("before", "during")
    )
    limit_us = max(LATE_US_MAX, LATE_FACTOR_MAX * before)
    return (
        during <= max(limit_us, figures["stall_us"]),
        f"lateness p99 {during} us, {before} us before" + _stalled(figures, during > limit_us),
    )


def _stalled(figures, is_needed):
    """Words about the machine's own stalls, where they decide whether a figure passes."""
    stall_ms, stalled_ms = figures["stall_us"] / 1000, figures["stalled_us"] / 1000
    return (
        (f" (the machine itself stalled, {stall_ms:.1f} ms at most, {stalled_ms:.0f} ms in all)")
        if is_needed
        else ""
    )


def growth(figures):
    """The controller's own memory."""
    growth_kB = figures["growth_kB"]
    return growth_kB <= GROWTH_kB_MAX, f"memory grew by {growth_kB} kB (allowed {GROWTH_kB_MAX})"


def gaps(figures):
    """[(ok, sentence)]: one for each output that was silent for too long, or one that none was."""
    found = []
    for name, phases in figures["gaps_ms"].items():
        limit_ms = next(limit_ms for kind, limit_ms in GAPS_ms_MAX if name.startswith(kind))
        largest_ms = max(phases["during"], phases["after"])
        if largest_ms > limit_ms:
            excused = largest_ms <= max(limit_ms, phases["before"]) + figures["stalled_us"] / 1000
            calm = f", {phases['before']:.0f} ms in the calm before"
            found.append(
                (
                    excused,
                    f"{name} silent for {largest_ms:.0f} ms (allowed "
                    f"{limit_ms}){calm}" + _stalled(figures, excused),
                )
            )
    return found or [(bool(figures["gaps_ms"]), "every output went on")]
