"""What is seen of one course, from outside, on every tick since its cause."""

from typing import NamedTuple

from hil.campaigns.rows import effects
from hil.campaigns.rows.courses import STAGES
from hil.campaigns.rows.inside import INSIDE

HOLD_S = 3.0  # what has come must stay, and a ramp to zero that nothing asks for has ended by then
LAG_S_MAX = 240.0  # of a sensor of the plant


class Result(NamedTuple):
    """What was seen, in ms from the cause; None: it never came. lag_ms: until the sensor showed it.

    since_ms: {effect: ms}, at_first: effects that showed before the cause, unwanted: {effect: ms},
    after: effects that hold when the other way, or a new start, is asked for. stood: [(stage
    instance, ms)] of all that came to stand. violations: what the observer found wrong, one line
    each.
    """

    label: str
    lag_ms: object
    stands_ms: object
    permit_ms: object
    since_ms: dict
    at_first: set
    unwanted: dict
    after: dict
    stood: list
    violations: list


class Watch:
    """What is seen on every tick since the cause."""

    def __init__(self, rig, course, must_come):
        """must_come: names of the effects that are waited for."""
        self._rig, self._course = rig, course
        self._stage = STAGES[course.stage]
        self.began_us = rig.now_us
        last = max(course.cause, key=lambda each: each.at_s)
        self.caused_us = rig.now_us + (
            0 if last.do in INSIDE else max(rig.tick_us, round(last.at_s * 1e6))
        )
        self._modules = [
            device for name, device in rig.cabinet.devices.items() if name.startswith("io_")
        ]
        self._expiries = _expiries(self._modules)
        self._converters = [
            device for name, device in rig.cabinet.devices.items() if name.startswith("pcs_")
        ]
        self._reversions = _reversions(self._converters)
        self.witness = effects.Witness(rig.plant, self._stage, rig.now_us)
        self._seen_us = None if course.seen else self.caused_us
        self._trips, self._events = len(rig.trips.trips), len(rig.observer.timeline)
        self._stands_us = self._done_us = None
        self._wanted = must_come
        self._allowed = set()
        self._told, self._violations = 0, len(rig.observer.violations)

    def see(self):
        """Call after each step of the rig."""
        rig = self._rig
        if self._course.seen and self._stands_us is None:
            if not self._course.seen(rig.plant):
                self._seen_us = None
            elif self._seen_us is None:
                self._seen_us = rig.now_us
        trips = rig.trips.trips[self._trips :]
        if len(trips) != self._told:
            self._told = len(trips)
            self._stood(trips)
        self._allow()
        self.witness.see(rig.now_us, self._allowed)

    def _stood(self, trips):
        for trip in trips:
            self._allowed.update(effects.demanded(STAGES[trip["stage"]]))
            if (
                trip["stage"] == self._course.stage
                and self._stands_us is None
                and (round(trip["t_s"] * 1e6) >= self.caused_us)
            ):
                self._stands_us = round(trip["t_s"] * 1e6)

    def _allow(self):
        """What stood before, what a dead or silenced module or the second channel does by itself,
        zero power where it follows from that, from a converter that hears nothing or from the
        racks' own limits, and a lamp that says: no energy.
        """
        if not self._told and not self._allowed:
            for name in self._rig.trips.standing():
                self._allowed.update(effects.demanded(STAGES[name.partition(".")[0]]))
        if (
            self.witness.since_us[effects.OPENED] is not None
            or self.witness.since_us[effects.ENABLE] is not None
        ):
            self._allowed.add(effects.LAMP)
        if not self._rig.plant.relays.channel_b_closed:
            self._allowed.update((effects.ENABLE, effects.OPENED))
        power_kW = self._course.power_kW
        if (
            effects.asks_for_zero(self._allowed, power_kW)
            or effects.racks_allow_none(self._rig.plant, power_kW)
            or _reversions(self._converters) != self._reversions
        ):
            self._allowed.add(effects.POWER)
        if self._course.starts or _expiries(self._modules) != self._expiries:
            self._allowed.update(effects.DISCRETE)

    def shown_us(self):
        """When the sensor showed the cause, at the latest if it does not yet."""
        return self.caused_us + round(LAG_S_MAX * 1e6) if self._seen_us is None else self._seen_us

    def complete(self):
        """True a while after everything that is asked for has come."""
        now_us = self._rig.now_us
        if self._stands_us is None or any(
            self.witness.since_us[name] is None for name in self._wanted
        ):
            self._done_us = None
            return False
        self._done_us = self._done_us or now_us
        return now_us - self._done_us >= HOLD_S * 1e6

    def result(self):
        """The Result so far."""
        permits_us = [
            time_us
            for time_us, name, _ in self._rig.observer.timeline[self._events :]
            if name == "pcs_enable_off_sent"
        ]
        stood = [
            (
                trip["stage"] + ("" if trip["scope"] == "cabinet" else f" {trip['scope']}"),
                self._ms(round(trip["t_s"] * 1e6)),
            )
            for trip in self._rig.trips.trips[self._trips :]
        ]
        return Result(
            self._course.label,
            self._ms(self._seen_us),
            self._ms(self._stands_us),
            self._ms(permits_us[0] if permits_us else None),
            {name: self._ms(self.witness.since_us[name]) for name in self._wanted},
            self.witness.at_first,
            {name: self._ms(time_us) for name, time_us in self.witness.unwanted.items()},
            {},
            stood,
            self._rig.observer.violations[self._violations :],
        )

    def _ms(self, time_us):
        return None if time_us is None else round((time_us - self.caused_us) / 1000, 1)


def _expiries(modules):
    return sum([module.expiries for module in modules])


def _reversions(converters):
    return sum([converter.reversions for converter in converters])
