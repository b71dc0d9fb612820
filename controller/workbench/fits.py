"""Finds which profiles fit the answers of a Modbus device, and why. It only reads.

The strongest reason is a register of `[identity]` or a SunSpec model chain. The next is a voltage
near its nominal value, or a frequency if the device has no voltage. Another device hardly ever has
such a value in this register. A value that is only within its range says little. If two profiles
have equally strong reasons, both are reported.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

from controller.config.profile_form import BY_REGISTERS, MAP_ONLY, PLAIN, SENSORS
from controller.config.sunspec_places import driven, placed, rescaled
from drivers import meter_reads, sunspec
from drivers.buses.rtu import place_of
from drivers.meter import Meter
from drivers.meter_reads import limits_of
from drivers.profile import Profile, Register
from drivers.rack_sources import CELLS
from drivers.register_blocks import ONE_READ, Block, blocks
from drivers.register_codec import Codec
from drivers.register_numbers import values_of
from drivers.steps import StepError

# the data of a reply, or a sentence that says why there is no reply
Answer = bytes | str
Place = tuple[int, int, int]  # function, address, count
Read = Callable[[int, int, int], Answer]
HEAD = bytes(2)  # the bytes of a PDU before its data
ZEROS = "all that it reads is 0, which says nothing"
RATED_W = 100_000  # an assumed rating, for registers that hold a part of the rating
EXCEPTION = "exception "
READ_HOLDING = 3
SUNSPEC_BASES = [40000, 50000, 0]
# SunSpec model 1: (name, offset from the ID register, number of registers)
NAMEPLATE = (("Mn", 2, 16), ("Md", 18, 16), ("Vr", 42, 8), ("SN", 50, 16))
VOLTAGES = ("dc_voltage_mV", CELLS)
DC_MODELS = (802, 714)  # a converter has one of them


class Unfit(Exception):
    """The first reason why a profile does not fit."""


class Fit(NamedTuple):
    """A profile compared with a device. proofs: identity registers and model chains that fit.
    signs: values that hardly any other device has at this address. values: other values in range.
    reason: why the profile does not fit, or "".
    """

    profile: Profile
    proofs: list[str]
    signs: list[str]
    values: list[str]
    reason: str

    @property
    def rank(self) -> tuple[int, int, bool, int]:
        """Sort key, the highest first. Between equal fits, a profile that real readings prove has
        the higher rank.
        """
        is_proven = self.profile.evidence not in MAP_ONLY
        return len(self.proofs), len(self.signs), is_proven, len(self.values)

    @property
    def certainty(self) -> str:
        """The strongest kind of reason."""
        return "identity" if self.proofs else "plausible" if self.signs else "weak"


def fits(profiles: Iterable[Profile], read: Read) -> list[Fit]:
    """The fit of every profile. Profiles that fit come first, the best one at the top."""
    return ranked([judged(profile, read) for profile in profiles])


def ranked(profile_fits: Iterable[Fit]) -> list[Fit]:
    """Sort the fits: profiles that fit come first, the best one at the top."""
    return sorted(profile_fits, key=lambda fit: (bool(fit.reason), *[-part for part in fit.rank]))


def judged(profile: Profile, read: Read) -> Fit:
    """Compare one profile with the answers of a device."""
    fit = Fit(profile, [], [], [], "")
    try:
        _JUDGES[profile.family](_placed(fit, read), read)
    except (Unfit, StepError) as reason:
        return fit._replace(reason=str(reason))
    return fit if fit.proofs or fit.signs or fit.values else fit._replace(reason=ZEROS)


def answered(read: Read, function: int, address: int, count: int, label: str) -> bytes:
    """The data of a reply. Raises Unfit."""
    answer = read(function, address, count)
    if isinstance(answer, str):
        raise Unfit(f"{label} ({function}:{address}): {answer}")
    return answer


def _identity(fit: Fit, read: Read) -> None:
    for name, register in fit.profile.identity.items():
        label = f"identity.{name}"
        data = answered(read, register.function, register.address, register.words, label)
        value = Codec(register, {}).value(data)
        if value not in register.equals:
            allowed = " or ".join(_shown(equal) for equal in register.equals)
            raise Unfit(f"{label} ({register.address}) reads {_shown(value)}; allowed {allowed}")
        fit.proofs.append(f"{label} ({register.address}) reads {_shown(value)}")


def _shown(value: int | None) -> str:
    return str(value) if value is None or abs(value) < 0x10000 else hex(value)


# -- meters


def _meter(fit: Fit, read: Read) -> None:
    profile = fit.profile
    _identity(fit, read)
    shelf = SimpleNamespace(inp=[0, 0], fresh=bytearray(1))
    profile_without_identity = Profile(**{**vars(profile), "identity": {}})
    meter = Meter(profile_without_identity, 1, shelf, 0, 1, 0)
    registers, settings = profile.registers, profile.settings
    for name, value in _numbers(fit, meter_reads.fast_names(registers, settings), read).items():
        _judge_number(fit, registers[name], value)
    for _ in range(2):  # the driver uses a scale factor only after it has read it twice
        for request in meter.fast():
            place = request.function, *place_of(request.frame)
            request.on_reply(HEAD + answered(read, *place, "a reading"), 0)
    if not shelf.fresh[0]:
        raise Unfit("its powers do not fit voltage x current, or its total not its phases")
    if shelf.inp[0]:
        fit.values.append(f"power {shelf.inp[0]} W")
    try:
        slow = _numbers(fit, meter_reads.slow_names(registers, settings), read)
    except Unfit:  # slow values are only for a page, so a missing one does not count
        return
    for name, value in slow.items():
        _judge_number(fit, registers[name], value)


def _numbers(fit: Fit, names: Iterable[str], read: Read) -> dict[str, float]:
    """{name: value} of registers without bits or states. Raises Unfit."""
    registers = [Register(**PLAIN | vars(fit.profile.registers[name])) for name in names]

    def data(block: Block) -> bytes:
        label = f"registers.{registers[block.places[0][0]].name}"
        return answered(read, block.function, block.address, block.length, label)

    read_blocks = meter_reads.grouped(registers, ONE_READ | fit.profile.settings)
    values = values_of(registers, read_blocks, data)
    if values is None:
        raise Unfit("a register holds no value, or a scale factor that is none")
    return values


def _judge_number(fit: Fit, register: Register, value: float) -> None:
    name, value_text = register.name, _in_range(register, value)
    is_voltage = name[:-2] == meter_reads.VOLTAGE
    least, most = limits_of(fit.profile, name)
    if not least <= value <= most:
        nominal_V = fit.profile.settings["nominal_voltage_V"]
        raise Unfit(f"{name} ({register.address}) reads {value:.5g} V, nominal {nominal_V:g} V")
    if is_voltage or name == meter_reads.FREQUENCY and not fit.signs:
        fit.signs.append(value_text)
    elif value:
        fit.values.append(value_text)


def _in_range(register: Register, value: float) -> str:
    """The value in words. Raises Unfit."""
    name, unit = register.name, register.unit
    if not register.low <= value <= register.high:
        low, high = f"{register.low:g}", f"{register.high:g}"
        raise Unfit(f"{name} ({register.address}) reads {value:.5g}; allowed {low}..{high} {unit}")
    return f"{name} {value:.5g} {unit}".rstrip()


# -- devices with the register codec


def _registers(fit: Fit, read: Read) -> None:
    profile = fit.profile
    _identity(fit, read)
    registers = [
        register for register in profile.registers.values() if "read" in register.direction
    ]
    for block in blocks(registers, profile.settings):
        label = f"registers.{registers[block.places[0][0]].name}"
        data = answered(read, block.function, block.address, block.length, label)
        bytes_of = {registers[index].name: part for index, part in block.parts(data)}
        for name, part in bytes_of.items():
            _judge_part(fit, profile.registers[name], part, bytes_of)


def _judge_part(fit: Fit, register: Register, part: bytes, parts: Mapping[str, bytes]) -> None:
    """Judge the value of one register. parts: the bytes of all registers of one read. The scale
    factor of the register is among them.
    """
    codec = Codec(register, {name: RATED_W for name in (register.scale_by,) if name})
    place = f"{register.name} ({register.address})"
    if codec.factor and not rescaled(codec, parts[codec.factor]):
        raise Unfit(f"{place}: its scale factor {codec.factor} is none")
    value, is_good = codec.read(part)
    if not is_good and value is None:
        raise Unfit(f"{place} reads {part.hex().upper()}, which has no meaning")
    if not is_good:
        raise Unfit(f"{place} reads {value}; allowed {register.low:g}..{register.high:g}")
    if value:
        evidence = fit.signs if register.name in VOLTAGES else fit.values
        evidence.append(f"{register.name} {value}")


# -- SunSpec


def chain_of(read: Read, bases: list[int]) -> list[sunspec.Found]:
    """The models of a SunSpec device. Raises Unfit, StepError."""
    return driven(sunspec.walk(bases), partial(_answered_or_refused, read))


def _answered_or_refused(read: Read, function: int, address: int, count: int) -> bytes | None:
    answer = read(function, address, count)
    if isinstance(answer, bytes):
        return answer
    if not answer.startswith(EXCEPTION):
        raise Unfit(f"SunSpec ({function}:{address}): {answer}")
    return None


def _placed(fit: Fit, read: Read) -> Fit:
    """The fit with the register addresses that this device has. Raises StepError."""
    profile, addresses = placed(fit.profile, partial(_answered_or_refused, read))
    for wanted, address in zip(fit.profile.needed, addresses):
        fit.proofs.append(f"{wanted.name} at register {address}")
    return fit._replace(profile=profile)


def nameplate(read: Read, models: list[sunspec.Found]) -> str:
    """Maker, model, version and serial number of SunSpec model 1, without empty ones."""
    _, address, length = next((model for model in models if model.model == 1), (1, 0, 0))
    texts = []
    for _, offset, count in NAMEPLATE:
        answer = read(READ_HOLDING, address + offset, count) if offset + count <= length + 2 else ""
        text = answer.decode("ascii", "replace") if isinstance(answer, bytes) else ""
        texts.append("".join(character for character in text if " " <= character <= "~").strip())
    return ", ".join(text for text in texts if text)


def _sunspec_pcs(fit: Fit, read: Read) -> None:
    models = [link.model for link in chain_of(read, fit.profile.settings["base_addresses"])]
    needed = sorted({int(name.partition(".")[0]) for name in fit.profile.registers})
    for model in needed:
        if model not in models and model not in DC_MODELS:
            raise Unfit(f"SunSpec model {model} is missing; it has {_listed(models)}")
    if not any(model in models for model in DC_MODELS):
        raise Unfit(f"SunSpec models 802 and 714 are missing; it has {_listed(models)}")
    fit.proofs.append(f"SunSpec models {_listed(models)}")


def _listed(models: Iterable[int]) -> str:
    return ", ".join(map(str, models))


# -- I/O modules and sensors


def _io(fit: Fit, read: Read) -> None:
    inputs, expiry = [fit.profile.registers[name] for name in ("inputs", "output_expiry")]
    answered(read, inputs.function, inputs.address, inputs.count, "registers.inputs")
    (value,) = _numbers(fit, (expiry.name,), read).values()
    fit.signs.append(_in_range(expiry, value))


def _sensor(fit: Fit, read: Read) -> None:
    for name, value in _numbers(fit, fit.profile.registers, read).items():
        _judge_number(fit, fit.profile.registers[name], value)


_JUDGES = {
    "meter": _meter,
    **dict.fromkeys(BY_REGISTERS, _registers),
    **dict.fromkeys(SENSORS, _sensor),
    "sunspec_pcs": _sunspec_pcs,
    "io": _io,
}
FAMILIES = tuple(_JUDGES)
