"""Watches one test case (course) from outside, on every tick after its cause."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hil.campaigns.rows import effects
from hil.campaigns.rows.course import Course

HOLD_S = 3.0  # how long an effect must last, so that a ramp through zero does not count
LAG_S_MAX = 240.0  # the longest lag of a sensor of the plant


class Result(NamedTuple):
    """Results of a course as plain data. Times are ms after the cause; None: never.

    - lag_ms: until the sensor showed the cause; stands_ms: until the stage was active;
    - since_ms: {effect: ms}; at_first: effects present before the cause; unwanted: {effect: ms};
    - after: {effect: True if it held when the other direction or a new start was requested};
    - stood: [(stage and its place, ms)] of all trips; violations: lines of the observer;
    - freed: of latch.py; empty if it was not tried.
    """

    label: str
    lag_ms: float | None = None
    stands_ms: float | None = None
    permit_ms: float | None = None
    since_ms: Mapping[str, float | None] = {}
    at_first: Sequence[str] = ()
    unwanted: Mapping[str, Any] = {}
    after: Mapping[str, bool] = {}
    stood: Sequence[list[Any]] = ()
    violations: Sequence[str] = ()
    freed: Mapping[str, bool] = {}

    def counted_ms(self, time_ms: float | None) -> float | None:
        """This time, counted from when the sensor showed the cause; None if either is missing."""
        return None if time_ms is None or self.lag_ms is None else time_ms - self.lag_ms


class Watch:
    """Call `see` on every tick after the cause, then `result`."""

    def __init__(self, rig: Any, course: Course, must_come: Sequence[str]) -> None:
        """must_come: names of the expected effects."""
        self._rig, self._course, self._wanted = rig, course, must_come
        last = max(course.cause, key=lambda act: act.at_s)
        after_us = 0 if last.is_inside else max(rig.tick_us, round(last.at_s * 1e6))
        self.caused_us = rig.now_us + after_us
        self._acts = self._own_acts()
        self.witness = effects.Witness(rig.plant, course.stage, rig.now_us)
        self._seen_us: int | None = None if course.seen else self.caused_us
        self._active_us: int | None = None
        self._done_us: int | None = None
        self._allowed: set[str] = set()
        self._trips, self._events = len(rig.trips.trips), len(rig.observer.timeline)
        self._noted, self._violations = self._trips, len(rig.observer.violations)

    def _own_acts(self) -> tuple[int, int]:
        """(expiries of the I/O modules, reversions of the converters)."""
        devices = self._rig.cabinet.devices.items()
        return (
            sum(device.expiries for name, device in devices if name.startswith("io_")),
            sum(device.reversions for name, device in devices if name.startswith("pcs_")),
        )

    def see(self) -> None:
        """Look at the rig; call this after each step."""
        rig = self._rig
        if self._course.seen and self._active_us is None:
            if not self._course.seen(rig.plant):
                self._seen_us = None
            elif self._seen_us is None:
                self._seen_us = rig.now_us
        for trip in rig.trips.trips[self._noted :]:
            self._note(trip["stage"], round(trip["t_s"] * 1e6))
        self._noted = len(rig.trips.trips)
        self._allow()
        self.witness.see(rig.now_us, self._allowed)

    def _note(self, stage_id: str, at_us: int) -> None:
        self._allowed.update(effects.demanded(stage_id))
        is_own = stage_id == self._course.stage and at_us >= self.caused_us
        if is_own and self._active_us is None:
            self._active_us = at_us

    def _allow(self) -> None:
        """Allow effects that need no stage of this course.

        These are effects of rows that were already active, of a dead or silenced module or channel
        B, and the lamp for "no energy". Zero power is allowed if it follows from these effects,
        from a silenced converter or from the racks' limits.
        """
        if self._noted == self._trips and not self._allowed:
            for name in self._rig.trips.active():
                self._allowed.update(effects.demanded(name.partition(".")[0]))
        since_us, plant, power_kW = self.witness.since_us, self._rig.plant, self._course.power_kW
        if since_us[effects.OPENED] is not None or since_us[effects.ENABLE] is not None:
            self._allowed.add(effects.LAMP)
        if not plant.relays.channel_b_closed:
            self._allowed.update((effects.ENABLE, effects.OPENED))
        lapsed, reverted = [now != then for now, then in zip(self._own_acts(), self._acts)]
        if (
            effects.asks_for_zero(self._allowed, power_kW)
            or effects.racks_allow_none(plant, power_kW)
            or reverted
        ):
            self._allowed.add(effects.POWER)
        if self._course.starts or lapsed:
            self._allowed.update(effects.DISCRETE)

    def shown_us(self) -> int:
        """Time at which the sensor showed the cause; before that, the latest possible time."""
        return self.caused_us + round(LAG_S_MAX * 1e6) if self._seen_us is None else self._seen_us

    def complete(self) -> bool:
        """True once HOLD_S have passed since the last expected effect."""
        since_us = [self._active_us, *[self.witness.since_us[name] for name in self._wanted]]
        if None in since_us:
            self._done_us = None
            return False
        self._done_us = self._done_us or self._rig.now_us
        return self._rig.now_us - self._done_us >= HOLD_S * 1e6

    def result(self) -> Result:
        """The Result so far."""
        permits_us = [
            time_us
            for time_us, name, _ in self._rig.observer.timeline[self._events :]
            if name == "pcs_enable_off_sent"
        ]
        return Result(
            self._course.label,
            lag_ms=self._ms(self._seen_us),
            stands_ms=self._ms(self._active_us),
            permit_ms=self._ms(min(permits_us, default=None)),
            since_ms={name: self._ms(self.witness.since_us[name]) for name in self._wanted},
            at_first=sorted(self.witness.at_first),
            unwanted={name: self._ms(time_us) for name, time_us in self.witness.unwanted.items()},
            stood=[self._stood(trip) for trip in self._rig.trips.trips[self._trips :]],
            violations=self._rig.observer.violations[self._violations :],
        )

    def _stood(self, trip: Mapping[str, Any]) -> list[Any]:
        scope = "" if trip["scope"] == "cabinet" else f" {trip['scope']}"
        return [trip["stage"] + scope, self._ms(round(trip["t_s"] * 1e6))]

    def _ms(self, time_us: int | None) -> float | None:
        return None if time_us is None else round((time_us - self.caused_us) / 1000, 1)
