"""The deterministic core: kernel, control and set-point chain over one frozen process image.
Its inputs and outputs are integers.

The core reads no clock and does no I/O. Replay relies on this: the same images and inputs give the
same outputs. `out` holds the kernel's outputs, the trace of the battery's chain, the words that
functions publish, the traces of the actuators' chains, and one set-point per unit. Behind them is a
bit for each stage instance that is active or latched; from these bits a reader of the journal names
every alarm.
"""

from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, TypeAlias

from controller.core import image, parameters
from controller.core.decision import Decision
from controller.core.kernel_facts import KernelFacts
from controller.core.kernel_readings import KernelReadings
from controller.core.policies.contract import Setup
from controller.core.policies.known import Known
from controller.core.site_devices.layout import devices_of, signals
from controller.core.site_devices.signals_view import Site
from safety import parameters as p, signals as s
from safety.kernel import Kernel

STANDING_BITS = 30  # stage instances, active or latched, in one word of `out`
FLASH_MS = 250  # half a period of a flashing lamp
Image: TypeAlias = "array[int]"


class Core:
    """The caller fills `inp` and `fresh` before `tick`; `out` is valid after it. out_at: place in
    `out` of the first word that each function publishes.
    """

    def __init__(
        self, safety_image: Image, control_image: Image, source_image: Image, site_image: Image
    ):
        """Each image is an array('i'). ValueError if an image is of another version."""
        self.safety_image, self.settings = safety_image, parameters.settings_of(control_image)
        self.kernel = kernel = Kernel(safety_image)
        self.facts = KernelFacts(kernel)
        self.layout = layout = kernel.layout
        devices = devices_of(site_image)
        self._places = places = image.places(layout, devices)
        self.inp = array("i", [0] * places["site"].stop)
        self.fresh = bytearray(layout.groups + signals(devices))
        self._kernel_inp = memoryview(kernel.inp)
        self._kernel_words = memoryview(self.inp)[: layout.inputs]
        tick_ms = safety_image[p.H_TICK_MS]
        self.site = Site(devices, self.inp, places["site"].start, tick_ms)
        self.rated_W = self.facts.unit_parameters(p.U_RATED_W)
        setup = Setup(self.settings, tick_ms, sum(self.rated_W), source_image, self.site)
        readings = KernelReadings(kernel, self.rated_W)
        self.decision = Decision(readings, kernel, self.rated_W, setup, self.inp)
        self.control, self.units = self.decision.control, self.decision.units
        self.chain, self.found = self.control.chain, self.control.found
        self.functions = self.control.functions
        self.actuators = self.control.actuators
        of_functions = [function.out for function in self.functions.values()]
        of_actuators = [actuator.chain.out for actuator in self.actuators]
        blocks = [kernel.out, self.chain.out, *of_functions, *of_actuators, self.units.out]
        ends = [*accumulate(map(len, blocks))]  # in `out`, where the next block begins
        # each array whose words go to `out`, with its place there
        self._published = [
            (block, slice(end - len(block), end)) for block, end in zip(blocks, ends) if block
        ]
        self.chain_at, self.out_at = ends[0], dict(zip(self.functions, ends[1:]))
        self.actuators_at = ends[1 + len(of_functions)]
        self.setpoint_at, self.standing_at = ends[-2:]
        standing_words = -(-kernel.evaluator.count // STANDING_BITS)
        self.out = array("i", [0] * (self.standing_at + standing_words))
        self._cause_mask = 0

    @property
    def known(self) -> Known:
        """Known of the last tick."""
        return self.control.known

    def tick(self, elapsed_ticks: int) -> None:
        """One tick over the frozen inputs."""
        kernel = self.kernel
        self._kernel_inp[:] = self._kernel_words
        groups = self.layout.groups
        kernel.fresh[:] = self.fresh[:groups]
        kernel.step(elapsed_ticks)
        self.site.step(self.fresh[groups:], elapsed_ticks)
        self.decision.step(elapsed_ticks)
        out = self.out
        for block, place in self._published:
            out[place] = block
        if kernel.out[s.CAUSE_MASK] != self._cause_mask:
            self._write_standing()
        # In a lamp test the lamps flash, because a steady lamp would mean that there is no energy.
        if self.inp[self._places["lamp_test"].start] // FLASH_MS & 1:
            out[s.LAMP_ON] = out[s.RED_LAMP_ON] = 1

    def setpoints(self) -> "array[int]":
        """Set-point of each unit, W, of the last tick."""
        return self.out[self.setpoint_at : self.standing_at]

    def _write_standing(self) -> None:
        """Write a bit for each stage instance that is active or latched. While the cause mask stays
        the same, no bit changes.
        """
        evaluator, out = self.kernel.evaluator, self.out
        self._cause_mask = self.kernel.out[s.CAUSE_MASK]
        for word in range(self.standing_at, len(out)):
            out[word] = 0
        for index in range(evaluator.count):
            if evaluator.standing(index):
                out[self.standing_at + index // STANDING_BITS] |= 1 << index % STANDING_BITS

    def _blocks(self) -> Iterator[Any]:
        yield from self.kernel.state_blocks()
        yield from self.decision.state_blocks()

    def state_words(self) -> "array[int]":
        """All blocks that carry over to the next tick, each padded to whole words."""
        state = array("i")
        for block in self._blocks():
            data = bytes(block)
            state.frombytes(data + bytes(-len(data) % state.itemsize))
        return state

    def load_state(self, state: "array[int]") -> None:
        """Restore the state from words of `state_words`. ValueError if the length does not fit."""
        if len(state) != len(self.state_words()):
            raise ValueError("state words do not fit this topology")
        data, offset = state.tobytes(), 0
        for block in self._blocks():
            view = memoryview(block).cast("B")
            view[:] = data[offset : offset + len(view)]
            offset += len(view) + -len(view) % state.itemsize
        self.decision.look_again()
        self._write_standing()
