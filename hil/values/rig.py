"""The rig in value mode: the surface of hil.engine.simulate.VirtualRig, without bytes on a wire."""

from controller.config.configuration import Config
from controller.core.image import ProcessImage
from hil.engine.cabinet import observed_wiring
from hil.engine.simulate import VirtualRig
from hil.observer.observer import Observer
from hil.plant.cabinet import CabinetPlant
from hil.scenarios.world import World
from hil.values.bus import Line
from hil.values.field import ValueField
from hil.values.repetition import quicken

TICK_MS = 100  # of a pod and of a system; a file may have another


class PlantObserver(Observer):
    """Events and invariants of the plant alone: nothing on wires is judged."""

    def _check_silence(self, now_us: int) -> None:
        """Judge nothing."""

    def _check_reported(self, now_us: int, cabinet: CabinetPlant) -> None:
        """Judge nothing."""


class ValueRig(VirtualRig):
    """One run. A scenario that needs the bytes of a wire (noise) is refused."""

    MODE = "value"
    POD_TICK_MS = TICK_MS
    field: ValueField

    def _connect(self) -> None:
        """Let the controller have a field without wires, and watch the plant alone."""
        self.lines = {bus.name: Line() for bus in self.config.buses}
        self.observer = PlantObserver(observed_wiring(self.cabinet))
        self.controller.make_field = self._made

    def _made(self, config: Config, image: ProcessImage) -> ValueField:
        self.field = ValueField(config, image, self.cabinet, self.lines)
        return self.field

    def quicken(self) -> None:
        """Load tracking with numpy."""
        quicken(self.core.control)

    def world(self) -> World:
        """The World of the actions; its wires have the faults of hil.values.bus.Line alone."""
        return super().world()._replace(wires=self.lines)

    def move_bytes(self) -> None:
        """The first third of a tick: the exchanges until its deadline."""
        if self.controller.cabinet is not None:
            self.field.advance(self.now_us + self.tick_us)
        super().move_bytes()

    def _tick_devices(self, now_us: int) -> None:
        super()._tick_devices(now_us)
        if self.controller.cabinet is not None:
            self.field.collect(now_us)
