"""Rows 1, 12, 30 and 44 with the controller stopped: what acts is the wiring, and the I/O modules
whose outputs lapse.

For rows 1, 12 and 30 the modules' expiry is broken as well: otherwise it would act 0.5 s later in
any case, and what was seen to open might be its doing. The converter and the racks, who miss the
controller later still, are told apart by the times allowed.
"""

from controller.site import time_chain
from hil.campaigns.rows import effects
from hil.campaigns.rows.courses import Course, GENTLE_kW, do
from hil.campaigns.rows.start import apply, ask
from hil.campaigns.rows.watch import Watch
from hil.plant.relays import LFL_RELAY_PCT

BROKEN = tuple(
    [
        do("device_fault", device=device, fault="expiry_broken")
        for device in ("io_1", "io_2", "io_3")
    ]
)
KILL = do("controller_kill")
WIRED = (effects.ENABLE, effects.POWER, effects.OPENED)
LAPSED = (*WIRED, effects.FAN, effects.RED_LAMP, effects.PANEL, effects.AUX_SHED)
# contactors open at least this much later than the permit: the observer's invariant
ORDER_MS = 100
# so long is watched: without the relay chain converter and racks act by themselves after about 1 s
STAYS_MS = 1500
STOPPED = {
    each.label: each
    for each in (
        Course("1a", (KILL, do("estop_press")), before=BROKEN, name="1 stopped"),
        Course(
            "12b",
            (do("gas", lfl_pct=60, detector=1), do("controller_kill", 1.2)),
            before=BROKEN,
            seen=lambda plant: plant.gas_lfl_pct[0] >= LFL_RELAY_PCT,
            name="12 stopped",
        ),
        Course(
            "30",
            (do("cell_offset", rack=1, offset_mV=530), do("controller_kill", 0.1)),
            GENTLE_kW,
            before=BROKEN,
            seen=lambda plant: not plant.relays.cell_voltage_closed,
            name="30 stopped",
        ),
        Course("44c", (KILL,), name="44 stopped"),
    )
}


def wanted(each):
    """Names of the effects that must come."""
    return LAPSED if each.name == "44 stopped" else WIRED


def limits_ms(each, config):
    """{effect: (earliest, latest)} in ms from the contact that opens, or from the controller's
    end.
    """
    tick_ms = config.tick_ms
    if each.name == "44 stopped":
        lapse_ms = config.cabinet["permit_expiry_ms"]
        first_ms, last_ms = lapse_ms - config.coil_period_ms - tick_ms, lapse_ms + tick_ms
    else:
        first_ms, last_ms = 0, time_chain.CONTACT_MS + tick_ms
    seen_ms = last_ms + time_chain.RELAY_MS + tick_ms
    opens_ms = time_chain.OPENING_MS
    found = {name: (first_ms, seen_ms) for name in wanted(each)}
    return found | {
        effects.POWER: (first_ms, seen_ms + time_chain.DEAD_MS),
        effects.OPENED: (first_ms + ORDER_MS, seen_ms + opens_ms),
    }


def measured(rig, each):
    """The Result of a course whose controller ends."""
    for action in each.before:
        apply(rig, action)
    watch = Watch(rig, each, wanted(each))
    ask(rig, each.power_kW, STAYS_MS / 1000, each.cause)
    end_us = rig.now_us + round(
        (max([action.at_s for action in each.cause]) + STAYS_MS / 1000) * 1e6
    )
    while rig.now_us < end_us:
        rig.step()
        watch.see()
    return watch.result()


def complaints(each, result, config):
    """[line], empty when all is met."""
    if result.lag_ms is None:
        return ["the cause did not show"]
    found = [] if result.stands_ms is None else ["the controller still decided"]
    for name, (first_ms, last_ms) in limits_ms(each, config).items():
        since_ms = result.since_ms[name]
        if since_ms is None:
            found.append(f"{name} did not come")
        elif not first_ms <= since_ms - result.lag_ms <= last_ms:
            found.append(
                f"{name} after {since_ms - result.lag_ms:g} ms, not within {first_ms} .. "
                f"{last_ms} ms"
            )
    return found
