"""The rig in value mode: hil.engine.simulate.VirtualRig without bytes on a wire."""

from controller.config.cabinet_config import Config
from controller.core.image import ProcessImage
from hil.engine.cabinet import observed_wiring
from hil.engine.simulate import VirtualRig
from hil.observer.observer import Observer
from hil.plant.cabinet import CabinetPlant
from hil.scenarios.world import World
from hil.values.bus import Line
from hil.values.field import ValueField
from hil.values.repetition import quicken

TICK_MS = 100  # default of a pod and of a system; their file may set another tick


class PlantObserver(Observer):
    """Observes events and invariants of the plant only; value mode has no wires to judge."""

    def _check_silence(self, now_us: int) -> None:
        """Do nothing: silence shows only on wires."""

    def _check_reported(self, now_us: int, cabinet: CabinetPlant) -> None:
        """Do nothing: reported values show only on wires."""


class ValueRig(VirtualRig):
    """One run, which refuses a scenario that needs the bytes of a wire (noise)."""

    MODE = "value"
    POD_TICK_MS = TICK_MS
    field: ValueField

    def _connect(self) -> None:
        """Give the controller a field without wires, and observe only the plant."""
        self.lines = {bus.name: Line() for bus in self.config.buses}
        self.observer = PlantObserver(observed_wiring(self.cabinet))
        self.controller.make_field = self._make_field

    def _make_field(self, config: Config, image: ProcessImage) -> ValueField:
        self.field = ValueField(config, image, self.cabinet, self.lines)
        return self.field

    def quicken(self) -> None:
        """Let load tracking use numpy, unless the controller is away."""
        if self.controller.cabinet is not None:
            quicken(self.core.control)

    def world(self) -> World:
        """The parts on which actions act. Their wires have only the faults of bus.Line."""
        return super().world()._replace(wires=self.lines)

    def move_bytes(self) -> None:
        """Run the first part of a tick: the exchanges until its deadline."""
        if self.controller.cabinet is not None:
            self.field.advance(self.now_us + self.tick_us)
        super().move_bytes()

    def _tick_devices(self, now_us: int) -> None:
        super()._tick_devices(now_us)
        if self.controller.cabinet is not None:
            self.field.collect(now_us)
