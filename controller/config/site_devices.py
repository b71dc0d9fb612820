"""Makes the records of site devices (such as a PV plant or a generator set) for the core. Also
makes the gate of each actuator, which decides which values may be written to it.
"""

from fractions import Fraction

from controller.config.devices import Device
from controller.core.site_devices.layout import SiteDevice
from controller.core.site_devices.reading_roles import CLOCK, GRID_CONTACT
from controller.core.site_devices.records import POWER_W_MAX, Actuator, Role
from controller.core.site_devices.roles import ROLES
from controller.core.site_devices.write_gate import WriteForm, WriteGate
from controller.forms.refusal import ConfigError
from drivers.profile import Register
from drivers.register_codec import BIT, INTEGERS, Codec

CLOCK_SETTINGS = {row[0]: row[4] for row in CLOCK.parameters}


def site_devices(devices: tuple[Device, ...]) -> tuple[SiteDevice, ...]:
    """The controller's own clock, then each site device in the order of the files."""
    clock = SiteDevice(CLOCK, 1, (1 << len(CLOCK.signals)) - 1, CLOCK_SETTINGS)
    return (clock, *[_site_device(device) for device in devices if device.role in ROLES])


def _site_device(device: Device) -> SiteDevice:
    role = ROLES[device.role]
    registers = device.profile.registers
    read = [name for name, register in registers.items() if "read" in register.direction]
    mask = sum(1 << bit for bit, signal in enumerate(role.signals) if signal.name in read)
    return SiteDevice(role, device.index + 1, mask, device.settings)


def check(path: str, device: Device) -> None:
    """Refuse a profile whose registers are not the signals and actuators of the role."""
    role, registers = ROLES[device.role], device.profile.registers
    signals = [signal.name for signal in role.signals]
    names = {"read": signals, "write": [actuator.name for actuator in role.actuators]}
    factors = device.profile.factors
    for name, register in registers.items():
        if name in factors:
            continue
        for direction in register.direction.split():
            if name not in names[direction]:
                problem = f"registers.{name}: role {role.name} does not {direction} it"
                _refuse(path, device, problem, ", ".join(names[direction]) or "nothing")
        _check_settings(path, device, register)
    for signal in [signal for signal in role.signals if signal.name in registers]:
        low, high = registers[signal.name].low, registers[signal.name].high
        problem = f"registers.{signal.name}.range: [{low}, {high}]"
        if not signal.low <= low <= high <= signal.high:
            _refuse(path, device, problem, f"within {signal.low}..{signal.high}")
        rated_W = device.settings.get(signal.rating, POWER_W_MAX) if signal.margin else POWER_W_MAX
        if rated_W < POWER_W_MAX and not low <= 0 <= rated_W <= high:
            _refuse(path, device, problem, f"a range that contains 0..{rated_W}, {signal.rating}")
    limit_W, rated_W = [device.settings.get(key, 0) for key in ("limit_W_max", "rated_W")]
    if limit_W > rated_W:
        problem = f"limit_W_max: {limit_W} W is above rated_W {rated_W} W"
        raise ConfigError(f"{path}:device.{device.name}.{problem}; allowed 1..{rated_W} W")
    for actuator in role.actuators:
        if "write" in getattr(registers.get(actuator.name), "direction", ""):
            _check_write(path, device, actuator)
    for feedback in feedbacks(role, registers):
        problem = f"registers.{feedback}: missing, it shows what the device does"
        _refuse(path, device, problem, "a register with direction read")


def check_contacts(path: str, device: Device) -> None:
    """Refuse contacts of the grid operator that limit nothing, and a limit of an unread contact."""
    if device.role != GRID_CONTACT.name:
        return
    limits = [row[0] for row in GRID_CONTACT.parameters[1:] if device.settings[row[0]] < row[4]]
    if not limits:
        allowed = "contact_N_import_permille or contact_N_export_permille below 1000"
        raise ConfigError(
            f"{path}:device.{device.name}: no contact limits anything; allowed {allowed}"
        )
    for key in limits:
        contact = key.rsplit("_", 2)[0]
        if contact not in device.profile.registers:
            problem = f"registers.{contact}: missing, {key} needs it"
            _refuse(path, device, problem, "a register with direction read")


def _check_settings(path: str, device: Device, register: Register) -> None:
    """Refuse a parameter that the role does not have, and more bits than the module has."""
    for key in ("scale_by", "count_by"):
        parameter = getattr(register, key)
        if parameter and parameter not in device.settings:
            problem = f"registers.{register.name}.{key}: {parameter!r}"
            _refuse(path, device, problem, ", ".join(device.settings))
    count = device.settings.get(register.count_by, 1)
    if count > register.count:
        problem = f"{register.count_by} {count}"
        _refuse(path, device, problem, f"1..{register.count}, registers.{register.name}.count")


def _check_write(path: str, device: Device, actuator: Actuator) -> None:
    """Refuse a register that cannot hold 0 or the highest value of the actuator."""
    register = device.profile.registers[actuator.name]
    high = actuator.high if isinstance(actuator.high, int) else device.settings[actuator.high]
    if not register.low <= 0 <= high <= register.high:
        problem = f"registers.{register.name}.range: [{register.low}, {register.high}]"
        _refuse(path, device, problem, f"a range that contains 0..{high}")
    if register.type == BIT:
        return
    for value in (0, high):
        try:
            Codec(register, device.settings).words(value)
        except ValueError as error:
            _refuse(path, device, f"registers.{error}", f"a type, scale or state for 0 and {high}")


def feedbacks(role: Role, registers: dict[str, Register]) -> list[str]:
    """The feedback signals that have no register, although the profile writes the actuator."""
    written = [actuator for actuator in role.actuators if actuator.name in registers]
    return [actuator.feedback for actuator in written if actuator.feedback not in registers]


def _refuse(path: str, device: Device, problem: str, allowed: str) -> None:
    file = device.profile.path.name
    place = f"{path}:device.{device.name}: " if path != file else ""
    raise ConfigError(f"{place}{file}: {problem}; allowed {allowed}")


def gates(device: Device) -> dict[str, WriteGate]:
    """{actuator: WriteGate} of each actuator that the profile writes."""
    registers = device.profile.registers.values()
    written = [register for register in registers if "write" in register.direction]
    return {register.name: WriteGate(_form(device, register)) for register in written}


def _form(device: Device, register: Register) -> WriteForm:
    factor = device.settings.get(register.scale_by, 1)
    count = device.settings.get(register.count_by, register.count)
    word_count, is_signed = INTEGERS.get(register.type, (count, False))
    return WriteForm(
        unit_id=device.address,
        function=register.write_function,
        address=register.write_address,
        words=word_count,
        is_signed=is_signed,
        is_word_little=register.word_order == "little",
        is_byte_little=register.byte_order == "little",
        scale=Fraction(str(register.scale)) * factor,
        offset=Fraction(str(register.offset)),
        states={int(raw): value for raw, value in register.values.items()},
        has_complement=register.complement,
        tail=tuple(register.with_words),
    )
