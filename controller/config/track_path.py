"""How long a change of the load takes until the battery answers it, part by part, and the
parameters of load tracking that follow from that. Times in us, of parameters in ms.

Computed from meter, buses, tick and converter of a configuration. A start of the cabinet measures
the same delay; between the bounds given here the measured value is believed.
"""

import dataclasses
from array import array
from typing import NamedTuple

from controller.config import bus_times, families, schema

TICK_TYPICAL_US = 1000  # from the freeze to the bytes of the set-point, in a cabinet of three racks
# Power ramps, so a larger step takes longer. A step of a fifth of the rating counts as typical.
TYPICAL_STEP_PERMILLE = 200
ROOM_PERMILLE = 200  # beyond least and most a measured delay is still believed
SAMPLE, DELAY = "track_sample_ms", "track_path_delay_ms"
DELAY_MIN, DELAY_MAX = f"{DELAY}_min", f"{DELAY}_max"
DIFFERENCE = "meter_delay_difference_ms"
HOLD = "hold"


class PathPart(NamedTuple):
    """One part of the path: its name, its least, mean and greatest time, and their reason."""

    what: str
    least_us: int
    typical_us: int
    most_us: int
    basis: str


def source(config):
    """The device that load tracking follows: the load meter, or the grid meter where there is no
    load meter.
    """
    topology = config.topology
    return topology.device("meter_load") or topology.device("meter_grid")


def path_delay(config, every: dict | None = None) -> list:
    """[PathPart] from a change of the load to the battery's power, of the slowest converter.

    The part HOLD comes first. Without HOLD the sum is the path of one value: from the middle of the
    meter's window to the middle of the battery's movement. every: of bus_times.schedule(config).
    """
    every = bus_times.schedule(config) if every is None else every
    meter = source(config)
    converters = [_converter(config, every, unit) for unit in range(config.units)]
    return [
        *_meter_path(config, every, meter),
        PathPart("tick", 0, TICK_TYPICAL_US, config.tick_ms * 1000, "until the set-point is sent"),
        *max(converters, key=lambda parts: sum([part.typical_us for part in parts])),
    ]


def totals_us(parts: list) -> tuple:
    """(least, typical, most) of [PathPart] together."""
    return tuple([sum([part[column] for part in parts]) for column in (1, 2, 3)])


def sample_ms(meter) -> int:
    """How often a meter has a new value for the controller."""
    return max(meter.profile.settings["refresh_ms"], meter.profile.period_ms)


def _meter_path(config, every, meter):
    return [*_meter(meter), _read(config, every, meter)]


def _difference_ms(config, every):
    """How much longer a value of the load meter takes than one of the grid meter, which the
    measured delay goes through.
    """
    load, grid = config.topology.device("meter_load"), config.topology.device("meter_grid")
    if load is None or grid is None:
        return 0
    of_load_us, of_grid_us = (
        totals_us(_meter_path(config, every, meter))[1] for meter in (load, grid)
    )
    return round((of_load_us - of_grid_us) / 1000)


def _meter(meter):
    stands_us, refresh_us = sample_ms(meter) * 1000, meter.profile.settings["refresh_ms"] * 1000
    half_us = refresh_us // 2
    window = f"middle of the window of {meter.name}, {refresh_us / 1000:g} ms"
    return [
        PathPart(
            HOLD,
            0,
            stands_us // 2,
            stands_us,
            f"a value stands {stands_us / 1000:g} ms until the next",
        ),
        PathPart("meter window", half_us, half_us, half_us, window),
        PathPart(
            "meter wait", 0, half_us, refresh_us, "the meter refreshes at any phase of a read"
        ),
    ]


def _read(config, every, meter):
    """From the meter's answer to the freeze."""
    exchanges, tick_us = every[meter.bus], config.tick_ms * 1000
    bus = next(bus for bus in config.buses if bus.name == meter.bus)
    read, port = (
        bus_times.exchange_of(exchanges, meter, "read meter"),
        bus_times.rtu_port(config, bus),
    )
    reply_us = read.time_us - read.frame_us - port.gap_us - port.turnaround_us
    what = f"bus {meter.bus}"
    if read.period_us % tick_us:
        latest_us = bus_times.response_us(read, exchanges) - read.frame_us + tick_us
        basis = "read at any phase of the tick: its period is not a whole number of ticks"
        return PathPart(what, reply_us, reply_us + tick_us // 2, latest_us, basis)
    fixed_us = reply_us + bus_times.BEFORE_TICK_US
    is_alone = all([one.what == read.what for one in exchanges])
    missed_us = 0 if is_alone else tick_us
    basis = "read just before the tick" + ("" if is_alone else "; others may delay it to the next")
    return PathPart(what, fixed_us, fixed_us, fixed_us + missed_us, basis)


def _converter(config, every, unit):
    device = config.topology.device("pcs", unit)
    exchanges, settings = every[device.bus], device.profile.settings
    own = bus_times.exchange_of(exchanges, device, families.SETPOINT)
    rarer_us = max(0, own.period_us - config.tick_ms * 1000)
    in_flight_us = max([exchange.time_us for exchange in exchanges])
    dead_us, ramp_us = settings["dead_time_ms"] * 1000, settings["ramp_ms"] * 1000
    typical_pct = TYPICAL_STEP_PERMILLE // 10
    return [
        PathPart(
            f"bus {device.bus}",
            own.frame_us,
            own.frame_us + rarer_us // 2,
            own.frame_us + rarer_us + in_flight_us,
            "the set-point's frame; at most an exchange in flight before it",
        ),
        PathPart("dead time", dead_us, dead_us, dead_us, f"of {device.name}, by its profile"),
        PathPart(
            "ramp",
            0,
            ramp_us * TYPICAL_STEP_PERMILLE // 2000,
            ramp_us // 2,
            f"middle of the movement: no step, {typical_pct} % of the rating, all of it",
        ),
    ]


def parameters(config, every: dict) -> dict:
    """{parameter of load tracking: ms} that follow from the path. every: as of path_delay."""
    least_us, typical_us, most_us = totals_us(path_delay(config, every))
    found = {
        SAMPLE: sample_ms(source(config)),
        DELAY: round(typical_us / 1000),
        DELAY_MIN: least_us * (1000 - ROOM_PERMILLE) // 1_000_000,
        DELAY_MAX: -(-most_us * (1000 + ROOM_PERMILLE) // 1_000_000),
        DIFFERENCE: _difference_ms(config, every),
    }
    return {key: _within_range(key, value_ms) for key, value_ms in found.items()}


def _within_range(key, value_ms):
    low_ms, high_ms = schema.CONTROL[key].allowed
    return min(max(value_ms, low_ms), high_ms)


def filled(values, config, every: dict):
    """The Config with the parameters that follow from its path, but for those that a file says.
    Refuses a nominal delay outside its bounds.
    """
    found = parameters(config, every)
    said = {key for key in found if ("control", key) in values.entries}
    control = config.control | {key: found[key] for key in found if key not in said}
    if DELAY in said:  # a bound that no file says lets through what a file says
        control |= {
            key: pick(control[key], control[DELAY])
            for key, pick in ((DELAY_MIN, min), (DELAY_MAX, max))
            if key not in said
        }
    low_ms, high_ms = control[DELAY_MIN], control[DELAY_MAX]
    if not low_ms <= control[DELAY] <= high_ms:
        _refuse(values, control, said)
    return dataclasses.replace(config, control=control, control_image=array("i", control.values()))


def _refuse(values, control, said):
    """Refuse the key of a file that does not fit: a nominal delay, or one of its bounds."""
    if DELAY in said:
        values.not_allowed(
            ("control", DELAY),
            f"{control[DELAY_MIN]}..{control[DELAY_MAX]}, from {DELAY_MIN} to {DELAY_MAX}",
        )
    key = DELAY_MIN if DELAY_MIN in said and control[DELAY_MIN] > control[DELAY] else DELAY_MAX
    word = "at most" if key == DELAY_MIN else "at least"
    values.not_allowed(
        ("control", key), f"{word} {control[DELAY]} ms, the delay that follows from the devices"
    )
