"""Counts energy, time, trips and health over the life of a cabinet. No retention removes these.

They are stored together with the position of the last frame that they include, so no frame counts
twice after a kill. A second without a known power adds no energy.
"""

from datetime import UTC, datetime
from typing import Any, SupportsInt

from controller.system.utc import is_set

COUNTERS = ("given_J", "taken_J", "running_s", "recorded_s", "starts", "trips")
MONTHS_MAX = 600  # 50 years; a limit is needed because a clock may jump
COUNT_MAX, J_PER_WH = 2**62, 3600


class Lifetime:
    """The counters. content: the data that is stored, and read by the next recorder."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}
        self.take(None)

    def take(self, content: object) -> None:
        """Continue from an earlier `content`. An entry that is no count begins at 0."""
        stored = content if isinstance(content, dict) else {}
        self.content = {name: _count(stored.get(name)) for name in COUNTERS}
        since_us, months = stored.get("since_utc_us"), stored.get("health")
        self.content["since_utc_us"] = since_us if isinstance(since_us, int) else None
        months = months if isinstance(months, dict) else {}
        self.content["health"] = {name: _count(month) for name, month in months.items()}

    def count(self, name: str) -> None:
        """Add 1 to "starts" or "trips"."""
        self.content[name] += 1

    def second(
        self, battery_W: int | None, is_running: bool, utc: SupportsInt, health_permille: int | None
    ) -> None:
        """Count a recorded second. health_permille: state of health of the most worn rack."""
        content = self.content
        content["recorded_s"] += 1
        content["running_s"] += is_running
        if battery_W is not None:
            content["given_J" if battery_W > 0 else "taken_J"] += abs(battery_W)
        if not is_set(utc):
            return
        if content["since_utc_us"] is None:
            content["since_utc_us"] = int(utc)
        month, health = f"{datetime.fromtimestamp(int(utc) / 1e6, UTC):%Y-%m}", content["health"]
        if health_permille is not None and (month in health or len(health) < MONTHS_MAX):
            health[month] = health_permille


def facts(stored: object) -> dict[str, Any]:
    """A stored `content` as the pages show it: energies in Wh, state of health by month."""
    counters = Lifetime()
    counters.take(stored)
    content = counters.content
    Wh = {f"{way}_Wh": content[f"{way}_J"] // J_PER_WH for way in ("given", "taken")}
    counts = {name: content[name] for name in COUNTERS if not name.endswith("_J")}
    health = [
        {"month": name, "soh_permille": permille} for name, permille in content["health"].items()
    ]
    return {"since_utc_us": content["since_utc_us"], **Wh, **counts, "health": health}


def _count(value: object) -> int:
    """The stored count, or 0 if the value is no count."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < COUNT_MAX:
        return value
    return 0
