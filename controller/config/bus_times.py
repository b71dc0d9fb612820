"""Computes how busy each bus is, and the longest time from an emergency stop to the frame that
stops the converter. Times are in us.

The time of a Modbus RTU exchange is characters x bits / baud, plus gaps of 3.5 characters, plus the
turn-around of the device. A CAN frame is assumed to have as many stuff bits as possible.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from controller.config import families
from controller.config.bus_schema import Bus
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from controller.config.values import Values
from controller.core.image import ProcessImage
from controller.forms.refusal import Path
from drivers.buses.port import RtuPort
from drivers.can_bms import CanBms
from drivers.meter import Meter

UTILISATION_PERMILLE_MAX = 800
# {kind of bus: the key that an error line names if the bus is too busy}
SPEED_KEYS = {"rtu": "baud_Bd", "can": "bitrate_bps", "tcp": "address"}
# A meter's reply must end so long before the tick, because a USB adapter delivers bytes once a ms.
BEFORE_TICK_US = 1000
HANDED_OVER = "until its bytes are handed over"
CAN_DATA_BYTES = 8  # data bytes of the longest frame


class Exchange(NamedTuple):
    """One periodic exchange of a device. what: its name. frames: number of frames in a period.
    time_us: time for which one frame keeps the bus busy. frame_us: time until the request has left.
    early: number of frames that may be sent before their period has ended (see PcsChannel).
    """

    what: str
    device: str
    period_us: int
    frames: int
    time_us: int
    frame_us: int
    early: int = 0


class Latency(NamedTuple):
    """One part of a longest time. what: its name. basis: the reason for the time."""

    what: str
    time_us: int
    basis: str


Schedule = Mapping[str, Sequence[Exchange]]  # bus name: its exchanges


def can_frame_us(data_bytes: int, bitrate_bps: int) -> int:
    """Time of a frame with an 11-bit id, its intermission and the most possible stuff bits."""
    bits = 47 + 8 * data_bytes + (33 + 8 * data_bytes) // 4
    return -(-bits * 1_000_000 // bitrate_bps)


def rtu_port(config: Config, bus: Bus) -> RtuPort:
    """The RtuPort of a bus, with the longest time-out and the longest pause of its devices."""
    profiles = [device.profile for device in config.topology.on_bus(bus.name)]
    timeout_us = max(profile.timeout_ms for profile in profiles) * 1000
    gap_us = max(profile.gap_ms for profile in profiles) * 1000
    return RtuPort(bus.name, bus.baud_Bd, bus.character_bits, timeout_us, gap_us)


def schedule(config: Config) -> dict[str, list[Exchange]]:
    """The exchanges of every bus."""
    drivers = families.build(config, ProcessImage(config.layout(), config.site_devices))
    return {
        bus.name: (_can if bus.kind == "can" else _rtu)(config, bus, drivers)
        for bus in config.buses
    }


def _can(config: Config, bus: Bus, drivers: Mapping[str, families.Driver]) -> list[Exchange]:
    frame_us = can_frame_us(CAN_DATA_BYTES, bus.bitrate_bps)
    return [
        Exchange(label, device.name, period_us, frames, frame_us, frame_us)
        for device in config.topology.on_bus(bus.name)
        for label, frames, period_us in families.frames_of(cast(CanBms, drivers[device.name]))
    ]


def _rtu(config: Config, bus: Bus, drivers: Mapping[str, families.Driver]) -> list[Exchange]:
    port = rtu_port(config, bus)
    exchanges = []
    for device in config.topology.on_bus(bus.name):
        turnaround_us = device.profile.turnaround_ms * 1000
        for label, request, period_us in families.requests_of(config, device, drivers[device.name]):
            size = len(request.frame)
            leaves_us = port.transaction_us(size, 0, 0) - port.gap_us - port.turnaround_us
            whole_us = port.transaction_us(size, request.reply_bytes, turnaround_us)
            early = 1 if label == families.SETPOINT and period_us > config.tick_ms * 1000 else 0
            exchanges.append(
                Exchange(
                    label,
                    device.name,
                    period_us,
                    frames=1,
                    time_us=whole_us,
                    frame_us=leaves_us,
                    early=early,
                )
            )
    return exchanges


def meter_phases(config: Config, drivers: Mapping[str, families.Driver]) -> dict[str, int]:
    """{device name: us}: the phase at which each meter is read, for RtuPort.add. With this phase, a
    reply is whole just before a tick freezes the process image. drivers: by device name.

    Ticks begin at multiples of tick_ms on the loop's clock. The meters of one bus are read one
    after another. The load meter is read last, because load tracking needs its newest value. A
    meter has no phase if its period is not a whole number of ticks.
    """
    phases_us = {}
    for bus in [bus for bus in config.buses if bus.kind != "can"]:
        port, before_us = rtu_port(config, bus), BEFORE_TICK_US
        devices = config.topology.on_bus(bus.name)
        meters = [device for device in devices if device.profile.family == "meter"]
        for device in sorted(meters[::-1], key=lambda meter: meter.role != "meter_load"):
            if device.profile.period_ms % config.tick_ms:
                continue
            for request in cast(Meter, drivers[device.name]).fast():
                sizes = len(request.frame), request.reply_bytes
                before_us += port.transaction_us(*sizes, device.profile.turnaround_ms * 1000)
            phases_us[device.name] = port.gap_us + port.turnaround_us - before_us
    return phases_us


def utilisation_permille(exchanges: Sequence[Exchange]) -> int:
    """The part of the time in which a bus is busy, in 0.1 %, rounded up."""
    busy_ppm = [
        exchange.frames * exchange.time_us * 1_000_000 // exchange.period_us
        for exchange in exchanges
    ]
    return -(-sum(busy_ppm) // 1000)


def check(values: Values, schedule: Schedule) -> None:
    """Refuse a bus that is so busy that it could not catch up after a delay."""
    for name, exchanges in schedule.items():
        busy_permille = utilisation_permille(exchanges)
        if busy_permille > UTILISATION_PERMILLE_MAX:
            key = SPEED_KEYS[values.get("bus", name, "kind")]
            path = _slowest(values, exchanges, ("bus", name, key))
            value, busy_pct = values.get(*path), f"{busy_permille / 10:.1f} %"
            subject = "the bus" if path[0] == "bus" else f"bus {name}"
            problem = f"{value} is not allowed: {subject} would be busy {busy_pct} of the time"
            remedies = "longer periods, fewer reads (gap_registers_max), or fewer devices on it"
            if key != "address":
                remedies = "a faster bus, longer periods, or fewer devices on it"
            values.refuse(path, problem, f"{UTILISATION_PERMILLE_MAX // 10} %: {remedies}")


def _slowest(values: Values, exchanges: Sequence[Exchange], speed_key: Path) -> Path:
    """The key that an error line names: the turn-around of the slowest device if a later file
    states it, else the speed of the bus.
    """
    device = max(exchanges, key=lambda exchange: exchange.time_us).device
    turnaround_key, speed = ("device", device, "turnaround_ms"), values.entries.get(speed_key)
    is_later = (
        turnaround_key in values.entries
        and speed
        and values.entries[turnaround_key].rank > speed.rank
    )
    return turnaround_key if is_later else speed_key


# -- the time from an emergency-stop contact to the last byte of the frame that stops the converter


def stop_latency(config: Config, schedule: Schedule) -> list[Latency]:
    """The parts of the time from the slower E-stop contact to the last byte that drops the PCS
    enable.
    """
    device = cast(Device, config.topology.driven("pcs_enable_ok"))  # device_checks.OUTPUTS_ALWAYS
    return _stop_latency(config, schedule, device, "write coils")


def pcs_stop_latency(config: Config, schedule: Schedule, unit: int) -> list[Latency]:
    """The parts of the time from the slower E-stop contact to the last byte of the stop frame for
    the PCS of a unit.
    """
    return _stop_latency(config, schedule, config.topology.required("pcs", unit), families.SETPOINT)


def _stop_latency(config: Config, schedule: Schedule, device: Device, label: str) -> list[Latency]:
    """The parts of the time from the slower contact to the last byte of the exchange `label`."""
    inputs = [_input_latency(config, schedule, signal) for signal in ("estop_1_ok", "estop_2_ok")]
    slowest = max(inputs, key=lambda parts: sum(part.time_us for part in parts))
    write = exchange_of(schedule[device.bus], device, label)
    ticks = max(1, *[config.stage_words[stage].set_ticks for stage in ("1a", "1b")])
    debounce = f"row 1, {ticks} tick(s), the wait for a tick included"
    tick_us = config.tick_ms * 1000
    return [
        *slowest,
        Latency("debounce", ticks * tick_us, debounce),
        Latency("tick", tick_us, f"{HANDED_OVER}; a late tick counts as missed"),
        *_write_latency(schedule[device.bus], write, device.bus),
    ]


def exchange_of(exchanges: Sequence[Exchange], device: Device, label: str) -> Exchange:
    """The exchange of a device whose name is `label`."""
    return next(
        exchange
        for exchange in exchanges
        if (exchange.device, exchange.what) == (device.name, label)
    )


def hint_latency(config: Config, schedule: Schedule) -> list[Latency]:
    """The parts of the time from the datagram of a hint to the last byte of the new set-point for
    the PCS of the first unit.
    """
    device, tick_us = config.topology.required("pcs", 0), config.tick_ms * 1000
    exchanges = schedule[device.bus]
    frame = exchange_of(exchanges, device, families.SETPOINT)
    return [
        Latency("wait", tick_us, "for the next tick, which takes hints at its beginning"),
        Latency("tick", tick_us, HANDED_OVER),
        *_write_latency(exchanges, frame, device.bus),
    ]


def _input_latency(config: Config, schedule: Schedule, signal: str) -> list[Latency]:
    """The parts of the longest time of an input. The contact moves just after a read, so one period
    passes, and then a read takes its longest time.
    """
    device, _ = cast(tuple[Device, int], config.topology.mapped(signal))
    exchanges = schedule[device.bus]
    read = exchange_of(exchanges, device, "read inputs")
    poll = f"{device.name} is read every {read.period_us / 1000:g} ms"
    first = f"all other exchanges on bus {device.bus} go first, then the read"
    return [
        Latency("poll", read.period_us, poll),
        Latency("transaction", response_us(read, exchanges), first),
    ]


def response_us(exchange: Exchange, exchanges: Sequence[Exchange]) -> int:
    """Longest time from the moment an exchange is due to its end, us. All other exchanges go first,
    also those that become due meanwhile.
    """
    rivals = [rival for rival in exchanges if rival is not exchange]
    total_us = exchange.time_us
    while True:
        wider_us = exchange.time_us + sum(
            (rival.early - (-total_us // rival.period_us)) * rival.time_us for rival in rivals
        )
        if wider_us == total_us:
            return total_us
        total_us = wider_us


def _write_latency(exchanges: Sequence[Exchange], write: Exchange, bus: str) -> list[Latency]:
    longest = f"the longest exchange on bus {bus}: a stop goes next and interrupts no exchange"
    return [
        Latency("in flight", max(exchange.time_us for exchange in exchanges), longest),
        Latency("frame", write.frame_us, "until its last byte has left"),
    ]
