"""Makes the driver of each device in a configuration, and lists the requests it repeats."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import cast

from controller.config import schema, sends, site_devices
from controller.config.cabinet_config import Config
from controller.config.devices import Device, input_indexes
from controller.config.profile_form import CAN_BMS, REGISTER_BMS, REGISTER_PCS
from controller.core.image import ProcessImage
from controller.core.site_devices.roles import OF_DEVICES, ROLES
from controller.forms.refusal import ConfigError
from controller.rows import records
from drivers import plausible, serial_number
from drivers.buses import rtu
from drivers.can_bms import CanBms
from drivers.io import IoModule
from drivers.meter import Meter
from drivers.pcs import SunSpecPcs
from drivers.profile import Profile
from drivers.register_bms import RegisterBms
from drivers.register_pcs import RegisterPcs
from drivers.sensor import LFL_UNIT, Sensor
from drivers.serial_number import SerialNumber
from drivers.sink import Sink
from drivers.site_device import SiteDevice
from safety import matrix as m, signals as s

SECOND_US = 1_000_000
SIGN_PERMILLE = 200  # directions of currents are compared from this part of the rating on
SETPOINT, BEAT, COMMAND = "write setpoint", "write heartbeat", "write to BMS"
SETPOINT_REGISTERS = 2  # a 32-bit set-point in one write
Bms = CanBms | RegisterBms
BMS: dict[str, type[CanBms] | type[RegisterBms]] = {CAN_BMS: CanBms, REGISTER_BMS: RegisterBms}
Sent = tuple[str, rtu.Request, int]  # (what it is, the request, its period in us)
Driver = Bms | SunSpecPcs | RegisterPcs | Meter | IoModule | Sensor | SiteDevice


def build(config: Config, sink: ProcessImage) -> dict[str, Driver]:
    """{device name: driver}. sink: the process image. Raises ConfigError."""
    layout = config.layout()
    drivers = {}
    for device in config.devices:
        with _explained(config, device):
            driver = drivers[device.name] = MAKERS[device.role](config, device, sink, layout)
            sends.check(driver)
    return drivers


@contextlib.contextmanager
def _explained(config: Config, device: Device) -> Iterator[None]:
    """Turns a driver's ValueError into a ConfigError."""
    try:
        yield
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{config.path}:device.{device.name}: {error}") from error


def _pcs(config: Config, device: Device, sink: Sink, layout: s.Layout) -> SunSpecPcs | RegisterPcs:
    unit = device.index
    rated_W = config.unit_tables[unit]["rated_W"]
    is_by_registers = device.profile.family == REGISTER_PCS
    if not is_by_registers:
        low_W, high_W = plausible.limits(rated_W, plausible.CONVERTER)
        power = device.profile.registers["701.W"]
        power.low, power.high = max(power.low, low_W), min(power.high, high_W)
    measure = layout.unit_group(unit, s.G_PCS_MEASURE)
    places = layout.unit_input(unit, 0), measure, layout.unit_group(unit, s.G_PCS_CONTROL)
    if is_by_registers:
        settings = {"rated_W": rated_W, "setpoint_ms": device.setpoint_ms}
        settings["tick_ms"] = config.tick_ms
        return RegisterPcs(device.profile, device.address, sink, places, settings)
    return SunSpecPcs(device.profile, device.address, sink, places, config.tick_ms * 1000)


def _bms(config: Config, device: Device, sink: Sink, layout: s.Layout) -> Bms:
    rack, unit = config.rack_tables[device.index], config.topology.rack_units[device.index]
    power_at = layout.unit_input(unit, s.PCS_POWER_W)
    least_W = config.unit_tables[unit]["rated_W"] * SIGN_PERMILLE // 1000

    def flow() -> int:
        """Power of the converter, W. 0 for a small power, because losses hide its direction."""
        power_W = sink.inp[power_at]
        return power_W if abs(power_W) >= least_W else 0

    sizes = rack["cells"], rack["modules"]
    sign_mA = rack["rated_current_mA"] * SIGN_PERMILLE // 2000
    places = device.index, device.address, sink, layout
    rated = sign_mA, rack["rated_current_mA"]
    return BMS[device.profile.family](device.profile, *places, sizes, flow, *rated)


def _meter(config: Config, device: Device, sink: Sink, layout: s.Layout) -> Meter:
    places = (s.GRID_POWER_W, s.GRID_RAW_HASH, s.G_METER_GRID)
    if device.role == "meter_load":
        places = (s.LOAD_POWER_W, s.LOAD_RAW_HASH, s.G_METER_LOAD)
    rated_W, margin = device.settings.get("rated_W"), plausible.METER
    if rated_W is None:
        rated_W, margin = connection_W(config), plausible.CONNECTION
    power_W_max = min(s.INT_MAX, plausible.limits(rated_W, margin)[1])
    return Meter(device.profile, device.address, sink, *places, power_W_max=power_W_max)


def connection_W(config: Config) -> int:
    """The rating that a meter gets if its file states none, W. It is the limit of the grid
    connection plus the rating of all converters.
    """
    limits_W = [config.control[f"grid_{way}_W_max"] for way in ("import", "export")]
    return max(limits_W) + sum(unit_table["rated_W"] for unit_table in config.unit_tables)


def _io(config: Config, device: Device, sink: Sink, layout: s.Layout) -> IoModule:
    group, inputs = schema.IO_GROUPS[device.role], input_indexes(device)
    return IoModule(device.profile, device.address, sink, inputs, group, device.outputs)


def _sensor(config: Config, device: Device, sink: Sink, layout: s.Layout) -> Sensor:
    group, indexes = SENSORS[device.role]
    sensor = Sensor(device.profile, device.address, sink, indexes, group, config.hma["lfl_vol_ppm"])
    for name, span in sensor.spans.items():
        _check_value(config, device.profile, name, s.CABINET_INPUTS[indexes[name]], span)
    return sensor


def _check_value(
    config: Config,
    profile: Profile,
    name: str,
    signal: tuple[str, str, int, int, int],
    span: tuple[int, int],
) -> None:
    """Refuse a signal with a wrong unit. Also refuse a range that does not contain the thresholds
    of the rows on this signal, because an armed row would then never trip.
    """
    (low, high), (_, unit, signal_low, signal_high, _) = span, signal
    place = f"{profile.path.name}: registers.{name}"
    unit = LFL_UNIT if name == "concentration" else unit
    if profile.registers[name].unit != unit:
        raise ValueError(f"{place}.unit: {profile.registers[name].unit!r}; allowed {unit}")
    reads = f"{place}: reads {low}..{high} {unit}; allowed"
    if not signal_low <= low <= high <= signal_high:
        raise ValueError(f"{reads} within {signal_low}..{signal_high}")
    for stage in [stage for stage in m.STAGES if name in records.feature(stage).values]:
        level = config.stage_words[str(stage[m.S_ID])].set
        if not low <= level <= high:
            raise ValueError(f"{reads} a range with {level}, the set of stage {stage[m.S_ID]}")


def _detector(names: tuple[str, ...], first: int) -> dict[str, int]:
    """Places of a detector's values: reading (the highest of `names`), ok, days to calibration."""
    return {**dict.fromkeys(names, first), "ok": first + 1, "calibration_d": first + 2}


_CLIMATE = {"air_temperature": s.AIR_TEMPERATURE_DDEGC, "humidity": s.HUMIDITY_PERMILLE}
# {role: (freshness group, {name in the profile: place of its value})}
SENSORS = {
    "gas_1": (s.G_GAS_1, _detector(("concentration",), s.GAS_1_LFL_PERMILLE)),
    "gas_2": (s.G_GAS_2, _detector(("concentration",), s.GAS_2_LFL_PERMILLE)),
    "offgas_1": (s.G_OFFGAS_1, _detector(("vapour",), s.OFFGAS_1_PPM)),
    "offgas_2": (s.G_OFFGAS_2, _detector(("vapour",), s.OFFGAS_2_PPM)),
    "toxic": (s.G_TOXIC, _detector(("hydrogen", "carbon_monoxide"), s.TOXIC_PPM)),
    "climate": (s.G_CLIMATE, _CLIMATE),
    "ups": (s.G_UPS, {"ok": s.MAINS_OK, "reserve": s.UPS_RESERVE_MIN}),
}


def _site_device(
    config: Config, device: Device, sink: ProcessImage, layout: s.Layout
) -> SiteDevice:
    site_devices.check(config.path, device)
    site_devices.check_contacts(config.path, device)
    place = sink.site_place(device.role, device.index + 1)
    names = [signal.name for signal in ROLES[device.role].signals]
    bounds = {signal.name: signal.bounds(device.settings) for signal in ROLES[device.role].signals}
    return SiteDevice(
        device.profile,
        unit_id=device.address,
        sink=sink,
        place=place,
        names=names,
        settings=device.settings,
        bounds=bounds,
    )


MAKERS: dict[str, Callable[[Config, Device, ProcessImage, s.Layout], Driver]] = {
    **dict.fromkeys(OF_DEVICES, _site_device),
    "pcs": _pcs,
    "bms": _bms,
    "meter_grid": _meter,
    "meter_load": _meter,
    **dict.fromkeys(schema.IO_GROUPS, _io),
    **dict.fromkeys(SENSORS, _sensor),
}


def requests_of(config: Config, device: Device, driver: Driver) -> list[Sent]:
    """[(what, Request, period in us)] of the requests that a driver of a Modbus device repeats."""
    if isinstance(driver, SunSpecPcs):
        return _pcs_requests(device, driver)
    if isinstance(driver, RegisterPcs):
        return _register_pcs_requests(device, driver)
    with _explained(config, device):
        sent = [_read(*periodic) for periodic in (*driver.periodic(), *_serial(device))]
        if isinstance(driver, SiteDevice):
            sent += _site_writes(driver)
        if isinstance(driver, IoModule) and device.outputs:
            sent.append(("write coils", driver.write(()), config.coil_period_ms * 1000))
        if isinstance(driver, RegisterBms):
            for name, row in device.profile.sent.items():
                write = driver.write(name, row["data"] or [1])
                sent.append((COMMAND, write, (row["period_ms"] or 1000) * 1000))
    return sent


def _serial(device: Device) -> rtu.Periodic:
    """The read of the serial number, if the profile has one."""
    if not device.profile.serial["registers"]:
        return []
    reader = SerialNumber(device.profile, device.address)
    return [(request, serial_number.PERIOD_US) for request in reader.requests]


def _read(request: rtu.Request, period_us: int) -> Sent:
    return f"read {cast(tuple[object, ...], request.key)[1]}", request, period_us


def _site_writes(driver: SiteDevice) -> list[Sent]:
    registers = driver.profile.registers.values()
    sent = []
    for register in [register for register in registers if "write" in register.direction]:
        write, read_back = driver.write_and_read_of(register.name)
        # The bus is busiest if the value changes all the time.
        period_us = min(register.pause_ms, register.repeat_ms) * 1000
        sent.append((f"write {register.name}", write, period_us))
        if register.read_back:
            sent.append((f"read back {register.name}", read_back, period_us))
    return sent


def _pcs_requests(device: Device, driver: SunSpecPcs) -> list[Sent]:
    zero = [0] * SETPOINT_REGISTERS
    write = rtu.write_request(rtu.WRITE_REGISTERS, "write", device.address, 0, zero)
    return [
        (SETPOINT, write, device.setpoint_ms * 1000),
        (BEAT, write, SECOND_US),
        *[_read(*periodic) for periodic in driver.schedule()],
    ]


def _register_pcs_requests(device: Device, driver: RegisterPcs) -> list[Sent]:
    """The frames of a set-point that changes all the time, which is the busiest case, and the other
    periodic requests.
    """
    writes = driver.writer.all_of_zero()
    pause_ms = max(device.setpoint_ms, device.profile.settings["setpoint_pause_ms"])
    period_us = len(writes) * pause_ms * 1000  # each frame waits for the frame before it
    names = [SETPOINT, *[f"{SETPOINT} {number}" for number in range(2, len(writes) + 1)]]
    sent = [(name, write, period_us) for name, write in zip(names, writes)]
    sent += [_read(*periodic) for periodic in (*driver.periodic(), *_serial(device))]
    return sent + [(BEAT, *beat) for beat in driver.beats()]


def frames_of(driver: CanBms) -> list[tuple[str, int, int]]:
    """[(what, frames, period in us)] of a BMS on CAN, both directions."""
    profile = driver.profile
    received = Counter(row["period_ms"] or profile.period_ms for row in driver.rows())
    sent = Counter(row["period_ms"] for row in profile.sent.values())
    return [
        (label, frames, period_ms * 1000)
        for label, counted in (("frames from BMS", received), ("frame to BMS", sent))
        for period_ms, frames in counted.items()
    ]
