"""Gives the limits at each second of a forecast: hints with their validity and fallback, the
request in force, the slot of the schedule, and announced steps.

A forecast does not know whether a source will go on sending. So there are several possible futures,
and a "yes" must be right in each:

- Renewed: every source renews its hints and heartbeats.
- Silent: no source sends anything more. A hint counts while it is valid; after that the fallback of
  its source counts. A request ends with its hint. The schedule acts until the heartbeat of its
  source expires. An announced fall of the load ends with its notice.
- Mixed: some sources go on, or one becomes silent later. Example: one hint forbids charging until
  the job begins. Then the fallback of another source limits the import, and the energy is missing.
  So at each moment the worse of a hint and its fallback counts. There are two such futures: one
  with request and schedule, one without them.
"""

from typing import NamedTuple

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W
from controller.core.base.schedule_table import OPEN_W, Slot
from controller.core.policies import hint_groups as g
from controller.core.policies.schedule import falling_W
from controller.state.situation_forms import LimitHint, Situation

RENEWED, SILENT, MIXED = "renewed", "silent", "mixed"
# In these groups a smaller maximum leaves less power for the job. In the other groups a larger
# maximum takes more energy from the battery.
_TIGHT_IS_WORSE = (g.IMPORT, g.CHARGE, g.NARROW_IMPORT)


class Cap(NamedTuple):
    """Largest import at a moment, its reason, and the source of the hint or slot ("": none)."""

    import_W: int
    reason: int
    source: str


class Future:
    """One possible future of a situation; every time is in s from now."""

    def __init__(self, situation: Situation, name: str, is_silent: bool = False):
        """name: RENEWED, SILENT or MIXED. is_silent: request and schedule end in MIXED too."""
        self.name, self._situation, self._is_silent = name, situation, is_silent or name == SILENT

    def slot(self, now_s: int) -> Slot | None:
        """The slot of the schedule that acts at now_s; None: no slot."""
        situation = self._situation
        if self._is_silent and situation.heard_s is not None and now_s >= situation.heard_s:
            return None
        return next((slot for begin, end, slot in situation.slots if begin <= now_s < end), None)

    def steps_W(self, now_s: int) -> int:
        """Change of the load at now_s by the announced steps."""
        steps = [step for step in self._situation.steps if step.start_s <= now_s]
        if self._is_silent:
            steps = [
                step
                for step in steps
                if step.step_W > 0 or step.end_s is None or now_s < step.end_s
            ]
        return sum(step.step_W for step in steps)

    def base(self, now_s: int, slot: Slot | None) -> tuple[int, bool, bool]:
        """(requested power in W, is it from a hint, does load tracking pause)."""
        tracking = self._situation.tracking
        is_over = self._is_silent and tracking.base_s is not None and now_s >= tracking.base_s
        if tracking.is_requested and not is_over:
            return tracking.base_W, True, tracking.is_exact
        return (asked_W(slot) if slot else 0), False, False

    def import_cap(self, now_s: int, slot: Slot | None, step_s: int) -> Cap:
        """The lowest limit of the import from now_s until step_s later, by the hints that act at
        now_s. If a hint has the same limit as the connection, Cap names the connection.
        """
        connection = self._situation.connection
        hints = self._in_force(now_s, slot, g.IMPORT)
        caps = [
            Cap(connection.import_W_max, connection.import_reason, ""),
            *[Cap(value_W, reasons.GRID_CAP_HINT, hint.source) for hint, value_W in hints],
        ]
        scheduled_W = self._scheduled_W(slot, now_s, now_s + step_s) if slot else WIDE_W
        if scheduled_W < WIDE_W:
            source = self._situation.schedule_source
            caps.append(Cap(scheduled_W, reasons.SCHEDULE_GRID_CAP, source))
        return min(caps, key=lambda cap: cap.import_W)

    def _scheduled_W(self, slot: Slot, now_s: int, until_s: int) -> int:
        """Lowest import cap of the slot up to until_s. The cap already falls before a slot with a
        lower cap begins.
        """
        cap_W = slot.grid_cap_W if slot.grid_cap_W >= 0 else WIDE_W
        following = next((span for span in self._situation.slots if span[0] > now_s), None)
        if following is None:
            return cap_W
        begin_s, _, next_slot = following
        return falling_W(
            cap_W, next_slot.grid_cap_W, begin_s - until_s, self._situation.ramp_W_per_s
        )

    def export_W_max(self, now_s: int, slot: Slot | None) -> int:
        """The tightest limit of the export."""
        hinted = [value_W for _, value_W in self._in_force(now_s, slot, g.EXPORT)]
        return min([self._situation.connection.export_W_max, *hinted])

    def choice_W(self, now_s: int, slot: Slot | None, load_W: float) -> tuple[float, float]:
        """(low, high) power that caps and the band of the slot leave for load tracking."""
        low_W, high_W = map(float, self._situation.tracking.choice_W)

        def least_W(group: int, grid_group: int, room_W: float) -> float:
            direct = [value_W for _, value_W in self._in_force(now_s, slot, group)]
            by_grid = [value_W for _, value_W in self._in_force(now_s, slot, grid_group)]
            return min([WIDE_W, *direct, *[max(0.0, value_W + room_W) for value_W in by_grid]])

        low_W = max(low_W, -least_W(g.CHARGE, g.NARROW_IMPORT, -load_W))
        high_W = min(high_W, least_W(g.DISCHARGE, g.NARROW_EXPORT, load_W))
        if slot and slot.battery_low_W != OPEN_W:
            low_W = max(low_W, min(0, slot.battery_low_W))
        if slot and slot.battery_high_W != OPEN_W:
            high_W = min(high_W, max(0, slot.battery_high_W))
        return low_W, high_W

    def _in_force(self, now_s: int, slot: Slot | None, group: int) -> list[tuple[LimitHint, int]]:
        """Each hint or fallback of a group (hint_groups) that acts, and its value."""
        hints = [hint for hint in self._situation.hints if hint.group == group]
        values_W = [(hint, self._value_W(hint, now_s, slot)) for hint in hints]
        return [(hint, value_W) for hint, value_W in values_W if value_W is not None]

    def _value_W(self, hint: LimitHint, now_s: int, slot: Slot | None) -> int | None:
        """Value of a hint or its fallback, by the rule of core/policies/hint_table.py."""
        if hint.valid_s and (self.name == RENEWED or now_s < hint.valid_s):
            return hint.value_W
        then_W = self._fallback_W(hint, slot)
        if self.name != MIXED or not hint.valid_s:
            return then_W
        if hint.group in _TIGHT_IS_WORSE:
            return hint.value_W if then_W is None else min(hint.value_W, then_W)
        return None if then_W is None else max(hint.value_W, then_W)

    def _fallback_W(self, hint: LimitHint, slot: Slot | None) -> int | None:
        """The fallback; None: there is none, or the slot has a limit of the same kind that replaces
        it.
        """
        if slot is None or hint.source != self._situation.schedule_source:
            return hint.fallback_W
        is_replaced = {
            g.CHARGE: slot.battery_low_W != OPEN_W,
            g.DISCHARGE: slot.battery_high_W != OPEN_W,
            g.IMPORT: slot.grid_cap_W >= 0,
        }.get(hint.group, False)
        return None if is_replaced else hint.fallback_W


def futures(situation: Situation) -> list[Future]:
    """The futures to check: only RENEWED if nothing can end; SILENT too if something can end; MIXED
    too if several things can end and a hint is among them.
    """
    hints = [hint for hint in situation.hints if hint.valid_s]
    endings = [
        situation.tracking.is_requested and situation.tracking.base_s is not None,
        bool(situation.slots) and situation.heard_s is not None,
        any(step.step_W < 0 for step in situation.steps),
    ]
    possible = [Future(situation, RENEWED)]
    if hints or any(endings):
        possible.append(Future(situation, SILENT))
    if hints and len(hints) + sum(endings) > 1:
        possible.append(Future(situation, MIXED))
        if any(endings):
            possible.append(Future(situation, MIXED, is_silent=True))
    return possible


def asked_W(slot: Slot) -> int:
    """The power that the band of a slot asks for; 0 if the band contains 0."""
    low_W = slot.battery_low_W if slot.battery_low_W != OPEN_W else 0
    high_W = slot.battery_high_W if slot.battery_high_W != OPEN_W else 0
    return max(low_W, 0) or min(high_W, 0)
