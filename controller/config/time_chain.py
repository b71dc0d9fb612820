"""Computes the longest time from a cause to its effect, for a stage of the cause-and-effect matrix
on this site. The time has parts: sensor, bus, debounce, tick, actuation.

Computed parts come from the configuration. ASSUMED lists the other parts with their reasons.
"""

from collections.abc import Collection
from typing import NamedTuple

from controller.config import bus_schema, bus_times
from controller.config.bus_times import Schedule
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from controller.rows import records
from controller.rows.shapes import BY_LEVEL, BY_LEVEL_S, Feature, MatrixStage
from controller.system import program_memory
from drivers import serial_number
from safety import frame, matrix as m, parameters as p, peer
from safety.image_check import CRC_STEPS
from safety.kernel import Kernel
from safety.signals import RACK

# (what, ms, reason) of every assumed part.
ASSUMED = (
    ("contact", 10, "relay or switch"),
    ("combustible gas", 20_000, "detector to 90 % of a step"),
    ("vapour, toxic gas", 30_000, "detector to 90 % of a step"),
    ("BMS", 100, "its measuring cycle"),
    ("cell temperature", 10_000, "sensor on the cell"),
    ("PCS", 100, "refresh of its own value"),
    ("air", 30_000, "sensor in the air"),
    ("I/O module, relay", 20, "from the frame to the contact"),
    ("PCS dead time", 60, "from the enable to zero power"),
    ("opening", 250, "off-delay relay 200 ms, set at commissioning, and contactor"),
)
ASSUMED_MS = {label: time_ms for label, time_ms, _ in ASSUMED}
CONTACT_MS = ASSUMED_MS["contact"]
RELAY_MS = ASSUMED_MS["I/O module, relay"]
DEAD_MS = ASSUMED_MS["PCS dead time"]
OPENING_MS = ASSUMED_MS["opening"]
OUTPUTS = (
    (m.D_DC, "contactor_supply_ok"),
    (m.D_FAN, "fan_on"),
    (m.D_HORN, "horn_on"),
    (m.D_LAMP, "lamp_on"),
    (m.D_RED_LAMP, "red_lamp_on"),
    (m.D_FACU, "supervisory_ok"),
    (m.D_PRE_ALARM, "pre_alarm_on"),
    (m.D_SHUNT_TRIP, "shunt_trip_on"),
    (m.D_AUX_SHED, "aux_load_ok"),
)
WAITS = {m.DC_OPEN: "open_after_stop_ms", m.DC_OPEN_AT_ZERO: "open_at_zero_ms_max"}
LINK_BAUD_BD = 115_200  # assumed speed of the line to channel B for a site without channel B
# Scans of limit image and clocks until a change is found. The present scan may have passed the
# place of the change.
SCANS = 2
# safety/gas.py and heating.py compute some features once a second. A change just after one second
# is found in the next second. Row 53 waits for one second, not for two: it adds up its signs with
# every frame of the rack, and only its sign of row 22 is computed once a second. Row 24 waits for
# none: it compares every frame with three values that are stored once a second, and one of them is
# always 2 to 3 s old.
SECOND_MS = 1000


class Part(NamedTuple):
    """One part of the time from a cause to its effect."""

    what: str
    time_ms: int
    is_assumed: bool


def chain(config: Config, schedule: Schedule, stage: MatrixStage) -> list[Part]:
    """The parts of the time from the cause to zero power, or until the outputs of the stage have
    switched. If devices differ, each part is that of the slowest device.
    """
    demand = stage[m.S_DEMAND]
    outputs = [name for index, name in OUTPUTS if demand[index]]
    if demand[m.D_PCS]:
        outputs = ["pcs_enable_ok"]
    parts = decision(config, schedule, stage)
    parts += _write(config, schedule, outputs, not demand[m.D_PCS])
    if demand[m.D_PCS]:
        parts.append(Part("PCS", DEAD_MS, True))
    if demand[m.D_PCS] == m.PCS_RAMP:
        parts.append(Part("ramp", config.cabinet["ramp_to_zero_ms"], False))
    return parts


def held_chain(config: Config, schedule: Schedule, stage: MatrixStage) -> list[Part]:
    """The parts of the time from the cause to the last effect that waits, or []. The table of
    conflicts says which effect waits (the fan waits for the agent). The PCS enable is assumed to
    stay on, which is the slower case.
    """
    waits_ms = {name: hold_off_ms(config, stage, index) for index, name in OUTPUTS}
    held = [name for name, wait_ms in waits_ms.items() if wait_ms]
    if not held:
        return []
    hold_off = Part("hold-off", max(waits_ms.values()), False)
    write = _write(config, schedule, held, True)
    return [*decision(config, schedule, stage), hold_off, *write]


def _write(
    config: Config, schedule: Schedule, outputs: Collection[str], keeps_enable: bool
) -> list[Part]:
    """The parts of the time from the decision to the contact of the relay."""
    write = Part("I/O write", write_ms(config, schedule, outputs, keeps_enable), False)
    return [write, Part("I/O module, relay", RELAY_MS, True)]


def hold_off_ms(config: Config, stage: MatrixStage, demand_index: int) -> int:
    """Time for which a demand of a stage must wait, from the table of conflicts, or 0. In ms,
    rounded up to whole ticks.
    """
    conflicts = [row for row in m.CONFLICTS if row[:2] == (demand_index, stage[m.S_ROW])]
    waits_ms = [config.cabinet[str(row[2])] for row in conflicts]
    return p.ticks(sum(waits_ms), config.tick_ms) * config.tick_ms


def decision(config: Config, schedule: Schedule, stage: MatrixStage) -> list[Part]:
    """The parts of the time from the cause to the tick that decides. `chain` begins with them."""
    second_waits = [
        Part(label, SECOND_MS, False)
        for label, feature in zip(("once a second", "gate"), records.features(stage))
        if feature.once_a_second
    ]
    # The debounce takes at least one tick, because only the next tick sees the cause.
    ticks = max(1, config.stage_words[stage[m.S_ID]].set_ticks)
    debounce = Part("debounce", ticks * config.tick_ms, False)
    tick = Part("tick", config.tick_ms, False)
    return [*_source(config, schedule, stage), *second_waits, debounce, tick]


def opening_ms(config: Config, stage: MatrixStage) -> int | None:
    """Longest wait of a stage before the contactors may open, plus the time in which they open, ms.
    None if there is no limit.
    """
    wait = WAITS.get(stage[m.S_DEMAND][m.D_DC])
    return None if wait is None else config.cabinet[wait] + OPENING_MS


def opened_ms(config: Config, schedule: Schedule, stage: MatrixStage) -> int | None:
    """Longest time from the cause to open contactors, ms. None if there is no limit. A ramp adds
    nothing, because the wait of the contactors begins with the ramp (safety/opening.py).
    """
    wait_ms = opening_ms(config, stage)
    if wait_ms is None:
        return None
    decided_ms = sum(part.time_ms for part in decision(config, schedule, stage))
    return decided_ms + write_ms(config, schedule, ("contactor_supply_ok",)) + RELAY_MS + wait_ms


def _source(config: Config, schedule: Schedule, stage: MatrixStage) -> list[Part]:
    name, feature = records.feature_name(stage), records.feature(stage)
    if name == "peer_code":
        return [Part("link", _link_ms(config), False)]
    if name in ("self_test_bits", "cpu_temperature_ddegC"):
        return [Part("self-test", _self_test_ms(config, name), False)]
    parts = _read(config, schedule, feature)
    if feature.window_ms:
        parts.append(Part("window", feature.window_ms, False))
    if name == "contactor_mismatch":
        parts.append(Part("report", config.cabinet["contactor_report_ms"], False))
    if feature.silence or not parts:
        parts.append(Part("silence", _silence_ms(config, stage), False))
    return parts


def _read(config: Config, schedule: Schedule, feature: Feature) -> list[Part]:
    """The parts of the time in sensor and bus. [] if no device reads the feature."""
    if feature.contacts:
        modules = [
            mapping[0] for mapping in map(config.topology.mapped, feature.contacts) if mapping
        ]
        bus_ms = max([0, *[_device_ms(schedule, module, "read inputs") for module in modules]])
        contact_ms = 0 if feature.silence and not bus_ms else CONTACT_MS
        return [Part("contact", contact_ms, True), Part("bus", bus_ms, False)]
    if not feature.roles:
        return []
    devices = [device for device in config.devices if device.role in feature.roles]
    times_ms = [_device_ms(schedule, device, feature.read) for device in devices]
    sensor = [Part("sensor", ASSUMED_MS.get(feature.sensor, 0), True)] if feature.sensor else []
    return [*sensor, Part("bus", max([0, *times_ms]), False)]


def _self_test_ms(config: Config, name: str) -> int:
    """Time of one round of the slowest self-test, ms. The program is tested in steps of a tick, the
    memory in steps of a second, and the clocks in windows.
    """
    second_ms = program_memory.SECOND_US // 1000
    if name == "cpu_temperature_ddegC":
        return second_ms
    functions = program_memory.functions(program_memory.kernel_modules())
    program_ms = len(list(functions)) * config.tick_ms
    memory_ms = len(Kernel(config.safety_image).state_blocks()) * second_ms
    return max(program_ms, memory_ms, SCANS * program_memory.CLOCK_WINDOW_US // 1000)


def _link_ms(config: Config) -> int:
    """Time until the slowest message of channel B has arrived, ms. This message says that an input
    differs. The time includes one step of channel B and one frame.
    """
    baud_Bd = config.channel_b.baud_Bd if config.channel_b else LINK_BAUD_BD
    return peer.DISAGREE_MS + (1 + frame.FRAME_EVERY_TICKS) * config.tick_ms + frame_ms(baud_Bd)


def frame_ms(baud_Bd: int) -> int:
    """Time of a frame of channel B on its line, rounded up."""
    return -(-frame.FRAME_BYTES * bus_schema.CHARACTERS["8N1"] * 1000 // baud_Bd)


def _silence_ms(config: Config, stage: MatrixStage) -> int:
    """Length of the silence that makes a stage active, ms. 0 if the cause is inside the kernel."""
    feature = records.feature(stage)
    level = config.stage_words[stage[m.S_ID]].set
    if feature.ladder:
        tables = config.rack_tables if stage[m.S_SCOPE] == RACK else config.unit_tables
        return max(table[feature.ladder[stage[m.S_SET] - 1]] for table in tables)
    if records.feature_name(stage) == "image_changed":
        return SCANS * CRC_STEPS * config.tick_ms
    by_level_ms = {BY_LEVEL: level, BY_LEVEL_S: level * 1000}
    return by_level_ms.get(feature.silence) or config.cabinet.get(feature.silence, 0)


def _device_ms(schedule: Schedule, device: Device, label: str = "") -> int:
    """Longest time until a read of the device has ended, ms: the period of the read, plus its
    longest response. label: start of the read's name. If the device has no such read, its slowest
    read counts. A read of the serial number does not count.
    """
    exchanges = schedule[device.bus]
    reads = [
        exchange
        for exchange in exchanges
        if exchange.device == device.name
        and exchange.what.startswith(("read", "frames from"))
        and not exchange.what.startswith(f"read {serial_number.NAME}")
    ]
    named = [exchange for exchange in reads if exchange.what.startswith(label)]
    return max(
        -(-(exchange.period_us + bus_times.response_us(exchange, exchanges)) // 1000)
        for exchange in named or reads
    )


def write_ms(
    config: Config, schedule: Schedule, outputs: Collection[str], keeps_enable: bool = False
) -> int:
    """Time from the deciding tick to the last byte of the slowest write with one of these outputs.
    keeps_enable: the PCS enable stays on, so its module is written only at its next refresh.
    """
    times_us = [0]
    for device in config.devices:
        names = {name.lstrip("!") for name in device.outputs}
        if set(outputs) & names:
            exchanges = schedule[device.bus]
            write = bus_times.exchange_of(exchanges, device, "write coils")
            waits_us = 0
            if keeps_enable and "pcs_enable_ok" in names:
                waits_us = write.period_us + config.tick_ms * 1000
            in_flight_us = max(exchange.time_us for exchange in exchanges)
            times_us.append(waits_us + in_flight_us + write.frame_us)
    return -(-max(times_us) // 1000)
