"""Pauses of this machine during a run in real time. If it runs plant process or controller too
late, devices fall silent or permits lapse although neither has a fault. So a run with a pause does
not count.
"""

from typing import Any

# Every silence budget and the expiry of the outputs is 500 ms; a poll and a time-out come on top.
PAUSE_US = 300_000
PLANT, CONTROLLER = "simulated cabinet", "controller"


class Pauses:
    """`found`: [{who, t_s, s}] in order of time. t_s: the begin."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self._last_us = 0

    def turn(self, now_us: int) -> None:
        """The plant process serves its wires now."""
        self.see(PLANT, now_us, now_us - self._last_us)
        self._last_us = now_us

    def see(self, who: str, end_us: int, for_us: int) -> None:
        """`who` did not run for this long until end_us."""
        if for_us > PAUSE_US:
            begin_s = round((end_us - for_us) / 1e6, 2)
            self.found.append({"who": who, "t_s": begin_s, "s": round(for_us / 1e6, 2)})
            self.found.sort(key=lambda each: each["t_s"])
