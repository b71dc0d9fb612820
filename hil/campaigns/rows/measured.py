"""The figures of each course for the hazard log (safety/hazards/measured.json)."""

import json

from controller.documents.hazard_log import MEASURED, numbers
from hil.campaigns.rows import effects
from hil.campaigns.rows.course import STAGES
from hil.campaigns.rows.courses import EVERY


def figures(row):
    """{stage, numbers, active_ms, off_ms, off, met} of a course.

    Times count from the time when the sensor shows the cause. off: the last effect, energy first.
    """
    result, stage = row.result, row.course.stage
    name, off_ms = _off(result)
    return {
        "stage": stage,
        "numbers": numbers(STAGES[stage]),
        "active_ms": _since(result, result.stands_ms),
        "off_ms": _since(result, off_ms),
        "off": name,
        "met": row.is_met,
    }


def _off(result):
    """(effect, ms from the cause): open contactors, or zero power, or the slowest effect."""
    for name in (effects.OPENED, effects.POWER):
        if name in result.since_ms:
            return name, result.since_ms[name]
    since_ms = {"active": result.stands_ms, **result.since_ms}
    name = max(since_ms, key=lambda each: since_ms[each] or 0)
    return name, since_ms[name]


def _since(result, time_ms):
    """ms since the sensor showed the cause; 0: present before the cause, None: missing."""
    return None if None in (time_ms, result.lag_ms) else max(0, round(time_ms - result.lag_ms))


def keep(rows):
    """Update the figures of these courses in the file: one line each, in the order of EVERY."""
    kept = json.loads(MEASURED.read_text(encoding="ascii"))
    kept |= {row.course.label: figures(row) for row in rows}
    lines = [f"{json.dumps(label)}: {json.dumps(kept[label])}" for label in EVERY if label in kept]
    MEASURED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")
