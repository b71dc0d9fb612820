"""Runs the steps of a test in TEST mode, and finds what ends the test early.

The session reads ticks and returns the power to ask for. The caller asks the controller for it. So
the same session runs beside a process and in virtual time.
"""

from collections.abc import Sequence

from controller.core.base import reasons
from controller.core.base.setpoint import O_BINDING_REASON
from controller.core.policies import meter_sign
from controller.journal.snapshot import Snapshot
from controller.state.step_samples import Place, Samples, Words, place
from safety import signals as s
from safety.bounds import TEST_PERMILLE

# SETTLE_MS: time at 0 W before the steps. SPARE_MS: time by which a request outlasts its step.
SETTLE_MS, SPARE_MS = 1000, 1000
# Each step is longer than the previous step by this, so that the steps end at different moments of
# a meter's refresh.
SWEEP_MS = 20
NO_TEST = "the cabinet is not in TEST mode: `firebreak test power`, then turn the key to RUN"
OVER = "TEST mode ended before all steps were done: ask for it again"
KEY = "the key was turned out of RUN during the test: ask for TEST mode again"
TRIPPED = "the cabinet is tripped: `firebreak alarms` names the row"
STOPPED = "the cabinet stopped during the test: `firebreak alarms` and `why` say why"
ISLAND = "the site is off the grid: the converter does not follow set-points there"
WAITS_RUN = "waits until the cabinet runs: turn the key to RUN"
WAITS_METER = "waits for the end of the grid meter's own test"
WAITS = "waits for the first tick"
DONE = "done"


class Session:
    """Steps of the units, one unit after the other.

    `ended`: "" while the session goes on, then DONE or why it ended early. `waits`: the event for
    which it waits. Three fields have an entry for each unit (from 0): `samples`; `phases`: (start,
    end) of each step, ms; `held`: reason codes that kept a step from its power.
    """

    def __init__(
        self,
        places: Sequence[Place],
        signs: Sequence[int],
        hold_ms: int,
        meter_at: int,
        mode_at: int,
    ):
        """signs: sign of each step, 1 discharges; meter_at, mode_at: places in the outputs of the
        words that meter_sign and modes publish.
        """
        self._places, self._hold_ms = list(places), hold_ms
        self._signs, self._meter_at, self._mode_at = (0, *signs), meter_at, mode_at
        self.meter_result: int | None = None  # result of the grid meter's own test in this run
        self.samples: dict[int, Samples] = {}
        self.held: dict[int, set[int]] = {}
        self.phases: dict[int, list[tuple[int, int]]] = {}
        self.waits, self.ended = WAITS, ""
        self._unit, self._step, self._until_ms = 0, -1, 0

    def take(
        self, inp: Words, out: Words, fresh: Words, elapsed_ms: int
    ) -> tuple[int, int, int] | None:
        """Take one tick. Returns (unit from 1, W, ms) to ask for now, or None."""
        self.ended = self.ended or self._trouble(inp, out)
        if self.ended:
            return None
        if self._step < 0:
            self.waits = self._waiting(out)
            if self.waits:
                return None
        self.meter_result = out[self._meter_at] if out[self._meter_at + 1] else None
        return self._advance(inp, out, fresh, elapsed_ms)

    def whole(self, unit: int) -> list[tuple[int, int]]:
        """The phases of a unit (from 0) that were not cut short."""
        now_ms = self.samples[unit].at_ms
        return [phase for phase in self.phases.get(unit, []) if phase[1] <= now_ms]

    def _trouble(self, inp: Words, out: Words) -> str:
        state, has_begun = out[s.STATE], bool(self.samples)
        if has_begun and not inp[s.KEY_RUN_OK]:
            return KEY  # first, because it also trips the cabinet
        if state == s.TRIPPED:
            return TRIPPED
        if not inp[s.TEST_REQUEST] or state == s.STOPPING:
            return OVER if has_begun else NO_TEST
        if has_begun and state != s.RUNNING:
            return STOPPED
        return "" if out[self._mode_at] == reasons.MODE_GRID else ISLAND

    def _waiting(self, out: Words) -> str:
        if out[s.STATE] != s.RUNNING:
            return WAITS_RUN
        return WAITS_METER if out[self._meter_at] == meter_sign.TESTING else ""

    def _advance(
        self, inp: Words, out: Words, fresh: Words, elapsed_ms: int
    ) -> tuple[int, int, int] | None:
        unit_place = self._places[self._unit]
        samples = self.samples.setdefault(unit_place.unit, Samples(unit_place))
        samples.take(inp, out, fresh, elapsed_ms)
        self._note_held(unit_place, out)
        if self._step >= 0 and samples.at_ms < self._until_ms:
            return None
        self._step += 1
        if self._step == len(self._signs):
            return self._next_unit()
        ms = self._hold_ms + self._step * SWEEP_MS if self._step else SETTLE_MS
        self._until_ms = samples.at_ms + ms
        self.phases.setdefault(unit_place.unit, []).append((samples.at_ms, self._until_ms))
        power_W = self._signs[self._step] * step_W(unit_place)
        return unit_place.unit + 1, power_W, ms + SPARE_MS

    def _note_held(self, unit_place: Place, out: Words) -> None:
        """Note the reason that keeps a step from its power."""
        if self._step <= 0:
            return
        asked_W = self._signs[self._step] * step_W(unit_place)
        reason = out[unit_place.layout.outputs + O_BINDING_REASON]
        is_held = abs(out[unit_place.setpoint_at] - asked_W) >= max(1, unit_place.quantum_W)
        if is_held and reason not in (reasons.NONE, reasons.SERVICE_TEST):
            self.held.setdefault(unit_place.unit, set()).add(reason)

    def _next_unit(self) -> tuple[int, int, int]:
        """Ask the last unit for 0 W; the next one begins with the next tick."""
        unit = self._places[self._unit].unit + 1
        self._unit, self._step = self._unit + 1, -1
        if self._unit == len(self._places):
            self.ended = DONE
        return unit, 0, SPARE_MS


def of_journal(seen: Snapshot, units: Sequence[int], signs: Sequence[int], hold_ms: int) -> Session:
    """The session of these units (from 0) of a running controller."""
    places = [place(seen, unit) for unit in units]
    index_of = seen.output_names.index
    return Session(places, signs, hold_ms, index_of("meter_sign"), index_of("mode_reason"))


def step_W(unit_place: Place) -> int:
    """Largest power of TEST mode, W."""
    return unit_place.rated_W * TEST_PERMILLE // 1000
