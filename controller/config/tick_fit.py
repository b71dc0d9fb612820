"""Makes the lines of `firebreak check` about doubtful times. Examples are a tick that is too short,
set-points that are late on a busy bus, and a stated delay that seems to ignore capacitors.
"""

from collections.abc import Iterator

from controller.config import bus_times, families, schema, track_path
from controller.config.cabinet_config import Config
from controller.config.silence import entry_of
from controller.config.values import Values
from controller.forms.refusal import Path, dotted

# Median time of a tick on one core of a server, measured with `python -m hil bench tick`. The parts
# are for the cabinet, for each rack and for each unit. The time to move bytes is not included.
BASE_US, RACK_US, UNIT_US = 250, 22, 37
SHARE = 10  # a tick may use a tenth of its period, because a small computer is several times slower


def cost_us(config: Config) -> int:
    """Estimated time of a tick on one core of a server, us."""
    return BASE_US + RACK_US * config.racks + UNIT_US * config.units


def doubts(values: Values, config: Config, schedule: bus_times.Schedule) -> tuple[str, ...]:
    """One line for each doubt. schedule: the exchanges of each bus."""
    return (
        *_cost(values, config),
        *_waits(values, config, schedule),
        *_buffered(values, config, schedule),
    )


def _cost(values: Values, config: Config) -> Iterator[str]:
    tick_cost_us = cost_us(config)
    fitting_ms = [tick_ms for tick_ms in schema.TICKS_MS if tick_cost_us * SHARE <= tick_ms * 1000]
    if config.tick_ms not in fitting_ms:
        sizes = f"{config.racks} racks and {config.units} converters"
        why = f"a tick of {sizes} takes about {tick_cost_us / 1000:.1f} ms on one core of a server"
        path, least_ms = ("cabinet", "tick_ms"), fitting_ms[0]
        yield _line(values, path, config.tick_ms, why, f"at least {least_ms}")


def _waits(values: Values, config: Config, schedule: bus_times.Schedule) -> Iterator[str]:
    """A doubt for each converter whose set-point can be late. Such a set-point waits for another
    exchange, and ends only after the next set-point is due.
    """
    for device in [device for device in config.devices if device.role == "pcs"]:
        exchanges = schedule[device.bus]
        setpoint = bus_times.exchange_of(exchanges, device, families.SETPOINT)
        before_us = max(
            [exchange.time_us for exchange in exchanges if exchange is not setpoint], default=0
        )
        whole_us = setpoint.time_us + before_us
        if whole_us > device.setpoint_ms * 1000:
            why = f"a set-point behind another exchange takes {whole_us / 1000:.1f} ms"
            path, least_ms = ("device", device.name, "setpoint_ms"), -(-whole_us // 1000)
            yield _line(values, path, device.setpoint_ms, why, f"at least {least_ms}")


def _buffered(values: Values, config: Config, schedule: bus_times.Schedule) -> Iterator[str]:
    """A doubt if a stated path delay is nearer to the delay without the capacitors at the racks
    than to the delay with them.
    """
    meter, path = track_path.source(config), ("control", track_path.DELAY)
    buffer_ms, stated_ms = meter.settings.get(schema.BUFFER, 0), config.control[track_path.DELAY]
    computed_ms = track_path.parameters(config, schedule)[track_path.DELAY]
    if buffer_ms and path in values.entries and 2 * (stated_ms - computed_ms) > buffer_ms:
        capacitors = f"{schema.BUFFER} = {buffer_ms} of {meter.name}"
        why = f"{capacitors} shortens the path from {computed_ms + buffer_ms} to {computed_ms} ms"
        yield _line(values, path, stated_ms, why, f"about {computed_ms}, or no such key")


def _line(values: Values, path: Path, value: int, why: str, expected: str) -> str:
    entry = entry_of(values, path)[1]
    where = f"{entry.file if entry else values.last_file}:{dotted(path)}"
    return f"doubt: {where}: {value} is doubtful: {why}; expected {expected}"
