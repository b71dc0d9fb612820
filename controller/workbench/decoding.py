"""Decodes the registers in a Modbus capture with a profile. The result is values with names, and
refusals with reasons.

This file uses the codecs and drivers that also run in a cabinet. Each register is decoded alone as
soon as its words are known. In addition the driver reads from the capture as if it were the device.
The values that the driver stores are those that a cabinet would use.
"""

import contextlib
from collections.abc import Iterator

from controller.config import profile_evidence
from controller.config.sunspec_places import placed, rescaled
from controller.workbench import profile_bench
from controller.workbench.findings import Changes, Found, Refusal, Value, of_misfit, unit_of
from controller.workbench.rtu_stream import READS
from drivers.buses import rtu
from drivers.meter_reads import limits_of
from drivers.profile import Profile, Register
from drivers.register_blocks import ONE_READ, blocks, extent
from drivers.register_codec import Codec
from drivers.register_numbers import values_of
from drivers.setpoint_form import Frame
from drivers.steps import StepError

BITS = (1, 2)
# {function that writes: function that reads the same values}
READ_OF_WRITE = {5: 1, 15: 1, 6: 3, 16: 3}
ANY_FUNCTION = 0  # stands for the function of words if the function is not known
MORE_STEPS, STEP_US = 200, profile_bench.TICK_US  # the driver runs on for 200 ticks after the end
GAP_US = 60_000_000  # if the capture is silent for longer, the driver runs for the last minute only


class Memory:
    """The registers and bits of a device, as far as they are known."""

    def __init__(self) -> None:
        self._known: dict[int, dict[int, int]] = {}

    def put(self, function: int, address: int, registers: tuple[int, ...]) -> None:
        """Keep words from an address on. function: the function that read them, or ANY_FUNCTION."""
        read_functions = (
            READS if function == ANY_FUNCTION else (READ_OF_WRITE.get(function, function),)
        )
        for read_function in read_functions:
            table = self._known.setdefault(read_function, {})
            for word_address, word in enumerate(registers, address):
                table[word_address] = word

    def data(self, function: int, address: int, count: int, holes: bool = False) -> bytes | None:
        """The bytes of words, or one byte for each bit. None if a word or bit is not known. If
        `holes` is true, an unknown word counts as 0 instead.
        """
        table = self._known.get(function, {})
        registers = [
            table.get(word_address, 0 if holes else None)
            for word_address in range(address, address + count)
        ]
        if None in registers:
            return None
        if function in BITS:
            return bytes(bool(word) for word in registers)
        return b"".join(word.to_bytes(2, "big") for word in registers if word is not None)

    def of(self, register: Register) -> bytes | None:
        """The bytes of a register of a profile. None if one of its words is not known."""
        return self.data(register.function, register.address, extent(register))


class RegisterDecoder:
    """Decodes each register of a Modbus device alone, as soon as its words are known. Registers of
    SunSpec models have to wait until the model chain is known, because it gives their addresses.
    """

    def __init__(self, profile: Profile, rated_W: int = profile_bench.RATED_W):
        self.memory, self.profile = Memory(), profile
        self._settings = {"rated_W": rated_W}
        if profile.settings.get("role"):
            self._settings = profile_bench.parameters_of(profile.settings["role"], rated_W)

    def take(
        self, time_us: int, function: int, address: int, registers: tuple[int, ...]
    ) -> Iterator[Found]:
        """Take words that the device holds from now on."""
        function = READ_OF_WRITE.get(function, function)
        self.memory.put(function, address, registers)
        if self.profile.models:
            with contextlib.suppress(StepError):
                self.profile, _ = placed(self.profile, self.memory.data)
        registers_to_decode = [] if self.profile.models else list(self.registers())
        fresh_names = {
            register.name
            for register in registers_to_decode
            if _is_in(register, function, address, len(registers))
        }
        for register in registers_to_decode:
            if register.name in fresh_names or getattr(register, "scale_from", "") in fresh_names:
                yield from self._decode(time_us, register)

    def registers(self) -> Iterator[Register]:
        """The registers that a codec can decode alone. An array gives a register for each value."""
        for profile_register in (*self.profile.registers.values(), *self.profile.identity.values()):
            if hasattr(profile_register, "function") and hasattr(profile_register, "word_order"):
                yield from _single_registers(profile_register)
        for number, frame in enumerate(self.profile.setpoint, 1):
            address = frame.address
            for register in Frame(frame, self._settings).registers:
                fields = {
                    "name": f"setpoint.{number}.{register.role}",
                    "address": address,
                    "function": 3,
                }
                unit = {} if register.role in ("mode", "constant") else {"unit": "W"}
                yield Register(**{**vars(register), **fields, **unit})
                address += register.words

    def _decode(self, time_us: int, register: Register) -> Iterator[Found]:
        data = self.memory.of(register)
        if data is None:
            return
        place = f"{register.function}:{register.address}"
        value, reason = self._value(register, data)
        unit = register.unit or unit_of(register.name)
        if reason:
            yield Refusal(time_us, register.name, reason, place)
        else:
            yield Value(time_us, register.name, value, unit, place)

    def _value(self, register: Register, data: bytes) -> tuple[float, str]:
        """(value, reason of its refusal). The reason is "" for a good value."""
        if self.profile.family == "meter" and register.name in self.profile.registers:
            return self._number(register, data)
        codec = Codec(register, self._settings)
        if codec.factor:
            exponent = self.memory.of(self.profile.registers[codec.factor])
            if exponent is None or not rescaled(codec, exponent):
                lack = "is not in the capture" if exponent is None else "is none"
                return 0, f"its scale factor {codec.factor} {lack}"
        value, is_good = codec.read(data)
        raw = data.hex().upper()
        if value is None:
            return 0, f"{raw} has no meaning" if not is_good else f"{raw} is no value"
        if hasattr(register, "equals") and isinstance(register.equals, list):
            is_other = register.equals and value not in register.equals
            wanted = " or ".join(map(str, register.equals))
            return value, f"{value} is another device; allowed {wanted}" if is_other else ""
        if not is_good:
            return value, f"{value} is out of range [{register.low:g}, {register.high:g}]"
        return value, ""

    def _number(self, register: Register, data: bytes) -> tuple[float, str]:
        """The value of a register of a meter; its scale factor must be known."""
        register_and_factor = [register]
        if register.scale_from:
            register_and_factor.append(self.profile.registers[register.scale_from])
        if any(self.memory.of(source) is None for source in register_and_factor):
            return 0, f"its scale factor {register.scale_from} is not in the capture"
        values = values_of(
            register_and_factor,
            blocks(register_and_factor, ONE_READ),
            lambda part: self.memory.data(part.function, part.address, part.length, True) or b"",
        )
        if values is None:
            return 0, f"{data.hex().upper()} is no value, or its scale factor is none"
        value = values[register.name]
        low, high = limits_of(self.profile, register.name)
        if not low <= value <= high:
            return value, f"{value:g} is out of range [{low:g}, {high:g}]"
        return value, ""


class DeviceDecoder(Changes):
    """Decodes a Modbus device by a profile, and lets its driver read the same words. The driver's
    writes get no answer.
    """

    def __init__(self, profile: Profile, rated_W: int):
        super().__init__()
        self._decoder, self._profile = RegisterDecoder(profile, rated_W), profile
        self.memory = self._decoder.memory
        self._driver, self._shelf = profile_bench.build(profile, rated_W)
        self._due_us = [(request, period_us, 0) for request, period_us in self._driver.periodic()]
        self._now_us = 0

    def take(
        self, time_us: int, function: int, address: int, registers: tuple[int, ...]
    ) -> Iterator[Found]:
        """Take words that the device holds from now on. Yields each value that has changed."""
        yield from self.new(self._decoder.take(time_us, function, address, registers))
        self._run_until(time_us)

    def end(self, time_us: int) -> dict[str, tuple[int, str]]:
        """{signal: (value, unit)}: the last value of each signal that the driver stored."""
        self._run_until(time_us + MORE_STEPS * STEP_US)
        stored = self._shelf.taken()
        return {name: reading for name, reading in stored.items() if name[-5:] != "_hash"}

    def _run_until(self, time_us: int) -> None:
        """Let the driver read until time_us. Count values of a rack that do not fit its limits."""
        self._now_us = max(self._now_us, time_us - GAP_US)
        service = getattr(self._driver, "service", lambda now_us: ())
        while self._now_us <= time_us:
            misfit_before = getattr(self._driver, "misfit", None)
            for request in service(self._now_us):
                self._answer(request)
            for index, (request, period_us, due_us) in enumerate(self._due_us):
                if self._now_us >= due_us:
                    self._due_us[index] = request, period_us, self._now_us + period_us
                    self._answer(request)
            misfit = getattr(self._driver, "misfit", None)
            if misfit is not None and misfit is not misfit_before:
                self.refuse(of_misfit(time_us, misfit, ""))
            self._now_us += STEP_US

    def _answer(self, request: rtu.Request) -> None:
        function = request.function
        if function not in READS:
            return
        data = held(self._profile, self.memory, function, *rtu.place_of(request.frame))
        if data is None:
            request.on_failure(rtu.EXCEPTION, 2, self._now_us)
        else:
            request.on_reply(bytes((function, len(data))) + data, self._now_us)

    def fault(self, time_us: int, has_stored: bool) -> str:
        """Why the driver stores nothing; "" if it has stored values."""
        if has_stored:
            return ""
        seldom = profile_evidence.seldom(self._profile)
        needed = [
            register for name, register in self._profile.registers.items() if name not in seldom
        ]
        missing = [
            f"{source.name} ({source.address})"
            for source in needed
            if hasattr(source, "function")
            and "read" in source.direction
            and self.memory.of(source) is None
        ]
        if missing:
            return f"not in the capture: {', '.join(missing)}"
        reason = getattr(self._driver, "fault", "")
        if not reason and "heartbeat" in self._profile.registers:
            return "its heartbeat does not change in the capture"
        return reason or "the values do not fit each other, as drivers/README.md says of the family"


def _is_in(register: Register, function: int, address: int, count: int) -> bool:
    end = register.address + extent(register)
    return (
        function in (ANY_FUNCTION, register.function)
        and register.address < address + count
        and address < end
    )


def _single_registers(register: Register) -> Iterator[Register]:
    """The register itself, or each value of an array as a register."""
    if register.words == 0 or getattr(register, "count", 1) == 1:
        yield register
        return
    for index in range(register.count):
        fields = {"name": f"{register.name}_{index + 1}", "count": 1}
        yield Register(
            **vars(register) | fields | {"address": register.address + index * register.words}
        )


def held(profile: Profile, memory: Memory, function: int, address: int, count: int) -> bytes | None:
    """The data of the reply to a read. None if no word of the reply is known, or if the reply
    contains a register of the profile of which a word is unknown.
    """
    addresses = range(address, address + count)
    if not any(memory.data(function, word_address, 1) is not None for word_address in addresses):
        return None
    for register in (*profile.registers.values(), *profile.identity.values()):
        is_asked = getattr(register, "function", 0) == function and register.address in addresses
        if is_asked and memory.of(register) is None:
            return None
    data = memory.data(function, address, count, True) or b""
    if function not in BITS:
        return data
    return sum(bit << shift for shift, bit in enumerate(data)).to_bytes((count + 7) // 8, "little")
