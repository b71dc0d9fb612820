"""The observer without wires: events and invariants of the plant alone."""

from hil.observer.observer import Observer
from hil.observer.wiring import Wiring


class PlantObserver(Observer):
    """Value mode has no wires, so no silence, no write and no reported value is judged."""

    def __init__(self, wiring: Wiring, start_us: int = 0) -> None:
        super().__init__(wiring, start_us)
        self._reasons.see = self.latches.racks = self.heard_racks = lambda *_: None

    def _check_silence(self, now_us: int) -> None:
        """Judge nothing."""
