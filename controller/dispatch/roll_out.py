"""Decides in which order cabinets get a new release, when the next begins, and when all stops.

The first wave is one cabinet, the second a tenth of all, the third the rest. A wave begins when
each cabinet before has kept the release after its trial (systemd/trial.py). The first cabinet that
goes back stops the roll-out. Pure: the caller gives reports and time.
"""

from collections.abc import Mapping, Sequence

from controller.dispatch.report import FORM
from controller.forms.message import Facts, counted

TENTH = 10
KEEPS_H_MAX = 4  # longest time from the begin of an installation until the release is kept
KEEPS_US_MAX = KEEPS_H_MAX * 3_600_000_000
KEPT, TRIED, OTHER, SILENT = "has kept it", "tries it", "has another release", "is silent"
UNSAID = "does not say its release"


def waves(names: Sequence[str]) -> list[list[str]]:
    """The names in waves: one cabinet, a tenth of all, and the rest."""
    second = 1 + -(-len(names) // TENTH)
    batches = [list(names[:1]), list(names[1:second]), list(names[second:])]
    return [batch for batch in batches if batch]


class RollOut:
    """One release for a fleet. halted: the reason of a stop; "" while it may go on."""

    def __init__(self, names: Sequence[str], version: str):
        self._waves, self._version = waves(names), version
        self._begun_us: dict[str, int] = {}
        self._tried = set[str]()
        self._awaited_us: dict[str, int] = {}  # {name: since when it can only be awaited}
        self.halted = ""

    def state(self, cabinet: Facts) -> str:
        """The state of a cabinet, one of KEPT to UNSAID. cabinet: facts of `firebreak fleet`."""
        if not cabinet["is_live"]:
            return SILENT
        counts = counted(FORM, cabinet)
        if counts["release"] != self._version:
            return OTHER if counts["release"] else UNSAID
        return TRIED if counts["on_trial"] else KEPT

    def step(self, cabinets: Mapping[str, Facts], now_us: int) -> list[str]:
        """[the cabinet that should begin now], or []."""
        for name, begun_us in self._begun_us.items():
            state = self.state(cabinets[name])
            if state in (TRIED, KEPT):
                self._tried.add(name)
            if state == OTHER and name in self._tried:
                self.halted = self.halted or f"{name} went back"
            elif state != KEPT and now_us - begun_us >= KEEPS_US_MAX:
                self.halted = self.halted or f"{name} {state} after {KEEPS_H_MAX} h"
        if self.halted:
            return []
        for wave in self._waves:
            states = {name: self.state(cabinets[name]) for name in wave}
            unfinished = {name: state for name, state in states.items() if state != KEPT}
            if unfinished:
                if self._is_too_long(unfinished, now_us):
                    return []
                ready = [
                    name
                    for name, state in unfinished.items()
                    if name not in self._begun_us and state == OTHER
                ][:1]
                self._begun_us |= dict.fromkeys(ready, now_us)
                return ready
        return []

    def _is_too_long(self, unfinished: Mapping[str, str], now_us: int) -> bool:
        """True if a cabinet that can only be awaited has made its wave wait for too long."""
        for name, state in unfinished.items():
            if state == OTHER:
                self._awaited_us.pop(name, None)
            elif now_us - self._awaited_us.setdefault(name, now_us) >= KEEPS_US_MAX:
                self.halted = f"{name} {state} after {KEEPS_H_MAX} h"
        return bool(self.halted)

    def failed(self, name: str, reason: str) -> None:
        """Stop, because the installation on a cabinet has failed."""
        self.halted = self.halted or f"{name}: {reason}"

    def is_done(self, cabinets: Mapping[str, Facts]) -> bool:
        """True once every cabinet has kept the release."""
        return all(self.state(cabinet) == KEPT for cabinet in cabinets.values())

    def lines(self, cabinets: Mapping[str, Facts]) -> list[str]:
        """A line for each cabinet, with its release and the CRC of its limits."""
        return [
            f"{name:16} {self.state(cabinet):20} {cabinet['release'] or '-':16} limits "
            f"{cabinet['limits_crc'] or '-'}"
            for name, cabinet in cabinets.items()
        ]
