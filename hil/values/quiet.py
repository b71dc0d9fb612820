"""Skips the kernel while nothing happens. Use it only for energy, never for trip times.

The kernel steps at least once a second. A step follows at once if a contact, a state, a fault bit
or a request changes. Each tick has a step while a stage is active or in its debounce time, a limit
recovers, or the cabinet does not run. A step covers all ticks that were skipped before. Skipped
steps look late, so the thresholds of rows 44b and 44g of the matrix (late steps) are raised.
"""

from collections.abc import Sequence
from dataclasses import replace

from controller.config.configuration import Config
from safety import matrix, parameters as p, signals as s
from safety.kernel import DEMANDING, Kernel

SKIP_MS_MAX = 1000
LOOK_US = 10_000_000  # the plant refreshes each module only this often in a run with this kernel
WORDS = ", kernel skipped while quiet, modules every 10 s"
NEWS = ("bool", "code", "bits")  # units of inputs whose change ends a skip
RAISED = {"44b": s.TICKS_MAX, "44g": s.TICKS_MAX}


def raised(config: Config) -> Config:
    """The configuration with a limit image that allows late steps."""
    image, first = config.safety_image[:], config.image_map().stage
    for at, stage in enumerate(matrix.STAGES):
        if stage[matrix.S_ID] in RAISED:
            image[first + at * len(p.STAGE_WORDS)] = RAISED[str(stage[matrix.S_ID])]
    return replace(config, safety_image=image)


class QuietKernel:
    """Replaces `step` of a kernel. `steps`, `skipped`: number of steps and skips so far."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._step = kernel, kernel.step
        self._ticks_max = SKIP_MS_MAX // kernel.features.tick_ms
        self._waited, self._fresh = 0, 0
        self._news_at = _news_at(kernel.layout)
        self._seen: list[int] = []
        self._is_still = False
        self.steps = self.skipped = 0
        kernel.step = self.step  # type: ignore[method-assign]

    def step(self, elapsed: int) -> None:
        """Step the kernel, or keep its fresh signals for the next step."""
        kernel = self._kernel
        self._waited += elapsed
        self._fresh |= int.from_bytes(kernel.fresh, "little")
        inp = kernel.inp
        seen = [inp[at] for at in self._news_at]
        if self._waited < self._ticks_max and seen == self._seen and self._is_quiet():
            self.skipped += 1
            return
        self._seen = seen
        kernel.fresh[:] = self._fresh.to_bytes(len(kernel.fresh), "little")
        counts = kernel.evaluator.set_count[:]
        self._step(self._waited)
        self._is_still = counts == kernel.evaluator.set_count  # False while a stage's timer runs
        self._waited = self._fresh = 0
        self.steps += 1

    def _is_quiet(self) -> bool:
        kernel = self._kernel
        return (
            kernel.out[s.STATE] == s.RUNNING
            and not kernel.standing[DEMANDING]
            and self._is_still
            and kernel.bounds.published_W == kernel.bounds.lowest_W
        )


def _news_at(layout: s.Layout) -> list[int]:
    """Places of the inputs whose change ends a skip."""

    def news(rows: Sequence[tuple]) -> list[int]:
        return [at for at, row in enumerate(rows) if row[1] in NEWS]

    units, racks = range(layout.units), range(layout.racks)
    return [
        *news(s.CABINET_INPUTS),
        *[layout.unit_input(unit, at) for unit in units for at in news(s.UNIT_INPUTS)],
        *[layout.rack_input(rack, at) for rack in racks for at in news(s.RACK_INPUTS)],
    ]
