"""One course: a running cabinet, the cause, and what is seen until all has followed."""

from hil.campaigns.rows import effects
from hil.campaigns.rows.courses import STAGES
from hil.campaigns.rows.inside import INSIDE
from hil.campaigns.rows.start import apply, ask
from hil.campaigns.rows.watch import HOLD_S, LAG_S_MAX, Watch
from safety import matrix as m

TURNED_S = 22.0  # from 200 kW one way to 200 kW the other
ENDED_S, ASKED_S = 8.0, 12.0  # a controlled stop; a start, which takes 3 s
CLOSES, STAYS = "no closing", "no start"


def measured(rig, course, limits):
    """Run the course on a started rig; returns its Result."""
    if course.before:
        for each in course.before:
            apply(rig, each)
        ask(rig, course.power_kW, course.settle_s)
        rig.run(rig.now_us / 1e6 + course.settle_s)
    watch = Watch(rig, course, wanted(course, rig.cabinet.devices))
    slowest_us = round(slowest_s(course, limits) * 1e6)
    causes = [each for each in course.cause if each.do not in INSIDE]
    ask(rig, course.power_kW, LAG_S_MAX + slowest_us / 1e6, causes)
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
        ask(rig, -course.power_kW, TURNED_S)
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
