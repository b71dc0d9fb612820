"""Computes the delay from a change of the load to the battery's power (the path delay), and the
parameters of load tracking that depend on it. Times are in us, parameters in ms.

Each start of the cabinet also measures this delay. Load tracking uses the measured delay if it lies
between the computed bounds.
"""

import dataclasses
from array import array
from typing import NamedTuple, NoReturn

from controller.config import bus_times, families, schema
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from controller.config.values import Values

# Time from the freeze of the process image to the bytes of the set-point, with three racks, us.
TICK_TYPICAL_US = 1000
# The converter ramps its power, so a larger step takes longer. A typical step is assumed to be a
# fifth of the rating.
TYPICAL_STEP_PERMILLE = 200
ROOM_PERMILLE = 200  # a measured delay may be this far outside of the computed delays
SAMPLE, DELAY = "track_sample_ms", "track_path_delay_ms"
LAG, RAMP = "track_lag_ms", "ramp"
DELAY_MIN, DELAY_MAX = f"{DELAY}_min", f"{DELAY}_max"
DIFFERENCE = "meter_delay_difference_ms"
HOLD = "hold"
PHASES = 40  # the spread of the delay is computed for so many phases of each device
REFRESH = "the meter refreshes at any phase of a read"


class PathPart(NamedTuple):
    """One part of the delay, with its least, mean and greatest time and their reason.

    phase_us: width over which the delay spreads evenly around its mean, because it depends on when
    the devices read.
    """

    what: str
    least_us: int
    typical_us: int
    most_us: int
    basis: str
    phase_us: int = 0


def source(config: Config) -> Device:
    """The meter that load tracking follows: the load meter, or the grid meter if there is none."""
    topology = config.topology
    return topology.device("meter_load") or topology.required("meter_grid")


def path_delay(config: Config, schedule: bus_times.Schedule | None = None) -> list[PathPart]:
    """The parts of the delay from a change of the load to the battery's power, for the slowest
    converter.

    The first part is HOLD, because a value is used until the next one comes. The other parts follow
    one value from the middle of the meter's window to the middle of the battery's movement.
    """
    schedule = bus_times.schedule(config) if schedule is None else schedule
    meter = source(config)
    converters = [_converter(config, schedule, unit) for unit in range(config.units)]
    return [
        *_meter_path(config, schedule, meter),
        PathPart("tick", 0, TICK_TYPICAL_US, config.tick_ms * 1000, "until the set-point is sent"),
        *max(converters, key=lambda parts: sum(part.typical_us for part in parts)),
    ]


def totals_us(parts: list[PathPart]) -> tuple[int, int, int]:
    """Sums of the parts: (least, typical, most)."""
    least, typical, most = zip(*[part[1:4] for part in parts])
    return sum(least), sum(typical), sum(most)


def phases_us(parts: list[PathPart]) -> tuple[int, int]:
    """(median, 95th percentile) of the delay, for changes at all phases of the devices.

    A value that comes sooner after the change shows less of the change. So the window and the hold
    of a meter add no spread.
    """
    median_us = totals_us(parts)[1]
    sums_us = [float(median_us)]
    for width_us in [part.phase_us for part in parts if part.phase_us]:
        steps_us = [width_us * (2 * step + 1 - PHASES) / (2 * PHASES) for step in range(PHASES)]
        sums_us = [sum_us + step_us for sum_us in sums_us for step_us in steps_us]
    sums_us.sort()
    return median_us, round(sums_us[len(sums_us) * 95 // 100])


def sample_ms(meter: Device) -> int:
    """Time between two new values of a meter."""
    return max(int(meter.profile.settings["refresh_ms"]), meter.profile.period_ms)


def _meter_path(config: Config, schedule: bus_times.Schedule, meter: Device) -> list[PathPart]:
    return [*_meter(meter), _read(config, schedule, meter)]


def _difference_ms(config: Config, schedule: bus_times.Schedule) -> int:
    """Delay of the load meter minus delay of the grid meter, ms. A start measures the delay of the
    grid meter, so load tracking must add this difference.
    """
    load, grid = config.topology.device("meter_load"), config.topology.device("meter_grid")
    if load is None or grid is None:
        return 0
    of_load_us, of_grid_us = (
        totals_us(_meter_path(config, schedule, meter))[1] for meter in (load, grid)
    )
    return round((of_load_us - of_grid_us) / 1000)


def _meter(meter: Device) -> list[PathPart]:
    held_us, refresh_us = sample_ms(meter) * 1000, meter.profile.settings["refresh_ms"] * 1000
    half_us = refresh_us // 2
    window = f"middle of the window of {meter.name}, {refresh_us / 1000:g} ms"
    holds = f"a value holds for {held_us / 1000:g} ms until the next"
    return [
        PathPart(HOLD, 0, held_us // 2, held_us, holds),
        PathPart("meter window", half_us, half_us, half_us, window),
        PathPart("meter wait", 0, half_us, refresh_us, REFRESH, refresh_us),
        *_buffer(meter),
    ]


def _buffer(meter: Device) -> list[PathPart]:
    """The part of the path for the capacitors in the server racks. They delay the power of the feed
    by 1 ms for each J per kW, so this part is negative.
    """
    buffer_J_per_kW = meter.settings.get(schema.BUFFER, 0)
    lead_us = -1000 * buffer_J_per_kW
    basis = f"{meter.name} is at the racks; their {buffer_J_per_kW} J per kW delay the feed"
    return [PathPart("capacitors", lead_us, lead_us, lead_us, basis)] if buffer_J_per_kW else []


def _read(config: Config, schedule: bus_times.Schedule, meter: Device) -> PathPart:
    """The part of the delay from the meter's answer to the freeze of the process image."""
    exchanges, tick_us = schedule[meter.bus], config.tick_ms * 1000
    bus = next(bus for bus in config.buses if bus.name == meter.bus)
    read = bus_times.exchange_of(exchanges, meter, "read meter")
    port = bus_times.rtu_port(config, bus)
    reply_us = read.time_us - read.frame_us - port.gap_us - port.turnaround_us
    label = f"bus {meter.bus}"
    if read.period_us % tick_us:
        latest_us = bus_times.response_us(read, exchanges) - read.frame_us + tick_us
        basis = "read at any phase of the tick: its period is not a whole number of ticks"
        return PathPart(label, reply_us, reply_us + tick_us // 2, latest_us, basis, tick_us)
    fixed_us = reply_us + bus_times.BEFORE_TICK_US
    # If one reading of the meter takes several reads, the power comes with the last read.
    is_alone = all(exchange.what.startswith(read.what) for exchange in exchanges)
    missed_us = 0 if is_alone else tick_us
    basis = "read just before the tick" + ("" if is_alone else "; others may delay it to the next")
    return PathPart(label, fixed_us, fixed_us, fixed_us + missed_us, basis)


def _converter(config: Config, schedule: bus_times.Schedule, unit: int) -> list[PathPart]:
    device = config.topology.required("pcs", unit)
    exchanges, settings = schedule[device.bus], device.profile.settings
    setpoint = bus_times.exchange_of(exchanges, device, families.SETPOINT)
    rarer_us = max(0, setpoint.period_us - config.tick_ms * 1000)
    in_flight_us = max(exchange.time_us for exchange in exchanges)
    dead_us, ramp_us = settings["dead_time_ms"] * 1000, settings["ramp_ms"] * 1000
    sent_us = (
        setpoint.frame_us,
        setpoint.frame_us + rarer_us // 2,
        setpoint.frame_us + rarer_us + in_flight_us,
    )
    sent = "the set-point's frame; at most an exchange in flight before it"
    typical_us, typical_pct = ramp_us * TYPICAL_STEP_PERMILLE // 2000, TYPICAL_STEP_PERMILLE // 10
    moves = f"middle of the movement: no step, {typical_pct} % of the rating, all of it"
    return [
        PathPart(f"bus {device.bus}", *sent_us, sent, rarer_us),
        PathPart("dead time", dead_us, dead_us, dead_us, f"of {device.name}, as stated for it"),
        PathPart(RAMP, 0, typical_us, ramp_us // 2, moves),
    ]


def parameters(config: Config, schedule: bus_times.Schedule) -> dict[str, int]:
    """{parameter of load tracking: ms} for the parameters that depend on the path delay.
    schedule: the exchanges of each bus.
    """
    parts = path_delay(config, schedule)
    least_us, typical_us, most_us = totals_us(parts)
    lag_us = sum(part.typical_us for part in parts if part.what == RAMP)
    computed_ms = {
        SAMPLE: sample_ms(source(config)),
        DELAY: round(typical_us / 1000),
        LAG: round(lag_us / 1000),
        DELAY_MIN: least_us * (1000 - ROOM_PERMILLE) // 1_000_000,
        DELAY_MAX: -(-most_us * (1000 + ROOM_PERMILLE) // 1_000_000),
        DIFFERENCE: _difference_ms(config, schedule),
    }
    ranges = {key: schema.CONTROL[key].allowed for key in computed_ms}
    return {
        key: min(max(value_ms, ranges[key][0]), ranges[key][1])
        for key, value_ms in computed_ms.items()
    }


def filled(values: Values, config: Config, schedule: bus_times.Schedule) -> Config:
    """The Config with the parameters that depend on the path delay. A value in a file is used
    before a computed one. Refuses a delay outside of its bounds.
    """
    _check_buffer(values, config, schedule)
    computed_ms = parameters(config, schedule)
    in_files = {key for key in computed_ms if ("control", key) in values.entries}
    control = config.control | {key: computed_ms[key] for key in computed_ms if key not in in_files}
    if DELAY in in_files:  # a delay in a file may widen a computed bound
        if DELAY_MIN not in in_files:
            control[DELAY_MIN] = min(control[DELAY_MIN], control[DELAY])
        if DELAY_MAX not in in_files:
            control[DELAY_MAX] = max(control[DELAY_MAX], control[DELAY])
    low_ms, high_ms = control[DELAY_MIN], control[DELAY_MAX]
    if not low_ms <= control[DELAY] <= high_ms:
        _refuse(values, control, in_files)
    return dataclasses.replace(config, control=control, control_image=array("i", control.values()))


def _check_buffer(values: Values, config: Config, schedule: bus_times.Schedule) -> None:
    """Refuse capacitors that delay the feed by more than the rest of the path takes. The battery
    would act before the power of the feed changes.
    """
    meter, least_ms = source(config), schema.CONTROL[DELAY].allowed[0]
    buffer_J_per_kW = meter.settings.get(schema.BUFFER, 0)
    typical_us = totals_us(path_delay(config, schedule))[1]
    if buffer_J_per_kW and typical_us < least_ms * 1000:
        most = buffer_J_per_kW - -(-(least_ms * 1000 - typical_us) // 1000)
        allowed = f"at most {most}, as this path is short; or a meter at the feed of the racks"
        values.not_allowed(("device", meter.name, schema.BUFFER), allowed)


def _refuse(values: Values, control: dict[str, int], in_files: set[str]) -> NoReturn:
    """Refuse the key in a file that contradicts the path: the delay, or one of its bounds."""
    if DELAY in in_files:
        allowed = f"{control[DELAY_MIN]}..{control[DELAY_MAX]}, from {DELAY_MIN} to {DELAY_MAX}"
        values.not_allowed(("control", DELAY), allowed)
    key = DELAY_MIN if DELAY_MIN in in_files and control[DELAY_MIN] > control[DELAY] else DELAY_MAX
    word = "at most" if key == DELAY_MIN else "at least"
    values.not_allowed(
        ("control", key), f"{word} {control[DELAY]} ms, the delay that follows from the devices"
    )
