"""The observer without wires: events and invariants of the plant alone."""

from hil.observer.observer import Observer
from hil.plant.cabinet import CabinetPlant


class PlantObserver(Observer):
    """What the wires would show (silence, writes, reported values) is not judged in value mode."""

    def _check_silence(self, now_us: int) -> None:
        """No wire, so no silence on it."""

    def sample(self, now_us: int, cabinet: CabinetPlant) -> None:
        """As Observer.sample, without the conditions of the wires."""
        self._reasons.see = lambda *_: None
        super().sample(now_us, cabinet)
