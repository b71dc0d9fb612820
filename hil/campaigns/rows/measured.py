"""Keeps figures of each test case for the hazard log (safety/hazards/measured.json)."""

import json
from collections.abc import Iterable
from typing import Any

from controller.documents.hazard_log import MEASURED, numbers
from controller.rows.records import BY_ID
from hil.campaigns.rows import effects
from hil.campaigns.rows.courses import EVERY
from hil.campaigns.rows.verdict import Outcome
from hil.campaigns.rows.watch import Result


def figures(outcome: Outcome) -> dict[str, Any]:
    """Figures of a course, timed from when the sensor showed the cause. off: see `_off`."""
    result, stage = outcome.result, outcome.course.stage
    name, off_ms = _off(result)
    return {
        "stage": stage,
        "numbers": numbers(BY_ID[stage]),
        "active_ms": _since(result, result.stands_ms),
        "off_ms": _since(result, off_ms),
        "off": name,
        "met": outcome.is_met,
    }


def _off(result: Result) -> tuple[str, float | None]:
    """(effect, ms from the cause): open contactors; else zero power; else the slowest effect."""
    since_ms = {"active": result.stands_ms, **result.since_ms}
    for name in (effects.OPENED, effects.POWER):
        if name in since_ms:
            return name, since_ms[name]
    return max(since_ms.items(), key=lambda pair: pair[1] or 0)


def _since(result: Result, time_ms: float | None) -> int | None:
    """ms after the sensor showed the cause. 0: earlier than that; None: it never came."""
    after_ms = result.counted_ms(time_ms)
    return None if after_ms is None else max(0, round(after_ms))


def keep(outcomes: Iterable[Outcome]) -> None:
    """Update the figures of these courses in the file. Each has a line, in the order of EVERY."""
    kept = json.loads(MEASURED.read_text(encoding="ascii"))
    kept |= {outcome.course.label: figures(outcome) for outcome in outcomes}
    lines = [f"{json.dumps(label)}: {json.dumps(kept[label])}" for label in EVERY if label in kept]
    MEASURED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")
