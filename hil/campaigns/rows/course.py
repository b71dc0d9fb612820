"""One course: a running cabinet, the cause, and what is seen from outside until all has followed.

A rig is a VirtualRig, or what bench_watch.py makes of the rig of real processes.
"""

import dataclasses
from typing import NamedTuple

from controller.site.topology import Bus
from hil.campaigns.rows import effects
from hil.campaigns.rows.courses import STAGES
from hil.campaigns.rows.inside import INSIDE
from hil.scenarios import faults, scenario
from hil.simulate import VirtualRig
from safety import matrix as m

# the battery can take 200 kW or give it, and the connection stays within its limits
LOAD_W = 220_000.0
HINT_S, HINT_VALID_S = 60.0, 119.0
# limits come back with 5 % of rated a second; the request comes with 25 kW/s
START_S, GENTLE_START_S = 26.0, 14.0
HOLD_S = 3.0  # what has come must stay, and a ramp to zero that nothing asks for has ended by then
LAG_S_MAX = 240.0  # of a sensor of the plant
TURNED_S = 22.0  # from 200 kW one way to 200 kW the other
ENDED_S, ASKED_S = 8.0, 12.0  # a controlled stop; a start, which takes 3 s
ORDER_MS = 100  # contactors open at least this much later than the permit: the observer's invariant
CLOSES, STAYS = "no closing", "no start"
SECOND_CHANNEL = "51"
# its bytes are carried in memory
CHANNEL_B = Bus("channel_b", "channel", "", "", 0, "/dev/null", 115_200, "8N1")


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


def armed(config, more, less):
    """The configuration with some stages armed, others not, in its image: of every instance.

    One that arms row 51 has a second channel, which the example site has not.
    """
    image = config.safety_image[:]
    at = config.image_map().armed
    scopes = ((m.CABINET, 1), (m.UNIT, config.units), (m.RACK, config.racks))
    for scope, count in scopes:
        for _ in range(count):
            for stage in [stage for stage in m.STAGES if stage[m.S_SCOPE] == scope]:
                image[at] = (
                    0 if stage[m.S_ID] in less else 1 if stage[m.S_ID] in more else image[at]
                )
                at += 1
    topology = config.topology
    if SECOND_CHANNEL in more:
        topology = dataclasses.replace(topology, second_channel=True, channel_b=CHANNEL_B)
    return dataclasses.replace(config, safety_image=image, topology=topology)


def start_key(course):
    """Courses with the same key share a start."""
    return (
        course.power_kW,
        str(course.at_start),
        course.armed,
        course.alone,
        course.starts,
        course.soc_pct,
    )


def started(config, course, less=(), seed=1):
    """A VirtualRig whose cabinet runs with the course's power; less: stages that are not armed."""
    rig = VirtualRig(
        armed(config, course.armed, less + course.alone),
        load_W,
        seed,
        (),
        {"soc": course.soc_pct / 100},
    )
    for each in course.at_start:
        apply(rig, each)
    if not course.starts:
        bring_up(rig, course)
    return rig


def load_W(t_s):
    """The load, at any time."""
    return LOAD_W


def bring_up(rig, course):
    """From the controller's first tick until the cabinet runs with the course's power."""
    begin_s, start_s = rig.now_us / 1e6, start_duration_s(course)
    rig.clockwork = _clockwork(rig, _hints(begin_s + 4.0, course.power_kW, start_s))
    rig.run(begin_s + start_s)


def start_duration_s(course):
    """How long a start takes until the course's power flows; a course that is the start itself
    waits for none.
    """
    return 0.0 if course.starts else START_S if abs(course.power_kW) > 100 else GENTLE_START_S


def measured(rig, course, limits):
    """Run the course on a started rig; returns its Result."""
    if course.before:
        for each in course.before:
            apply(rig, each)
        _renew(rig, course, course.settle_s)
        rig.run(rig.now_us / 1e6 + course.settle_s)
    watch = Watch(rig, course, wanted(course, rig.cabinet.devices))
    slowest_us = round(slowest_s(course, limits) * 1e6)
    wind(rig, course, LAG_S_MAX + slowest_us / 1e6)
    inside = [each for each in course.cause if each.do in INSIDE]
    while rig.now_us < watch.shown_us() + slowest_us and not watch.complete():
        for each in [
            each for each in inside if rig.now_us - watch.began_us >= each.at_s * 1e6 - rig.tick_us
        ]:
            inside.remove(each)
            INSIDE[each.do](rig)
        rig.step()
        watch.see()
    found = watch.result()
    return found._replace(after=_probed(rig, course))


def wind(rig, course, duration_s):
    """Let the cause and the request for power come at their times, from now on."""
    actions = [_action(rig, each) for each in course.cause if each.do not in INSIDE]
    rig.clockwork = _clockwork(rig, actions + _hints(rig.now_us / 1e6, course.power_kW, duration_s))


def slowest_s(course, limits):
    """How long to wait for the slowest effect once the sensor shows the cause."""
    return (
        2 * HOLD_S
        + max(
            [
                limits.effect_ms(course.stage, name)
                for name in (effects.OPENED, effects.CHARGE, *effects.COILS)
            ]
        )
        / 1000
    )


def wanted(course, devices):
    """Effects that must come: what the stage demands, but what a module that the cause silences
    would have to energise.
    """
    silent = [
        devices[each.arguments["device"]]
        for each in course.cause
        if each.arguments.get("fault") == "silent"
    ]
    dead = {name for device in silent for name in getattr(device, "coil_names", ())}
    return [
        name
        for name in effects.demanded(STAGES[course.stage])
        if name not in effects.COILS
        or not effects.COILS[name].level
        or effects.COILS[name].coil not in dead
    ]


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


def _probed(rig, course):
    """{effect: True if it holds}: the other way is asked for, then a stop and a new start.

    A controller that comes back finds all that its row asks for done by the modules' expiry: it
    must not start itself.
    """
    stage, found = STAGES[course.stage], {}
    wanted = [
        name
        for name in effects.demanded(stage)
        if name in (effects.CHARGE, effects.DISCHARGE, effects.DERATED)
    ]
    if wanted and not course.starts:
        rig.clockwork = _clockwork(rig, _hints(rig.now_us / 1e6, -course.power_kW, TURNED_S))
        rig.run(rig.now_us / 1e6 + TURNED_S)
        now = effects.shown(rig.plant, stage)
        found = {name: now[name] for name in wanted}
    if stage[m.S_DEMAND][m.D_DC] == m.DC_INHIBIT:
        for each in course.repair:
            apply(rig, each)
        rig.controller.run_request(0)
        rig.run(rig.now_us / 1e6 + ENDED_S)
        rig.controller.run_request(1)
        found[CLOSES] = _stays_open(rig)
    if any([each.do == "controller_start" for each in course.cause]):
        found[STAYS] = _stays_open(rig)
    return found


def _stays_open(rig):
    """True if no rack is told to close in the time that a start takes."""
    before = len(rig.observer.timeline)
    rig.run(rig.now_us / 1e6 + ASKED_S)
    return all([name != "bms_close_sent" for _, name, _ in rig.observer.timeline[before:]])


def _hints(from_s, power_kW, duration_s):
    times_s = [from_s + HINT_S * count for count in range(int(duration_s // HINT_S) + 1)]
    return [
        scenario.Action(
            round(t_s * 1e6),
            "hint",
            "request",
            {
                "source": "scheduler",
                "kind": "request",
                "quantity": "power_W",
                "value_W": power_kW * 1000,
                "valid_s": HINT_VALID_S,
            },
        )
        for t_s in times_s
    ]


def _renew(rig, course, duration_s):
    rig.clockwork = _clockwork(rig, _hints(rig.now_us / 1e6, course.power_kW, duration_s))


def _clockwork(rig, actions):
    return faults.Clockwork(
        sorted(actions, key=lambda each: each.at_us), rig.world(), rig.observer.mark
    )


def _action(rig, each):
    return scenario.Action(rig.now_us + round(each.at_s * 1e6), each.do, each.do, _arguments(each))


def _arguments(each):
    return scenario.checked(each.arguments, faults.ACTIONS[each.do][0], each.do)


def apply(rig, each):
    """Do it now."""
    if each.do in INSIDE:
        INSIDE[each.do](rig)
    else:
        faults.ACTIONS[each.do][1](rig.world(), _arguments(each))
