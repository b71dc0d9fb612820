"""Is a course's result what the matrix and the site's own chain promise? One line for each thing
that is not.
"""

from hil.campaigns.rows import effects
from hil.campaigns.rows.courses import STAGES
from safety import matrix as m

OPENED_UNDER_CURRENT = " opened at "  # in the observer's line


def complaints(course, result, limits, wanted):
    """[line], empty when all is met. wanted: effects that must come; times count from the sensor
    that shows it.
    """
    lag_ms = result.lag_ms
    if lag_ms is None:
        return [f"stage {course.stage} did not trip", *_unwanted(result)]
    found = (
        [f"stage {course.stage} did not trip"]
        if result.stands_ms is None
        else _detection(course, result.stands_ms - lag_ms, limits)
    )
    return found + missing(course, result, limits, wanted) + _unwanted(result)


def missing(course, result, limits, wanted):
    """[line] for each thing the stage asks for that did not come in time, or did not hold."""
    stage, lag_ms = course.stage, result.lag_ms
    found = []
    if STAGES[stage][m.S_DEMAND][m.D_PCS] == m.PCS_STOP and not _was_off(result):
        found += _late("permit byte", result.permit_ms, lag_ms + limits.permit_ms(stage))
    for name in wanted:
        found += _late(name, result.since_ms[name], lag_ms + limits.effect_ms(stage, name))
        found += _early(name, result, limits.held_ms(stage, name))
    return found + [f"{name} does not hold" for name, holds in result.after.items() if not holds]


def comes_anyway(course, result, limits, wanted):
    """Of a course whose stage is not armed: True if all the stage asks for is there all the same,
    so that the course shows nothing of it. False where nothing can be shown: see Course.behind.
    """
    if course.behind or not (wanted or result.after):
        return False
    return result.lag_ms is None or not missing(course, result, limits, wanted)


def _detection(course, decided_ms, limits):
    earliest_ms, latest_ms = (
        limits.earliest_ms(course.stage, course.cause),
        limits.decision_ms(course.stage),
    )
    if decided_ms < earliest_ms:
        return [f"tripped after {decided_ms:g} ms, too early: not before {earliest_ms} ms"]
    return _late("trip", decided_ms, latest_ms)


def _late(what, time_ms, limit_ms):
    if time_ms is None:
        return [f"{what} did not come"]
    return (
        [f"{what} after {time_ms:g} ms, later than {limit_ms:g} ms"] if time_ms > limit_ms else []
    )


def _early(name, result, held_ms):
    """An effect that yields to its row must not be there while it waits."""
    since_ms = result.since_ms[name]
    if (
        not held_ms
        or None in (since_ms, result.stands_ms)
        or since_ms - result.stands_ms >= held_ms
    ):
        return []
    return [
        f"{name} {since_ms - result.stands_ms:g} ms after its stage, too early: it waits "
        f"{held_ms} ms"
    ]


def _was_off(result):
    """True if the enable was off before the cause: there was no permit left to drop."""
    since_ms = result.since_ms.get(effects.ENABLE)
    return effects.ENABLE in result.at_first or since_ms is not None and since_ms < 0


def _unwanted(result):
    found = [
        f"{name} after {time_ms:g} ms, which nothing asks for"
        for name, time_ms in result.unwanted.items()
    ]
    return found + [line for line in result.violations if line not in asked_for(result)]


def asked_for(result):
    """Contactors that opened under current as a row asks that stood: after its time they open
    whatever flows.
    """
    opens = any(
        [
            effects.OPENED in effects.demanded(STAGES[name.partition(" ")[0]])
            for name, _ in result.stood
        ]
    )
    return [line for line in result.violations if OPENED_UNDER_CURRENT in line] if opens else []
